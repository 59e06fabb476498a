// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {PlainJson} from "./PlainJson.sol";

/// @title TextLib
/// @notice Text a word at a time: plain text of JSON, hex, and base64.
/// @dev Assembly for what is done for every byte of long documents; tests hold each function to a plain
/// twin. Reads only memory that the caller bounds, and may look past it without consequence.
library TextLib {
    /// @dev A byte in every place of a word.
    uint256 private constant ONES = type(uint256).max / 0xff;
    /// @dev Others, written out for assembly.
    uint256 private constant X22 =
        0x2222222222222222222222222222222222222222222222222222222222222222;
    uint256 private constant X5C =
        0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c;
    uint256 private constant X60 =
        0x6060606060606060606060606060606060606060606060606060606060606060;
    uint256 private constant X80 =
        0x8080808080808080808080808080808080808080808080808080808080808080;
    uint256 private constant XDF =
        0xdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdfdf;

    /// @dev `[{"svn":`, `,{"svn":`, `,"category":"` and `,"type":"`.
    uint256 private constant FIRST_COMPONENT = 0x5b7b2273766e223a;
    uint256 private constant NEXT_COMPONENT = 0x2c7b2273766e223a;
    /// @dev `,{"svn":0}` three times.
    uint256 private constant THREE_ZEROS =
        0x2c7b2273766e223a307d2c7b2273766e223a307d2c7b2273766e223a307d;
    uint256 private constant CATEGORY = 0x2c2263617465676f7279223a22;
    uint256 private constant TYPE = 0x2c2274797065223a22;

    /// @notice The length of the text from `position` to the quotation mark that ends it, and whether
    /// it ends before `end` and is printable ASCII without a backslash.
    function plain(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 length, bool ended)
    {
        uint256 x7f = 0x7f * ONES;
        assembly ("memory-safe") {
            for { let p := position } lt(p, end) { p := add(p, 0x20) } {
                let w := mload(p)
                // A top bit for each byte that is a quotation mark.
                let q := xor(w, X22)
                q := not(or(or(add(and(q, x7f), x7f), q), x7f))
                let count := 0x20
                if q {
                    // The first mark is the highest bit: find its byte by halving.
                    let h := shl(4, iszero(shr(128, q)))
                    h := or(h, shl(3, iszero(shr(192, shl(shl(3, h), q)))))
                    h := or(h, shl(2, iszero(shr(224, shl(shl(3, h), q)))))
                    h := or(h, shl(1, iszero(shr(240, shl(shl(3, h), q)))))
                    count := or(h, iszero(shr(248, shl(shl(3, h), q))))
                    w := or(w, shr(shl(3, count), not(0))) // what follows does not matter
                    // ... but must look plain: make it 0x20.
                    w := xor(w, shr(shl(3, count), XDF))
                }
                // Refused: a top bit, what is below 0x20, 0x7f, and 0x5c, the backslash.
                let bad := or(w, not(add(and(w, x7f), X60)))
                let x := xor(w, x7f)
                bad := or(bad, not(or(or(add(and(x, x7f), x7f), x), x7f)))
                x := xor(w, X5C)
                bad := or(bad, not(or(or(add(and(x, x7f), x7f), x), x7f)))
                bad := and(bad, X80)
                if bad { break }
                length := add(length, count)
                if q {
                    ended := lt(add(position, length), end)
                    break
                }
            }
        }
    }

    /// @notice The sixteen SVNs of a list of components in the form that Intel writes: no white space,
    /// `svn`, then perhaps `category`, then perhaps `type`. Returns where the list ends; 0 where it has
    /// another form, or does not end before `end`. Presumes that `[p, end)` is plain: see {PlainJson}.
    function components(uint256 p, uint256 end)
        internal
        pure
        returns (uint256 next, uint256 packed)
    {
        unchecked {
            uint256 count = 0;
            while (count < 16) {
                uint256 w = Mem.word(p);
                // Most components are zero, and stand at the end.
                if (w >> 16 == THREE_ZEROS && count != 0 && count < 14) {
                    p += 30;
                    packed <<= 24;
                    count += 3;
                    continue;
                }
                // `[{"svn":` or `,{"svn":`, then up to three digits.
                if (w >> 192 != (count == 0 ? FIRST_COMPONENT : NEXT_COMPONENT)) return (0, 0);
                uint256 svn = (w >> 184 & 0xff) - 0x30;
                if (svn > 9) return (0, 0);
                p += 9;
                uint256 c = w >> 176 & 0xff;
                if (c != 0x7d) {
                    if (c - 0x30 < 10 && svn != 0) {
                        svn = svn * 10 + c - 0x30;
                        c = w >> 168 & 0xff;
                        ++p;
                        if (c - 0x30 < 10) {
                            svn = svn * 10 + c - 0x30;
                            ++p;
                        }
                        if (svn > 0xff) return (0, 0);
                    }
                    p = _described(p, end);
                    if (p == 0 || Mem.u8(p) != 0x7d) return (0, 0);
                }
                ++p;
                ++count;
                packed = packed << 8 | svn;
            }
            return p < end && Mem.u8(p) == 0x5d ? (p + 1, packed) : (0, 0);
        }
    }

    /// @dev Past `,"category":"…"` and `,"type":"…"` where they are; 0 where such a text does not end.
    function _described(uint256 p, uint256 end) private pure returns (uint256) {
        unchecked {
            if (Mem.number(p, 13) != CATEGORY) return p;
            (uint256 length, bool ended) = PlainJson.text(p + 13, end);
            if (!ended) return 0;
            p += 14 + length;
            if (Mem.number(p, 9) != TYPE) return p;
            (length, ended) = PlainJson.text(p + 9, end);
            return ended ? p + 10 + length : 0;
        }
    }

    /// @notice The sixteen bytes that 32 hex digits of either case write, and whether they are such.
    function hexPiece(uint256 digits) internal pure returns (uint256 piece, bool valid) {
        uint256 ones = ONES;
        assembly ("memory-safe") {
            let letter := and(shr(6, digits), ones) // 1 for each byte of 0x40 and above, below 0x80
            let nibble := and(digits, mul(ones, 0x0f))
            // Digits have a high half of 3, letters one of 4 or 6.
            let high := and(digits, mul(ones, 0xf0))
            high := and(high, not(shl(5, letter))) // letters: the case does not matter
            valid := eq(high, add(mul(ones, 0x30), shl(4, letter)))
            // Digits have a low half of at most 9, letters one from 1 to 6.
            let most := add(mul(ones, 6), mul(letter, 3))
            valid := and(valid, iszero(and(add(nibble, most), mul(ones, 0x10))))
            let least := and(add(nibble, mul(ones, 0x0f)), mul(ones, 0x10)) // set where not 0
            valid := and(valid, eq(and(shr(4, least), letter), letter))
            piece := add(nibble, mul(letter, 9))
            // Two nibbles to a byte, then the bytes together.
            piece := and(or(piece, shr(4, piece)), div(not(0), 0x101))
            piece := and(or(piece, shr(8, piece)), div(not(0), 0x10001))
            piece := and(or(piece, shr(16, piece)), div(not(0), 0x100000001))
            piece := and(or(piece, shr(32, piece)), div(not(0), 0x10000000000000001))
            piece := or(and(piece, 0xffffffffffffffff), shl(64, shr(128, piece)))
        }
    }

    /// @notice Decodes 32 characters of base64 at a time from `position` to `target`, for as long as all
    /// 32 are characters of its alphabet. Returns where it stopped reading and writing; writes up to
    /// eight bytes past that.
    function base64(uint256 position, uint256 end, uint256 target)
        internal
        pure
        returns (uint256, uint256)
    {
        uint256 ones = ONES;
        assembly ("memory-safe") {
            let top := mul(ones, 0x80)
            for {} iszero(gt(add(position, 0x20), end)) {} {
                let w := mload(position)
                if and(w, top) { break }
                // A top bit for each byte of at least so much: the bounds of the alphabet's ranges.
                let digit := and(add(w, mul(ones, 0x50)), not(add(w, mul(ones, 0x46)))) // 0 to 9
                let upper := and(add(w, mul(ones, 0x3f)), not(add(w, mul(ones, 0x25)))) // A to Z
                let lower := and(add(w, mul(ones, 0x1f)), not(add(w, mul(ones, 0x05)))) // a to z
                let plus := and(add(w, mul(ones, 0x55)), not(add(w, mul(ones, 0x54)))) // +
                let slash := and(add(w, mul(ones, 0x51)), not(add(w, mul(ones, 0x50)))) // /
                let known := and(or(or(digit, upper), or(or(lower, plus), slash)), top)
                if iszero(eq(known, top)) { break }
                // From characters to numbers: no byte overflows or borrows.
                w := add(w, mul(and(shr(7, digit), ones), 4))
                w := add(w, mul(and(shr(7, plus), ones), 19))
                w := add(w, mul(and(shr(7, slash), ones), 16))
                w := sub(w, mul(and(shr(7, upper), ones), 65))
                w := sub(w, mul(and(shr(7, lower), ones), 71))
                // Six bits of each byte together: 12 of 16, 24 of 32, 48 of 64, 96 of 128, 192.
                let m := div(not(0), 0x101)
                w := or(shl(6, and(shr(8, w), m)), and(w, m))
                m := div(not(0), 0x10001)
                w := or(shl(12, and(shr(16, w), m)), and(w, m))
                m := div(not(0), 0x100000001)
                w := or(shl(24, and(shr(32, w), m)), and(w, m))
                m := div(not(0), 0x10000000000000001)
                w := or(shl(48, and(shr(64, w), m)), and(w, m))
                w := or(shl(96, shr(128, w)), and(w, 0xffffffffffffffffffffffffffffffff))
                mstore(target, shl(64, w))
                position := add(position, 0x20)
                target := add(target, 24)
            }
        }
        return (position, target);
    }
}
