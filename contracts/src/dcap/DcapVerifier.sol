// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {Case, DcapSteps} from "./DcapSteps.sol";
import {Mem} from "./Mem.sol";
import {PckChainProver} from "./PckChainProver.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {Endorsement, QuoteLib} from "./QuoteLib.sol";
import {check} from "./Refusal.sol";
import {StandingMatch} from "./StandingMatch.sol";
import {Outcome} from "./TcbLib.sol";

/// @title DcapVerifier
/// @notice Verifies Intel DCAP quotes down to the root certificate, with nobody to trust.
/// @dev The steps bear the numbers of `quotary.verify.verify`:
/// 0. the quote parses; the collateral was proven when it was stored; 1. the quoting enclave's vendor;
/// 2. collateral of the TEE type, and current; 3. the PCK chain, revocation, validity; 4. the QE report
/// vouches for the attestation key; 5. the quoting enclave; 6. the QE report's signature; 7. the
/// quote's signature; 8. FMSPC and PCE; 9. the TDX module; 10. TCB levels; 11. attributes.
/// @dev Immutable: no proxy, no owner.
/// @dev Verdicts are declared in calldata, which is never written: a verdict in memory would be laid out
/// empty at every call, and what is returned is the journal, byte for byte (see {Mem-give}).
contract DcapVerifier is DcapSteps, ERC165 {
    /* IMMUTABLES */

    PckChainProver private immutable _PROVER;

    /* CONSTRUCTOR */

    constructor(ICollateralStore store) DcapSteps(store) {
        _PROVER = new PckChainProver(store, NATIVE_P256);
    }

    /* VERIFICATION */

    /// @inheritdoc IQuoteVerifier
    /// @dev Without a proof the evidence is a raw quote. With a proof it is a compact quote, and the
    /// proof is an attestation key id, or a certificate's Keccak-256 followed by the endorsement.
    function verify(bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict calldata)
    {
        Case memory it;
        if (proof.length == 0) {
            _raw(it, evidence);
        } else if (proof.length == 32) {
            _compact(it, evidence, bytes32(proof));
        } else {
            check(proof.length > 32, "COLLATERAL_FORMAT_INVALID");
            _endorsed(it, evidence, proof[32:], bytes32(proof[:32]));
        }
        return _give(_conclude(it));
    }

    /// @inheritdoc IDcapVerifier
    function verify(bytes calldata quote) external view returns (Verdict calldata) {
        Case memory it;
        _raw(it, quote);
        return _give(_conclude(it));
    }

    /// @inheritdoc IDcapVerifier
    function verifyCompact(bytes calldata quote, bytes32 attestationKeyId)
        external
        view
        returns (Verdict calldata)
    {
        Case memory it;
        _compact(it, quote, attestationKeyId);
        return _give(_conclude(it));
    }

    /// @inheritdoc IDcapVerifier
    function verifyEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        view
        returns (Verdict calldata)
    {
        Case memory it;
        _endorsed(it, quote, endorsement, certificate);
        return _give(_conclude(it));
    }

    /* PROOF */

    /// @inheritdoc IDcapVerifier
    function prove(bytes calldata quote) external returns (Verdict calldata) {
        Case memory it;
        _raw(it, quote);
        return _keepAndGive(it);
    }

    /// @inheritdoc IDcapVerifier
    function proveWithCertificate(
        bytes calldata quote,
        bytes calldata endorsement,
        bytes calldata certificate,
        uint256 authority
    ) external returns (Verdict calldata) {
        Case memory it;
        Endorsement memory given;
        QuoteLib.parseCompact(it.quote, quote); // 1
        QuoteLib.parseEndorsement(given, endorsement);
        it.certificate = keccak256(certificate);
        _admit(it, _PROVER.proveLeaf(certificate, authority)); // 3
        _judgeEndorsement(it, given);
        return _keepAndGive(it);
    }

    /// @inheritdoc IDcapVerifier
    function proveEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        returns (Verdict calldata)
    {
        Case memory it;
        _endorsed(it, quote, endorsement, certificate);
        return _keepAndGive(it);
    }

    /// @inheritdoc IDcapVerifier
    function refresh(bytes32 attestationKeyId, uint256 teeType) external {
        Case memory it;
        (it.record, it.stamp) = _key(attestationKeyId);
        it.quote.teeType = teeType;
        _collect(it);
        _judgeEnclave(it);
        _restamp(attestationKeyId, CollateralLib.pckCrlStamp(it.set));
    }

    /* REEVALUATION */

    /// @inheritdoc IDcapVerifier
    function reevaluate(
        bytes32 attestationKeyId,
        uint256 teeType,
        bytes16 teeTcbSvn,
        bytes16 teeTcbSvn2
    ) external view returns (uint8 tcbStatus, uint64 tcbDate, uint64 validFrom, uint64 validUntil) {
        Case memory it;
        (it.record, it.stamp) = _key(attestationKeyId);
        it.quote.teeType = teeType;
        _collect(it);
        _judgeEnclave(it);
        Outcome memory outcome;
        _rejudge(it, outcome, uint128(teeTcbSvn), uint128(teeTcbSvn2));
        (uint256 from, uint256 until) = StandingMatch.window(it.set, it.record);
        return (uint8(outcome.status), uint64(outcome.date), uint64(from), uint64(until));
    }

    /* VIEWS */

    /// @inheritdoc IQuoteVerifier
    function kind() external pure returns (ProofKind) {
        return ProofKind.OnChain;
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(ERC165, IERC165)
        returns (bool)
    {
        return interfaceId == type(IQuoteVerifier).interfaceId
            || interfaceId == type(IDcapVerifier).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /* FORMS */

    function _raw(Case memory it, bytes memory data) private view {
        Endorsement memory given;
        QuoteLib.parseRaw(it.quote, given, data); // 1
        check(given.certificationType == 5, "PCK_CHAIN_MISSING");
        bytes memory record;
        (record, it.certificate) =
            _PROVER.proveChain(Mem.slice(given.certification, given.certificationLength));
        _admit(it, record); // 3
        _judgeEndorsement(it, given);
    }

    function _compact(Case memory it, bytes memory data, bytes32 attestationKeyId) private view {
        QuoteLib.parseCompact(it.quote, data); // 1
        it.attestationKeyId = attestationKeyId;
        (it.record, it.stamp) = _key(attestationKeyId);
        _collect(it);
        _judgeEnclave(it); // 5, under the collateral of today
    }

    function _endorsed(
        Case memory it,
        bytes memory data,
        bytes memory endorsement,
        bytes32 certificate
    ) private view {
        Endorsement memory given;
        QuoteLib.parseCompact(it.quote, data); // 1
        QuoteLib.parseEndorsement(given, endorsement);
        it.certificate = certificate;
        (it.record, it.stamp) = _platform(certificate);
        _collect(it);
        _judgeEndorsement(it, given);
    }

    /* END */

    function _keepAndGive(Case memory it) private returns (Verdict calldata) {
        bytes memory journal = _conclude(it);
        bytes memory record = Mem.slice(it.record, PlatformRecord.LENGTH);
        uint256 stamp = CollateralLib.pckCrlStamp(it.set); // of the list it was looked up in
        _keep(record, it.certificate, it.attestationKeyId, stamp, it.isNew);
        return _give(journal);
    }

    /// @dev Ends the call: a journal is what encoding the verdict would yield.
    function _give(bytes memory journal) private pure returns (Verdict calldata) {
        Mem.give(Mem.at(journal), journal.length);
    }
}
