// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Base64} from "@openzeppelin/contracts/utils/Base64.sol";
import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";

import {LevelSearch} from "../../src/dcap/LevelSearch.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {P256Call} from "../../src/dcap/P256Call.sol";
import {TextLib} from "../../src/dcap/TextLib.sol";
import {Base} from "../Base.t.sol";

/// @notice What is written in assembly, beside the same in plain Solidity.
/// @dev Memory behind what is read is dirty on purpose: {_dirty} writes there.
contract AssemblyTwinsTest is Base {
    /* TEXT */

    function testFuzz_Plain_GivenAnyBytes_FindsWhatALoopFinds(
        bytes memory text,
        uint8 place,
        bytes32 dirt
    ) public pure {
        if (text.length != 0) text[place % text.length] = '"'; // else few texts would end
        _comparePlain(text, dirt);
    }

    function testFuzz_Plain_GivenPrintableText_FindsWhatALoopFinds(
        bytes memory text,
        uint16 place,
        bytes1 stranger,
        bytes32 dirt
    ) public pure {
        for (uint256 i = 0; i < text.length; ++i) {
            text[i] = bytes1(0x23 + uint8(text[i]) % 0x39); // no quotation mark, no backslash
        }
        if (text.length != 0) text[place % text.length] = stranger;
        _comparePlain(bytes.concat(text, '"'), dirt);
    }

    function _comparePlain(bytes memory text, bytes32 dirt) private pure {
        _dirty(dirt);
        (uint256 length, bool ended) = TextLib.plain(Mem.at(text), Mem.at(text) + text.length);
        uint256 i = 0;
        while (i < text.length && text[i] != '"') {
            if (text[i] < 0x20 || text[i] > 0x7e || text[i] == "\\") break;
            ++i;
        }
        bool expected = i < text.length && text[i] == '"';
        vm.assertEq(ended, expected);
        if (expected) vm.assertEq(length, i);
    }

    function testFuzz_HexPiece_ReadsWhatALoopReads(
        bytes16 value,
        uint256 cases,
        uint8 place,
        bytes1 stranger
    ) public pure {
        bytes memory digits = new bytes(32);
        for (uint256 i = 0; i < 32; ++i) {
            uint8 nibble = uint8(uint128(value) >> (124 - 4 * i)) & 0x0f;
            bytes16 alphabet =
                (cases >> i) & 1 == 0 ? bytes16("0123456789abcdef") : bytes16("0123456789ABCDEF");
            digits[i] = alphabet[nibble];
        }
        (uint256 piece, bool valid) = TextLib.hexPiece(Mem.word(Mem.at(digits)));
        vm.assertTrue(valid);
        vm.assertEq(piece, uint128(value));
        digits[place % 32] = stranger;
        (, valid) = TextLib.hexPiece(Mem.word(Mem.at(digits)));
        vm.assertEq(valid, _isHex(stranger));
    }

    function testFuzz_Base64_UndoesTheEncoding(
        bytes memory data,
        uint16 place,
        bytes1 stranger,
        bytes32 dirt
    ) public pure {
        data = Mem.slice(Mem.at(data), data.length / 24 * 24);
        bytes memory text = bytes(Base64.encode(data));
        bytes memory decoded = new bytes(data.length + 32);
        _dirty(dirt);
        (uint256 read, uint256 written) =
            TextLib.base64(Mem.at(text), Mem.at(text) + text.length, Mem.at(decoded));
        vm.assertEq(read, Mem.at(text) + text.length);
        vm.assertEq(written, Mem.at(decoded) + data.length);
        vm.assertEq(Mem.slice(Mem.at(decoded), data.length), data);
        if (text.length == 0 || _isBase64(stranger)) return;
        place = uint16(place % text.length);
        text[place] = stranger;
        (read,) = TextLib.base64(Mem.at(text), Mem.at(text) + text.length, Mem.at(decoded));
        vm.assertEq(read, Mem.at(text) + place / 32 * 32);
    }

    function testFuzz_Components_ReadsIntelsForm(
        uint8[16] memory svns,
        uint32 described,
        bytes32 dirt
    ) public pure {
        bytes memory text = "[";
        uint256 expected = 0;
        for (uint256 i = 0; i < 16; ++i) {
            text = bytes.concat(text, i == 0 ? bytes("") : bytes(","), '{"svn":');
            text = bytes.concat(text, bytes(Strings.toString(svns[i])));
            if ((described >> 2 * i) & 1 == 1) text = bytes.concat(text, ',"category":"OS/VMM"');
            if ((described >> 2 * i) & 3 == 3) text = bytes.concat(text, ',"type":"TDX Module"');
            text = bytes.concat(text, "}");
            expected = expected << 8 | svns[i];
        }
        text = bytes.concat(text, "]");
        _dirty(dirt);
        (uint256 next, uint256 packed) =
            TextLib.components(Mem.at(text), Mem.at(text) + text.length);
        vm.assertEq(next, Mem.at(text) + text.length);
        vm.assertEq(packed, expected);
        (next,) = TextLib.components(Mem.at(text), Mem.at(text) + text.length - 1);
        vm.assertEq(next, 0);
    }

    /* LEVELS */

    function testFuzz_Platform_FindsTheFirstLevelThatIsReached(
        uint256 seed,
        uint256 have,
        uint16 pceSvn,
        bool wide,
        bool fromThird
    ) public pure {
        uint256 counted = wide ? type(uint256).max : type(uint256).max << 128;
        if (wide && fromThird) counted = type(uint256).max << 128 | type(uint256).max >> 144;
        uint256 stride = wide ? 40 : 24;
        bytes memory levels = new bytes(6 * stride + 32);
        uint256 expected = 0;
        for (uint256 i = 0; i < 6; ++i) {
            (uint256 need, uint256 pce) = _near(seed, i, have, pceSvn);
            uint256 p = Mem.at(levels) + i * stride;
            Mem.store(p + 18, need << 128); // runs over into the next level, which is written next
            Mem.store(p, _head(p, need, pce));
            if (expected == 0 && pce <= pceSvn && _reached(have, need, counted)) expected = p;
        }
        uint256 end = Mem.at(levels) + 6 * stride;
        uint256 found = LevelSearch.platform(Mem.at(levels), end, stride, have, counted, pceSvn);
        vm.assertEq(found, expected);
    }

    function testFuzz_Isv_FindsTheFirstLevelThatIsReached(uint16[7] memory floors, uint16 svn)
        public
        pure
    {
        bytes memory levels = new bytes(7 * 9 + 32);
        uint256 expected = 0;
        for (uint256 i = 7; i > 0; --i) {
            uint256 p = Mem.at(levels) + (i - 1) * 9;
            uint256 rest = Mem.word(p) << 16 >> 16;
            Mem.store(p, uint256(floors[i - 1]) << 240 | rest);
            if (svn >= floors[i - 1]) expected = p;
        }
        vm.assertEq(LevelSearch.isv(Mem.at(levels), 7, 9, svn), expected);
    }

    function testFuzz_Module_FindsTheRecordOfAVersion(
        uint8[5] memory versions,
        uint8[5] memory counts,
        uint8 version
    ) public pure {
        bytes memory records = new bytes(5 * (2 + 20 + 16 * 8) + 32);
        uint256 p = Mem.at(records);
        uint256 expected = 0;
        for (uint256 i = 0; i < 5; ++i) {
            uint256 count = counts[i] % 17;
            uint8 here = versions[i] % 4;
            bool short = counts[i] > 0x7f; // the top bit says that the record lacks its 20 bytes
            Mem.store(p, uint256(here) << 248 | (short ? count | 0x80 : count) << 240);
            if (here == version % 4 && expected == 0) expected = p;
            p += 2 + (short ? 0 : 20) + 8 * count;
        }
        vm.assertEq(LevelSearch.module(Mem.at(records), 5, 20, 8, version % 4), expected);
    }

    /* MEMORY */

    function testFuzz_Mem_ReadsWhatTheLanguageReads(
        bytes memory data,
        uint8 from,
        uint8 length,
        bytes32 dirt
    ) public {
        _dirty(dirt);
        uint256 start = data.length == 0 ? 0 : from % data.length;
        uint256 size = (data.length - start) < 32 ? data.length - start : 32;
        if (size != 0) size = length % size;
        uint256 expected = 0;
        bytes memory piece = new bytes(size);
        for (uint256 i = 0; i < size; ++i) {
            expected = expected << 8 | uint8(data[start + i]);
            piece[i] = data[start + i];
        }
        uint256 p = Mem.at(data) + start;
        vm.assertEq(Mem.number(p, size), expected);
        vm.assertEq(Mem.slice(p, size), piece);
        vm.assertEq(Mem.keccak(p, size), keccak256(piece));
        vm.assertEq(Mem.sha(p, size), sha256(piece));
        address kept = address(0xc0de);
        vm.etch(kept, bytes.concat(hex"00", data));
        vm.assertEq(Mem.code(kept, 1), data);
        vm.assertEq(Mem.code(address(0xdead), 1).length, 0);
    }

    /* P-256 */

    function testFuzz_P256Call_TakesOneWordOnly(bytes32 hash, uint256[4] memory numbers) public {
        bytes[6] memory strangers = [
            bytes(hex"60015f5260205ff3"), // one word, 1
            bytes(hex"60025f5260205ff3"), // one word, 2
            bytes(hex"60015f52601f5ff3"), // 31 bytes
            bytes(hex"60015f5260215ff3"), // 33 bytes
            bytes(hex"5f5ffd"), // a revert
            bytes(hex"00") // nothing
        ];
        for (uint256 i = 0; i < strangers.length; ++i) {
            vm.etch(address(0x100), strangers[i]);
            (bool success, bytes memory answer) =
                address(0x100).staticcall(abi.encode(hash, numbers));
            bool expected = success && answer.length == 32 && uint256(bytes32(answer)) == 1;
            bool found = P256Call.verify(hash, numbers[0], numbers[1], numbers[2], numbers[3]);
            vm.assertEq(found, expected);
            vm.assertEq(found, i == 0);
        }
    }

    /* TWINS */

    /// @dev A level near what the platform has: components and PCE SVN, each up to one away, or random.
    function _near(uint256 seed, uint256 number, uint256 have, uint256 pceSvn)
        private
        pure
        returns (uint256 need, uint256 pce)
    {
        uint256 dice = uint256(keccak256(abi.encode(seed, number)));
        if (dice & 7 == 0) return (uint256(keccak256(abi.encode(dice))), (dice >> 8) & 0xffff);
        for (uint256 i = 0; i < 32; ++i) {
            uint256 component = (have >> 8 * i) & 0xff;
            uint256 roll = (dice >> (8 + 7 * i)) & 0x7f;
            if (roll < 8 && component != 0) --component;
            if (roll == 8 && component != 0xff) ++component;
            need |= component << 8 * i;
        }
        pce = pceSvn;
        if ((dice >> 3) & 7 == 0 && pce != 0xffff) ++pce;
    }

    function _reached(uint256 have, uint256 need, uint256 counted) private pure returns (bool) {
        for (uint256 i = 0; i < 256; i += 8) {
            if ((counted >> i) & 0xff == 0) continue;
            if ((have >> i) & 0xff < (need >> i) & 0xff) return false;
        }
        return true;
    }

    /// @dev SGX components and PCE SVN in front of what is there.
    function _head(uint256 p, uint256 need, uint256 pce) private pure returns (uint256) {
        return need >> 128 << 128 | pce << 112 | Mem.word(p) << 144 >> 144;
    }

    function _isHex(bytes1 c) private pure returns (bool) {
        return (c >= "0" && c <= "9") || (c >= "a" && c <= "f") || (c >= "A" && c <= "F");
    }

    function _isBase64(bytes1 c) private pure returns (bool) {
        return (c >= "0" && c <= "9") || (c >= "a" && c <= "z") || (c >= "A" && c <= "Z")
            || c == "+" || c == "/";
    }

    /// @dev Fills the free memory that comes next.
    function _dirty(bytes32 dirt) private pure {
        assembly ("memory-safe") {
            let p := mload(0x40)
            for { let i := 0 } lt(i, 0x400) { i := add(i, 0x20) } { mstore(add(p, i), dirt) }
        }
    }
}
