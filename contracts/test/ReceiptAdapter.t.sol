// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IAttestationGate} from "../src/interfaces/IAttestationGate.sol";
import {ICommitteeVerifier} from "../src/interfaces/ICommitteeVerifier.sol";
import {IGatewayKeys} from "../src/interfaces/IGatewayKeys.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IQuoteNotary} from "../src/interfaces/IQuoteNotary.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {IReceiptAdapter, ReceiptRecord} from "../src/interfaces/IReceiptAdapter.sol";
import {IResultOracle} from "../src/interfaces/IResultOracle.sol";
import {AciLib} from "../src/oracle/AciLib.sol";
import {GatewayAdapter} from "../src/oracle/GatewayAdapter.sol";
import {GatewayKeys} from "../src/oracle/GatewayKeys.sol";
import {JcsLib} from "../src/oracle/JcsLib.sol";
import {ReceiptAdapter} from "../src/oracle/ReceiptAdapter.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {ReceiptFixture} from "./ReceiptFixture.t.sol";

/// @notice Services that know nothing of the registry, in both generations of their formats.
contract ReceiptAdapterTest is ReceiptFixture {
    /* FIRST GENERATION */

    /// @dev The adapter of exchanges takes keys from here as it takes them from the registry.
    function test_Enrol_MakesAGatewaysKeyCount() public {
        GatewayAdapter exchanges = new GatewayAdapter(gatewayKeys);
        bytes memory signature = _signText(exchanges.textOf(REQUEST, RESPONSE));
        vm.expectRevert(abi.encodeWithSelector(IGatewayKeys.KeyUnknown.selector, gateway, APP));
        exchanges.record(APP, REQUEST, RESPONSE, gateway, signature);
        bytes memory journal = _notarized(abi.encode(bytes32(bytes20(gateway)), _nonce()));
        vm.assertEq(
            gatewayKeys.enrol(APP, ProofKind.Committee, journal, _challengeBlock()), gateway
        );
        exchanges.record(APP, REQUEST, RESPONSE, gateway, signature);
        vm.assertTrue(exchanges.exchangeOf(APP, REQUEST, RESPONSE).kind == ProofKind.Committee);
        (bool ok,, uint64 until) = gatewayKeys.checkActive(gateway, APP);
        vm.assertTrue(ok);
        vm.assertEq(until, _verdict().validUntil);
        // A key signs for its exchanges; receipts are of keysets.
        bytes memory receipt = _receipt("0");
        signature = _signText(string(receipt));
        vm.expectPartialRevert(IReceiptAdapter.WrongKeyset.selector);
        adapter.record(APP, receipt, signature);
    }

    function test_Enrol_RevertWhen_TheQuoteBindsSomethingElse() public {
        uint64 at = _challengeBlock();
        bytes memory journal = _notarized(abi.encode(bytes32(bytes20(gateway)), bytes32("old")));
        vm.expectPartialRevert(IGatewayKeys.ReportDataMismatch.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        // The other algorithm's identity fills all 32 bytes.
        journal = _notarized(abi.encode(keccak256("an Ed25519 key"), _nonce()));
        vm.expectPartialRevert(IGatewayKeys.ReportDataMismatch.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        journal = _notarized(abi.encode(bytes32(0), _nonce()));
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        vm.expectPartialRevert(IGatewayKeys.ChallengeUnknown.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at + 1);
    }

    function test_Enrol_RevertWhen_TheQuoteIsNotOnRecordOrNotGoodEnough() public {
        Verdict memory verdict = _verdict();
        verdict.reportData = abi.encode(bytes32(bytes20(gateway)), _nonce());
        uint64 at = _challengeBlock();
        vm.expectPartialRevert(IGatewayKeys.NotOnRecord.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, abi.encode(verdict), at);
        bytes memory journal = _notarized(verdict.reportData);
        vm.expectPartialRevert(IGatewayKeys.NotOnRecord.selector);
        gatewayKeys.enrol(APP, ProofKind.OnChain, journal, at);
        vm.expectPartialRevert(IGatewayKeys.NotOnRecord.selector);
        gatewayKeys.enrol("another app", ProofKind.Committee, journal, at);
        // Another verdict on the same quote is not the one that was notarized.
        verdict.quoteHash = keccak256(verdict.reportData);
        verdict.tcbStatus = 2;
        vm.expectPartialRevert(IGatewayKeys.NotOnRecord.selector);
        gatewayKeys.enrol(APP, ProofKind.Committee, abi.encode(verdict), at);
        verdict.tcbStatus = 5;
        verdict.quoteHash = keccak256("a platform out of date");
        journal = _notarize(verdict);
        vm.expectRevert(
            abi.encodeWithSelector(IGatewayKeys.StatusNotAccepted.selector, 5, STATUSES)
        );
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
    }

    /* RECEIPTS */

    function testFuzz_Record_TakesAReceiptWhoeverSends(address sender) public {
        bytes32 digest = _enrolled();
        bytes memory receipt = _receiptOf(digest);
        bytes memory signature = _signText(string(receipt));
        vm.expectEmit(true, true, true, true, address(adapter));
        emit IReceiptAdapter.ReceiptRecorded(
            APP,
            REQUEST,
            RESPONSE,
            digest,
            sha256(receipt),
            gateway,
            ProofKind.Committee,
            1_750_000_000
        );
        vm.prank(sender);
        adapter.record(APP, receipt, signature);
        ReceiptRecord memory kept = adapter.receiptOf(APP, REQUEST, RESPONSE);
        vm.assertEq(kept.keysetDigest, digest);
        vm.assertEq(kept.recordedAt, block.timestamp);
        vm.expectPartialRevert(IReceiptAdapter.ReceiptKnown.selector);
        adapter.record(APP, receipt, signature);
    }

    /// @dev Whatever is changed, another key comes out, or the document is none.
    function testFuzz_Record_RevertWhen_AByteDiffers(uint256 place, uint8 change) public {
        bytes memory receipt = _receiptOf(_enrolled());
        bytes memory signature = _signText(string(receipt));
        uint256 at = place % receipt.length;
        receipt[at] ^= bytes1(uint8(1 + change % 255));
        (bool ok,) =
            address(adapter).call(abi.encodeCall(IReceiptAdapter.record, (APP, receipt, signature)));
        vm.assertFalse(ok);
    }

    function test_Record_RevertWhen_TheReceiptIsAnothersOrIncomplete() public {
        bytes32 digest = _enrolled();
        bytes memory receipt = _receiptOf(digest);
        bytes memory forged = _sign(0xbad, _personal(receipt));
        vm.expectPartialRevert(IGatewayKeys.KeyUnknown.selector);
        adapter.record(APP, receipt, forged);
        vm.expectRevert(IResultOracle.InvalidSignature.selector);
        adapter.record(APP, receipt, "");
        vm.expectPartialRevert(IReceiptAdapter.ReceiptUnknown.selector);
        adapter.receiptOf(APP, REQUEST, RESPONSE);
        string memory named = _hexOf(digest);
        string memory events = _events(REQUEST, RESPONSE);
        _expectRefused(_document("aci/2", events, MODEL_NAME, named));
        _expectRefused(_document("aci/1", string.concat(events, ",", events), MODEL_NAME, named));
        _expectRefused(_document("aci/1", _event("response.returned", RESPONSE), "m", named));
        _expectRefused(_document("aci/1", _event("request.received", REQUEST), "m", named));
        _expectRefused(bytes.concat(receipt, " "));
        _expectRefused(_document("aci/1", events, "m\",\"signature\":\"00", named));
    }

    /// @dev What stands inside a text is text, whatever it looks like.
    function test_Record_ReadsTextAsText() public {
        bytes32 digest = _enrolled();
        string memory bait =
            string.concat("\\\",\\\"event_log\\\":[", "{}],\\\"served_at\\\":1,", "\\\\");
        bytes memory receipt = _document("aci/1", _events(REQUEST, RESPONSE), bait, _hexOf(digest));
        adapter.record(APP, receipt, _signText(string(receipt)));
        vm.assertEq(adapter.receiptOf(APP, REQUEST, RESPONSE).servedAt, 1_750_000_000);
    }

    function test_EnrolKeyset_RevertWhen_TheQuoteBindsAnother() public {
        bytes memory keyset = _keyset(block.timestamp + 1 days);
        uint64 at = _challengeBlock();
        bytes memory journal = _notarized(abi.encode(AciLib.bound("another", _nonce()), bytes32(0)));
        vm.expectPartialRevert(IGatewayKeys.ReportDataMismatch.selector);
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
        bytes32 first = AciLib.bound(sha256(keyset), _nonce());
        journal = _notarized(abi.encode(first, bytes32("tail")));
        vm.expectPartialRevert(IGatewayKeys.ReportDataMismatch.selector);
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
        keyset = _keyset(block.timestamp - 1);
        journal = _notarized(abi.encode(AciLib.bound(sha256(keyset), _nonce()), bytes32(0)));
        vm.expectPartialRevert(IGatewayKeys.BondLapsed.selector);
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
    }

    /// @dev What a key rests on may end in three ways: its keyset's time, its verdict's, its image's.
    function test_Record_RevertGiven_TheBondLapsed() public {
        bytes memory receipt = _receiptOf(_enrolled());
        bytes memory signature = _signText(string(receipt));
        uint256 start = vm.snapshotState();
        vm.warp(block.timestamp + 1 days + 1);
        _expectLapsed(receipt, signature);
        vm.revertToState(start);
        bytes32 image = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, image);
        _expectLapsed(receipt, signature);
    }

    /* COMMITTEE */

    /// @dev Ed25519: the committee vouches for the signature, the chain for all else.
    function test_RecordAttested_TakesTheCommitteesWordForTheSignatureAlone() public {
        bytes memory receipt = _receiptOf(_enrolled());
        bytes[] memory signatures = _attested(receipt);
        adapter.recordAttested(APP, receipt, signatures);
        ReceiptRecord memory kept = adapter.receiptOf(APP, REQUEST, RESPONSE);
        vm.assertEq(kept.key, address(0));
        vm.assertEq(kept.documentHash, sha256(receipt));
        // Whatever members sign, the keyset must be enrolled.
        receipt = _receiptOf(bytes32("another keyset"));
        signatures = _attested(receipt);
        vm.expectPartialRevert(IGatewayKeys.KeysetUnknown.selector);
        adapter.recordAttested(APP, receipt, signatures);
    }

    function test_RecordAttested_RevertWhen_TheCommitteeDidNotAgree() public {
        bytes memory receipt = _receiptOf(_enrolled());
        bytes[] memory signatures = _attested(receipt);
        bytes[] memory one = new bytes[](1);
        one[0] = signatures[0];
        vm.expectRevert(abi.encodeWithSelector(ICommitteeVerifier.QuorumNotReached.selector, 1, 2));
        adapter.recordAttested(APP, receipt, one);
        (signatures[0], signatures[1]) = (signatures[1], signatures[0]);
        vm.expectPartialRevert(ICommitteeVerifier.SignersNotAscending.selector);
        adapter.recordAttested(APP, receipt, signatures);
        signatures[0] = signatures[1];
        vm.expectPartialRevert(ICommitteeVerifier.SignersNotAscending.selector);
        adapter.recordAttested(APP, receipt, signatures);
        signatures[1] = "";
        vm.expectPartialRevert(IQuoteVerifier.ProofMalformed.selector);
        adapter.recordAttested(APP, receipt, signatures);
        signatures[1] = new bytes(65);
        vm.expectPartialRevert(ICommitteeVerifier.CommitteeSignatureInvalid.selector);
        adapter.recordAttested(APP, receipt, signatures);
        // Words about another app are no words about this one.
        signatures = _attested(receipt);
        vm.expectPartialRevert(IGatewayKeys.KeysetUnknown.selector);
        adapter.recordAttested("another app", receipt, signatures);
        bytes32 other = adapter.attestationDigest("another app", sha256(receipt));
        signatures[0] = _sign(committeeKeys[0], other);
        (bool ok,) = address(adapter)
            .call(abi.encodeCall(IReceiptAdapter.recordAttested, (APP, receipt, signatures)));
        vm.assertFalse(ok);
    }

    function test_Constructor_RevertWhen_AnAddressIsZero() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new GatewayKeys(IQuoteNotary(address(0)), STATUSES);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new ReceiptAdapter(IGatewayKeys(address(0)), committee);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new ReceiptAdapter(gatewayKeys, ICommitteeVerifier(address(0)));
    }

    function test_Record_RevertWhen_TheDocumentIsTooLong() public {
        bytes32 digest = _enrolled();
        bytes memory receipt = _receiptOf(digest);
        string memory padding = string(new bytes(16_384 - receipt.length));
        bytes memory longest = _document("aci/1", _padded(padding), MODEL_NAME, _hexOf(digest));
        vm.assertEq(longest.length, 16_384);
        bytes memory signature = _signText(string(longest));
        adapter.record(APP, longest, signature);
        // EIP-7825: what a transaction may use.
        vm.assertLt(vm.lastCallGas().gasTotalUsed, 1 << 24);
        bytes memory document = bytes.concat(receipt, bytes(padding), " ");
        vm.expectRevert(abi.encodeWithSelector(JcsLib.DocumentTooLarge.selector, 16_385, 16_384));
        adapter.record(APP, document, signature);
        vm.expectRevert(abi.encodeWithSelector(JcsLib.DocumentTooLarge.selector, 16_385, 16_384));
        adapter.recordAttested(APP, document, new bytes[](0));
    }

    function test_Enrol_RevertWhen_JournalOrKeysetIsTooLong() public {
        uint64 at = _challengeBlock();
        vm.expectRevert(
            abi.encodeWithSelector(IGatewayKeys.JournalTooLarge.selector, 16_385, 16_384)
        );
        gatewayKeys.enrol(APP, ProofKind.Committee, new bytes(16_385), at);
        bytes memory keyset = new bytes(16_385);
        bytes32 first = AciLib.bound(sha256(keyset), _nonce());
        bytes memory journal = _notarized(abi.encode(first, bytes32(0)));
        vm.expectRevert(abi.encodeWithSelector(JcsLib.DocumentTooLarge.selector, 16_385, 16_384));
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
    }

    function test_SupportsInterface_NamesTheirInterfaces() public view {
        vm.assertTrue(gatewayKeys.supportsInterface(type(IGatewayKeys).interfaceId));
        vm.assertTrue(gatewayKeys.supportsInterface(type(IAttestationGate).interfaceId));
        vm.assertFalse(gatewayKeys.supportsInterface(0xffffffff));
        vm.assertTrue(adapter.supportsInterface(type(IReceiptAdapter).interfaceId));
        vm.assertFalse(adapter.supportsInterface(0xffffffff));
    }

    /* EXPECTATIONS */

    /// @dev The events, with so much of a reason between them.
    function _padded(string memory reason) private pure returns (string memory) {
        return string.concat(
            _event("request.received", REQUEST),
            ",{\"reason\":null,\"required\":true,\"type\":\"upstream.verified",
            reason,
            "\"},",
            _event("response.returned", RESPONSE)
        );
    }

    function _expectRefused(bytes memory receipt) private {
        bytes memory signature = _signText(string(receipt));
        (bool ok, bytes memory failure) =
            address(adapter).call(abi.encodeCall(IReceiptAdapter.record, (APP, receipt, signature)));
        vm.assertFalse(ok);
        bool refused = bytes4(failure) == AciLib.ReceiptIncomplete.selector
            || bytes4(failure) == JcsLib.DocumentMalformed.selector;
        vm.assertTrue(refused);
    }

    function _expectLapsed(bytes memory receipt, bytes memory signature) private {
        vm.expectPartialRevert(IGatewayKeys.BondLapsed.selector);
        adapter.record(APP, receipt, signature);
        bytes[] memory signatures = _attested(receipt);
        vm.expectPartialRevert(IGatewayKeys.BondLapsed.selector);
        adapter.recordAttested(APP, receipt, signatures);
        (bool ok, bytes4 reason,) = gatewayKeys.checkActive(gateway, APP);
        vm.assertFalse(ok);
        vm.assertEq(bytes32(reason), bytes32(IGatewayKeys.BondLapsed.selector));
    }
}
