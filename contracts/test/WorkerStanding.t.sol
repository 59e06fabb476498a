// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice What a registered worker is worth when it is used.
contract WorkerStandingTest is PolicyFixture {
    /// @dev How much two equal answers may differ, by what the test touched before; an answer found
    /// anew costs three times as much.
    uint256 private constant NOISE = 5_000;

    /* AT USE */

    function test_RequireActive_PassesUntilTheLastSecond() public {
        _activate();
        (address operator, ProofKind kind) = workers.requireActive(worker, APP);
        vm.assertEq(operator, OPERATOR);
        vm.assertTrue(kind == ProofKind.Committee);
        (bool ok, bytes4 reason, uint64 until) = workers.checkActive(worker, APP);
        vm.assertTrue(ok && reason == 0);
        vm.assertEq(until, workers.workerOf(worker).validUntil);
        vm.warp(until);
        workers.requireActive(worker, APP);
        vm.warp(until + 1);
        _expectInactive(IWorkerRegistry.WorkerExpired.selector, APP);
    }

    function test_RequireActive_RevertGiven_TheWorkerIsUnknown() public {
        _expectInactive(IWorkerRegistry.WorkerUnknown.selector, APP);
    }

    function test_RequireActive_RevertGiven_TheDelayHasNotPassed() public {
        _activate();
        vm.warp(block.timestamp - 1);
        _expectInactive(IWorkerRegistry.WorkerNotYetActive.selector, APP);
    }

    function test_RequireActive_RevertGiven_AnotherApp() public {
        _activate();
        _expectInactive(IWorkerRegistry.WrongWorkerApp.selector, keccak256("another app"));
    }

    function test_RequireActive_RevertGiven_TheMeasurementWasRevoked() public {
        _activate();
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectInactive(IMeasurementRegistry.MeasurementNotAdmitted.selector, APP);
    }

    function test_RequireActive_RevertGiven_TheRouteWasFrozen() public {
        _activate();
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        _expectInactive(IVerifierRouter.RouteNotActive.selector, APP);
    }

    /* KEPT ANSWERS */

    function test_Refresh_KeepsAnAnswerUntilSomethingIsNarrowed() public {
        _activate();
        uint256 cheap = _cost();
        _admit(keccak256("another app"), "an image");
        vm.assertLt(_cost(), cheap + NOISE, "admitting outdates nothing");
        vm.prank(GUARDIAN);
        measurements.ban(APP, "a rumour");
        vm.assertLt(_cost(), cheap + NOISE, "nobody relied on what was never admitted");
        vm.prank(GUARDIAN);
        router.freeze("Nope");
        vm.assertLt(_cost(), cheap + NOISE, "nobody came by a route that was never open");
        vm.prank(GUARDIAN);
        measurements.revoke(keccak256("another app"), "an image");
        vm.assertGt(_cost(), cheap + NOISE, "somebody may have relied on an admitted image");
        workers.refresh(worker);
        vm.assertLt(_cost(), cheap + NOISE, "anyone may pay for the next answers");
    }

    function test_Refresh_RevertGiven_TheWorkerIsWorthNothing() public {
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, worker));
        workers.refresh(worker);
        _activate();
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        vm.expectPartialRevert(IVerifierRouter.RouteNotActive.selector);
        workers.refresh(worker);
    }

    function test_RequireActive_GivenTheEpochStopped_EveryAnswerIsFoundAnew() public {
        _activate();
        vm.prank(address(log));
        workers.follow(type(uint24).max);
        workers.refresh(worker);
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectInactive(IMeasurementRegistry.MeasurementNotAdmitted.selector, APP);
    }

    /* POLICY AT USE */

    function test_Policy_GraceEndsByTimeAlone() public {
        _activate();
        Policy memory strict = _gracious();
        strict.acceptedStatuses = 0x0004;
        _publish(strict, false);
        uint64 end = uint64(block.timestamp) + GRACE;
        (bool ok,, uint64 until) = workers.checkActive(worker, APP);
        vm.assertTrue(ok);
        vm.assertEq(until, end);
        workers.refresh(worker);
        vm.warp(end);
        workers.requireActive(worker, APP);
        vm.warp(end + 1);
        _expectInactive(ITcbPolicy.TcbStatusNotAccepted.selector, APP);
    }

    function test_Policy_AnEmergencyGrantsNoGrace() public {
        _activate();
        Policy memory strict = _gracious();
        strict.acceptedStatuses = 0x0004;
        _publish(strict, true);
        _expectInactive(ITcbPolicy.TcbStatusNotAccepted.selector, APP);
    }

    function test_Policy_DenyingAnFmspcHitsItsWorkersAlone() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(STRANGER, binding);
        verdict.platformId = keccak256("another platform");
        verdict.fmspc = 0x00606a000000;
        _register(verdict, binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        Policy memory strict = _gracious();
        strict.denied = _list(bytes32(_verdict().fmspc));
        _publish(strict, false);
        vm.warp(block.timestamp + GRACE + 1);
        _expectInactive(ITcbPolicy.SubjectDenied.selector, APP);
        workers.requireActive(STRANGER, APP);
    }

    function test_Policy_WhatTheGuardianBarsEndsAtOnce() public {
        bytes32[3] memory subjects = [
            bytes32(_verdict().fmspc),
            _verdict().platformId,
            bytes32(uint256(uint8(ProofKind.Committee)))
        ];
        _activate();
        for (uint256 i = 0; i < 6; ++i) {
            bytes32 scope = i < 3 ? APP : bytes32(0);
            vm.prank(GUARDIAN);
            policy.bar(scope, subjects[i % 3]);
            _expectInactive(ITcbPolicy.SubjectDenied.selector, APP);
            vm.prank(GOVERNOR);
            policy.lift(scope, subjects[i % 3]);
            workers.requireActive(worker, APP);
        }
    }

    function test_ActiveAt_ForeseesTheEndOfTheGrace() public {
        _activate();
        Policy memory strict = _gracious();
        strict.minEvaluationNumber = 18;
        _publish(strict, false);
        uint64 end = uint64(block.timestamp) + GRACE;
        (bool ok,,) = workers.activeAt(worker, APP, end);
        vm.assertTrue(ok);
        bytes4 reason;
        (ok, reason,) = workers.activeAt(worker, APP, end + 1);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(reason), bytes32(ITcbPolicy.EvaluationNumberTooLow.selector));
    }

    function test_Register_RevertWhen_ThePolicyNoLongerTakesIt_EvenInGrace() public {
        Policy memory strict = _gracious();
        strict.minEvaluationNumber = 18;
        _publish(strict, false);
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        bytes memory proof = _proof(journal);
        vm.expectRevert(abi.encodeWithSelector(ITcbPolicy.EvaluationNumberTooLow.selector, 17, 18));
        workers.register(COMMITTEE, journal, proof, binding);
    }

    function _cost() private view returns (uint256 gasUsed) {
        gasUsed = gasleft();
        workers.requireActive(worker, APP);
        gasUsed -= gasleft();
    }
}
