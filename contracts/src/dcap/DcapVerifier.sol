// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";
import {AttributesLib} from "./AttributesLib.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {CrlLib} from "./CrlLib.sol";
import {Finding, JournalWriter} from "./JournalWriter.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {PckChainProver} from "./PckChainProver.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {PlatformStore} from "./PlatformStore.sol";
import {Quote, QuoteLib} from "./QuoteLib.sol";
import {check} from "./Refusal.sol";
import {Outcome, TcbLib} from "./TcbLib.sol";

/// @title DcapVerifier
/// @notice Verifies Intel DCAP quotes down to the root certificate, with nobody to trust.
/// @dev The steps bear the numbers of `quotary.verify.verify`:
/// 0. the quote parses; the collateral was proven when it was stored; 1. the quoting enclave's vendor;
/// 2. collateral of the TEE type, and current; 3. the PCK chain, revocation, validity; 4. the QE report
/// vouches for the attestation key; 5. the quoting enclave; 6. the QE report's signature; 7. the
/// quote's signature; 8. FMSPC and PCE; 9. the TDX module; 10. TCB levels; 11. attributes.
/// @dev Immutable: no proxy, no owner.
contract DcapVerifier is PlatformStore, ERC165 {
    /// @dev One verification: what was given, then what was found.
    struct Case {
        Quote quote;
        uint256 record; // memory address of the platform's record, with the attestation key's
        uint256 stamp; // of the revocation list that the platform was last looked up in
        bytes32 attestationKeyId;
        bytes32 certificate;
        uint256 set; // memory address of the collateral
        bool isNew;
    }

    /* IMMUTABLES */

    /// @inheritdoc IDcapVerifier
    ICollateralStore public immutable STORE;
    /// @notice Whether P-256 is verified by the chain's precompile.
    bool public immutable NATIVE_P256;

    bytes32 private immutable _ROOT_KEY_HASH;
    PckChainProver private immutable _PROVER;

    /* CONSTRUCTOR */

    constructor(ICollateralStore store) {
        STORE = store;
        NATIVE_P256 = P256Lib.selfTest();
        _ROOT_KEY_HASH = store.ROOT_KEY_HASH();
        _PROVER = new PckChainProver(store, NATIVE_P256);
    }

    /* VERIFICATION */

    /// @inheritdoc IQuoteVerifier
    /// @dev Without a proof the evidence is a raw quote. With a proof it is a compact quote, and the
    /// proof is an attestation key id, or a certificate's Keccak-256 followed by the endorsement.
    function verify(bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory)
    {
        if (proof.length == 0) {
            _give(_raw(evidence));
        } else if (proof.length == 32) {
            _give(_compact(evidence, bytes32(proof)));
        } else {
            check(proof.length > 32, "COLLATERAL_FORMAT_INVALID");
            _give(_endorsed(evidence, proof[32:], bytes32(proof[:32])));
        }
    }

    /// @inheritdoc IDcapVerifier
    function verify(bytes calldata quote) external view returns (Verdict memory) {
        _give(_raw(quote));
    }

    /// @inheritdoc IDcapVerifier
    function verifyCompact(bytes calldata quote, bytes32 attestationKeyId)
        external
        view
        returns (Verdict memory)
    {
        _give(_compact(quote, attestationKeyId));
    }

    /// @inheritdoc IDcapVerifier
    function verifyEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        view
        returns (Verdict memory)
    {
        _give(_endorsed(quote, endorsement, certificate));
    }

    /* PROOF */

    /// @inheritdoc IDcapVerifier
    function prove(bytes calldata quote) external returns (Verdict memory) {
        _keepAndGive(_raw(quote));
    }

    /// @inheritdoc IDcapVerifier
    function proveWithCertificate(
        bytes calldata quote,
        bytes calldata endorsement,
        bytes calldata certificate,
        uint256 authority
    ) external returns (Verdict memory) {
        Case memory it;
        it.quote = QuoteLib.parseCompact(quote);
        QuoteLib.parseEndorsement(it.quote, endorsement);
        QuoteLib.requireVendor(it.quote); // 1
        it.certificate = keccak256(certificate);
        _admit(it, _PROVER.proveLeaf(certificate, authority)); // 3
        _judgeEndorsement(it);
        _keepAndGive(it);
    }

    /// @inheritdoc IDcapVerifier
    function proveEndorsed(bytes calldata quote, bytes calldata endorsement, bytes32 certificate)
        external
        returns (Verdict memory)
    {
        _keepAndGive(_endorsed(quote, endorsement, certificate));
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
        bytes memory record;
        (record, it.stamp) = _key(attestationKeyId);
        it.record = Mem.at(record);
        it.quote.teeType = teeType;
        _collect(it);
        _judgeEnclave(it);
        Outcome memory outcome =
            _judgeTcb(it, uint128(teeTcbSvn), teeTcbSvn2 != 0, uint128(teeTcbSvn2));
        (uint256 from, uint256 until) = _window(it);
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

    function _raw(bytes memory data) private view returns (Case memory it) {
        it.quote = QuoteLib.parseRaw(data);
        QuoteLib.requireVendor(it.quote); // 1
        check(it.quote.certificationType == 5, "PCK_CHAIN_MISSING");
        bytes memory record;
        (record, it.certificate) =
            _PROVER.proveChain(Mem.slice(it.quote.certification, it.quote.certificationLength));
        _admit(it, record); // 3
        _judgeEndorsement(it);
    }

    function _compact(bytes memory data, bytes32 attestationKeyId)
        private
        view
        returns (Case memory it)
    {
        it.quote = QuoteLib.parseCompact(data);
        QuoteLib.requireVendor(it.quote); // 1
        it.attestationKeyId = attestationKeyId;
        bytes memory record;
        (record, it.stamp) = _key(attestationKeyId);
        it.record = Mem.at(record);
        _collect(it);
    }

    function _endorsed(bytes memory data, bytes memory endorsement, bytes32 certificate)
        private
        view
        returns (Case memory it)
    {
        it.quote = QuoteLib.parseCompact(data);
        QuoteLib.parseEndorsement(it.quote, endorsement);
        QuoteLib.requireVendor(it.quote); // 1
        it.certificate = certificate;
        bytes memory record;
        (record, it.stamp) = _platform(certificate);
        it.record = Mem.at(record);
        _collect(it);
        _judgeEndorsement(it);
    }

    /* STEPS */

    /// @dev Steps 2 and 3, for a platform whose PCK certificate was just proven.
    function _admit(Case memory it, bytes memory record) private view {
        uint256 p = Mem.at(record);
        it.isNew = true;
        it.record = p;
        it.stamp = type(uint256).max; // looked up in no list yet
        it.set = Mem.at(
            STORE.collateral(it.quote.teeType, PlatformRecord.fmspc(p), PlatformRecord.authority(p))
        );
        PlatformRecord.setEpoch(p, CollateralLib.authorityEpoch(it.set));
        _requireStanding(it);
    }

    /// @dev Steps 2 and 3, for a platform that was proven before.
    function _collect(Case memory it) private view {
        uint256 p = it.record;
        it.set = Mem.at(
            STORE.collateral(it.quote.teeType, PlatformRecord.fmspc(p), PlatformRecord.authority(p))
        );
        check(
            PlatformRecord.epoch(p) == CollateralLib.authorityEpoch(it.set), "CRL_ISSUER_MISMATCH"
        );
        _requireStanding(it);
    }

    /// @dev Step 2: the collateral is current. Steps 3 and 8: so is the platform; it is not revoked,
    /// and the TCB info is for its PCE, as the store found it by FMSPC.
    function _requireStanding(Case memory it) private view {
        uint256 set = it.set;
        CollateralLib.requireCurrent(set, block.timestamp);
        uint256 stamp = CollateralLib.pckCrlStamp(set);
        if (it.stamp != stamp) {
            bytes memory list = Mem.code(CollateralLib.pckCrlPointer(set), 1);
            check(!CrlLib.lists(list, PlatformRecord.serial(it.record)), "CERT_REVOKED");
            it.stamp = stamp;
        }
        CollateralLib.requireWithin(
            PlatformRecord.window(it.record), block.timestamp, "CERT_EXPIRED", "CERT_NOT_YET_VALID"
        );
        check(PlatformRecord.pceId(it.record) == CollateralLib.pceId(set), "PCEID_MISMATCH");
    }

    /// @dev Steps 4 to 6: the quoting enclave vouches for the attestation key, and the platform for
    /// the quoting enclave.
    function _judgeEndorsement(Case memory it) private view {
        Quote memory quote = it.quote;
        bytes32 id = _keyId(quote);
        check(
            bytes32(Mem.word(quote.report + 320)) == id && Mem.word(quote.report + 352) == 0,
            "QE_REPORT_DATA_MISMATCH"
        ); // 4
        it.attestationKeyId = id;
        it.record = Mem.at(PlatformRecord.withKey(it.record, quote));
        _judgeEnclave(it); // 5
        (uint256 x, uint256 y) = PlatformRecord.pckKey(it.record);
        _requireSigned(
            quote.reportSignature,
            Mem.sha(quote.report, QuoteLib.REPORT_LENGTH),
            x,
            y,
            "QE_REPORT_SIGNATURE_INVALID"
        ); // 6
    }

    function _judgeEnclave(Case memory it) private pure {
        uint256 p = it.record;
        TcbLib.requireEnclave(
            CollateralLib.qeSection(it.set),
            PlatformRecord.misc(p),
            PlatformRecord.attributes(p),
            PlatformRecord.signer(p),
            PlatformRecord.product(p)
        );
    }

    /// @dev Steps 7 to 11. Returns the journal.
    function _conclude(Case memory it, bool proven) private view returns (bytes memory) {
        Quote memory quote = it.quote;
        uint256 p = it.record;
        if (!proven) _judgeEnclave(it); // 5, under the collateral of today
        (uint256 x, uint256 y) = PlatformRecord.attestationKey(p);
        check(P256Lib.onCurve(x, y), "PUBKEY_NOT_ON_CURVE");
        Finding memory finding;
        finding.quoteHash = Mem.sha(quote.signed, quote.signedLength);
        _requireSigned(quote.signature, finding.quoteHash, x, y, "QUOTE_SIGNATURE_INVALID"); // 7
        bool tdx = quote.teeType == QuoteLib.TDX;
        bool td15 = QuoteLib.isTd15(quote);
        if (tdx) TcbLib.requireModule(CollateralLib.tcbSection(it.set), quote.body); // 9
        Outcome memory outcome = _judgeTcb(
            it,
            tdx ? Mem.number(quote.body, 16) : 0,
            td15,
            td15 ? Mem.number(quote.body + 584, 16) : 0
        ); // 10
        AttributesLib.requireClosed(quote); // 11
        finding.verifiedAt = block.timestamp;
        (finding.validFrom, finding.validUntil) = _window(it);
        finding.fmspc = PlatformRecord.fmspc(p);
        finding.platformId = PlatformRecord.platformId(p);
        finding.attestationKeyId = it.attestationKeyId;
        finding.rootKeyHash = _ROOT_KEY_HASH;
        return JournalWriter.write(quote, it.set, outcome, finding);
    }

    /// @dev Step 10.
    function _judgeTcb(Case memory it, uint256 svn, bool relaunchable, uint256 svn2)
        private
        pure
        returns (Outcome memory)
    {
        uint256 tcb = CollateralLib.tcbSection(it.set);
        uint256 qe = CollateralLib.qeSection(it.set);
        uint256 p = it.record;
        uint256 components = PlatformRecord.components(p);
        uint256 pceSvn = PlatformRecord.pceSvn(p);
        uint256 qeSvn = PlatformRecord.qeSvn(p);
        if (it.quote.teeType == QuoteLib.SGX) {
            return TcbLib.judgeSgx(tcb, qe, components, pceSvn, qeSvn);
        }
        return TcbLib.judgeTd(tcb, qe, components, pceSvn, qeSvn, svn, relaunchable, svn2);
    }

    function _window(Case memory it) private pure returns (uint256 from, uint256 until) {
        (from, until) = CollateralLib.window(it.set);
        uint256 own = PlatformRecord.window(it.record);
        if (own >> 40 > from) from = own >> 40;
        own &= type(uint40).max;
        if (own < until) until = own;
    }

    function _requireSigned(uint256 signature, bytes32 hash, uint256 x, uint256 y, bytes32 reason)
        private
        view
    {
        uint256 r = Mem.word(signature);
        uint256 s = Mem.word(signature + 32);
        check(P256Lib.inRange(r, s), "SIGNATURE_INVALID");
        check(P256Lib.verify(NATIVE_P256, hash, r, s, x, y), reason);
    }

    /// @dev SHA-256 of key and QE authentication data, which a raw quote has in two places.
    function _keyId(Quote memory quote) private view returns (bytes32) {
        bytes memory joined = new bytes(64 + quote.authLength);
        Mem.copy(Mem.at(joined), quote.key, 64);
        Mem.copy(Mem.at(joined) + 64, quote.auth, quote.authLength);
        return Mem.sha(Mem.at(joined), joined.length);
    }

    function _keepAndGive(Case memory it) private {
        bytes memory journal = _conclude(it, true);
        bytes memory record = Mem.slice(it.record, PlatformRecord.LENGTH);
        _keep(record, it.certificate, it.attestationKeyId, it.stamp, it.isNew);
        Mem.give(Mem.at(journal), journal.length);
    }

    function _give(Case memory it) private view {
        bytes memory journal = _conclude(it, it.quote.report != 0);
        Mem.give(Mem.at(journal), journal.length);
    }
}
