// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";
import {AttributesLib} from "./AttributesLib.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {CrlLib} from "./CrlLib.sol";
import {Finding, JournalWriter} from "./JournalWriter.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {PlatformStore} from "./PlatformStore.sol";
import {Quote, QuoteLib} from "./QuoteLib.sol";
import {check} from "./Refusal.sol";
import {Outcome, TcbLib} from "./TcbLib.sol";

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

/// @title DcapSteps
/// @notice The steps of {DcapVerifier}, which puts them together.
abstract contract DcapSteps is PlatformStore {
    /* IMMUTABLES */

    /// @inheritdoc IDcapVerifier
    ICollateralStore public immutable STORE;
    /// @notice Whether P-256 is verified by the chain's precompile.
    bool public immutable NATIVE_P256;

    bytes32 private immutable _ROOT_KEY_HASH;

    /* CONSTRUCTOR */

    constructor(ICollateralStore store) {
        STORE = store;
        NATIVE_P256 = P256Lib.selfTest();
        _ROOT_KEY_HASH = store.ROOT_KEY_HASH();
    }

    /* STEPS */

    /// @dev Steps 2 and 3, for a platform whose PCK certificate was just proven.
    function _admit(Case memory it, bytes memory record) internal view {
        it.isNew = true;
        it.record = Mem.at(record);
        it.stamp = type(uint256).max; // looked up in no list yet
        _fetch(it);
        PlatformRecord.setEpoch(it.record, CollateralLib.authorityEpoch(it.set));
        _requireStanding(it);
    }

    /// @dev Steps 2 and 3, for a platform that was proven before.
    function _collect(Case memory it) internal view {
        _fetch(it);
        check(
            PlatformRecord.epoch(it.record) == CollateralLib.authorityEpoch(it.set),
            "CRL_ISSUER_MISMATCH"
        );
        _requireStanding(it);
    }

    /// @dev The collateral of the platform's family: in one piece, or else put together by the store.
    function _fetch(Case memory it) private view {
        uint256 teeType = it.quote.teeType;
        uint256 fmspc = PlatformRecord.fmspc(it.record);
        uint256 authority = PlatformRecord.authority(it.record);
        address pointer = STORE.assembledAt(teeType, fmspc, authority);
        bytes memory set = pointer == address(0)
            ? STORE.collateral(teeType, fmspc, authority)
            : Mem.code(pointer, 1);
        it.set = Mem.at(set);
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
    function _judgeEndorsement(Case memory it) internal view {
        Quote memory quote = it.quote;
        bytes32 id = _keyId(quote);
        unchecked {
            check(
                bytes32(Mem.word(quote.report + 320)) == id && Mem.word(quote.report + 352) == 0,
                "QE_REPORT_DATA_MISMATCH"
            ); // 4
        }
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
        (x, y) = PlatformRecord.attestationKey(it.record);
        check(P256Lib.onCurve(x, y), "PUBKEY_NOT_ON_CURVE");
    }

    function _judgeEnclave(Case memory it) internal pure {
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
    function _conclude(Case memory it) internal view returns (bytes memory) {
        Quote memory quote = it.quote;
        uint256 p = it.record;
        (uint256 x, uint256 y) = PlatformRecord.attestationKey(p);
        Finding memory finding;
        finding.quoteHash = Mem.sha(quote.signed, quote.signedLength);
        _requireSigned(quote.signature, finding.quoteHash, x, y, "QUOTE_SIGNATURE_INVALID"); // 7
        Outcome memory outcome;
        unchecked {
            if (quote.teeType == QuoteLib.SGX) {
                _judgeTcb(it, outcome, 0, false, 0); // 10
            } else {
                TcbLib.requireModule(CollateralLib.tcbSection(it.set), quote.body); // 9
                bool td15 = QuoteLib.isTd15(quote);
                uint256 svn2 = td15 ? Mem.word(quote.body + 584) >> 128 : 0;
                _judgeTcb(it, outcome, Mem.word(quote.body) >> 128, td15, svn2); // 10
            }
        }
        AttributesLib.requireClosed(quote); // 11
        finding.verifiedAt = block.timestamp;
        (finding.validFrom, finding.validUntil) = _window(it);
        finding.fmspc = PlatformRecord.fmspc(p);
        finding.platformId = PlatformRecord.platformId(p);
        finding.attestationKeyId = it.attestationKeyId;
        finding.rootKeyHash = _ROOT_KEY_HASH;
        return JournalWriter.write(quote, it.set, outcome, finding);
    }

    /// @dev Step 10. Fills in `outcome`.
    function _judgeTcb(
        Case memory it,
        Outcome memory outcome,
        uint256 svn,
        bool relaunchable,
        uint256 svn2
    ) internal pure {
        uint256 tcb = CollateralLib.tcbSection(it.set);
        uint256 p = it.record;
        uint256 components = PlatformRecord.components(p);
        uint256 pceSvn = PlatformRecord.pceSvn(p);
        outcome.enclave =
            TcbLib.matchEnclave(CollateralLib.qeSection(it.set), PlatformRecord.qeSvn(p));
        if (it.quote.teeType == QuoteLib.SGX) {
            TcbLib.judgeSgx(outcome, tcb, components, pceSvn);
        } else {
            TcbLib.judgeTd(outcome, tcb, components, pceSvn, svn, relaunchable, svn2);
        }
    }

    function _window(Case memory it) internal pure returns (uint256 from, uint256 until) {
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
        uint256 s;
        unchecked {
            s = Mem.word(signature + 32);
        }
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
}
