// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {IResultConsumer, ResultStatus} from "../src/interfaces/IResultConsumer.sol";
import {
    CallbackStatus,
    FulfilledResult,
    IResultOracle,
    Request,
    RequestParams,
    RequestStatus
} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Result} from "../src/types/Result.sol";
import {MoodyConsumer, Mood} from "./Consumers.t.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

contract ResultOracleTest is OracleFixture {
    /// @dev Order of secp256k1, for the twin of a signature.
    uint256 private constant N = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;

    /* REQUEST */

    function test_Request_GivesIdsByChainOracleAndSequence() public {
        RequestParams memory params = _params();
        bytes32 expected = keccak256(abi.encode(block.chainid, address(oracle), 1));
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.RequestCreated(
            expected,
            APP,
            address(consumer),
            MODEL,
            INPUT,
            sha256(INPUT),
            params.deadline,
            params.callbackGasLimit,
            FEE,
            address(consumer)
        );
        vm.assertEq(_ask(), expected);
        Request memory made = oracle.getRequest(expected);
        vm.assertTrue(made.status == RequestStatus.Pending);
        vm.assertEq(made.fee, FEE);
        vm.assertEq(_ask(), keccak256(abi.encode(block.chainid, address(oracle), 2)));
    }

    function test_Request_RevertWhen_AnIdIsMissing() public {
        RequestParams memory params = _params();
        params.appId = 0;
        _expectRefusedRequest(IResultOracle.RequestIncomplete.selector, params);
        params = _params();
        params.modelId = 0;
        _expectRefusedRequest(IResultOracle.RequestIncomplete.selector, params);
    }

    function test_Request_RevertWhen_TheInputIsTooLong() public {
        RequestParams memory params = _params();
        params.input = new bytes(8193);
        _expectRefusedRequest(IResultOracle.InputTooLarge.selector, params);
        params.input = new bytes(8192);
        consumer.ask(params);
    }

    function test_Request_RevertWhen_TheDeadlineIsOutOfRange() public {
        RequestParams memory params = _params();
        params.deadline = uint64(block.timestamp);
        _expectRefusedRequest(IResultOracle.DeadlineOutOfRange.selector, params);
        params.deadline = uint64(block.timestamp + 30 days + 1);
        _expectRefusedRequest(IResultOracle.DeadlineOutOfRange.selector, params);
        params.deadline -= 1;
        consumer.ask(params);
    }

    function test_Request_RevertWhen_TheCallbackGasIsOutOfRange() public {
        RequestParams memory params = _params();
        params.callbackGasLimit = 29_999;
        _expectRefusedRequest(IResultOracle.CallbackGasOutOfRange.selector, params);
        params.callbackGasLimit = 2_000_001;
        _expectRefusedRequest(IResultOracle.CallbackGasOutOfRange.selector, params);
    }

    function test_Request_RevertWhen_TheRequesterIsNoConsumer() public {
        RequestParams memory params = _params();
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotAConsumer.selector, STRANGER));
        vm.prank(STRANGER);
        oracle.request(params);
        params.callbackGasLimit = 0;
        vm.prank(STRANGER);
        oracle.request(params);
    }

    function test_Request_RevertWhen_TheFeeDoesNotFit() public {
        vm.deal(address(this), 1 << 89);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.FeeTooLarge.selector, 1 << 88));
        consumer.ask{value: 1 << 88}(_params());
    }

    /* FULFILL */

    function testFuzz_Fulfill_PaysRecordsAndCallsBackWhoeverSends(address sender) public {
        bytes32 requestId = _ask();
        Result memory result = _result(requestId);
        bytes memory signature = _signed(result);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.RequestFulfilled(
            requestId,
            APP,
            worker,
            OPERATOR,
            ProofKind.Committee,
            MODEL,
            sha256(OUTPUT),
            7,
            1,
            FEE,
            OUTPUT
        );
        vm.prank(sender);
        oracle.fulfill(result, OUTPUT, signature);
        vm.assertEq(oracle.creditOf(OPERATOR), FEE);
        vm.assertEq(consumer.calls(), 1);
        vm.assertEq(consumer.lastOutput(), OUTPUT);
        FulfilledResult memory kept = oracle.getResult(requestId);
        vm.assertEq(kept.worker, worker);
        vm.assertEq(kept.outputHash, sha256(OUTPUT));
        vm.assertEq(kept.fulfilledAt, block.timestamp);
        vm.assertTrue(kept.kind == ProofKind.Committee);
        vm.assertTrue(kept.callback == CallbackStatus.Succeeded);
        vm.assertTrue(oracle.getRequest(requestId).status == RequestStatus.Fulfilled);
    }

    function testFuzz_Fulfill_RevertGiven_TheRequestIsUnknown(bytes32 requestId) public {
        Result memory result = _result(requestId);
        bytes memory signature = _signed(result);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.UnknownRequest.selector, requestId));
        oracle.fulfill(result, OUTPUT, signature);
    }

    function test_Fulfill_RevertGiven_TheRequestHasEnded() public {
        bytes32 requestId = _ask();
        _fulfill(requestId);
        Result memory result = _result(requestId);
        result.nonce = 2;
        _expectRefusal(IResultOracle.AlreadyFulfilled.selector, result);
        requestId = _ask();
        result = _result(requestId);
        vm.warp(block.timestamp + 1 hours);
        result.deadline = uint64(block.timestamp) + 10;
        vm.warp(block.timestamp + 1);
        _expectRefusal(IResultOracle.RequestExpired.selector, result);
        oracle.expire(requestId);
        _expectRefusal(IResultOracle.AlreadyRefunded.selector, result);
    }

    function test_Fulfill_RevertWhen_AFieldIsNotTheRequests() public {
        bytes32 requestId = _ask();
        Result memory result = _result(requestId);
        result.appId = keccak256("another app");
        _expectRefusal(IResultOracle.WrongApp.selector, result);
        result = _result(requestId);
        result.modelId = keccak256("another model");
        _expectRefusal(IResultOracle.WrongModel.selector, result);
        result = _result(requestId);
        result.weightsRoot = keccak256("other weights");
        _expectRefusal(IResultOracle.WrongWeights.selector, result);
        result = _result(requestId);
        result.inputCommitment = sha256("another input");
        _expectRefusal(IResultOracle.WrongInput.selector, result);
        result = _result(requestId);
        result.outputHash = sha256("another output");
        _expectRefusal(IResultOracle.OutputMismatch.selector, result);
        result = _result(requestId);
        result.keyEpoch = 1;
        _expectRefusal(IResultOracle.WrongKeyEpoch.selector, result);
        result = _result(requestId);
        result.policyVersion = 1;
        _expectRefusal(IResultOracle.WrongPolicyVersion.selector, result);
        result = _result(requestId);
        result.deadline = uint64(block.timestamp) - 1;
        _expectRefusal(IResultOracle.ResultExpired.selector, result);
    }

    function test_Fulfill_RevertWhen_TheOutputIsTooLong() public {
        bytes memory output = new bytes(8193);
        Result memory result = _result(_ask());
        result.outputHash = sha256(output);
        bytes memory signature = _signed(result);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.OutputTooLarge.selector, 8193, 8192));
        oracle.fulfill(result, output, signature);
    }

    function test_Fulfill_RevertWhen_TheSignatureIsNotInItsOneEncoding() public {
        Result memory result = _result(_ask());
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
            oracle.fulfill(result, OUTPUT, forms[i]);
        }
    }

    function testFuzz_Fulfill_RevertWhen_AnotherKeySigned(uint256 key) public {
        key = _bound(key, 1, N - 1);
        vm.assume(key != WORKER_KEY);
        Result memory result = _result(_ask());
        bytes memory signature = _sign(key, oracle.resultDigest(result));
        vm.expectRevert(
            abi.encodeWithSelector(IResultOracle.WrongSigner.selector, vm.addr(key), worker)
        );
        oracle.fulfill(result, OUTPUT, signature);
    }

    function test_Fulfill_RevertWhen_SignedForAnotherOracleOrChain() public {
        Result memory result = _result(_ask());
        bytes memory elsewhere = _sign(WORKER_KEY, new ResultOracle(workers).resultDigest(result));
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        oracle.fulfill(result, OUTPUT, elsewhere);
        bytes memory here = _signed(result);
        vm.chainId(block.chainid + 1);
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        oracle.fulfill(result, OUTPUT, here);
    }

    function test_Fulfill_RevertGiven_TheWorkerIsNoLongerActive() public {
        bytes32 requestId = _ask();
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectRefusal(IMeasurementRegistry.MeasurementNotAdmitted.selector, _result(requestId));
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        _expectRefusal(IWorkerRegistry.WorkerIsRevoked.selector, _result(requestId));
    }

    function test_Fulfill_RevertWhen_AKeyThatNeverRegisteredSigns() public {
        Result memory result = _result(_ask());
        result.worker = vm.addr(0xbad);
        bytes memory signature = _sign(0xbad, oracle.resultDigest(result));
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRegistry.WorkerUnknown.selector, result.worker)
        );
        oracle.fulfill(result, OUTPUT, signature);
    }

    function testFuzz_Fulfill_WithLittleGas_NeverMakesASoundCallbackFail(uint32 gasLimit) public {
        bytes32 requestId = _ask();
        Result memory result = _result(requestId);
        bytes memory data = abi.encodeCall(IResultOracle.fulfill, (result, OUTPUT, _signed(result)));
        (bool ok,) = address(oracle).call{gas: _bound(gasLimit, 50_000, 1_000_000)}(data);
        vm.assertEq(consumer.calls(), ok ? 1 : 0);
        vm.assertEq(oracle.creditOf(OPERATOR), ok ? FEE : 0);
    }

    /* CALLBACK */

    function testFuzz_Callback_APoisonousConsumerHurtsOnlyItself(uint8 mood) public {
        mood = uint8(_bound(mood, 1, uint8(type(Mood).max)));
        bytes32 requestId = _ask();
        Result memory result = _result(requestId);
        bytes memory signature = _signed(result);
        consumer.setReplay(result, signature);
        consumer.setMood(Mood(mood));
        uint256 before = gasleft();
        oracle.fulfill(result, OUTPUT, signature);
        vm.assertLt(before - gasleft(), 600_000);
        vm.assertEq(oracle.creditOf(OPERATOR), FEE);
        vm.assertEq(oracle.requestCount(), 1);
        vm.assertEq(consumer.calls(), 0);
        // A callback that returns a bomb did not fail: it returned.
        CallbackStatus expected =
            Mood(mood) == Mood.ReturnsABomb ? CallbackStatus.Succeeded : CallbackStatus.Failed;
        vm.assertTrue(oracle.getResult(requestId).callback == expected);
    }

    function test_Callback_SaysWhyItFailed() public {
        consumer.setMood(Mood.Reverts);
        bytes32 requestId = _ask();
        Result memory result = _result(requestId);
        bytes memory signature = _signed(result);
        vm.recordLogs();
        oracle.fulfill(result, OUTPUT, signature);
        (bytes32 reason,) = abi.decode(vm.getRecordedLogs()[1].data, (bytes32, uint256));
        vm.assertEq(bytes32(bytes4(reason)), bytes32(MoodyConsumer.Moody.selector));
    }

    function test_Callback_IsNotMadeWithoutAGasLimit() public {
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        bytes32 requestId = consumer.ask(params);
        _fulfill(requestId);
        vm.assertEq(consumer.calls(), 0);
        vm.assertTrue(oracle.getResult(requestId).callback == CallbackStatus.None);
    }

    function testFuzz_OnResult_RevertWhen_TheCallerIsNotTheOracle(address caller) public {
        vm.assume(caller != address(oracle));
        vm.expectRevert(abi.encodeWithSelector(AttestedConsumer.NotTheOracle.selector, caller));
        vm.prank(caller);
        consumer.onResult(0, ResultStatus.Fulfilled, "");
    }

    /* RETRY */

    function test_RetryCallback_DeliversOnce() public {
        bytes32 requestId = _askAndFail();
        consumer.retry(requestId, OUTPUT);
        vm.assertEq(consumer.lastOutput(), OUTPUT);
        vm.expectPartialRevert(IResultOracle.NothingToRetry.selector);
        consumer.retry(requestId, OUTPUT);
        vm.assertEq(consumer.calls(), 1);
    }

    function test_RetryCallback_RevertWhen_ItMayNot() public {
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.UnknownRequest.selector, bytes32(0)));
        consumer.retry(0, OUTPUT);
        bytes32 requestId = _askAndFail();
        vm.expectPartialRevert(IResultOracle.NotTheRequester.selector);
        oracle.retryCallback(requestId, OUTPUT);
        vm.expectPartialRevert(IResultOracle.OutputMismatch.selector);
        consumer.retry(requestId, "another output");
        consumer.setMood(Mood.Reverts);
        vm.expectPartialRevert(IResultOracle.CallbackReverted.selector);
        consumer.retry(requestId, OUTPUT);
        vm.assertTrue(oracle.getResult(requestId).callback == CallbackStatus.Failed);
    }

    /* EXPIRE */

    function test_Expire_RefundsAndTellsTheConsumer() public {
        RequestParams memory params = _params();
        params.refundTo = STRANGER;
        bytes32 requestId = consumer.ask{value: FEE}(params);
        vm.warp(params.deadline);
        vm.expectPartialRevert(IResultOracle.RequestNotExpired.selector);
        oracle.expire(requestId);
        vm.warp(params.deadline + 1);
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.RequestRefunded(requestId, STRANGER, FEE);
        oracle.expire(requestId);
        vm.assertEq(oracle.creditOf(STRANGER), FEE);
        vm.assertEq(consumer.errorCount(), 1);
        vm.assertEq(consumer.calls(), 0);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.AlreadyRefunded.selector, requestId));
        oracle.expire(requestId);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotFulfilled.selector, requestId));
        oracle.getResult(requestId);
    }

    function testFuzz_Expire_APoisonousConsumerIsRefundedAllTheSame(uint8 mood) public {
        consumer.setMood(Mood(_bound(mood, 1, uint8(type(Mood).max))));
        bytes32 requestId = _ask();
        vm.warp(block.timestamp + 1 hours + 1);
        oracle.expire(requestId);
        vm.assertEq(oracle.creditOf(address(consumer)), FEE);
    }

    /* WITHDRAW */

    function test_Withdraw_PaysTheWholeCreditToAnyAddress() public {
        _fulfill(_ask());
        _fulfill(_ask());
        vm.expectEmit(true, true, true, true, address(oracle));
        emit IResultOracle.Withdrawn(OPERATOR, STRANGER, 2 * FEE);
        vm.startPrank(OPERATOR);
        oracle.withdraw(payable(STRANGER));
        vm.assertEq(STRANGER.balance, 2 * FEE);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NoCredit.selector, OPERATOR));
        oracle.withdraw(payable(STRANGER));
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        oracle.withdraw(payable(address(0)));
    }

    function test_Constructor_RevertWhen_SomethingIsMissing() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new ResultOracle(IWorkerRegistry(address(0)));
        vm.expectRevert(abi.encodeWithSelector(AttestedConsumer.OracleMissing.selector, STRANGER));
        new MoodyConsumer(IResultOracle(STRANGER));
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(oracle.supportsInterface(type(IResultOracle).interfaceId));
        vm.assertFalse(oracle.supportsInterface(0xffffffff));
        vm.assertTrue(consumer.supportsInterface(type(IResultConsumer).interfaceId));
    }

    /* PARTS */

    function _askAndFail() private returns (bytes32 requestId) {
        consumer.setMood(Mood.Reverts);
        requestId = _ask();
        _fulfill(requestId);
        consumer.setMood(Mood.Calm);
    }

    function _expectRefusedRequest(bytes4 reason, RequestParams memory params) private {
        vm.expectPartialRevert(reason);
        consumer.ask(params);
    }

    function _expectRefusal(bytes4 reason, Result memory result) private {
        bytes memory signature = _signed(result);
        vm.expectPartialRevert(reason);
        oracle.fulfill(result, OUTPUT, signature);
    }
}
