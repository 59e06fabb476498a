// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../oracle/AttestedConsumer.sol";

/// @title EightBall
/// @notice The least a dApp needs: it asks, and keeps the last answer.
contract EightBall is AttestedConsumer {
    bytes public answer;

    constructor(IResultOracle oracle) AttestedConsumer(oracle) {}

    function ask(bytes32 app, bytes32 model, bytes calldata question) external payable {
        _ask(app, model, question, 200_000, uint64(block.timestamp + 1 hours), msg.sender);
    }

    function _onResult(bytes32, bytes calldata output) internal override {
        answer = output;
    }
}
