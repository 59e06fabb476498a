// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {Profile} from "../types/Profile.sol";
import {IReporting} from "./IReporting.sol";

/// @notice What is thought of a measurement. It only ever moves to the right.
enum MeasurementStatus {
    Unknown,
    Admitted,
    Revoked
}

/// @notice Where an admitted image comes from, so that anyone can build it again.
struct Manifest {
    /// @dev The commit the image was built from, left aligned (a SHA-1 fills 20 bytes).
    bytes32 sourceCommit;
    /// @dev Digest of the built image.
    bytes32 buildDigest;
    /// @dev Where the source code is.
    string sourceUri;
}

/// @title IMeasurementRegistry
/// @notice The TEE images whose evidence an app accepts.
/// @dev INTEGRATOR RESPONSIBILITIES. `Admitted` says that the governor vouched for an image. It does
/// NOT say that a given quote is genuine (see {IVerifierRouter}), that it is fresh, or that a key
/// belongs to it (see {IWorkerRegistry}). Read the status when you use it, and do not keep it.
/// @dev A measurement is admitted by itself, or through a profile. The governor admits a profile under
/// the profile's own id, with all that it leaves open in plain sight; whoever wants one of its
/// measurements to count brings it to {matchProfile}, and from then on it is admitted as long as that
/// profile is. Revoked with a profile is revoked for ever, so move good images to the next profile first.
/// @dev Warning: a measurement once revoked can never be admitted again for that app; build anew and
/// admit the new id.
interface IMeasurementRegistry is IReporting {
    /// @notice `measurementId` was admitted for `appId`.
    event MeasurementAdmitted(
        bytes32 indexed appId, bytes32 indexed measurementId, Manifest manifest
    );

    /// @notice The measurements that `profile` matches may be admitted for `appId` from now on.
    event ProfileAdmitted(
        bytes32 indexed appId, bytes32 indexed profileId, Profile profile, Manifest manifest
    );

    /// @notice `measurementId` is admitted for `appId` from now on as long as `profileId` is.
    event MeasurementMatched(
        bytes32 indexed appId, bytes32 indexed measurementId, bytes32 indexed profileId
    );

    /// @notice `measurementId`, which may be a profile's, was revoked for `appId`, for ever. `from` is what it was before:
    /// `Admitted` for a revocation, `Unknown` for a ban in advance.
    event MeasurementRevoked(
        bytes32 indexed appId,
        bytes32 indexed measurementId,
        MeasurementStatus from,
        address indexed by
    );

    /// @notice The measurement is not in the state this step starts from.
    /// @custom:remedy Read `statusOf`; a revoked measurement never comes back, so admit a new build.
    error WrongMeasurementStatus(
        bytes32 appId, bytes32 measurementId, MeasurementStatus actual, MeasurementStatus required
    );

    /// @notice The measurement is not admitted for the app.
    /// @custom:remedy Have the governor admit it, or run an image that is admitted.
    error MeasurementNotAdmitted(bytes32 appId, bytes32 measurementId, MeasurementStatus actual);

    /// @notice The profile is not admitted for the app.
    /// @custom:remedy Have the governor admit it, or name a profile that is admitted.
    error ProfileNotAdmitted(bytes32 appId, bytes32 profileId, MeasurementStatus actual);

    /// @notice The app or the measurement is the zero id.
    /// @custom:remedy Give both ids.
    error ZeroId();

    /// @notice The manifest lacks its source commit, build digest or source URI.
    /// @custom:remedy Fill in all three: an image that nobody can build again cannot be audited.
    error ManifestIncomplete();

    /// @notice The source URI is too long.
    /// @custom:remedy Give a URI of at most `maximum` bytes.
    error SourceUriTooLong(uint256 actual, uint256 maximum);

    /// @notice Admits `measurementId` for `appId`. Governor only; Unknown → Admitted.
    function admit(bytes32 appId, bytes32 measurementId, Manifest calldata manifest) external;

    /// @notice Admits `profile` for `appId`. Governor only; Unknown → Admitted. Reverts unless the
    /// profile has its one form and pins what says which code runs (see {ProfileLib}).
    function admitProfile(bytes32 appId, Profile calldata profile, Manifest calldata manifest)
        external
        returns (bytes32 profileId);

    /// @notice Admits for `appId` what `profile`, which is admitted, matches. Open to any sender; Unknown →
    /// Admitted. A measurement that is admitted through another profile moves to this one.
    /// @param measurement its bytes (docs/formats.md, "Journal").
    function matchProfile(bytes32 appId, Profile calldata profile, bytes calldata measurement)
        external
        returns (bytes32 measurementId);

    /// @notice Revokes `measurementId`, or a profile by its id, for `appId`, for ever. Governor or guardian; Admitted →
    /// Revoked. Every worker that runs it stops being active in the same block.
    function revoke(bytes32 appId, bytes32 measurementId) external;

    /// @notice Rules out `measurementId` before it was ever admitted. Governor or guardian;
    /// Unknown → Revoked.
    function ban(bytes32 appId, bytes32 measurementId) external;

    /// @notice What is thought of `measurementId`, or of a profile, in `appId` now.
    function statusOf(bytes32 appId, bytes32 measurementId)
        external
        view
        returns (MeasurementStatus);

    /// @notice Through which profile `measurementId` was admitted last; zero if through none.
    function profileOf(bytes32 appId, bytes32 measurementId) external view returns (bytes32);

    /// @notice The id of `profile`: keccak256(abi.encode(type hash, TEE type, least SVN, keccak256(mask),
    /// keccak256(value))).
    function profileIdOf(Profile calldata profile) external pure returns (bytes32);

    /// @notice Reverts with {MeasurementNotAdmitted} unless `measurementId` is admitted for `appId`.
    function requireAdmitted(bytes32 appId, bytes32 measurementId) external view;
}
