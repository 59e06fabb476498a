// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {
    Bearer,
    ITcbPolicy,
    Policy,
    PolicyHead,
    TcbFacts,
    Terms
} from "../interfaces/ITcbPolicy.sol";
import {Failure} from "./Failure.sol";
import {Reporting} from "./Reporting.sol";
import {SubjectLib} from "./SubjectLib.sol";

/// @title TcbPolicy
/// @notice How patched a platform must be, per app and TEE type.
/// @dev A worker is judged by the version that holds, and while its grace runs by the one before,
/// too: two versions, whatever came earlier, so that a judgement costs the same for ever.
contract TcbPolicy is ITcbPolicy, Reporting, ERC165 {
    /// @dev One version without its lists: two slots.
    struct Rules {
        uint16 acceptedStatuses;
        uint8 acceptedKinds;
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

    /* IMMUTABLES */

    /// @inheritdoc ITcbPolicy
    uint16 public immutable DEFAULT_STATUSES;

    /* STORAGE */

    mapping(bytes32 appId => mapping(uint8 teeType => PolicyHead)) private _heads;
    mapping(bytes32 key => Rules) private _rules;
    mapping(bytes32 key => mapping(bytes32 subject => bool)) private _denied;
    mapping(bytes32 key => mapping(bytes32 platformId => bool)) private _listed;
    mapping(bytes32 appId => mapping(bytes32 subject => bool)) private _barred;
    /// @dev How many of those barred now may be a single platform or worker.
    mapping(bytes32 appId => uint256) private _barredPersons;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log, uint16 defaultStatuses)
        Reporting(governor, guardian, log)
    {
        require(defaultStatuses != 0 && defaultStatuses & ~KNOWN_STATUSES == 0, PolicyInvalid());
        DEFAULT_STATUSES = defaultStatuses;
    }

    /* CHANGES */

    /// @inheritdoc ITcbPolicy
    function publish(bytes32 appId, uint8 teeType, Policy calldata policy, bool emergency)
        external
        returns (uint64 version)
    {
        _requireGovernor();
        _requireSound(appId, policy);
        PolicyHead memory head = _heads[appId][teeType];
        require(
            emergency || head.graceEndsAt < block.timestamp,
            PolicyInTransition(appId, teeType, head.graceEndsAt)
        );
        version = head.version + 1;
        uint32 longest = _write(_keyOf(appId, teeType, version), policy);
        _heads[appId][teeType] = PolicyHead({
            version: version,
            publishedAt: uint64(block.timestamp),
            graceEndsAt: emergency || longest == 0 ? 0 : uint64(block.timestamp) + longest
        });
        emit PolicyPublished(appId, teeType, version, policy, emergency);
        _narrowed(_subjectOf(appId, bytes32(uint256(teeType))), true);
    }

    /// @inheritdoc ITcbPolicy
    function bar(bytes32 appId, bytes32 subject) external {
        _requireGovernorOrGuardian();
        _setBarred(appId, subject, true);
        emit SubjectBarred(appId, subject, msg.sender);
        _narrowed(_subjectOf(appId, subject), true);
    }

    /// @inheritdoc ITcbPolicy
    function lift(bytes32 appId, bytes32 subject) external {
        _requireGovernor();
        _setBarred(appId, subject, false);
        emit SubjectLifted(appId, subject);
        _widened(_subjectOf(appId, subject));
    }

    /* JUDGEMENT */

    /// @inheritdoc ITcbPolicy
    function requireAccepted(bytes32 appId, TcbFacts calldata facts, Bearer calldata bearer)
        external
        view
        returns (uint64 until)
    {
        Failure.raise(_barredAmong(appId, facts));
        Failure.raise(_barredPerson(appId, bearer));
        bytes32 key = _keyOf(appId, facts.teeType, _heads[appId][facts.teeType].version);
        bytes memory failure;
        (failure, until) = _judge(key, facts, bearer, uint64(block.timestamp));
        Failure.raise(failure);
    }

    /// @inheritdoc ITcbPolicy
    function standingOf(bytes32 appId, TcbFacts calldata facts, Bearer calldata bearer, uint64 at)
        external
        view
        returns (bytes memory failure, uint64 until)
    {
        failure = _barredAmong(appId, facts);
        if (failure.length == 0) failure = _barredPerson(appId, bearer);
        if (failure.length != 0) return (failure, 0);
        PolicyHead memory head = _heads[appId][facts.teeType];
        bytes32 key = _keyOf(appId, facts.teeType, head.version);
        (failure, until) = _judge(key, facts, bearer, at);
        if (failure.length == 0 || at > head.graceEndsAt) return (failure, until);
        // The version before is asked only while someone may live by it, so there is one.
        uint64 end = head.publishedAt + _rules[key].graces[facts.tcbStatus - 1];
        if (at > end) return (failure, 0);
        (bytes memory earlier, uint64 earlierUntil) =
            _judge(_keyOf(appId, facts.teeType, head.version - 1), facts, bearer, at);
        if (earlier.length != 0) return (failure, 0);
        return ("", end < earlierUntil ? end : earlierUntil);
    }

    /// @inheritdoc ITcbPolicy
    function termsOf(bytes32 appId, TcbFacts calldata facts)
        external
        view
        returns (bytes memory failure, Terms memory terms)
    {
        failure = _barredAmong(appId, facts);
        if (failure.length != 0) return (failure, terms);
        PolicyHead memory head = _heads[appId][facts.teeType];
        bytes32 key = _keyOf(appId, facts.teeType, head.version);
        Rules memory rules = _rulesOf(key);
        failure = _judgeFacts(rules, key, facts);
        (terms.until, terms.open) = (type(uint64).max, true);
        if (failure.length != 0) {
            uint64 end = head.publishedAt + rules.graces[facts.tcbStatus - 1];
            if (block.timestamp > head.graceEndsAt || block.timestamp > end) {
                return (failure, terms);
            }
            key = _keyOf(appId, facts.teeType, head.version - 1);
            rules = _rulesOf(key);
            if (_judgeFacts(rules, key, facts).length != 0) return (failure, terms);
            (failure, terms.until, terms.open) = ("", end, false);
        }
        terms.maxCollateralAge = rules.maxCollateralAge;
        terms.personal = rules.personal || _barredPersons[appId] != 0 || _barredPersons[0] != 0;
    }

    /* VIEWS */

    /// @inheritdoc ITcbPolicy
    function isBarred(bytes32 appId, bytes32 subject) external view returns (bool) {
        return _barred[appId][SubjectLib.key(subject)];
    }

    /// @inheritdoc ITcbPolicy
    function headOf(bytes32 appId, uint8 teeType) external view returns (PolicyHead memory) {
        return _heads[appId][teeType];
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(ITcbPolicy).interfaceId
            || interfaceId == type(IGoverned).interfaceId || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    function _requireSound(bytes32 appId, Policy calldata policy) private pure {
        require(
            appId != 0 && policy.acceptedStatuses != 0 && policy.acceptedKinds != 0
                && policy.acceptedStatuses & ~KNOWN_STATUSES == 0
                && policy.acceptedKinds & ~KNOWN_KINDS == 0 && policy.denied.length <= MAX_ENTRIES
                && policy.platforms.length <= MAX_ENTRIES,
            PolicyInvalid()
        );
    }

    /// @return longest the longest of the graces.
    function _write(bytes32 key, Policy calldata policy) private returns (uint32 longest) {
        for (uint256 i = 0; i < STATUSES; ++i) {
            uint32 grace = policy.graces[i];
            require(grace <= MAX_GRACE, PolicyInvalid());
            if (grace > longest) longest = grace;
        }
        _rules[key] = Rules({
            acceptedStatuses: policy.acceptedStatuses,
            acceptedKinds: policy.acceptedKinds,
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

    function _setBarred(bytes32 appId, bytes32 subject, bool barred) private {
        bytes32 key = SubjectLib.key(subject);
        require(_barred[appId][key] != barred, SubjectUnchanged(appId, subject));
        _barred[appId][key] = barred;
        if (!SubjectLib.mayBePerson(subject)) return;
        if (barred) ++_barredPersons[appId];
        else --_barredPersons[appId];
    }

    /// @dev What one version says of a worker at `at`, and until when.
    function _judge(bytes32 key, TcbFacts calldata facts, Bearer calldata bearer, uint64 at)
        private
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
        if (rules.maxCollateralAge == 0) return ("", type(uint64).max);
        until = bearer.collateralFrom + rules.maxCollateralAge;
        if (at <= until) return ("", until);
        failure = abi.encodeWithSelector(
            CollateralTooOld.selector, bearer.collateralFrom, rules.maxCollateralAge
        );
        return (failure, 0);
    }

    /// @dev What one version says of all workers with these facts.
    function _judgeFacts(Rules memory rules, bytes32 key, TcbFacts calldata facts)
        private
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
    function _rulesOf(bytes32 key) private view returns (Rules memory rules) {
        rules = _rules[key];
        if (rules.acceptedStatuses == 0) {
            (rules.acceptedStatuses, rules.acceptedKinds) = (DEFAULT_STATUSES, KNOWN_KINDS);
        }
    }

    /// @dev The encoded error where governor or guardian barred what these facts name.
    function _barredAmong(bytes32 appId, TcbFacts calldata facts)
        private
        view
        returns (bytes memory)
    {
        if (_isBarredAnywhere(appId, facts.fmspc)) return _denial(facts.fmspc);
        bytes32 kind = bytes32(uint256(facts.kind));
        if (_isBarredAnywhere(appId, kind)) return _denial(kind);
        if (_isBarredAnywhere(appId, facts.measurementId)) return _denial(facts.measurementId);
        for (uint256 i = 0; i < facts.advisories.length; ++i) {
            bytes32 advisory = facts.advisories[i];
            if (_isBarredAnywhere(appId, advisory)) return _denial(advisory);
        }
        return "";
    }

    function _barredPerson(bytes32 appId, Bearer calldata bearer)
        private
        view
        returns (bytes memory)
    {
        if (_isBarredAnywhere(appId, bearer.platformId)) return _denial(bearer.platformId);
        bytes32 worker = SubjectLib.ofWorker(bearer.worker);
        return _isBarredAnywhere(appId, worker) ? _denial(worker) : bytes("");
    }

    function _denial(bytes32 subject) private pure returns (bytes memory) {
        return abi.encodeWithSelector(SubjectDenied.selector, subject);
    }

    function _isBarredAnywhere(bytes32 appId, bytes32 subject) private view returns (bool) {
        bytes32 key = SubjectLib.key(subject);
        return _barred[appId][key] || _barred[0][key];
    }

    function _keyOf(bytes32 appId, uint8 teeType, uint64 version) private pure returns (bytes32) {
        return keccak256(abi.encode(appId, teeType, version));
    }
}
