// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {IWorkerRegistry, WorkerStatus} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice Several workers of an app on one platform, as far as its policy lets them.
contract SharedPlatformsTest is PolicyFixture {
    address private constant SECOND = address(0x5ec0);
    address private constant THIRD = address(0x7412d);

    function setUp() public override {
        super.setUp();
        _share(2, 0, true);
        _activate();
    }

    /* REGISTERING */

    function test_Register_TakesTheNextPlaceWhereThePolicySharesPlatforms() public {
        bytes32 platform = bytes20(_verdict().platformId);
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(SECOND, binding));
        bytes memory proof = _proof(journal);
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.PlatformShared(SECOND, APP, platform, 1);
        workers.register(COMMITTEE, journal, proof, binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        vm.assertEq(workers.workerOf(worker).place, 0);
        vm.assertEq(workers.workerOf(SECOND).place, 1);
        vm.assertEq(workers.workerOn(APP, platform, 0), worker);
        vm.assertEq(workers.workerOn(APP, platform, 1), SECOND);
        workers.requireActive(worker, APP);
        workers.requireActive(SECOND, APP);
        (,, bytes32 one) = workers.requireActiveOn(worker, APP);
        (,, bytes32 other) = workers.requireActiveOn(SECOND, APP);
        vm.assertEq(one, platform);
        vm.assertEq(other, platform);
    }

    function test_Register_RevertGiven_AllPlacesAreTaken() public {
        _join(SECOND);
        bytes32 platform = bytes20(_verdict().platformId);
        _expectNoPlace(abi.encodeWithSelector(ITcbPolicy.PlatformCrowded.selector, platform, 2, 2));
        _share(8, 0, true);
        for (uint160 i = 0; i < 6; ++i) {
            _join(address(0xabc0 + i));
        }
        address last = address(0xabc5);
        vm.assertEq(workers.workerOf(last).place, 7);
        bytes4 reason = IWorkerRegistry.PlatformAlreadyInUse.selector;
        _expectNoPlace(abi.encodeWithSelector(reason, platform, last));
    }

    /// @dev Nobody moves: who came second stays second when the first is gone.
    function test_Register_TakesThePlaceOfADeadWorker() public {
        _join(SECOND);
        vm.warp(workers.workerOf(worker).validUntil - 1 hours);
        _join(SECOND);
        vm.warp(workers.workerOf(worker).validUntil + 1);
        _join(THIRD);
        vm.assertTrue(workers.workerOf(worker).status == WorkerStatus.Retired);
        vm.assertEq(workers.workerOf(THIRD).place, 0);
        vm.assertEq(workers.workerOf(SECOND).place, 1);
        vm.assertEq(workers.workerOn(APP, _verdict().platformId, 0), THIRD);
    }

    /// @dev A seat is its worker's own: another's evidence neither renews it nor makes it old.
    function test_Register_RenewsEachAtItsOwnPlace() public {
        _join(SECOND);
        uint64 first = workers.workerOf(SECOND).challengeBlock;
        _join(worker);
        vm.assertEq(workers.workerOf(SECOND).challengeBlock, first);
        vm.assertGt(workers.workerOf(worker).challengeBlock, first);
        _join(SECOND);
        vm.assertEq(workers.workerOf(SECOND).place, 1);
        vm.assertGt(workers.workerOf(SECOND).challengeBlock, first + 1);
    }

    /* AT USE */

    /// @dev The bound on {requireActive} holds at every place.
    function test_RequireActive_KeepsItsBoundAtALaterPlace() public {
        _join(SECOND);
        workers.requireActive(SECOND, APP);
        vm.assertLt(_used(), 12_000);
        vm.prank(GUARDIAN);
        policy.bar(APP, "something else");
        workers.requireActive(SECOND, APP);
        vm.assertGt(_used(), 12_000);
        workers.refresh(SECOND);
        workers.requireActive(SECOND, APP);
        vm.assertLt(_used(), 12_000);
    }

    function test_Policy_WhatSharesNoLongerEndsLaterPlacesWithTheirGrace() public {
        _join(SECOND);
        _share(1, GRACE, false);
        uint64 end = uint64(block.timestamp) + GRACE;
        (bool ok,, uint64 until) = workers.checkActive(SECOND, APP);
        vm.assertTrue(ok);
        vm.assertEq(until, end);
        vm.assertEq(workers.refresh(SECOND), end);
        bytes4 reason = IWorkerRegistry.PlatformAlreadyInUse.selector;
        bytes32 platform = bytes20(_verdict().platformId);
        _expectNoPlace(abi.encodeWithSelector(reason, platform, worker));
        vm.warp(end);
        workers.requireActive(SECOND, APP);
        vm.warp(end + 1);
        _expectCrowdedOut();
    }

    function test_Policy_AnEmergencyEndsLaterPlacesAtOnce() public {
        _join(SECOND);
        _share(0, GRACE, true);
        _expectCrowdedOut();
        // A worker keeps its place, and fresh evidence does not help it there.
        vm.expectPartialRevert(ITcbPolicy.PlatformCrowded.selector);
        this.join(SECOND);
        // What a later policy allows is judged by that.
        _share(2, 0, true);
        workers.requireActive(SECOND, APP);
    }

    function _expectCrowdedOut() private {
        bytes4 reason = ITcbPolicy.PlatformCrowded.selector;
        (bool ok, bytes4 actual,) = workers.checkActive(SECOND, APP);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(actual), bytes32(reason));
        bytes32 platform = bytes20(_verdict().platformId);
        vm.expectRevert(abi.encodeWithSelector(reason, platform, 1, 1));
        workers.requireActive(SECOND, APP);
        vm.expectPartialRevert(reason);
        workers.requireActiveOn(SECOND, APP);
        vm.expectPartialRevert(reason);
        workers.refresh(SECOND);
        workers.requireActive(worker, APP);
    }

    /* STEPS */

    function _share(uint8 most, uint32 grace, bool emergency) private {
        Policy memory made = _policy();
        made.workersPerPlatform = most;
        for (uint256 i = 0; i < 8; ++i) {
            made.graces[i] = grace;
        }
        _publish(made, emergency);
    }

    /// @dev Registers `key` on the one platform, or renews it, and lets its delay pass.
    function _join(address key) private {
        this.join(key);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
    }

    function join(address key) external {
        _nextBlock();
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(key, binding), binding);
    }

    function _expectNoPlace(bytes memory failure) private {
        _nextBlock();
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(THIRD, binding));
        bytes memory proof = _proof(journal);
        vm.expectRevert(failure);
        workers.register(COMMITTEE, journal, proof, binding);
    }

    /// @dev What the last call cost: of a view, nothing but its own work.
    function _used() private view returns (uint256) {
        return vm.lastCallGas().gasTotalUsed;
    }
}

/// @notice Workers of one platform have one voice in a round.
contract PlatformVoicesTest is RoundFixture {
    uint256 private constant FIRST = 3;
    bytes32 private constant MACHINE = keccak256(abi.encode("platform", FIRST));

    /// @dev The workers number 3 and 4 run on one machine, and say they have different operators.
    function setUp() public override {
        super.setUp();
        Policy memory made;
        (made.acceptedStatuses, made.acceptedKinds, made.workersPerPlatform) = (0x0006, 0x0e, 2);
        vm.prank(GOVERNOR);
        policy.publish(APP, MeasurementLib.TDX, made, true);
        keys[FIRST + 1] = _keyBetween(_workerAt(FIRST), _workerAt(FIRST + 2));
        _enrol(_workerAt(FIRST + 1), MACHINE, address(0x0b0b));
        vm.warp(block.timestamp + ACTIVATION_DELAY);
    }

    function test_FulfillByQuorum_RevertWhen_OneMachineAnswersTwice() public {
        Submission memory held = _hold(_ask(_quorum(2, 3)), FIRST, _agreeing(3));
        Submission memory pair = _choose(_copy(held), 3);
        _expectCounted();
        _submit(pair, OUTPUT);
        // Either of them counts beside another machine's.
        _submit(_choose(_copy(held), 5), OUTPUT);
        vm.assertEq(oracle.getResult(_id(held.made)).outputHash, sha256(OUTPUT));
    }

    function test_Dispute_RevertWhen_OneMachineAnswersTwice() public {
        bytes32[] memory decisions = _agreeing(3);
        (decisions[0], decisions[1]) = (bytes32("one"), bytes32("two"));
        Submission memory held = _hold(_ask(_quorum(3, 3)), FIRST, decisions);
        Submission memory all = _choose(_copy(held), 7);
        _expectCounted();
        _dispute(all);
        // It takes no more to show that three cannot agree: what is not shown counts as agreeing.
        _dispute(_choose(_copy(held), 5));
    }

    /// @dev Platforms whose ids end alike are told apart all the same.
    function test_FulfillByQuorum_TakesPlatformsWithIdsThatLookAlike() public {
        vm.prank(_operator(FIRST));
        workers.retire(_workerAt(FIRST));
        keys[FIRST] = _keyBetween(_workerAt(FIRST - 1), _workerAt(FIRST + 1));
        bytes32 alike = MACHINE ^ bytes32(bytes1(0x01));
        _enrol(_workerAt(FIRST), alike, _operator(FIRST));
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        Submission memory held = _hold(_ask(_quorum(2, 2)), FIRST, _agreeing(2));
        _submit(held, OUTPUT);
        vm.assertEq(oracle.getResult(_id(held.made)).outputHash, sha256(OUTPUT));
    }

    function _expectCounted() private {
        bytes4 reason = IResultOracle.PlatformCounted.selector;
        address second = _workerAt(FIRST + 1);
        vm.expectRevert(abi.encodeWithSelector(reason, second, bytes32(bytes20(MACHINE))));
    }

    function _copy(Submission memory held) private pure returns (Submission memory) {
        return abi.decode(abi.encode(held), (Submission));
    }

    function _keyBetween(address low, address high) private pure returns (uint256 key) {
        key = 0xf0000;
        while (vm.addr(key) <= low || vm.addr(key) >= high) ++key;
    }
}
