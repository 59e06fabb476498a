// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {IQuoteNotary, Notarization} from "../src/interfaces/IQuoteNotary.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {QuoteNotary} from "../src/notary/QuoteNotary.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {Deployment} from "./Deployment.t.sol";

contract QuoteNotaryTest is Deployment {
    function test_Constructor_RevertWhen_AnAddressIsZero() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new QuoteNotary(IMeasurementRegistry(address(0)), router);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new QuoteNotary(measurements, IVerifierRouter(address(0)));
    }

    function testFuzz_Notarize_PutsTheQuoteOnRecord(address sender, bytes32 bound) public {
        Verdict memory verdict = _verdict();
        verdict.reportData = abi.encode(bound, bound);
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectEmit(true, true, true, true, address(notary));
        emit IQuoteNotary.QuoteNotarized(
            APP,
            verdict.quoteHash,
            verdict.measurementId,
            ProofKind.Committee,
            COMMITTEE,
            sha256(journal),
            verdict.teeType,
            verdict.tcbStatus,
            verdict.verifiedAt,
            verdict.validUntil
        );
        vm.prank(sender);
        vm.assertEq(notary.notarize(APP, COMMITTEE, journal, proof), verdict.quoteHash);
        Notarization memory record = notary.recordOf(APP, verdict.quoteHash, ProofKind.Committee);
        vm.assertEq(record.journalDigest, sha256(journal));
        vm.assertEq(record.validUntil, verdict.validUntil);
        vm.assertTrue(notary.isNotarized(APP, verdict.quoteHash, ProofKind.Committee));
        vm.assertFalse(notary.isNotarized(APP, verdict.quoteHash, ProofKind.Zk));
    }

    function test_Notarize_RevertGiven_ItIsOnRecord() public {
        Verdict memory verdict = _verdict();
        _notarize(APP, verdict);
        verdict.verifiedAt += 1;
        _expectRefusal(IQuoteNotary.QuoteAlreadyNotarized.selector, APP, verdict);
        bytes32 other = keccak256("another app");
        _expectRefusal(IMeasurementRegistry.MeasurementNotAdmitted.selector, other, verdict);
        vm.prank(GOVERNOR);
        measurements.admit(other, verdict.measurementId, _manifest());
        _notarize(other, verdict);
    }

    function test_Notarize_RevertWhen_AttributesAreForbidden() public {
        Verdict memory verdict = _verdict();
        verdict.measurement[0] = 0x01; // DEBUG
        verdict.measurementId = keccak256(abi.encodePacked(verdict.teeType, verdict.measurement));
        vm.prank(GOVERNOR);
        measurements.admit(APP, verdict.measurementId, _manifest());
        _expectRefusal(MeasurementLib.AttributesForbidden.selector, APP, verdict);
    }

    function test_Notarize_RevertWhen_TheEvidenceIsNotGenuine() public {
        Verdict memory verdict = _verdict();
        verdict.rootKeyHash = 0;
        _expectRefusal(IVerifierRouter.RootKeyNotTrusted.selector, APP, verdict);
    }

    function test_IsNotarized_EndsWithTheVerdict() public {
        Verdict memory verdict = _verdict();
        _notarize(APP, verdict);
        vm.warp(verdict.validUntil);
        vm.assertTrue(_isNotarized());
        vm.warp(verdict.validUntil + 1);
        vm.assertFalse(_isNotarized());
    }

    function test_IsNotarized_EndsWithTheMeasurement() public {
        Verdict memory verdict = _verdict();
        _notarize(APP, verdict);
        vm.prank(GUARDIAN);
        measurements.revoke(APP, verdict.measurementId);
        vm.assertFalse(_isNotarized());
    }

    function test_IsNotarized_EndsWithTheRoute() public {
        _notarize(APP, _verdict());
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        vm.assertFalse(_isNotarized());
    }

    function test_SupportsInterface_NamesItsInterface() public view {
        vm.assertTrue(notary.supportsInterface(type(IQuoteNotary).interfaceId));
        vm.assertFalse(notary.supportsInterface(0xffffffff));
    }

    function _isNotarized() private view returns (bool) {
        return notary.isNotarized(APP, keccak256("quote"), ProofKind.Committee);
    }

    function _notarize(bytes32 appId, Verdict memory verdict) private {
        bytes memory journal = abi.encode(verdict);
        notary.notarize(appId, COMMITTEE, journal, _proof(journal));
    }

    function _expectRefusal(bytes4 reason, bytes32 appId, Verdict memory verdict) private {
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectPartialRevert(reason);
        notary.notarize(appId, COMMITTEE, journal, proof);
    }
}
