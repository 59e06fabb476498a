// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {
    IMeasurementRegistry,
    Manifest,
    MeasurementStatus
} from "../interfaces/IMeasurementRegistry.sol";
import {Reporting} from "./Reporting.sol";

/// @title MeasurementRegistry
/// @notice The TEE images whose evidence an app accepts.
/// @dev Immutable: no proxy, no owner setter, no loop over storage.
contract MeasurementRegistry is IMeasurementRegistry, Reporting, ERC165 {
    /* CONSTANTS */

    /// @dev Longer than any repository address in use, short enough to keep an event cheap.
    uint256 private constant MAX_SOURCE_URI_LENGTH = 512;

    /* STORAGE */

    /// @inheritdoc IMeasurementRegistry
    mapping(bytes32 appId => mapping(bytes32 measurementId => MeasurementStatus)) public statusOf;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log)
        Reporting(governor, guardian, log)
    {}

    /* ADMISSION */

    /// @inheritdoc IMeasurementRegistry
    function admit(bytes32 appId, bytes32 measurementId, Manifest calldata manifest) external {
        _requireGovernor();
        require(appId != 0 && measurementId != 0, ZeroId());
        uint256 length = bytes(manifest.sourceUri).length;
        require(
            manifest.sourceCommit != 0 && manifest.buildDigest != 0 && length != 0,
            ManifestIncomplete()
        );
        require(length <= MAX_SOURCE_URI_LENGTH, SourceUriTooLong(length, MAX_SOURCE_URI_LENGTH));
        _advance(appId, measurementId, MeasurementStatus.Unknown, MeasurementStatus.Admitted);
        emit MeasurementAdmitted(appId, measurementId, manifest);
        _widened(_subjectOf(appId, measurementId));
    }

    /// @inheritdoc IMeasurementRegistry
    function revoke(bytes32 appId, bytes32 measurementId) external {
        _ruleOut(appId, measurementId, MeasurementStatus.Admitted);
    }

    /// @inheritdoc IMeasurementRegistry
    function ban(bytes32 appId, bytes32 measurementId) external {
        require(appId != 0 && measurementId != 0, ZeroId());
        _ruleOut(appId, measurementId, MeasurementStatus.Unknown);
    }

    /* VIEWS */

    /// @inheritdoc IMeasurementRegistry
    function requireAdmitted(bytes32 appId, bytes32 measurementId) external view {
        MeasurementStatus actual = statusOf[appId][measurementId];
        require(
            actual == MeasurementStatus.Admitted,
            MeasurementNotAdmitted(appId, measurementId, actual)
        );
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IMeasurementRegistry).interfaceId
            || interfaceId == type(IGoverned).interfaceId || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    function _ruleOut(bytes32 appId, bytes32 measurementId, MeasurementStatus from) private {
        _requireGovernorOrGuardian();
        _advance(appId, measurementId, from, MeasurementStatus.Revoked);
        emit MeasurementRevoked(appId, measurementId, from, msg.sender);
        _narrowed(_subjectOf(appId, measurementId), from == MeasurementStatus.Admitted);
    }

    /// @dev The only writer of `statusOf`.
    function _advance(
        bytes32 appId,
        bytes32 measurementId,
        MeasurementStatus from,
        MeasurementStatus to
    ) private {
        MeasurementStatus actual = statusOf[appId][measurementId];
        require(actual == from, WrongMeasurementStatus(appId, measurementId, actual, from));
        statusOf[appId][measurementId] = to;
    }
}
