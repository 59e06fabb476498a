// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Corroboration, ICorroborations} from "../src/interfaces/ICorroborations.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {CohortFacts, IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {KindsFixture} from "./KindsFixture.t.sol";

/// @notice An app that wants a worker proven in several ways.
contract CorroborationsTest is KindsFixture {
    /// @dev The most a use may cost, cold.
    uint256 private constant BUDGET = 12_000;

    /* COUNTING */

    function test_Counts_OneKindIsNotEnough() public {
        _activate();
        _expectTooFew(1, 2);
        _corroborate(ZK);
        (, ProofKind kind) = workers.requireActive(worker, APP);
        vm.assertTrue(kind == ProofKind.Committee, "the kind it registered with");
    }

    function test_Counts_InWhateverOrderTheyCome() public {
        _corroborate(ZK);
        _nextBlock();
        _activate();
        workers.requireActive(worker, APP);
    }

    function test_Counts_EachKindOnce() public {
        _activate();
        _corroborate(COMMITTEE);
        _expectTooFew(1, 2);
        _publish(_together(3), true);
        _activate();
        _corroborate(ZK);
        _expectTooFew(2, 3);
        _corroborate(ON_CHAIN);
        workers.requireActive(worker, APP);
    }

    function test_Counts_OnlyTheSameClaim() public {
        _activate();
        for (uint256 i = 0; i < 4; ++i) {
            WorkerBinding memory binding = _binding();
            if (i == 0) binding.appId = keccak256("another app");
            if (i == 1) binding.operator = STRANGER;
            if (i == 2) binding.encryptionKey = keccak256("another key");
            Verdict memory verdict = _boundVerdict(worker, binding);
            if (i == 3) verdict.platformId = keccak256("another platform");
            _corroborate(ZK, verdict, binding);
            _expectTooFew(1, 2);
            _nextBlock();
        }
        _corroborate(ZK);
        workers.requireActive(worker, APP);
    }

    function test_Counts_OnlyTheSameImage() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.measurement[20] = 0xff;
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        _corroborate(ZK, verdict, binding);
        _expectTooFew(1, 2);
    }

    function test_Counts_NothingOfANewEncryptionKeyThatOneKindVouchesFor() public {
        _activate();
        _corroborate(ZK);
        workers.refresh(worker);
        workers.requireActive(worker, APP);
        _nextBlock();
        WorkerBinding memory binding = _binding();
        binding.encryptionKey = keccak256("a thief's key");
        _register(_boundVerdict(worker, binding), binding);
        _expectTooFew(1, 2);
        _corroborate(ZK, _boundVerdict(worker, binding), binding);
        workers.requireActive(worker, APP);
    }

    function test_Counts_OnThroughRenewals() public {
        _activate();
        _corroborate(ZK);
        uint64 activeFrom = workers.workerOf(worker).activeFrom;
        _nextBlock();
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(worker, binding), binding);
        vm.assertEq(workers.workerOf(worker).activeFrom, activeFrom);
        workers.requireActive(worker, APP);
    }

    /* AT USE */

    function test_AtUse_AFrozenRouteCountsNoMore() public {
        _settle();
        vm.prank(GUARDIAN);
        router.freeze(ZK);
        _expectTooFew(1, 2);
        _corroborate(ON_CHAIN);
        workers.requireActive(worker, APP);
    }

    function test_AtUse_ABarredKindCountsNoMore() public {
        bytes32 kind = bytes32(uint256(uint8(ProofKind.Zk)));
        _settle();
        for (uint256 i = 0; i < 2; ++i) {
            bytes32 scope = i == 0 ? APP : bytes32(0);
            vm.prank(GUARDIAN);
            policy.bar(scope, kind);
            _expectTooFew(1, 2);
            vm.prank(GOVERNOR);
            policy.lift(scope, kind);
            workers.requireActive(worker, APP);
        }
    }

    function test_AtUse_EachKindsOwnFactsAreJudged() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.tcbStatus = 2;
        _corroborate(ZK, verdict, binding);
        workers.requireActive(worker, APP);
        Policy memory strict = _together(2);
        strict.acceptedStatuses = 0x0002;
        _publish(strict, true);
        _expectTooFew(1, 2);
    }

    function test_AtUse_EvidenceEndsByItself() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.validUntil = uint64(block.timestamp) + 1 days;
        _corroborate(ZK, verdict, binding);
        uint64 until = workers.refresh(worker);
        vm.assertEq(until, verdict.validUntil);
        vm.warp(until);
        workers.requireActive(worker, APP);
        (bool ok, bytes4 reason,) = workers.activeAt(worker, APP, until + 1);
        vm.assertTrue(!ok && reason == ITcbPolicy.ProofKindsTooFew.selector);
        vm.warp(until + 1);
        _expectTooFew(1, 2);
    }

    function test_AtUse_ThreeKindsOutlastTheFirstToEnd() public {
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.validUntil = uint64(block.timestamp) + 1 days;
        _corroborate(ZK, verdict, binding);
        verdict.validUntil = uint64(block.timestamp) + 2 days;
        _corroborate(ON_CHAIN, verdict, binding);
        (,, uint64 until) = workers.checkActive(worker, APP);
        vm.assertEq(until, verdict.validUntil);
    }

    function test_AtUse_CostsNoMoreThanABudgetOnceRefreshed() public {
        _activate();
        _corroborate(ZK);
        workers.requireActive(worker, APP);
        vm.assertGt(vm.lastCallGas().gasTotalUsed, BUDGET);
        workers.refresh(worker);
        workers.requireActive(worker, APP);
        vm.assertLt(vm.snapshotGasLastCall("Gas", "requireActive, 2 kinds"), BUDGET);
        vm.prank(GUARDIAN);
        router.freeze(ZK);
        _expectTooFew(1, 2);
    }

    /* POLICY */

    function test_Policy_WhoWasNotCountedHasItsGrace() public {
        _publish(_policy(), true);
        _activate();
        vm.assertEq(workers.claimOf(worker), bytes32(0));
        Policy memory strict = _gracious();
        strict.kindsNeeded = 2;
        _publish(strict, false);
        uint64 end = uint64(block.timestamp) + GRACE;
        vm.assertEq(workers.refresh(worker), end);
        vm.warp(end);
        workers.requireActive(worker, APP);
        _corroborate(ZK);
        vm.warp(end + 1);
        _expectTooFew(1, 2);
        WorkerBinding memory binding = _binding();
        _register(_boundVerdict(worker, binding), binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        workers.requireActive(worker, APP);
    }

    /// @dev A claim belongs to one registration: what was kept before a time of one kind counts no more.
    function test_Policy_AnOldClaimIsNotTakenForANewOne() public {
        _activate();
        _corroborate(ZK);
        _publish(_policy(), true);
        _nextBlock();
        WorkerBinding memory binding = _binding();
        binding.encryptionKey = keccak256("another key");
        _register(_boundVerdict(worker, binding), binding);
        workers.requireActive(worker, APP);
        _publish(_together(2), true);
        _expectTooFew(1, 2);
    }

    /* CORROBORATE */

    function test_Corroborate_KeepsAndTellsWhatItIs() public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        _corroborate(ZK, verdict, binding);
        (Corroboration memory shown, CohortFacts memory facts) =
            corroborations.corroborationOf(address(workers), worker, ProofKind.Zk);
        vm.assertEq(shown.quoteHash, verdict.quoteHash);
        vm.assertEq(shown.validUntil, verdict.verifiedAt + REGISTRATION_AGE);
        vm.assertEq(shown.collateralFrom, verdict.validFrom);
        vm.assertEq(shown.challengeBlock, binding.challengeBlock);
        vm.assertEq(bytes32(facts.route), bytes32(ZK));
        vm.assertEq(facts.measurementId, verdict.measurementId);
        _register(verdict, binding);
        vm.assertEq(workers.claimOf(worker), shown.claim);
        (shown, facts) = corroborations.corroborationOf(address(workers), worker, ProofKind.OnChain);
        vm.assertEq(shown.claim, bytes32(0));
    }

    function test_Corroborate_RevertWhen_TheEvidenceIsNotNewer() public {
        _corroborate(ZK);
        uint64 latest = uint64(block.number - 1);
        _expectRefusal(
            abi.encodeWithSelector(IWorkerRegistry.QuoteNotNewer.selector, latest, latest),
            ZK,
            _binding()
        );
        _corroborate(ON_CHAIN);
    }

    function test_Corroborate_RevertWhen_TheRouteIsNotOpen() public {
        _expectRefusal(
            abi.encodeWithSelector(IVerifierRouter.RouteNotActive.selector, bytes4("None"), 0),
            "None",
            _binding()
        );
    }

    function test_Corroborate_RevertWhen_TheChallengeIsOldOrForged() public {
        WorkerBinding memory binding = _binding();
        binding.challenge = keccak256("forged");
        bytes32 expected = workers.challengeAt(binding.challengeBlock);
        _expectRefusal(
            abi.encodeWithSelector(
                IWorkerRegistry.ChallengeMismatch.selector, binding.challenge, expected
            ),
            ZK,
            binding
        );
        binding = _binding();
        vm.roll(block.number + CHALLENGE_AGE);
        _expectRefusal(
            abi.encodeWithSelector(
                IWorkerRegistry.ChallengeBlockOutOfRange.selector,
                binding.challengeBlock,
                block.number,
                CHALLENGE_AGE
            ),
            ZK,
            binding
        );
    }

    function test_Corroborate_RevertWhen_ItBindsNoRegistry() public {
        WorkerBinding memory binding = _binding();
        binding.registry = STRANGER;
        _expectRefusal(
            abi.encodeWithSelector(ICorroborations.NotARegistry.selector, STRANGER), ZK, binding
        );
    }

    function test_Corroborate_RevertWhen_TheTeeIsOpen() public {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.measurement[0] = 0x01; // DEBUG
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectPartialRevert(MeasurementLib.AttributesForbidden.selector);
        corroborations.corroborate(ZK, journal, proof, binding);
    }

    function testFuzz_Corroborated_RevertWhen_AnyoneElseTells(address caller) public {
        vm.assume(caller != address(corroborations));
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotAllowed.selector, caller, worker));
        workers.corroborated(worker);
    }

    function test_SupportsInterface_NamesItsInterface() public view {
        vm.assertTrue(corroborations.supportsInterface(type(ICorroborations).interfaceId));
        vm.assertFalse(corroborations.supportsInterface(0xffffffff));
    }

    /* PARTS */

    /// @dev A worker whose two kinds stand and were found to.
    function _settle() private {
        _activate();
        _corroborate(ZK);
        workers.refresh(worker);
        workers.requireActive(worker, APP);
        _nextBlock();
    }

    function _expectTooFew(uint256 standing, uint8 needed) private {
        (bool ok, bytes4 reason, uint64 until) = workers.checkActive(worker, APP);
        vm.assertTrue(!ok && reason == ITcbPolicy.ProofKindsTooFew.selector && until == 0);
        vm.expectRevert(
            abi.encodeWithSelector(ITcbPolicy.ProofKindsTooFew.selector, standing, needed)
        );
        workers.requireActive(worker, APP);
    }

    function _expectRefusal(bytes memory failure, bytes4 route, WorkerBinding memory binding)
        private
    {
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        bytes memory proof = _proof(journal);
        vm.expectRevert(failure);
        corroborations.corroborate(route, journal, proof, binding);
    }
}
