// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGatewayAdapter} from "../src/interfaces/IGatewayAdapter.sol";
import {IGatewayKeys} from "../src/interfaces/IGatewayKeys.sol";
import {IReceiptAdapter} from "../src/interfaces/IReceiptAdapter.sol";
import {AciLib} from "../src/oracle/AciLib.sol";
import {GatewayAdapter} from "../src/oracle/GatewayAdapter.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {KindsFixture} from "./KindsFixture.t.sol";
import {ReceiptFixture} from "./ReceiptFixture.t.sol";

/// @notice Anyone enrols and records: whoever does so by a weaker proof keeps nobody from a stronger one, and
/// takes nothing of it away.
contract GatewayKindsTest is ReceiptFixture, KindsFixture {
    GatewayAdapter private exchanges;

    function setUp() public override(ReceiptFixture, KindsFixture) {
        super.setUp();
        exchanges = new GatewayAdapter(gatewayKeys);
    }

    function test_Enrol_AWeakerProofTakesNoPlace() public {
        bytes memory journal = _notarized(abi.encode(bytes32(bytes20(gateway)), _nonce()));
        bytes32 quoteHash = keccak256(abi.encode(bytes32(bytes20(gateway)), _nonce()));
        notary.notarize(APP, ZK, journal, _proof(journal));
        uint64 at = _challengeBlock();
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        _expectExchangeKept(ProofKind.Committee);
        gatewayKeys.enrol(APP, ProofKind.Zk, journal, at);
        gatewayKeys.enrol(APP, ProofKind.Zk, journal, at);
        _expectExchangeKept(ProofKind.Zk);
        vm.expectRevert(
            abi.encodeWithSelector(IGatewayKeys.BondStronger.selector, quoteHash, ProofKind.Zk)
        );
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        // What counts no more stands in nobody's way; what was recorded by it stays.
        vm.prank(GUARDIAN);
        router.freeze(ZK);
        gatewayKeys.enrol(APP, ProofKind.Committee, journal, at);
        _expectExchangeKnown();
        vm.assertTrue(exchanges.exchangeOf(APP, REQUEST, RESPONSE).kind == ProofKind.Zk);
    }

    function test_EnrolKeyset_AWeakerProofTakesNoPlace() public {
        bytes memory keyset = _keyset(block.timestamp + 1 days);
        bytes memory bound = abi.encode(AciLib.bound(sha256(keyset), _nonce()), bytes32(0));
        bytes memory journal = _notarized(bound);
        notary.notarize(APP, ZK, journal, _proof(journal));
        uint64 at = _challengeBlock();
        bytes memory receipt = _receiptOf(sha256(keyset));
        bytes memory signature = _signText(string(receipt));
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
        adapter.record(APP, receipt, signature);
        gatewayKeys.enrolKeyset(APP, ProofKind.Zk, journal, at, keyset);
        adapter.record(APP, receipt, signature);
        vm.assertTrue(adapter.receiptOf(APP, REQUEST, RESPONSE).kind == ProofKind.Zk);
        vm.expectPartialRevert(IReceiptAdapter.ReceiptKnown.selector);
        adapter.record(APP, receipt, signature);
        vm.expectRevert(
            abi.encodeWithSelector(
                IGatewayKeys.BondStronger.selector, keccak256(bound), ProofKind.Zk
            )
        );
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
        vm.prank(GUARDIAN);
        router.freeze(ZK);
        gatewayKeys.enrolKeyset(APP, ProofKind.Committee, journal, at, keyset);
        vm.expectPartialRevert(IReceiptAdapter.ReceiptKnown.selector);
        adapter.record(APP, receipt, signature);
    }

    /* EXPECTATIONS */

    /// @dev The exchange is recorded by this kind, once.
    function _expectExchangeKept(ProofKind kind) private {
        exchanges.record(APP, REQUEST, RESPONSE, gateway, _exchangeSignature());
        vm.assertTrue(exchanges.exchangeOf(APP, REQUEST, RESPONSE).kind == kind);
        _expectExchangeKnown();
    }

    function _expectExchangeKnown() private {
        bytes memory signature = _exchangeSignature();
        vm.expectPartialRevert(IGatewayAdapter.AlreadyRecorded.selector);
        exchanges.record(APP, REQUEST, RESPONSE, gateway, signature);
    }

    function _exchangeSignature() private view returns (bytes memory) {
        return _signText(exchanges.textOf(REQUEST, RESPONSE));
    }
}
