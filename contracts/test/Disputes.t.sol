// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    CallbackStatus,
    FailureReason,
    IRequestBook,
    RequestParams,
    RequestState,
    RequestStatus
} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle, Reveal} from "../src/interfaces/IResultOracle.sol";
import {Request, Rule} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice What follows where workers disagree, or named ones stay silent.
contract DisputesTest is RoundFixture {
    /* DISPUTE */

    function test_Dispute_SendsTheRequestToOtherWorkers() public {
        Submission memory held = _hold(_ask(_quorum(2, 3)), 0, _split());
        address[] memory out = new address[](3);
        (out[0], out[1], out[2]) = (_workerAt(0), _workerAt(1), _workerAt(2));
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.RoundDisputed(_id(held.made), 1, out);
        _dispute(held);
        vm.assertTrue(oracle.stateOf(_id(held.made)).status == RequestStatus.Pending);
        // Whoever took part is out, however well it agrees now.
        Submission memory again = _choose(_hold(held.made, 2, _agreeing(3)), 3);
        address known = _workerAt(2);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.AlreadyAnswered.selector, known));
        _submit(again, OUTPUT);
        _submit(_choose(_hold(held.made, 3, _agreeing(3)), 3), OUTPUT);
        vm.assertEq(oracle.getResult(_id(held.made)).outputHash, sha256(OUTPUT));
    }

    function test_Dispute_TheSecondFailsTheRequest() public {
        Request memory made = _ask(_quorum(2, 3));
        _dispute(_hold(made, 0, _split()));
        Submission memory second = _hold(made, 3, _split());
        bytes32 id = _id(made);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IRequestBook.RequestFailed(id, address(consumer), FailureReason.Disagreement, FEE);
        _dispute(second);
        RequestState memory state = oracle.stateOf(id);
        vm.assertTrue(state.status == RequestStatus.Failed);
        vm.assertTrue(state.failure == FailureReason.Disagreement);
        vm.assertTrue(state.callback == CallbackStatus.Succeeded);
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), FEE);
        vm.assertEq(consumer.errorCount(), 1);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.AlreadyFailed.selector, id));
        _submit(second, OUTPUT);
        vm.warp(block.timestamp + 2 hours);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.AlreadyFailed.selector, id));
        oracle.refund(made);
    }

    /// @dev Two of three answers agree, or one that is still missing could join one that is there.
    function test_Dispute_RevertWhen_TheRoundCanStillAgree() public {
        Request memory made = _ask(_quorum(2, 3));
        bytes32[] memory decisions = _split();
        Submission memory held = _choose(_hold(made, 0, decisions), 3);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundUndecided.selector, 1, 1));
        _dispute(held);
        decisions[2] = decisions[0];
        held = _hold(made, 0, decisions);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundUndecided.selector, 2, 0));
        _dispute(held);
    }

    /// @dev Running out of gas while the round is judged is no judgement.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_Dispute_WithLittleGas_NeverPassesARoundThatAgrees(uint32 gasLimit) public {
        Submission memory held = _hold(_ask(_quorum(2, 3)), 0, _agreeing(3));
        bytes memory call =
            abi.encodeCall(IResultOracle.dispute, (held.made, _roundOf(held), held.reveals));
        (bool ok,) = address(oracle).call{gas: _bound(gasLimit, 30_000, 400_000)}(call);
        vm.assertFalse(ok);
        vm.assertEq(oracle.stateOf(_id(held.made)).disputes, 0);
    }

    /// @dev Otherwise a relayer could close rounds of two until they disagree.
    function test_Dispute_RevertWhen_SeatsWereLeftEmpty() public {
        bytes32[] memory two = new bytes32[](2);
        two[0] = "another";
        Submission memory held = _hold(_ask(_quorum(2, 3)), 0, two);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 2, 3));
        _dispute(held);
    }

    /// @dev A value still unseen may lie between two that are too far apart.
    function test_Dispute_RevertWhen_AMedianMayStillCome() public {
        RequestParams memory params = _quorum(3, 5);
        (params.quorum.rule, params.quorum.tolerance) = (Rule.Tolerance, 5);
        bytes32[] memory numbers = new bytes32[](5);
        numbers[1] = bytes32(uint256(10));
        numbers[2] = bytes32(uint256(100));
        numbers[3] = bytes32(uint256(200));
        numbers[4] = bytes32(uint256(5));
        Request memory made = _ask(params);
        Submission memory four = _choose(_hold(made, 0, numbers), 15);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundUndecided.selector, 2, 1));
        _dispute(four);
        Submission memory held = _decide(_choose(_hold(made, 0, numbers), 19), 2);
        _submit(held, abi.encode(held.result.worker));
    }

    /* PROBATION */

    function test_ReportDissent_PutsTheMinorityOnProbation() public {
        bytes32[] memory decisions = _agreeing(3);
        decisions[2] = "a lie";
        Submission memory held = _hold(_ask(_quorum(2, 3)), 0, decisions);
        Result memory lie = _decide(_hold(held.made, 0, decisions), 2).result;
        bytes memory signature = _signatureOf(held.reveals[2]);
        bytes memory honest = _signatureOf(held.reveals[1]);
        Result memory truth = _decide(_hold(held.made, 0, decisions), 1).result;
        vm.expectRevert(IResultOracle.NoDissent.selector);
        oracle.reportDissent(held.made, lie, signature);
        _submit(_choose(held, 3), OUTPUT);

        vm.expectRevert(IResultOracle.NoDissent.selector);
        oracle.reportDissent(held.made, truth, honest);
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        oracle.reportDissent(held.made, lie, honest);
        uint64 until = uint64(block.timestamp) + 7 days;
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.ProbationStarted(_workerAt(2), _id(held.made), until);
        vm.prank(STRANGER);
        oracle.reportDissent(held.made, lie, signature);
        vm.assertEq(oracle.probationOf(_workerAt(2)), until);
        // Showing it again later does not prolong it.
        vm.warp(block.timestamp + 1 hours);
        oracle.reportDissent(held.made, lie, signature);
        vm.assertEq(oracle.probationOf(_workerAt(2)), until);
        _expectOnProbation(2, until);
    }

    /// @dev What a worker said about something else contradicts nothing.
    function test_ReportDissent_RevertWhen_TheStatementIsAboutSomethingElse() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 2)), 0, _agreeing(2)), 3);
        _submit(held, OUTPUT);
        for (uint256 field = 0; field < 4; ++field) {
            Result memory other = _result(held.made);
            (other.outputHash, other.decision) = ("another", "another");
            if (field == 0) other.requestId = "another";
            if (field == 1) other.appId = "another";
            if (field == 2) other.modelId = "another";
            if (field == 3) other.inputCommitment = "another";
            bytes memory signature = _signed(other);
            bytes4[4] memory reasons = [
                IResultOracle.WrongRequest.selector,
                IResultOracle.WrongApp.selector,
                IResultOracle.WrongModel.selector,
                IResultOracle.WrongInput.selector
            ];
            vm.expectPartialRevert(reasons[field]);
            oracle.reportDissent(held.made, other, signature);
        }
    }

    /* REASSIGNMENT */

    function test_Named_AloneMayAnswerUntilTheirTimeIsOverAndSomeoneSaysSo() public {
        RequestParams memory params = _quorum(1, 1);
        params.workers = new address[](1);
        params.workers[0] = _workerAt(4);
        params.reservedUntil = uint64(block.timestamp) + 10 minutes;
        Request memory made = _ask(params);
        Result memory result = _result(made);
        result.deadline = made.deadline;
        bytes memory signature = _signed(result);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotAssigned.selector, worker));
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.expectPartialRevert(IRequestBook.StillReserved.selector);
        oracle.reassign(made);
        vm.warp(params.reservedUntil + 1);
        bytes32 id = _id(made);
        uint256 reward = FEE / 100;
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IRequestBook.RequestReassigned(id, STRANGER, reward);
        vm.prank(STRANGER);
        oracle.reassign(made);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.NothingToReassign.selector, id));
        oracle.reassign(made);
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.assertEq(oracle.creditOf(ETHER, STRANGER), reward);
        vm.assertEq(oracle.creditOf(ETHER, OPERATOR), FEE - reward);
    }

    function test_Named_AnswerInTime() public {
        RequestParams memory params = _quorum(2, 2);
        params.workers = new address[](2);
        (params.workers[0], params.workers[1]) = (_workerAt(0), _workerAt(1));
        params.reservedUntil = uint64(block.timestamp) + 10 minutes;
        Submission memory held = _hold(_ask(params), 0, _agreeing(2));
        _submit(held, OUTPUT);
        vm.assertTrue(oracle.stateOf(_id(held.made)).status == RequestStatus.Fulfilled);
    }

    function test_Reassign_RevertWhen_NobodyWasNamedOrItIsOver() public {
        Request memory made = _ask();
        vm.expectPartialRevert(IRequestBook.NothingToReassign.selector);
        oracle.reassign(made);
        vm.warp(made.deadline + 1);
        vm.expectPartialRevert(IRequestBook.RequestExpired.selector);
        oracle.reassign(made);
    }

    /// @dev The reward is gone from what comes back.
    function test_Refund_GivesBackWhatIsLeft() public {
        RequestParams memory params = _params();
        params.workers = new address[](1);
        params.workers[0] = _workerAt(4);
        params.reservedUntil = uint64(block.timestamp);
        Request memory made = _ask(params);
        vm.warp(block.timestamp + 1);
        vm.prank(STRANGER);
        oracle.reassign(made);
        vm.warp(made.deadline + 1);
        oracle.refund(made);
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), FEE - FEE / 100);
    }

    /* REVOKED MODELS */

    /// @dev Nobody can answer any more: whoever says so gives the requester its money back at once.
    function test_Abandon_FailsARequestWhoseModelWasRevoked() public {
        bytes32 other = _admitModel("other weights");
        RequestParams memory params = _params();
        params.modelId = other;
        Request memory made = _ask(params);
        Request memory kept = _ask(_params());
        bytes32 id = _id(made);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.ModelNotRevoked.selector, other));
        oracle.abandon(made);
        vm.prank(GUARDIAN);
        models.revoke(other);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IRequestBook.RequestFailed(id, address(consumer), FailureReason.ModelRevoked, FEE);
        vm.prank(STRANGER);
        oracle.abandon(made);
        RequestState memory state = oracle.stateOf(id);
        vm.assertTrue(state.status == RequestStatus.Failed);
        vm.assertTrue(state.failure == FailureReason.ModelRevoked);
        vm.assertTrue(state.callback == CallbackStatus.Succeeded);
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), FEE);
        vm.assertEq(consumer.errorCount(), 1);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.AlreadyFailed.selector, id));
        oracle.abandon(made);
        // Another model's requests are nobody's to end.
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.ModelNotRevoked.selector, MODEL));
        oracle.abandon(kept);
    }

    /* PARTS */

    function _split() private pure returns (bytes32[] memory decisions) {
        decisions = new bytes32[](3);
        (decisions[0], decisions[1], decisions[2]) = ("one", "another", "a third");
    }

    function _expectOnProbation(uint256 index, uint64 until) private {
        Submission memory held = _hold(_ask(_quorum(2, 2)), index - 1, _agreeing(2));
        vm.expectRevert(
            abi.encodeWithSelector(
                IResultOracle.WorkerOnProbation.selector, _workerAt(index), until
            )
        );
        _submit(held, OUTPUT);
    }
}
