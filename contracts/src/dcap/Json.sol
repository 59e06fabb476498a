// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "./Der.sol";
import {Mem} from "./Mem.sol";
import {PlainJson} from "./PlainJson.sol";
import {check, refuse} from "./Refusal.sol";
import {TextLib} from "./TextLib.sol";

/// @dev Where a document is being read: memory addresses; and whether all of it is plain, so that
/// {PlainJson} may be tried.
struct Reader {
    uint256 position;
    uint256 end;
    bool plain;
}

/// @title Json
/// @notice A strict reader of the JSON that Intel signs, over the very bytes that were signed.
/// @dev ASCII without escapes, no floating point, keys in any order but each once, nothing after the
/// end. Schemas are the callers': they name every key and refuse those they do not know.
library Json {
    bytes32 private constant INVALID = "JSON_INVALID";
    bytes32 private constant MISTYPED = "SCHEMA_INVALID";

    /// @dev "0" in every byte.
    // slither-disable-next-line divide-before-multiply
    uint256 private constant ZEROS = type(uint256).max / 0xff * 0x30;
    uint256 private constant QUOTATION = 0x22;
    /// @dev A brace or a comma, and the quotation mark of a key.
    uint256 private constant FIRST_KEY = 0x7b22;
    uint256 private constant NEXT_KEY = 0x2c22;
    /// @dev The last second of the year 9999: journals can state no later one.
    uint256 private constant LAST_SECOND = 253_402_300_799;
    /// @dev The longest integer that is read: far above every limit.
    uint256 private constant MAX_DIGITS = 20;

    /// @notice A reader of all of `document`.
    function open(bytes memory document) internal pure returns (Reader memory reader) {
        reader.position = Mem.at(document);
        unchecked {
            reader.end = reader.position + document.length;
        }
        reader.plain = PlainJson.isPlain(reader.position, reader.end);
    }

    /// @notice The next key of an object, up to 32 bytes of it; 0 when the object is over. `first`
    /// for the first call, which reads the opening brace.
    function member(Reader memory reader, bool first) internal pure returns (bytes32 name) {
        if (reader.plain) {
            uint256 p = reader.position;
            uint256 next;
            (next, name) = PlainJson.member(p, reader.end, first ? FIRST_KEY : NEXT_KEY);
            if (next != 0) {
                reader.position = next;
                return name;
            }
            if (!first && Mem.u8(p) == 0x7d && p < reader.end) {
                _advance(reader);
                return 0;
            }
        }
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
        if (!first && Mem.u8(reader.position) == 0x2c && reader.position < reader.end) {
            _advance(reader);
            return true;
        }
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
        uint256 p = reader.position;
        if (reader.plain && Mem.u8(p) == QUOTATION && p < reader.end) {
            unchecked {
                bool ended;
                (length, ended) = PlainJson.text(p + 1, reader.end);
                if (ended) {
                    reader.position = p + length + 2;
                    return (p + 1, length);
                }
            }
        }
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

    /// @notice A time like 2025-01-31T12:00:00Z, in Unix seconds: from 1970 on, perhaps with a fraction,
    /// which does not count, and with an offset in place of the Z.
    function time(Reader memory reader) internal pure returns (uint256 value) {
        if (reader.plain) {
            (uint256 next, uint256 year, uint256 month, uint256 day, uint256 clock) =
                PlainJson.time(reader.position, reader.end);
            if (next != 0 && year > 1969) {
                value = Der.secondsOf(year, month, day, clock);
                if (value != 0) {
                    reader.position = next;
                    return value;
                }
            }
        }
        (uint256 p, uint256 length) = text(reader);
        uint256 w = Mem.word(p);
        // The punctuation of the form: bytes 4, 7, 10, 13 and 16.
        uint256 mask = 0x00000000ff0000ff0000ff0000ff0000ff000000000000000000000000000000;
        uint256 form = 0x000000002d00002d00005400003a00003a000000000000000000000000000000;
        check(length > 19 && w & mask == form, MISTYPED);
        unchecked {
            uint256 year = Der.digits(p, 4);
            value = Der.secondsOf(
                year,
                Der.digits(p + 5, 2),
                Der.digits(p + 8, 2),
                Der.digits(p + 11, 2) << 16 | Der.digits(p + 14, 2) << 8 | Der.digits(p + 17, 2)
            );
            check(
                year > 1969 && (value != 0 || bytes19(bytes32(w)) == "1970-01-01T00:00:00"),
                MISTYPED
            );
            if (length == 20 && Mem.u8(p + 19) == 0x5a) return value;
            return _inUtc(value, p + 19, p + length);
        }
    }

    /// @dev `local` by the fraction and the offset, or Z, that are all of `[p, end)`.
    function _inUtc(uint256 local, uint256 p, uint256 end) private pure returns (uint256 value) {
        unchecked {
            if (Mem.u8(p) == 0x2e) {
                uint256 first = ++p;
                while (p < end && Mem.u8(p) - 0x30 < 10) ++p;
                check(p != first && p - first < 10, MISTYPED);
            }
            check(p < end, MISTYPED);
            uint256 sign = Mem.u8(p);
            if (sign == 0x5a) {
                check(p + 1 == end, MISTYPED);
                return local;
            }
            check((sign == 0x2b || sign == 0x2d) && p + 6 == end && Mem.u8(p + 3) == 0x3a, MISTYPED);
            uint256 offset = 3600 * Der.digits(p + 1, 2) + 60 * Der.digits(p + 4, 2);
            check(offset < 1 days && (sign == 0x2d || offset <= local), MISTYPED);
            value = sign == 0x2d ? local + offset : local - offset;
            check(value <= LAST_SECOND, MISTYPED);
        }
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
        if (found == 0x2d || (found > 0x2f && found < 0x3a)) number(reader, type(uint256).max); // or it is none
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
            c = Mem.u8(p);
            if (c > 0x20 && p < end) return c;
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
            if (!ended) return _unescaped(reader);
            reader.position = start + length + 1;
        }
    }

    /// @dev A copy of a text with escapes, which Intel does not write and JSON allows: only for
    /// printable ASCII here.
    function _unescaped(Reader memory reader) private pure returns (uint256 start, uint256 length) {
        unchecked {
            uint256 p = reader.position + 1;
            uint256 end = reader.end;
            start = Mem.at(new bytes(end - p));
            while (true) {
                if (p >= end) refuse(INVALID);
                uint256 c = Mem.u8(p++);
                if (c == QUOTATION) break;
                if (c < 0x20 || c > 0x7f) refuse(INVALID);
                if (c == 0x5c) (c, p) = _escape(p, end);
                if (c < 0x20 || c > 0x7e) refuse(MISTYPED);
                Mem.storeByte(start + length++, c);
            }
            reader.position = p;
        }
    }

    /// @dev The character that the escape behind a backslash stands for, and where it ends.
    function _escape(uint256 p, uint256 end) private pure returns (uint256 c, uint256 next) {
        unchecked {
            if (p >= end) refuse(INVALID);
            c = Mem.u8(p);
            if (c == QUOTATION || c == 0x5c || c == 0x2f) return (c, p + 1);
            // b, f, n, r, t: control characters all.
            if (c == 0x62 || c == 0x66 || c == 0x6e || c == 0x72 || c == 0x74) return (0, p + 1);
            if (c != 0x75 || p + 5 > end) refuse(INVALID);
            c = 0;
            for (next = p + 1; next < p + 5; ++next) {
                uint256 digit = Mem.u8(next);
                if (digit - 0x30 < 10) digit -= 0x30;
                else if ((digit | 0x20) - 0x61 < 6) digit = (digit | 0x20) - 0x57;
                else refuse(INVALID);
                c = c << 4 | digit;
            }
        }
    }
}
