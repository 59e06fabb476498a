// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    FailureReason,
    RequestParams,
    RequestState,
    RequestStatus
} from "../src/interfaces/IRequestBook.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {Mood} from "./Consumers.t.sol";
import {Base} from "./Base.t.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice Asks one worker or several, answers, disputes, reassigns, lets expire and withdraws in any
/// order, with consumers in any mood.
contract EscrowHandler is RoundFixture {
    Request[] private _requests;
    uint256 public paidIn;
    uint256 public paidOut;
    /// @dev Requests that were seen in a final state and later in another one.
    uint256 public revivals;
    /// @dev Requests that failed for no reason, or have a reason and did not fail.
    uint256 public unreasoned;
    bytes32 private _otherModel;

    mapping(bytes32 requestId => RequestStatus) private _seen;

    constructor() {
        super.setUp();
        _otherModel = _admitModel("other weights");
    }

    /// @dev The constructor set up everything.
    function setUp() public pure override {}

    function theOracle() external view returns (ResultOracle) {
        return oracle;
    }

    function ask(uint96 fee, uint8 mood, bool callback, uint8 shape, uint64 unitFee) external {
        fee = fee % 1 ether;
        RequestParams memory params = shape % 2 == 0 ? _params() : _quorum(2, 3);
        params.payment.maxFee = fee;
        params.payment.unitFee = unitFee;
        if (!callback) params.callbackGasLimit = 0;
        if (shape & 4 != 0) params.payment.refundTo = STRANGER;
        if (shape & 16 != 0) params.modelId = _otherModel;
        if (shape & 8 != 0) {
            params.reservedUntil = uint64(block.timestamp);
            params.workers = new address[](params.quorum.seats);
            for (uint256 i = 0; i < params.workers.length; ++i) {
                params.workers[i] = _workerAt(i);
            }
        }
        consumer.setMood(Mood(mood % (uint8(type(Mood).max) + 1)));
        vm.deal(address(this), fee);
        _requests.push(_ask(params));
        paidIn += fee;
    }

    function answer(uint256 which, uint64 units) external {
        if (_requests.length == 0) return;
        Request memory made = _requests[which % _requests.length];
        Result memory result = _result(made);
        result.units = units;
        bytes memory signature = _signed(result);
        consumer.setReplay(made, result, signature);
        try oracle.fulfill(made, result, OUTPUT, signature) {} catch {}
        _observe();
    }

    /// @dev Three workers hold a round, from `first` on; they agree or not.
    function hold(uint256 which, uint256 first, bool alike) external {
        if (_requests.length == 0) return;
        bytes32[] memory decisions = _agreeing(3);
        if (!alike) (decisions[1], decisions[2]) = ("another", "a third");
        Submission memory held = _hold(_requests[which % _requests.length], first % 7, decisions);
        if (alike) {
            held = _choose(held, 3);
            _trySubmit(held, OUTPUT);
        } else {
            try oracle.dispute(held.made, _roundOf(held), held.reveals) {} catch {}
        }
        _observe();
    }

    function reassign(uint256 which) external {
        if (_requests.length == 0) return;
        vm.prank(STRANGER);
        try oracle.reassign(_requests[which % _requests.length]) {} catch {}
        _observe();
    }

    function retry(uint256 which) external {
        if (_requests.length == 0) return;
        consumer.setMood(Mood.Calm);
        try consumer.retry(_requests[which % _requests.length], OUTPUT) {} catch {}
        _observe();
    }

    /// @dev Once, and not at the beginning: nothing asks for that model afterwards.
    function revokeModel(uint8 luck) external {
        if (luck % 8 != 0) return;
        vm.prank(GUARDIAN);
        try models.revoke(_otherModel) {} catch {}
    }

    function abandon(uint256 which) external {
        if (_requests.length == 0) return;
        vm.prank(STRANGER);
        try oracle.abandon(_requests[which % _requests.length]) {} catch {}
        _observe();
    }

    function refund(uint256 which) external {
        if (_requests.length == 0) return;
        try oracle.refund(_requests[which % _requests.length]) {} catch {}
        _observe();
    }

    function wait(uint16 time) external {
        vm.warp(block.timestamp + time % 30 minutes);
    }

    function withdraw(uint256 who) external {
        address account = _accountAt(who % (WORKERS + 2));
        uint256 credit = oracle.creditOf(ETHER, account);
        vm.prank(account);
        try oracle.withdraw(ETHER, payable(address(0xfee))) {
            paidOut += credit;
        } catch {}
    }

    /// @dev What the oracle owes, summed over everyone there is.
    function owed() external view returns (uint256 sum) {
        sum = oracle.creditOf(ETHER, address(consumer));
        for (uint256 i = 0; i < WORKERS + 2; ++i) {
            sum += oracle.creditOf(ETHER, _accountAt(i));
        }
        for (uint256 i = 0; i < _requests.length; ++i) {
            RequestState memory state = oracle.stateOf(_id(_requests[i]));
            if (state.status != RequestStatus.Pending) continue;
            uint256 fee = _requests[i].payment.maxFee;
            sum += state.reassigned ? fee - fee / 100 : fee;
        }
    }

    function count(RequestStatus status) external view returns (uint256 found) {
        for (uint256 i = 0; i < _requests.length; ++i) {
            if (oracle.stateOf(_id(_requests[i])).status == status) ++found;
        }
    }

    function _accountAt(uint256 index) private pure returns (address) {
        if (index == WORKERS) return OPERATOR;
        return index > WORKERS ? STRANGER : _operator(index);
    }

    function _observe() private {
        for (uint256 i = 0; i < _requests.length; ++i) {
            bytes32 id = _id(_requests[i]);
            RequestState memory state = oracle.stateOf(id);
            RequestStatus status = state.status;
            bool failed = status == RequestStatus.Failed;
            if (failed != (state.failure != FailureReason.None)) ++unreasoned;
            if (_seen[id] > RequestStatus.Pending && status != _seen[id]) ++revivals;
            _seen[id] = status;
        }
    }
}

/// @dev 1. The oracle holds exactly what it owes: all credits, and what pending requests put up.
/// 2. Every wei paid in was paid out, or is owed: none is made, none is lost.
/// 3. Forbidden: a request that ended in one way is ever seen in another.
/// 4. Forbidden: a request that failed for no reason, or another that has one.
contract EscrowInvariants is Base {
    EscrowHandler private handler;

    function setUp() public {
        handler = new EscrowHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesMoney() public {
        ResultOracle oracle = handler.theOracle();
        handler.ask(10, 0, true, 0, 0);
        handler.answer(0, 1);
        handler.ask(20, 1, true, 4, 0);
        handler.ask(3000, 0, true, 1 | 8, 0);
        handler.ask(500, 0, true, 1, 0);
        handler.hold(3, 0, false);
        handler.hold(3, 3, false);
        handler.wait(1);
        handler.reassign(2);
        handler.hold(2, 4, true);
        for (uint256 i = 0; i < 3; ++i) {
            handler.wait(29 minutes);
        }
        handler.refund(1);
        handler.ask(700, 0, true, 16, 0);
        handler.abandon(4);
        vm.assertEq(handler.count(RequestStatus.Pending), 1);
        handler.revokeModel(8);
        handler.abandon(4);
        vm.assertEq(handler.count(RequestStatus.Fulfilled), 2);
        vm.assertEq(handler.count(RequestStatus.Failed), 2);
        vm.assertEq(handler.count(RequestStatus.Refunded), 1);
        vm.assertEq(oracle.creditOf(address(0), address(0x0930)), 10);
        vm.assertEq(oracle.creditOf(address(0), STRANGER), 20 + 30);
        handler.withdraw(11);
        vm.assertEq(handler.paidOut(), 50);
        vm.assertEq(handler.owed(), 10 + 2970 + 500 + 700);
    }

    /// forge-config: default.invariant.runs = 24
    /// forge-config: default.invariant.depth = 48
    function invariant_TheLedgerBalances() public view {
        vm.assertEq(address(handler.theOracle()).balance, handler.owed());
        vm.assertEq(handler.paidIn(), handler.paidOut() + handler.owed());
        vm.assertEq(handler.revivals(), 0);
        vm.assertEq(handler.unreasoned(), 0);
    }
}
