// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IMeasurementRegistry, MeasurementStatus} from "../interfaces/IMeasurementRegistry.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {IWorkerRegistry, Worker, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict, VerdictLib} from "../types/Verdict.sol";
import {WorkerBinding, WorkerBindingLib} from "../types/WorkerBinding.sol";

/// @title WorkerRegistry
/// @notice Keys that a quote proved to be born inside an admitted image on a genuine TEE.
/// @dev Nothing is pushed to workers: what a revoked measurement or a frozen route means for them is
/// read when they are used.
contract WorkerRegistry is IWorkerRegistry, ERC165 {
    /* CONSTANTS */

    /// @dev `blockhash` reaches 256 blocks back; one less leaves the block being built.
    uint64 private constant LONGEST_CHALLENGE_AGE = 255;
    /// @dev Bits 1 to 8: the statuses a verdict can carry.
    uint16 private constant KNOWN_STATUSES = 0x01fe;

    /* IMMUTABLES */

    /// @inheritdoc IWorkerRegistry
    IMeasurementRegistry public immutable MEASUREMENTS;
    /// @inheritdoc IWorkerRegistry
    IVerifierRouter public immutable ROUTER;
    /// @inheritdoc IWorkerRegistry
    uint64 public immutable MAX_CHALLENGE_AGE;
    /// @inheritdoc IWorkerRegistry
    uint64 public immutable ACTIVATION_DELAY;
    /// @inheritdoc IWorkerRegistry
    uint64 public immutable MAX_REGISTRATION_AGE;
    /// @inheritdoc IWorkerRegistry
    uint16 public immutable ACCEPTED_STATUSES;

    /* STORAGE */

    /// @inheritdoc IWorkerRegistry
    mapping(bytes32 quoteHash => bool) public isQuoteUsed;
    /// @inheritdoc IWorkerRegistry
    mapping(bytes32 appId => mapping(bytes32 platformId => address)) public workerOn;

    mapping(address worker => Worker) private _workers;

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        uint64 maxChallengeAge,
        uint64 activationDelay,
        uint64 maxRegistrationAge,
        uint16 acceptedStatuses
    ) {
        require(
            address(measurements) != address(0) && address(router) != address(0),
            IGoverned.ZeroAddress()
        );
        require(
            maxChallengeAge != 0 && maxChallengeAge <= LONGEST_CHALLENGE_AGE
                && maxRegistrationAge > activationDelay && acceptedStatuses != 0
                && acceptedStatuses & ~KNOWN_STATUSES == 0,
            ParameterOutOfRange()
        );
        MEASUREMENTS = measurements;
        ROUTER = router;
        MAX_CHALLENGE_AGE = maxChallengeAge;
        ACTIVATION_DELAY = activationDelay;
        MAX_REGISTRATION_AGE = maxRegistrationAge;
        ACCEPTED_STATUSES = acceptedStatuses;
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
        worker = _requireBound(verdict.reportData, binding);
        _requireChallenge(binding.challengeBlock, binding.challenge);
        // 3. The image and the platform are ones that are accepted.
        _requireAccepted(verdict, binding.appId);
        // 4. The quote is new, and the platform is free for this key.
        require(!isQuoteUsed[verdict.quoteHash], QuoteAlreadyUsed(verdict.quoteHash));
        Worker memory previous = _workers[worker];
        _requireRenewable(worker, previous, binding.appId, verdict.platformId);
        _requirePlatformFree(worker, binding.appId, verdict.platformId);

        Worker memory record = _recordOf(verdict, kind, route, binding);
        if (_continues(worker, previous, record)) record.activeFrom = previous.activeFrom;
        isQuoteUsed[verdict.quoteHash] = true;
        workerOn[record.appId][record.platformId] = worker;
        _workers[worker] = record;
        if (previous.status == WorkerStatus.Unknown) {
            emit WorkerRegistered(worker, record.appId, record.measurementId, record);
        } else {
            emit WorkerRenewed(worker, record.appId, record.measurementId, record);
        }
    }

    /* END OF SERVICE */

    /// @inheritdoc IWorkerRegistry
    function revoke(address worker) external {
        require(
            msg.sender == MEASUREMENTS.GOVERNOR() || msg.sender == MEASUREMENTS.GUARDIAN(),
            NotAllowed(msg.sender, worker)
        );
        Worker storage record = _workers[worker];
        require(record.status != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(record.status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        record.status = WorkerStatus.Revoked;
        emit WorkerRevoked(worker, record.appId, msg.sender);
    }

    /// @inheritdoc IWorkerRegistry
    function retire(address worker) external {
        Worker storage record = _workers[worker];
        require(record.status != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(
            msg.sender == worker || msg.sender == record.operator, NotAllowed(msg.sender, worker)
        );
        require(record.status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        require(record.status != WorkerStatus.Retired, WorkerIsRetired(worker));
        record.status = WorkerStatus.Retired;
        emit WorkerRetired(worker, record.appId, msg.sender);
    }

    /* VIEWS */

    /// @inheritdoc IAttestationGate
    function requireActive(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind)
    {
        Worker storage record = _workers[worker];
        bytes memory failure = _failureOf(worker, record, appId);
        if (failure.length != 0) {
            assembly ("memory-safe") {
                // Revert with the custom error that `failure` is the encoding of.
                revert(add(failure, 0x20), mload(failure))
            }
        }
        return (record.operator, record.kind);
    }

    /// @inheritdoc IAttestationGate
    function checkActive(address worker, bytes32 appId)
        external
        view
        returns (bool ok, bytes4 reason, uint64 until)
    {
        Worker storage record = _workers[worker];
        bytes memory failure = _failureOf(worker, record, appId);
        if (failure.length != 0) return (false, bytes4(failure), 0);
        return (true, 0, record.validUntil);
    }

    /// @inheritdoc IWorkerRegistry
    function workerOf(address worker) external view returns (Worker memory) {
        return _workers[worker];
    }

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

    /// @dev All 64 bytes of the report data have one meaning: address, hash of the binding, zeros.
    function _requireBound(bytes memory reportData, WorkerBinding calldata binding)
        private
        view
        returns (address worker)
    {
        require(
            binding.version == WorkerBindingLib.VERSION,
            BindingVersionUnsupported(binding.version, WorkerBindingLib.VERSION)
        );
        require(binding.chainId == block.chainid, WrongChain(binding.chainId, block.chainid));
        require(binding.registry == address(this), WrongRegistry(binding.registry, address(this)));
        require(binding.appId != 0, AppMissing());
        require(binding.operator != address(0), OperatorMissing());
        bytes32 bound;
        bytes12 tail;
        (worker, bound, tail) = WorkerBindingLib.split(reportData);
        require(worker != address(0), WorkerAddressMissing());
        bytes32 expected = WorkerBindingLib.hash(binding);
        require(bound == expected, BindingMismatch(bound, expected));
        require(tail == 0, ReportDataTailNonzero(tail));
    }

    function _requireChallenge(uint64 challengeBlock, bytes32 challenge) private view {
        bytes32 expected = challengeAt(challengeBlock);
        require(challenge == expected, ChallengeMismatch(challenge, expected));
    }

    function _requireAccepted(Verdict memory verdict, bytes32 appId) private view {
        MeasurementLib.requireClosed(verdict.teeType, verdict.measurement);
        require(
            ACCEPTED_STATUSES & (uint16(1) << verdict.tcbStatus) != 0,
            TcbStatusNotAccepted(verdict.tcbStatus, ACCEPTED_STATUSES)
        );
        MEASUREMENTS.requireAdmitted(appId, verdict.measurementId);
    }

    /// @dev A key keeps its app and its platform, and never comes back from the dead.
    function _requireRenewable(
        address worker,
        Worker memory previous,
        bytes32 appId,
        bytes32 platformId
    ) private pure {
        if (previous.status == WorkerStatus.Unknown) return;
        require(previous.status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        require(previous.status != WorkerStatus.Retired, WorkerIsRetired(worker));
        require(previous.appId == appId, WrongWorkerApp(appId, previous.appId));
        require(
            previous.platformId == platformId, PlatformMismatch(platformId, previous.platformId)
        );
    }

    /// @dev One platform serves an app with one key. A worker that is dead for whatever reason does
    /// not hold its platform.
    function _requirePlatformFree(address worker, bytes32 appId, bytes32 platformId) private view {
        address holder = workerOn[appId][platformId];
        if (holder == address(0) || holder == worker) return;
        Worker storage record = _workers[holder];
        require(!_isAlive(holder, record), PlatformAlreadyInUse(platformId, holder));
    }

    function _recordOf(
        Verdict memory verdict,
        ProofKind kind,
        bytes4 route,
        WorkerBinding calldata binding
    ) private view returns (Worker memory) {
        uint256 latest = uint256(verdict.verifiedAt) + MAX_REGISTRATION_AGE;
        return Worker({
            appId: binding.appId,
            measurementId: verdict.measurementId,
            platformId: verdict.platformId,
            quoteHash: verdict.quoteHash,
            encryptionKey: binding.encryptionKey,
            operator: binding.operator,
            // The smaller of the two fits, because `validUntil` does.
            validUntil: latest < verdict.validUntil ? uint64(latest) : verdict.validUntil,
            route: route,
            activeFrom: uint64(block.timestamp) + ACTIVATION_DELAY,
            registeredAt: uint64(block.timestamp),
            kind: kind,
            status: WorkerStatus.Registered,
            teeType: verdict.teeType,
            tcbStatus: verdict.tcbStatus
        });
    }

    /// @dev Whether `record` carries on a live registration of the same code, proven the same way.
    /// Anything else gives the guardian the activation delay to object again.
    function _continues(address worker, Worker memory previous, Worker memory record)
        private
        view
        returns (bool)
    {
        return previous.measurementId == record.measurementId && previous.kind == record.kind
            && _isAlive(worker, _workers[worker]);
    }

    /* STATE AT USE */

    function _isAlive(address worker, Worker storage record) private view returns (bool) {
        return _lifeFailureOf(worker, record).length == 0;
    }

    /// @dev The encoded error that keeps `worker` from serving `appId` now; empty if none does. The
    /// one algorithm behind {requireActive} and {checkActive}.
    function _failureOf(address worker, Worker storage record, bytes32 appId)
        private
        view
        returns (bytes memory failure)
    {
        failure = _lifeFailureOf(worker, record);
        if (failure.length != 0) return failure;
        if (record.appId != appId) {
            return abi.encodeWithSelector(WrongWorkerApp.selector, record.appId, appId);
        }
        if (record.activeFrom > block.timestamp) {
            return abi.encodeWithSelector(WorkerNotYetActive.selector, worker, record.activeFrom);
        }
    }

    /// @dev The encoded error that makes `worker` worth nothing for any app; empty if none does.
    function _lifeFailureOf(address worker, Worker storage record)
        private
        view
        returns (bytes memory)
    {
        WorkerStatus status = record.status;
        if (status != WorkerStatus.Registered) {
            bytes4 reason = WorkerUnknown.selector;
            if (status == WorkerStatus.Revoked) reason = WorkerIsRevoked.selector;
            if (status == WorkerStatus.Retired) reason = WorkerIsRetired.selector;
            return abi.encodeWithSelector(reason, worker);
        }
        if (record.validUntil < block.timestamp) {
            return abi.encodeWithSelector(WorkerExpired.selector, worker, record.validUntil);
        }
        bytes32 appId = record.appId;
        bytes32 id = record.measurementId;
        MeasurementStatus measurement = MEASUREMENTS.statusOf(appId, id);
        if (measurement != MeasurementStatus.Admitted) {
            return abi.encodeWithSelector(
                IMeasurementRegistry.MeasurementNotAdmitted.selector, appId, id, measurement
            );
        }
        RouteStatus route = ROUTER.statusOf(record.route);
        if (route != RouteStatus.Active) {
            return
                abi.encodeWithSelector(IVerifierRouter.RouteNotActive.selector, record.route, route);
        }
        return "";
    }
}
