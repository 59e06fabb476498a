// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title GovernanceTimelock
/// @notice The governor of a deployment: whatever widens is announced, waits, and can be vetoed.
/// @dev OpenZeppelin's timelock, administered by itself alone. The guardian may cancel what waits,
/// which narrows; it can neither propose nor execute. Proposers may cancel, too.
contract GovernanceTimelock is TimelockController {
    constructor(
        uint256 delay,
        address[] memory proposers,
        address[] memory executors,
        address guardian
    ) TimelockController(delay, proposers, executors, address(0)) {
        _grantRole(CANCELLER_ROLE, guardian);
    }
}
