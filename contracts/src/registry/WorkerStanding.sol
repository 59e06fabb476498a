// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICorroborations} from "../interfaces/ICorroborations.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {Bearer, ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {
    CohortFacts,
    IWorkerRegistry,
    Worker,
    WorkerStatus
} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {CohortLib, Standing} from "./CohortLib.sol";
import {Cohorts} from "./Cohorts.sol";
import {Failure} from "./Failure.sol";
import {Seat, WorkerRecord, WorkerRecordLib} from "./WorkerRecord.sol";

/// @title WorkerStanding
/// @notice What a registered worker is worth at the moment of use.
/// @dev Nothing is pushed to workers: what a revoked measurement, a frozen route or a new policy means
/// for them is read when they are used. There is a short way to yes, over what is kept of a worker and
/// its cohort, and a long one over everything; the short one says yes only where the long one would.
abstract contract WorkerStanding is Cohorts {
    using CohortLib for CohortFacts;

    /// @dev What was found of one worker: at which epoch, and the last second of it. One slot.
    struct Found {
        uint24 epoch;
        uint64 until;
    }

    /* STORAGE */

    mapping(address worker => WorkerRecord) internal _workers;
    /// @dev By app and the seat's name ({WorkerRecordLib-seat}).
    mapping(bytes32 appId => mapping(bytes20 name => Seat)) internal _seats;
    /// @dev What evidence of further kinds must agree on, by the block of the registration's challenge,
    /// where the policy counted kinds when it registered. Another registration has a later block.
    mapping(address worker => mapping(uint40 challengeBlock => bytes32)) internal _claims;
    /// @dev The short way to yes where a policy counts kinds.
    mapping(address worker => Found) internal _found;

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        ICorroborations corroborations,
        ICollateralCalendar calendar
    ) Cohorts(measurements, router, policy, corroborations, calendar) {}

    /* CORROBORATION */

    /// @inheritdoc IWorkerRegistry
    function corroborated(address worker) external {
        require(msg.sender == address(CORROBORATIONS), NotAllowed(msg.sender, worker));
        delete _found[worker];
    }

    /* VIEWS */

    /// @inheritdoc IAttestationGate
    function requireActive(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind)
    {
        (Standing standing,) = _requireStanding(worker, appId);
        return (standing.operator(), standing.kind());
    }

    /// @inheritdoc IWorkerRegistry
    function requireActiveOn(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind, bytes32 platformId)
    {
        (Standing standing, WorkerRecord record) = _requireStanding(worker, appId);
        return (standing.operator(), standing.kind(), record.platform());
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
    function workerOf(address worker) external view returns (Worker memory shown) {
        WorkerRecord record = _workers[worker];
        if (record.status() == WorkerStatus.Unknown) return shown;
        CohortFacts memory facts = _factsOf(record.cohort());
        Seat seat = _seatOf(facts.appId, record);
        bool seated = seat.holder() == worker;
        return Worker({
            appId: facts.appId,
            measurementId: facts.measurementId,
            platformId: record.platform(),
            operator: facts.operator,
            validUntil: record.expiresAt(),
            activeFrom: record.activeFrom(),
            challengeBlock: seated ? seat.challengeBlock() : 0,
            collateralFrom: seated ? seat.collateralFrom() : 0,
            evaluationNumber: facts.evaluationNumber,
            cohort: record.cohort(),
            route: facts.route,
            fmspc: facts.fmspc,
            kind: facts.kind,
            status: record.status(),
            teeType: facts.teeType,
            tcbStatus: facts.tcbStatus,
            place: uint8(record.place())
        });
    }

    /// @inheritdoc IWorkerRegistry
    function claimOf(address worker) external view returns (bytes32) {
        WorkerRecord record = _workers[worker];
        if (record.status() == WorkerStatus.Unknown) return 0;
        Seat seat = _seatOf(_factsOf(record.cohort()).appId, record);
        return _claims[worker][seat.challengeBlock()];
    }

    /// @inheritdoc IWorkerRegistry
    function workerOn(bytes32 appId, bytes32 platformId, uint8 place)
        external
        view
        returns (address)
    {
        WorkerRecord nobody = WorkerRecordLib.from(bytes20(platformId), 0, 0, 0);
        return _seatOf(appId, nobody.placed(place % WorkerRecordLib.PLACES)).holder();
    }

    /* STATE AT USE */

    /// @dev How the cohort of `worker` stood when it was judged last, and its record; reverts with the
    /// reason unless the worker counts now.
    function _requireStanding(address worker, bytes32 appId)
        private
        view
        returns (Standing standing, WorkerRecord record)
    {
        record = _workers[worker];
        standing = _standing(appId, record.cohort());
        // Most of the time nothing is left to look at.
        if (
            record.isPlain(block.timestamp) && standing.carriesAll(block.timestamp)
                && _isCurrent(standing)
        ) return (standing, record);
        if (record.activeFrom() > block.timestamp || !_stands(worker, record, standing, appId)) {
            (bytes memory failure,) = _answer(worker, record, appId, uint64(block.timestamp));
            Failure.raise(failure);
        }
    }

    function _seatOf(bytes32 appId, WorkerRecord record) internal view returns (Seat) {
        return _seats[appId][record.seat()];
    }

    /// @dev Whether a worker must be looked at by itself: its policy names single platforms or workers, or
    /// it came to a platform where others were.
    function _isLookedAt(WorkerRecord record, Standing standing) internal pure returns (bool) {
        return standing.isPersonal() || record.place() != 0;
    }

    /// @dev The short way: whether what is kept says that the worker counts, but for its activation.
    function _stands(address worker, WorkerRecord record, Standing standing, bytes32 appId)
        internal
        view
        returns (bool)
    {
        if (
            record.status() != WorkerStatus.Registered || record.expiresAt() < block.timestamp
                || standing.until() < block.timestamp || !_isCurrent(standing)
        ) return false;
        uint256 age = standing.maxCollateralAge();
        bool lookedAt = _isLookedAt(record, standing);
        if (standing.isCounted()) {
            Found memory found = _found[worker];
            return found.epoch == standing.epoch() && found.until >= block.timestamp;
        }
        Seat seat = _seatOf(appId, record);
        if (age != 0 && seat.collateralFrom() + age < block.timestamp) return false;
        return !lookedAt || seat.epoch() == standing.epoch();
    }

    /// @dev Whether a registered worker counts for anything, active or not yet.
    function _isAlive(address worker) internal view returns (bool) {
        WorkerRecord record = _workers[worker];
        (bytes memory failure,,) = _lifeOf(worker, record, uint64(block.timestamp));
        return failure.length == 0;
    }

    /// @dev The encoded error that keeps `worker` from serving `appId` at `at`, empty if none does,
    /// and the last second of that. The one algorithm behind every answer.
    function _answer(address worker, WorkerRecord record, bytes32 appId, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until)
    {
        CohortFacts memory facts;
        (failure, until, facts) = _lifeOf(worker, record, at);
        if (failure.length != 0) return (failure, 0);
        if (facts.appId != appId) {
            failure = abi.encodeWithSelector(WrongWorkerApp.selector, facts.appId, appId);
        } else if (record.activeFrom() > at) {
            failure =
                abi.encodeWithSelector(WorkerNotYetActive.selector, worker, record.activeFrom());
        }
    }

    /// @dev The long way: the encoded error that makes `worker` worth nothing for any app at `at`,
    /// empty if none does; the last second of that; and what its cohort has in common.
    function _lifeOf(address worker, WorkerRecord record, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until, CohortFacts memory facts)
    {
        if (record.status() != WorkerStatus.Registered) {
            bytes4 reason = WorkerUnknown.selector;
            if (record.status() == WorkerStatus.Revoked) reason = WorkerIsRevoked.selector;
            if (record.status() == WorkerStatus.Retired) reason = WorkerIsRetired.selector;
            return (abi.encodeWithSelector(reason, worker), 0, facts);
        }
        facts = _factsOf(record.cohort());
        Seat seat = _seatOf(facts.appId, record);
        until = _endOf(record, seat, facts, at);
        if (until < at) {
            return (abi.encodeWithSelector(WorkerExpired.selector, worker, until), 0, facts);
        }
        failure = _outlawed(facts);
        if (failure.length != 0) return (failure, 0, facts);
        Bearer memory bearer = _bearer(worker, record, seat);
        bytes32 claim = _claims[worker][seat.challengeBlock()];
        if (claim != 0) {
            bearer.kindsUntil = CORROBORATIONS.kindsUntil(address(this), worker, claim, at);
        }
        uint64 tolerated;
        (failure, tolerated) = POLICY.standingOf(facts.appId, facts.tcbFacts(), bearer, at);
        if (tolerated < until) until = tolerated;
    }

    /// @dev The last second of a registration, as far as it matters at `at`.
    function _endOf(WorkerRecord record, Seat seat, CohortFacts memory facts, uint64 at)
        private
        view
        returns (uint64 end)
    {
        end = record.expiresAt();
        if (end >= at || address(CALENDAR) == address(0)) return end;
        return CALENDAR.stretched(facts.teeType, facts.fmspc, seat.collateralFrom(), end);
    }

    /// @dev What a policy judges of a worker that is its own, kinds of proof aside.
    function _bearer(address worker, WorkerRecord record, Seat seat)
        internal
        pure
        returns (Bearer memory)
    {
        uint64[4] memory none;
        return Bearer({
            worker: worker,
            platformId: record.platform(),
            collateralFrom: seat.collateralFrom(),
            kindsUntil: none,
            place: uint8(record.place())
        });
    }
}
