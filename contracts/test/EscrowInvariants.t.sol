// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IBatchOracle, Claim} from "../src/interfaces/IBatchOracle.sol";
import {TokenTerms} from "../src/interfaces/IEscrow.sol";
import {RequestParams, RequestStatus} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {RequestBook} from "../src/oracle/RequestBook.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {Base} from "./Base.t.sol";
import {BatchFixture} from "./BatchFixture.t.sol";
import {MoodyConsumer} from "./Consumers.t.sol";
import {Deployment} from "./Deployment.t.sol";
import {Ledger} from "./Ledger.t.sol";

/// @notice Requests of one worker or several, answered and disputed.
contract EscrowHandler is Ledger {
    function book() public view override returns (RequestBook) {
        return oracle;
    }

    function _prepare() internal override {
        caller = consumer;
    }

    function _shaped(uint8 shape) internal view override returns (RequestParams memory) {
        return shape % 2 == 0 ? _params() : _quorum(2, 3);
    }

    /// @dev What comes of chance alone seldom ends well.
    function askAndAnswer(uint96 fee, uint8 mood, uint8 shape, uint64 unitFee, uint64 units)
        external
    {
        ask(fee, mood, true, shape & ~uint8(1), unitFee);
        answer(requests.length - 1, units);
    }

    function answer(uint256 which, uint64 units) public {
        if (requests.length == 0) return;
        Request memory made = _at(which);
        Result memory result = _result(made);
        result.units = units;
        bytes memory call =
            abi.encodeCall(IResultOracle.fulfill, (made, result, OUTPUT, _signed(result)));
        caller.setReentry(call);
        (bool ok,) = address(oracle).call(call);
        if (ok) _observe();
    }

    /// @dev Three workers hold a round, from `first` on; they agree or not.
    function hold(uint256 which, uint256 first, bool alike) external {
        if (requests.length == 0) return;
        bytes32[] memory decisions = _agreeing(3);
        if (!alike) (decisions[1], decisions[2]) = ("another", "a third");
        Submission memory held = _hold(_at(which), first % 7, decisions);
        if (alike) {
            held = _choose(held, 3);
            _trySubmit(held, OUTPUT);
        } else {
            try oracle.dispute(held.made, _roundOf(held), held.reveals) {} catch {}
        }
        _observe();
    }
}

/// @notice Requests that are answered by the batch.
contract BatchHandler is BatchFixture, Ledger {
    /// @dev An answer under a root: to which request, and how it is claimed.
    struct Answer {
        uint256 which;
        uint64 units;
        uint256 batchId;
        bytes32[] path;
    }

    Answer[] private _answers;

    function setUp() public pure override(BatchFixture, Ledger) {}

    function _tokens() internal override(Deployment, Ledger) returns (TokenTerms[] memory) {
        return super._tokens();
    }

    function book() public view override returns (RequestBook) {
        return batches;
    }

    function _prepare() internal override {
        caller = new MoodyConsumer(IResultOracle(address(batches)));
    }

    /// @dev What comes of chance alone seldom ends well.
    function askAndCommit(uint96 fee, uint8 mood, uint8 shape, uint64 unitFee, uint64 units)
        external
    {
        ask(fee, mood, true, shape, unitFee);
        commit(requests.length - 1, 0, units);
    }

    /// @dev A worker answers up to four requests, some of them for the second time; none has to be its own.
    function commit(uint256 first, uint8 size, uint64 units) public {
        if (requests.length == 0) return;
        bytes32[] memory leaves = new bytes32[](1 + size % 4);
        for (uint256 i = 0; i < leaves.length; ++i) {
            bytes32 requestId = batches.requestIdOf(_at(_add(first, i)));
            leaves[i] = batches.leafOf(requestId, sha256(INPUT), sha256(OUTPUT), units);
        }
        uint256 id = _commit(leaves);
        for (uint256 i = 0; i < leaves.length; ++i) {
            _answers.push(Answer(_add(first, i), units, id, _path(leaves, i)));
        }
    }

    /// @param which counted from the newest.
    function claim(uint256 which) external {
        if (_answers.length == 0) return;
        Answer memory found = _answers[_answers.length - 1 - which % _answers.length];
        Request memory made = _at(found.which);
        Claim memory told = _told(found.batchId, worker, found.units);
        bytes memory call = abi.encodeCall(IBatchOracle.claim, (made, told, OUTPUT, found.path));
        caller.setReentry(call);
        (bool ok,) = address(batches).call(call);
        if (ok) _observe();
    }

    /// @dev Two at once, or neither; counted from the oldest.
    function push(uint256 which) external {
        if (_answers.length < 2) return;
        Request[] memory made = new Request[](2);
        Claim[] memory told = new Claim[](2);
        bytes[] memory outputs = new bytes[](2);
        bytes32[][] memory paths = new bytes32[][](2);
        for (uint256 i = 0; i < 2; ++i) {
            Answer memory found = _answers[_add(which, i) % _answers.length];
            (made[i], told[i]) = (_at(found.which), _told(found.batchId, worker, found.units));
            (outputs[i], paths[i]) = (OUTPUT, found.path);
        }
        try batches.push(made, told, outputs, paths) {} catch {}
        _observe();
    }

    /// @dev Voids all there is, once in a while, by revoking the only worker that answers.
    function revokeWorker(uint8 luck) external {
        if (luck % 32 != 31) return;
        vm.prank(GUARDIAN);
        try workers.revoke(worker) {} catch {}
    }

    function _add(uint256 one, uint256 other) private pure returns (uint256) {
        return one % 1e6 + other;
    }
}

/// @dev 1. The oracle holds exactly what it owes of each token: all credits, and what pending requests put up.
/// 2. Every unit paid in was paid out, or is owed: none is made, none is lost.
/// 3. Forbidden: a request that ended in one way is ever seen in another.
/// 4. Forbidden: a request that failed for no reason, or another that has one.
abstract contract LedgerInvariants is Base {
    Ledger internal ledger;

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(ledger);
    }

    function _requireBalanced() internal view {
        address holder = address(ledger.book());
        vm.assertEq(holder.balance, ledger.owed(address(0)));
        vm.assertEq(ledger.theCoin().balanceOf(holder), ledger.owed(address(ledger.theCoin())));
        address[2] memory tokens = [address(0), address(ledger.theCoin())];
        for (uint256 i = 0; i < 2; ++i) {
            vm.assertEq(
                ledger.paidIn(tokens[i]), ledger.paidOut(tokens[i]) + ledger.owed(tokens[i])
            );
        }
        vm.assertEq(ledger.revivals(), 0);
        vm.assertEq(ledger.unreasoned(), 0);
    }
}

contract EscrowInvariants is LedgerInvariants {
    EscrowHandler private handler;

    function setUp() public {
        handler = new EscrowHandler();
        ledger = handler;
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesMoney() public {
        RequestBook oracle = handler.book();
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
        handler.withdraw(11, false);
        vm.assertEq(handler.paidOut(address(0)), 50);
        vm.assertEq(handler.owed(address(0)), 10 + 2970 + 500 + 700);
        address coin = address(handler.theCoin());
        handler.ask(90, 0, true, 32, 10);
        handler.answer(5, 4);
        vm.assertEq(oracle.creditOf(coin, address(0x0930)), 40);
        handler.withdraw(10, true);
        vm.assertEq(handler.paidOut(coin), 40);
        vm.assertEq(handler.owed(coin), 50);
        _requireBalanced();
    }

    /// forge-config: default.invariant.runs = 24
    /// forge-config: default.invariant.depth = 48
    function invariant_TheLedgerBalances() public view {
        _requireBalanced();
    }
}

contract BatchLedgerInvariants is LedgerInvariants {
    BatchHandler private handler;

    function setUp() public {
        handler = new BatchHandler();
        ledger = handler;
    }

    function test_TheHandlerMovesMoney() public {
        RequestBook batches = handler.book();
        address coin = address(handler.theCoin());
        handler.ask(100, 0, true, 0, 0);
        handler.ask(200, 1, true, 32 | 4, 10);
        handler.ask(300, 0, false, 32, 0);
        handler.ask(400, 0, true, 8, 0);
        handler.commit(0, 3, 5);
        handler.claim(3);
        vm.assertEq(handler.count(RequestStatus.Fulfilled), 1);
        handler.push(0);
        vm.assertEq(handler.count(RequestStatus.Fulfilled), 1);
        handler.push(1);
        vm.assertEq(handler.count(RequestStatus.Fulfilled), 3);
        vm.assertEq(batches.creditOf(coin, address(0x0930)), 50 + 300);
        vm.assertEq(batches.creditOf(coin, STRANGER), 150);
        handler.wait(1);
        handler.reassign(3);
        handler.claim(0);
        vm.assertEq(handler.count(RequestStatus.Fulfilled), 4);
        vm.assertEq(batches.creditOf(address(0), address(0x0930)), 100 + 396);
        handler.ask(500, 0, true, 32, 0);
        handler.revokeWorker(31);
        for (uint256 i = 0; i < 3; ++i) {
            handler.wait(29 minutes);
        }
        handler.refund(4);
        vm.assertEq(handler.count(RequestStatus.Refunded), 1);
        handler.withdraw(10, true);
        handler.withdraw(12, true);
        vm.assertEq(handler.paidOut(coin), 350 + 500);
        _requireBalanced();
    }

    /// forge-config: default.invariant.runs = 24
    /// forge-config: default.invariant.depth = 48
    function invariant_TheLedgerBalances() public view {
        _requireBalanced();
    }
}
