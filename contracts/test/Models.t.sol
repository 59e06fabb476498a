// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IModelRegistry, ModelStatus} from "../src/interfaces/IModelRegistry.sol";
import {RequestParams, RequestState, RequestStatus} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {ResultOracle} from "../src/oracle/ResultOracle.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {ModelRegistry} from "../src/registry/ModelRegistry.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice What models requests may ask for and results may name.
contract ModelsTest is RoundFixture {
    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_ModelsAreMissing() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new ResultOracle(workers, ModelRegistry(address(0)), _quotas(), _tokens());
    }

    /// @dev Its revocations would go unnoticed.
    function test_Constructor_RevertWhen_TheModelsReportElsewhere() public {
        ChangeLog elsewhere = new ChangeLog(1);
        ModelRegistry others = new ModelRegistry(GOVERNOR, GUARDIAN, elsewhere);
        vm.expectRevert(
            abi.encodeWithSelector(IWorkerRegistry.LogNotShared.selector, address(elsewhere))
        );
        new ResultOracle(workers, others, _quotas(), _tokens());
    }

    /* REQUEST */

    function test_Request_RevertGiven_TheModelIsNotAdmitted() public {
        RequestParams memory params = _params();
        params.modelId = "unheard of";
        _expectNotAdmitted(params.modelId, ModelStatus.Unknown);
        consumer.ask{value: FEE}(params);
        vm.startPrank(GUARDIAN);
        models.ban("unheard of");
        models.revoke(MODEL);
        vm.stopPrank();
        _expectNotAdmitted(params.modelId, ModelStatus.Revoked);
        consumer.ask{value: FEE}(params);
        _expectNotAdmitted(MODEL, ModelStatus.Revoked);
        consumer.ask{value: FEE}(_params());
    }

    /// @dev What is noted beside the state is nobody's end and nobody's work.
    function test_Request_ShowsNoNote() public {
        Request memory made = _ask();
        _expectBare(made, RequestStatus.Pending, 0);
        vm.warp(made.deadline + 1);
        oracle.refund(made);
        _expectBare(made, RequestStatus.Refunded, uint40(block.timestamp));
    }

    /* ANSWERS */

    function testFuzz_Fulfill_RevertWhen_TheWeightsAreOthers(bytes32 weightsRoot) public {
        vm.assume(weightsRoot != WEIGHTS);
        Request memory made = _ask();
        Result memory result = _result(made);
        result.weightsRoot = weightsRoot;
        _expectWrongWeights(made, result);
        // It is the same where the registry is asked anew.
        _narrow();
        _expectWrongWeights(made, result);
    }

    /// @dev The last bits count as much as the first.
    function test_Fulfill_RevertWhen_OneBitOfTheWeightsIsAnother() public {
        Request memory made = _ask();
        Result memory result = _result(made);
        result.weightsRoot = WEIGHTS ^ bytes32(uint256(1));
        _expectWrongWeights(made, result);
    }

    function test_Fulfill_RevertGiven_TheModelWasRevokedSince() public {
        Request memory made = _ask();
        vm.prank(GUARDIAN);
        models.revoke(MODEL);
        _expectRevoked(made);
        // Who asked gets its fee back.
        vm.warp(made.deadline + 1);
        oracle.refund(made);
        vm.assertTrue(oracle.stateOf(_id(made)).status == RequestStatus.Refunded);
    }

    function test_FulfillByQuorum_RevertGiven_TheModelWasRevokedSince() public {
        Submission memory held = _hold(_ask(_quorum(2, 3)), 0, _agreeing(2));
        vm.prank(GOVERNOR);
        models.revoke(MODEL);
        _expectNotAdmitted(MODEL, ModelStatus.Revoked);
        _submit(held, OUTPUT);
    }

    /// @dev A request lives on, whatever else was narrowed meanwhile.
    function test_Fulfill_PassesAfterANarrowingOfSomethingElse() public {
        Request memory made = _ask();
        uint24 before = log.epoch();
        _narrow();
        vm.assertTrue(log.epoch() > before);
        _fulfill(made);
        vm.assertTrue(oracle.stateOf(_id(made)).status == RequestStatus.Fulfilled);
    }

    /// @dev The note of a request whose round failed is still there for the next.
    function test_Dispute_KeepsTheNote() public {
        RequestParams memory params = _quorum(2, 3);
        Request memory made = _ask(params);
        _dispute(_hold(made, 0, _disagreeing(3)));
        Submission memory held = _hold(made, 3, _agreeing(2));
        // With the registry out of reach, only the note can say that the weights are right.
        vm.mockCallRevert(address(models), "", "");
        _submit(held, OUTPUT);
        vm.assertTrue(oracle.stateOf(_id(made)).status == RequestStatus.Fulfilled);
    }

    function test_Fail_LeavesNoNote() public {
        Request memory made = _ask(_quorum(2, 3));
        for (uint256 i = 0; i < 2; ++i) {
            _dispute(_hold(made, 3 * i, _disagreeing(3)));
        }
        _expectBare(made, RequestStatus.Failed, uint40(block.timestamp));
    }

    /// @dev At its highest value the log's epoch stands still, whatever is revoked.
    function test_Fulfill_AsksAnewAtTheLastEpoch() public {
        uint24 last = type(uint24).max;
        vm.prank(address(log));
        workers.follow(last);
        Request memory made = _ask();
        // What the log would do at its last epoch: a revocation that moves nothing.
        vm.mockCall(address(log), abi.encodeWithSelector(IChangeLog.note.selector), "");
        vm.prank(GUARDIAN);
        models.revoke(MODEL);
        _expectRevoked(made);
    }

    /* PARTS */

    function _disagreeing(uint256 count) private pure returns (bytes32[] memory decisions) {
        decisions = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            decisions[i] = keccak256(abi.encode(i));
        }
    }

    function _expectBare(Request memory made, RequestStatus status, uint40 endedAt) private view {
        RequestState memory state = oracle.stateOf(_id(made));
        vm.assertTrue(state.status == status);
        vm.assertEq(state.endedAt, endedAt);
        vm.assertEq(state.worker, address(0));
    }

    function _narrow() private {
        bytes32 other = _admitModel(keccak256(abi.encode("other", block.timestamp)));
        vm.prank(GUARDIAN);
        models.revoke(other);
        vm.warp(block.timestamp + 1);
    }

    function _expectWrongWeights(Request memory made, Result memory result) private {
        bytes memory signature = _signed(result);
        vm.expectRevert(
            abi.encodeWithSelector(IResultOracle.WrongWeights.selector, result.weightsRoot, WEIGHTS)
        );
        oracle.fulfill(made, result, OUTPUT, signature);
    }

    function _expectRevoked(Request memory made) private {
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        _expectNotAdmitted(MODEL, ModelStatus.Revoked);
        oracle.fulfill(made, result, OUTPUT, signature);
    }

    function _expectNotAdmitted(bytes32 modelId, ModelStatus actual) private {
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.ModelNotAdmitted.selector, modelId, actual)
        );
    }
}
