// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LibString} from "solady/utils/LibString.sol";

import {Bond} from "../src/interfaces/IGatewayKeys.sol";
import {AciLib} from "../src/oracle/AciLib.sol";
import {GatewayKeys} from "../src/oracle/GatewayKeys.sol";
import {ReceiptAdapter} from "../src/oracle/ReceiptAdapter.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {Vm} from "./Base.t.sol";
import {Deployment} from "./Deployment.t.sol";

/// @notice A service that knows nothing of the registry: its quotes, keysets, exchanges and receipts.
abstract contract ReceiptFixture is Deployment {
    uint256 internal constant GATEWAY_KEY = 0x6a7e;
    bytes32 internal constant REQUEST = keccak256("request");
    bytes32 internal constant RESPONSE = keccak256("response");
    string internal constant MODEL_NAME = "demo-model";

    GatewayKeys internal gatewayKeys;
    ReceiptAdapter internal adapter;
    address internal gateway;

    function setUp() public virtual override {
        super.setUp();
        gatewayKeys = new GatewayKeys(notary, STATUSES);
        adapter = new ReceiptAdapter(gatewayKeys, committee);
        gateway = vm.addr(GATEWAY_KEY);
    }

    /* PARTS */

    function _challengeBlock() internal view returns (uint64) {
        return uint64(block.number - 1);
    }

    function _nonce() internal view returns (bytes32) {
        return gatewayKeys.challenge(_challengeBlock());
    }

    function _notarized(bytes memory reportData) internal returns (bytes memory) {
        Verdict memory verdict = _verdict();
        verdict.reportData = reportData;
        verdict.quoteHash = keccak256(reportData);
        return _notarize(verdict);
    }

    function _notarize(Verdict memory verdict) internal returns (bytes memory journal) {
        journal = abi.encode(verdict);
        notary.notarize(APP, COMMITTEE, journal, _proof(journal));
    }

    /// @dev A keyset with an Ed25519 key and one that a contract can check, enrolled.
    function _enrolled() internal returns (bytes32 digest) {
        bytes memory keyset = _keyset(block.timestamp + 1 days);
        bytes32 first = AciLib.bound(sha256(keyset), _nonce());
        bytes memory journal = _notarized(abi.encode(first, bytes32(0)));
        digest =
            gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, _challengeBlock(), keyset);
        vm.assertEq(digest, sha256(keyset));
        Bond memory bond = gatewayKeys.bondOf(APP, gateway);
        vm.assertEq(bond.keysetDigest, digest);
    }

    function _keyset(uint256 notAfter) internal returns (bytes memory) {
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

    function _receiptOf(bytes32 digest) internal pure returns (bytes memory) {
        return _receipt(_hexOf(digest));
    }

    function _receipt(string memory digest) internal pure returns (bytes memory) {
        if (bytes(digest).length != 64) digest = _hexOf("nobody's");
        return _document("aci/1", _events(REQUEST, RESPONSE), MODEL_NAME, digest);
    }

    function _document(
        string memory version,
        string memory events,
        string memory model,
        string memory digest
    ) internal pure returns (bytes memory) {
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

    function _events(bytes32 request, bytes32 response) internal pure returns (string memory) {
        return string.concat(
            _event("request.received", request),
            ",{\"reason\":null,\"required\":true,\"type\":\"upstream.verified\"},",
            _event("response.returned", response)
        );
    }

    function _event(string memory kind, bytes32 body) internal pure returns (string memory) {
        return
            string.concat("{\"body_hash\":\"sha256:", _hexOf(body), "\",\"type\":\"", kind, "\"}");
    }

    function _hexOf(bytes32 word) internal pure returns (string memory) {
        return LibString.toHexStringNoPrefix(uint256(word), 32);
    }

    function _personal(bytes memory text) internal pure returns (bytes32) {
        return keccak256(
            abi.encodePacked(
                "\x19Ethereum Signed Message:\n", LibString.toString(text.length), text
            )
        );
    }

    function _signText(string memory text) internal pure returns (bytes memory) {
        return _sign(GATEWAY_KEY, _personal(bytes(text)));
    }

    function _attested(bytes memory receipt) internal view returns (bytes[] memory signatures) {
        bytes32 digest = adapter.attestationDigest(APP, sha256(receipt));
        signatures = new bytes[](2);
        for (uint256 i = 0; i < 2; ++i) {
            signatures[i] = _sign(committeeKeys[i], digest);
        }
    }
}
