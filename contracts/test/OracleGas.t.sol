// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Batch, Claim} from "../src/interfaces/IBatchOracle.sol";
import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {BatchOracle} from "../src/oracle/BatchOracle.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Request} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {RoundFixture} from "./RoundFixture.t.sol";

/// @notice A consumer that does nothing with its answer: what is left is the oracle's own cost.
contract QuietConsumer is AttestedConsumer {
    constructor(IResultOracle oracle) AttestedConsumer(oracle) {}

    function ask(RequestParams calldata params) external payable returns (bytes32) {
        return ORACLE.request{value: msg.value}(params);
    }

    function _onResult(bytes32, bytes calldata) internal override {}
}

/// @notice What requests and results cost in the long run, whole transactions: requester, app and
/// operators were seen before. snapshots/Oracle.json; docs/performance.md says what each includes.
contract OracleGasTest is RoundFixture {
    uint256 private constant LEAVES = 1000;

    QuietConsumer private quiet;
    BatchOracle private batches;

    function setUp() public override {
        super.setUp();
        quiet = new QuietConsumer(oracle);
        batches = new BatchOracle(workers, models, _quotas(), _tokens());
        // Everybody was paid before, and the consumer got something back.
        _submit(_hold(_askQuietly(_thirds(3, 3)), 0, _agreeing(3)), OUTPUT);
        RequestParams memory params = _params();
        params.payment.baseFee = 1;
        Request memory made = _askQuietly(params);
        oracle.fulfill(made, _result(made), OUTPUT, _signed(_result(made)));
    }

    function test_Request() public {
        RequestParams memory params = _params();
        params.callbackGasLimit = 0;
        vm.deal(address(this), 1 ether);
        oracle.request{value: FEE}(params);
        oracle.request{value: FEE}(params);
        vm.snapshotGasLastCall("Oracle", "request");
    }

    function test_ResultOfOne() public {
        Request memory made = _askQuietly(_params());
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.snapshotGasLastCall("Oracle", "result of one worker, with callback");
    }

    function test_ResultByUse() public {
        RequestParams memory params = _params();
        params.payment.unitFee = 1 gwei;
        Request memory made = _askQuietly(params);
        Result memory result = _result(made);
        bytes memory signature = _signed(result);
        oracle.fulfill(made, result, OUTPUT, signature);
        vm.snapshotGasLastCall("Oracle", "result of one worker paid by use, with callback");
    }

    function test_ResultOfThreeOfThree() public {
        Submission memory held = _hold(_askQuietly(_thirds(3, 3)), 0, _agreeing(3));
        _submit(held, OUTPUT);
        vm.snapshotGasLastCall("Oracle", "result of 3 of 3 workers, with callback");
    }

    function test_ResultOfThreeOfFive() public {
        Submission memory held = _choose(_hold(_askQuietly(_thirds(3, 5)), 0, _agreeing(5)), 7);
        _submit(held, OUTPUT);
        vm.snapshotGasLastCall("Oracle", "result of 3 of 5 workers, with callback");
    }

    /// @dev The most workers a round may have, all of whom must agree.
    function test_ResultOfSixteen() public {
        for (uint256 i = WORKERS; i < 16; ++i) {
            uint256 key = 0xf0000 + i;
            _insert(key);
            _enrol(vm.addr(key), keccak256(abi.encode("platform", i)), _operator(i));
        }
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        RequestParams memory params = _quorum(16, 16);
        (params.quorum.operators, params.payment.maxFee) = (16, 16 * (FEE / 16));
        _submit(_hold(_askQuietly(params), 0, _agreeing(16)), OUTPUT);
        uint256 used = vm.snapshotGasLastCall("Oracle", "result of 16 of 16 workers, with callback");
        vm.assertLt(used, 1 << 20);
    }

    /// @dev A batch of a thousand: the commitment, and a claim by a path of ten.
    function test_Batch() public {
        for (uint256 i = 0; i < 2; ++i) {
            RequestParams memory params = _params();
            params.callbackGasLimit = 0;
            Request memory made = _request(params, address(this));
            made.sequence = batches.sequenceOf(address(this));
            batches.request{value: FEE}(params);
            bytes32 root =
                batches.leafOf(batches.requestIdOf(made), sha256(INPUT), sha256(OUTPUT), 7);
            bytes32[] memory path = new bytes32[](10);
            for (uint256 j = 0; j < path.length; ++j) {
                path[j] = keccak256(abi.encode(j));
                root = root < path[j]
                    ? keccak256(abi.encode(root, path[j]))
                    : keccak256(abi.encode(path[j], root));
            }
            _commit(root);
            batches.claim(
                made, Claim(i + 1, worker, OPERATOR, ProofKind.Committee, 7), OUTPUT, path
            );
        }
        vm.snapshotGasLastCall("Oracle", "claim, path of 10");
    }

    function _commit(bytes32 root) private {
        uint64 deadline = uint64(block.timestamp) + 10 minutes;
        Batch memory batch =
            Batch(APP, MODEL, WEIGHTS, root, uint64(LEAVES), 0, 0, worker, 1, deadline);
        bytes memory signature = _sign(WORKER_KEY, batches.batchDigest(batch));
        batches.commit(batch, signature);
        vm.snapshotGasLastCall("Oracle", "commit a batch");
    }

    function _thirds(uint8 results, uint8 seats)
        private
        view
        returns (RequestParams memory params)
    {
        params = _quorum(results, seats);
        params.payment.maxFee = 3 * (FEE / 3);
    }

    function _askQuietly(RequestParams memory params) private returns (Request memory made) {
        made = _request(params, address(quiet));
        vm.assertEq(quiet.ask{value: params.payment.maxFee}(params), _id(made));
    }
}
