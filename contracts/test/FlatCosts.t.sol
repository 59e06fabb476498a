// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice What registering and asking cost does not depend on how much was admitted or barred,
/// nor on how many workers there are.
/// @dev But for call data, where a zero byte costs 12 less than another (EIP-2028) and every key has its
/// own: what the bytes cost is taken out.
contract FlatCostsTest is PolicyFixture {
    uint256[] private counts = [10, 1000];

    function test_CostsAreTheSameWhateverWasAdmitted() public {
        counts.push(10_000);
        _expectFlat(_admitOne);
    }

    function test_CostsAreTheSameWhateverWasBarred() public {
        counts.push(10_000);
        _expectFlat(_barOne);
    }

    /// @dev By evidence, as anybody registers: `make flat-costs` takes a quarter of a minute for the ten
    /// thousand that it asks for.
    function test_CostsAreTheSameHoweverManyWorkersThereAre() public {
        uint256 most = vm.envOr("QUOTARY_FLAT_WORKERS", counts[1]);
        if (most > counts[1]) counts.push(most);
        _expectFlat(_registerOne);
    }

    function _admitOne(bytes32 id) private {
        vm.prank(GOVERNOR);
        measurements.admit(APP, id, _manifest());
    }

    function _barOne(bytes32 id) private {
        vm.prank(GUARDIAN);
        policy.bar(APP, id);
    }

    /// @dev By a call, which gives the memory back.
    function _registerOne(bytes32 id) private {
        this.registerOne(id);
    }

    function registerOne(bytes32 id) external {
        address key = address(uint160(uint256(id)));
        (bytes memory journal, WorkerBinding memory binding) = _evidence(key, id);
        workers.register(COMMITTEE, journal, _proof(journal), binding);
        vm.assertEq(workers.workerOn(APP, id, 0), key);
    }

    function _expectFlat(function(bytes32) internal enter) private {
        uint256 registering;
        uint256 asking;
        uint256 entries;
        // The first of its cohort pays for that.
        _costOfRegistering(address(0xfeed), "the first");
        for (uint256 i = 0; i < counts.length; ++i) {
            for (; entries < counts[i]; ++entries) {
                enter(keccak256(abi.encode(entries)));
            }
            bytes32 id = keccak256(abi.encode("measured", i));
            address key = address(uint160(uint256(id)));
            uint256 cost = _costOfRegistering(key, id);
            vm.warp(block.timestamp + ACTIVATION_DELAY);
            workers.requireActive(key, APP);
            // A view's call data is paid for by whoever calls it.
            uint256 asked = vm.lastCallGas().gasTotalUsed;
            if (i == 0) (registering, asking) = (cost, asked);
            vm.assertEq(cost, registering, "registering costs more or less");
            vm.assertEq(asked, asking, "asking costs more or less");
        }
    }

    /// @dev What it costs beside its call data.
    function _costOfRegistering(address key, bytes32 platform) private returns (uint256) {
        (bytes memory journal, WorkerBinding memory binding) = _evidence(key, platform);
        bytes memory proof = _proof(journal);
        workers.register(COMMITTEE, journal, proof, binding);
        uint256 cost = vm.lastCallGas().gasTotalUsed;
        bytes memory data = abi.encodeCall(workers.register, (COMMITTEE, journal, proof, binding));
        for (uint256 i = 0; i < data.length; ++i) {
            cost -= data[i] == 0 ? 4 : 16;
        }
        return cost;
    }

    function _evidence(address key, bytes32 platform)
        private
        returns (bytes memory journal, WorkerBinding memory binding)
    {
        _nextBlock();
        binding = _binding();
        Verdict memory verdict = _boundVerdict(key, binding);
        verdict.platformId = platform;
        journal = abi.encode(verdict);
    }
}
