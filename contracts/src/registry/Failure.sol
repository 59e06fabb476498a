// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Failure
/// @notice A custom error as bytes, so that one algorithm serves those who want a revert and those
/// who want an answer. Empty bytes stand for no error.
library Failure {
    /// @notice Reverts with the custom error that `failure` is the encoding of, if it is one.
    function raise(bytes memory failure) internal pure {
        if (failure.length == 0) return;
        assembly ("memory-safe") {
            revert(add(failure, 0x20), mload(failure))
        }
    }
}
