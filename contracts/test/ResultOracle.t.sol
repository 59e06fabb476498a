// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {IResultConsumer, ResultStatus} from "../src/interfaces/IResultConsumer.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {
    CallbackStatus,
    IRequestBook,
    RequestParams,
    RequestState,
    RequestStatus
} from "../src/interfaces/IRequestBook.sol";
import {FulfilledResult, IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Quorum, Request, Rule} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {MoodyConsumer, Mood} from "./Consumers.t.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

contract ResultOracleTest is OracleFixture {
    /// @dev Order of secp256k1, for the twin of a signature.
    uint256 private constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    /* REQUEST */

    function test_Request_GivesTheHashOfItsTermsAsId() public {
        RequestParams memory params = _params();
        Request memory made = _request(params, address(consumer));
        bytes32 expected = keccak256(abi.encode(block.chainid, address(oracle), made));
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IRequestBook.RequestCreated(expected, APP, address(consumer), made, INPUT);
        vm.assertEq(consumer.ask{value: FEE}(params), expected);
        vm.assertTrue(oracle.stateOf(expected).status == RequestStatus.Pending);
        vm.assertEq(made.payment.refundTo, address(consumer));
        vm.assertEq(oracle.sequenceOf(address(consumer)), 1);
        // The same again is another request.
        vm.assertTrue(consumer.ask{value: FEE}(params) != expected);
    }

    function test_Request_TakesACommitmentInsteadOfTheInput() public {
        RequestParams memory params = _params();
        params.inputCommitment = sha256(INPUT);
        bytes32 plain = _id(_ask(params));
        params.input = "";
        Request memory made = _request(params, address(consumer));
        made.inputCommitment = sha256(INPUT);
        vm.assertEq(consumer.ask{value: FEE}(params), _id(made));
        vm.assertTrue(plain != _id(made));
        params.input = "another";
        _expectRefusedRequest(IRequestBook.InputMismatch.selector, params);
    }

    function test_Request_RevertWhen_AnIdIsMissing() public {
        RequestParams memory params = _params();
        params.appId = 0;
        _expectRefusedRequest(IRequestBook.RequestIncomplete.selector, params);
        params = _params();
        params.modelId = 0;
        _expectRefusedRequest(IRequestBook.RequestIncomplete.selector, params);
    }

    function test_Request_RevertWhen_TheInputIsTooLong() public {
        RequestParams memory params = _params();
        params.input = new bytes(8193);
        _expectRefusedRequest(IRequestBook.InputTooLarge.selector, params);
        params.input = new bytes(8192);
        _ask(params);
    }

    function test_Request_RevertWhen_TheDeadlineIsOutOfRange() public {
        RequestParams memory params = _params();
        params.deadline = uint64(block.timestamp);
        _expectRefusedRequest(IRequestBook.DeadlineOutOfRange.selector, params);
        params.deadline = uint64(block.timestamp + 30 days + 1);
        _expectRefusedRequest(IRequestBook.DeadlineOutOfRange.selector, params);
        params.deadline -= 1;
        _ask(params);
    }

    function test_Request_RevertWhen_TheCallbackGasIsOutOfRange() public {
        RequestParams memory params = _params();
        params.callbackGasLimit = 29_999;
        _expectRefusedRequest(IRequestBook.CallbackGasOutOfRange.selector, params);
        params.callbackGasLimit = 2_000_001;
        _expectRefusedRequest(IRequestBook.CallbackGasOutOfRange.selector, params);
    }

    function test_Request_RevertWhen_TheRequesterIsNoConsumer() public {
        RequestParams memory params = _params();
        params.payment.maxFee = 0;
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.NotAConsumer.selector, STRANGER));
        vm.prank(STRANGER);
        oracle.request(params);
        params.callbackGasLimit = 0;
        vm.prank(STRANGER);
        oracle.request(params);
    }

    function testFuzz_Request_RevertWhen_TheQuorumIsNone(
        uint8 results,
        uint8 seats,
        uint8 operators,
        uint8 vendors,
        uint8 rule,
        uint128 tolerance
    ) public {
        // Small numbers, so that sound ones come up, and any.
        if (rule < 128) {
            (results, seats) = (results % 18, seats % 18);
            (operators, vendors, tolerance) = (operators % 4, vendors % 4, tolerance % 2);
        }
        Quorum memory quorum = Quorum(results, seats, operators, vendors, Rule(rule % 3), tolerance);
        bool majority = quorum.results <= quorum.seats && 2 * uint256(quorum.results) > quorum.seats;
        bool sound = majority && quorum.seats <= 16 && quorum.operators != 0
            && quorum.operators <= quorum.results && quorum.vendors != 0
            && quorum.vendors <= quorum.results
            && quorum.tolerance <= (quorum.rule == Rule.Tolerance ? type(uint128).max / 2 : 0);
        RequestParams memory params = _params();
        params.quorum = quorum;
        if (!sound) {
            _expectRefusedRequest(IRequestBook.QuorumOutOfRange.selector, params);
        } else if (quorum.seats == 1 && quorum.rule != Rule.Exact) {
            _expectRefusedRequest(IRequestBook.NothingToCompare.selector, params);
        } else {
            _ask(params);
        }
    }

    /// @dev One answer has no other to be compared with by class or number.
    function test_Request_RevertWhen_OneAnswerIsToBeCompared() public {
        RequestParams memory params = _params();
        for (uint8 rule = 1; rule < 3; ++rule) {
            params.quorum.rule = Rule(rule);
            vm.expectRevert(
                abi.encodeWithSelector(IRequestBook.NothingToCompare.selector, params.quorum.rule)
            );
            consumer.ask{value: FEE}(params);
        }
        (params.quorum.results, params.quorum.seats) = (2, 3);
        _ask(params);
    }

    function test_Request_RevertWhen_TheWorkersAreOutOfOrder() public {
        RequestParams memory params = _params();
        params.reservedUntil = uint64(block.timestamp) + 10;
        params.quorum.results = 2;
        params.quorum.seats = 2;
        params.workers = new address[](2);
        _expectRefusedRequest(IRequestBook.WorkersOutOfOrder.selector, params);
        (params.workers[0], params.workers[1]) = (address(2), address(1));
        _expectRefusedRequest(IRequestBook.WorkersOutOfOrder.selector, params);
        params.workers[1] = address(2);
        _expectRefusedRequest(IRequestBook.WorkersOutOfOrder.selector, params);
        params.workers[1] = address(3);
        params.quorum.seats = 3;
        _expectRefusedRequest(IRequestBook.WorkersOutOfOrder.selector, params);
        params.quorum.seats = 2;
        _ask(params);
    }

    function test_Request_RevertWhen_TheReservationIsOutOfRange() public {
        RequestParams memory params = _params();
        params.reservedUntil = params.deadline - 1;
        _expectRefusedRequest(IRequestBook.ReservationOutOfRange.selector, params);
        params.workers = new address[](1);
        params.workers[0] = worker;
        _ask(params);
        params.reservedUntil = params.deadline;
        _expectRefusedRequest(IRequestBook.ReservationOutOfRange.selector, params);
        params.reservedUntil = uint64(block.timestamp) - 1;
        _expectRefusedRequest(IRequestBook.ReservationOutOfRange.selector, params);
    }

    /* FULFILL */

    function testFuzz_Fulfill_PaysRecordsAndCallsBackWhoeverSends(address sender) public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.WorkerPaid(_id(made), worker, OPERATOR, 7, FEE);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.RequestFulfilled(
            _id(made),
            APP,
            worker,
            ProofKind.Committee,
            WEIGHTS,
            sha256(OUTPUT),
            sha256(OUTPUT),
            OUTPUT
        );
        vm.prank(sender);
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.assertEq(oracle.creditOf(ETHER, OPERATOR), FEE);
        vm.assertEq(consumer.calls(), 1);
        vm.assertEq(consumer.lastOutput(), OUTPUT);
        FulfilledResult memory kept = oracle.getResult(_id(made));
        vm.assertEq(kept.worker, worker);
        vm.assertEq(kept.outputHash, sha256(OUTPUT));
        vm.assertEq(kept.decision, sha256(OUTPUT));
        vm.assertEq(kept.fulfilledAt, block.timestamp);
        vm.assertTrue(kept.kind == ProofKind.Committee);
        vm.assertTrue(kept.callback == CallbackStatus.Succeeded);
        RequestState memory state = oracle.stateOf(_id(made));
        vm.assertTrue(state.status == RequestStatus.Fulfilled);
    }

    /// @dev Whatever of the terms is changed, they are another request's.
    function testFuzz_Fulfill_RevertGiven_TheRequestIsUnknown(uint256 field) public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        field = _bound(field, 0, 8);
        if (field == 0) made.deadline += 1;
        if (field == 1) made.payment.maxFee += 1;
        if (field == 2) made.payment.refundTo = STRANGER;
        if (field == 3) made.requester = STRANGER;
        if (field == 4) made.quorum.tolerance = 1;
        if (field == 5) made.workers = new address[](1);
        if (field == 6) made.sequence += 1;
        if (field == 7) made.callbackGasLimit = 0;
        if (field == 8) made.payment.token = STRANGER;
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.UnknownRequest.selector, _id(made)));
        oracle.fulfill(made, result, OUTPUT, signature);
    }

    function test_Fulfill_RevertGiven_TheRequestHasEnded() public {
        Request memory made = _ask();
        _fulfill(made);
        Result memory result = _result(made);
        result.nonce = 2;
        _expectRefusal(IRequestBook.AlreadyFulfilled.selector, made, result);
        made = _ask();
        result = _result(made);
        vm.warp(block.timestamp + 1 hours);
        result.deadline = uint64(block.timestamp) + 10;
        vm.warp(block.timestamp + 1);
        _expectRefusal(IRequestBook.RequestExpired.selector, made, result);
        oracle.refund(made);
        _expectRefusal(IRequestBook.AlreadyRefunded.selector, made, result);
    }

    function test_Fulfill_RevertWhen_AFieldIsNotTheRequests() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        result.requestId = keccak256("another request");
        _expectRefusal(IResultOracle.WrongRequest.selector, made, result);
        result = _result(made);
        result.appId = keccak256("another app");
        _expectRefusal(IResultOracle.WrongApp.selector, made, result);
        result = _result(made);
        result.modelId = keccak256("another model");
        _expectRefusal(IResultOracle.WrongModel.selector, made, result);
        result = _result(made);
        result.weightsRoot = keccak256("other weights");
        _expectRefusal(IResultOracle.WrongWeights.selector, made, result);
        result = _result(made);
        result.inputCommitment = sha256("another input");
        _expectRefusal(IResultOracle.WrongInput.selector, made, result);
        result = _result(made);
        (result.outputHash, result.decision) = (sha256("another"), sha256("another"));
        _expectRefusal(IResultOracle.OutputMismatch.selector, made, result);
        result = _result(made);
        result.decision = sha256("another");
        _expectRefusal(IResultOracle.WrongDecision.selector, made, result);
        result = _result(made);
        result.round = keccak256("a round");
        _expectRefusal(IResultOracle.WrongRound.selector, made, result);
        result = _result(made);
        result.keyEpoch = 1;
        _expectRefusal(IResultOracle.WrongKeyEpoch.selector, made, result);
        result = _result(made);
        result.policyVersion = 1;
        _expectRefusal(IResultOracle.WrongPolicyVersion.selector, made, result);
        result = _result(made);
        result.deadline = uint64(block.timestamp) - 1;
        _expectRefusal(IResultOracle.ResultExpired.selector, made, result);
    }

    /// @dev What the worker did not sign: its number of units, its nonce, its deadline.
    function test_Fulfill_RevertWhen_AFieldIsNotTheSignedOne() public {
        Request memory made = _ask();
        bytes memory signature = _signed(_result(made));
        for (uint256 field = 0; field < 3; ++field) {
            Result memory result = _result(made);
            if (field == 0) result.units += 1;
            if (field == 1) result.nonce += 1;
            if (field == 2) result.deadline += 1;
            vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
            oracle.fulfill(made, result, OUTPUT, signature);
        }
    }

    function test_Fulfill_RevertWhen_TheOutputIsTooLong() public {
        bytes memory output = new bytes(8193);
        Request memory made = _ask();
        Result memory result = _result(made);
        (result.outputHash, result.decision) = (sha256(output), sha256(output));
        bytes memory signature = _signed(result);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.OutputTooLarge.selector, 8193, 8192));
        oracle.fulfill(made, result, output, signature);
    }

    function test_Fulfill_RevertWhen_TheSignatureIsNotInItsOneEncoding() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(WORKER_KEY, oracle.resultDigest(result));
        bytes[5] memory forms = [
            abi.encodePacked(r, bytes32(N - uint256(s)), v == 27 ? uint8(28) : uint8(27)),
            abi.encodePacked(r, s, v - 27),
            abi.encodePacked(r, bytes32(uint256(s) | (uint256(v - 27) << 255))),
            abi.encodePacked(r, s, v, uint8(0)),
            new bytes(65)
        ];
        for (uint256 i = 0; i < forms.length; ++i) {
            vm.expectRevert(IResultOracle.InvalidSignature.selector);
            oracle.fulfill(made, result, OUTPUT, forms[i]);
        }
    }

    function testFuzz_Fulfill_RevertWhen_AnotherKeySigned(uint256 key) public {
        key = _bound(key, 1, N - 1);
        vm.assume(key != WORKER_KEY);
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _sign(key, oracle.resultDigest(result));
        vm.expectRevert(
            abi.encodeWithSelector(IResultOracle.WrongSigner.selector, vm.addr(key), worker)
        );
        oracle.fulfill(made, result, OUTPUT, signature);
    }

    function test_Fulfill_RevertWhen_SignedForAnotherOracleOrChain() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory elsewhere = _sign(
            WORKER_KEY, new ResultOracle(workers, models, _quotas(), _tokens()).resultDigest(result)
        );
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        oracle.fulfill(made, result, OUTPUT, elsewhere);
        bytes memory here = _signed(result);
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(IRequestBook.UnknownRequest.selector);
        oracle.fulfill(made, result, OUTPUT, here);
        made = _ask();
        result.requestId = _id(made);
        bytes memory forked = _signed(result);
        vm.chainId(block.chainid - 1);
        made = _ask();
        result.requestId = _id(made);
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        oracle.fulfill(made, result, OUTPUT, forked);
    }

    function test_Fulfill_RevertGiven_TheWorkerIsNoLongerActive() public {
        Request memory made = _ask();
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectRefusal(IMeasurementRegistry.MeasurementNotAdmitted.selector, made, _result(made));
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        _expectRefusal(IWorkerRegistry.WorkerIsRevoked.selector, made, _result(made));
    }

    function test_Fulfill_RevertWhen_AKeyThatNeverRegisteredSigns() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        result.worker = vm.addr(0xbad);
        bytes memory signature = _sign(0xbad, oracle.resultDigest(result));
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, result.worker)
        );
        oracle.fulfill(made, result, OUTPUT, signature);
    }

    function testFuzz_Fulfill_WithLittleGas_NeverMakesASoundCallbackFail(uint32 gasLimit) public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory data =
            abi.encodeCall(IResultOracle.fulfill, (made, result, OUTPUT, _signed(result)));
        (bool ok,) = address(oracle).call{gas: _bound(gasLimit, 50_000, 1_000_000)}(data);
        vm.assertEq(consumer.calls(), ok ? 1 : 0);
        vm.assertEq(oracle.creditOf(ETHER, OPERATOR), ok ? FEE : 0);
    }

    /* CALLBACK */

    function test_Fulfill_RevertWhen_TheGasLeftIsTooLittleForTheCallback() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory data =
            abi.encodeCall(IResultOracle.fulfill, (made, result, OUTPUT, _signed(result)));
        uint256 refused = 0;
        bool ok = false;
        for (uint256 gasLimit = 60_000; !ok; gasLimit += 5_000) {
            bytes memory answer;
            (ok, answer) = address(oracle).call{gas: gasLimit}(data);
            // Nothing comes back from a call that ran out of gas, nor from one that was made.
            if (answer.length == 0) continue;
            vm.assertTrue(bytes4(answer) == IRequestBook.InsufficientGas.selector);
            ++refused;
        }
        vm.assertGt(refused, 0);
        vm.assertEq(consumer.calls(), 1);
    }

    function testFuzz_Callback_APoisonousConsumerHurtsOnlyItself(uint8 mood) public {
        mood = uint8(_bound(mood, 1, uint8(type(Mood).max)));
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        consumer.setReentry(
            abi.encodeCall(IResultOracle.fulfill, (made, result, OUTPUT, signature))
        );
        consumer.setMood(Mood(mood));
        uint256 before = gasleft();
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.assertLt(before - gasleft(), 600_000);
        vm.assertEq(oracle.creditOf(ETHER, OPERATOR), FEE);
        vm.assertEq(oracle.sequenceOf(address(consumer)), 1);
        vm.assertEq(consumer.calls(), 0);
        // A callback that returns a bomb did not fail: it returned.
        CallbackStatus expected =
            Mood(mood) == Mood.ReturnsABomb ? CallbackStatus.Succeeded : CallbackStatus.Failed;
        vm.assertTrue(oracle.getResult(_id(made)).callback == expected);
    }

    function test_Callback_SaysWhyItFailed() public {
        consumer.setMood(Mood.Reverts);
        Request memory made = _ask();
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        vm.recordLogs();
        oracle.fulfill(made, result, OUTPUT, signature);
        (bytes32 reason,) = abi.decode(vm.getRecordedLogs()[2].data, (bytes32, uint256));
        vm.assertEq(bytes32(bytes4(reason)), bytes32(MoodyConsumer.Moody.selector));
    }

    function test_Callback_IsNotMadeWithoutAGasLimit() public {
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        Request memory made = _ask(params);
        _fulfill(made);
        vm.assertEq(consumer.calls(), 0);
        vm.assertTrue(oracle.getResult(_id(made)).callback == CallbackStatus.None);
    }

    function testFuzz_OnResult_RevertWhen_TheCallerIsNotTheOracle(address caller) public {
        vm.assume(caller != address(oracle));
        vm.expectRevert(abi.encodeWithSelector(AttestedConsumer.NotTheOracle.selector, caller));
        vm.prank(caller);
        consumer.onResult(0, ResultStatus.Fulfilled, "");
    }

    /* RETRY */

    function test_RetryCallback_DeliversOnce() public {
        Request memory made = _askAndFail();
        consumer.retry(made, OUTPUT);
        vm.assertEq(consumer.lastOutput(), OUTPUT);
        vm.expectPartialRevert(IRequestBook.NothingToRetry.selector);
        consumer.retry(made, OUTPUT);
        vm.assertEq(consumer.calls(), 1);
    }

    function test_RetryCallback_RevertWhen_ItMayNot() public {
        Request memory unknown = _request(_params(), address(consumer));
        vm.expectPartialRevert(IRequestBook.UnknownRequest.selector);
        consumer.retry(unknown, OUTPUT);
        Request memory made = _askAndFail();
        vm.expectPartialRevert(IRequestBook.NotTheRequester.selector);
        oracle.retryCallback(made, OUTPUT);
        vm.expectPartialRevert(IResultOracle.OutputMismatch.selector);
        consumer.retry(made, "another output");
        consumer.setMood(Mood.Reverts);
        vm.expectPartialRevert(IRequestBook.CallbackReverted.selector);
        consumer.retry(made, OUTPUT);
        vm.assertTrue(oracle.getResult(_id(made)).callback == CallbackStatus.Failed);
    }

    /// @dev Success and error have one entry, and one way to hear of it again.
    function test_RetryCallback_TellsOfAnEndWithoutAnAnswer() public {
        Request memory refunded = _ask();
        RequestParams memory params = _params();
        params.modelId = _admitModel("other weights");
        Request memory failed = _ask(params);
        vm.expectPartialRevert(IRequestBook.NothingToRetry.selector);
        consumer.retry(refunded, "");
        consumer.setMood(Mood.Reverts);
        vm.prank(GUARDIAN);
        models.revoke(params.modelId);
        oracle.abandon(failed);
        vm.warp(refunded.deadline + 1);
        oracle.refund(refunded);
        _expectTold(failed, ResultStatus.Failed);
        _expectTold(refunded, ResultStatus.Refunded);
        vm.assertEq(consumer.errorCount(), 2);
    }

    /* REFUND */

    function test_Refund_RefundsAndTellsTheConsumer() public {
        RequestParams memory params = _params();
        params.payment.refundTo = STRANGER;
        Request memory made = _ask(params);
        bytes32 requestId = _id(made);
        vm.warp(params.deadline);
        vm.expectPartialRevert(IRequestBook.RequestNotExpired.selector);
        oracle.refund(made);
        vm.warp(params.deadline + 1);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IRequestBook.RequestRefunded(requestId, STRANGER, FEE);
        oracle.refund(made);
        vm.assertEq(oracle.creditOf(ETHER, STRANGER), FEE);
        vm.assertEq(consumer.errorCount(), 1);
        vm.assertEq(consumer.calls(), 0);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.AlreadyRefunded.selector, requestId));
        oracle.refund(made);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.NotFulfilled.selector, requestId));
        oracle.getResult(requestId);
    }

    function testFuzz_Refund_APoisonousConsumerIsRefundedAllTheSame(uint8 mood) public {
        consumer.setMood(Mood(_bound(mood, 1, uint8(type(Mood).max))));
        Request memory made = _ask();
        vm.warp(block.timestamp + 1 hours + 1);
        oracle.refund(made);
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), FEE);
    }

    /* WITHDRAW */

    function test_Withdraw_PaysTheWholeCreditToAnyAddress() public {
        _fulfill(_ask());
        _fulfill(_ask());
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IEscrow.Withdrawn(ETHER, OPERATOR, STRANGER, 2 * FEE);
        vm.startPrank(OPERATOR);
        oracle.withdraw(ETHER, payable(STRANGER));
        vm.assertEq(STRANGER.balance, 2 * FEE);
        vm.expectRevert(abi.encodeWithSelector(IEscrow.NoCredit.selector, OPERATOR));
        oracle.withdraw(ETHER, payable(STRANGER));
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        oracle.withdraw(ETHER, payable(address(0)));
    }

    /// @dev A contract that put up the fee itself fetches what comes back by the one function it inherits.
    function test_Withdraw_FetchesWhatAConsumerIsRefunded() public {
        Request memory made = _ask();
        vm.warp(made.deadline + 1);
        oracle.refund(made);
        consumer.withdraw(ETHER, payable(STRANGER));
        vm.assertEq(STRANGER.balance, FEE);
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), 0);
    }

    function test_Constructor_RevertWhen_SomethingIsMissing() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new ResultOracle(IWorkerRegistry(address(0)), models, _quotas(), _tokens());
        vm.expectRevert(abi.encodeWithSelector(AttestedConsumer.OracleMissing.selector, STRANGER));
        new MoodyConsumer(IResultOracle(STRANGER));
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(oracle.supportsInterface(type(IResultOracle).interfaceId));
        vm.assertTrue(oracle.supportsInterface(type(IRequestBook).interfaceId));
        vm.assertFalse(oracle.supportsInterface(0xffffffff));
        vm.assertTrue(consumer.supportsInterface(type(IResultConsumer).interfaceId));
    }

    /* PARTS */

    function _askAndFail() private returns (Request memory made) {
        consumer.setMood(Mood.Reverts);
        made = _ask();
        _fulfill(made);
        consumer.setMood(Mood.Calm);
    }

    /// @dev Its callback failed. The next one reverts again and changes nothing, the one after succeeds and
    /// is the last, whatever is given for an output.
    function _expectTold(Request memory made, ResultStatus status) private {
        vm.assertTrue(oracle.stateOf(_id(made)).callback == CallbackStatus.Failed);
        consumer.setMood(Mood.Reverts);
        vm.expectPartialRevert(IRequestBook.CallbackReverted.selector);
        consumer.retry(made, OUTPUT);
        consumer.setMood(Mood.Calm);
        consumer.retry(made, OUTPUT);
        vm.assertEq(consumer.lastId(), _id(made));
        vm.assertTrue(consumer.lastStatus() == status);
        vm.expectPartialRevert(IRequestBook.NothingToRetry.selector);
        consumer.retry(made, OUTPUT);
    }

    function _expectRefusedRequest(bytes4 reason, RequestParams memory params) private {
        vm.expectPartialRevert(reason);
        consumer.ask{value: params.payment.maxFee}(params);
    }

    function _expectRefusal(bytes4 reason, Request memory made, Result memory result) private {
        bytes memory signature = _signed(result);
        vm.expectPartialRevert(reason);
        oracle.fulfill(made, result, OUTPUT, signature);
    }
}
