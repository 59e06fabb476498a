// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title ClaimLib
/// @notice What evidence of different kinds must agree on to stand together for one worker.
library ClaimLib {
    /// @notice The name of a claim about one key. `platform` is the first 20 bytes of the platform's id.
    function of_(
        bytes32 appId,
        address operator,
        bytes32 encryptionKey,
        bytes32 measurementId,
        bytes20 platform
    ) internal pure returns (bytes32) {
        return keccak256(abi.encode(appId, operator, encryptionKey, measurementId, platform));
    }
}
