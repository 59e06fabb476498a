// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title DerElement
/// @notice Tag and length of one DER element.
/// @dev Assembly for what a certificate needs a hundred times; tests hold it to a plain twin.
library DerElement {
    /// @notice The content `[start, limit)` of the element at `position` with `tag`, which must end at
    /// `end` or before; `limit` is 0 where it does not, or is not in the shortest encoding with a
    /// length of at most three bytes.
    function read(uint256 position, uint256 end, uint256 tag)
        internal
        pure
        returns (uint256 start, uint256 limit)
    {
        assembly ("memory-safe") {
            let head := mload(position)
            start := add(position, 2)
            let length := byte(1, head)
            let valid := and(eq(byte(0, head), tag), iszero(gt(start, end)))
            if gt(length, 0x7f) {
                let size := xor(length, 0x80)
                length := shr(sub(256, shl(3, size)), shl(16, head)) // 0 for a size of 0
                // One to three bytes, inside the parent, at least 0x80, and no zero byte in front.
                valid := and(valid, lt(sub(size, 1), 3))
                valid := and(valid, gt(length, 0x7f))
                valid := and(valid, iszero(iszero(byte(2, head))))
                start := add(start, size)
            }
            limit := add(start, length)
            limit := mul(limit, and(valid, iszero(gt(limit, end))))
        }
    }
}
