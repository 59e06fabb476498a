// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DateTimeLib} from "solady/utils/DateTimeLib.sol";

import {DerElement} from "./DerElement.sol";
import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";

/// @title Der
/// @notice A reader of strict DER in memory: what is not the one canonical encoding is refused.
/// @dev Positions are memory addresses. Every function reads from the front of `[position, end)` and
/// refuses what does not end inside it.
library Der {
    uint256 internal constant BOOLEAN = 0x01;
    uint256 internal constant INTEGER = 0x02;
    uint256 internal constant BIT_STRING = 0x03;
    uint256 internal constant OCTET_STRING = 0x04;
    uint256 internal constant OBJECT_ID = 0x06;
    uint256 internal constant ENUMERATED = 0x0a;
    uint256 internal constant UTF8_STRING = 0x0c;
    uint256 internal constant PRINTABLE_STRING = 0x13;
    uint256 internal constant UTC_TIME = 0x17;
    uint256 internal constant GENERALIZED_TIME = 0x18;
    uint256 internal constant SEQUENCE = 0x30;
    uint256 internal constant SET = 0x31;
    /// @dev What follows the year in the first second of a year.
    uint256 private constant FIRST_SECOND = 0x30313031303030303030; // "0101000000"

    /// @dev The DER of AlgorithmIdentifier ecdsa-with-SHA256, without parameters: 12 bytes.
    uint256 private constant ECDSA_WITH_SHA256 = 0x300a06082a8648ce3d040302;
    uint256 private constant MAX_SERIAL_BYTES = 20;

    /// @notice Content of the element with `tag`: `[start, stop)`. The next element is at `stop`.
    function element(uint256 position, uint256 end, uint256 tag)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        (start, stop) = DerElement.read(position, end, tag);
        if (stop == 0) bad();
    }

    /// @notice The tag at `position`; 0, which is no tag of ours, at the end.
    function tagAt(uint256 position, uint256 end) internal pure returns (uint256) {
        return position < end ? Mem.u8(position) : 0;
    }

    /// @notice Refuses bytes left over.
    function finish(uint256 position, uint256 end) internal pure {
        if (position != end) bad();
    }

    /// @notice Content of a minimally encoded integer of either sign.
    function integer(uint256 position, uint256 end, uint256 tag)
        internal
        pure
        returns (uint256 start, uint256 stop)
    {
        (start, stop) = element(position, end, tag);
        if (start == stop) bad();
        unchecked {
            if (stop - start > 1) {
                uint256 top = Mem.number(start, 2) >> 7; // nine bits: all equal means padded
                if (top == 0 || top == 0x1ff) bad();
            }
        }
    }

    /// @notice A number from 0 to `limit` < 2^240; refuses others for `reason`.
    function small(uint256 position, uint256 end, uint256 tag, uint256 limit, bytes32 reason)
        internal
        pure
        returns (uint256 value, uint256 stop)
    {
        uint256 start;
        (start, stop) = integer(position, end, tag);
        unchecked {
            check(stop - start < 32 && Mem.u8(start) < 0x80, reason);
            value = Mem.number(start, stop - start);
        }
        check(value <= limit, reason);
    }

    /// @notice A boolean, 0x00 or 0xff.
    function boolean(uint256 position, uint256 end)
        internal
        pure
        returns (bool value, uint256 stop)
    {
        uint256 start;
        (start, stop) = element(position, end, BOOLEAN);
        uint256 content = Mem.u8(start);
        if (stop != start + 1 || (content != 0 && content != 0xff)) bad();
        value = content != 0;
    }

    /// @notice Reads past the algorithm identifier of ecdsa-with-SHA256, and refuses any other.
    function algorithm(uint256 position, uint256 end) internal pure returns (uint256 stop) {
        (, stop) = element(position, end, SEQUENCE);
        check(
            stop == position + 12 && Mem.number(position, 12) == ECDSA_WITH_SHA256,
            "SIG_ALG_UNEXPECTED"
        );
    }

    /// @notice A signature value: a bit string of DER of two positive numbers. Numbers longer than
    /// any of P-256 become 0, which no verification accepts.
    function signature(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 r, uint256 s, uint256 stop)
    {
        uint256 start;
        (start, stop) = element(position, end, BIT_STRING);
        if (start == stop || Mem.u8(start) != 0) bad();
        uint256 inner;
        (start, inner) = element(start + 1, stop, SEQUENCE);
        finish(inner, stop);
        (r, start) = _positive(start, inner);
        (s, start) = _positive(start, inner);
        finish(start, inner);
    }

    /// @notice A serial number: positive and of at most 20 bytes (RFC 5280, 4.1.2.2).
    function serial(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 value, uint256 stop)
    {
        uint256 start;
        (start, stop) = integer(position, end, INTEGER);
        unchecked {
            uint256 length = stop - start;
            check(
                Mem.u8(start) < 0x80 && length <= MAX_SERIAL_BYTES + 1
                    && (length <= MAX_SERIAL_BYTES || Mem.u8(start) == 0),
                "SERIAL_INVALID"
            );
            value = Mem.number(start, length);
        }
        check(value != 0, "SERIAL_INVALID");
    }

    /// @notice A time in one of the two forms RFC 5280 allows, in Unix seconds; 1 for the first second
    /// of 1970 and for a time before it.
    function time(uint256 position, uint256 end)
        internal
        pure
        returns (uint256 value, uint256 stop)
    {
        uint256 tag = tagAt(position, end);
        check(tag == UTC_TIME || tag == GENERALIZED_TIME, "CERT_TIME_INVALID");
        uint256 start;
        (start, stop) = element(position, end, tag);
        unchecked {
            uint256 yearDigits = tag == UTC_TIME ? 2 : 4;
            check(stop - start == yearDigits + 11 && Mem.u8(stop - 1) == 0x5a, "CERT_TIME_INVALID");
            uint256 year = digits(start, yearDigits);
            if (tag == UTC_TIME) year += year < 50 ? 2000 : 1900;
            else check(year >= 2050, "CERT_TIME_INVALID");
            uint256 month = digits(start + yearDigits, 2);
            value = moment(year, month, start + yearDigits + 2);
            if (value != 0) return (value, stop);
            // The first second of 1970 has the number of no time; it is past like those before it.
            bool first = year == 1970 && Mem.number(start + yearDigits, 10) == FIRST_SECOND;
            check(first, "CERT_TIME_INVALID");
            return (1, stop);
        }
    }

    /// @notice Unix seconds of `year`, `month` and the eight digits DDHHMMSS at `position`; 0 when
    /// there is no such time, 1 for one before 1970.
    function moment(uint256 year, uint256 month, uint256 position) internal pure returns (uint256) {
        unchecked {
            return secondsOf(
                year,
                month,
                digits(position, 2),
                digits(position + 2, 2) << 16 | digits(position + 4, 2) << 8
                    | digits(position + 6, 2)
            );
        }
    }

    /// @notice Unix seconds of a date and a time of day packed as hour, minute, second; 0 when there
    /// is no such time, 1 for one before 1970.
    function secondsOf(uint256 year, uint256 month, uint256 day, uint256 clock)
        internal
        pure
        returns (uint256)
    {
        uint256 hour = clock >> 16;
        uint256 minute = (clock >> 8) & 0xff;
        uint256 second = clock & 0xff;
        // The calendar repeats after 400 years. Of times before 1970 it matters only that they are past.
        bool old = year != 0 && year < 1970;
        if (!DateTimeLib.isSupportedDateTime(
                old ? year + 400 : year, month, day, hour, minute, second
            )) return 0;
        if (old) return 1;
        return DateTimeLib.dateTimeToTimestamp(year, month, day, hour, minute, second);
    }

    /// @notice Refuses what is not the canonical encoding.
    function bad() internal pure {
        refuse("DER_NONCANONICAL");
    }

    function _positive(uint256 position, uint256 end)
        private
        pure
        returns (uint256 value, uint256 stop)
    {
        uint256 start;
        (start, stop) = integer(position, end, INTEGER);
        unchecked {
            uint256 length = stop - start;
            check(Mem.u8(start) < 0x80 && (length > 1 || Mem.u8(start) != 0), "SIGNATURE_INVALID");
            if (length < 33) value = Mem.number(start, length);
            else if (length == 33 && Mem.u8(start) == 0) value = Mem.word(start + 1);
        }
    }

    /// @notice The number `count` decimal digits write; 2^64, which is no part of any date, where they
    /// are none.
    function digits(uint256 position, uint256 count) internal pure returns (uint256 value) {
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                uint256 digit = Mem.u8(position + i) - 0x30; // wraps below "0"
                if (digit > 9) return 1 << 64;
                value = value * 10 + digit;
            }
        }
    }
}
