// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CommittedBatch, IBatchOracle} from "../src/interfaces/IBatchOracle.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {SubjectLib} from "../src/registry/SubjectLib.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {BatchFixture} from "./BatchFixture.t.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice What takes the pay from a worker that answered a batch: a decision against it, never time.
contract VoidsTest is BatchFixture, PolicyFixture {
    uint256 private batchId;
    bytes32[] private leaves;
    CommittedBatch private committed;

    function setUp() public override(BatchFixture, Deployment) {
        super.setUp();
        for (uint256 i = 0; i < 2; ++i) {
            RequestParams memory params = _plain();
            params.deadline = uint64(block.timestamp) + 30 days;
            asked.push(_askBatch(params));
        }
        leaves = _leaves();
        batchId = _commit(leaves);
        committed = _committed(_rootOf(leaves));
    }

    /* RULED OUT */

    /// @dev What was claimed before stays; nothing is claimed after, and it is voided once.
    function test_Void_StopsClaims() public {
        CommittedBatch memory other = committed;
        other.worker = STRANGER;
        vm.expectPartialRevert(IBatchOracle.UnknownBatch.selector);
        batches.void(batchId, other);
        batches.claim(asked[0], _told(batchId, worker, 0), _output(0), _path(leaves, 0));
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        _expectVoided(IWorkerRegistry.WorkerIsRevoked.selector);
        vm.expectPartialRevert(IBatchOracle.UnknownBatch.selector);
        batches.void(batchId, committed);
    }

    /// @dev Revoked after it left or ran out of time, it is revoked all the same.
    function test_Void_GivenTheWorkerLeftBeforeItWasRevoked() public {
        vm.prank(OPERATOR);
        workers.retire(worker);
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        _expectVoided(IWorkerRegistry.WorkerIsRevoked.selector);
    }

    function test_Void_GivenTheMeasurementWasRevoked() public {
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectVoided(IMeasurementRegistry.MeasurementNotAdmitted.selector);
    }

    function test_Void_GivenTheRouteWasFrozen() public {
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        _expectVoided(IVerifierRouter.RouteNotActive.selector);
    }

    /// @dev By the guardian or by a policy: the worker, its platform or its kind is named.
    function test_Void_GivenTheSubjectIsDenied() public {
        bytes32 platform = bytes20(_verdict().platformId);
        bytes32[5] memory subjects = [
            SubjectLib.ofWorker(worker),
            platform,
            bytes32(_verdict().fmspc),
            bytes32("INTEL-SA-00837"),
            _verdict().measurementId
        ];
        for (uint256 i = 0; i < subjects.length; ++i) {
            uint256 start = vm.snapshotState();
            vm.prank(GUARDIAN);
            policy.bar(APP, subjects[i]);
            _expectVoided(ITcbPolicy.SubjectDenied.selector);
            vm.revertToState(start);
        }
        Policy memory made = _policy();
        made.denied = _list("INTEL-SA-00837");
        _publish(made, true);
        _expectVoided(ITcbPolicy.SubjectDenied.selector);
    }

    /// @dev The worker is as good as ever; what it served is not.
    function test_Void_GivenTheModelWasRevoked() public {
        vm.prank(GUARDIAN);
        models.revoke(MODEL);
        _expectVoided(IModelRegistry.ModelNotAdmitted.selector);
        _expectNoCommitment();
    }

    /* NOT RULED OUT */

    function test_Void_RevertGiven_TheWorkerIsActive() public {
        _expectKept(0);
    }

    function test_Void_RevertGiven_TheWorkerOnlyLeft() public {
        vm.prank(OPERATOR);
        workers.retire(worker);
        _expectKept(IWorkerRegistry.WorkerIsRetired.selector);
    }

    /// @dev Time alone takes nobody's pay, nor does a renewal that waits for its activation.
    function test_Void_RevertGiven_TheWorkerRanOutOfTime() public {
        vm.warp(workers.workerOf(worker).validUntil + 1);
        uint256 start = vm.snapshotState();
        _expectKept(IWorkerRegistry.WorkerExpired.selector);
        vm.revertToState(start);
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(worker, binding), binding);
        _expectKept(IWorkerRegistry.WorkerNotYetActive.selector);
    }

    function test_Void_RevertGiven_TheCollateralGrewOld() public {
        Policy memory made = _policy();
        made.maxCollateralAge = 2 days;
        _publish(made, true);
        vm.warp(block.timestamp + 2 days);
        _expectKept(ITcbPolicy.CollateralTooOld.selector);
    }

    function test_Void_RevertGiven_TheGraceOfItsStatusIsOver() public {
        Policy memory made = _gracious();
        made.acceptedStatuses = 0x0004;
        _publish(made, false);
        vm.warp(block.timestamp + GRACE + 1);
        _expectKept(ITcbPolicy.TcbStatusNotAccepted.selector);
    }

    /// @dev A policy that rises asks for more than the worker had promised.
    function test_Void_RevertGiven_ThePolicyRose() public {
        bytes4[5] memory reasons = [
            ITcbPolicy.ProofKindsTooFew.selector,
            ITcbPolicy.ProofKindNotAccepted.selector,
            ITcbPolicy.EvaluationNumberTooLow.selector,
            ITcbPolicy.AttributesDenied.selector,
            ITcbPolicy.PlatformNotListed.selector
        ];
        for (uint256 i = 0; i < reasons.length; ++i) {
            uint256 start = vm.snapshotState();
            Policy memory made = _policy();
            if (i == 0) made.kindsNeeded = 2;
            if (i == 1) made.acceptedKinds = 0x06;
            if (i == 2) made.minEvaluationNumber = 18;
            if (i == 3) made.forbiddenAttributes = bytes8(uint64(0x10) << 32);
            if (i == 4) made.platforms = _list(keccak256("another platform"));
            _publish(made, true);
            _expectKept(reasons[i]);
            vm.revertToState(start);
        }
    }

    function test_Void_RevertGiven_ThePlatformIsSharedNoLonger() public {
        Policy memory made = _policy();
        made.workersPerPlatform = 2;
        _publish(made, true);
        uint256 key = 0x5ec0;
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(vm.addr(key), binding);
        _register(verdict, binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        worker = vm.addr(key);
        batchId = _commitAs(key, _rootOf(leaves));
        committed = _committed(_rootOf(leaves));
        made.workersPerPlatform = 1;
        _publish(made, true);
        _expectKept(ITcbPolicy.PlatformCrowded.selector);
    }

    /* EXPECTATIONS */

    function _expectVoided(bytes4 reason) private {
        _expectInactiveFor(reason);
        vm.expectEmit(true, true, true, true, address(batches));
        emit IBatchOracle.BatchVoided(batchId, worker, reason);
        vm.prank(STRANGER);
        batches.void(batchId, committed);
        bytes32[] memory path = _path(leaves, 1);
        vm.expectPartialRevert(IBatchOracle.NotInBatch.selector);
        batches.claim(asked[1], _told(batchId, worker, 1), _output(1), path);
    }

    /// @dev The registry says why the worker may not answer now; what it answered is paid for.
    function _expectKept(bytes4 reason) private {
        _expectInactiveFor(reason);
        vm.expectRevert(
            abi.encodeWithSelector(IBatchOracle.WorkerNotRuledOut.selector, worker, reason)
        );
        batches.void(batchId, committed);
        uint256 before = batches.creditOf(ETHER, OPERATOR);
        batches.claim(asked[1], _told(batchId, worker, 1), _output(1), _path(leaves, 1));
        vm.assertEq(batches.creditOf(ETHER, OPERATOR), before + FEE);
    }

    function _expectInactiveFor(bytes4 reason) private view {
        (bool ok, bytes4 actual,) = workers.checkActive(worker, APP);
        if (reason == IModelRegistry.ModelNotAdmitted.selector) vm.assertTrue(ok);
        else vm.assertEq(bytes32(actual), bytes32(reason));
    }

    function _expectNoCommitment() private {
        bytes memory signature = _signedBatch(_batch("root", 1));
        vm.expectPartialRevert(IModelRegistry.ModelNotAdmitted.selector);
        batches.commit(_batch("root", 1), signature);
    }
}
