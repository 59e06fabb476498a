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
import {BatchOracle} from "../src/oracle/BatchOracle.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request} from "../src/types/Request.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice Answers that come many at a time.
contract BatchesTest is OracleFixture {
    BatchOracle private batches;
    Request[] private asked;

    function setUp() public override {
        super.setUp();
        batches = new BatchOracle(workers, models, _quotas(), _tokens());
    }

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

    /// @dev A batch answers for one worker; whoever wants several asks the oracle of rounds.
    function test_Claim_RevertWhen_TheRequestIsNotForOne() public {
        RequestParams memory params = _plain();
        (params.quorum.results, params.quorum.seats) = (2, 3);
        Request memory made = _askBatch(params);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.WrongAnswerCount.selector, 1, 2));
        batches.claim(made, _told(1, worker, 0), OUTPUT, new bytes32[](0));
        params = _plain();
        params.workers = new address[](1);
        params.workers[0] = STRANGER;
        params.reservedUntil = uint64(block.timestamp);
        made = _askBatch(params);
        vm.expectRevert(abi.encodeWithSelector(IResultOracle.NotAssigned.selector, worker));
        batches.claim(made, _told(1, worker, 0), OUTPUT, new bytes32[](0));
    }

    /// @dev What a worker signed before it was found out does not count any more.
    function test_Void_StopsClaims() public {
        bytes32[] memory leaves = _answered(2);
        uint256 id = _commit(leaves);
        bytes32 root = _rootOf(leaves);
        CommittedBatch memory other = _committed(root);
        other.worker = STRANGER;
        vm.expectPartialRevert(IBatchOracle.WorkerNotRuledOut.selector);
        batches.void(id, _committed(root));
        vm.expectPartialRevert(IBatchOracle.UnknownBatch.selector);
        batches.void(id, other);
        batches.claim(asked[0], _told(id, worker, 0), _output(0), _path(leaves, 0));
        vm.prank(GUARDIAN);
        workers.revoke(worker);
        vm.expectEmit(true, true, true, true, address(batches));
        emit IBatchOracle.BatchVoided(id, worker, IWorkerRegistry.WorkerIsRevoked.selector);
        batches.void(id, _committed(root));
        _expectNotInBatch(asked[1], _told(id, worker, 1), _output(1), _path(leaves, 1));
        vm.expectPartialRevert(IBatchOracle.UnknownBatch.selector);
        batches.void(id, _committed(root));
    }

    /// @dev The worker is as good as ever; what it served is not.
    function test_Void_StopsClaimsOnARevokedModel() public {
        bytes32[] memory leaves = _answered(1);
        uint256 id = _commit(leaves);
        vm.prank(GUARDIAN);
        models.revoke(MODEL);
        vm.expectEmit(true, true, true, true, address(batches));
        emit IBatchOracle.BatchVoided(id, worker, IModelRegistry.ModelNotAdmitted.selector);
        batches.void(id, _committed(leaves[0]));
        _expectNotInBatch(asked[0], _told(id, worker, 0), _output(0), new bytes32[](0));
        _expectRefused(_batch("root", 1), IModelRegistry.ModelNotAdmitted.selector);
    }

    /// @dev A worker that retired answered as well as ever.
    function test_Void_RevertWhen_TheWorkerOnlyLeft() public {
        bytes32[] memory leaves = _answered(1);
        uint256 id = _commit(leaves);
        vm.prank(OPERATOR);
        workers.retire(worker);
        vm.expectPartialRevert(IBatchOracle.WorkerNotRuledOut.selector);
        batches.void(id, _committed(leaves[0]));
        batches.claim(asked[0], _told(id, worker, 0), _output(0), new bytes32[](0));
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(batches.supportsInterface(type(IBatchOracle).interfaceId));
        vm.assertTrue(batches.supportsInterface(type(IRequestBook).interfaceId));
        vm.assertFalse(batches.supportsInterface(0xffffffff));
    }

    /* PARTS */

    function _told(uint256 id, address by, uint64 units) private pure returns (Claim memory) {
        return Claim(id, by, OPERATOR, ProofKind.Committee, units);
    }

    function _committed(bytes32 root) private view returns (CommittedBatch memory) {
        return CommittedBatch(APP, MODEL, root, worker, OPERATOR, ProofKind.Committee);
    }

    function _plain() private view returns (RequestParams memory params) {
        params = _params();
        params.callbackGasLimit = 0;
    }

    function _askBatch(RequestParams memory params) private returns (Request memory made) {
        made = _request(params, address(this));
        made.sequence = batches.sequenceOf(address(this));
        vm.assertEq(batches.request{value: FEE}(params), batches.requestIdOf(made));
    }

    function _output(uint256 index) private pure returns (bytes memory) {
        return abi.encode("answer", index);
    }

    /// @dev Asks `count` times; the leaves of the answers, whose units are their index.
    function _answered(uint256 count) private returns (bytes32[] memory leaves) {
        leaves = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            asked.push(_askBatch(_plain()));
            leaves[i] = batches.leafOf(
                batches.requestIdOf(asked[i]), sha256(INPUT), sha256(_output(i)), uint64(i)
            );
        }
    }

    function _batch(bytes32 root, uint64 count) private view returns (Batch memory) {
        uint64 deadline = uint64(block.timestamp) + 10 minutes;
        return Batch(APP, MODEL, WEIGHTS, root, count, 0, 0, worker, 1, deadline);
    }

    function _signedBatch(Batch memory batch) private view returns (bytes memory) {
        return _sign(WORKER_KEY, batches.batchDigest(batch));
    }

    function _commit(bytes32[] memory leaves) private returns (uint256) {
        return _commitRoot(_rootOf(leaves));
    }

    function _commitRoot(bytes32 root) private returns (uint256) {
        Batch memory batch = _batch(root, 1);
        return batches.commit(batch, _signedBatch(batch));
    }

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

    /* TREES */

    /// @dev An odd node rises unchanged.
    function _level(bytes32[] memory nodes) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] =
                2 * i + 1 < nodes.length ? _pair(nodes[2 * i], nodes[2 * i + 1]) : nodes[2 * i];
        }
    }

    function _pair(bytes32 a, bytes32 b) private pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _rootOf(bytes32[] memory nodes) private pure returns (bytes32) {
        while (nodes.length > 1) {
            nodes = _level(nodes);
        }
        return nodes[0];
    }

    function _path(bytes32[] memory nodes, uint256 index)
        private
        pure
        returns (bytes32[] memory path)
    {
        bytes32[] memory found = new bytes32[](16);
        uint256 count = 0;
        for (; nodes.length > 1; index /= 2) {
            uint256 beside = index ^ 1;
            if (beside < nodes.length) found[count++] = nodes[beside];
            nodes = _level(nodes);
        }
        path = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            path[i] = found[i];
        }
    }
}
