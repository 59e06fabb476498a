// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralStore} from "../../src/dcap/CollateralStore.sol";
import {DcapVerifier} from "../../src/dcap/DcapVerifier.sol";
import {IDcapVerifier} from "../../src/interfaces/IDcapVerifier.sol";
import {IEvidenceRefusal} from "../../src/interfaces/IEvidenceRefusal.sol";
import {Verdict, VerdictLib} from "../../src/types/Verdict.sol";
import {DcapFixture} from "./DcapFixture.t.sol";

/// @notice The verifier and what it keeps of platforms ({PlatformStore}).
contract DcapVerifierTest is DcapFixture {
    CollateralStore private _store;
    IDcapVerifier private _verifier;

    function setUp() public {
        _load();
        _store = _deployStore();
        _verifier = new DcapVerifier(_store);
        _bringChain(_store);
        _bring(_store, "tcb_info evaluation 17 of day -5");
        _bring(_store, "qe_identity evaluation 18 of day -4");
    }

    /* RAW QUOTES */

    function test_Verify_RevertGiven_CollateralIsMissing() public {
        IDcapVerifier bare = new DcapVerifier(_deployStore());
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        bare.verify(_quotes[NEW].data);
    }

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_Verify_RevertWhen_AnyBitIsChanged(uint256 bit) public {
        Evidence memory quote = _quotes[NEW];
        bit = bit % (8 * (quote.signedLength + SIGNATURE_LENGTH));
        quote.data = _flipped(quote.data, bit);
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _verifier.verify(quote.data);
    }

    function test_Verify_RevertWhen_TheRootIsAnother() public {
        bytes memory quote = _quotes[OTHER].data;
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _verifier.verify(quote);
    }

    function test_Verify_RevertGiven_TheAuthorityWasReissued() public {
        (bytes memory quote, bytes memory later) = (_quotes[NEW].data, _quotes[LATER].data);
        _expectRefusal("COLLATERAL_INCOMPLETE");
        _verifier.verify(later);
        _bring(_store, "Platform CA, later");
        vm.assertEq(_verifier.verify(later).tcbStatus, VerdictLib.TCB_UP_TO_DATE);
        _expectRefusal("COLLATERAL_INCOMPLETE");
        _verifier.verify(quote);
    }

    function test_Verify_RevertWhen_TheCollateralIsPast() public {
        bytes memory quote = _quotes[NEW].data;
        Verdict memory verdict = _verifier.verify(quote);
        vm.warp(verdict.validUntil);
        vm.assertEq(_verifier.verify(quote).validUntil, verdict.validUntil);
        vm.warp(uint256(verdict.validUntil) + 1);
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _verifier.verify(quote);
    }

    function test_Verify_SaysWhatIsSigned() public view {
        Evidence memory quote = _quotes[NEW];
        Verdict memory verdict = _verifier.verify(quote.data);
        vm.assertEq(verdict.teeType, TDX);
        vm.assertEq(verdict.tcbStatus, VerdictLib.TCB_UP_TO_DATE);
        vm.assertEq(verdict.tcbEvaluationDataNumber, 17); // the lower one
        vm.assertEq(verdict.verifiedAt, _at);
        vm.assertEq(verdict.validFrom, _at - 4 days);
        vm.assertEq(verdict.validUntil, _at + 25 days);
        vm.assertEq(uint48(verdict.fmspc), _fmspc);
        vm.assertEq(verdict.attestationKeyId, quote.keyId);
        vm.assertEq(verdict.rootKeyHash, _store.ROOT_KEY_HASH());
        vm.assertEq(verdict.quoteHash, sha256(_signed(quote)));
        vm.assertEq(verdict.collateralHashes[0], _named("tcb_info evaluation 17 of day -5").id);
        vm.assertEq(verdict.collateralHashes[1], _named("qe_identity evaluation 18 of day -4").id);
        vm.assertEq(verdict.collateralHashes[2], _named("root list").id);
        vm.assertEq(verdict.collateralHashes[3], _named("list of the CA").id);
        vm.assertEq(_verifier.attestationKeyOf(quote.keyId).length, 0);
    }

    /* PROVEN LINKS */

    function test_Prove_RevertWhen_ItRefuses_KeepsNothing() public {
        Evidence memory quote = _quotes[NEW];
        quote.data = _flipped(quote.data, 8 * quote.signedLength - 1);
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _verifier.prove(quote.data);
        vm.assertEq(_verifier.attestationKeyOf(quote.keyId).length, 0);
    }

    function test_Prove_KeepsPlatformAndKey() public {
        Evidence memory quote = _quotes[NEW];
        vm.recordLogs();
        _verifier.prove(quote.data);
        vm.assertEq(vm.getRecordedLogs().length, 2);
        bytes memory kept = _verifier.attestationKeyOf(quote.keyId);
        vm.assertEq(_number(kept, 273, 2), quote.qeSvn);
        vm.assertEq(_number(kept, 52, 6), _fmspc);
        _verifier.prove(quote.data);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        vm.assertEq(_verifier.attestationKeyOf(quote.keyId), kept);
        vm.assertEq(_verifier.platformOf(keccak256("another certificate")).length, 0);
    }

    function test_Prove_WhenTheEnclaveIsOlder_KeepsTheNewer() public {
        (Evidence memory newer, Evidence memory older) = (_quotes[NEW], _quotes[OLD]);
        vm.assertEq(newer.keyId, older.keyId);
        _verifier.prove(older.data);
        bytes32 keyId = newer.keyId;
        vm.assertEq(_number(_verifier.attestationKeyOf(keyId), 273, 2), older.qeSvn);
        _verifier.prove(newer.data);
        vm.assertEq(_number(_verifier.attestationKeyOf(keyId), 273, 2), newer.qeSvn);
        _verifier.prove(older.data);
        vm.assertEq(_number(_verifier.attestationKeyOf(keyId), 273, 2), newer.qeSvn);
        vm.assertEq(_verifier.verifyCompact(_compact(newer), keyId).tcbStatus, 1);
    }

    /* COMPACT QUOTES */

    function test_VerifyCompact_RevertGiven_TheKeyIsUnknown() public {
        bytes memory quote = _compact(_quotes[NEW]);
        bytes32 keyId = _quotes[NEW].keyId;
        _expectRefusal("KEY_UNKNOWN");
        _verifier.verifyCompact(quote, keyId);
    }

    function test_VerifyCompact_GivesTheVerdictOfTheRawQuote() public {
        Evidence memory quote = _quotes[NEW];
        Verdict memory raw = _verifier.prove(quote.data);
        Verdict memory compact = _verifier.verifyCompact(_compact(quote), quote.keyId);
        vm.assertEq(VerdictLib.encode(compact), VerdictLib.encode(raw));
        _store.assemble(TDX, _fmspc, PLATFORM);
        compact = _verifier.verifyCompact(_compact(quote), quote.keyId);
        vm.assertEq(VerdictLib.encode(compact), VerdictLib.encode(raw));
    }

    /// forge-config: default.fuzz.runs = 128
    function testFuzz_VerifyCompact_RevertWhen_AnyBitIsChanged(uint256 bit) public {
        Evidence memory quote = _quotes[NEW];
        _verifier.prove(quote.data);
        bytes memory changed = _flipped(_compact(quote), bit);
        vm.expectPartialRevert(IEvidenceRefusal.EvidenceRefused.selector);
        _verifier.verifyCompact(changed, quote.keyId);
    }

    function test_VerifyCompact_RevertGiven_ALaterListRevokes() public {
        Evidence memory quote = _quotes[NEW];
        _verifier.prove(quote.data);
        _store.assemble(TDX, _fmspc, PLATFORM);
        Doc memory list = _named("list of the CA, which revokes the machine");
        vm.warp(list.issued);
        _bring(_store, list);
        bytes memory compact = _compact(quote);
        _expectRefusal("CERT_REVOKED");
        _verifier.verifyCompact(compact, quote.keyId);
        _expectRefusal("CERT_REVOKED");
        _verifier.verify(quote.data);
        _expectRefusal("CERT_REVOKED");
        _verifier.prove(quote.data);
    }

    function test_Reevaluate_AnswersByTheCollateralInForce() public {
        Evidence memory quote = _quotes[NEW];
        Verdict memory verdict = _verifier.prove(quote.data);
        bytes16 svn = bytes16(uint128(_number(quote.data, 48, 16)));
        (uint8 status, uint64 date, uint64 from, uint64 until) =
            _verifier.reevaluate(quote.keyId, TDX, svn, 0);
        vm.assertEq(status, verdict.tcbStatus);
        vm.assertEq(date, verdict.tcbDate);
        vm.assertEq(from, verdict.validFrom);
        vm.assertEq(until, verdict.validUntil);
        _bring(_store, "tcb_info evaluation 18 of day -3");
        (,, from,) = _verifier.reevaluate(quote.keyId, TDX, svn, 0);
        vm.assertEq(from, _at - 3 days);
    }
}
