// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGoverned} from "../interfaces/IGoverned.sol";

/// @title Governed
/// @notice The two addresses of {IGoverned}, fixed at deployment.
abstract contract Governed is IGoverned {
    /* IMMUTABLES */

    /// @inheritdoc IGoverned
    address public immutable GOVERNOR;
    /// @inheritdoc IGoverned
    address public immutable GUARDIAN;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian) {
        require(governor != address(0) && guardian != address(0), ZeroAddress());
        GOVERNOR = governor;
        GUARDIAN = guardian;
    }

    /* CHECKS */

    function _requireGovernor() internal view {
        require(msg.sender == GOVERNOR, Unauthorized(msg.sender));
    }

    function _requireGovernorOrGuardian() internal view {
        require(msg.sender == GOVERNOR || msg.sender == GUARDIAN, Unauthorized(msg.sender));
    }
}
