// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {ITcbPolicy, Policy, PolicyHead, TcbFacts} from "../interfaces/ITcbPolicy.sol";
import {Failure} from "./Failure.sol";
import {Reporting} from "./Reporting.sol";

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
        bool listsPlatforms;
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

    /// @inheritdoc ITcbPolicy
    mapping(bytes32 appId => mapping(bytes32 subject => bool)) public isBarred;

    mapping(bytes32 appId => mapping(uint8 teeType => PolicyHead)) private _heads;
    mapping(bytes32 key => Rules) private _rules;
    mapping(bytes32 key => mapping(bytes32 subject => bool)) private _denied;
    mapping(bytes32 key => mapping(bytes32 platformId => bool)) private _listed;

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
    function requireAccepted(
        bytes32 appId,
        TcbFacts calldata facts,
        bytes32[] calldata advisories,
        bytes8 attributes
    ) external view returns (uint64 until) {
        bytes32 key = _keyOf(appId, facts.teeType, _heads[appId][facts.teeType].version);
        bytes memory failure = _barredAmong(appId, facts);
        Failure.raise(failure);
        (failure, until) = _judge(key, facts, uint64(block.timestamp));
        Failure.raise(failure);
        for (uint256 i = 0; i < advisories.length; ++i) {
            bytes32 advisory = advisories[i];
            require(
                !_denied[key][advisory] && !_isBarredAnywhere(appId, advisory),
                SubjectDenied(advisory)
            );
        }
        bytes8 forbidden = _rules[key].forbiddenAttributes;
        require(attributes & forbidden == 0, AttributesDenied(attributes, forbidden));
    }

    /// @inheritdoc ITcbPolicy
    function standingOf(bytes32 appId, TcbFacts calldata facts, uint64 at)
        external
        view
        returns (bytes memory failure, uint64 until)
    {
        failure = _barredAmong(appId, facts);
        if (failure.length != 0) return (failure, 0);
        PolicyHead memory head = _heads[appId][facts.teeType];
        bytes32 key = _keyOf(appId, facts.teeType, head.version);
        (failure, until) = _judge(key, facts, at);
        if (failure.length == 0 || at > head.graceEndsAt) return (failure, until);
        // The version before is asked only while someone may live by it, so there is one.
        uint64 end = head.publishedAt + _rules[key].graces[facts.tcbStatus - 1];
        if (at > end) return (failure, 0);
        (bytes memory earlier, uint64 earlierUntil) =
            _judge(_keyOf(appId, facts.teeType, head.version - 1), facts, at);
        if (earlier.length != 0) return (failure, 0);
        return ("", end < earlierUntil ? end : earlierUntil);
    }

    /* VIEWS */

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
            graces: policy.graces
        });
        for (uint256 i = 0; i < policy.denied.length; ++i) {
            _denied[key][policy.denied[i]] = true;
        }
        for (uint256 i = 0; i < policy.platforms.length; ++i) {
            _listed[key][policy.platforms[i]] = true;
        }
    }

    function _setBarred(bytes32 appId, bytes32 subject, bool barred) private {
        require(isBarred[appId][subject] != barred, SubjectUnchanged(appId, subject));
        isBarred[appId][subject] = barred;
    }

    /// @dev What one version says of `facts` at `at`, and until when.
    function _judge(bytes32 key, TcbFacts calldata facts, uint64 at)
        private
        view
        returns (bytes memory failure, uint64 until)
    {
        Rules memory rules = _rules[key];
        // A version that nobody published is the deployment's own.
        if (rules.acceptedStatuses == 0) {
            (rules.acceptedStatuses, rules.acceptedKinds) = (DEFAULT_STATUSES, KNOWN_KINDS);
        }
        if (rules.acceptedStatuses & (uint16(1) << facts.tcbStatus) == 0) {
            failure = abi.encodeWithSelector(
                TcbStatusNotAccepted.selector, facts.tcbStatus, rules.acceptedStatuses
            );
        } else if (rules.acceptedKinds & (uint8(1) << facts.kind) == 0) {
            failure = abi.encodeWithSelector(
                ProofKindNotAccepted.selector, facts.kind, rules.acceptedKinds
            );
        } else if (facts.evaluationNumber < rules.minEvaluationNumber) {
            failure = abi.encodeWithSelector(
                EvaluationNumberTooLow.selector, facts.evaluationNumber, rules.minEvaluationNumber
            );
        } else if (_denied[key][facts.fmspc]) {
            failure = abi.encodeWithSelector(SubjectDenied.selector, bytes32(facts.fmspc));
        } else if (_denied[key][facts.platformId]) {
            failure = abi.encodeWithSelector(SubjectDenied.selector, facts.platformId);
        } else if (rules.listsPlatforms && !_listed[key][facts.platformId]) {
            failure = abi.encodeWithSelector(PlatformNotListed.selector, facts.platformId);
        } else {
            if (rules.maxCollateralAge == 0) return ("", type(uint64).max);
            until = facts.collateralFrom + rules.maxCollateralAge;
            if (at <= until) return ("", until);
            failure = abi.encodeWithSelector(
                CollateralTooOld.selector, facts.collateralFrom, rules.maxCollateralAge
            );
        }
        return (failure, 0);
    }

    /// @dev The encoded error where the guardian ruled out what these facts name.
    function _barredAmong(bytes32 appId, TcbFacts calldata facts)
        private
        view
        returns (bytes memory)
    {
        bytes32[3] memory subjects =
            [bytes32(facts.fmspc), facts.platformId, bytes32(uint256(facts.kind))];
        for (uint256 i = 0; i < subjects.length; ++i) {
            if (_isBarredAnywhere(appId, subjects[i])) {
                return abi.encodeWithSelector(SubjectDenied.selector, subjects[i]);
            }
        }
        return "";
    }

    function _isBarredAnywhere(bytes32 appId, bytes32 subject) private view returns (bool) {
        return isBarred[appId][subject] || isBarred[0][subject];
    }

    function _keyOf(bytes32 appId, uint8 teeType, uint64 version) private pure returns (bytes32) {
        return keccak256(abi.encode(appId, teeType, version));
    }
}
