// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Der} from "../../src/dcap/Der.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {IEvidenceRefusal} from "../../src/interfaces/IEvidenceRefusal.sol";
import {Base} from "../Base.t.sol";

/// @dev The reader behind calls, so that a refusal can be told from an answer.
contract DerHarness {
    function signature(bytes memory data, bytes32 dirt) external pure returns (uint256, uint256) {
        uint256 end = _end(data, dirt);
        (uint256 r, uint256 s, uint256 stop) = Der.signature(Mem.at(data), end);
        Der.finish(stop, end);
        return (r, s);
    }

    function serial(bytes memory data, bytes32 dirt) external pure returns (uint256 value) {
        uint256 end = _end(data, dirt);
        uint256 stop;
        (value, stop) = Der.serial(Mem.at(data), end);
        Der.finish(stop, end);
    }

    function time(bytes memory data, bytes32 dirt) external pure returns (uint256 value) {
        uint256 end = _end(data, dirt);
        uint256 stop;
        (value, stop) = Der.time(Mem.at(data), end);
        Der.finish(stop, end);
    }

    /// @dev Where `data` ends; behind it lies `dirt`.
    function _end(bytes memory data, bytes32 dirt) private pure returns (uint256 end) {
        end = Mem.at(data) + data.length;
        assembly ("memory-safe") {
            mstore(mload(0x40), dirt)
            mstore(add(mload(0x40), 0x20), dirt)
        }
    }
}

/// @notice What certificates are made of, against encoders in plain Solidity.
contract DerTest is Base {
    DerHarness private _der;

    function setUp() public {
        _der = new DerHarness();
    }

    /* SIGNATURES */

    function testFuzz_Signature_HasOneEncoding(
        uint256 r,
        uint256 s,
        uint8 shorter,
        uint8 place,
        uint8 change,
        bytes32 dirt
    ) public view {
        r = (r >> shorter % 16 * 16) | 1; // short numbers, too, and never zero
        s = (s >> shorter / 16 * 16) | 1;
        bytes memory data = _signature(r, s);
        (uint256 first, uint256 second) = _der.signature(data, dirt);
        vm.assertEq(first, r);
        vm.assertEq(second, s);
        if (change == 0) return;
        data[place % data.length] ^= bytes1(change);
        try _der.signature(data, dirt) returns (uint256 a, uint256 b) {
            // Zero stands for a number that is longer than any of P-256.
            if (a != 0 && b != 0) vm.assertEq(_signature(a, b), data);
        } catch {}
    }

    function _signature(uint256 r, uint256 s) private pure returns (bytes memory) {
        bytes memory numbers = bytes.concat(_integer(r), _integer(s));
        bytes memory inner = abi.encodePacked(hex"0030", uint8(numbers.length), numbers);
        return abi.encodePacked(hex"03", uint8(inner.length), inner);
    }

    /* SERIAL NUMBERS */

    function testFuzz_Serial_HasOneEncoding(
        uint160 value,
        uint8 shorter,
        uint8 place,
        uint8 change,
        bytes32 dirt
    ) public view {
        value = (value >> shorter % 160) | 1;
        bytes memory data = _integer(value);
        vm.assertEq(_der.serial(data, dirt), value);
        if (change == 0) return;
        data[place % data.length] ^= bytes1(change);
        try _der.serial(data, dirt) returns (uint256 found) {
            vm.assertEq(_integer(found), data);
        } catch {}
    }

    function _integer(uint256 value) private pure returns (bytes memory content) {
        while (value != 0) {
            content = bytes.concat(bytes1(uint8(value)), content);
            value >>= 8;
        }
        if (content[0] >= 0x80) content = bytes.concat(hex"00", content);
        content = abi.encodePacked(hex"02", uint8(content.length), content);
    }

    /* TIMES */

    function testFuzz_Time_ReadsEverySecond(uint64 at, bool soon, bytes32 dirt) public view {
        at = uint64(_bound(at, 1, soon ? 2_524_607_999 : 253_402_300_799));
        (bytes memory data,) = _time(at);
        vm.assertEq(_der.time(data, dirt), at);
    }

    /// @dev Its number is that of no time at all, which dates are told from by not being zero.
    function test_Time_TheFirstSecondOf1970IsPastLikeThoseBeforeIt() public view {
        (bytes memory data,) = _time(0);
        vm.assertEq(data, abi.encodePacked(hex"170d", "700101000000Z"));
        vm.assertEq(_der.time(data, bytes32(type(uint256).max)), 1);
        vm.assertEq(_der.time(abi.encodePacked(hex"170d", "691231235959Z"), 0), 1);
    }

    function test_Time_RevertWhen_TheYearOf1970HasNoSuchSecond() public {
        string[4] memory none = ["700100000000Z", "700001000000Z", "700101240000Z", "7001010000:0Z"];
        bytes4 reason = IEvidenceRefusal.EvidenceRefused.selector;
        for (uint256 i = 0; i < none.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(reason, bytes32("CERT_TIME_INVALID")));
            _der.time(abi.encodePacked(hex"170d", none[i]), 0);
        }
    }

    function testFuzz_Time_RefusesWhatIsNoDate(uint64 at, uint8 place, uint8 change, bytes32 dirt)
        public
        view
    {
        at = uint64(_bound(at, 0, 253_402_300_799));
        (bytes memory data, uint256 digits) = _time(at);
        data[2 + place % digits] = bytes1(0x2f + change % 12); // digits and both of their neighbours
        try _der.time(data, dirt) returns (uint256 found) {
            // What was read is what is written of that second; 1 stands for all times before it, too.
            if (found == 1) return;
            (bytes memory expected,) = _time(uint64(found));
            vm.assertEq(expected, data);
        } catch {}
    }

    /// @dev The form RFC 5280 wants: two digits of the year before 2050, four from then on.
    function _time(uint64 at) private pure returns (bytes memory data, uint256 digits) {
        (uint256 year, uint256 month, uint256 day) = _date(at / 1 days);
        bytes memory rest = abi.encodePacked(
            _pair(month),
            _pair(day),
            _pair(at / 1 hours % 24),
            _pair(at / 1 minutes % 60),
            _pair(at % 60)
        );
        if (year < 2050) return (abi.encodePacked(hex"170d", _pair(year % 100), rest, "Z"), 12);
        return (abi.encodePacked(hex"180f", _pair(year / 100), _pair(year % 100), rest, "Z"), 14);
    }

    function _date(uint256 day) private pure returns (uint256 year, uint256 month, uint256 rest) {
        // The calendar repeats after 400 years; 1970 and the years after it are counted one by one.
        year = 1970 + day / 146_097 * 400;
        day %= 146_097;
        while (day >= (_isLeap(year) ? 366 : 365)) {
            day -= _isLeap(year) ? 366 : 365;
            ++year;
        }
        uint8[12] memory lengths = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        if (_isLeap(year)) lengths[1] = 29;
        while (day >= lengths[month]) {
            day -= lengths[month];
            ++month;
        }
        return (year, month + 1, day + 1);
    }

    function _isLeap(uint256 year) private pure returns (bool) {
        return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    }

    function _pair(uint256 value) private pure returns (bytes2) {
        return bytes2(uint16((0x30 + value / 10) << 8 | (0x30 + value % 10)));
    }
}
