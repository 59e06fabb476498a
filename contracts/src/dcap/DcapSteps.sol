// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralStore} from "../interfaces/ICollateralStore.sol";
import {IDcapVerifier} from "../interfaces/IDcapVerifier.sol";
import {AttributesLib} from "./AttributesLib.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {CrlSearch} from "./CrlSearch.sol";
import {Finding, JournalWriter} from "./JournalWriter.sol";
import {Mem} from "./Mem.sol";
import {P256Lib} from "./P256Lib.sol";
import {PlatformRecord} from "./PlatformRecord.sol";
import {PlatformStore} from "./PlatformStore.sol";
import {Endorsement, Quote, QuoteLib} from "./QuoteLib.sol";
import {check, refuse} from "./Refusal.sol";
import {StandingMatch} from "./StandingMatch.sol";
import {StoreCall} from "./StoreCall.sol";
import {Outcome, TcbLib} from "./TcbLib.sol";

/// @dev One verification: what was given, then what was found.
struct Case {
    Quote quote;
    uint256 record; // memory address of the platform's record, with the attestation key's
    uint256 stamp; // of the revocation list that the platform had been looked up in
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
        (bool fine, bool lookedUp) =
            StandingMatch.holds(it.set, it.record, it.stamp, block.timestamp);
        if (!fine) _requireStanding(it);
        else if (!lookedUp) _requireUnlisted(it);
    }

    /// @dev The collateral of the platform's family: in one piece, or else put together by the store.
    function _fetch(Case memory it) private view {
        uint256 p = it.record;
        uint256 teeType = it.quote.teeType;
        address pointer = StoreCall.assembledAt(STORE, PlatformRecord.family(p, teeType));
        it.set = Mem.at(
            pointer == address(0)
                ? STORE.collateral(teeType, PlatformRecord.fmspc(p), PlatformRecord.authority(p))
                : Mem.code(pointer, 1)
        );
    }

    /// @dev Step 2: the collateral is current. Steps 3 and 8: so is the platform, under the authority's
    /// key of today; it is not revoked, and the TCB info is for its PCE, as the store found it by FMSPC.
    function _requireStanding(Case memory it) private view {
        uint256 set = it.set;
        check(
            PlatformRecord.epoch(it.record) == CollateralLib.authorityEpoch(set),
            "CRL_ISSUER_MISMATCH"
        );
        CollateralLib.requireCurrent(set, block.timestamp);
        if (it.stamp != CollateralLib.pckCrlStamp(set)) _requireUnlisted(it);
        CollateralLib.requireWithin(
            PlatformRecord.window(it.record), block.timestamp, "CERT_EXPIRED", "CERT_NOT_YET_VALID"
        );
        check(PlatformRecord.pceId(it.record) == CollateralLib.pceId(set), "PCEID_MISMATCH");
    }

    /// @dev Of step 3: the PCK certificate is not revoked.
    function _requireUnlisted(Case memory it) private view {
        address list = CollateralLib.pckCrlPointer(it.set);
        if (CrlSearch.lists(list, PlatformRecord.serial(it.record))) refuse("CERT_REVOKED");
    }

    /// @dev Steps 4 to 6: the quoting enclave vouches for the attestation key, and the platform for
    /// the quoting enclave.
    function _judgeEndorsement(Case memory it, Endorsement memory given) internal view {
        bytes32 id = _keyId(given);
        unchecked {
            check(
                bytes32(Mem.word(given.report + 320)) == id && Mem.word(given.report + 352) == 0,
                "QE_REPORT_DATA_MISMATCH"
            ); // 4
        }
        it.attestationKeyId = id;
        it.record = Mem.at(PlatformRecord.withKey(it.record, given));
        _judgeEnclave(it); // 5
        (uint256 x, uint256 y) = PlatformRecord.pckKey(it.record);
        _requireSigned(
            given.reportSignature,
            Mem.sha(given.report, QuoteLib.REPORT_LENGTH),
            x,
            y,
            "QE_REPORT_SIGNATURE_INVALID"
        ); // 6
        (x, y) = PlatformRecord.attestationKey(it.record);
        check(P256Lib.onCurve(x, y), "PUBKEY_NOT_ON_CURVE");
    }

    function _judgeEnclave(Case memory it) internal pure {
        TcbLib.requireEnclave(CollateralLib.qeSection(it.set), PlatformRecord.enclave(it.record));
    }

    /// @dev Steps 7 to 11. Returns the journal.
    function _conclude(Case memory it) internal view returns (bytes memory) {
        Quote memory quote = it.quote;
        uint256 p = it.record;
        bytes32 hash = Mem.sha(quote.signed, quote.signedLength);
        (uint256 x, uint256 y) = PlatformRecord.attestationKey(p);
        _requireSigned(quote.signature, hash, x, y, "QUOTE_SIGNATURE_INVALID"); // 7
        Outcome memory outcome;
        if (quote.teeType == QuoteLib.SGX) _judgeSgx(it, outcome); // 10
        else _judgeTd(it, outcome, quote); // 9, 10
        AttributesLib.requireClosed(quote); // 11
        return JournalWriter.write(
            quote, outcome, Finding(it.set, p, hash, it.attestationKeyId, _ROOT_KEY_HASH)
        );
    }

    /// @dev Steps 9 and 10 for a TD.
    function _judgeTd(Case memory it, Outcome memory outcome, Quote memory quote) private pure {
        unchecked {
            uint256 body = quote.body;
            uint256 svn = Mem.word(body) >> 128;
            uint256 tcb = CollateralLib.tcbSection(it.set);
            uint256 module = TcbLib.moduleOf(tcb, svn);
            TcbLib.requireModule(tcb, module, body); // 9
            uint256 p = it.record;
            _matchEnclave(outcome, it.set, p);
            TcbLib.judgeTd(outcome, tcb, module, PlatformRecord.svns(p), svn); // 10
            if (!QuoteLib.isTd15(quote)) return;
            TcbLib.judgeRelaunch(outcome, tcb, PlatformRecord.svns(p), Mem.word(body + 584) >> 128);
        }
    }

    /// @dev Step 10 for an enclave.
    function _judgeSgx(Case memory it, Outcome memory outcome) private pure {
        uint256 p = it.record;
        _matchEnclave(outcome, it.set, p);
        TcbLib.judgeSgx(outcome, CollateralLib.tcbSection(it.set), PlatformRecord.svns(p));
    }

    /// @dev Step 10 without a quote.
    function _rejudge(Case memory it, Outcome memory outcome, uint256 svn, uint256 svn2)
        internal
        pure
    {
        if (it.quote.teeType == QuoteLib.SGX) return _judgeSgx(it, outcome);
        uint256 p = it.record;
        uint256 tcb = CollateralLib.tcbSection(it.set);
        _matchEnclave(outcome, it.set, p);
        TcbLib.judgeTd(outcome, tcb, TcbLib.moduleOf(tcb, svn), PlatformRecord.svns(p), svn);
        if (svn2 != 0) TcbLib.judgeRelaunch(outcome, tcb, PlatformRecord.svns(p), svn2);
    }

    function _matchEnclave(Outcome memory outcome, uint256 set, uint256 record) private pure {
        outcome.enclave =
            TcbLib.matchEnclave(CollateralLib.qeSection(set), PlatformRecord.qeSvn(record));
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
        if (!P256Lib.inRange(r, s)) refuse("SIGNATURE_INVALID");
        if (!P256Lib.verify(NATIVE_P256, hash, r, s, x, y)) refuse(reason);
    }

    /// @dev SHA-256 of key and QE authentication data, which a raw quote has in two places.
    function _keyId(Endorsement memory given) private view returns (bytes32) {
        bytes memory joined = new bytes(64 + given.authLength);
        Mem.copy(Mem.at(joined), given.key, 64);
        Mem.copy(Mem.at(joined) + 64, given.auth, given.authLength);
        return Mem.sha(Mem.at(joined), joined.length);
    }
}
