// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice What registering and asking cost does not depend on how much was admitted or barred,
/// nor on how many workers there are.
contract FlatCostsTest is PolicyFixture {
    /// @dev Calldata differs by a few zero bytes from key to key.
    uint256 private constant NOISE = 600;

    function test_CostsAreTheSameWhateverWasAdmitted() public {
        _expectFlat(_admitOne, 3);
    }

    function test_CostsAreTheSameWhateverWasBarred() public {
        _expectFlat(_barOne, 3);
    }

    /// @dev By evidence, as anybody registers: ten thousand would take a quarter of a minute.
    function test_CostsAreTheSameHoweverManyWorkersThereAre() public {
        _expectFlat(_registerOne, 2);
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
        _costOfRegistering(key, id);
        vm.assertEq(workers.workerOn(APP, id), key);
    }

    /// @dev With the first `steps` of 10, 1,000 and 10,000 entries.
    function _expectFlat(function(bytes32) internal enter, uint256 steps) private {
        uint256[3] memory counts = [uint256(10), 1000, 10_000];
        uint256[3] memory registering;
        uint256[3] memory asking;
        uint256 entries;
        for (uint256 i = 0; i < steps; ++i) {
            for (; entries < counts[i]; ++entries) {
                enter(keccak256(abi.encode(entries)));
            }
            address key = address(uint160(uint256(keccak256(abi.encode("worker", i)))));
            registering[i] = _costOfRegistering(key, keccak256(abi.encode("platform", i)));
            vm.warp(block.timestamp + ACTIVATION_DELAY);
            workers.requireActive(key, APP);
            asking[i] = vm.lastCallGas().gasTotalUsed;
        }
        for (uint256 i = 1; i < steps; ++i) {
            vm.assertLt(registering[i], registering[0] + NOISE, "registering grows");
            vm.assertLt(asking[i], asking[0] + NOISE, "asking grows");
        }
    }

    function _costOfRegistering(address key, bytes32 platform) private returns (uint256) {
        _nextBlock();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(key, binding);
        verdict.platformId = platform;
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        workers.register(COMMITTEE, journal, proof, binding);
        return vm.lastCallGas().gasTotalUsed;
    }
}
