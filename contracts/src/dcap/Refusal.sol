// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IEvidenceRefusal} from "../interfaces/IEvidenceRefusal.sol";

/// @dev To be shifted.
uint256 constant BIT = 1;

/// @dev Reverts with `reason`, a name of the shared catalogue.
function refuse(bytes32 reason) pure {
    revert IEvidenceRefusal.EvidenceRefused(reason);
}

/// @dev Reverts with `reason` unless `condition` holds.
function check(bool condition, bytes32 reason) pure {
    if (!condition) refuse(reason);
}
