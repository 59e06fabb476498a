// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRequestBook, RequestParams, RequestStatus} from "../src/interfaces/IRequestBook.sol";
import {FulfilledResult, IResultOracle, Reveal} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry, Worker} from "../src/interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request, Rule} from "../src/types/Request.sol";
import {Result, ResultLib} from "../src/types/Result.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice Requests that several workers must answer alike.
contract RoundsTest is RoundFixture {
    bytes private constant LIE = "It is not.";

    /* AGREEMENT */

    /// forge-config: default.fuzz.runs = 16
    function testFuzz_FulfillByQuorum_PaysAllWhoCountedWhoeverSends(address sender) public {
        Submission memory held = _choose(_hold(_ask(_quorum(3, 5)), 0, _agreeing(5)), 7);
        vm.prank(sender);
        _submit(held, OUTPUT);
        bytes32 id = _id(held.made);
        uint256 share = uint256(FEE) / 3;
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(oracle.creditOf(ETHER, _operator(i)), share);
        }
        vm.assertEq(oracle.creditOf(ETHER, address(consumer)), FEE - 3 * share);
        FulfilledResult memory kept = oracle.getResult(id);
        vm.assertEq(kept.outputHash, sha256(OUTPUT));
        vm.assertEq(kept.worker, _workerAt(0));
        vm.assertTrue(kept.kind == ProofKind.Committee);
        vm.assertEq(consumer.lastOutput(), OUTPUT);
        vm.expectRevert(abi.encodeWithSelector(IRequestBook.AlreadyFulfilled.selector, id));
        _submit(held, OUTPUT);
    }

    /// @dev With two liars among five, in every pattern, whether they lie alike or not, and whichever
    /// answers a relayer picks: three that agree are right, and the three that are right can always
    /// end it.
    function test_TwoLiarsOfFive_NeverDecide() public {
        for (uint256 pattern = 0; pattern < 10; ++pattern) {
            uint256 liars = _pair(pattern);
            bytes32[] memory decisions = _agreeing(5);
            for (uint256 i = 0; i < 5; ++i) {
                if (liars >> i & 1 == 1) {
                    decisions[i] = pattern % 2 == 0 ? sha256(LIE) : bytes32(i + 1);
                }
            }
            _expectTheTruth(_hold(_ask(_quorum(3, 5)), 0, decisions), 31 ^ liars);
        }
    }

    /// @dev Of all triples, `right` alone is taken.
    function _expectTheTruth(Submission memory held, uint256 right) private {
        Reveal[] memory all = held.reveals;
        for (uint256 i = 0; i < 10; ++i) {
            uint256 picked = 31 ^ _pair(i);
            held.reveals = all;
            if (picked == right) continue;
            held = _choose(held, picked);
            uint256 honest = 0;
            while (held.reveals[honest].outputHash != sha256(OUTPUT)) ++honest;
            held = _decide(held, honest);
            vm.expectPartialRevert(IResultOracle.Disagreement.selector);
            _submit(held, OUTPUT);
        }
        held.reveals = all;
        _submit(_choose(held, right), OUTPUT);
        vm.assertEq(oracle.getResult(_id(held.made)).outputHash, sha256(OUTPUT));
    }

    function test_FulfillByQuorum_RevertWhen_TheNumberIsAnother() public {
        Submission memory held = _hold(_ask(_quorum(3, 5)), 0, _agreeing(5));
        Submission memory two = _choose(_hold(held.made, 0, _agreeing(5)), 3);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 2, 3));
        _submit(two, OUTPUT);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 5, 3));
        _submit(held, OUTPUT);
        Request memory single = _ask();
        Submission memory one = _hold(single, 0, _agreeing(1));
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 1, 1));
        _submit(one, OUTPUT);
        Result memory result = _result(held.made);
        bytes memory signature = _signed(result);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 1, 3));
        oracle.fulfill(held.made, result, OUTPUT, signature);
    }

    function test_FulfillByQuorum_RevertWhen_OneKeySignsTwice() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        held.reveals[1] = held.reveals[0];
        vm.expectRevert(
            abi.encodeWithSelector(IResultOracle.DuplicateSigner.selector, _workerAt(0))
        );
        _submit(held, OUTPUT);
    }

    function test_FulfillByQuorum_RevertWhen_TheAnswersDoNotAscend() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        (held.reveals[0], held.reveals[1]) = (held.reveals[1], held.reveals[0]);
        vm.expectPartialRevert(IResultOracle.DuplicateSigner.selector);
        _submit(held, OUTPUT);
    }

    /// @dev What is delivered must be one of the answers that count, byte for byte, whether its hash is
    /// sent or left out.
    function test_FulfillByQuorum_RevertWhen_TheOutputIsNobodys() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        held.result.worker = STRANGER;
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NoSuchAnswer.selector, 2, 2));
        _submit(held, OUTPUT);
        held = _decide(held, 0);
        address first = _workerAt(0);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotCommitted.selector, first));
        _submit(held, LIE);
        (bytes32 lie, bytes32 truth) = (sha256(LIE), sha256(OUTPUT));
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.OutputMismatch.selector, lie, truth));
        oracle.fulfillByQuorum(held.made, _roundOf(held), held.reveals, 0, LIE);
        bytes memory long = new bytes(8193);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.OutputTooLarge.selector, 8193, 8192));
        _submit(held, long);
        _submit(held, OUTPUT);
    }

    /// @dev What all statements say alike is checked before who signed them.
    function test_FulfillByQuorum_RevertWhen_TheStatementsSayAnotherThing() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        bytes4[5] memory reasons = [
            IResultOracle.WrongWeights.selector,
            IResultOracle.WrongKeyEpoch.selector,
            IResultOracle.WrongPolicyVersion.selector,
            IResultOracle.ResultExpired.selector,
            IResultOracle.WrongSigner.selector
        ];
        for (uint256 field = 0; field < reasons.length; ++field) {
            Result memory said = abi.decode(abi.encode(held.result), (Result));
            if (field == 0) held.result.weightsRoot = "another";
            if (field == 1) held.result.keyEpoch = 1;
            if (field == 2) held.result.policyVersion = 1;
            if (field == 3) held.result.deadline = uint64(block.timestamp) - 1;
            if (field == 4) held.result.deadline += 1;
            vm.expectPartialRevert(reasons[field]);
            _submit(held, OUTPUT);
            held.result = said;
        }
        _submit(held, OUTPUT);
    }

    function test_FulfillByQuorum_RevertWhen_AnotherKeySigned() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        (held.reveals[1].r, held.reveals[1].vs) = (held.reveals[0].r, held.reveals[0].vs);
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        _submit(held, OUTPUT);
        // Above half the order, s is another's to choose.
        held.reveals[1].vs = bytes32(type(uint256).max >> 1);
        vm.expectRevert(IResultOracle.InvalidSignature.selector);
        _submit(held, OUTPUT);
        (held.reveals[1].r, held.reveals[1].vs) = (0, 0);
        vm.expectRevert(IResultOracle.InvalidSignature.selector);
        _submit(held, OUTPUT);
    }

    function test_FulfillByQuorum_RevertGiven_AWorkerIsNotActive() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        address gone = _workerAt(1);
        vm.prank(GUARDIAN);
        workers.revoke(gone);
        vm.expectRevert(abi.encodeWithSelector(IWorkerRegistry.WorkerIsRevoked.selector, gone));
        _submit(held, OUTPUT);
    }

    /* COMMITMENTS */

    /// @dev A copier saw the others' answer and wants to have given it: it did not commit to it.
    function test_FulfillByQuorum_RevertWhen_ACopierDidNotCommit() public {
        Request memory made = _ask(_quorum(2, 3));
        Submission memory held = _choose(_hold(made, 0, _agreeing(2)), 1);
        Result memory copied = held.result;
        copied.worker = _workerAt(7);
        Reveal[] memory reveals = new Reveal[](2);
        reveals[0] = held.reveals[0];
        reveals[1] = _reveal(copied, keys[7], held.round);
        held = Submission(made, _result(made), reveals, held.round);
        held.result.round = copied.round;
        held = _decide(held, 0);
        address copier = copied.worker;
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotCommitted.selector, copier));
        _submit(held, OUTPUT);
        // Nor does another's seat help.
        held.reveals[1].seat = 0;
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotCommitted.selector, copier));
        _submit(held, OUTPUT);
        // A round that has room for it is not the one that the others signed.
        bytes32[] memory commitments = new bytes32[](3);
        (commitments[0], commitments[1]) = (held.round[0], held.round[1]);
        commitments[2] = ResultLib.commitment(copied);
        bytes32 own = held.round[held.reveals[0].seat];
        (held.round,) = _close(commitments);
        held.reveals[0].seat = 0;
        while (held.round[held.reveals[0].seat] != own) ++held.reveals[0].seat;
        vm.expectPartialRevert(IResultOracle.WrongSigner.selector);
        _submit(held, OUTPUT);
    }

    /// @dev A worker that committed to one answer cannot reveal another.
    function test_FulfillByQuorum_RevertWhen_AnAnswerChangedAfterTheCommitment() public {
        Request memory made = _ask(_quorum(2, 2));
        bytes32[] memory decisions = _agreeing(2);
        decisions[1] = sha256(LIE);
        Submission memory held = _hold(made, 0, decisions);
        Result memory changed = _result(made);
        changed.worker = _workerAt(1);
        changed.round = held.result.round;
        (changed.nonce, changed.units) = (held.reveals[1].nonce, held.reveals[1].units);
        held.reveals[1] = _reveal(changed, keys[1], held.round);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotCommitted.selector, _workerAt(1)));
        _submit(held, OUTPUT);
    }

    function test_FulfillByQuorum_RevertWhen_TheRoundIsNone() public {
        Request memory made = _ask(_quorum(2, 3));
        Submission memory crowd = _choose(_hold(made, 0, _agreeing(4)), 3);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundOutOfOrder.selector, 4, 2, 3));
        _submit(crowd, OUTPUT);
        Submission memory held = _choose(_hold(made, 0, _agreeing(3)), 3);
        (held.round[0], held.round[1]) = (held.round[1], held.round[0]);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundOutOfOrder.selector, 3, 2, 3));
        _submit(held, OUTPUT);
        held.round = new bytes32[](0);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.RoundOutOfOrder.selector, 0, 2, 3));
        _submit(held, OUTPUT);
    }

    /* DIVERSITY */

    function test_FulfillByQuorum_RevertWhen_TheOperatorsAreTooFew() public {
        RequestParams memory params = _quorum(3, 3);
        params.quorum.operators = 3;
        // Two machines of one operator, between those of others.
        uint256 key = 0xf000f;
        _enrol(vm.addr(key), "another platform", _operator(0));
        keys[0] = key;
        for (uint256 i = 1; i < keys.length && vm.addr(keys[i - 1]) > vm.addr(keys[i]); ++i) {
            (keys[i - 1], keys[i]) = (keys[i], keys[i - 1]);
        }
        _enrol(vm.addr(0xf0010), "a third platform", _operator(0));
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        _insertKey(0xf0010);
        (uint256 one, uint256 other) = (_indexOf(key), _indexOf(0xf0010));
        if (one > other) (one, other) = (other, one);
        uint256 third = one == 0 ? (other == 1 ? 2 : 1) : 0;
        Submission memory held = _holdBy(_ask(params), one, other, third);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.TooFewDistinct.selector, 2, 3));
        _submit(held, OUTPUT);
        params.quorum.operators = 2;
        _submit(_holdBy(_ask(params), one, other, third), OUTPUT);
    }

    /// @dev Five workers of one vendor are one vendor.
    function test_FulfillByQuorum_RevertWhen_TheVendorsAreTooFew() public {
        RequestParams memory params = _quorum(5, 5);
        params.quorum.vendors = 2;
        Submission memory held = _hold(_ask(params), 0, _agreeing(5));
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.TooFewDistinct.selector, 1, 2));
        _submit(held, OUTPUT);
        // SGX and TDX are both Intel's.
        _pretend(1, 1);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.TooFewDistinct.selector, 1, 2));
        _submit(held, OUTPUT);
        _pretend(1, 3);
        _submit(held, OUTPUT);
        vm.assertTrue(oracle.stateOf(_id(held.made)).status == RequestStatus.Fulfilled);
    }

    /* RULES */

    function test_Class_AgreesWhateverTheWording() public {
        RequestParams memory params = _quorum(2, 3);
        params.quorum.rule = Rule.Class;
        bytes32[] memory decisions = new bytes32[](3);
        (decisions[0], decisions[1], decisions[2]) = ("approve", "reject", "approve");
        Submission memory held = _choose(_hold(_ask(params), 0, decisions), 5);
        bytes memory output = abi.encode(_workerAt(0));
        _submit(held, output);
        FulfilledResult memory kept = oracle.getResult(_id(held.made));
        vm.assertEq(kept.decision, "approve");
        vm.assertEq(kept.outputHash, sha256(output));
        vm.assertEq(consumer.lastOutput(), output);
    }

    /// @dev With one liar among four of whom three must agree, whichever it is, the median lies between right
    /// values.
    /// forge-config: default.fuzz.runs = 64
    function testFuzz_Tolerance_TheMedianLiesBetweenRightValues(
        int64 low,
        uint16 spread,
        int256 lie,
        uint8 chosen,
        uint8 middle,
        uint8 liar
    ) public {
        RequestParams memory params = _quorum(3, 4);
        (params.quorum.rule, params.quorum.tolerance) = (Rule.Tolerance, spread);
        bytes32[] memory decisions = _withLiar(low, spread, lie, liar % 4);
        Request memory made = _ask(params);
        uint256 missing = chosen % 4;
        uint256 picked = 15 ^ (uint256(1) << missing);
        Submission memory held = _decide(_choose(_hold(made, 0, decisions), picked), middle % 3);
        _expectBetween(held, low, int256(low) + int256(uint256(spread)));
        // Those who are right can always end it.
        if (oracle.stateOf(_id(made)).status == RequestStatus.Pending) {
            held = _choose(_hold(made, 0, decisions), 15 ^ (uint256(1) << liar % 4));
            held = _decide(held, 1);
            _submit(held, abi.encode(held.result.worker));
        }
    }

    /// @dev The least, the middle and the greatest right number in this order, and a lie among them.
    function _withLiar(int64 low, uint16 spread, int256 lie, uint256 liar)
        private
        pure
        returns (bytes32[] memory decisions)
    {
        decisions = new bytes32[](4);
        int256 right = 0;
        for (uint256 i = 0; i < 4; ++i) {
            int256 value = int256(low) + int256(uint256(spread)) * right / 2;
            if (i == liar) value = lie;
            else ++right;
            decisions[i] = bytes32(uint256(value));
        }
    }

    /// @dev Zero is a number like any other, though its word is empty.
    function test_Tolerance_KeepsZero() public {
        RequestParams memory params = _quorum(2, 2);
        (params.quorum.rule, params.quorum.tolerance) = (Rule.Tolerance, 1);
        Submission memory held = _hold(_ask(params), 0, new bytes32[](2));
        _submit(held, abi.encode(_workerAt(0)));
        vm.assertEq(oracle.getResult(_id(held.made)).decision, bytes32(0));
    }

    /// @dev Under the exact rule nobody decides otherwise than by its output: a decision is not taken,
    /// and whoever signed one of its own committed to nothing.
    function test_Exact_RevertWhen_TheDecisionIsNotTheOutputsHash() public {
        Submission memory held = _choose(_hold(_ask(_quorum(2, 3)), 0, _agreeing(3)), 3);
        held.reveals[1].decision = "another";
        bytes32 given = held.reveals[1].decision;
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongDecision.selector, given, 0));
        _submit(held, OUTPUT);
        Request memory made = held.made;
        made.quorum.rule = Rule.Class;
        bytes32[] memory decisions = new bytes32[](3);
        (decisions[0], decisions[1], decisions[2]) = ("another", "another", "another");
        held = _choose(_hold(made, 0, decisions), 3);
        held.made.quorum.rule = Rule.Exact;
        (held.reveals[0].decision, held.reveals[1].decision) = (0, 0);
        vm.expectPartialRevert(IResultOracle.NotCommitted.selector);
        _submit(held, abi.encode(_workerAt(0)));
    }

    /* PARTS */

    /// @dev Whatever is submitted is refused, or decides something from `low` to `high`.
    function _expectBetween(Submission memory held, int256 low, int256 high) private {
        (bool ok, bytes memory failure) = _trySubmit(held, abi.encode(held.result.worker));
        if (!ok) {
            bool refused = bytes4(failure) == IResultOracle.NotTheMedian.selector
                || bytes4(failure) == IResultOracle.Disagreement.selector;
            vm.assertTrue(refused);
            return;
        }
        int256 value = int256(uint256(oracle.getResult(_id(held.made)).decision));
        vm.assertTrue(value >= low && value <= high);
    }

    /// @dev The pair number `index` of five.
    function _pair(uint256 index) private pure returns (uint256) {
        uint256 one = index % 5;
        uint256 other = (one + 1 + index / 5) % 5;
        return uint256(1) << one | uint256(1) << other;
    }

    /// @dev Makes the registry name `teeType` as that of the worker at `index`: no committee signs
    /// evidence of platforms that cannot be verified yet.
    function _pretend(uint256 index, uint8 teeType) private {
        Worker memory shown = workers.workerOf(_workerAt(index));
        shown.teeType = teeType;
        bytes memory call = abi.encodeCall(IWorkerRegistry.workerOf, (_workerAt(index)));
        vm.mockCall(address(workers), call, abi.encode(shown));
    }

    function _insertKey(uint256 key) private {
        keys.push(key);
        for (uint256 i = keys.length - 1; i > 0; --i) {
            if (vm.addr(keys[i - 1]) < vm.addr(keys[i])) break;
            (keys[i - 1], keys[i]) = (keys[i], keys[i - 1]);
        }
    }

    function _indexOf(uint256 key) private view returns (uint256 index) {
        while (keys[index] != key) ++index;
    }

    /// @dev A round of the workers at three places.
    function _holdBy(Request memory made, uint256 a, uint256 b, uint256 c)
        private
        returns (Submission memory held)
    {
        uint256[3] memory chosen = [keys[a], keys[b], keys[c]];
        for (uint256 i = 1; i < 3; ++i) {
            for (uint256 j = i; j > 0 && vm.addr(chosen[j - 1]) > vm.addr(chosen[j]); --j) {
                (chosen[j - 1], chosen[j]) = (chosen[j], chosen[j - 1]);
            }
        }
        uint256[] memory all = keys;
        keys = [chosen[0], chosen[1], chosen[2]];
        held = _hold(made, 0, _agreeing(3));
        keys = all;
    }
}
