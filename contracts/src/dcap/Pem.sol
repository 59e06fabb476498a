// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {check} from "./Refusal.sol";
import {TextLib} from "./TextLib.sol";

/// @title Pem
/// @notice Certificates in PEM, as quotes carry them.
library Pem {
    /// @dev A chain of three genuine certificates has under 4 kB.
    uint256 private constant MAX_BYTES = 16 * 1024;
    uint256 private constant MAX_CERTIFICATES = 8;

    /// @dev "-----BEGIN CERTIFICATE-----" and "-----END CERTIFICATE-----".
    uint256 private constant BEGIN = 0x2d2d2d2d2d424547494e2043455254494649434154452d2d2d2d2d;
    uint256 private constant BEGIN_LENGTH = 27;
    uint256 private constant END = 0x2d2d2d2d2d454e442043455254494649434154452d2d2d2d2d;
    uint256 private constant END_LENGTH = 25;

    /// @dev In the table of {_table}: white space, padding and bytes that base64 does not have.
    uint256 private constant WHITE = 0x40;
    uint256 private constant PADDING = 0x41;
    uint256 private constant NONE = 0x80;

    /// @notice The DER of the three certificates that `[position, position + length)` consists of.
    /// Between and after them only white space may stand, and NUL bytes at the end, which Intel's
    /// quoting enclaves append.
    function split(uint256 position, uint256 length)
        internal
        pure
        returns (bytes[] memory certificates)
    {
        check(length <= MAX_BYTES, "CERT_TOO_LARGE");
        uint256 end = position + length;
        bytes memory table = _table();
        certificates = new bytes[](MAX_CERTIFICATES);
        uint256 count;
        unchecked {
            while (true) {
                uint256 next = _skipWhite(table, position, end);
                if (next + BEGIN_LENGTH > end || Mem.number(next, BEGIN_LENGTH) != BEGIN) break;
                position = next + BEGIN_LENGTH;
                bytes memory der;
                (der, position) = _decode(table, position, end);
                check(count < MAX_CERTIFICATES, "CHAIN_SHAPE");
                certificates[count++] = der;
            }
            while (position < end) {
                uint256 c = Mem.u8(position);
                check(c == 0 || _kind(table, c) == WHITE, "PEM_INVALID");
                ++position;
            }
        }
        check(count == 3, "CHAIN_SHAPE");
    }

    /// @dev The content of one block, up to and past its END line.
    function _decode(bytes memory table, uint256 position, uint256 end)
        private
        pure
        returns (bytes memory der, uint256 next)
    {
        unchecked {
            check(position < end && _kind(table, Mem.u8(position)) == WHITE, "PEM_INVALID");
            // Whole groups; the last, short one is inside the 64.
            // slither-disable-next-line divide-before-multiply
            der = new bytes((end - position) / 4 * 3 + 64);
            uint256 target = Mem.at(der);
            uint256 group;
            uint256 count; // characters of the group that is open
            uint256 padding;
            while (position < end) {
                if (count | padding == 0) {
                    (position, target) = TextLib.base64(position, end, target);
                }
                uint256 c = Mem.u8(position);
                uint256 kind = _kind(table, c);
                if (kind < WHITE) {
                    check(padding == 0, "PEM_INVALID");
                    group = group << 6 | kind;
                    if (++count == 4) {
                        Mem.store(target, group << 232);
                        target += 3;
                        group = 0;
                        count = 0;
                    }
                } else if (kind == PADDING) {
                    ++padding;
                } else if (kind != WHITE) {
                    break;
                }
                ++position;
            }
            check(
                position + END_LENGTH <= end && Mem.number(position, END_LENGTH) == END,
                "PEM_INVALID"
            );
            next = position + END_LENGTH;
            if (count != 0) {
                check(count > 1 && count + padding == 4, "PEM_INVALID");
                Mem.store(target, group << (256 - 6 * count));
                target += count - 1;
            } else {
                // Padding after whole groups says nothing; without any it is an error.
                check(padding == 0 || target != Mem.at(der), "PEM_INVALID");
            }
            Mem.store(Mem.at(der) - 32, target - Mem.at(der));
        }
    }

    function _skipWhite(bytes memory table, uint256 position, uint256 end)
        private
        pure
        returns (uint256)
    {
        unchecked {
            while (position < end && _kind(table, Mem.u8(position)) == WHITE) ++position;
        }
        return position;
    }

    function _kind(bytes memory table, uint256 c) private pure returns (uint256) {
        return Mem.u8(Mem.at(table) + c);
    }

    /// @dev What each byte stands for: 0 to 63 in base64, white space, padding, or nothing.
    function _table() private pure returns (bytes memory table) {
        table = new bytes(256);
        unchecked {
            uint256 p = Mem.at(table);
            for (uint256 i = 0; i < 256; i += 32) {
                // NONE in every byte.
                // slither-disable-next-line divide-before-multiply
                Mem.store(p + i, type(uint256).max / 0xff * NONE);
            }
            for (uint256 i = 0; i < 26; ++i) {
                table[0x41 + i] = bytes1(uint8(i));
                table[0x61 + i] = bytes1(uint8(26 + i));
            }
            for (uint256 i = 0; i < 10; ++i) {
                table[0x30 + i] = bytes1(uint8(52 + i));
            }
            table[0x2b] = bytes1(uint8(62));
            table[0x2f] = bytes1(uint8(63));
            table[0x3d] = bytes1(uint8(PADDING));
            for (uint256 i = 0x09; i < 0x0e; ++i) {
                table[i] = bytes1(uint8(WHITE));
            }
            table[0x20] = bytes1(uint8(WHITE));
        }
    }
}
