// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @notice How a request ended, as its requester is told.
enum ResultStatus {
    /// @dev As many workers as asked for agreed in time; the output comes with it.
    Fulfilled,
    /// @dev The workers could not agree, or the model was revoked; what was put up went back, and the
    /// output is empty.
    Failed,
    /// @dev Nobody answered in time; what was put up went back, and the output is empty.
    Refunded
}

/// @title IResultConsumer
/// @notice What a contract must offer to be called back by {IResultOracle}.
/// @dev Warning: check that the caller is the oracle. {AttestedConsumer} does it for you.
interface IResultConsumer is IERC165 {
    /// @notice Tells how `requestId` ended.
    function onResult(bytes32 requestId, ResultStatus status, bytes calldata output) external;
}
