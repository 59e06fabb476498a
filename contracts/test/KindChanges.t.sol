// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {KindsFixture} from "./KindsFixture.t.sol";

/// @notice Who may have a live worker proven in another way. Anybody has quotes of it.
contract KindChangesTest is KindsFixture {
    function setUp() public override {
        super.setUp();
        _publish(_together(1), true);
        _activate();
    }

    function testFuzz_Renew_RevertWhen_AStrangerChangesTheKind(address caller) public {
        vm.assume(caller != worker && caller != OPERATOR);
        _expectNotAllowed(caller);
        workers.requireActive(worker, APP);
        vm.assertTrue(workers.workerOf(worker).kind == ProofKind.Committee);
        // Not even before it is active, and not by an operator that it does not have yet.
        WorkerBinding memory binding = _binding();
        binding.operator = caller;
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        _expectRefusal(caller, journal, binding);
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
        Verdict memory verdict = _boundVerdict(worker, binding);
        verdict.measurement[100] = 0x01;
        verdict.measurementId = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        _admit(APP, verdict.measurementId);
        bytes memory journal = abi.encode(verdict);
        vm.prank(STRANGER);
        workers.register(ZK, journal, _proof(journal), binding);
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

    function _renewBy(address caller, bytes4 route) private {
        WorkerBinding memory binding = _binding();
        bytes memory journal = abi.encode(_boundVerdict(worker, binding));
        bytes memory proof = _proof(journal);
        vm.prank(caller);
        workers.register(route, journal, proof, binding);
    }

    function _expectNotAllowed(address caller) private {
        WorkerBinding memory binding = _binding();
        _expectRefusal(caller, abi.encode(_boundVerdict(worker, binding)), binding);
    }

    function _expectRefusal(address caller, bytes memory journal, WorkerBinding memory binding)
        private
    {
        bytes memory proof = _proof(journal);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.NotAllowed.selector, caller, worker));
        vm.prank(caller);
        workers.register(ZK, journal, proof, binding);
    }
}
