// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {KindsFixture} from "./KindsFixture.t.sol";

/// @notice Who may have a live worker proven in another way, or paid to another operator. Anybody has quotes
/// of it.
contract KindChangesTest is KindsFixture {
    function setUp() public override {
        super.setUp();
        _publish(_together(1), true);
        _activate();
    }

    function testFuzz_Renew_RevertWhen_AStrangerChangesTheKind(address caller) public {
        vm.assume(caller != worker && caller != OPERATOR && caller != address(0));
        _expectNotAllowed(caller);
        workers.requireActive(worker, APP);
        vm.assertTrue(workers.workerOf(worker).kind == ProofKind.Committee);
        // Not even before it is active, and not by an operator that it does not have yet.
        WorkerBinding memory binding = _binding();
        binding.operator = caller;
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        _expectRefusal(ZK, caller, journal, binding);
    }

    /// @dev Those whose worker it is wait for its activation again.
    function test_Renew_TheWorkerAndItsOperatorChangeTheKind() public {
        address[2] memory own = [OPERATOR, worker];
        bytes4[2] memory routes = [ZK, ON_CHAIN];
        for (uint256 i = 0; i < 2; ++i) {
            _renewBy(own[i], routes[i]);
            _expectInactive(IWorkerRegistry.WorkerNotYetActive.selector, APP);
            vm.warp(block.timestamp + ACTIVATION_DELAY);
            workers.requireActive(worker, APP);
            _nextBlock();
        }
        vm.assertTrue(workers.workerOf(worker).kind == ProofKind.OnChain);
    }

    /// @dev A worker that was started without an operator binds whichever it is asked to.
    function testFuzz_Renew_RevertWhen_AStrangerNamesAnotherOperator(address caller, bool news)
        public
    {
        vm.assume(caller != worker && caller != OPERATOR);
        WorkerBinding memory binding = _binding();
        binding.operator = STRANGER;
        Verdict memory verdict = _boundVerdict(worker, binding);
        // Not with other code, either.
        if (news) verdict = _otherCode(verdict);
        bytes memory journal = abi.encode(verdict);
        _expectRefusal(COMMITTEE, caller, journal, binding);
        (address operator,) = workers.requireActive(worker, APP);
        vm.assertEq(operator, OPERATOR);
    }

    /// @dev Nobody objects to that, so nobody waits.
    function test_Renew_TheOperatorHandsTheWorkerOver() public {
        WorkerBinding memory binding = _binding();
        binding.operator = STRANGER;
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        bytes memory proof = _proof(journal);
        vm.prank(OPERATOR);
        workers.register(COMMITTEE, journal, proof, binding);
        (address operator,) = workers.requireActive(worker, APP);
        vm.assertEq(operator, STRANGER);
        _nextBlock();
        _expectNotAllowed(OPERATOR);
    }

    /// @dev Whoever brings a proof of the same kind renews, as ever.
    function test_Renew_AStrangerRenewsByTheSameKind() public {
        _renewBy(STRANGER, COMMITTEE);
        workers.requireActive(worker, APP);
    }

    /// @dev What counts for nothing can be switched off by nobody.
    function test_Renew_AStrangerChangesTheKindOfADeadRegistration() public {
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        _renewBy(STRANGER, ZK);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        workers.requireActive(worker, APP);
        vm.warp(workers.workerOf(worker).validUntil + 1);
        _nextBlock();
        _renewBy(STRANGER, ON_CHAIN);
        vm.assertTrue(workers.workerOf(worker).kind == ProofKind.OnChain);
    }

    /// @dev Other code is news that anybody brings, however it is proven: the old is not what runs.
    function test_Renew_AStrangerBringsOtherCodeByAnotherKind() public {
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_otherCode(_boundVerdict(worker, binding)));
        bytes memory proof = _proof(journal);
        vm.prank(STRANGER);
        workers.register(ZK, journal, proof, binding);
        _expectInactive(IWorkerRegistry.WorkerNotYetActive.selector, APP);
    }

    /// @dev Where two kinds must stand together, a registration by the second would leave but one.
    function test_Renew_AStrangerTakesAwayNoKindThatStood() public {
        _publish(_together(2), true);
        _nextBlock();
        _renewBy(STRANGER, COMMITTEE);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        _nextBlock();
        _corroborate(ZK);
        workers.requireActive(worker, APP);
        _nextBlock();
        _expectNotAllowed(STRANGER);
        workers.requireActive(worker, APP);
    }

    /* PARTS */

    function _otherCode(Verdict memory verdict) private returns (Verdict memory) {
        verdict.measurement[100] = 0x01;
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        _admit(APP, verdict.measurementId);
        return verdict;
    }

    function _renewBy(address caller, bytes4 route) private {
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        bytes memory proof = _proof(journal);
        vm.prank(caller);
        workers.register(route, journal, proof, binding);
    }

    function _expectNotAllowed(address caller) private {
        WorkerBinding memory binding = _binding();
        _expectRefusal(ZK, caller, abi.encode(_boundVerdict(worker, binding)), binding);
    }

    function _expectRefusal(
        bytes4 route,
        address caller,
        bytes memory journal,
        WorkerBinding memory binding
    ) private {
        bytes memory proof = _proof(journal);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotAllowed.selector, caller, worker));
        vm.prank(caller);
        workers.register(route, journal, proof, binding);
    }
}
