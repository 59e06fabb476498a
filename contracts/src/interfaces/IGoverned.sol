// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title IGoverned
/// @notice Two addresses fixed at deployment: one that may widen, one that may only narrow.
interface IGoverned {
    /// @notice The caller may not do this.
    /// @custom:remedy Send it from the governor, or from the guardian where it only narrows.
    error Unauthorized(address caller);

    /// @notice An address that must be given is zero.
    /// @custom:remedy Give the address of the account or contract that is meant.
    error ZeroAddress();

    /// @notice May widen and narrow. Expected to be a timelock.
    function GOVERNOR() external view returns (address);

    /// @notice May only narrow, without delay. Expected to be a multisig.
    function GUARDIAN() external view returns (address);
}
