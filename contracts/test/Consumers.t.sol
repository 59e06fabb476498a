// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {ResultStatus} from "../src/interfaces/IResultConsumer.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {Request} from "../src/types/Request.sol";
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
    ReentersRefund,
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
    Request private _made;
    Result private _replay;
    bytes private _signature;

    constructor(IResultOracle oracle) AttestedConsumer(oracle) {}

    receive() external payable {}

    function setMood(Mood next) external {
        mood = next;
    }

    function setReplay(Request calldata made, Result calldata result, bytes calldata signature)
        external
    {
        _made = made;
        _replay = result;
        _signature = signature;
    }

    function ask(RequestParams calldata params) external payable returns (bytes32) {
        return ORACLE.request{value: msg.value}(params);
    }

    function retry(Request calldata made, bytes calldata output) external {
        ORACLE.retryCallback(made, output);
    }

    function withdraw(address payable to) external {
        ORACLE.withdraw(address(0), to);
    }

    function _onResult(bytes32 requestId, bytes calldata output) internal override {
        _misbehave(output);
        ++calls;
        lastId = requestId;
        lastOutput = output;
    }

    function _onError(bytes32 requestId, ResultStatus) internal override {
        _misbehave("");
        ++errorCount;
        lastId = requestId;
    }

    function _misbehave(bytes memory output) private {
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
        if (mood == Mood.ReentersFulfill) ORACLE.fulfill(_made, _replay, output, _signature);
        if (mood == Mood.ReentersRequest) {
            _ask("app", "model", "", 0, uint64(block.timestamp + 1), address(0));
        }
        if (mood == Mood.ReentersRefund) ORACLE.refund(_made);
        if (mood == Mood.ReentersWithdraw) ORACLE.withdraw(address(0), payable(address(this)));
    }
}
