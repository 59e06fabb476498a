// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

/// @title LevelSearch
/// @notice Finds levels and module identities in packed sections.
/// @dev Assembly for the loops of every verification; tests hold each function to a plain twin. Strides
/// and places are those of {TcbInfoLib} and {LevelsLib}.
library LevelSearch {
    /// @dev The low byte of each of sixteen lanes.
    uint256 private constant LANES = type(uint256).max / 0xffff;

    /// @notice Where the first level is that a platform reaches, from `p` up to `end`; 0 where none is.
    /// A level is SGX components (16), PCE SVN (2), and with `width` 256 TDX components (16).
    /// @param have SGX components, then TDX components.
    /// @param counted a mask over the components that count.
    function platform(
        uint256 p,
        uint256 end,
        uint256 stride,
        uint256 have,
        uint256 counted,
        uint256 pceSvn
    ) internal pure returns (uint256 found) {
        uint256 lanes = LANES;
        assembly ("memory-safe") {
            let low := mul(lanes, 0xff)
            let carry := shl(8, lanes)
            let even := or(and(have, low), carry)
            let odd := or(and(shr(8, have), low), carry)
            for {} lt(p, end) { p := add(p, stride) } {
                let w := mload(p)
                // 16 components, 2 of PCE SVN, then what may be TDX components.
                if lt(pceSvn, and(shr(112, w), 0xffff)) { continue }
                let need := or(shl(128, shr(128, w)), shr(128, mload(add(p, 18))))
                need := and(need, counted)
                // A lane loses its carry where the level asks for more.
                let reached := and(sub(even, and(need, low)), sub(odd, and(shr(8, need), low)))
                if eq(and(reached, carry), carry) {
                    found := p
                    break
                }
            }
        }
    }

    /// @notice Where the first of `count` levels of `stride` bytes is whose first two bytes are at most
    /// `svn`; 0 where none is.
    function isv(uint256 p, uint256 count, uint256 stride, uint256 svn)
        internal
        pure
        returns (uint256 found)
    {
        assembly ("memory-safe") {
            for { let end := add(p, mul(count, stride)) } lt(p, end) { p := add(p, stride) } {
                if iszero(lt(svn, shr(240, mload(p)))) {
                    found := p
                    break
                }
            }
        }
    }

    /// @notice Where the first of `count` records is whose first byte is `version`; 0 where none is. A
    /// record has two bytes, `length` more unless the second byte's top bit is set, and `stride` more
    /// for each that the rest of the second byte counts.
    function module(uint256 p, uint256 count, uint256 length, uint256 stride, uint256 version)
        internal
        pure
        returns (uint256 found)
    {
        assembly ("memory-safe") {
            for {} count { count := sub(count, 1) } {
                let w := mload(p)
                if eq(byte(0, w), version) {
                    found := p
                    break
                }
                w := byte(1, w)
                p := add(add(p, 2), mul(length, lt(w, 0x80)))
                p := add(p, mul(stride, and(w, 0x7f)))
            }
        }
    }
}
