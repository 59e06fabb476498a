// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibBit} from "solady/utils/LibBit.sol";

import {Bearer, ITcbPolicy, Policy, TcbFacts} from "../interfaces/ITcbPolicy.sol";
import {SubjectLib} from "./SubjectLib.sol";
import {WorkerRecordLib} from "./WorkerRecord.sol";

/// @title PolicyVersions
/// @notice What each version of each policy says, and what it makes of a worker.
/// @dev Which version holds, and what was barred beside it, is {TcbPolicy}'s.
abstract contract PolicyVersions is ITcbPolicy {
    /// @dev One version without its lists: two slots.
    struct Rules {
        uint16 acceptedStatuses;
        uint8 acceptedKinds;
        uint8 kindsNeeded;
        uint8 workersPerPlatform;
        uint32 minEvaluationNumber;
        uint32 maxCollateralAge;
        bytes8 forbiddenAttributes;
        /// @dev Only listed platforms are accepted.
        bool listsPlatforms;
        /// @dev Platforms or workers are named, listed or denied.
        bool personal;
        uint32[8] graces;
    }

    /* CONSTANTS */

    /// @notice The longest grace: a quarter, in which Intel publishes at least one recovery.
    uint32 public constant MAX_GRACE = 90 days;
    /// @notice The longest list, which bounds what {publish} costs.
    uint256 public constant MAX_ENTRIES = 128;

    /// @dev Bits 1 to 8: the statuses a verdict can carry.
    uint16 private constant KNOWN_STATUSES = 0x01fe;
    /// @dev Bits 1 to 4: the kinds of proof.
    uint8 private constant KNOWN_KINDS = 0x1e;
    uint8 private constant STATUSES = 8;
    uint256 private constant KINDS = 4;

    /* IMMUTABLES */

    /// @inheritdoc ITcbPolicy
    uint16 public immutable DEFAULT_STATUSES;

    /* STORAGE */

    mapping(bytes32 key => Rules) internal _rules;
    mapping(bytes32 key => mapping(bytes32 subject => bool)) private _denied;
    mapping(bytes32 key => mapping(bytes32 platformId => bool)) private _listed;

    /* CONSTRUCTOR */

    constructor(uint16 defaultStatuses) {
        require(defaultStatuses != 0 && defaultStatuses & ~KNOWN_STATUSES == 0, PolicyInvalid());
        DEFAULT_STATUSES = defaultStatuses;
    }

    /* WRITING */

    function _requireSound(bytes32 appId, Policy calldata policy) internal pure {
        require(
            appId != 0 && policy.acceptedStatuses != 0 && policy.acceptedKinds != 0
                && policy.acceptedStatuses & ~KNOWN_STATUSES == 0
                && policy.acceptedKinds & ~KNOWN_KINDS == 0
                && policy.kindsNeeded <= LibBit.popCount(policy.acceptedKinds)
                && policy.workersPerPlatform <= WorkerRecordLib.PLACES
                && policy.denied.length <= MAX_ENTRIES && policy.platforms.length <= MAX_ENTRIES,
            PolicyInvalid()
        );
    }

    /// @return longest the longest of the graces.
    function _write(bytes32 key, Policy calldata policy) internal returns (uint32 longest) {
        for (uint256 i = 0; i < STATUSES; ++i) {
            uint32 grace = policy.graces[i];
            require(grace <= MAX_GRACE, PolicyInvalid());
            if (grace > longest) longest = grace;
        }
        _rules[key] = Rules({
            acceptedStatuses: policy.acceptedStatuses,
            acceptedKinds: policy.acceptedKinds,
            kindsNeeded: policy.kindsNeeded,
            workersPerPlatform: policy.workersPerPlatform,
            minEvaluationNumber: policy.minEvaluationNumber,
            maxCollateralAge: policy.maxCollateralAge,
            forbiddenAttributes: policy.forbiddenAttributes,
            listsPlatforms: policy.platforms.length != 0,
            personal: policy.platforms.length != 0 || _anyPerson(policy.denied),
            graces: policy.graces
        });
        for (uint256 i = 0; i < policy.denied.length; ++i) {
            _denied[key][SubjectLib.key(policy.denied[i])] = true;
        }
        for (uint256 i = 0; i < policy.platforms.length; ++i) {
            _listed[key][SubjectLib.key(policy.platforms[i])] = true;
        }
    }

    function _anyPerson(bytes32[] calldata subjects) private pure returns (bool found) {
        for (uint256 i = 0; i < subjects.length && !found; ++i) {
            found = SubjectLib.mayBePerson(subjects[i]);
        }
    }

    /* JUDGEMENT */

    /// @dev What one version says of a worker at `at`, and until when, however many kinds of proof stand.
    function _judge(bytes32 key, TcbFacts calldata facts, Bearer calldata bearer, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until)
    {
        Rules memory rules = _rulesOf(key);
        failure = _judgeFacts(rules, key, facts);
        if (failure.length != 0) return (failure, 0);
        bytes32 platform = SubjectLib.key(bearer.platformId);
        if (_denied[key][platform]) return (_denial(bearer.platformId), 0);
        bytes32 worker = SubjectLib.ofWorker(bearer.worker);
        if (_denied[key][worker]) return (_denial(worker), 0);
        if (rules.listsPlatforms && !_listed[key][platform]) {
            return (abi.encodeWithSelector(PlatformNotListed.selector, bearer.platformId), 0);
        }
        if (bearer.place != 0 && bearer.place >= rules.workersPerPlatform) {
            return (_crowded(bearer, rules.workersPerPlatform), 0);
        }
        if (rules.maxCollateralAge == 0) return ("", type(uint64).max);
        until = bearer.collateralFrom + rules.maxCollateralAge;
        if (at <= until) return ("", until);
        failure = abi.encodeWithSelector(
            CollateralTooOld.selector, bearer.collateralFrom, rules.maxCollateralAge
        );
        return (failure, 0);
    }

    /// @dev The same, its kinds of proof counted.
    function _judgeCounted(bytes32 key, TcbFacts calldata facts, Bearer calldata bearer, uint64 at)
        internal
        view
        returns (bytes memory failure, uint64 until)
    {
        (failure, until) = _judge(key, facts, bearer, at);
        uint8 needed = _rules[key].kindsNeeded;
        if (failure.length != 0 || needed < 2) return (failure, until);
        (uint256 standing, uint64 together) = _together(facts.kind, bearer.kindsUntil, needed, at);
        if (standing < needed) {
            return (abi.encodeWithSelector(ProofKindsTooFew.selector, standing, needed), 0);
        }
        if (together < until) until = together;
    }

    /// @dev How many kinds of proof stand at `at`, and the last second at which `needed` of them do; the
    /// registration's own, `kind`, is one of them as long as it lasts.
    function _together(uint8 kind, uint64[4] calldata ends, uint8 needed, uint64 at)
        private
        pure
        returns (uint256 standing, uint64 until)
    {
        standing = 1;
        for (uint256 i = 0; i < KINDS; ++i) {
            if (i + 1 == kind || ends[i] < at) continue;
            ++standing;
            uint256 longer = 1;
            for (uint256 j = 0; j < KINDS; ++j) {
                if (j + 1 != kind && ends[j] >= ends[i]) ++longer;
            }
            if (longer >= needed && ends[i] > until) until = ends[i];
        }
    }

    /// @dev What one version says of all workers with these facts.
    function _judgeFacts(Rules memory rules, bytes32 key, TcbFacts calldata facts)
        internal
        view
        returns (bytes memory)
    {
        if (rules.acceptedStatuses & (uint16(1) << facts.tcbStatus) == 0) {
            return abi.encodeWithSelector(
                TcbStatusNotAccepted.selector, facts.tcbStatus, rules.acceptedStatuses
            );
        }
        if (rules.acceptedKinds & (uint8(1) << facts.kind) == 0) {
            return
                abi.encodeWithSelector(
                    ProofKindNotAccepted.selector, facts.kind, rules.acceptedKinds
                );
        }
        if (facts.evaluationNumber < rules.minEvaluationNumber) {
            return abi.encodeWithSelector(
                EvaluationNumberTooLow.selector, facts.evaluationNumber, rules.minEvaluationNumber
            );
        }
        if (facts.attributes & rules.forbiddenAttributes != 0) {
            return abi.encodeWithSelector(
                AttributesDenied.selector, facts.attributes, rules.forbiddenAttributes
            );
        }
        if (_denied[key][facts.fmspc]) return _denial(facts.fmspc);
        if (_denied[key][SubjectLib.key(facts.measurementId)]) return _denial(facts.measurementId);
        for (uint256 i = 0; i < facts.advisories.length; ++i) {
            bytes32 advisory = facts.advisories[i];
            if (_denied[key][SubjectLib.key(advisory)]) return _denial(advisory);
        }
        return "";
    }

    /// @dev A version that nobody published is the deployment's own.
    function _rulesOf(bytes32 key) internal view returns (Rules memory rules) {
        rules = _rules[key];
        if (rules.acceptedStatuses == 0) {
            (rules.acceptedStatuses, rules.acceptedKinds) = (DEFAULT_STATUSES, KNOWN_KINDS);
        }
    }

    function _denial(bytes32 subject) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(SubjectDenied.selector, subject);
    }

    function _crowded(Bearer calldata bearer, uint8 allowed) private pure returns (bytes memory) {
        if (allowed == 0) allowed = 1;
        return
            abi.encodeWithSelector(
                PlatformCrowded.selector, bearer.platformId, bearer.place, allowed
            );
    }

    function _keyOf(bytes32 appId, uint8 teeType, uint64 version) internal pure returns (bytes32) {
        return keccak256(abi.encode(appId, teeType, version));
    }
}
