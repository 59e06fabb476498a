// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Registration} from "../interfaces/IWorkerRegistry.sol";

/// @title RegistrationLog
/// @notice Emits what registering emits, without copying it once more.
library RegistrationLog {
    uint256 private constant LENGTH = 8 * 32;

    /// @notice Emits the event with this selector, which has four topics and a registration.
    function emitAs(
        bytes32 selector,
        address worker,
        bytes32 appId,
        bytes32 measurementId,
        Registration memory registration
    ) internal {
        assembly ("memory-safe") {
            // A static struct lies in memory as it is encoded.
            log4(registration, LENGTH, selector, shr(96, shl(96, worker)), appId, measurementId)
        }
    }
}
