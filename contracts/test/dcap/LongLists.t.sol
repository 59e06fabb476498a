// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CrlSearch} from "../../src/dcap/CrlSearch.sol";
import {Base} from "../Base.t.sol";

/// @notice Looking serial numbers up in lists that are kept in one account's code, or in several.
contract LongListsTest is Base {
    address private constant LIST = address(0x1157);

    function testFuzz_Lists_GivenAShortList(uint256 seed, uint16 count) public {
        uint160[] memory serials = _serials(seed, count % 300);
        vm.etch(LIST, bytes.concat(new bytes(45), _packed(serials, 0, serials.length)));
        _compare(serials, seed);
    }

    function testFuzz_Lists_GivenALongList(uint256 seed, uint16 count, uint8 parts) public {
        uint160[] memory serials = _serials(seed, uint256(count) % 300 + 1);
        uint256 size = serials.length / (uint256(parts) % 12 + 1) + 1;
        bytes memory index;
        for (uint256 from = 0; from < serials.length; from += size) {
            uint256 until = from + size < serials.length ? from + size : serials.length;
            address part = address(uint160(0xa000 + from));
            vm.etch(part, bytes.concat(hex"00", _packed(serials, from, until)));
            index = bytes.concat(index, bytes20(serials[from]), bytes20(part));
        }
        vm.etch(LIST, bytes.concat(new bytes(45), index, hex"00"));
        _compare(serials, seed);
    }

    function testFuzz_Lists_GivenNoList(uint160 serial) public view {
        vm.assertFalse(CrlSearch.lists(address(0xdead), serial));
    }

    /// @dev Some that are listed, their neighbours, both ends, and others.
    function _compare(uint160[] memory serials, uint256 seed) private view {
        for (uint256 i = 0; i < 24; ++i) {
            uint160 serial = uint160(uint256(keccak256(abi.encode(seed, i, "asked"))));
            if (serials.length != 0) {
                if (i % 2 == 0) serial = serials[serial % serials.length];
                if (i % 6 == 2) --serial;
                if (i % 6 == 4 && serial != type(uint160).max) ++serial;
                if (i == 0) serial = serials[0];
                if (i == 6) serial = serials[serials.length - 1];
            }
            bool expected = false;
            for (uint256 j = 0; j < serials.length; ++j) {
                if (serials[j] == serial) expected = true;
            }
            vm.assertEq(CrlSearch.lists(LIST, serial), expected);
        }
    }

    /// @dev Ascending, each once; some far apart and some neighbours.
    function _serials(uint256 seed, uint256 count) private pure returns (uint160[] memory serials) {
        serials = new uint160[](count);
        uint256 last = 0;
        for (uint256 i = 0; i < count; ++i) {
            uint256 step = uint256(keccak256(abi.encode(seed, i)));
            last += step % 4 == 0 ? 1 : (step >> 104) / 1e3 + 1;
            serials[i] = uint160(last);
        }
    }

    function _packed(uint160[] memory serials, uint256 from, uint256 until)
        private
        pure
        returns (bytes memory packed)
    {
        for (uint256 i = from; i < until; ++i) {
            packed = bytes.concat(packed, bytes20(serials[i]));
        }
    }
}
