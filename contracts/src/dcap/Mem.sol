// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title Mem
/// @notice Reads of memory by address, for parsers that never copy what they slice.
/// @dev Reads only, or writes to memory the caller allocated. Callers bound every address: a parser
/// holds `[position, end)` inside one allocation and checks each length against `end`.
library Mem {
    /// @notice The address of the first byte of `data`.
    function at(bytes memory data) internal pure returns (uint256 position) {
        assembly ("memory-safe") {
            position := add(data, 0x20) // content follows the length word
        }
    }

    /// @notice The 32 bytes from `position`; what follows the data is whatever memory holds there.
    function word(uint256 position) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(position)
        }
    }

    /// @notice The byte at `position`.
    function u8(uint256 position) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := byte(0, mload(position))
        }
    }

    /// @notice The `length` bytes from `position` as a big-endian number; at most 32.
    function number(uint256 position, uint256 length) internal pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := shr(sub(256, shl(3, length)), mload(position)) // a shift by 256 yields 0
        }
    }

    /// @notice Keccak-256 of the `length` bytes from `position`.
    function keccak(uint256 position, uint256 length) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(position, length)
        }
    }

    /// @notice SHA-256 of the `length` bytes from `position`.
    function sha(uint256 position, uint256 length) internal view returns (bytes32 digest) {
        assembly ("memory-safe") {
            // The precompile cannot fail but by running out of gas; then it returns nothing.
            if iszero(staticcall(gas(), 2, position, length, 0, 0x20)) { revert(0, 0) }
            if iszero(eq(returndatasize(), 0x20)) { revert(0, 0) }
            digest := mload(0) // scratch space
        }
    }

    /// @notice Writes `value` to `position`, which lies in memory the caller allocated.
    function store(uint256 position, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore(position, value)
        }
    }

    /// @notice Writes the low byte of `value` to `position`, which lies in memory the caller allocated.
    function storeByte(uint256 position, uint256 value) internal pure {
        assembly ("memory-safe") {
            mstore8(position, value)
        }
    }

    /// @notice Copies `length` bytes to `target`, which lies in memory the caller allocated.
    function copy(uint256 target, uint256 source, uint256 length) internal pure {
        assembly ("memory-safe") {
            mcopy(target, source, length)
        }
    }

    /// @notice A copy of the `length` bytes from `position`.
    function slice(uint256 position, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        copy(at(data), position, length);
    }

    /// @notice The code of `account` from byte `start` on: what SSTORE2 keeps there.
    function code(address account, uint256 start) internal view returns (bytes memory data) {
        assembly ("memory-safe") {
            let size := extcodesize(account)
            let length := mul(gt(size, start), sub(size, start)) // 0 where nothing is kept
            data := mload(0x40) // allocate
            mstore(data, length) // its length
            extcodecopy(account, add(data, 0x20), start, length)
            mstore(0x40, and(add(add(data, length), 0x3f), not(0x1f))) // keep words aligned
        }
    }

    /// @notice Copies the `length` bytes that SSTORE2 keeps in the code of `account` to `target`, which
    /// lies in memory the caller allocated; false where the code could be run, and so might change.
    function copyCode(uint256 target, address account, uint256 length)
        internal
        view
        returns (bool fixed_)
    {
        assembly ("memory-safe") {
            extcodecopy(account, 0, 0, 0x20) // scratch space
            fixed_ := iszero(byte(0, mload(0))) // STOP
            extcodecopy(account, target, 1, length)
        }
    }

    /// @notice Bytes that are written into free memory, with {close} at their end; nothing may be
    /// allocated between.
    function open() internal pure returns (bytes memory data) {
        assembly ("memory-safe") {
            data := mload(0x40)
        }
    }

    /// @notice Ends what {open} began at `end`.
    function close(bytes memory data, uint256 end) internal pure {
        assembly ("memory-safe") {
            mstore(data, sub(end, add(data, 0x20)))
            mstore(0x40, and(add(end, 0x1f), not(0x1f))) // keep words aligned
        }
    }

    /// @notice Where a copy of the `length` bytes is that SSTORE2 keeps in the code of `account`.
    function kept(address account, uint256 length) internal view returns (uint256 position) {
        assembly ("memory-safe") {
            position := mload(0x40) // allocate
            extcodecopy(account, position, 1, length) // after the byte that stops execution
            mstore(0x40, add(position, and(add(length, 0x1f), not(0x1f)))) // keep words aligned
        }
    }

    /// @notice Ends the call, returning the `length` bytes from `position` as they are.
    function give(uint256 position, uint256 length) internal pure {
        assembly ("memory-safe") {
            return(position, length)
        }
    }
}
