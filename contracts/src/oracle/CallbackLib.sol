// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title CallbackLib
/// @notice Calls a contract that is not trusted: exact gas, and at most one word of its answer.
library CallbackLib {
    /// @notice Calls `target` with `data` and exactly `gasLimit` gas, as long as the caller made sure
    /// that more than that and its 1/64 is left (EIP-150).
    /// @return ok whether the call succeeded.
    /// @return answer the first 32 bytes it returned or reverted with, zero padded. Never copies
    /// more: a huge answer costs only the contract that makes it.
    function callExactly(address target, uint256 gasLimit, bytes memory data)
        internal
        returns (bool ok, bytes32 answer)
    {
        assembly ("memory-safe") {
            // Scratch space takes the answer.
            mstore(0x00, 0)
            ok := call(gasLimit, target, 0, add(data, 0x20), mload(data), 0x00, 0x20)
            answer := mload(0x00)
        }
    }
}
