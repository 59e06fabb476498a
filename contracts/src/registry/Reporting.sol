// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IReporting} from "../interfaces/IReporting.sol";
import {Governed} from "./Governed.sol";

/// @title Reporting
/// @notice A governed contract whose log hears of every change.
abstract contract Reporting is IReporting, Governed {
    /* IMMUTABLES */

    /// @inheritdoc IReporting
    IChangeLog public immutable LOG;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log) Governed(governor, guardian) {
        require(address(log) != address(0), ZeroAddress());
        LOG = log;
        log.enrol();
    }

    /* REPORTS */

    /// @dev What was refused is accepted; answers found before stay right.
    function _widened(bytes32 subject) internal {
        LOG.note(msg.sender, msg.sig, subject, false, false);
    }

    /// @dev What was accepted is refused, and `outdates` says whether anyone may have relied on it.
    function _narrowed(bytes32 subject, bool outdates) internal {
        LOG.note(msg.sender, msg.sig, subject, true, outdates);
    }

    /// @dev How the log knows `subject` of an app.
    function _subjectOf(bytes32 appId, bytes32 subject) internal pure returns (bytes32) {
        return keccak256(abi.encode(appId, subject));
    }
}
