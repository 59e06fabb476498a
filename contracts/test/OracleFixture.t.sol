// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {RequestParams} from "../src/interfaces/IResultOracle.sol";
import {Result} from "../src/types/Result.sol";
import {MoodyConsumer} from "./Consumers.t.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice An active worker and a consumer that asks it.
abstract contract OracleFixture is Deployment {
    bytes32 internal constant MODEL = keccak256("weights");
    bytes internal constant INPUT = "Is the proposal sound?";
    bytes internal constant OUTPUT = "It is.";
    uint256 internal constant FEE = 0.01 ether;

    MoodyConsumer internal consumer;

    function setUp() public virtual override {
        super.setUp();
        _activate();
        consumer = new MoodyConsumer(oracle);
        vm.deal(address(this), 100 ether);
    }

    function _params() internal view returns (RequestParams memory) {
        return RequestParams({
            appId: APP,
            modelId: MODEL,
            input: INPUT,
            callbackGasLimit: 300_000,
            deadline: uint64(block.timestamp) + 1 hours,
            refundTo: address(0)
        });
    }

    function _ask() internal returns (bytes32) {
        return consumer.ask{value: FEE}(_params());
    }

    function _result(bytes32 requestId) internal view returns (Result memory) {
        return Result({
            requestId: requestId,
            appId: APP,
            modelId: MODEL,
            weightsRoot: MODEL,
            inputCommitment: sha256(INPUT),
            outputHash: sha256(OUTPUT),
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

    function _fulfill(bytes32 requestId) internal {
        Result memory result = _result(requestId);
        oracle.fulfill(result, OUTPUT, _signed(result));
    }
}
