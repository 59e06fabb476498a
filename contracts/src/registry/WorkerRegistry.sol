// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICorroborations} from "../interfaces/ICorroborations.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {
    CohortFacts,
    IWorkerRegistry,
    Registration,
    WorkerStatus
} from "../interfaces/IWorkerRegistry.sol";
import {ClaimLib} from "../types/ClaimLib.sol";
import {VerdictReader} from "../types/VerdictReader.sol";
import {WorkerBinding, WorkerBindingLib} from "../types/WorkerBinding.sol";
import {BindingLib} from "./BindingLib.sol";
import {CohortLib, Standing} from "./CohortLib.sol";
import {Failure} from "./Failure.sol";
import {RegistrationLog} from "./RegistrationLog.sol";
import {WorkerEnd} from "./WorkerEnd.sol";
import {Seat, SeatLib, WorkerRecord, WorkerRecordLib} from "./WorkerRecord.sol";

/// @title WorkerRegistry
/// @notice Keys that a quote proved to be born inside an admitted image on a genuine TEE.
/// @dev Who may enter; how one leaves is {WorkerEnd}'s, what became of a worker meanwhile {WorkerStanding}'s.
contract WorkerRegistry is WorkerEnd, ERC165 {
    using CohortLib for CohortFacts;
    using VerdictReader for bytes;

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

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        ICorroborations corroborations,
        ICollateralCalendar calendar,
        uint64 maxChallengeAge,
        uint64 activationDelay,
        uint64 maxRegistrationAge
    ) WorkerEnd(measurements, router, policy, corroborations, calendar) {
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
        Finding memory found = _verify(route, evidence, proof);
        // 2. It binds a key to this chain, this registry and an app, and it is fresh.
        worker = BindingLib.requireBound(found.verdict, binding, address(this));
        _requireChallenge(binding.challengeBlock, binding.challenge);
        // 3. The root is trusted, the image admitted, and the app's policy takes its like.
        (uint32 cohort, Standing standing) = _cohortFor(found, binding);
        // 4. The platform is free for this key, the quote is new, and the policy takes both.
        WorkerRecord record = _recordOf(found.verdict, cohort);
        bool renews;
        (record, renews) = _takeSeat(worker, record, standing, found.verdict, binding);
        _workers[worker] = record;
        _emitRegistered(worker, record, found.verdict, binding, renews);
    }

    /// @inheritdoc IWorkerRegistry
    function refresh(address worker) external returns (uint64) {
        WorkerRecord record = _workers[worker];
        (bytes memory failure, uint64 until, CohortFacts memory facts) =
            _lifeOf(worker, record, uint64(block.timestamp));
        Failure.raise(failure);
        Standing standing = _judge(record.cohort(), facts);
        if (!_isLookedAt(record, standing)) return until;
        if (standing.isCounted()) {
            _found[worker] = Found(standing.epoch(), until);
            return until;
        }
        Seat seat = _seatOf(facts.appId, record);
        uint256 age = standing.maxCollateralAge();
        uint256 end = record.expiresAt() < standing.until() ? record.expiresAt() : standing.until();
        if (age != 0 && seat.collateralFrom() + age < end) end = seat.collateralFrom() + age;
        // The short way may say yes no longer than the long one.
        if (until < end) return until;
        _seats[facts.appId][record.seat()] = seat.takenAt(standing.epoch());
        return until;
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

    function _recordOf(bytes memory verdict, uint32 cohort) private view returns (WorkerRecord) {
        uint256 end = verdict.number(VerdictReader.VERIFIED_AT) + MAX_REGISTRATION_AGE;
        uint256 validUntil = verdict.number(VerdictReader.VALID_UNTIL);
        return WorkerRecordLib.from(
            bytes20(verdict.word(VerdictReader.PLATFORM_ID)),
            WorkerRecordLib.clamp(block.timestamp + ACTIVATION_DELAY),
            WorkerRecordLib.clamp(end < validUntil ? end : validUntil),
            cohort
        );
    }

    /// @dev Seats `worker` at a place of its platform; returns its record to be, and whether it sat there
    /// before.
    /// Where it carries on a live registration, it stays active. Anything else gives the guardian the
    /// activation delay to object again.
    function _takeSeat(
        address worker,
        WorkerRecord record,
        Standing standing,
        bytes memory verdict,
        WorkerBinding calldata binding
    ) private returns (WorkerRecord, bool renews) {
        mapping(bytes20 => Seat) storage seats = _seats[binding.appId];
        Seat seat = seats[record.platform()];
        WorkerRecord previous = _workers[worker];
        renews = previous.status() != WorkerStatus.Unknown;
        if (renews) {
            uint64 challengeBlock = binding.challengeBlock;
            if (previous.place() != 0) {
                record = record.placed(previous.place());
                seat = seats[record.seat()];
            }
            bool carriesOn = _requireRenewable(worker, previous, record, binding.appId);
            require(
                challengeBlock > seat.challengeBlock(),
                QuoteNotNewer(challengeBlock, seat.challengeBlock())
            );
            if (carriesOn) record = record.activeSince(previous.activeFrom());
        } else if (seat.holder() != address(0)) {
            record = _freePlace(worker, record, standing, binding.appId);
        }
        seat = SeatLib.from(
            worker,
            WorkerRecordLib.clamp(verdict.number(VerdictReader.VALID_FROM)),
            binding.challengeBlock
        );
        if (standing.isOpen() && !_isLookedAt(record, standing)) {
            _requireYoung(seat.collateralFrom(), standing.maxCollateralAge());
        } else {
            _requireTaken(worker, record, seat, binding.appId);
            seat = seat.takenAt(standing.epoch());
            if (standing.isCounted()) _claim(worker, record, verdict, binding);
        }
        seats[record.seat()] = seat;
        return (record, renews);
    }

    /// @dev All that is left to judge where the cohort takes newcomers and no one is named.
    function _requireYoung(uint32 collateralFrom, uint32 maxAge) private view {
        if (maxAge == 0 || uint256(collateralFrom) + maxAge >= block.timestamp) return;
        revert ITcbPolicy.CollateralTooOld(collateralFrom, maxAge);
    }

    function _requireTaken(address worker, WorkerRecord record, Seat seat, bytes32 appId)
        private
        view
    {
        CohortFacts memory facts = _factsOf(record.cohort());
        // slither-disable-next-line unused-return
        POLICY.requireAccepted(appId, facts.tcbFacts(), _bearer(worker, record, seat));
    }

    /// @dev Notes what evidence of further kinds must agree on. What was found of the worker before is void.
    function _claim(
        address worker,
        WorkerRecord record,
        bytes memory verdict,
        WorkerBinding calldata binding
    ) private {
        _claims[worker][uint40(binding.challengeBlock)] = ClaimLib.of_(
            binding.appId,
            binding.operator,
            binding.encryptionKey,
            verdict.word(VerdictReader.MEASUREMENT_ID),
            record.platform()
        );
        delete _found[worker];
    }

    /// @dev The record at the first free place of its platform: one platform serves an app with one key,
    /// or with as many as the policy says, which it judges itself. A worker that is dead for whatever
    /// reason does not hold its place, and its successor there retires it.
    function _freePlace(address worker, WorkerRecord record, Standing standing, bytes32 appId)
        private
        returns (WorkerRecord)
    {
        uint256 place = 0;
        address holder = _seatOf(appId, record).holder();
        while (holder != address(0) && _isAlive(holder)) {
            ++place;
            require(
                standing.isShared() && place < WorkerRecordLib.PLACES,
                PlatformAlreadyInUse(record.platform(), holder)
            );
            record = record.placed(place);
            holder = _seatOf(appId, record).holder();
        }
        if (holder != address(0)) {
            WorkerRecord before = _workers[holder];
            if (before.status() == WorkerStatus.Registered) _retire(holder, before, appId);
        }
        if (place != 0) emit PlatformShared(worker, appId, record.platform(), uint8(place));
        return record;
    }

    /// @dev A key keeps its app and its platform, and never comes back from the dead. Returns whether the
    /// registration carries on a live one: of the same code, proven the same way. As anybody may have a
    /// quote of a worker, only its own side chooses another way or operator while it lives: by a stranger's
    /// choice it would have to wait, kinds of proof would be missing that stood before, or a worker that
    /// takes its operator from whoever asks for a quote would be paid to somebody else.
    function _requireRenewable(
        address worker,
        WorkerRecord previous,
        WorkerRecord record,
        bytes32 appId
    ) private view returns (bool) {
        _requireServing(worker, previous.status());
        require(
            previous.platform() == record.platform(),
            PlatformMismatch(record.platform(), previous.platform())
        );
        if (previous.cohort() == record.cohort()) return _isAlive(worker);
        CohortFacts memory before = _factsOf(previous.cohort());
        CohortFacts memory facts = _factsOf(record.cohort());
        require(before.appId == appId, WrongWorkerApp(appId, before.appId));
        if (!_isAlive(worker)) return false;
        bool isSameCode = before.measurementId == facts.measurementId;
        bool isSameKind = before.kind == facts.kind;
        bool isAnyones = before.operator == facts.operator && (isSameKind || !isSameCode);
        require(
            isAnyones || msg.sender == worker || msg.sender == before.operator,
            NotAllowed(msg.sender, worker)
        );
        return isSameCode && isSameKind;
    }

    /* EVENTS */

    function _emitRegistered(
        address worker,
        WorkerRecord record,
        bytes memory verdict,
        WorkerBinding calldata binding,
        bool renews
    ) private {
        bytes32 id = verdict.word(VerdictReader.MEASUREMENT_ID);
        Registration memory shown = Registration({
            quoteHash: verdict.word(VerdictReader.QUOTE_HASH),
            encryptionKey: binding.encryptionKey,
            platformId: verdict.word(VerdictReader.PLATFORM_ID),
            cohort: record.cohort(),
            activeFrom: record.activeFrom(),
            validUntil: record.expiresAt(),
            challengeBlock: binding.challengeBlock,
            collateralFrom: WorkerRecordLib.clamp(verdict.number(VerdictReader.VALID_FROM))
        });
        RegistrationLog.emitAs(
            renews ? WorkerRenewed.selector : WorkerRegistered.selector,
            worker,
            binding.appId,
            id,
            shown
        );
    }
}
