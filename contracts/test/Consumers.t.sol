// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ResultStatus} from "../src/interfaces/IResultConsumer.sol";
import {IResultOracle, RequestParams} from "../src/interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {Result} from "../src/types/Result.sol";

/// @notice What a consumer does when it is called back.
enum Mood {
    Calm,
    Reverts,
    BurnsGas,
    ReturnsABomb,
    RevertsWithABomb,
    ReentersFulfill,
    ReentersRequest,
    ReentersExpire,
    ReentersWithdraw
}

/// @notice A consumer that remembers what it was told, or misbehaves on demand.
contract MoodyConsumer is AttestedConsumer {
    error Moody(uint256 value);

    Mood public mood;
    uint256 public calls;
    uint256 public errorCount;
    bytes32 public lastId;
    bytes public lastOutput;
    Result private _replay;
    bytes private _signature;

    constructor(IResultOracle oracle) AttestedConsumer(oracle) {}

    receive() external payable {}

    function setMood(Mood next) external {
        mood = next;
    }

    function setReplay(Result calldata result, bytes calldata signature) external {
        _replay = result;
        _signature = signature;
    }

    function ask(RequestParams calldata params) external payable returns (bytes32) {
        return ORACLE.request{value: msg.value}(params);
    }

    function retry(bytes32 requestId, bytes calldata output) external {
        ORACLE.retryCallback(requestId, output);
    }

    function withdraw(address payable to) external {
        ORACLE.withdraw(to);
    }

    function _onResult(bytes32 requestId, bytes calldata output) internal override {
        _misbehave(requestId, output);
        ++calls;
        lastId = requestId;
        lastOutput = output;
    }

    function _onError(bytes32 requestId, ResultStatus) internal override {
        _misbehave(requestId, "");
        ++errorCount;
        lastId = requestId;
    }

    function _misbehave(bytes32 requestId, bytes memory output) private {
        if (mood == Mood.Reverts) revert Moody(42);
        if (mood == Mood.BurnsGas) {
            while (true) ++calls;
        }
        if (mood == Mood.ReturnsABomb) {
            assembly ("memory-safe") {
                return(0, 100000)
            }
        }
        if (mood == Mood.RevertsWithABomb) {
            assembly ("memory-safe") {
                revert(0, 100000)
            }
        }
        if (mood == Mood.ReentersFulfill) ORACLE.fulfill(_replay, output, _signature);
        if (mood == Mood.ReentersRequest) {
            ORACLE.request(
                RequestParams("app", "model", "", 0, uint64(block.timestamp + 1), address(0))
            );
        }
        if (mood == Mood.ReentersExpire) ORACLE.expire(requestId);
        if (mood == Mood.ReentersWithdraw) ORACLE.withdraw(payable(address(this)));
    }
}
