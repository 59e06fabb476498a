// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "./Der.sol";
import {Mem} from "./Mem.sol";
import {BIT, check} from "./Refusal.sol";

/// @dev What Intel certified of a platform, as far as verification needs it. `components` are the 16
/// SVNs, the first in the top byte.
struct PckIdentity {
    bytes32 platformId;
    uint256 components;
    uint256 pceSvn;
    uint256 pceId;
    uint256 fmspc;
}

/// @title PckLib
/// @notice The SGX extension of a PCK certificate (OID 1.2.840.113741.1.13.1).
library PckLib {
    bytes32 private constant INVALID = "PCK_EXT_INVALID";
    /// @dev The content of the extension's object id; its fields add one byte, those of TCB two.
    uint256 private constant PREFIX = 0x2a864886f84d010d01;

    /// @dev Fields 1 to 5 for processors, 1 to 7 for platforms, as bits.
    uint256 private constant PROCESSOR_FIELDS = 0x3e;
    uint256 private constant PLATFORM_FIELDS = 0xfe;
    /// @dev 16 components, PCESVN and CPUSVN, as bits 1 to 18.
    uint256 private constant TCB_FIELDS = 0x7fffe;
    uint256 private constant MAX_SGX_TYPE = 2;

    /// @dev The DER of a component below 0x80, 18 bytes: SEQUENCE and object id up to the component's
    /// number (14 bytes); after it the tag and length of an INTEGER of one byte, and its top bit.
    uint256 private constant SVN_LENGTH = 18;
    uint256 private constant SVN_ENTRY = 0x3010060b2a864886f84d010d0102;
    uint256 private constant SVN_SMALL = 0x0201 << 1;

    /// @notice Parses the extension's value. All its fields are checked, each at most once, in any
    /// order; CPUSVN is opaque and never compared.
    function parse(uint256 position, uint256 length)
        internal
        pure
        returns (PckIdentity memory identity)
    {
        check(length != 0, INVALID);
        unchecked {
            uint256 end = position + length;
            uint256 stop;
            (position, stop) = Der.element(position, end, Der.SEQUENCE);
            Der.finish(stop, end);
            uint256 seen;
            while (position != end) {
                uint256 next;
                uint256 field;
                (field, position, next) = _entry(position, end, PREFIX, 9);
                check(seen >> field & 1 == 0, INVALID);
                seen |= BIT << field;
                _field(identity, field, position, next);
                position = next;
            }
            check(seen == PROCESSOR_FIELDS || seen == PLATFORM_FIELDS, INVALID);
        }
    }

    function _field(PckIdentity memory identity, uint256 field, uint256 position, uint256 end)
        private
        pure
    {
        if (field == 1) identity.platformId = Mem.keccak(_octets(position, end, 16), 16);
        else if (field == 2) _tcb(identity, position, end);
        else if (field == 3) identity.pceId = Mem.number(_octets(position, end, 2), 2);
        else if (field == 4) identity.fmspc = Mem.number(_octets(position, end, 6), 6);
        else if (field == 5) _number(position, end, Der.ENUMERATED, MAX_SGX_TYPE);
        else if (field == 6) _octets(position, end, 16);
        else check(field == 7, INVALID);
        if (field == 7) _configuration(position, end);
    }

    function _tcb(PckIdentity memory identity, uint256 position, uint256 end) private pure {
        unchecked {
            uint256 stop;
            (position, stop) = Der.element(position, end, Der.SEQUENCE);
            Der.finish(stop, end);
            uint256 seen;
            uint256 components;
            while (position != end) {
                uint256 next;
                uint256 field;
                uint256 w = Mem.word(position);
                if (
                    w >> 144 == SVN_ENTRY && w >> 119 & 0x1ffff == SVN_SMALL
                        && (w >> 136 & 0xff) - 1 < 16 && position + SVN_LENGTH <= end
                ) {
                    // What most entries are; the rules below would say the same.
                    field = w >> 136 & 0xff;
                    check(seen >> field & 1 == 0, INVALID);
                    seen |= BIT << field;
                    components |= (w >> 112 & 0xff) << (8 * (16 - field));
                    // slither-disable-next-line write-after-write
                    position += SVN_LENGTH;
                    continue;
                }
                (field, position, next) = _entry(position, end, PREFIX << 8 | 2, 10);
                check(seen >> field & 1 == 0, INVALID);
                seen |= BIT << field;
                if (field - 1 < 16) {
                    components |= _number(position, next, Der.INTEGER, 0xff) << (8 * (16 - field));
                } else if (field == 17) {
                    identity.pceSvn = _number(position, next, Der.INTEGER, 0xffff);
                } else {
                    check(field == 18, INVALID);
                    _octets(position, next, 16);
                }
                position = next;
            }
            check(seen == TCB_FIELDS, INVALID);
            identity.components = components;
        }
    }

    function _configuration(uint256 position, uint256 end) private pure {
        uint256 stop;
        (position, stop) = Der.element(position, end, Der.SEQUENCE);
        Der.finish(stop, end);
        uint256 seen;
        while (position != end) {
            uint256 next;
            uint256 field;
            (field, position, next) = _entry(position, end, PREFIX << 8 | 7, 10);
            check(field != 0 && field < 4 && seen >> field & 1 == 0, INVALID);
            seen |= BIT << field;
            (, position) = Der.boolean(position, next);
            Der.finish(position, next);
        }
    }

    /// @dev One `SEQUENCE { prefix.field, value }`: the field's number and where its value is.
    function _entry(uint256 position, uint256 end, uint256 prefix, uint256 prefixLength)
        private
        pure
        returns (uint256 field, uint256 value, uint256 next)
    {
        unchecked {
            uint256 start;
            (start, next) = Der.element(position, end, Der.SEQUENCE);
            (start, value) = Der.element(start, next, Der.OBJECT_ID);
            uint256 objectId = Mem.number(start, prefixLength + 1);
            check(value - start == prefixLength + 1 && objectId >> 8 == prefix, INVALID);
            field = objectId & 0xff;
        }
    }

    function _number(uint256 position, uint256 end, uint256 tag, uint256 limit)
        private
        pure
        returns (uint256 value)
    {
        (value, position) = Der.small(position, end, tag, limit, INVALID);
        Der.finish(position, end);
    }

    function _octets(uint256 position, uint256 end, uint256 length)
        private
        pure
        returns (uint256 start)
    {
        uint256 stop;
        (start, stop) = Der.element(position, end, Der.OCTET_STRING);
        Der.finish(stop, end);
        check(stop - start == length, INVALID);
    }
}
