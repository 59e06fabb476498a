// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibSort} from "solady/utils/LibSort.sol";

import {Der} from "./Der.sol";
import {Mem} from "./Mem.sol";
import {check} from "./Refusal.sol";
import {X509} from "./X509.sol";

/// @dev A parsed revocation list; `serials` ascend, each once.
struct Crl {
    uint256 tbs;
    uint256 tbsLength;
    bytes32 issuer;
    uint256 thisUpdate;
    uint256 nextUpdate;
    bytes32 authorityKeyId;
    uint256[] serials;
    uint256 r;
    uint256 s;
}

/// @title CrlLib
/// @notice X.509 revocation lists, version 2, and their packed form.
/// @dev Packed: thisUpdate (5), nextUpdate (5), SHA-256 of the signed bytes (32), count (2), then the
/// serial numbers, 20 bytes each, ascending. Of a long list in their place, for each account that keeps
/// some, the first of them (20) and the account (20); then one byte, 0, by which its length says that
/// it is one.
library CrlLib {
    /// @dev What one code object can keep (EIP-170), less the head.
    uint256 internal constant MAX_ENTRIES = 1_200;
    /// @dev Far more than {MAX_ENTRIES} take.
    uint256 internal constant MAX_BYTES = 256 * 1024;

    uint256 internal constant HEAD_LENGTH = 44;
    uint256 internal constant SERIAL_LENGTH = 20;

    uint256 private constant MAX_EXTENSIONS = 16;
    uint256 private constant MIN_ENTRY_BYTES = 20;
    uint256 private constant AUTHORITY_KEY_ID = 0x551d23;
    uint256 private constant CRL_NUMBER = 0x551d14;
    uint256 private constant REASON_CODE = 0x551d15;
    uint256 private constant INVALIDITY_DATE = 0x551d18;

    /// @notice Parses the list that is all of `der`.
    function parse(bytes memory der) internal pure returns (Crl memory) {
        check(der.length != 0, "CRL_MISSING");
        check(der.length <= MAX_BYTES, "CRL_TOO_LARGE");
        return parseAround(der, 0, 0);
    }

    /// @notice Parses the list that is all of `der`, but for its entries, which are known to be all of
    /// `[from, until)`; their serial numbers are left to the caller. For a `from` of 0 nothing is known.
    function parseAround(bytes memory der, uint256 from, uint256 until)
        internal
        pure
        returns (Crl memory crl)
    {
        unchecked {
            uint256 end = Mem.at(der) + der.length;
            (uint256 start, uint256 stop) = Der.element(Mem.at(der), end, Der.SEQUENCE);
            Der.finish(stop, end);
            crl.tbs = start;
            (uint256 body, uint256 bodyEnd) = Der.element(start, stop, Der.SEQUENCE);
            crl.tbsLength = bodyEnd - start;
            uint256 rest = Der.algorithm(bodyEnd, stop);
            (crl.r, crl.s, rest) = Der.signature(rest, stop);
            Der.finish(rest, stop);
            (from, until) = _body(crl, body, bodyEnd, from, until);
        }
        check(from == until, "CRL_INVALID"); // entries are where they should be
    }

    /// @notice The packed form of a list whose signed bytes have the SHA-256 `id`.
    function pack(Crl memory crl, bytes32 id) internal pure returns (bytes memory packed) {
        unchecked {
            uint256 count = crl.serials.length;
            // 12 bytes more than needed, so that the last serial can be written as a word.
            packed = new bytes(HEAD_LENGTH + SERIAL_LENGTH * count + 12);
            writeHead(packed, crl, id, count);
            uint256 p = Mem.at(packed);
            p += HEAD_LENGTH;
            for (uint256 i = 0; i < count; ++i) {
                Mem.store(p, crl.serials[i] << 96);
                p += SERIAL_LENGTH;
            }
            Mem.store(p - HEAD_LENGTH - SERIAL_LENGTH * count - 32, packed.length - 12);
        }
    }

    /// @notice Writes the head of a packed list.
    function writeHead(bytes memory packed, Crl memory crl, bytes32 id, uint256 count)
        internal
        pure
    {
        unchecked {
            uint256 p = Mem.at(packed);
            Mem.store(p, crl.thisUpdate << 216 | crl.nextUpdate << 176 | uint256(id) >> 80);
            Mem.store(p + 12, uint256(id) << 16 | count);
        }
    }

    /// @notice Whether `serial` is in a packed list that is no long one: a binary search.
    function lists(bytes memory packed, uint256 serial) internal pure returns (bool) {
        unchecked {
            uint256 p = Mem.at(packed);
            uint256 low = 0;
            uint256 high = Mem.number(p + 42, 2);
            p += HEAD_LENGTH;
            while (low < high) {
                uint256 middle = (low + high) >> 1;
                uint256 found = Mem.word(p + SERIAL_LENGTH * middle) >> 96;
                if (found == serial) return true;
                if (found < serial) low = middle + 1;
                else high = middle;
            }
            return false;
        }
    }

    /// @dev Returns `from` and `until`, or zeros where the entries that are known were met.
    function _body(Crl memory crl, uint256 position, uint256 end, uint256 from, uint256 until)
        private
        pure
        returns (uint256, uint256)
    {
        unchecked {
            uint256 start;
            (start, position) = Der.integer(position, end, Der.INTEGER);
            check(position - start == 1 && Mem.u8(start) == 1, "CRL_INVALID"); // version 2
            position = Der.algorithm(position, end);
            (, start) = Der.element(position, end, Der.SEQUENCE);
            crl.issuer = Mem.keccak(position, start - position);
            (crl.thisUpdate, position) = Der.time(start, end);
            uint256 tag = Der.tagAt(position, end);
            check(tag == Der.UTC_TIME || tag == Der.GENERALIZED_TIME, "CRL_NO_NEXT_UPDATE");
            (crl.nextUpdate, position) = Der.time(position, end);
            if (Der.tagAt(position, end) == Der.SEQUENCE) {
                (start, position) = Der.element(position, end, Der.SEQUENCE);
                if (from == 0) crl.serials = _entries(start, position);
                else if (start == from && position == until) (from, until) = (0, 0);
            }
            check(Der.tagAt(position, end) == 0xa0, "CRL_INVALID");
            (start, position) = Der.element(position, end, 0xa0);
            Der.finish(position, end);
            (start, position) = Der.element(start, end, Der.SEQUENCE);
            Der.finish(position, end);
            _extensions(crl, start, end);
        }
        return (from, until);
    }

    function _entries(uint256 position, uint256 end)
        private
        pure
        returns (uint256[] memory serials)
    {
        check(position != end, "CRL_INVALID"); // no list rather than an empty one
        unchecked {
            serials = new uint256[]((end - position) / MIN_ENTRY_BYTES + 1);
            uint256 count;
            bytes32 good; // most entries have the very same date and extensions as the one before
            while (position != end) {
                uint256 next;
                (position, next) = Der.element(position, end, Der.SEQUENCE);
                uint256 serial;
                (serial, position) = Der.serial(position, next);
                bytes32 rest = Mem.keccak(position, next - position);
                if (rest != good) {
                    requireForm(position, next);
                    good = rest;
                }
                check(count < serials.length && count < MAX_ENTRIES, "CRL_TOO_LARGE");
                serials[count++] = serial;
                position = next;
            }
            serials = _truncated(serials, count);
        }
        LibSort.sort(serials);
        LibSort.uniquifySorted(serials);
    }

    function _truncated(uint256[] memory all, uint256 count)
        private
        pure
        returns (uint256[] memory first)
    {
        first = new uint256[](count);
        unchecked {
            for (uint256 i = 0; i < count; ++i) {
                first[i] = all[i];
            }
        }
    }

    /// @notice Refuses what may not follow the serial number of an entry: its date, and extensions.
    function requireForm(uint256 position, uint256 end) internal pure {
        (, position) = Der.time(position, end);
        if (position == end) return;
        uint256 start;
        (start, position) = Der.element(position, end, Der.SEQUENCE);
        Der.finish(position, end);
        uint256[] memory seen = new uint256[](MAX_EXTENSIONS);
        uint256 count;
        while (start != end) {
            uint256 objectId;
            bool critical;
            (objectId, critical,,, start) = X509.extension(start, end);
            bool known =
                objectId == X509.idOf(REASON_CODE, 3) || objectId == X509.idOf(INVALIDITY_DATE, 3);
            check((known || !critical) && count < MAX_EXTENSIONS, "CRL_INVALID");
            for (uint256 i = 0; i < count; ++i) {
                check(seen[i] != objectId, "CRL_INVALID");
            }
            seen[count++] = objectId;
        }
    }

    function _extensions(Crl memory crl, uint256 position, uint256 end) private pure {
        uint256[] memory seen = new uint256[](MAX_EXTENSIONS);
        uint256 count;
        uint256 known;
        unchecked {
            while (position != end) {
                uint256 objectId;
                bool critical;
                uint256 start;
                uint256 stop;
                (objectId, critical, start, stop, position) = X509.extension(position, end);
                check(count < MAX_EXTENSIONS, "CRL_INVALID");
                for (uint256 i = 0; i < count; ++i) {
                    check(seen[i] != objectId, "CRL_INVALID");
                }
                seen[count++] = objectId;
                if (objectId == X509.idOf(AUTHORITY_KEY_ID, 3)) {
                    crl.authorityKeyId = X509.authorityKeyId(start, stop);
                    known |= 1;
                } else if (objectId == X509.idOf(CRL_NUMBER, 3)) {
                    uint256 inner;
                    (start, inner) = Der.integer(start, stop, Der.INTEGER);
                    Der.finish(inner, stop);
                    check(Mem.u8(start) < 0x80, "CRL_INVALID");
                    known |= 2;
                } else {
                    check(!critical, "CRL_INVALID");
                }
            }
        }
        check(known & 1 != 0, "KEY_ID_MISSING");
        check(known & 2 != 0, "CRL_INVALID");
    }
}
