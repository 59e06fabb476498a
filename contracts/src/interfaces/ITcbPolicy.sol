// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IReporting} from "./IReporting.sol";

/// @notice What an app accepts of platforms of one TEE type.
struct Policy {
    /// @dev Bit `n` stands for TCB status `n`, 1 to 8.
    uint16 acceptedStatuses;
    /// @dev Bit `n` stands for proof kind `n`, 1 to 4.
    uint8 acceptedKinds;
    /// @dev How many kinds of proof must stand together for one worker; 0 or 1 for its registration's
    /// alone.
    uint8 kindsNeeded;
    /// @dev How many workers of the app may run on one platform, which weigh as one together; at most
    /// 8. 0 or 1 refuse a second.
    uint8 workersPerPlatform;
    /// @dev Collateral of a lower evaluation number does not count.
    uint32 minEvaluationNumber;
    /// @dev Seconds after the newest of its documents was issued that collateral counts; 0 for as
    /// long as it is valid.
    uint32 maxCollateralAge;
    /// @dev Attribute bits that no TEE may have: the first 8 bytes of SGX ATTRIBUTES or of TD
    /// ATTRIBUTES, as they stand in the measurement.
    bytes8 forbiddenAttributes;
    /// @dev Seconds that workers of status `n`, which the version before took and this one does not,
    /// stay usable under this one: `graces[n - 1]`.
    uint32[8] graces;
    /// @dev What is refused: subjects as {ITcbPolicy-bar} takes them, but for proof kinds.
    bytes32[] denied;
    /// @dev The only platform ids accepted; empty for any.
    bytes32[] platforms;
}

/// @notice What a policy judges of a worker that others have in common with it.
struct TcbFacts {
    uint8 teeType;
    uint8 tcbStatus;
    /// @dev Number of the proof kind.
    uint8 kind;
    bytes6 fmspc;
    /// @dev As {Policy} has them.
    bytes8 attributes;
    uint32 evaluationNumber;
    bytes32 measurementId;
    bytes32[] advisories;
}

/// @notice What a policy judges of a worker that is its own.
struct Bearer {
    address worker;
    bytes32 platformId;
    /// @dev When the newest document behind the verdict was issued, Unix time.
    uint64 collateralFrom;
    /// @dev Last second of the evidence of kind `n` that stands beside the registration's own, Unix
    /// time; 0 where there is none: `kindsUntil[n - 1]`.
    uint64[4] kindsUntil;
    /// @dev How many places of its platform come before its own.
    uint8 place;
}

/// @notice How far the same facts carry every worker they belong to.
struct Terms {
    /// @dev Last second of it, as far as is known now.
    uint64 until;
    /// @dev Of each worker's own collateral, in seconds; 0 for any.
    uint32 maxCollateralAge;
    /// @dev Whether single platforms or workers are named, so that each must be looked at.
    bool personal;
    /// @dev Whether more than one kind of proof must stand: then each must be looked at, too.
    bool counted;
    /// @dev Whether more than one worker may run on a platform.
    bool shared;
    /// @dev Whether newcomers are taken, too.
    bool open;
}

/// @notice Where an app's policy for a TEE type stands. Version 0 is the deployment's own.
struct PolicyHead {
    uint64 version;
    uint64 publishedAt;
    /// @dev Last second that anyone lives by the version before; 0 where nobody does.
    uint64 graceEndsAt;
}

/// @title ITcbPolicy
/// @notice How patched a platform must be, as versioned data: raised by publishing a version, which
/// starts the clock for those who fall behind, and ended by the passage of time alone.
/// @dev INTEGRATOR RESPONSIBILITIES. A policy judges what a verdict said of a platform. It does not
/// fetch anything: a platform whose level Intel lowered shows it with its next quote, or when the
/// minimum evaluation number rises.
/// @dev Warning: the app id 0 stands for every app in {bar} and {lift}, and for none in {publish}.
/// @dev Warning: what a subject is known by are its first 20 bytes: of hashes, as collision-free as
/// an address.
interface ITcbPolicy is IReporting {
    /// @notice Version `version` of `appId`'s policy for `teeType` holds from now on. `emergency`
    /// grants nobody a grace.
    event PolicyPublished(
        bytes32 indexed appId,
        uint8 indexed teeType,
        uint64 indexed version,
        Policy policy,
        bool emergency
    );

    /// @notice `subject` is refused for `appId`, at once and without grace.
    event SubjectBarred(bytes32 indexed appId, bytes32 indexed subject, address indexed by);

    /// @notice `subject` is no longer barred for `appId`.
    event SubjectLifted(bytes32 indexed appId, bytes32 indexed subject);

    /// @notice A policy that nobody could satisfy, or that a bound forbids.
    /// @custom:remedy Accept statuses 1 to 8 and kinds 1 to 4, need no more kinds than are accepted, let at
    /// most 8 workers share a platform, grant at most 90 days of grace, and name at most 128 entries.
    error PolicyInvalid();

    /// @notice A version is still running out.
    /// @custom:remedy Publish after `graceEndsAt`, or as an emergency, which ends that grace too.
    error PolicyInTransition(bytes32 appId, uint8 teeType, uint64 graceEndsAt);

    /// @notice The subject is in that state already.
    /// @custom:remedy Nothing is left to do.
    error SubjectUnchanged(bytes32 appId, bytes32 subject);

    /// @notice The platform's TCB status is not accepted here.
    /// @custom:remedy Patch the platform and make a new quote.
    error TcbStatusNotAccepted(uint8 actual, uint16 acceptedStatuses);

    /// @notice Evidence of this kind is not accepted by the app.
    /// @custom:remedy Have the evidence checked in one of the ways the app accepts.
    error ProofKindNotAccepted(uint8 actual, uint8 acceptedKinds);

    /// @notice The worker was proven in fewer kinds than the app wants to stand together.
    /// @custom:remedy Have its evidence checked in other ways, too: {ICorroborations-corroborate}.
    error ProofKindsTooFew(uint256 actual, uint8 needed);

    /// @notice The verdict rests on collateral of too old an evaluation.
    /// @custom:remedy Make a new quote and verify it with current collateral.
    error EvaluationNumberTooLow(uint32 actual, uint32 minimum);

    /// @notice The verdict rests on collateral that is older than the app accepts.
    /// @custom:remedy Make a new quote and verify it with current collateral.
    error CollateralTooOld(uint64 collateralFrom, uint32 maxAge);

    /// @notice The FMSPC, platform, advisory, measurement, worker or proof kind is denied.
    /// @custom:remedy Use a worker that is not affected.
    error SubjectDenied(bytes32 subject);

    /// @notice The app lists its platforms, and this is none of them.
    /// @custom:remedy Have the platform listed by a new version of the policy.
    error PlatformNotListed(bytes32 platformId);

    /// @notice The policy lets `allowed` workers share a platform, and this one came after them.
    /// @custom:remedy Retire it, and register again once an earlier worker of the platform has left.
    error PlatformCrowded(bytes32 platformId, uint8 place, uint8 allowed);

    /// @notice The TEE runs with attributes that the app forbids.
    /// @custom:remedy Run the image without them.
    error AttributesDenied(bytes8 actual, bytes8 forbidden);

    /// @notice Publishes the next version of `appId`'s policy for `teeType`. Governor only.
    function publish(bytes32 appId, uint8 teeType, Policy calldata policy, bool emergency)
        external
        returns (uint64 version);

    /// @notice Refuses a subject at once, until it is lifted: an FMSPC or advisory id, a platform or
    /// measurement id, a worker's address, all left aligned; or a proof kind, as a number. Governor or
    /// guardian: this is how they act on a suspicion.
    function bar(bytes32 appId, bytes32 subject) external;

    /// @notice Takes a subject off the barred ones. Governor only.
    function lift(bytes32 appId, bytes32 subject) external;

    /// @notice Reverts unless the version that holds now takes `bearer` as a newcomer with these facts,
    /// however many kinds of proof stand yet.
    /// @return until the last second it does, as far as is known now.
    function requireAccepted(bytes32 appId, TcbFacts calldata facts, Bearer calldata bearer)
        external
        view
        returns (uint64 until);

    /// @notice What the policy says at time `at` of a worker that registered before.
    /// @return failure the encoded error that keeps it from being used; empty if none does.
    /// @return until the last second at which it stays so, as far as is known now.
    function standingOf(bytes32 appId, TcbFacts calldata facts, Bearer calldata bearer, uint64 at)
        external
        view
        returns (bytes memory failure, uint64 until);

    /// @notice What the policy says now of all workers with these facts: whoever keeps within the
    /// terms stands, unless single ones are named; whoever does not may still stand.
    /// @return failure the encoded error that keeps all of them from being used; empty if none does.
    function termsOf(bytes32 appId, TcbFacts calldata facts)
        external
        view
        returns (bytes memory failure, Terms memory terms);

    /// @notice Where the policy of `appId` for `teeType` stands.
    function headOf(bytes32 appId, uint8 teeType) external view returns (PolicyHead memory);

    /// @notice Whether `subject` was barred for `appId`; ask for app 0 too.
    function isBarred(bytes32 appId, bytes32 subject) external view returns (bool);

    /// @notice The statuses that version 0, which nobody published, accepts.
    function DEFAULT_STATUSES() external view returns (uint16);
}
