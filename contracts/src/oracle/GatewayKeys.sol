// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {Bond, IGatewayKeys} from "../interfaces/IGatewayKeys.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IQuoteNotary} from "../interfaces/IQuoteNotary.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {VerdictReader} from "../types/VerdictReader.sol";
import {AciLib} from "./AciLib.sol";

/// @title GatewayKeys
/// @notice Keys of gateways, by notarized quotes in the gateways' own formats.
contract GatewayKeys is IGatewayKeys, ERC165 {
    /* CONSTANTS */

    /// @dev Longest journal, in bytes: twice what the two fields of free length in one may hold together.
    uint256 private constant MAX_JOURNAL_LENGTH = 16384;

    /* IMMUTABLES */

    /// @inheritdoc IGatewayKeys
    IQuoteNotary public immutable NOTARY;
    /// @inheritdoc IGatewayKeys
    uint256 public immutable ACCEPTED_STATUSES;

    /* STORAGE */

    mapping(bytes32 appId => mapping(address key => Bond)) private _keys;
    mapping(bytes32 appId => mapping(bytes32 keysetDigest => Bond)) private _keysets;

    /* CONSTRUCTOR */

    constructor(IQuoteNotary notary, uint256 acceptedStatuses) {
        require(address(notary) != address(0), IGoverned.ZeroAddress());
        NOTARY = notary;
        ACCEPTED_STATUSES = acceptedStatuses;
    }

    /* ENROLMENT */

    /// @inheritdoc IGatewayKeys
    function enrol(bytes32 appId, ProofKind kind, bytes calldata journal, uint64 challengeBlock)
        external
        returns (address key)
    {
        (bytes32 quoteHash, bytes32 first, bytes32 second) = _recorded(appId, kind, journal);
        bytes32 nonce = challenge(challengeBlock);
        require(second == nonce, ReportDataMismatch(second, nonce));
        key = address(bytes20(first));
        require(first == bytes32(bytes20(first)), ReportDataMismatch(first, bytes20(first)));
        _bind(appId, key, Bond(quoteHash, 0, kind, type(uint64).max));
    }

    /// @inheritdoc IGatewayKeys
    function enrolKeyset(
        bytes32 appId,
        ProofKind kind,
        bytes calldata journal,
        uint64 challengeBlock,
        bytes calldata keyset
    ) external returns (bytes32 keysetDigest) {
        keysetDigest = sha256(keyset);
        bytes32 expected = AciLib.bound(keysetDigest, challenge(challengeBlock));
        bytes32 quoteHash = _requireBound(appId, kind, journal, expected);
        _enrolKeyset(appId, keyset, Bond(quoteHash, keysetDigest, kind, 0));
    }

    /* VIEWS */

    /// @inheritdoc IAttestationGate
    /// @dev Nobody is known to run the service: it stands for itself.
    function requireActive(address worker, bytes32 appId)
        external
        view
        returns (address operator, ProofKind kind)
    {
        Bond memory bond = _keys[appId][worker];
        require(bond.quoteHash != 0, KeyUnknown(worker, appId));
        require(_holds(appId, bond), BondLapsed(bond.quoteHash, bond.notAfter));
        return (worker, bond.kind);
    }

    /// @inheritdoc IAttestationGate
    function checkActive(address worker, bytes32 appId)
        external
        view
        returns (bool ok, bytes4 reason, uint64 until)
    {
        Bond memory bond = _keys[appId][worker];
        if (bond.quoteHash == 0) return (false, KeyUnknown.selector, 0);
        if (!_holds(appId, bond)) return (false, BondLapsed.selector, 0);
        until = NOTARY.recordOf(appId, bond.quoteHash, bond.kind).validUntil;
        return (true, 0, until < bond.notAfter ? until : bond.notAfter);
    }

    /// @inheritdoc IGatewayKeys
    function requireKeyset(bytes32 appId, bytes32 keysetDigest)
        external
        view
        returns (ProofKind kind)
    {
        Bond memory bond = _keysets[appId][keysetDigest];
        require(bond.quoteHash != 0, KeysetUnknown(keysetDigest, appId));
        require(_holds(appId, bond), BondLapsed(bond.quoteHash, bond.notAfter));
        return bond.kind;
    }

    /// @inheritdoc IGatewayKeys
    function bondOf(bytes32 appId, address key) external view returns (Bond memory) {
        return _keys[appId][key];
    }

    /// @inheritdoc IGatewayKeys
    function challenge(uint64 challengeBlock) public view returns (bytes32) {
        bytes32 blockHash = blockhash(challengeBlock);
        require(blockHash != 0, ChallengeUnknown(challengeBlock, block.number));
        return keccak256(abi.encode(block.chainid, address(this), blockHash));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IGatewayKeys).interfaceId
            || interfaceId == type(IAttestationGate).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /* PARTS */

    /// @dev The quote whose verdict `journal` is, and its report data: on record, and good enough.
    function _recorded(bytes32 appId, ProofKind kind, bytes calldata sent)
        private
        view
        returns (bytes32 quoteHash, bytes32 first, bytes32 second)
    {
        uint256 length = sent.length;
        require(length <= MAX_JOURNAL_LENGTH, JournalTooLarge(length, MAX_JOURNAL_LENGTH));
        bytes memory journal = sent;
        VerdictReader.requireWhole(journal);
        quoteHash = VerdictReader.word(journal, VerdictReader.QUOTE_HASH);
        require(
            NOTARY.isNotarized(appId, quoteHash, kind)
                && NOTARY.recordOf(appId, quoteHash, kind).journalDigest == sha256(journal),
            NotOnRecord(appId, quoteHash, kind)
        );
        uint8 status = uint8(VerdictReader.number(journal, VerdictReader.TCB_STATUS));
        require(ACCEPTED_STATUSES >> status & 1 == 1, StatusNotAccepted(status, ACCEPTED_STATUSES));
        (first, second) = VerdictReader.reportData(journal);
    }

    /// @dev The quote whose verdict `journal` is; its report data must be `expected` and zeros.
    function _requireBound(bytes32 appId, ProofKind kind, bytes calldata journal, bytes32 expected)
        private
        view
        returns (bytes32)
    {
        (bytes32 quoteHash, bytes32 first, bytes32 second) = _recorded(appId, kind, journal);
        require(first == expected, ReportDataMismatch(first, expected));
        require(second == 0, ReportDataMismatch(second, 0));
        return quoteHash;
    }

    function _enrolKeyset(bytes32 appId, bytes calldata keyset, Bond memory bond) private {
        address key;
        (bond.notAfter, key) = AciLib.readKeyset(keyset);
        require(bond.notAfter >= block.timestamp, BondLapsed(bond.quoteHash, bond.notAfter));
        _requireNoStronger(appId, _keysets[appId][bond.keysetDigest], bond.kind);
        _keysets[appId][bond.keysetDigest] = bond;
        emit KeysetEnrolled(appId, bond.keysetDigest, bond.quoteHash, bond.kind, bond.notAfter);
        if (key != address(0)) _bind(appId, key, bond);
    }

    function _bind(bytes32 appId, address key, Bond memory bond) private {
        require(key != address(0), IGoverned.ZeroAddress());
        _requireNoStronger(appId, _keys[appId][key], bond.kind);
        _keys[appId][key] = bond;
        emit KeyEnrolled(appId, key, bond.quoteHash, bond.keysetDigest, bond.kind);
    }

    /// @dev Kinds of proof are numbered from the strongest. Anyone enrols, so a weaker one must not take the
    /// place of one that counts.
    function _requireNoStronger(bytes32 appId, Bond memory known, ProofKind kind) private view {
        if (known.quoteHash == 0 || kind <= known.kind || !_holds(appId, known)) return;
        revert BondStronger(known.quoteHash, known.kind);
    }

    function _holds(bytes32 appId, Bond memory bond) private view returns (bool) {
        return
            bond.notAfter >= block.timestamp && NOTARY.isNotarized(appId, bond.quoteHash, bond.kind);
    }
}
