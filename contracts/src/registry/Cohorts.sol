// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibRLP} from "solady/utils/LibRLP.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {IChangeLog, IEpochFollower} from "../interfaces/IChangeLog.sol";
import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICorroborations} from "../interfaces/ICorroborations.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IMeasurementRegistry, MeasurementStatus} from "../interfaces/IMeasurementRegistry.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {ITcbPolicy, Terms} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {CohortFacts, IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {VerdictReader} from "../types/VerdictReader.sol";
import {WorkerBinding} from "../types/WorkerBinding.sol";
import {CohortLib, Standing, StandingLib} from "./CohortLib.sol";
import {Failure} from "./Failure.sol";
import {VerifierCall} from "./VerifierCall.sol";
import {WorkerRecordLib} from "./WorkerRecord.sol";

/// @title Cohorts
/// @notice What workers have in common: app, operator, image, way of proof, and all that a policy
/// judges but platform and age. It is kept once, and judged once after each narrowing.
/// @dev Facts never change, so they are kept as code: those of cohort n are the code of the n-th
/// contract that this one created after its constructor, which is how they are found. A standing is kept together with the
/// log's epoch, and counts only while that stands still.
abstract contract Cohorts is IWorkerRegistry, IEpochFollower {
    using CohortLib for CohortFacts;
    using VerdictReader for bytes;

    /// @dev What a verifier answered: a verdict in its one encoding; and who.
    struct Finding {
        bytes verdict;
        bytes4 route;
        ProofKind kind;
    }

    /* CONSTANTS */

    /// @dev How many contracts the constructors create: {WorkerEnd}'s.
    uint256 private constant CREATED_AT_FIRST = 1;

    /* IMMUTABLES */

    /// @inheritdoc IWorkerRegistry
    IMeasurementRegistry public immutable MEASUREMENTS;
    /// @inheritdoc IWorkerRegistry
    IVerifierRouter public immutable ROUTER;
    /// @inheritdoc IWorkerRegistry
    ITcbPolicy public immutable POLICY;
    /// @inheritdoc IWorkerRegistry
    ICorroborations public immutable CORROBORATIONS;
    /// @inheritdoc IWorkerRegistry
    ICollateralCalendar public immutable CALENDAR;
    /// @dev The log that all three report to.
    IChangeLog internal immutable LOG;

    /* STORAGE */

    /// @inheritdoc IWorkerRegistry
    uint24 public epoch;
    /// @inheritdoc IWorkerRegistry
    uint32 public cohorts;

    /// @dev What the router says of a route and never takes back: its verifier and, above it, its kind.
    mapping(bytes4 route => uint256) private _legs;
    /// @dev Its standing as newcomers find it, with the cohort's number in the operator's place.
    mapping(bytes32 id => Standing) private _doors;
    mapping(bytes32 appId => mapping(uint32 cohort => Standing)) private _standings;

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        ICorroborations corroborations,
        ICollateralCalendar calendar
    ) {
        require(
            address(measurements) != address(0) && address(router) != address(0)
                && address(policy) != address(0) && address(corroborations) != address(0),
            IGoverned.ZeroAddress()
        );
        CORROBORATIONS = corroborations;
        CALENDAR = calendar;
        MEASUREMENTS = measurements;
        ROUTER = router;
        POLICY = policy;
        IChangeLog log = policy.LOG();
        LOG = log;
        log.enrol();
        log.enrolFollower();
        epoch = log.epoch();
        require(
            measurements.LOG() == log && router.LOG() == log && log.isSource(address(measurements))
                && log.isSource(address(router)) && log.isSource(address(policy)) && log.isFull(),
            LogNotShared(address(log))
        );
    }

    /* LOG */

    /// @inheritdoc IEpochFollower
    function follow(uint24 current) external {
        require(msg.sender == address(LOG), NotTheLog(msg.sender));
        epoch = current;
    }

    /* VIEWS */

    /// @inheritdoc IWorkerRegistry
    function cohortOf(uint32 cohort) external view returns (CohortFacts memory facts) {
        if (cohort != 0 && cohort <= cohorts) facts = _factsOf(cohort);
    }

    /* EVIDENCE */

    /// @dev What the verifier of `route` answers, as it answers: a verdict, or its own revert. The root
    /// of trust and the state of the route are the cohort's matter.
    function _verify(bytes4 route, bytes calldata evidence, bytes calldata proof)
        internal
        returns (Finding memory found)
    {
        uint256 leg = _legs[route];
        if (leg == 0) {
            _requireRoute(route);
            leg = uint160(address(ROUTER.verifierOf(route))) | uint256(ROUTER.kindOf(route)) << 160;
            _legs[route] = leg;
        }
        bytes memory answer =
            VerifierCall.ask(IQuoteVerifier(address(uint160(leg))), evidence, proof);
        VerdictReader.requireWhole(answer);
        (found.verdict, found.route, found.kind) = (answer, route, ProofKind(leg >> 160));
    }

    /* COHORTS */

    /// @dev The cohort that a registration belongs to, which is formed where it is the first of its
    /// kind. Its standing is one of the present epoch; reverts with the reason where it has none.
    function _cohortFor(Finding memory found, WorkerBinding calldata binding)
        internal
        returns (uint32 cohort, Standing standing)
    {
        bytes32 id = _idOf(found.verdict, found.route, binding);
        standing = _doors[id];
        cohort = standing.number();
        if (_isCurrent(standing)) return (cohort, standing);
        CohortFacts memory facts;
        if (cohort == 0) {
            facts = _newFacts(found, binding);
            cohort = _form(facts);
        } else {
            facts = _factsOf(cohort);
        }
        standing = _judge(cohort, facts);
        _doors[id] = standing.numbered(cohort);
    }

    /// @dev Finds out how a cohort stands, and keeps it; reverts with the reason where it does not.
    function _judge(uint32 cohort, CohortFacts memory facts) internal returns (Standing standing) {
        Failure.raise(_outlawed(facts));
        (bytes memory failure, Terms memory terms) = POLICY.termsOf(facts.appId, facts.tcbFacts());
        Failure.raise(failure);
        standing = StandingLib.from(facts, WorkerRecordLib.clamp(terms.until), epoch, terms);
        _standings[facts.appId][cohort] = standing;
    }

    /// @dev The encoded error where image or route do not count; empty if they do.
    function _outlawed(CohortFacts memory facts) internal view returns (bytes memory) {
        (bytes32 appId, bytes32 id) = (facts.appId, facts.measurementId);
        MeasurementStatus measurement = MEASUREMENTS.statusOf(appId, id);
        if (measurement != MeasurementStatus.Admitted) {
            bytes4 reason = IMeasurementRegistry.MeasurementNotAdmitted.selector;
            return abi.encodeWithSelector(reason, appId, id, measurement);
        }
        RouteStatus route = ROUTER.statusOf(facts.route);
        if (route == RouteStatus.Active) return "";
        return abi.encodeWithSelector(IVerifierRouter.RouteNotActive.selector, facts.route, route);
    }

    /// @dev How `cohort` of `appId` stood when it was judged last; empty for another app's.
    function _standing(bytes32 appId, uint32 cohort) internal view returns (Standing) {
        return _standings[appId][cohort];
    }

    /// @dev Whether nothing was narrowed since.
    function _isCurrent(Standing standing) internal view returns (bool) {
        uint24 current = epoch;
        return standing.epoch() == current && current != type(uint24).max;
    }

    function _factsOf(uint32 cohort) internal view returns (CohortFacts memory) {
        uint256 nonce = uint256(cohort) + CREATED_AT_FIRST;
        return CohortLib.decode(SSTORE2.read(LibRLP.computeAddress(address(this), nonce)));
    }

    /* PRIVATE */

    function _idOf(bytes memory verdict, bytes4 route, WorkerBinding calldata binding)
        private
        pure
        returns (bytes32)
    {
        return keccak256(
            abi.encode(
                binding.appId,
                binding.operator,
                route,
                verdict.word(VerdictReader.MEASUREMENT_ID),
                verdict.word(VerdictReader.TEE_TYPE),
                verdict.word(VerdictReader.TCB_STATUS),
                verdict.word(VerdictReader.EVALUATION_NUMBER),
                verdict.word(VerdictReader.FMSPC),
                verdict.word(VerdictReader.ADVISORIES_HASH),
                verdict.word(VerdictReader.ROOT_KEY_HASH)
            )
        );
    }

    /// @dev The facts of a cohort that is not there yet, once those are checked that never change.
    function _newFacts(Finding memory found, WorkerBinding calldata binding)
        private
        view
        returns (CohortFacts memory)
    {
        Verdict memory verdict = abi.decode(found.verdict, (Verdict));
        bytes32 root = verdict.rootKeyHash;
        require(ROUTER.isTrustedRoot(root), IVerifierRouter.RootKeyNotTrusted(root));
        MeasurementLib.requireClosed(verdict.teeType, verdict.measurement);
        return CohortFacts({
            appId: binding.appId,
            measurementId: verdict.measurementId,
            operator: binding.operator,
            route: found.route,
            kind: found.kind,
            teeType: verdict.teeType,
            tcbStatus: verdict.tcbStatus,
            fmspc: verdict.fmspc,
            attributes: MeasurementLib.attributesOf(verdict.teeType, verdict.measurement),
            evaluationNumber: verdict.tcbEvaluationDataNumber,
            advisories: verdict.advisories
        });
    }

    function _form(CohortFacts memory facts) private returns (uint32 cohort) {
        cohort = cohorts + 1;
        require(cohort <= WorkerRecordLib.MAX_COHORTS, NoCohortLeft());
        cohorts = cohort;
        // Where it is kept follows from how many were kept before.
        // slither-disable-next-line unused-return
        SSTORE2.write(facts.encode());
        emit CohortFormed(cohort, facts.appId, facts.measurementId, facts);
    }

    function _requireRoute(bytes4 route) private view {
        RouteStatus actual = ROUTER.statusOf(route);
        require(actual == RouteStatus.Active, IVerifierRouter.RouteNotActive(route, actual));
    }
}
