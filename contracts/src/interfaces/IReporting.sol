// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IChangeLog} from "./IChangeLog.sol";
import {IGoverned} from "./IGoverned.sol";

/// @title IReporting
/// @notice A governed contract whose log hears of every change.
interface IReporting is IGoverned {
    /// @notice Hears of every change.
    function LOG() external view returns (IChangeLog);
}
