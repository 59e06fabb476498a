// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {IWorkerRegistry, Worker, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Result} from "../types/Result.sol";
import {ResultDomain} from "../types/ResultDomain.sol";
import {Verdict} from "../types/Verdict.sol";
import {WorkerBinding, WorkerBindingLib} from "../types/WorkerBinding.sol";
import {BindingLib} from "./BindingLib.sol";
import {Failure} from "./Failure.sol";
import {WorkerRecord, WorkerRecordLib} from "./WorkerRecord.sol";
import {WorkerStanding} from "./WorkerStanding.sol";

/// @title WorkerRegistry
/// @notice Keys that a quote proved to be born inside an admitted image on a genuine TEE.
/// @dev Who may enter and how one leaves; what became of a worker meanwhile is {WorkerStanding}'s.
contract WorkerRegistry is WorkerStanding, ERC165 {
    using WorkerRecordLib for WorkerRecord;
    using WorkerRecordLib for uint8;

    /* CONSTANTS */

    /// @dev `blockhash` reaches 256 blocks back; one less leaves the block being built.
    uint64 private constant LONGEST_CHALLENGE_AGE = 255;

    /* IMMUTABLES */

    /// @inheritdoc IWorkerRegistry
    uint64 public immutable MAX_CHALLENGE_AGE;
    /// @inheritdoc IWorkerRegistry
    uint64 public immutable ACTIVATION_DELAY;
    /// @inheritdoc IWorkerRegistry
    uint64 public immutable MAX_REGISTRATION_AGE;

    /* STORAGE */

    /// @inheritdoc IWorkerRegistry
    mapping(bytes32 appId => mapping(bytes32 platformId => address)) public workerOn;

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        uint64 maxChallengeAge,
        uint64 activationDelay,
        uint64 maxRegistrationAge
    ) WorkerStanding(measurements, router, policy) {
        require(
            maxChallengeAge != 0 && maxChallengeAge <= LONGEST_CHALLENGE_AGE
                && maxRegistrationAge > activationDelay,
            ParameterOutOfRange()
        );
        MAX_CHALLENGE_AGE = maxChallengeAge;
        ACTIVATION_DELAY = activationDelay;
        MAX_REGISTRATION_AGE = maxRegistrationAge;
    }

    /* REGISTRATION */

    /// @inheritdoc IWorkerRegistry
    function register(
        bytes4 route,
        bytes calldata evidence,
        bytes calldata proof,
        WorkerBinding calldata binding
    ) external returns (address worker) {
        // 1. The evidence is genuine.
        (Verdict memory verdict, ProofKind kind) = ROUTER.verify(route, evidence, proof);
        // 2. It binds a key to this chain, this registry and an app, and it is fresh.
        worker = BindingLib.requireBound(verdict.reportData, binding, address(this));
        _requireChallenge(binding.challengeBlock, binding.challenge);
        // 3. The image is admitted, and the platform one that the app's policy takes.
        WorkerRecord memory record = _recordOf(verdict, kind, route, binding);
        MEASUREMENTS.requireAdmitted(binding.appId, verdict.measurementId);
        uint64 until = _requireAccepted(verdict, record);
        // 4. The quote is new, and the platform is free for this key.
        WorkerRecord memory previous = _workers[worker];
        bool renews = previous.state.statusIn() != WorkerStatus.Unknown;
        if (renews) _requireRenewable(worker, previous, record);
        _requirePlatformFree(worker, record);

        if (renews && _continues(worker, previous, record)) {
            record.activeFrom = previous.activeFrom;
        }
        record.standsUntil = until < record.expiresAt ? uint32(until) : record.expiresAt;
        record.epoch = LOG.epoch();
        workerOn[record.appId][record.platformId] = worker;
        _workers[worker] = record;
        _emitRegistered(worker, record, verdict.quoteHash, binding.encryptionKey, renews);
    }

    /// @inheritdoc IWorkerRegistry
    function refresh(address worker) external returns (uint64) {
        WorkerRecord storage kept = _workers[worker];
        (bytes memory failure, uint64 until) = _lifeOf(worker, kept, uint64(block.timestamp));
        Failure.raise(failure);
        // No later than `expiresAt`, which has 32 bits.
        (kept.standsUntil, kept.epoch) = (uint32(until), LOG.epoch());
        return until;
    }

    /* END OF SERVICE */

    /// @inheritdoc IWorkerRegistry
    function revoke(address worker) external {
        require(
            msg.sender == MEASUREMENTS.GOVERNOR() || msg.sender == MEASUREMENTS.GUARDIAN(),
            NotAllowed(msg.sender, worker)
        );
        _revoke(worker);
        // The record itself says so: no answer found before is outdated by it.
        LOG.note(msg.sender, msg.sig, bytes32(bytes20(worker)), true, false);
    }

    /// @inheritdoc IWorkerRegistry
    function reportEquivocation(
        address oracle,
        Result calldata one,
        bytes calldata signature,
        Result calldata other,
        bytes calldata otherSignature
    ) external {
        address worker = one.worker;
        require(
            worker == other.worker && one.requestId == other.requestId && one.appId == other.appId
                && one.modelId == other.modelId && one.weightsRoot == other.weightsRoot
                && one.inputCommitment == other.inputCommitment && one.keyEpoch == other.keyEpoch
                && one.outputHash != other.outputHash,
            NoEquivocation()
        );
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, one), signature);
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, other), otherSignature);
        _revoke(worker);
        emit WorkerEquivocated(worker, one.requestId, one.outputHash, other.outputHash, msg.sender);
    }

    /// @inheritdoc IWorkerRegistry
    function retire(address worker) external {
        WorkerRecord storage record = _workers[worker];
        _requireServing(worker, record.state.statusIn());
        require(
            msg.sender == worker || msg.sender == record.operator, NotAllowed(msg.sender, worker)
        );
        _end(record, WorkerStatus.Retired);
        emit WorkerRetired(worker, record.appId, msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc IWorkerRegistry
    function challengeAt(uint64 blockNumber) public view returns (bytes32) {
        require(
            blockNumber < block.number && block.number - blockNumber <= MAX_CHALLENGE_AGE,
            ChallengeBlockOutOfRange(blockNumber, block.number, MAX_CHALLENGE_AGE)
        );
        return WorkerBindingLib.challengeOf(block.chainid, address(this), blockhash(blockNumber));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IWorkerRegistry).interfaceId
            || interfaceId == type(IAttestationGate).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /* CHECKS OF A REGISTRATION */

    function _requireChallenge(uint64 challengeBlock, bytes32 challenge) private view {
        bytes32 expected = challengeAt(challengeBlock);
        require(challenge == expected, ChallengeMismatch(challenge, expected));
    }

    function _requireAccepted(Verdict memory verdict, WorkerRecord memory record)
        private
        view
        returns (uint64 until)
    {
        MeasurementLib.requireClosed(verdict.teeType, verdict.measurement);
        return POLICY.requireAccepted(
            record.appId,
            record.facts(),
            verdict.advisories,
            MeasurementLib.attributesOf(verdict.teeType, verdict.measurement)
        );
    }

    /// @dev A key keeps its app and its platform, shows ever newer quotes, and never comes back from
    /// the dead.
    function _requireRenewable(
        address worker,
        WorkerRecord memory previous,
        WorkerRecord memory record
    ) private pure {
        _requireServing(worker, previous.state.statusIn());
        require(previous.appId == record.appId, WrongWorkerApp(record.appId, previous.appId));
        require(
            previous.platformId == record.platformId,
            PlatformMismatch(record.platformId, previous.platformId)
        );
        require(
            record.challengeBlock > previous.challengeBlock,
            QuoteNotNewer(record.challengeBlock, previous.challengeBlock)
        );
    }

    function _requireServing(address worker, WorkerStatus status) private pure {
        require(status != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        require(status != WorkerStatus.Retired, WorkerIsRetired(worker));
    }

    /// @dev One platform serves an app with one key. A worker that is dead for whatever reason does
    /// not hold its platform.
    function _requirePlatformFree(address worker, WorkerRecord memory record) private view {
        address holder = workerOn[record.appId][record.platformId];
        if (holder == address(0) || holder == worker) return;
        require(!_isAlive(holder), PlatformAlreadyInUse(record.platformId, holder));
    }

    function _recordOf(
        Verdict memory verdict,
        ProofKind kind,
        bytes4 route,
        WorkerBinding calldata binding
    ) private view returns (WorkerRecord memory record) {
        uint256 latest =
            uint256(verdict.verifiedAt) + MAX_REGISTRATION_AGE;
        record.operator = binding.operator;
        record.activeFrom = WorkerRecordLib.clamp(block.timestamp + ACTIVATION_DELAY);
        record.state = WorkerRecordLib.packState(WorkerStatus.Registered, kind);
        record.appId = binding.appId;
        record.measurementId = verdict.measurementId;
        record.platformId = verdict.platformId;
        record.route = route;
        record.teeType = verdict.teeType;
        record.tcbStatus = verdict.tcbStatus;
        record.fmspc = verdict.fmspc;
        record.evaluationNumber = verdict.tcbEvaluationDataNumber;
        record.collateralFrom = WorkerRecordLib.clamp(verdict.validFrom);
        record.expiresAt =
            WorkerRecordLib.clamp(latest < verdict.validUntil ? latest : verdict.validUntil);
        // {challengeAt} bounds it by the block's number.
        record.challengeBlock = uint48(binding.challengeBlock);
    }

    /// @dev Whether `record` carries on a live registration of the same code, proven the same way.
    /// Anything else gives the guardian the activation delay to object again.
    function _continues(address worker, WorkerRecord memory previous, WorkerRecord memory record)
        private
        view
        returns (bool)
    {
        return previous.measurementId == record.measurementId && previous.state == record.state
            && _isAlive(worker);
    }

    function _requireSignedBy(address worker, bytes32 digest, bytes calldata signature)
        private
        pure
    {
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(failure == ECDSA.RecoverError.NoError && signer == worker, NotSignedBy(worker));
    }

    /* CHANGES */

    function _revoke(address worker) private {
        WorkerRecord storage record = _workers[worker];
        WorkerStatus status = record.state.statusIn();
        require(status != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        _end(record, WorkerStatus.Revoked);
        emit WorkerRevoked(worker, record.appId, msg.sender);
    }

    function _end(WorkerRecord storage record, WorkerStatus status) private {
        record.state = WorkerRecordLib.packState(status, record.state.kindIn());
    }

    function _emitRegistered(
        address worker,
        WorkerRecord memory record,
        bytes32 quoteHash,
        bytes32 encryptionKey,
        bool renews
    ) private {
        (bytes32 appId, bytes32 id) = (record.appId, record.measurementId);
        Worker memory shown = record.unpack();
        if (renews) emit WorkerRenewed(worker, appId, id, quoteHash, encryptionKey, shown);
        else emit WorkerRegistered(worker, appId, id, quoteHash, encryptionKey, shown);
    }
}
