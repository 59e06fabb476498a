// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title P256Call
/// @notice The call of the P-256 precompile at 0x100 (EIP-7951).
/// @dev Assembly to spare what encoding and decoding cost at every signature; tests hold it to a plain
/// twin.
library P256Call {
    /// @notice Whether 0x100 answered with exactly one word, and that word is 1. An empty answer, which
    /// is what an address without code gives, is a refusal.
    function verify(bytes32 hash, uint256 r, uint256 s, uint256 x, uint256 y)
        internal
        view
        returns (bool valid)
    {
        assembly ("memory-safe") {
            let p := mload(0x40) // beyond the free memory pointer, which stays
            mstore(p, hash)
            mstore(add(p, 0x20), r)
            mstore(add(p, 0x40), s)
            mstore(add(p, 0x60), x)
            mstore(add(p, 0x80), y)
            mstore(0, 0) // scratch space, where the answer goes
            let success := staticcall(gas(), 0x100, p, 0xa0, 0, 0x20)
            valid := and(and(success, eq(returndatasize(), 0x20)), eq(mload(0), 1))
        }
    }
}
