// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

/// @notice How a request ended, as its requester is told.
enum ResultStatus {
    /// @dev A registered worker answered in time; the output comes with it.
    Fulfilled,
    /// @dev Nobody answered in time; the fee went back and the output is empty.
    Expired
}

/// @title IResultConsumer
/// @notice What a contract must offer to be called back by {IResultOracle}.
/// @dev Warning: check that the caller is the oracle. {AttestedConsumer} does it for you.
interface IResultConsumer is IERC165 {
    /// @notice Tells how `requestId` ended.
    function onResult(bytes32 requestId, ResultStatus status, bytes calldata output) external;
}
