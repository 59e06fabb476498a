// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LongRevocationList} from "../interfaces/ICollateralStore.sol";
import {Crl, CrlLib} from "./CrlLib.sol";
import {Mem} from "./Mem.sol";
import {check} from "./Refusal.sol";

/// @dev What a long list is put together from: memory addresses of serial numbers and of forms.
struct Pieces {
    uint256 serials;
    uint256 count;
    uint256 forms;
    uint256 formCount;
}

/// @title LongListLib
/// @notice Puts long revocation lists together from their parts, byte for byte as they were signed.
/// @dev 1. Serial numbers are read from the parts: positive, ascending over all of them. 2. Forms are
/// read, strictly, each once. 3. Entries are written: each serial number at least once, and nothing
/// else. 4. What surrounds them is parsed as of any list. What is put together wrongly hashes to what
/// nobody signed; so parts need no proof of their own.
library LongListLib {
    uint256 internal constant SERIALS_PER_PART = 1_228; // what one code object can keep (EIP-170)
    /// @dev So that the worst list fits a transaction (EIP-7825).
    uint256 private constant MAX_PARTS = 12;

    uint256 private constant SERIAL_LENGTH = 20;
    uint256 private constant ORDER_LENGTH = 4;
    uint256 private constant MAX_ENTRY_LENGTH = 0xff;

    /// @notice Parses `list`; returns it, all but its serial numbers, and its packed form.
    function parse(LongRevocationList calldata list)
        internal
        view
        returns (Crl memory crl, bytes32 id, bytes memory packed, uint256 count)
    {
        Pieces memory pieces;
        packed = _readSerials(pieces, list.parts); // 1
        _readForms(pieces, list.forms); // 2
        check(list.cut <= list.frame.length, "CRL_INVALID");
        (bytes memory der, uint256 from, uint256 until) = _join(pieces, list); // 3
        crl = CrlLib.parseAround(der, from, until); // 4
        id = Mem.sha(crl.tbs, crl.tbsLength);
        count = pieces.count;
        CrlLib.writeHead(packed, crl, id, count);
    }

    /// @dev Step 1. Returns the packed form with its head empty.
    function _readSerials(Pieces memory pieces, address[] calldata parts)
        private
        view
        returns (bytes memory packed)
    {
        check(parts.length != 0 && parts.length <= MAX_PARTS, "CRL_TOO_LARGE");
        uint256 last;
        unchecked {
            packed = new bytes(CrlLib.HEAD_LENGTH + 2 * SERIAL_LENGTH * parts.length + 13);
            uint256 q = Mem.at(packed) + CrlLib.HEAD_LENGTH;
            uint256 total = 32; // a word more, as words are read
            for (uint256 i = 0; i < parts.length; ++i) {
                total += parts[i].code.length;
            }
            uint256 p = Mem.at(new bytes(total));
            pieces.serials = p;
            for (uint256 i = 0; i < parts.length; ++i) {
                address part = parts[i];
                uint256 length = part.code.length - 1; // wraps where there is nothing
                check(
                    length - 1 < SERIAL_LENGTH * SERIALS_PER_PART && length % SERIAL_LENGTH == 0,
                    "CRL_INVALID"
                );
                check(Mem.copyCode(p, part, length), "CRL_INVALID");
                Mem.store(q, Mem.word(p));
                Mem.store(q + SERIAL_LENGTH, uint256(uint160(part)) << 96);
                q += 2 * SERIAL_LENGTH;
                last = _ascending(p, p + length, last);
                p += length;
            }
            pieces.count = (p - pieces.serials) / SERIAL_LENGTH;
            Mem.store(Mem.at(packed) - 32, packed.length - 12); // writes ran over by so much
        }
    }

    /// @dev Refuses serial numbers that do not ascend from `last`; returns the last of them.
    function _ascending(uint256 p, uint256 end, uint256 last) private pure returns (uint256) {
        bool fine = true;
        assembly ("memory-safe") {
            for {} lt(p, end) { p := add(p, SERIAL_LENGTH) } {
                let serial := shr(96, mload(p))
                fine := and(fine, gt(serial, last))
                last := serial
            }
        }
        check(fine, "CRL_INVALID");
        return last;
    }

    /// @dev Step 2. A word for each form: where it is, and its length (2).
    function _readForms(Pieces memory pieces, bytes memory forms) private pure {
        unchecked {
            uint256 p = Mem.at(forms);
            uint256 end = p + forms.length;
            uint256 found = Mem.at(new bytes(32 * forms.length));
            pieces.forms = found;
            while (p < end) {
                uint256 length = Mem.u8(p);
                check(++p + length <= end, "CRL_INVALID");
                CrlLib.requireForm(p, p + length);
                Mem.store(found, p << 16 | length);
                found += 32;
                p += length;
            }
            pieces.formCount = (found - pieces.forms) / 32;
        }
    }

    /// @dev Step 3. Returns the list, and where its entries are.
    function _join(Pieces memory pieces, LongRevocationList calldata list)
        private
        pure
        returns (bytes memory der, uint256 from, uint256 until)
    {
        unchecked {
            check(list.order.length % ORDER_LENGTH == 0, "CRL_INVALID");
            bytes memory order = list.order;
            // Whole words.
            // slither-disable-next-line divide-before-multiply
            uint256 seen = Mem.at(new bytes((pieces.count + 255) / 256 * 32));
            bytes memory frame = list.frame;
            der = Mem.open(); // what follows is written into free memory
            from = Mem.at(der) + list.cut;
            Mem.copy(Mem.at(der), Mem.at(frame), list.cut);
            until = _entries(pieces, Mem.at(order), Mem.at(order) + order.length, seen, from);
            uint256 left = frame.length - list.cut;
            Mem.copy(until, Mem.at(frame) + list.cut, left);
            Mem.close(der, until + left);
            _requireAll(seen, pieces.count);
        }
    }

    /// @dev Writes the entries of `[order, end)` to `p`, and marks the serial numbers it takes in `seen`;
    /// returns where they end.
    function _entries(Pieces memory pieces, uint256 order, uint256 end, uint256 seen, uint256 p)
        private
        pure
        returns (uint256)
    {
        bool fine = true;
        assembly ("memory-safe") {
            for {} lt(order, end) { order := add(order, ORDER_LENGTH) } {
                let serial := shr(240, mload(order))
                let form := and(shr(224, mload(order)), 0xffff)
                fine := and(
                    lt(serial, mload(add(pieces, 0x20))),
                    lt(form, mload(add(pieces, 0x60)))
                )
                if iszero(fine) { break } // there are not so many
                let mark := add(seen, shl(5, shr(8, serial)))
                // The bit with the serial's number: a constant is shifted here, by what is read.
                // slither-disable-next-line incorrect-shift
                mstore(mark, or(mload(mark), shl(and(serial, 0xff), 1)))
                form := mload(add(mload(add(pieces, 0x40)), shl(5, form)))
                serial := shr(96, mload(add(mload(pieces), mul(serial, SERIAL_LENGTH))))
                // As short as it can be, and led by a zero where it would look negative.
                let size := SERIAL_LENGTH
                for {} iszero(shr(sub(shl(3, size), 8), serial)) { size := sub(size, 1) } {}
                size := add(size, shr(sub(shl(3, size), 1), serial))
                let length := add(add(size, 2), and(form, 0xffff))
                fine := iszero(gt(length, MAX_ENTRY_LENGTH))
                if iszero(fine) { break }
                mstore8(p, 0x30)
                if gt(length, 0x7f) {
                    p := add(p, 1)
                    mstore8(p, 0x81)
                }
                mstore8(add(p, 1), length)
                mstore8(add(p, 2), 0x02)
                mstore8(add(p, 3), size)
                p := add(p, 4)
                mstore(p, shl(sub(256, shl(3, size)), serial))
                p := add(p, size)
                mcopy(p, shr(16, form), and(form, 0xffff))
                p := add(p, and(form, 0xffff))
            }
        }
        check(fine, "CRL_INVALID");
        return p;
    }

    /// @dev Refuses a serial number that no entry has: nobody signed it.
    function _requireAll(uint256 seen, uint256 count) private pure {
        unchecked {
            for (; count > 255; count -= 256) {
                check(Mem.word(seen) == type(uint256).max, "CRL_INVALID");
                seen += 32;
            }
            check(count == 0 || Mem.word(seen) == (uint256(1) << count) - 1, "CRL_INVALID");
        }
    }
}
