// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Claim, CommittedBatch} from "../src/interfaces/IBatchOracle.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {BatchOracle} from "../src/oracle/BatchOracle.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request} from "../src/types/Request.sol";
import {MoodyConsumer} from "./Consumers.t.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice An oracle of batches, requests at it, and the trees that answer them.
abstract contract BatchFixture is OracleFixture {
    BatchOracle internal batches;
    Request[] internal asked;

    function setUp() public virtual override {
        super.setUp();
        batches = new BatchOracle(workers, models, _quotas(), _tokens());
    }

    /* PARTS */

    function _told(uint256 id, address by, uint64 units) internal pure returns (Claim memory) {
        return Claim(id, by, OPERATOR, ProofKind.Committee, units);
    }

    function _committed(bytes32 root) internal view returns (CommittedBatch memory) {
        return CommittedBatch(APP, MODEL, root, worker, OPERATOR, ProofKind.Committee);
    }

    function _plain() internal view returns (RequestParams memory params) {
        params = _params();
        params.callbackGasLimit = 0;
    }

    function _askBatch(RequestParams memory params) internal returns (Request memory made) {
        made = _madeBy(params, address(this));
        vm.assertEq(batches.request{value: FEE}(params), batches.requestIdOf(made));
    }

    /// @dev The same, by a consumer of this oracle.
    function _askBatch(RequestParams memory params, MoodyConsumer caller)
        internal
        returns (Request memory made)
    {
        made = _madeBy(params, address(caller));
        vm.assertEq(caller.ask{value: FEE}(params), batches.requestIdOf(made));
    }

    function _madeBy(RequestParams memory params, address requester)
        private
        view
        returns (Request memory made)
    {
        made = _request(params, requester);
        made.sequence = batches.sequenceOf(requester);
    }

    function _output(uint256 index) internal pure returns (bytes memory) {
        return abi.encode("answer", index);
    }

    /// @dev Asks `count` times; the leaves of the answers, whose units are their index.
    function _answered(uint256 count) internal returns (bytes32[] memory) {
        for (uint256 i = 0; i < count; ++i) {
            asked.push(_askBatch(_plain()));
        }
        return _leaves();
    }

    /// @dev The leaves of answers to all that was asked.
    function _leaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](asked.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            leaves[i] = batches.leafOf(
                batches.requestIdOf(asked[i]), sha256(INPUT), sha256(_output(i)), uint64(i)
            );
        }
    }

    function _batch(bytes32 root, uint64 count) internal view returns (Batch memory) {
        uint64 deadline = uint64(block.timestamp) + 10 minutes;
        return Batch(APP, MODEL, WEIGHTS, root, count, 0, 0, worker, 1, deadline);
    }

    function _signedBatch(Batch memory batch) internal view returns (bytes memory) {
        return _sign(WORKER_KEY, batches.batchDigest(batch));
    }

    /// @dev A root that the worker with this key signed, which `worker` now names.
    function _commitAs(uint256 key, bytes32 root) internal returns (uint256) {
        Batch memory batch = _batch(root, 1);
        return batches.commit(batch, _sign(key, batches.batchDigest(batch)));
    }

    function _commit(bytes32[] memory leaves) internal returns (uint256) {
        return _commitRoot(_rootOf(leaves));
    }

    function _commitRoot(bytes32 root) internal returns (uint256) {
        Batch memory batch = _batch(root, 1);
        return batches.commit(batch, _signedBatch(batch));
    }

    /* TREES */

    /// @dev An odd node rises unchanged.
    function _level(bytes32[] memory nodes) internal pure returns (bytes32[] memory above) {
        above = new bytes32[]((nodes.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] =
                2 * i + 1 < nodes.length ? _pair(nodes[2 * i], nodes[2 * i + 1]) : nodes[2 * i];
        }
    }

    function _pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function _rootOf(bytes32[] memory nodes) internal pure returns (bytes32) {
        while (nodes.length > 1) {
            nodes = _level(nodes);
        }
        return nodes[0];
    }

    function _path(bytes32[] memory nodes, uint256 index)
        internal
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
