// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {Claim, IBatchOracle} from "../src/interfaces/IBatchOracle.sol";
import {IEscrow} from "../src/interfaces/IEscrow.sol";
import {IRequestBook, RequestParams} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle, Reveal} from "../src/interfaces/IResultOracle.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {Vm} from "./Base.t.sol";
import {BatchFixture} from "./BatchFixture.t.sol";
import {Mood, MoodyConsumer} from "./Consumers.t.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice Nothing that ends a request or moves money runs inside a callback. Every call that is tried here
/// is sound: made by itself, it succeeds.
contract ReentryTest is BatchFixture, RoundFixture {
    MoodyConsumer private caller;
    Request private trigger;
    bytes[] private calls;

    function setUp() public override(BatchFixture, RoundFixture) {
        super.setUp();
        caller = new MoodyConsumer(IResultOracle(address(batches)));
    }

    function test_Callback_ComesBackIntoNoFunctionOfTheOracle() public {
        _prepare();
        Result memory result = _result(trigger);
        bytes memory fulfil =
            abi.encodeCall(IResultOracle.fulfill, (trigger, result, OUTPUT, _signed(result)));
        _expectRefused(address(oracle), consumer, fulfil);
    }

    /// @dev Nor by the way of the errors, nor by a callback that is repeated.
    function test_Callback_ComesBackInNeitherByARefundNorByARetry() public {
        _prepare();
        vm.warp(trigger.deadline + 1);
        // By now the others may be refunded, and withdrawing is worth something.
        delete calls;
        calls.push(abi.encodeCall(IEscrow.withdraw, (ETHER, payable(STRANGER))));
        bytes memory refund = abi.encodeCall(IRequestBook.refund, (trigger));
        _expectRefused(address(oracle), consumer, refund);
        consumer.setMood(Mood.Reverts);
        oracle.refund(trigger);
        consumer.setReentry(calls[0]);
        consumer.setMood(Mood.Reenters);
        vm.expectRevert(
            abi.encodeWithSelector(
                IRequestBook.CallbackReverted.selector,
                _id(trigger),
                bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            )
        );
        consumer.retry(trigger, "");
    }

    function test_Callback_ComesBackIntoNoFunctionOfTheBatches() public {
        for (uint256 i = 0; i < 3; ++i) {
            RequestParams memory params = _params();
            if (i == 0) params.callbackGasLimit = 2_000_000;
            asked.push(i == 0 ? _askBatch(params, caller) : _askBatch(_plain()));
        }
        bytes32[] memory leaves = _leaves();
        uint256 id = _commit(leaves);
        Request[] memory made = new Request[](1);
        Claim[] memory told = new Claim[](1);
        bytes[] memory outputs = new bytes[](1);
        bytes32[][] memory paths = new bytes32[][](1);
        (made[0], told[0], outputs[0]) = (asked[1], _told(id, worker, 1), _output(1));
        paths[0] = _path(leaves, 1);
        calls.push(abi.encodeCall(IBatchOracle.claim, (made[0], told[0], outputs[0], paths[0])));
        calls.push(abi.encodeCall(IBatchOracle.push, (made, told, outputs, paths)));
        calls.push(abi.encodeCall(IRequestBook.request, (_free())));
        bytes memory claim = abi.encodeCall(
            IBatchOracle.claim, (asked[0], _told(id, worker, 0), _output(0), _path(leaves, 0))
        );
        _expectRefused(address(batches), caller, claim);
    }

    /* PREPARATION */

    /// @dev One sound call for every guarded function, and a request whose callback will make it.
    function _prepare() private {
        RequestParams memory params = _params();
        params.deadline = uint64(block.timestamp) + 10;
        params.payment.refundTo = address(consumer);
        Request memory late = _ask(params);
        Request memory later = _ask(params);
        // What the consumer failed to hear of, it may hear again.
        Request memory missed = _ask();
        consumer.setMood(Mood.Reverts);
        _fulfill(missed);
        consumer.setMood(Mood.Calm);
        params = _params();
        params.workers = new address[](1);
        (params.workers[0], params.reservedUntil) = (worker, uint64(block.timestamp));
        Request memory reserved = _ask(params);
        params = _params();
        params.modelId = _admitModel("other weights");
        Request memory modelless = _ask(params);
        vm.prank(GUARDIAN);
        models.revoke(params.modelId);
        vm.warp(late.deadline + 1);
        oracle.refund(later);
        params = _params();
        params.callbackGasLimit = 2_000_000;
        trigger = _ask(params);
        calls.push(abi.encodeCall(IRequestBook.request, (_free())));
        calls.push(abi.encodeCall(IRequestBook.refund, (late)));
        calls.push(abi.encodeCall(IRequestBook.reassign, (reserved)));
        calls.push(abi.encodeCall(IRequestBook.abandon, (modelless)));
        calls.push(abi.encodeCall(IRequestBook.retryCallback, (missed, OUTPUT)));
        calls.push(abi.encodeCall(IEscrow.withdraw, (ETHER, payable(STRANGER))));
        _prepareAnswers();
    }

    function _prepareAnswers() private {
        Request memory made = _ask();
        Result memory result = _result(made);
        calls.push(abi.encodeCall(IResultOracle.fulfill, (made, result, OUTPUT, _signed(result))));
        Submission memory held = _hold(_ask(_quorum(3, 3)), 0, _agreeing(3));
        calls.push(
            abi.encodeCall(
                IResultOracle.fulfillByQuorum, (held.made, _roundOf(held), held.reveals, 0, OUTPUT)
            )
        );
        bytes32[] memory decisions = new bytes32[](3);
        (decisions[0], decisions[1], decisions[2]) = ("one", "another", "a third");
        held = _hold(_ask(_quorum(2, 3)), 0, decisions);
        calls.push(abi.encodeCall(IResultOracle.dispute, (held.made, _roundOf(held), held.reveals)));
    }

    /// @dev What anybody may ask without putting anything up.
    function _free() private view returns (RequestParams memory params) {
        params = _plain();
        params.payment.maxFee = 0;
    }

    /* EXPECTATIONS */

    /// @dev Each call succeeds when the consumer makes it by itself, and is refused from inside the callback
    /// that `cause` leads to, by the guard and by nothing else.
    function _expectRefused(address book, MoodyConsumer who, bytes memory cause) private {
        vm.assertGt(calls.length, 0);
        for (uint256 i = 0; i < calls.length; ++i) {
            uint256 start = vm.snapshotState();
            vm.prank(address(who));
            (bool ok,) = book.call(calls[i]);
            vm.assertTrue(ok, vm.toString(i));
            vm.revertToState(start);
            who.setReentry(calls[i]);
            who.setMood(Mood.Reenters);
            vm.recordLogs();
            (ok,) = book.call(cause);
            vm.assertTrue(ok);
            vm.assertEq(
                _failure(vm.getRecordedLogs()),
                bytes32(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector)
            );
            vm.revertToState(start);
        }
    }

    /// @dev Why the one callback among `logs` failed.
    function _failure(Vm.Log[] memory logs) private pure returns (bytes32 reason) {
        uint256 found = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IRequestBook.CallbackFailed.selector) continue;
            (reason,) = abi.decode(logs[i].data, (bytes32, uint256));
            ++found;
        }
        vm.assertEq(found, 1);
    }
}
