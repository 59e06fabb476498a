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
import {MeasurementLib} from "../types/Measurement.sol";
import {Profile, ProfileLib} from "../types/Profile.sol";
import {Reporting} from "./Reporting.sol";

/// @title MeasurementRegistry
/// @notice The TEE images whose evidence an app accepts.
/// @dev Immutable: no proxy, no owner setter, no loop over storage.
contract MeasurementRegistry is IMeasurementRegistry, Reporting, ERC165 {
    /* CONSTANTS */

    /// @dev Longer than any repository address in use, short enough to keep an event cheap.
    uint256 private constant MAX_SOURCE_URI_LENGTH = 512;

    /* TYPES */

    /// @dev What is kept of an id. The first three are statuses; `Matched` measurements have their
    /// profile's, and `Profile` is an admitted one.
    enum Kept {
        Unknown,
        Admitted,
        Revoked,
        Matched,
        Profile
    }

    /* STORAGE */

    /// @inheritdoc IMeasurementRegistry
    mapping(bytes32 appId => mapping(bytes32 measurementId => bytes32)) public profileOf;

    mapping(bytes32 appId => mapping(bytes32 id => Kept)) private _kept;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log)
        Reporting(governor, guardian, log)
    {}

    /* ADMISSION */

    /// @inheritdoc IMeasurementRegistry
    function admit(bytes32 appId, bytes32 measurementId, Manifest calldata manifest) external {
        _requireGovernor();
        require(appId != 0 && measurementId != 0, ZeroId());
        _requireWhole(manifest);
        _advance(appId, measurementId, MeasurementStatus.Unknown, Kept.Admitted);
        emit MeasurementAdmitted(appId, measurementId, manifest);
        _widened(_subjectOf(appId, measurementId));
    }

    /// @inheritdoc IMeasurementRegistry
    function admitProfile(bytes32 appId, Profile calldata profile, Manifest calldata manifest)
        external
        returns (bytes32 profileId)
    {
        _requireGovernor();
        require(appId != 0, ZeroId());
        _requireWhole(manifest);
        ProfileLib.requireSound(profile);
        profileId = ProfileLib.idOf(profile);
        _advance(appId, profileId, MeasurementStatus.Unknown, Kept.Profile);
        emit ProfileAdmitted(appId, profileId, profile, manifest);
        _widened(_subjectOf(appId, profileId));
    }

    /// @inheritdoc IMeasurementRegistry
    function matchProfile(bytes32 appId, Profile calldata profile, bytes calldata measurement)
        external
        returns (bytes32 measurementId)
    {
        bytes32 profileId = ProfileLib.idOf(profile);
        require(
            _kept[appId][profileId] == Kept.Profile,
            ProfileNotAdmitted(appId, profileId, statusOf(appId, profileId))
        );
        ProfileLib.requireMatch(profile, measurement);
        measurementId = MeasurementLib.idOf(profile.teeType, measurement);
        bool moves = _kept[appId][measurementId] == Kept.Matched;
        MeasurementStatus from = moves ? MeasurementStatus.Admitted : MeasurementStatus.Unknown;
        _advance(appId, measurementId, from, Kept.Matched);
        profileOf[appId][measurementId] = profileId;
        emit MeasurementMatched(appId, measurementId, profileId);
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
    function statusOf(bytes32 appId, bytes32 measurementId)
        public
        view
        returns (MeasurementStatus)
    {
        Kept kept = _kept[appId][measurementId];
        if (kept == Kept.Matched) {
            kept = _kept[appId][profileOf[appId][measurementId]];
            // Only a profile speaks for others.
            if (kept != Kept.Profile && kept != Kept.Revoked) kept = Kept.Unknown;
        }
        return kept == Kept.Profile ? MeasurementStatus.Admitted : MeasurementStatus(uint8(kept));
    }

    /// @inheritdoc IMeasurementRegistry
    function profileIdOf(Profile calldata profile) external pure returns (bytes32) {
        return ProfileLib.idOf(profile);
    }

    /// @inheritdoc IMeasurementRegistry
    function requireAdmitted(bytes32 appId, bytes32 measurementId) external view {
        MeasurementStatus actual = statusOf(appId, measurementId);
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
        _advance(appId, measurementId, from, Kept.Revoked);
        emit MeasurementRevoked(appId, measurementId, from, msg.sender);
        _narrowed(_subjectOf(appId, measurementId), from == MeasurementStatus.Admitted);
    }

    /// @dev The only writer of `_kept`.
    function _advance(bytes32 appId, bytes32 id, MeasurementStatus from, Kept to) private {
        mapping(bytes32 => Kept) storage kept = _kept[appId];
        if (uint8(kept[id]) != uint8(from)) {
            MeasurementStatus actual = statusOf(appId, id);
            require(actual == from, WrongMeasurementStatus(appId, id, actual, from));
        }
        kept[id] = to;
    }

    function _requireWhole(Manifest calldata manifest) private pure {
        uint256 length = bytes(manifest.sourceUri).length;
        require(
            manifest.sourceCommit != 0 && manifest.buildDigest != 0 && length != 0,
            ManifestIncomplete()
        );
        require(length <= MAX_SOURCE_URI_LENGTH, SourceUriTooLong(length, MAX_SOURCE_URI_LENGTH));
    }
}
