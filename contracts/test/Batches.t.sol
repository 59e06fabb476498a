// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Claim, CommittedBatch, IBatchOracle} from "../src/interfaces/IBatchOracle.sol";
import {
    CallbackStatus,
    IRequestBook,
    RequestParams,
    RequestStatus
} from "../src/interfaces/IRequestBook.sol";
import {IModelRegistry} from "../src/interfaces/IModelRegistry.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MerkleLib} from "../src/oracle/MerkleLib.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request} from "../src/types/Request.sol";
import {BatchFixture} from "./BatchFixture.t.sol";
import {Mood, MoodyConsumer} from "./Consumers.t.sol";

/// @notice Answers that come many at a time.
contract BatchesTest is BatchFixture {
    /* COMMITMENT */

    function testFuzz_Commit_TakesARootWhoeverSends(address sender, bytes32 root) public {
        Batch memory batch = _batch(root, 3);
        bytes memory signature = _signedBatch(batch);
        vm.expectEmit(true, true, true, true, address(batches));
        emit IBatchOracle.BatchCommitted(
            1, APP, worker, MODEL, root, 3, OPERATOR, ProofKind.Committee
        );
        vm.prank(sender);
        vm.assertEq(batches.commit(batch, signature), 1);
        vm.assertEq(batches.batchOf(1), keccak256(abi.encode(_committed(root))));
    }

    function test_Commit_RevertWhen_SomethingIsWrong() public {
        Batch memory batch = _batch("root", 0);
        _expectRefused(batch, IBatchOracle.EmptyBatch.selector);
        batch = _batch("root", 1);
        batch.weightsRoot = "others";
        _expectRefused(batch, IResultOracle.WrongWeights.selector);
        batch = _batch("root", 1);
        batch.keyEpoch = 1;
        _expectRefused(batch, IResultOracle.WrongKeyEpoch.selector);
        batch = _batch("root", 1);
        batch.policyVersion = 1;
        _expectRefused(batch, IResultOracle.WrongPolicyVersion.selector);
        batch = _batch("root", 1);
        batch.deadline = uint64(block.timestamp) - 1;
        _expectRefused(batch, IResultOracle.ResultExpired.selector);
        batch = _batch("root", 1);
        batch.worker = STRANGER;
        _expectRefused(batch, IResultOracle.WrongSigner.selector);
        batch = _batch("root", 1);
        bytes memory signature = _signedBatch(batch);
        vm.expectRevert(IResultOracle.InvalidSignature.selector);
        batches.commit(batch, "");
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        vm.expectPartialRevert(IWorkerRegistry.WorkerIsRevoked.selector);
        batches.commit(batch, signature);
    }

    /* CLAIMS */

    /// @dev Every answer of a batch, whatever its size, is claimed once by its path.
    /// forge-config: default.fuzz.runs = 16
    function testFuzz_Claim_PaysOnceForEveryAnswer(uint8 size) public {
        uint256 count = 1 + size % 9;
        bytes32[] memory leaves = _answered(count);
        uint256 id = _commit(leaves);
        for (uint256 i = 0; i < count; ++i) {
            bytes32[] memory path = _path(leaves, i);
            batches.claim(asked[i], _told(id, worker, uint64(i)), _output(i), path);
            bytes32 requestId = batches.requestIdOf(asked[i]);
            vm.assertTrue(batches.stateOf(requestId).status == RequestStatus.Fulfilled);
            vm.expectRevert(
                abi.encodeWithSelector(IRequestBook.AlreadyFulfilled.selector, requestId)
            );
            batches.claim(asked[i], _told(id, worker, uint64(i)), _output(i), path);
        }
        vm.assertEq(batches.creditOf(ETHER, OPERATOR), count * FEE);
    }

    function test_Push_EndsManyAtOnceAndCallsBack() public {
        bytes32[] memory leaves = _answered(5);
        uint256 id = _commit(leaves);
        Claim[] memory told = new Claim[](5);
        bytes[] memory outputs = new bytes[](5);
        bytes32[][] memory paths = new bytes32[][](5);
        for (uint256 i = 0; i < 5; ++i) {
            (told[i], outputs[i]) = (_told(id, worker, uint64(i)), _output(i));
            paths[i] = _path(leaves, i);
        }
        batches.push(asked, told, outputs, paths);
        vm.assertEq(batches.creditOf(ETHER, OPERATOR), 5 * FEE);
        vm.expectRevert(IBatchOracle.LengthsDiffer.selector);
        batches.push(asked, told, new bytes[](4), paths);
    }

    function test_Claim_RevertWhen_TheAnswerIsNotInTheBatch() public {
        bytes32[] memory leaves = _answered(4);
        uint256 id = _commit(leaves);
        bytes32[] memory path = _path(leaves, 1);
        Request memory made = asked[1];
        _expectNotInBatch(made, _told(id, worker, 1), "another output", path);
        _expectNotInBatch(made, _told(id, worker, 2), _output(1), path);
        _expectNotInBatch(made, _told(id, STRANGER, 1), _output(1), path);
        _expectNotInBatch(made, _told(id + 1, worker, 1), _output(1), path);
        _expectNotInBatch(asked[2], _told(id, worker, 1), _output(1), path);
        // Nor may the sender say who is paid, or how well the worker was proven.
        Claim memory told = _told(id, worker, 1);
        told.operator = STRANGER;
        _expectNotInBatch(made, told, _output(1), path);
        told = _told(id, worker, 1);
        told.kind = ProofKind.OnChain;
        _expectNotInBatch(made, told, _output(1), path);
        path[0] = "elsewhere";
        _expectNotInBatch(made, _told(id, worker, 1), _output(1), path);
        // Another app's or model's request is none of this batch's, even under the same root.
        RequestParams memory params = _plain();
        params.modelId = _admitModel("other weights");
        made = _askBatch(params);
        bytes32[] memory alone = new bytes32[](0);
        uint256 other = _commitRoot(
            batches.leafOf(batches.requestIdOf(made), sha256(INPUT), sha256(OUTPUT), 0)
        );
        _expectNotInBatch(made, _told(other, worker, 0), OUTPUT, alone);
    }

    /// @dev A tree of 64 levels has more leaves than a batch can count.
    function test_Claim_RevertWhen_ThePathIsTooLong() public {
        Request memory made = _askBatch(_plain());
        vm.expectRevert(abi.encodeWithSelector(MerkleLib.PathTooLong.selector, 65, 64));
        batches.claim(made, _told(1, worker, 0), OUTPUT, new bytes32[](65));
        _expectNotInBatch(made, _told(1, worker, 0), OUTPUT, new bytes32[](64));
    }

    /// @dev A batch answers for one worker; whoever wants several asks the oracle of rounds.
    function test_Request_RevertWhen_ItAsksSeveral() public {
        RequestParams memory params = _plain();
        (params.quorum.results, params.quorum.seats) = (2, 3);
        vm.expectRevert(abi.encodeWithSelector(IBatchOracle.NotOfSeveral.selector, 2));
        batches.request{value: FEE}(params);
    }

    function test_Claim_RevertWhen_TheRequestNamesAnotherWorker() public {
        RequestParams memory params = _plain();
        params.workers = new address[](1);
        params.workers[0] = STRANGER;
        params.reservedUntil = uint64(block.timestamp);
        Request memory made = _askBatch(params);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotAssigned.selector, worker));
        batches.claim(made, _told(1, worker, 0), OUTPUT, new bytes32[](0));
    }

    /* RETRY */

    /// @dev What failed is delivered again, and nothing else; nothing is kept where it arrived.
    function test_RetryCallback_DeliversWhatWasClaimed() public {
        MoodyConsumer caller = new MoodyConsumer(IResultOracle(address(batches)));
        for (uint256 i = 0; i < 2; ++i) {
            asked.push(_askBatch(_params(), caller));
        }
        bytes32[] memory leaves = _leaves();
        uint256 id = _commit(leaves);
        caller.setMood(Mood.Reverts);
        batches.claim(asked[0], _told(id, worker, 0), _output(0), _path(leaves, 0));
        bytes32 requestId = batches.requestIdOf(asked[0]);
        vm.assertTrue(batches.stateOf(requestId).callback == CallbackStatus.Failed);
        vm.expectPartialRevert(IRequestBook.NotTheRequester.selector);
        batches.retryCallback(asked[0], _output(0));
        vm.expectPartialRevert(IRequestBook.CallbackReverted.selector);
        caller.retry(asked[0], _output(0));
        caller.setMood(Mood.Calm);
        vm.expectPartialRevert(IResultOracle.OutputMismatch.selector);
        caller.retry(asked[0], _output(1));
        caller.retry(asked[0], _output(0));
        vm.assertEq(caller.lastOutput(), _output(0));
        vm.assertTrue(batches.stateOf(requestId).callback == CallbackStatus.Succeeded);
        batches.claim(asked[1], _told(id, worker, 1), _output(1), _path(leaves, 1));
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectPartialRevert(IRequestBook.NothingToRetry.selector);
            caller.retry(asked[i], _output(i));
        }
        vm.assertEq(caller.calls(), 2);
    }

    /// @dev Whoever sends what {InsufficientGas} asks for has enough to note what was not delivered, too.
    function test_Claim_TheGasThatIsAskedForSufficesWhereTheCallbackFails() public {
        MoodyConsumer caller = new MoodyConsumer(IResultOracle(address(batches)));
        RequestParams memory params = _params();
        params.callbackGasLimit = 30_000;
        Request memory made = _askBatch(params, caller);
        bytes memory output = new bytes(8192);
        bytes32 requestId = batches.requestIdOf(made);
        uint256 id = _commitRoot(batches.leafOf(requestId, sha256(INPUT), sha256(output), 0));
        caller.setMood(Mood.BurnsGas);
        bytes memory data = abi.encodeCall(
            IBatchOracle.claim, (made, _told(id, worker, 0), output, new bytes32[](0))
        );
        bool refused = false;
        bool ok = false;
        for (uint256 gasLimit = 150_000; !ok; gasLimit += 500) {
            bytes memory answer;
            (ok, answer) = address(batches).call{gas: gasLimit}(data);
            bool asked = bytes4(answer) == IRequestBook.InsufficientGas.selector;
            // Before it asks, the gas runs out; after it did, never.
            vm.assertTrue(ok || asked || (answer.length == 0 && !refused));
            refused = refused || asked;
        }
        vm.assertTrue(refused);
        caller.setMood(Mood.Calm);
        caller.retry(made, output);
        vm.assertEq(caller.lastOutput(), output);
    }

    function test_RetryCallback_TellsOfARefundAgain() public {
        MoodyConsumer caller = new MoodyConsumer(IResultOracle(address(batches)));
        Request memory made = _askBatch(_params(), caller);
        vm.warp(made.deadline + 1);
        caller.setMood(Mood.Reverts);
        batches.refund(made);
        caller.setMood(Mood.Calm);
        caller.retry(made, "not read");
        vm.assertEq(caller.errorCount(), 1);
        vm.expectPartialRevert(IRequestBook.NothingToRetry.selector);
        caller.retry(made, "");
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(batches.supportsInterface(type(IBatchOracle).interfaceId));
        vm.assertTrue(batches.supportsInterface(type(IRequestBook).interfaceId));
        vm.assertFalse(batches.supportsInterface(0xffffffff));
    }

    /* EXPECTATIONS */

    function _expectRefused(Batch memory batch, bytes4 reason) private {
        bytes memory signature = _signedBatch(batch);
        vm.expectPartialRevert(reason);
        batches.commit(batch, signature);
    }

    function _expectNotInBatch(
        Request memory made,
        Claim memory told,
        bytes memory output,
        bytes32[] memory path
    ) private {
        vm.expectPartialRevert(IBatchOracle.NotInBatch.selector);
        batches.claim(made, told, output, path);
    }
}
