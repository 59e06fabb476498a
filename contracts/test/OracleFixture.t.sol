// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {Payment, Quorum, Request, Rule} from "../src/types/Request.sol";
import {Result} from "../src/types/Result.sol";
import {MoodyConsumer} from "./Consumers.t.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice An active worker and a consumer that asks it.
abstract contract OracleFixture is Deployment {
    bytes32 internal constant MODEL = keccak256(
        abi.encode(
            keccak256("Model(bytes32 weightsRoot,bytes32 tokenizerHash,bytes32 configHash)"),
            WEIGHTS,
            TOKENIZER,
            CONFIG
        )
    );
    bytes internal constant INPUT = "Is the proposal sound?";
    bytes internal constant OUTPUT = "It is.";
    uint96 internal constant FEE = 0.01 ether;
    address internal constant ETHER = address(0);

    MoodyConsumer internal consumer;

    function setUp() public virtual override {
        super.setUp();
        _activate();
        consumer = new MoodyConsumer(oracle);
        vm.deal(address(this), 100 ether);
    }

    /* REQUESTS */

    function _params() internal view returns (RequestParams memory) {
        return RequestParams({
            appId: APP,
            modelId: MODEL,
            input: INPUT,
            inputCommitment: 0,
            callbackGasLimit: 300_000,
            reservedUntil: 0,
            deadline: uint64(block.timestamp) + 1 hours,
            payment: Payment(ETHER, address(0), FEE, 0, 0),
            quorum: Quorum(1, 1, 1, 1, Rule.Exact, 0),
            workers: new address[](0)
        });
    }

    /// @dev What the oracle makes of `params` when `requester` asks next.
    function _request(RequestParams memory params, address requester)
        internal
        view
        returns (Request memory)
    {
        address refundTo = params.payment.refundTo;
        Payment memory payment = params.payment;
        payment.refundTo = refundTo == address(0) ? requester : refundTo;
        return Request({
            appId: params.appId,
            modelId: params.modelId,
            inputCommitment: sha256(params.input),
            requester: requester,
            sequence: oracle.sequenceOf(requester),
            callbackGasLimit: params.callbackGasLimit,
            reservedUntil: params.reservedUntil,
            deadline: params.deadline,
            payment: payment,
            quorum: params.quorum,
            workers: params.workers
        });
    }

    function _ask() internal returns (Request memory) {
        return _ask(_params());
    }

    /// @dev The consumer asks; whatever it puts up in ether is sent along.
    function _ask(RequestParams memory params) internal returns (Request memory made) {
        made = _request(params, address(consumer));
        uint256 value = params.payment.token == ETHER ? params.payment.maxFee : 0;
        vm.assertEq(consumer.ask{value: value}(params), _id(made));
    }

    function _id(Request memory made) internal view returns (bytes32) {
        return oracle.requestIdOf(made);
    }

    /* RESULTS */

    function _result(Request memory made) internal view returns (Result memory) {
        return _resultOf(_id(made));
    }

    function _resultOf(bytes32 requestId) internal view returns (Result memory) {
        return Result({
            requestId: requestId,
            appId: APP,
            modelId: MODEL,
            weightsRoot: WEIGHTS,
            inputCommitment: sha256(INPUT),
            outputHash: sha256(OUTPUT),
            decision: sha256(OUTPUT),
            round: 0,
            keyEpoch: 0,
            policyVersion: 0,
            worker: worker,
            units: 7,
            nonce: 1,
            deadline: uint64(block.timestamp) + 10 minutes
        });
    }

    function _signed(Result memory result) internal view returns (bytes memory) {
        return _sign(WORKER_KEY, oracle.resultDigest(result));
    }

    function _fulfill(Request memory made) internal {
        Result memory result = _result(made);
        oracle.fulfill(made, result, OUTPUT, _signed(result));
    }
}
