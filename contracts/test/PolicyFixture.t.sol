// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Policy} from "../src/interfaces/ITcbPolicy.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice A deployment whose app publishes policies.
abstract contract PolicyFixture is Deployment {
    uint32 internal constant GRACE = 3 days;

    /// @dev Statuses 1 and 2 by any real proof, without grace.
    function _policy() internal pure returns (Policy memory made) {
        made.acceptedStatuses = 0x0006;
        made.acceptedKinds = 0x0e;
        made.denied = new bytes32[](0);
        made.platforms = new bytes32[](0);
    }

    /// @dev The same, and whoever falls behind has three days.
    function _gracious() internal pure returns (Policy memory made) {
        made = _policy();
        for (uint256 i = 0; i < 8; ++i) {
            made.graces[i] = GRACE;
        }
    }

    function _publish(Policy memory made, bool emergency) internal returns (uint64) {
        vm.prank(GOVERNOR);
        return policy.publish(APP, MeasurementLib.TDX, made, emergency);
    }

    function _list(bytes32 entry) internal pure returns (bytes32[] memory entries) {
        entries = new bytes32[](1);
        entries[0] = entry;
    }
}
