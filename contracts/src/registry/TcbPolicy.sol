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
import {PolicyVersions} from "./PolicyVersions.sol";
import {Reporting} from "./Reporting.sol";
import {SubjectLib} from "./SubjectLib.sol";

/// @title TcbPolicy
/// @notice How patched a platform must be, per app and TEE type.
/// @dev A worker is judged by the version that holds, and while its grace runs by the one before,
/// too: two versions, whatever came earlier, so that a judgement costs the same for ever.
contract TcbPolicy is PolicyVersions, Reporting, ERC165 {
    /* STORAGE */

    mapping(bytes32 appId => mapping(uint8 teeType => PolicyHead)) private _heads;
    mapping(bytes32 appId => mapping(bytes32 subject => bool)) private _barred;
    /// @dev How many of those barred now may be a single platform or worker.
    mapping(bytes32 appId => uint256) private _barredPersons;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log, uint16 defaultStatuses)
        Reporting(governor, guardian, log)
        PolicyVersions(defaultStatuses)
    {}

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
        (failure, until) = _judgeCounted(key, facts, bearer, at);
        if (failure.length == 0 || at > head.graceEndsAt) return (failure, until);
        // The version before is asked only while someone may live by it, so there is one.
        uint64 end = head.publishedAt + _rules[key].graces[facts.tcbStatus - 1];
        if (at > end) return (failure, 0);
        (bytes memory earlier, uint64 earlierUntil) =
            _judgeCounted(_keyOf(appId, facts.teeType, head.version - 1), facts, bearer, at);
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
        terms.counted = rules.kindsNeeded > 1;
        terms.shared = rules.workersPerPlatform > 1;
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

    function _setBarred(bytes32 appId, bytes32 subject, bool barred) private {
        bytes32 key = SubjectLib.key(subject);
        require(_barred[appId][key] != barred, SubjectUnchanged(appId, subject));
        _barred[appId][key] = barred;
        if (!SubjectLib.mayBePerson(subject)) return;
        if (barred) ++_barredPersons[appId];
        else --_barredPersons[appId];
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

    function _isBarredAnywhere(bytes32 appId, bytes32 subject) private view returns (bool) {
        bytes32 key = SubjectLib.key(subject);
        return _barred[appId][key] || _barred[0][key];
    }
}
