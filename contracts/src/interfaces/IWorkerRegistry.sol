// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Result} from "../types/Result.sol";
import {WorkerBinding} from "../types/WorkerBinding.sol";
import {IAttestationGate} from "./IAttestationGate.sol";
import {ICollateralCalendar} from "./ICollateralCalendar.sol";
import {ICorroborations} from "./ICorroborations.sol";
import {IMeasurementRegistry} from "./IMeasurementRegistry.sol";
import {ITcbPolicy} from "./ITcbPolicy.sol";
import {IVerifierRouter} from "./IVerifierRouter.sol";

/// @notice What became of a worker's key by decision; expiry and the state of its measurement and
/// route are read at use. It only ever moves to the right, and the last two are final.
enum WorkerStatus {
    Unknown,
    Registered,
    Retired,
    Revoked
}

/// @notice What workers have in common that are alike in all that is judged of them but platform and
/// age. Never changes.
struct CohortFacts {
    bytes32 appId;
    bytes32 measurementId;
    /// @dev Who runs the workers and is paid for their work.
    address operator;
    bytes4 route;
    ProofKind kind;
    uint8 teeType;
    uint8 tcbStatus;
    bytes6 fmspc;
    /// @dev The first 8 bytes of SGX ATTRIBUTES or of TD ATTRIBUTES.
    bytes8 attributes;
    uint32 evaluationNumber;
    bytes32[] advisories;
}

/// @notice What a registration says of a worker beside its cohort's facts. Times are Unix seconds.
struct Registration {
    bytes32 quoteHash;
    /// @dev The X25519 public key that clients encrypt their inputs to.
    bytes32 encryptionKey;
    bytes32 platformId;
    uint32 cohort;
    /// @dev First second the worker may be used.
    uint64 activeFrom;
    /// @dev Last second of the registration; a policy may end its use earlier.
    uint64 validUntil;
    /// @dev Block whose hash the quote was challenged with.
    uint64 challengeBlock;
    /// @dev When the newest document behind the verdict was issued.
    uint64 collateralFrom;
}

/// @notice What the registry knows of a worker.
struct Worker {
    bytes32 appId;
    bytes32 measurementId;
    /// @dev Its first 20 bytes; the whole is in the events.
    bytes32 platformId;
    address operator;
    /// @dev Last second of the registration, Unix time; a policy may end its use earlier.
    uint64 validUntil;
    /// @dev First second the worker may be used, Unix time.
    uint64 activeFrom;
    /// @dev Block whose hash the newest quote was challenged with; zero where another worker took over
    /// the platform.
    uint64 challengeBlock;
    /// @dev When the newest document behind the verdict was issued, Unix time; zero likewise.
    uint64 collateralFrom;
    uint32 evaluationNumber;
    uint32 cohort;
    bytes4 route;
    bytes6 fmspc;
    ProofKind kind;
    WorkerStatus status;
    uint8 teeType;
    uint8 tcbStatus;
    /// @dev Its place on the platform, from 0; above 0 only where a policy let workers share one.
    uint8 place;
}

/// @title IWorkerRegistry
/// @notice Keys that a quote proved to be born inside an admitted image on a genuine TEE.
/// @dev Anyone may submit a quote: what is registered is the key inside it, never the sender, so
/// there is nothing to gain by running ahead of a submission.
/// @dev INTEGRATOR RESPONSIBILITIES. Ask {requireActive} at every use and keep no answer. An active
/// worker says which code holds the key. It does NOT say that the code is right, that the operator
/// is honest about anything outside the TEE, nor that the hardware resists an owner who opens it.
/// @dev Warning: a retired or revoked key never comes back; start the worker with a new one.
interface IWorkerRegistry is IAttestationGate {
    /// @notice A registration was the first of its cohort.
    event CohortFormed(
        uint32 indexed cohort,
        bytes32 indexed appId,
        bytes32 indexed measurementId,
        CohortFacts facts
    );

    /// @notice `worker` is registered; `registration` and the facts of its cohort are all that is kept.
    event WorkerRegistered(
        address indexed worker,
        bytes32 indexed appId,
        bytes32 indexed measurementId,
        Registration registration
    );

    /// @notice `worker` showed a fresh quote; `registration` replaces what was kept of it.
    event WorkerRenewed(
        address indexed worker,
        bytes32 indexed appId,
        bytes32 indexed measurementId,
        Registration registration
    );

    /// @notice `worker` registers on a platform that others serve the app on, too: at `place`, from 1,
    /// which it keeps.
    event PlatformShared(
        address indexed worker, bytes32 indexed appId, bytes32 indexed platformId, uint8 place
    );

    /// @notice `worker` signed two outputs for one request, and is revoked for it.
    event WorkerEquivocated(
        address indexed worker,
        bytes32 indexed requestId,
        bytes32 outputHash,
        bytes32 otherOutputHash,
        address reporter
    );

    /// @notice `worker` was revoked, for ever.
    event WorkerRevoked(address indexed worker, bytes32 indexed appId, address indexed by);

    /// @notice `worker` ended its service, for ever; or another worker took over its platform when it
    /// counted no more.
    event WorkerRetired(address indexed worker, bytes32 indexed appId, address indexed by);

    /// @notice The caller may not do this to the worker.
    /// @custom:remedy Revoke from the governor or guardian. Retire, or register a live worker by another
    /// kind of proof or for another operator, from the worker or its operator; anyone may bring such a proof
    /// to {CORROBORATIONS}.
    error NotAllowed(address caller, address worker);

    /// @notice A parameter fixed at deployment is out of range.
    /// @custom:remedy Challenge age 1 to 255 blocks; registration age above the activation delay.
    error ParameterOutOfRange();

    /// @notice The governed contracts do not all report to one log, or strangers could report to it.
    /// @custom:remedy Deploy them with one log, whose last seat is this registry's.
    error LogNotShared(address log);

    /// @notice Only the log may tell of a new epoch.
    /// @custom:remedy Nothing is left to do: the log tells by itself.
    error NotTheLog(address caller);

    /// @notice No number is left for another cohort.
    /// @custom:remedy Deploy anew: a hundred million kinds of workers were registered here.
    error NoCohortLeft();

    /// @notice The two statements do not contradict each other.
    /// @custom:remedy Show two results for the same request and input with different output hashes.
    error NoEquivocation();

    /// @notice The statements were not judged: the gas ran out over them.
    /// @custom:remedy Call again with more gas.
    error EquivocationNotJudged();

    /// @notice A statement was not signed by the worker.
    /// @custom:remedy Submit both statements with the worker's own signatures.
    error NotSignedBy(address worker);

    /// @notice The binding has another version than this registry reads.
    /// @custom:remedy Run a worker release that writes version `expected`.
    error BindingVersionUnsupported(uint16 actual, uint16 expected);

    /// @notice The quote was made for another chain.
    /// @custom:remedy Make a quote that binds this chain.
    error WrongChain(uint256 actual, uint256 expected);

    /// @notice The quote was made for another registry.
    /// @custom:remedy Make a quote that binds this registry.
    error WrongRegistry(address actual, address expected);

    /// @notice The binding names no app.
    /// @custom:remedy Configure the worker with its app id.
    error AppMissing();

    /// @notice The binding names no operator, so nobody could be paid.
    /// @custom:remedy Configure the worker with its operator's address.
    error OperatorMissing();

    /// @notice The report data starts with no worker address.
    /// @custom:remedy Put the worker's address into the first 20 bytes of the report data.
    error WorkerAddressMissing();

    /// @notice The report data does not bind the binding that was submitted.
    /// @custom:remedy Submit exactly the binding the worker hashed into its quote.
    error BindingMismatch(bytes32 actual, bytes32 expected);

    /// @notice The last 12 bytes of the report data are not zero.
    /// @custom:remedy Make the quote with zeros there: all 64 bytes have one meaning.
    error ReportDataTailNonzero(bytes12 actual);

    /// @notice The challenge's block is not among the most recent ones.
    /// @custom:remedy Make a quote over the challenge of a block at most `maxAge` blocks old.
    error ChallengeBlockOutOfRange(uint64 challengeBlock, uint256 blockNumber, uint64 maxAge);

    /// @notice The challenge is not the one of its block.
    /// @custom:remedy Make a quote over this registry's challenge; the block may have been reorganised.
    error ChallengeMismatch(bytes32 actual, bytes32 expected);

    /// @notice The quote is no newer than the one the worker showed last.
    /// @custom:remedy Make a fresh quote, over a later block's challenge.
    error QuoteNotNewer(uint64 challengeBlock, uint64 latest);

    /// @notice Another active worker of the app runs on this platform, and its policy lets no more of them
    /// share one.
    /// @custom:remedy Retire that worker first, from its key or from its operator.
    error PlatformAlreadyInUse(bytes32 platformId, address worker);

    /// @notice A renewal came from another platform than the registration.
    /// @custom:remedy Start the worker there with a new key: a key on two machines is a stolen key.
    error PlatformMismatch(bytes32 actual, bytes32 expected);

    /// @notice The worker serves another app.
    /// @custom:remedy Use a worker of app `expected`.
    error WrongWorkerApp(bytes32 actual, bytes32 expected);

    /// @notice The worker never registered.
    /// @custom:remedy Register it with a fresh quote.
    error WorkerUnknown(address worker);

    /// @notice The worker was retired.
    /// @custom:remedy Start it with a new key and register that.
    error WorkerIsRetired(address worker);

    /// @notice The worker was revoked.
    /// @custom:remedy Do not use it; start another with a new key.
    error WorkerIsRevoked(address worker);

    /// @notice The worker's activation delay has not passed.
    /// @custom:remedy Wait until `activeFrom`.
    error WorkerNotYetActive(address worker, uint64 activeFrom);

    /// @notice The worker's registration ran out.
    /// @custom:remedy Renew it with a fresh quote.
    error WorkerExpired(address worker, uint64 validUntil);

    /// @notice Registers the key that the evidence's report data names, or renews its registration.
    /// @dev Open to any sender. A renewal keeps `activeFrom` only where the worker lives under the same
    /// measurement and proof kind; otherwise the activation delay starts again. So while it lives, only the
    /// worker or its operator may register the same measurement by another kind, or name another operator
    /// ({NotAllowed}).
    /// @param route the way to verify `evidence` by `proof` (see {IVerifierRouter}).
    /// @param binding what bytes 20..52 of the report data are the hash of.
    /// @return worker the key's address.
    function register(
        bytes4 route,
        bytes calldata evidence,
        bytes calldata proof,
        WorkerBinding calldata binding
    ) external returns (address worker);

    /// @notice Revokes `worker`, for ever. Governor or guardian of the measurement registry.
    function revoke(address worker) external;

    /// @notice Ends `worker`'s service, for ever. The worker itself or its operator.
    function retire(address worker) external;

    /// @notice Revokes a worker that signed two different outputs for one request and one input. Open
    /// to any sender.
    /// @dev The input is part of it because anyone may ask a worker: other inputs have other outputs.
    /// @param oracle the oracle both statements were made for, which their signatures bind.
    function reportEquivocation(
        address oracle,
        Result calldata one,
        bytes calldata signature,
        Result calldata other,
        bytes calldata otherSignature
    ) external;

    /// @notice Judges `worker` and its cohort anew and keeps the answer, which makes {requireActive}
    /// cheap again after something was narrowed, for the whole cohort. Open to any sender; reverts with
    /// the reason where the worker is worth nothing.
    /// @return until the last second of the worker's standing, as far as is known now.
    function refresh(address worker) external returns (uint64 until);

    /// @notice Forgets what {refresh} found of `worker`. {CORROBORATIONS} only, whose evidence it rested on.
    function corroborated(address worker) external;

    /// @notice The question of {checkActive} for the time `at`, as far as is known now.
    function activeAt(address worker, bytes32 appId, uint64 at)
        external
        view
        returns (bool ok, bytes4 reason, uint64 until);

    /// @notice What is kept of `worker`; status `Unknown` where it never registered.
    function workerOf(address worker) external view returns (Worker memory);

    /// @notice {requireActive}, and the first 20 bytes of the id of the platform that the worker runs on:
    /// where workers are counted, those of one platform are one machine's, and weigh as one together.
    function requireActiveOn(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind, bytes32 platformId);

    /// @notice The worker that last registered for `appId` at `place`, from 0, of `platformId`, of which 20
    /// bytes count; zero if none did.
    function workerOn(bytes32 appId, bytes32 platformId, uint8 place)
        external
        view
        returns (address);

    /// @notice What evidence of further kinds must agree on to count for `worker` (`ClaimLib`); zero where
    /// the policy did not count kinds when it registered last: then only another registration helps.
    function claimOf(address worker) external view returns (bytes32);

    /// @notice What the workers of `cohort` have in common; empty where there is no such cohort.
    function cohortOf(uint32 cohort) external view returns (CohortFacts memory);

    /// @notice How many cohorts there are; they are numbered from 1.
    function cohorts() external view returns (uint32);

    /// @notice The log's epoch (see {IChangeLog-epoch}).
    function epoch() external view returns (uint24);

    /// @notice The challenge a quote must bind for `blockNumber`. Reverts with
    /// {ChallengeBlockOutOfRange} where no registration could use it now.
    function challengeAt(uint64 blockNumber) external view returns (bytes32);

    /// @notice Judges whether two statements contradict each other.
    function EQUIVOCATIONS() external view returns (address);

    /// @notice Where the admitted images are.
    function MEASUREMENTS() external view returns (IMeasurementRegistry);

    /// @notice How quotes are verified.
    function ROUTER() external view returns (IVerifierRouter);

    /// @notice How many blocks a challenge may be old.
    function MAX_CHALLENGE_AGE() external view returns (uint64);

    /// @notice Seconds between a registration and its first use: time to veto it.
    function ACTIVATION_DELAY() external view returns (uint64);

    /// @notice Seconds a registration lives at most, counted from the time its quote was verified.
    function MAX_REGISTRATION_AGE() external view returns (uint64);

    /// @notice How patched platforms must be.
    function POLICY() external view returns (ITcbPolicy);

    /// @notice Where evidence of further kinds is.
    function CORROBORATIONS() external view returns (ICorroborations);

    /// @notice How far registrations reach that ended because the vendor renewed nothing; zero for no
    /// further than their end.
    function CALENDAR() external view returns (ICollateralCalendar);
}
