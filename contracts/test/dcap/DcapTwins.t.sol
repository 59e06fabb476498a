// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CrlSearch} from "../../src/dcap/CrlSearch.sol";
import {DerElement} from "../../src/dcap/DerElement.sol";
import {IdentityMatch} from "../../src/dcap/IdentityMatch.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {StandingMatch} from "../../src/dcap/StandingMatch.sol";
import {StoreCall} from "../../src/dcap/StoreCall.sol";
import {ICollateralStore} from "../../src/interfaces/ICollateralStore.sol";
import {Base} from "../Base.t.sol";

/// @notice What every on-chain verification asks in assembly, beside the same in plain Solidity.
/// @dev Each input is good but for what the dice change, as random bytes would hardly ever be. Memory
/// behind what is read is dirty on purpose.
contract DcapTwinsTest is Base {
    /* STANDING */

    function testFuzz_Standing_HoldsAsTheRulesSay(
        bytes32 seed,
        uint8 spoilt,
        uint256 time,
        bytes32 dirt
    ) public pure {
        bytes memory set = _random(seed, 130);
        bytes memory record = _random(~seed, 91);
        for (uint256 i = 0; i < 11; ++i) {
            record[50 + i] = set[94 + i]; // PCE id, FMSPC, authority, epoch
        }
        if (spoilt % 4 == 0) record[50 + spoilt % 11] ^= bytes1(uint8(2 ** (spoilt >> 5)));
        uint256[4] memory bounds = [_number(set, 0), _number(set, 5), 0, 0];
        (bounds[2], bounds[3]) = (_number(record, 81), _number(record, 86));
        time = spoilt & 1 == 0 ? bounds[time % 4] : time % (1 << 40);
        if (spoilt & 2 == 0) {
            // Windows that are open, so that single bounds decide.
            (set[0], set[5], record[81], record[86]) = (0x10, 0xf0, 0x20, 0xe0);
            (bounds[0], bounds[1]) = (_number(set, 0), _number(set, 5));
            (bounds[2], bounds[3]) = (_number(record, 81), _number(record, 86));
            if (spoilt & 1 == 0) time = bounds[time % 4];
            if (spoilt & 8 == 0) time = time % 2 == 0 || time == 0 ? time + 1 : time - 1;
        }
        uint256 stamp = uint24(bytes3(_slice(set, 106, 3)));
        if (spoilt & 0x10 == 0) stamp ^= uint24(2 ** (spoilt % 24));
        _dirty(dirt);
        (bool fine, bool lookedUp) = StandingMatch.holds(Mem.at(set), Mem.at(record), stamp, time);
        bool same = keccak256(_slice(set, 94, 11)) == keccak256(_slice(record, 50, 11));
        bool inside = time >= bounds[0] && time <= bounds[1];
        vm.assertEq(fine, same && inside && time >= bounds[2] && time <= bounds[3]);
        vm.assertEq(lookedUp, spoilt & 0x10 != 0);
    }

    function testFuzz_Window_IsWhatBothShare(bytes32 seed, bytes32 dirt) public pure {
        bytes memory set = _random(seed, 10);
        bytes memory record = _random(~seed, 91);
        _dirty(dirt);
        (uint256 from, uint256 until) = StandingMatch.window(Mem.at(set), Mem.at(record));
        (uint256 first, uint256 second) = (_number(set, 0), _number(record, 81));
        vm.assertEq(from, first > second ? first : second);
        (first, second) = (_number(set, 5), _number(record, 86));
        vm.assertEq(until, first < second ? first : second);
    }

    /* IDENTITIES */

    function testFuzz_Enclave_FitsAsTheRulesSay(
        bytes32 seed,
        uint16 spoilt,
        bool asIs,
        bytes32 dirt
    ) public pure {
        bytes memory report = _random(seed, 54);
        bytes memory qe = _random(~seed, 81);
        report[4] &= 0xfd; // no debug enclave
        for (uint256 i = 0; i < 20; ++i) {
            qe[7 + i] = report[i] & qe[27 + i];
        }
        for (uint256 i = 20; i < 54; ++i) {
            qe[27 + i] = report[i];
        }
        // Any bit of the report, masked or not.
        if (!asIs) report[spoilt % 54] ^= bytes1(uint8(2 ** ((spoilt >> 8) % 8)));
        _dirty(dirt);
        bool expected = report[4] & 0x02 == 0;
        for (uint256 i = 0; i < 54; ++i) {
            bytes1 mask = i < 20 ? qe[27 + i] : bytes1(0xff);
            if (report[i] & mask != qe[i < 20 ? 7 + i : 27 + i]) expected = false;
        }
        vm.assertEq(IdentityMatch.enclave(Mem.at(qe), Mem.at(report)), expected);
        if (asIs) vm.assertTrue(expected);
    }

    function testFuzz_Module_FitsAsTheRulesSay(bytes32 seed, uint16 spoilt, bool asIs, bytes32 dirt)
        public
        pure
    {
        bytes memory identity = _random(seed, 64);
        bytes memory body = _random(~seed, 136);
        for (uint256 i = 0; i < 48; ++i) {
            body[64 + i] = identity[i];
        }
        for (uint256 i = 48; i < 56; ++i) {
            body[64 + i] = identity[i] & identity[8 + i];
        }
        if (!asIs) body[spoilt % 136] ^= bytes1(uint8(2 ** ((spoilt >> 8) % 8)));
        _dirty(dirt);
        bool expected = true;
        for (uint256 i = 0; i < 48; ++i) {
            if (body[64 + i] != identity[i]) expected = false;
        }
        for (uint256 i = 48; i < 56; ++i) {
            // Of the report, outside the mask too.
            if (body[64 + i] != identity[i] & identity[8 + i]) expected = false;
        }
        vm.assertEq(IdentityMatch.module(Mem.at(identity), Mem.at(body)), expected);
        if (asIs) vm.assertTrue(expected);
    }

    /* REVOCATION LISTS */

    /// @dev Lists shorter and longer than the stretch of 64 that is read at once.
    function testFuzz_Lists_FindsWhatALoopFinds(
        uint8 count,
        uint160 stride,
        uint160 probe,
        bytes32 dirt
    ) public {
        uint256 step = _bound(stride, 1, type(uint160).max / 256 - 1);
        bytes memory code = new bytes(45);
        for (uint256 i = 1; i <= count; ++i) {
            code = bytes.concat(code, bytes20(uint160(i * step)));
        }
        address kept = address(0xc0de);
        vm.etch(kept, code);
        uint256 place = _bound(probe, 0, uint256(count) + 1);
        uint256[5] memory probes = [place * step, place * step + 1, probe, 0, type(uint160).max];
        for (uint256 i = 0; i < 5; ++i) {
            uint256 number = probes[i] / step;
            bool expected = probes[i] % step == 0 && number != 0 && number <= count;
            _dirty(dirt);
            vm.assertEq(CrlSearch.lists(kept, probes[i]), expected);
            _dirty(bytes32(probes[i] << 96)); // what is looked for, right behind the list
            vm.assertEq(CrlSearch.lists(kept, probes[i]), expected);
        }
        vm.assertFalse(CrlSearch.lists(address(0xdead), probe));
    }

    /* STORE */

    function testFuzz_AssembledAt_IsThePlainCall(uint64 family, address answer, bytes32 dirt)
        public
    {
        ICollateralStore store = ICollateralStore(address(0xc0de));
        bytes memory asked = abi.encodeCall(ICollateralStore.assembledAt, (family));
        vm.mockCall(address(store), asked, abi.encode(answer));
        _dirty(dirt);
        vm.assertEq(StoreCall.assembledAt(store, family), store.assembledAt(family));
        vm.assertEq(StoreCall.assembledAt(store, family), answer);
    }

    /// @dev Whatever is no word is zero, and zero has the store asked in full.
    function test_AssembledAt_GivenAnyOtherAnswer_IsZero() public {
        bytes[5] memory strangers = [
            bytes(hex"60015f52601f5ff3"), // 31 bytes
            bytes(hex"60015f5260215ff3"), // 33 bytes
            bytes(hex"60015f5260205ffd"), // a revert with one word
            bytes(hex"00"), // nothing
            bytes("") // no code
        ];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.etch(address(0xc0de), strangers[i]);
            address found = StoreCall.assembledAt(ICollateralStore(address(0xc0de)), 1);
            vm.assertEq(found, address(0));
        }
    }

    /* DER */

    function testFuzz_Element_IsTheCanonicalOne(
        bytes32 seed,
        uint8 lead,
        uint24 length,
        uint24 size,
        bytes32 dirt
    ) public pure {
        // Lengths about the borders between the encodings, and parents about the element's end.
        uint256[4] memory borders = [uint256(0x7f), 0xff, 0xffff, length >> 1];
        length = uint24(borders[lead % 4] + uint256(seed) % 3);
        bytes memory head = _head(length, lead / 4 % 8);
        uint256 end = lead / 32 == 0 ? size : head.length + length + size % 3 - 1;
        bytes memory data = bytes.concat(head, _random(seed, 40));
        _dirty(dirt);
        uint256 p = Mem.at(data);
        (uint256 start, uint256 limit) = DerElement.read(p, p + end, 0x30);
        (bool sound, uint256 first, uint256 content) = _read(data);
        if (sound && first + content <= end) {
            vm.assertEq(start, p + first);
            vm.assertEq(limit, p + first + content);
        } else {
            vm.assertEq(limit, 0);
        }
        (, limit) = DerElement.read(p, p + end, 0x31);
        vm.assertEq(limit, 0);
    }

    /// @dev What DER allows: the shortest form, here of at most three bytes of length.
    function _read(bytes memory data)
        private
        pure
        returns (bool sound, uint256 first, uint256 length)
    {
        if (uint8(data[1]) < 0x80) return (true, 2, uint8(data[1]));
        uint256 count = uint8(data[1]) - 0x80;
        if (count > 3) return (false, 0, 0);
        for (uint256 i = 0; i < count; ++i) {
            length = length << 8 | uint8(data[2 + i]);
        }
        bytes memory shortest = _canonical(length);
        for (uint256 i = 0; i < shortest.length; ++i) {
            if (data[i] != shortest[i]) return (false, 0, 0);
        }
        return (true, shortest.length, length);
    }

    /// @dev `length` in `bytes_` bytes, too long or cut short where that is not its number; with 0 in the
    /// one-byte form, with 7 of indefinite length.
    function _head(uint256 length, uint256 bytes_) private pure returns (bytes memory) {
        if (bytes_ == 0) return abi.encodePacked(hex"30", uint8(length));
        if (bytes_ == 7) return hex"3080";
        if (bytes_ == 6) return _canonical(length);
        bytes memory all = abi.encodePacked(length);
        return abi.encodePacked(hex"30", uint8(0x80 | bytes_), _slice(all, 32 - bytes_, bytes_));
    }

    function _canonical(uint256 length) private pure returns (bytes memory) {
        if (length < 0x80) return abi.encodePacked(hex"30", uint8(length));
        if (length < 0x100) return abi.encodePacked(hex"3081", uint8(length));
        if (length < 0x10000) return abi.encodePacked(hex"3082", uint16(length));
        return abi.encodePacked(hex"3083", uint24(length));
    }

    /* TWINS */

    /// @dev The five bytes at `place`, as a number.
    function _number(bytes memory data, uint256 place) private pure returns (uint256 value) {
        for (uint256 i = 0; i < 5; ++i) {
            value = value << 8 | uint8(data[place + i]);
        }
    }

    function _slice(bytes memory data, uint256 place, uint256 length)
        private
        pure
        returns (bytes memory piece)
    {
        piece = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            piece[i] = data[place + i];
        }
    }

    function _random(bytes32 seed, uint256 length) private pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            data[i] = bytes1(keccak256(abi.encode(seed, i)));
        }
    }

    /// @dev Fills the free memory that comes next.
    function _dirty(bytes32 dirt) private pure {
        assembly ("memory-safe") {
            let p := mload(0x40)
            for { let i := 0 } lt(i, 0x800) { i := add(i, 0x20) } { mstore(add(p, i), dirt) }
        }
    }
}
