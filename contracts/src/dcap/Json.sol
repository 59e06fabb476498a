// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "./Der.sol";
import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";
import {TextLib} from "./TextLib.sol";

/// @dev Where a document is being read: memory addresses.
struct Reader {
    uint256 position;
    uint256 end;
}

/// @title Json
/// @notice A strict reader of the JSON that Intel signs, over the very bytes that were signed.
/// @dev ASCII without escapes, no floating point, keys in any order but each once, nothing after the
/// end. Schemas are the callers': they name every key and refuse those they do not know.
library Json {
    bytes32 private constant INVALID = "JSON_INVALID";
    bytes32 private constant MISTYPED = "SCHEMA_INVALID";

    /// @dev "0" in every byte.
    uint256 private constant ZEROS = type(uint256).max / 0xff * 0x30;
    uint256 private constant QUOTATION = 0x22;
    /// @dev The longest integer that is read: far above every limit.
    uint256 private constant MAX_DIGITS = 20;

    /// @notice A reader of all of `document`.
    function open(bytes memory document) internal pure returns (Reader memory reader) {
        reader.position = Mem.at(document);
        unchecked {
            reader.end = reader.position + document.length;
        }
    }

    /// @notice The next key of an object, up to 32 bytes of it; 0 when the object is over. `first`
    /// for the first call, which reads the opening brace.
    function member(Reader memory reader, bool first) internal pure returns (bytes32 name) {
        if (first) {
            _open(reader, 0x7b);
            if (_skipTo(reader) == 0x7d) {
                _advance(reader);
                return 0;
            }
        } else {
            uint256 next = _skipTo(reader);
            _advance(reader);
            if (next == 0x7d) return 0;
            if (next != 0x2c) refuse(INVALID);
        }
        if (_skipTo(reader) != QUOTATION) refuse(INVALID);
        (uint256 start, uint256 length) = _text(reader);
        check(length != 0 && length < 33, "SCHEMA_UNKNOWN_FIELD");
        unchecked {
            name = bytes32(Mem.number(start, length) << (256 - 8 * length));
        }
        if (_skipTo(reader) != 0x3a) refuse(INVALID);
        _advance(reader);
    }

    /// @notice Whether a list has another value, which is then next. `first` for the first call.
    function item(Reader memory reader, bool first) internal pure returns (bool) {
        if (first) {
            _open(reader, 0x5b);
            if (_skipTo(reader) != 0x5d) return true;
            _advance(reader);
            return false;
        }
        uint256 next = _skipTo(reader);
        _advance(reader);
        if (next == 0x5d) return false;
        if (next != 0x2c) refuse(INVALID);
        return true;
    }

    /// @notice Refuses anything but white space after the document.
    function finish(Reader memory reader) internal pure {
        _skipTo(reader);
        check(reader.position == reader.end, INVALID);
    }

    /// @notice `seen` with `bit`; refuses a key that was there before.
    function once(uint256 seen, uint256 bit) internal pure returns (uint256) {
        if (seen & bit != 0) refuse("JSON_DUPLICATE_KEY");
        return seen | bit;
    }

    /// @notice A text of printable ASCII: where, and how long.
    function text(Reader memory reader) internal pure returns (uint256 start, uint256 length) {
        _want(reader, QUOTATION);
        return _text(reader);
    }

    /// @notice A text of at most 32 bytes, left aligned; longer ones become 0.
    function word(Reader memory reader) internal pure returns (bytes32 value) {
        (uint256 start, uint256 length) = text(reader);
        unchecked {
            if (length != 0 && length < 33) {
                value = bytes32(Mem.number(start, length) << (256 - 8 * length));
            }
        }
    }

    /// @notice An integer from 0 to `limit`.
    function number(Reader memory reader, uint256 limit) internal pure returns (uint256 value) {
        uint256 c = _skipTo(reader);
        unchecked {
            uint256 p = reader.position;
            bool negative = c == 0x2d;
            if (negative) c = Mem.u8(++p);
            if (c - 0x30 > 9) {
                // NaN, Infinity and a bare minus are no JSON; other values are of another type.
                check(!negative && c != 0x4e && c != 0x49, INVALID);
                refuse(_startsValue(c) ? MISTYPED : INVALID);
            }
            uint256 start = p;
            while (p < reader.end) {
                uint256 digit = Mem.u8(p) - 0x30;
                if (digit > 9) break;
                value = value * 10 + digit;
                ++p;
                check(p - start <= MAX_DIGITS, MISTYPED);
            }
            check(p < reader.end && (c != 0x30 || p == start + 1), INVALID); // no leading zeros
            c = Mem.u8(p);
            check(c != 0x2e && c | 0x20 != 0x65, INVALID); // no floating point
            check(!negative && value <= limit, MISTYPED);
            reader.position = p;
        }
    }

    /// @notice `length` bytes in hex of either case, at most 32 of them, as a number.
    function octets(Reader memory reader, uint256 length) internal pure returns (uint256 value) {
        (uint256 start, uint256 found) = text(reader);
        check(found == 2 * length, MISTYPED);
        return hexadecimal(start, length);
    }

    /// @notice The `length` bytes, at most 32, whose hex is at `start`.
    function hexadecimal(uint256 start, uint256 length) internal pure returns (uint256 value) {
        unchecked {
            for (uint256 done = 0; done < length; done += 16) {
                uint256 count = length - done < 16 ? length - done : 16;
                // Zeros in front of a short piece are digits as well.
                uint256 digits = Mem.number(start + 2 * done, 2 * count);
                if (count < 16) digits |= ZEROS >> (16 * count) << (16 * count);
                (uint256 piece, bool valid) = TextLib.hexPiece(digits);
                check(valid, MISTYPED);
                value = value << (8 * count) | piece;
            }
        }
    }

    /// @notice A time like 2025-01-31T12:00:00Z, in Unix seconds.
    function time(Reader memory reader) internal pure returns (uint256 value) {
        (uint256 p, uint256 length) = text(reader);
        uint256 w = Mem.word(p);
        // The punctuation of the form: bytes 4, 7, 10, 13, 16 and 19.
        uint256 mask = 0x00000000ff0000ff0000ff0000ff0000ff0000ff000000000000000000000000;
        uint256 form = 0x000000002d00002d00005400003a00003a00005a000000000000000000000000;
        check(length == 20 && w & mask == form, MISTYPED);
        unchecked {
            value = Der.secondsOf(
                Der.digits(p, 4),
                Der.digits(p + 5, 2),
                Der.digits(p + 8, 2),
                Der.digits(p + 11, 2) << 16 | Der.digits(p + 14, 2) << 8 | Der.digits(p + 17, 2)
            );
        }
        check(value != 0, MISTYPED);
    }

    function _advance(Reader memory reader) private pure {
        unchecked {
            reader.position += 1;
        }
    }

    function _open(Reader memory reader, uint256 brace) private pure {
        _want(reader, brace);
        _advance(reader);
    }

    /// @dev Refuses a value that does not begin with `c`, for what it is instead.
    function _want(Reader memory reader, uint256 c) private pure {
        uint256 found = _skipTo(reader);
        if (found == c) return;
        refuse(_startsValue(found) ? MISTYPED : INVALID);
    }

    /// @dev `" - 0..9 [ f n t {`
    function _startsValue(uint256 c) private pure returns (bool) {
        return c == QUOTATION || c == 0x2d || (c > 0x2f && c < 0x3a) || c == 0x5b || c == 0x66
            || c == 0x6e || c == 0x74 || c == 0x7b;
    }

    /// @dev The next byte that is no white space, which is not read; 0 at the end.
    function _skipTo(Reader memory reader) private pure returns (uint256 c) {
        unchecked {
            uint256 p = reader.position;
            uint256 end = reader.end;
            while (p < end) {
                c = Mem.u8(p);
                if (c > 0x20 || (c != 0x20 && c != 0x0a && c != 0x0d && c != 0x09)) {
                    reader.position = p;
                    return c;
                }
                ++p;
            }
            reader.position = p;
            return 0;
        }
    }

    /// @dev A text, whose opening quotation mark is next.
    function _text(Reader memory reader) private pure returns (uint256 start, uint256 length) {
        unchecked {
            start = reader.position + 1;
            bool ended;
            (length, ended) = TextLib.plain(start, reader.end);
            if (!ended) refuse(INVALID);
            reader.position = start + length + 1;
        }
    }
}
