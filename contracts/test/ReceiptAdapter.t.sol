// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibString} from "solady/utils/LibString.sol";

import {ICommitteeVerifier} from "../src/interfaces/ICommitteeVerifier.sol";
import {Bond, IGatewayKeys} from "../src/interfaces/IGatewayKeys.sol";
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
import {Vm} from "./Base.t.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice Services that know nothing of the registry, in both generations of their formats.
contract ReceiptAdapterTest is Deployment {
    uint256 private constant GATEWAY_KEY = 0x6a7e;
    bytes32 private constant REQUEST = keccak256("request");
    bytes32 private constant RESPONSE = keccak256("response");
    string private constant MODEL_NAME = "demo-model";

    GatewayKeys private gatewayKeys;
    ReceiptAdapter private adapter;
    address private gateway;

    function setUp() public override {
        super.setUp();
        gatewayKeys = new GatewayKeys(notary, STATUSES);
        adapter = new ReceiptAdapter(gatewayKeys, committee);
        gateway = vm.addr(GATEWAY_KEY);
    }

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

    /* PARTS */

    function _challengeBlock() private view returns (uint64) {
        return uint64(block.number - 1);
    }

    function _nonce() private view returns (bytes32) {
        return gatewayKeys.challenge(_challengeBlock());
    }

    function _notarized(bytes memory reportData) private returns (bytes memory) {
        Verdict memory verdict = _verdict();
        verdict.reportData = reportData;
        verdict.quoteHash = keccak256(reportData);
        return _notarize(verdict);
    }

    function _notarize(Verdict memory verdict) private returns (bytes memory journal) {
        journal = abi.encode(verdict);
        notary.notarize(APP, COMMITTEE, journal, _proof(journal));
    }

    /// @dev A keyset with an Ed25519 key and one that a contract can check, enrolled.
    function _enrolled() private returns (bytes32 digest) {
        bytes memory keyset = _keyset(block.timestamp + 1 days);
        bytes32 first = AciLib.bound(sha256(keyset), _nonce());
        bytes memory journal = _notarized(abi.encode(first, bytes32(0)));
        digest =
            gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, _challengeBlock(), keyset);
        vm.assertEq(digest, sha256(keyset));
        Bond memory bond = gatewayKeys.bondOf(APP, gateway);
        vm.assertEq(bond.keysetDigest, digest);
    }

    function _keyset(uint256 notAfter) private returns (bytes memory) {
        Vm.Wallet memory wallet = vm.createWallet(GATEWAY_KEY);
        return abi.encodePacked(
            "{\"e2ee_public_keys\":[],\"not_after\":",
            LibString.toString(notAfter),
            ",\"receipt_signing_keys\":[{\"algo\":\"ed25519\",\"key_id\":\"one\",\"public_key\":\"",
            _hexOf("ed25519"),
            "\"},{\"algo\":\"secp256k1-eip191\",\"key_id\":\"two\",\"public_key\":\"04",
            _hexOf(bytes32(wallet.publicKeyX)),
            _hexOf(bytes32(wallet.publicKeyY)),
            "\"}],\"subject\":null,\"tls_public_keys\":[]}"
        );
    }

    function _receiptOf(bytes32 digest) private pure returns (bytes memory) {
        return _receipt(_hexOf(digest));
    }

    function _receipt(string memory digest) private pure returns (bytes memory) {
        if (bytes(digest).length != 64) digest = _hexOf("nobody's");
        return _document("aci/1", _events(REQUEST, RESPONSE), MODEL_NAME, digest);
    }

    function _document(
        string memory version,
        string memory events,
        string memory model,
        string memory digest
    ) private pure returns (bytes memory) {
        return abi.encodePacked(
            "{\"api_version\":\"",
            version,
            "\",\"chat_id\":\"chat-1\",\"endpoint\":\"/v1/chat/completions\",\"event_log\":[",
            events,
            "],\"key_id\":\"two\",\"method\":\"POST\",\"model\":\"",
            model,
            "\",\"receipt_id\":\"r-1\",\"served_at\":1750000000,\"workload_keyset_digest\":\"sha256:",
            digest,
            "\"}"
        );
    }

    function _events(bytes32 request, bytes32 response) private pure returns (string memory) {
        return string.concat(
            _event("request.received", request),
            ",{\"reason\":null,\"required\":true,\"type\":\"upstream.verified\"},",
            _event("response.returned", response)
        );
    }

    function _event(string memory kind, bytes32 body) private pure returns (string memory) {
        return
            string.concat("{\"body_hash\":\"sha256:", _hexOf(body), "\",\"type\":\"", kind, "\"}");
    }

    function _hexOf(bytes32 word) private pure returns (string memory) {
        return LibString.toHexStringNoPrefix(uint256(word), 32);
    }

    function _personal(bytes memory text) private pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                "\x19Ethereum Signed Message:\n", LibString.toString(text.length), text
            )
        );
    }

    function _signText(string memory text) private pure returns (bytes memory) {
        return _sign(GATEWAY_KEY, _personal(bytes(text)));
    }

    function _attested(bytes memory receipt) private view returns (bytes[] memory signatures) {
        bytes32 digest = adapter.attestationDigest(APP, sha256(receipt));
        signatures = new bytes[](2);
        for (uint256 i = 0; i < 2; ++i) {
            signatures[i] = _sign(committeeKeys[i], digest);
        }
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
