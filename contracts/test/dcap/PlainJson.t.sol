// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {DocumentParser} from "../../src/dcap/DocumentParser.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {PlainJson} from "../../src/dcap/PlainJson.sol";
import {Base} from "../Base.t.sol";

/// @notice The short way through JSON accepts nothing that the long way does not, and reads it the same.
/// @dev A line break makes a document go the long way, and belongs to none of its tokens.
contract PlainJsonTest is Base {
    bytes private constant STRANGERS = ' "\\{}[]:,.-+/019aZe';
    bytes private constant HEAD = '{"id":"TDX","version":3,"issueDate":"2026-10-08T00:09:46Z","nextUpdate"'
        ':"2026-11-07T00:09:46Z","fmspc":"B0C06F000000","pceId":"0000","tcbType":0,"tcbEvaluationDataNumber"'
        ':20,"tdxModule":{"mrsigner":"000000000000000000000000000000000000000000000000000000000000000000000'
        '000000000000000000000000000","attributes":"0000000000000000","attributesMask":"FFFFFFFFFFFFFFFF"},';
    bytes private constant MODULES = '"tdxModuleIdentities":[{"id":"TDX_03","mrsigner":"0000000000000000000'
        '00000000000000000000000000000000000000000000000000000000000000000000000000000","attributes":"000000'
        '0000000000","attributesMask":"FFFFFFFFFFFFFFFF","tcbLevels":[{"tcb":{"isvsvn":5},"tcbDate":"2025-08'
        '-13T00:00:00Z","tcbStatus":"UpToDate"},{"tcb":{"isvsvn":3},"tcbDate":"2025-05-14T00:00:00Z","tcbSta'
        'tus":"OutOfDate","advisoryIDs":["INTEL-SA-01245","INTEL-SA-01312"]}]}],"tcbLevels":[';
    bytes private constant SGX = '{"tcb":{"sgxtcbcomponents":[{"svn":4,"category":"BIOS","type":"Early'
        ' Microcode Update"},{"svn":14,"category":"OS/VMM"},{"svn":255},{"svn":2},{"svn":0},{"svn":0},{"svn"'
        ':0},{"svn":0},{"svn":0},{"svn":0},{"svn":1},{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0}],"pce'
        'svn":';
    bytes private constant TDX = ',"tdxtcbcomponents":[{"svn":5,"category":"OS/VMM","type":"TDX Module"},{'
        '"svn":0},{"svn":4},{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0},'
        '{"svn":0},{"svn":0},{"svn":0},{"svn":0},{"svn":0}]},"tcbDate":"2025-08-13T00:00:00Z","tcbStatus":';
    bytes private constant FIRST = '"UpToDate"},';
    bytes private constant LAST =
        '"OutOfDate","advisoryIDs":["INTEL-SA-01192","INTEL-SA-01245"]}]}';
    bytes private constant IDENTITY = '{"id":"TD_QE","version":2,"issueDate":"2026-10-08T00:09:46Z","nextUpdate"'
        ':"2026-11-07T00:09:46Z","tcbEvaluationDataNumber":20,"miscselect":"00000000","miscselectMask":"FFFF'
        'FFFF","attributes":"11000000000000000000000000000000","attributesMask":"FBFFFFFFFFFFFFFF00000000000'
        '00000","mrsigner":"DC9E2A7C6F948F17474E34A7FC43ED030F7C1563F1BABDDF6340C82E0E54A8C5","isvprodid":2,'
        '"tcbLevels":[{"tcb":{"isvsvn":4},"tcbDate":"2025-08-13T00:00:00Z","tcbStatus":"UpToDate"},{"tcb":{"'
        'isvsvn":3},"tcbDate":"2024-03-13T00:00:00Z","tcbStatus":"OutOfDate","advisoryIDs":["INTEL-SA-00837"'
        "]}]}";

    DocumentParser private _parser;

    function setUp() public {
        _parser = new DocumentParser();
    }

    /* DOCUMENTS */

    function test_GivenADocumentInIntelsForm() public {
        vm.assertEq(uint256(bytes32(_same(_tcbInfo(), true))), 0x20); // an answer, no refusal
        vm.assertEq(uint256(bytes32(_same(IDENTITY, false))), 0x20);
    }

    function test_GivenSpacesAroundTheLastBracket_ReadsTheSameComponents() public {
        bytes memory document = _tcbInfo();
        bytes memory answer = _same(document, true);
        uint256 place = document.length - LAST.length - TDX.length - 1 - 11; // the lower level's SGX
        vm.assertEq(uint8(document[place]), uint8(bytes1("]")));
        vm.assertEq(_same(_inserted(document, place, " "), true), answer);
    }

    function testFuzz_GivenAnAlteredTcbInfo(uint256 seed) public {
        _same(_altered(_tcbInfo(), seed), true);
    }

    function testFuzz_GivenAnAlteredIdentity(uint256 seed) public {
        _same(_altered(IDENTITY, seed), false);
    }

    /// @dev What the parser answers, which must be the same both ways.
    function _same(bytes memory document, bool tcbInfo) private returns (bytes memory answer) {
        bool accepted;
        (accepted, answer) = _parsed(document, tcbInfo);
        (bool also, bytes memory other) = _parsed(bytes.concat("\n", document), tcbInfo);
        vm.assertEq(accepted, also);
        vm.assertEq(answer, other);
    }

    function _parsed(bytes memory document, bool tcbInfo)
        private
        returns (bool accepted, bytes memory answer)
    {
        return address(_parser)
            .call(
                tcbInfo
                    ? abi.encodeCall(DocumentParser.parseTcbInfo, (document))
                    : abi.encodeCall(DocumentParser.parseQeIdentity, (document))
            );
    }

    function _tcbInfo() private pure returns (bytes memory) {
        bytes memory first = bytes.concat(SGX, "11", TDX, FIRST);
        return bytes.concat(HEAD, MODULES, first, SGX, "5", TDX, LAST);
    }

    /// @dev One to three edits: a byte for another, a byte more or less, or a stretch left out.
    function _altered(bytes memory document, uint256 seed) private pure returns (bytes memory) {
        for (uint256 edits = seed % 3 + 1; edits > 0; --edits) {
            seed = uint256(keccak256(abi.encode(seed)));
            uint256 place = (seed >> 16) % document.length;
            bytes memory stranger = bytes.concat(STRANGERS[(seed >> 64) % STRANGERS.length]);
            uint256 kind = seed % 8;
            if (kind < 3) document[place] = stranger[0];
            else if (kind < 6) document = _inserted(document, place, stranger);
            else if (kind == 6) document = _without(document, place, 1);
            else document = _without(document, place, (seed >> 96) % 40);
        }
        return document;
    }

    function _inserted(bytes memory document, uint256 place, bytes memory more)
        private
        pure
        returns (bytes memory)
    {
        bytes memory front = Mem.slice(Mem.at(document), place);
        return
            bytes.concat(front, more, Mem.slice(Mem.at(document) + place, document.length - place));
    }

    function _without(bytes memory document, uint256 place, uint256 length)
        private
        pure
        returns (bytes memory)
    {
        uint256 next = place + length < document.length ? place + length : document.length;
        bytes memory front = Mem.slice(Mem.at(document), place);
        return bytes.concat(front, Mem.slice(Mem.at(document) + next, document.length - next));
    }

    /* TWINS */

    function testFuzz_IsPlain_FindsWhatALoopFinds(bytes memory text, uint16 place, bytes1 stranger)
        public
        pure
    {
        _compareIsPlain(text);
        _printable(text);
        _compareIsPlain(text);
        if (text.length == 0) return;
        text[place % text.length] = stranger;
        _compareIsPlain(text);
    }

    function _compareIsPlain(bytes memory text) private pure {
        bool expected = true;
        for (uint256 i = 0; i < text.length; ++i) {
            if (text[i] < 0x20 || text[i] > 0x7e || text[i] == "\\") expected = false;
        }
        uint256 p = Mem.at(text);
        vm.assertEq(PlainJson.isPlain(p, p + text.length), expected);
    }

    function testFuzz_Text_FindsWhatALoopFinds(bytes memory text, uint16 place, bytes32 dirt)
        public
        pure
    {
        _printable(text);
        if (text.length != 0) text[place % text.length] = '"';
        uint256 p = _copied(text, dirt);
        (uint256 length, bool ended) = PlainJson.text(p, p + text.length);
        vm.assertEq(ended, text.length != 0);
        if (ended) vm.assertEq(length, place % text.length);
        (, ended) = PlainJson.text(p, p + length);
        vm.assertFalse(ended);
    }

    function testFuzz_Member_ReadsAKey(bytes memory key, uint8 place, bytes1 stranger, bytes32 dirt)
        public
        pure
    {
        _printable(key);
        bytes memory text = bytes.concat(',"', key, '":');
        uint256 p = _copied(text, dirt);
        (uint256 next, bytes32 name) = PlainJson.member(p, p + text.length, 0x2c22);
        bool fits = key.length != 0 && key.length < 29;
        vm.assertEq(next, fits ? p + text.length : 0);
        if (fits) vm.assertEq(name, bytes32(key));
        (next,) = PlainJson.member(p, p + text.length - 1, 0x2c22);
        vm.assertEq(next, 0);
        uint256 i = place % text.length;
        if (text[i] == stranger || stranger > 0x7e || (i > 1 && i < text.length - 2)) return;
        text[i] = stranger;
        p = _copied(text, dirt);
        (next,) = PlainJson.member(p, p + text.length, 0x2c22);
        vm.assertEq(next, 0);
    }

    function testFuzz_Time_ReadsDigitsInTheirPlaces(
        bytes14 numbers,
        uint8 place,
        bytes1 stranger,
        bytes32 dirt
    ) public pure {
        bytes memory digits = new bytes(14);
        uint256[14] memory d;
        for (uint256 i = 0; i < 14; ++i) {
            d[i] = uint8(numbers[i]) % 10;
            digits[i] = bytes1(uint8(0x30 + d[i]));
        }
        bytes memory text = '"0000-00-00T00:00:00Z"';
        uint256 taken = 0;
        for (uint256 i = 0; i < text.length; ++i) {
            if (text[i] == "0") text[i] = digits[taken++];
        }
        uint256 p = _copied(text, dirt);
        (uint256 next, uint256 year, uint256 month, uint256 day, uint256 clock) =
            PlainJson.time(p, p + 22);
        vm.assertEq(next, p + 22);
        vm.assertEq(year, 1000 * d[0] + 100 * d[1] + 10 * d[2] + d[3]);
        vm.assertEq(month << 8 | day, (10 * d[4] + d[5]) << 8 | (10 * d[6] + d[7]));
        vm.assertEq(
            clock, (10 * d[8] + d[9]) << 16 | (10 * d[10] + d[11]) << 8 | (10 * d[12] + d[13])
        );
        _requireNoTime(text, place % 22, stranger, dirt);
    }

    /// @dev Neither cut short nor with a stranger in it.
    function _requireNoTime(bytes memory text, uint256 place, bytes1 stranger, bytes32 dirt)
        private
        pure
    {
        uint256 p = _copied(text, dirt);
        (uint256 next,,,,) = PlainJson.time(p, p + 21);
        vm.assertEq(next, 0);
        bytes1 before = text[place];
        bool digit = before >= "0" && before <= "9";
        if (stranger > 0x7e || stranger == before) return;
        if (digit && stranger >= "0" && stranger <= "9") return;
        text[place] = stranger;
        p = _copied(text, dirt);
        (next,,,,) = PlainJson.time(p, p + 22);
        vm.assertEq(next, 0);
    }

    /// @dev Letters and signs, but no quotation mark and no backslash.
    function _printable(bytes memory text) private pure {
        for (uint256 i = 0; i < text.length; ++i) {
            text[i] = bytes1(0x23 + uint8(text[i]) % 0x39);
        }
    }

    /// @dev Where a copy of `text` is that has dirt behind it.
    function _copied(bytes memory text, bytes32 dirt) private pure returns (uint256) {
        return Mem.at(bytes.concat(text, dirt, dirt, '"'));
    }
}
