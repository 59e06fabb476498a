// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

import {RequestParams} from "../src/interfaces/IRequestBook.sol";
import {ResultStatus} from "../src/interfaces/IResultConsumer.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../src/oracle/AttestedConsumer.sol";
import {Request} from "../src/types/Request.sol";

/// @notice What a consumer does when it is called back.
enum Mood {
    Calm,
    Reverts,
    BurnsGas,
    ReturnsABomb,
    RevertsWithABomb,
    Reenters
}

/// @notice A consumer that remembers what it was told, or misbehaves on demand.
contract MoodyConsumer is AttestedConsumer {
    error Moody(uint256 value);

    Mood public mood;
    uint256 public calls;
    uint256 public errorCount;
    bytes32 public lastId;
    bytes public lastOutput;
    ResultStatus public lastStatus;
    bytes private _reentry;

    constructor(IResultOracle oracle) AttestedConsumer(oracle) {}

    receive() external payable {}

    function setMood(Mood next) external {
        mood = next;
    }

    /// @dev What it calls the oracle with, from inside a callback.
    function setReentry(bytes calldata call) external {
        _reentry = call;
    }

    function approve(IERC20 token) external {
        token.approve(address(ORACLE), type(uint256).max);
    }

    function ask(RequestParams calldata params) external payable returns (bytes32) {
        return ORACLE.request{value: msg.value}(params);
    }

    function retry(Request calldata made, bytes calldata output) external {
        ORACLE.retryCallback(made, output);
    }

    function withdraw(address token, address payable to) external {
        _withdraw(token, to);
    }

    function _onResult(bytes32 requestId, bytes calldata output) internal override {
        _misbehave();
        ++calls;
        lastId = requestId;
        lastOutput = output;
    }

    function _onError(bytes32 requestId, ResultStatus status) internal override {
        _misbehave();
        lastStatus = status;
        ++errorCount;
        lastId = requestId;
    }

    function _misbehave() private {
        if (mood == Mood.Reverts) revert Moody(42);
        if (mood == Mood.BurnsGas) {
            while (true) ++calls;
        }
        // A megabyte would take 2.2 million gas, more than any callback has.
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
        if (mood == Mood.Reenters) Address.functionCall(address(ORACLE), _reentry);
    }
}
