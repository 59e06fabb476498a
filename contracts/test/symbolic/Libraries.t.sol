// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DerElement} from "../../src/dcap/DerElement.sol";
import {IdentityMatch} from "../../src/dcap/IdentityMatch.sol";
import {LevelSearch} from "../../src/dcap/LevelSearch.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {StandingMatch} from "../../src/dcap/StandingMatch.sol";
import {TextLib} from "../../src/dcap/TextLib.sol";
import {Proof} from "./Proof.sol";

/// @notice What is written in assembly, beside the rule it stands for: for all inputs, not for many.
/// @dev Memory around what is read is part of the input, so whatever lies there changes nothing.
contract LibraryProof is Proof {
    /* DER */

    /// @dev All heads, all ends: nothing but the one canonical length inside the parent is taken.
    function check_Element_IsTheCanonicalOne(bytes32 head, uint256 size, uint8 tag) public pure {
        vm.assume(size <= 1 << 32);
        bytes memory data = abi.encode(head);
        uint256 p = Mem.at(data);
        (uint256 start, uint256 limit) = DerElement.read(p, p + size, tag);
        (bool sound, uint256 first, uint256 length) = _element(head, tag);
        if (!sound || first + length > size) {
            assert(limit == 0);
        } else {
            assert(start == p + first);
            assert(limit == p + first + length);
        }
    }

    function _element(bytes32 head, uint8 tag)
        private
        pure
        returns (bool sound, uint256 first, uint256 length)
    {
        if (uint8(head[0]) != tag) return (false, 0, 0);
        uint256 lead = uint8(head[1]);
        if (lead < 0x80) return (true, 2, lead);
        if (lead == 0x81) return (uint8(head[2]) >= 0x80, 3, uint8(head[2]));
        if (lead == 0x82) {
            length = uint256(uint8(head[2])) << 8 | uint8(head[3]);
            return (length >= 1 << 8, 4, length);
        }
        if (lead != 0x83) return (false, 0, 0);
        length = uint256(uint8(head[2])) << 16 | uint256(uint8(head[3])) << 8 | uint8(head[4]);
        return (length >= 1 << 16, 5, length);
    }

    /* STANDING */

    function check_Standing_IsTheRules(
        bytes32[4] memory set,
        bytes32[4] memory record,
        uint256 stamp,
        uint256 time
    ) public pure {
        (uint256 s, uint256 r) = (Mem.at(abi.encode(set)), Mem.at(abi.encode(record)));
        (bool fine, bool lookedUp) = StandingMatch.holds(s, r, stamp, time);
        bool same = _bytes(s, 94, 11) == _bytes(r, 50, 11);
        bool inside = time >= _bytes(s, 0, 5) && time <= _bytes(s, 5, 5);
        bool valid = time >= _bytes(r, 81, 5) && time <= _bytes(r, 86, 5);
        assert(fine == (same && inside && valid));
        assert(lookedUp == (stamp == _bytes(s, 106, 3)));
    }

    function check_Window_IsWhatBothShare(bytes32[4] memory set, bytes32[4] memory record)
        public
        pure
    {
        (uint256 s, uint256 r) = (Mem.at(abi.encode(set)), Mem.at(abi.encode(record)));
        (uint256 from, uint256 until) = StandingMatch.window(s, r);
        assert(from >= _bytes(s, 0, 5) && from >= _bytes(r, 81, 5));
        assert(from == _bytes(s, 0, 5) || from == _bytes(r, 81, 5));
        assert(until <= _bytes(s, 5, 5) && until <= _bytes(r, 86, 5));
        assert(until == _bytes(s, 5, 5) || until == _bytes(r, 86, 5));
    }

    /* IDENTITIES */

    function check_Enclave_FitsAsTheRulesSay(bytes32[4] memory qe, bytes32[3] memory report)
        public
        pure
    {
        (uint256 q, uint256 r) = (Mem.at(abi.encode(qe)), Mem.at(abi.encode(report)));
        bool misc = _bytes(r, 0, 4) & _bytes(q, 27, 4) == _bytes(q, 7, 4);
        bool attributes = _bytes(r, 4, 16) & _bytes(q, 31, 16) == _bytes(q, 11, 16);
        bool debug = _bytes(r, 4, 1) & 2 != 0;
        bool signer = _bytes(r, 20, 32) == _bytes(q, 47, 32);
        bool product = _bytes(r, 52, 2) == _bytes(q, 79, 2);
        assert(IdentityMatch.enclave(q, r) == (misc && attributes && !debug && signer && product));
    }

    function check_Module_FitsAsTheRulesSay(bytes32[3] memory identity, bytes32[5] memory body)
        public
        pure
    {
        (uint256 i, uint256 b) = (Mem.at(abi.encode(identity)), Mem.at(abi.encode(body)));
        bool signer =
            _bytes(b, 64, 32) == _bytes(i, 0, 32) && _bytes(b, 96, 16) == _bytes(i, 32, 16);
        bool attributes = _bytes(b, 112, 8) == _bytes(i, 48, 8) & _bytes(i, 56, 8);
        assert(IdentityMatch.module(i, b) == (signer && attributes));
    }

    /* LEVELS */

    /// @dev One level: reached where every component that counts and the PCE's version are high enough.
    function check_Level_IsReachedComponentByComponent(
        uint256 have,
        uint256 need,
        uint16 floor,
        uint256 pceSvn,
        uint8 counting
    ) public pure {
        uint256 counted = type(uint256).max << 128;
        if (counting == 1) counted = type(uint256).max;
        if (counting == 2) counted |= type(uint256).max >> 144;
        uint128 low = uint128(need);
        bytes memory level = abi.encodePacked(uint128(need >> 128), floor, low, bytes30(0));
        uint256 p = Mem.at(level);
        uint256 found = LevelSearch.platform(p, p + 34, 34, have, counted, pceSvn);
        uint256 reached = _atLeast(pceSvn, floor);
        for (uint256 i = 0; i < 256; i += 8) {
            if ((counted >> i) & 0xff == 0) continue;
            reached &= _atLeast((have >> i) & 0xff, (need >> i) & 0xff);
        }
        assert(found == p * reached);
    }

    /* TEXT */

    /// @dev 32 digits of either case; and what is no digit spoils them all.
    function check_Hex_ReadsEveryDigit(uint256 digits) public pure {
        (uint256 piece, bool valid) = TextLib.hexPiece(digits);
        uint256 sound = 1;
        uint256 expected = 0;
        for (uint256 i = 0; i < 32; ++i) {
            uint256 c = (digits >> 8 * i) & 0xff;
            uint256 number = _atLeast(c, 0x30) & _atLeast(0x39, c);
            uint256 upper = _atLeast(c, 0x41) & _atLeast(0x46, c);
            uint256 lower = _atLeast(c, 0x61) & _atLeast(0x66, c);
            sound &= number | upper | lower;
            unchecked {
                expected |= ((c & 0xf) + 9 * (upper | lower)) << 4 * i;
            }
        }
        assert(valid == (sound == 1));
        if (valid) assert(piece == expected);
    }

    /// @dev 1 where `left >= right`, 0 otherwise, without a branch that would double the paths.
    function _atLeast(uint256 left, uint256 right) private pure returns (uint256 holds) {
        assembly ("memory-safe") {
            holds := iszero(lt(left, right))
        }
    }

    /// @dev The number that `length` bytes at `p + place` write.
    function _bytes(uint256 p, uint256 place, uint256 length) private pure returns (uint256) {
        return Mem.word(p + place) >> (256 - 8 * length);
    }
}
