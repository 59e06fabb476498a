// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice What a worker signs (docs/formats.md, "Result: what a worker signs").
struct Result {
    bytes32 requestId;
    bytes32 appId;
    bytes32 modelId;
    bytes32 weightsRoot;
    bytes32 inputCommitment;
    bytes32 outputHash;
    uint64 keyEpoch;
    uint64 policyVersion;
    address worker;
    uint64 units;
    uint256 nonce;
    uint64 deadline;
}

/// @notice The one hash of a result.
library ResultLib {
    bytes32 internal constant TYPEHASH = keccak256(
        "Result(bytes32 requestId,bytes32 appId,bytes32 modelId,bytes32 weightsRoot,bytes32 inputCommitment,bytes32 outputHash,uint64 keyEpoch,uint64 policyVersion,address worker,uint64 units,uint256 nonce,uint64 deadline)"
    );

    /// @notice The EIP-712 struct hash of `result`.
    function hash(Result memory result) internal pure returns (bytes32) {
        return keccak256(abi.encode(TYPEHASH, result));
    }
}
