// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IMeasurementRegistry, MeasurementStatus} from "../interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {IWorkerRegistry, Worker, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Failure} from "./Failure.sol";
import {WorkerRecord, WorkerRecordLib} from "./WorkerRecord.sol";

/// @title WorkerStanding
/// @notice What a registered worker is worth at the moment of use.
/// @dev Nothing is pushed to workers: what a revoked measurement, a frozen route or a new policy means
/// for them is read when they are used. An answer is kept only together with the log's epoch, and
/// counts only while that stands still, so it never outlives what it was found from.
abstract contract WorkerStanding is IWorkerRegistry {
    using WorkerRecordLib for WorkerRecord;
    using WorkerRecordLib for uint8;

    /* IMMUTABLES */

    /// @inheritdoc IWorkerRegistry
    IMeasurementRegistry public immutable MEASUREMENTS;
    /// @inheritdoc IWorkerRegistry
    IVerifierRouter public immutable ROUTER;
    /// @inheritdoc IWorkerRegistry
    ITcbPolicy public immutable POLICY;
    /// @dev The log that all three report to.
    IChangeLog internal immutable LOG;

    /* STORAGE */

    mapping(address worker => WorkerRecord) internal _workers;

    /* CONSTRUCTOR */

    constructor(IMeasurementRegistry measurements, IVerifierRouter router, ITcbPolicy policy) {
        require(
            address(measurements) != address(0) && address(router) != address(0)
                && address(policy) != address(0),
            IGoverned.ZeroAddress()
        );
        MEASUREMENTS = measurements;
        ROUTER = router;
        POLICY = policy;
        IChangeLog log = policy.LOG();
        LOG = log;
        log.enrol();
        require(
            measurements.LOG() == log && router.LOG() == log && log.isSource(address(measurements))
                && log.isSource(address(router)) && log.isSource(address(policy)) && log.isFull(),
            LogNotShared(address(log))
        );
    }

    /* VIEWS */

    /// @inheritdoc IAttestationGate
    function requireActive(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind)
    {
        WorkerRecord storage record = _workers[worker];
        if (!_stands(record, appId)) {
            (bytes memory failure,) = _answer(worker, record, appId, uint64(block.timestamp));
            Failure.raise(failure);
        }
        return (record.operator, record.state.kindIn());
    }

    /// @inheritdoc IAttestationGate
    function checkActive(address worker, bytes32 appId)
        external
        view
        returns (bool ok, bytes4 reason, uint64 until)
    {
        return activeAt(worker, appId, uint64(block.timestamp));
    }

    /// @inheritdoc IWorkerRegistry
    function activeAt(address worker, bytes32 appId, uint64 at)
        public
        view
        returns (bool ok, bytes4 reason, uint64 until)
    {
        bytes memory failure;
        (failure, until) = _answer(worker, _workers[worker], appId, at);
        if (failure.length != 0) return (false, bytes4(failure), 0);
        return (true, 0, until);
    }

    /// @inheritdoc IWorkerRegistry
    function workerOf(address worker) external view returns (Worker memory) {
        return _workers[worker].unpack();
    }

    /* STATE AT USE */

    /// @dev Whether an answer is kept that nothing outdated, and it is yes. Reads two slots here and
    /// one of the log. `no` only means that {_answer} must be asked.
    function _stands(WorkerRecord storage record, bytes32 appId) internal view returns (bool) {
        uint24 epoch = record.epoch;
        return record.standsUntil >= block.timestamp && record.activeFrom <= block.timestamp
            && record.state.statusIn() == WorkerStatus.Registered && record.appId == appId
            && epoch != type(uint24).max && epoch == LOG.epoch();
    }

    function _isAlive(address worker) internal view returns (bool) {
        (bytes memory failure,) = _lifeOf(worker, _workers[worker], uint64(block.timestamp));
        return failure.length == 0;
    }

    /// @dev The encoded error that keeps `worker` from serving `appId` at `at`, empty if none does,
    /// and the last second of that. The one algorithm behind every answer.
    function _answer(address worker, WorkerRecord memory record, bytes32 appId, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until)
    {
        (failure, until) = _lifeOf(worker, record, at);
        if (failure.length != 0) return (failure, 0);
        if (record.appId != appId) {
            failure = abi.encodeWithSelector(WrongWorkerApp.selector, record.appId, appId);
        } else if (record.activeFrom > at) {
            failure = abi.encodeWithSelector(WorkerNotYetActive.selector, worker, record.activeFrom);
        }
    }

    /// @dev The encoded error that makes `worker` worth nothing for any app at `at`; empty if none
    /// does.
    function _lifeOf(address worker, WorkerRecord memory record, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until)
    {
        WorkerStatus status = record.state.statusIn();
        if (status != WorkerStatus.Registered) {
            bytes4 reason = WorkerUnknown.selector;
            if (status == WorkerStatus.Revoked) reason = WorkerIsRevoked.selector;
            if (status == WorkerStatus.Retired) reason = WorkerIsRetired.selector;
            return (abi.encodeWithSelector(reason, worker), 0);
        }
        until = record.expiresAt;
        if (until < at) {
            return (abi.encodeWithSelector(WorkerExpired.selector, worker, until), 0);
        }
        (bytes32 appId, bytes32 id) = (record.appId, record.measurementId);
        MeasurementStatus measurement = MEASUREMENTS.statusOf(appId, id);
        if (measurement != MeasurementStatus.Admitted) {
            bytes4 reason = IMeasurementRegistry.MeasurementNotAdmitted.selector;
            return (abi.encodeWithSelector(reason, appId, id, measurement), 0);
        }
        RouteStatus route = ROUTER.statusOf(record.route);
        if (route != RouteStatus.Active) {
            bytes4 reason = IVerifierRouter.RouteNotActive.selector;
            return (abi.encodeWithSelector(reason, record.route, route), 0);
        }
        uint64 tolerated;
        (failure, tolerated) = POLICY.standingOf(appId, record.facts(), at);
        if (tolerated < until) until = tolerated;
    }
}
