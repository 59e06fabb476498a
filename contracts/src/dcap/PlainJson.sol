// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";

/// @title PlainJson
/// @notice The short way through JSON in the form that Intel writes: printable ASCII, no backslash, no
/// white space between tokens.
/// @dev Whatever has another form is left to {Json}, which reads all of the grammar: a function here
/// accepts nothing that {Json} does not read the very same way. All but {isPlain} presume that
/// `[position, end)` is plain; what follows may be anything. Assembly for what is done for every token
/// of long documents; tests hold each function to a plain twin.
library PlainJson {
    /// @dev Bytes in every place of a word.
    uint256 private constant X01 =
        0x0101010101010101010101010101010101010101010101010101010101010101;
    uint256 private constant X20 =
        0x2020202020202020202020202020202020202020202020202020202020202020;
    uint256 private constant X22 =
        0x2222222222222222222222222222222222222222222222222222222222222222;
    uint256 private constant X5C =
        0x5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c;
    uint256 private constant X60 =
        0x6060606060606060606060606060606060606060606060606060606060606060;
    uint256 private constant X7F =
        0x7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f;
    uint256 private constant X80 =
        0x8080808080808080808080808080808080808080808080808080808080808080;

    /// @dev `"0000-00-00T00:00:00Z"`, and of its places: all bits of those that are no digits, and of
    /// the digits 0x7f, 0x76 (which takes 10 and above to the top bit) and the top bit.
    uint256 private constant TIME =
        0x22303030302d30302d30305430303a30303a30305a2200000000000000000000;
    uint256 private constant TIME_FIXED =
        0xff00000000ff0000ff0000ff0000ff0000ff0000ffff00000000000000000000;
    uint256 private constant TIME_7F =
        0x007f7f7f7f007f7f007f7f007f7f007f7f007f7f000000000000000000000000;
    uint256 private constant TIME_76 =
        0x0076767676007676007676007676007676007676000000000000000000000000;
    uint256 private constant TIME_80 =
        0x0080808080008080008080008080008080008080000000000000000000000000;
    uint256 private constant TIME_LENGTH = 22;

    /// @dev The longest key that {member} finds: a word less what stands around it.
    uint256 private constant LONGEST_KEY = 28;

    /// @notice Whether all of `[position, end)` is printable ASCII without a backslash.
    function isPlain(uint256 position, uint256 end) internal pure returns (bool plain) {
        assembly ("memory-safe") {
            let bad := 0 // top bits: of bytes from 0x7f on
            let good := X80 // top bits: of bytes from 0x20 on that are no backslash
            let last := sub(end, 0x1f) // where no whole word is left
            for {} lt(position, last) { position := add(position, 0x20) } {
                let w := mload(position)
                // Where a sum overflows into the byte above, `w` has a top bit already.
                bad := or(bad, or(w, add(w, X01)))
                good := and(good, and(add(w, X60), add(xor(w, X5C), X7F)))
            }
            if lt(position, end) {
                let behind := shl(3, sub(add(position, 0x20), end)) // bits that are not ours: spaces
                let w := or(shl(behind, shr(behind, mload(position))), shr(sub(256, behind), X20))
                bad := or(bad, or(w, add(w, X01)))
                good := and(good, and(add(w, X60), add(xor(w, X5C), X7F)))
            }
            plain := iszero(and(or(bad, not(good)), X80))
        }
    }

    /// @notice The length of the text from `position` to the quotation mark that ends it, and whether
    /// there is one before `end`.
    function text(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 length, bool ended)
    {
        assembly ("memory-safe") {
            for { let p := position } lt(p, end) { p := add(p, 0x20) } {
                // As in {_mark}, which is written out here as it is called for every text.
                let m := and(not(add(and(xor(mload(p), X22), X7F), X7F)), X80)
                if m {
                    m := or(m, shr(8, m))
                    m := or(m, shr(16, m))
                    m := or(m, shr(32, m))
                    m := or(m, shr(64, m))
                    m := or(m, shr(128, m))
                    p := add(p, sub(32, shr(248, mul(shr(7, m), X01))))
                    length := sub(p, position)
                    ended := lt(p, end)
                    break
                }
            }
        }
    }

    /// @notice The key at `position`, behind the two bytes `opening`, and where its value begins; 0
    /// where another form is there.
    function member(uint256 position, uint256 end, uint256 opening)
        internal
        pure
        returns (uint256 next, bytes32 name)
    {
        uint256 w = Mem.word(position);
        if (w >> 240 != opening) return (0, 0);
        w <<= 16;
        uint256 length = _mark(w);
        assembly ("memory-safe") {
            // From 1 to the longest, a colon behind it, all of it before the end.
            let fits := and(lt(sub(length, 1), LONGEST_KEY), eq(byte(add(length, 1), w), 0x3a))
            next := add(position, add(length, 4))
            next := mul(next, and(fits, iszero(gt(next, end))))
            let rest := sub(256, shl(3, length))
            name := shl(rest, shr(rest, w))
        }
    }

    /// @notice A time like "2025-01-31T12:00:00Z", with its quotation marks: year, month, day, and hour,
    /// minute and second in a byte each, whatever they are, and where it ends; 0 where another form is
    /// there.
    function time(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 next, uint256 year, uint256 month, uint256 day, uint256 clock)
    {
        assembly ("memory-safe") {
            let d := xor(mload(position), TIME)
            let bad := or(and(d, TIME_FIXED), and(add(and(d, TIME_7F), TIME_76), TIME_80))
            next := add(position, TIME_LENGTH)
            next := mul(next, and(iszero(bad), iszero(gt(next, end))))
            year := add(mul(byte(1, d), 1000), mul(byte(2, d), 100))
            year := add(year, add(mul(byte(3, d), 10), byte(4, d)))
            month := add(mul(byte(6, d), 10), byte(7, d))
            day := add(mul(byte(9, d), 10), byte(10, d))
            clock := shl(16, add(mul(byte(12, d), 10), byte(13, d)))
            clock := or(clock, shl(8, add(mul(byte(15, d), 10), byte(16, d))))
            clock := or(clock, add(mul(byte(18, d), 10), byte(19, d)))
        }
    }

    /// @dev How many bytes of a word stand before its first quotation mark; 32 where it has none.
    function _mark(uint256 w) private pure returns (uint256 count) {
        assembly ("memory-safe") {
            // A top bit for each mark; then for each byte from the first one on.
            let m := and(not(add(and(xor(w, X22), X7F), X7F)), X80)
            m := or(m, shr(8, m))
            m := or(m, shr(16, m))
            m := or(m, shr(32, m))
            m := or(m, shr(64, m))
            m := or(m, shr(128, m))
            count := sub(32, shr(248, mul(shr(7, m), X01))) // the product's top byte is their number
        }
    }
}
