// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {CohortFacts, IWorkerRegistry, WorkerStatus} from "../src/interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {VerdictReader} from "../src/types/VerdictReader.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice Passes for a verifier, and answers with any bytes.
contract BabblingVerifier is IQuoteVerifier {
    bytes private _answer;

    constructor(bytes memory answer) {
        _answer = answer;
    }

    function verify(bytes calldata, bytes calldata) external view returns (Verdict memory) {
        bytes memory answer = _answer;
        assembly ("memory-safe") {
            return(add(answer, 0x20), mload(answer))
        }
    }

    function kind() external pure returns (ProofKind) {
        return ProofKind.OnChain;
    }

    function supportsInterface(bytes4 id) external pure returns (bool) {
        return id == type(IQuoteVerifier).interfaceId || id == type(IERC165).interfaceId;
    }
}

/// @notice What workers that are alike share.
contract CohortsTest is PolicyFixture {
    /// @dev More than an answer that is kept costs, much less than one that is found anew.
    uint256 private constant CHEAP = 20_000;

    address private constant SECOND = address(0x5ec0);

    /* REGISTER */

    function test_Register_PutsWorkersThatAreAlikeIntoOneCohort() public {
        _registerBoth();
        vm.assertEq(workers.cohorts(), 1);
        vm.assertEq(workers.workerOf(worker).cohort, 1);
        vm.assertEq(workers.workerOf(SECOND).cohort, 1);
        CohortFacts memory facts = workers.cohortOf(1);
        Verdict memory verdict = _verdict();
        vm.assertEq(facts.appId, APP);
        vm.assertEq(facts.measurementId, verdict.measurementId);
        vm.assertEq(facts.operator, OPERATOR);
        vm.assertEq(bytes32(facts.fmspc), bytes32(verdict.fmspc));
        vm.assertEq(bytes32(facts.attributes), bytes32(bytes8(0x0000001000000000)));
        vm.assertEq(facts.advisories.length, 1);
        vm.assertEq(facts.advisories[0], verdict.advisories[0]);
        vm.assertEq(workers.cohortOf(2).appId, 0);
    }

    function test_Register_WhenTheOperatorDiffers_FormsAnotherCohort() public {
        _activate();
        WorkerBinding memory binding = _binding();
        binding.operator = STRANGER;
        Verdict memory verdict = _boundVerdict(SECOND, binding);
        verdict.platformId = keccak256("another platform");
        _register(verdict, binding);
        vm.assertEq(workers.workerOf(SECOND).cohort, 2);
        vm.assertEq(workers.workerOf(SECOND).operator, STRANGER);
        vm.assertEq(workers.workerOf(worker).operator, OPERATOR);
    }

    function test_Register_GivenCollateralMayOnlyBeSoOld() public {
        Policy memory made = _policy();
        made.maxCollateralAge = 2 days;
        _publish(made, false);
        _activate();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(SECOND, binding);
        verdict.platformId = keccak256("another platform");
        verdict.validFrom = uint64(block.timestamp) - 2 days - 1;
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectRevert(
            abi.encodeWithSelector(
                ITcbPolicy.CollateralTooOld.selector, verdict.validFrom, uint32(2 days)
            )
        );
        workers.register(COMMITTEE, journal, proof, binding);
        (,, uint64 until) = workers.checkActive(worker, APP);
        vm.assertEq(until, workers.workerOf(worker).collateralFrom + 2 days);
        vm.warp(until);
        vm.assertLt(_cost(worker), CHEAP, "age is judged on the short way");
        vm.warp(until + 1);
        _expectInactive(ITcbPolicy.CollateralTooOld.selector, APP);
    }

    function test_Register_RetiresADeadHolderOfThePlatform() public {
        _activate();
        vm.warp(workers.workerOf(worker).validUntil + 1);
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(SECOND, binding);
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectEmit(true, true, true, true, address(workers));
        emit IWorkerRegistry.WorkerRetired(worker, APP, address(this));
        workers.register(COMMITTEE, journal, proof, binding);
        vm.assertTrue(workers.workerOf(worker).status == WorkerStatus.Retired);
        vm.assertEq(workers.workerOn(APP, verdict.platformId, 0), SECOND);
        _expectInactive(IWorkerRegistry.WorkerIsRetired.selector, APP);
    }

    function testFuzz_Register_RevertWhen_TheVerifierAnswersWithNoVerdict(bytes memory junk)
        public
    {
        BabblingVerifier babbler = new BabblingVerifier(junk);
        vm.prank(GOVERNOR);
        router.addRoute("Babb", babbler);
        vm.expectRevert(abi.encodeWithSelector(VerdictReader.AnswerMalformed.selector, junk.length));
        workers.register("Babb", "", "", _binding());
    }

    /* REFRESH */

    function test_Refresh_ServesTheWholeCohort() public {
        _registerBoth();
        vm.assertLt(_cost(SECOND), CHEAP, "nothing was narrowed");
        vm.prank(GUARDIAN);
        policy.bar(APP, "INTEL-SA-99999");
        vm.assertGt(_cost(SECOND), CHEAP, "it is found anew");
        workers.refresh(worker);
        // What is named has more bytes than an FMSPC, so it may be somebody: each is looked at.
        vm.assertGt(_cost(SECOND), CHEAP, "it may be named");
        vm.prank(GOVERNOR);
        policy.lift(APP, "INTEL-SA-99999");
        vm.prank(GUARDIAN);
        policy.bar(APP, bytes32(bytes6(0x00606a000000)));
        workers.refresh(worker);
        vm.assertLt(_cost(SECOND), CHEAP, "another worker's refresh serves it");
    }

    /* SUSPICION */

    function test_Bar_StopsOneWorkerAlone() public {
        _registerBoth();
        vm.prank(GUARDIAN);
        policy.bar(APP, bytes20(worker));
        _expectInactive(ITcbPolicy.SubjectDenied.selector, APP);
        workers.requireActive(SECOND, APP);
        workers.refresh(SECOND);
        vm.assertLt(_cost(SECOND), CHEAP, "the other is refreshed by itself");
        vm.prank(GOVERNOR);
        policy.lift(APP, bytes20(worker));
        workers.requireActive(worker, APP);
    }

    function test_Bar_StopsTheWorkersOfAMeasurement() public {
        _activate();
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        policy.bar(APP, id);
        _expectInactive(ITcbPolicy.SubjectDenied.selector, APP);
        vm.prank(GOVERNOR);
        policy.lift(APP, id);
        workers.requireActive(worker, APP);
    }

    /* FOLLOW */

    function testFuzz_Follow_RevertWhen_NotTheLog(address caller, uint24 epoch) public {
        vm.assume(caller != address(log));
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotTheLog.selector, caller));
        vm.prank(caller);
        workers.follow(epoch);
    }

    /* PARTS */

    /// @dev Two workers that differ in nothing but platform and key, both active.
    function _registerBoth() private {
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(SECOND, binding);
        verdict.platformId = keccak256("another platform");
        _register(verdict, binding);
        _nextBlock();
        _activate();
    }

    function _cost(address account) private view returns (uint256) {
        workers.requireActive(account, APP);
        return vm.lastCallGas().gasTotalUsed;
    }
}
