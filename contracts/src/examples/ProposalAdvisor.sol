// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {AttestedConsumer} from "../oracle/AttestedConsumer.sol";

/// @title ProposalAdvisor
/// @notice A DAO council asks a model inside a TEE about its proposals, and keeps the answers.
contract ProposalAdvisor is AttestedConsumer {
    bytes32 public immutable APP_ID;
    bytes32 public immutable MODEL_ID;

    bytes32 public lastId;
    mapping(bytes32 requestId => bytes) public answerTo;

    event Answered(bytes32 indexed requestId, bytes answer);

    constructor(IResultOracle oracle, bytes32 appId, bytes32 modelId) AttestedConsumer(oracle) {
        APP_ID = appId;
        MODEL_ID = modelId;
    }

    /// @notice Asks `question`; the value sent is the worker's fee, and comes back to the sender if
    /// nobody answers within an hour.
    function ask(string calldata question) external payable returns (bytes32 requestId) {
        uint64 deadline = uint64(block.timestamp + 1 hours);
        return _ask(APP_ID, MODEL_ID, bytes(question), 1_000_000, deadline, msg.sender);
    }

    function lastAnswer() external view returns (bytes memory) {
        return answerTo[lastId];
    }

    function _onResult(bytes32 requestId, bytes calldata output) internal override {
        answerTo[requestId] = output;
        lastId = requestId;
        emit Answered(requestId, output);
    }
}
