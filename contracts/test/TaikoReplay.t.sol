// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {IVerifierRouter} from "../src/interfaces/IVerifierRouter.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {ITcbPolicy} from "../src/interfaces/ITcbPolicy.sol";
import {KindsFixture} from "./KindsFixture.t.sol";

/// @notice The attack of June 2026 on Taiko, step by step: the enclave's signing key leaked, whoever
/// had it signed enclaves of his own, in debug mode, registered them at once and forged proofs; and
/// after the repair, live instances outlived the removal of their policy.
/// @dev Each test gives the attacker everything but one place, and that place stops him.
contract TaikoReplayTest is KindsFixture {
    uint256 private constant MRENCLAVE_OFFSET = 48;
    uint256 private constant FLAGS_OFFSET = 32;
    uint256 private constant THIEF_KEY = 0x7417;
    /// @dev INIT and MODE64BIT.
    bytes1 private constant PRODUCTION = 0x05;
    bytes1 private constant DEBUG = 0x07;

    address private thief;

    function setUp() public override {
        super.setUp();
        _publish(_policy(), true);
        thief = vm.addr(THIEF_KEY);
        _admit(APP, _enclave("genuine code", PRODUCTION).measurementId);
    }

    function test_Place1_TheSignersKeyAdmitsNothing() public {
        _expectRefusal(
            IMeasurementRegistry.MeasurementNotAdmitted.selector,
            _enclave("forger's code", PRODUCTION),
            _binding()
        );
    }

    function test_Place2_ADebugEnclaveIsRefusedEvenWhereItWasAdmitted() public {
        Verdict memory verdict = _enclave("genuine code", DEBUG);
        _admit(APP, verdict.measurementId);
        _expectRefusal(MeasurementLib.AttributesForbidden.selector, verdict, _binding());
    }

    function test_Place3_NothingCountsBeforeTheGuardianCouldObject() public {
        Verdict memory verdict = _enclave("genuine code", PRODUCTION);
        _register(verdict, _binding());
        vm.expectPartialRevert(IWorkerRegistry.WorkerNotYetActive.selector);
        workers.requireActive(thief, APP);
        vm.warp(block.timestamp + ACTIVATION_DELAY - 1);
        vm.prank(GUARDIAN);
        workers.revoke(thief);
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(IWorkerRegistry.WorkerIsRevoked.selector);
        workers.requireActive(thief, APP);
    }

    function test_Place4_AQuoteIsForOneMomentChainAndRegistry() public {
        Verdict memory verdict = _enclave("genuine code", PRODUCTION);
        WorkerBinding memory binding = _binding();
        vm.roll(block.number + CHALLENGE_AGE);
        _expectRefusal(IWorkerRegistry.ChallengeBlockOutOfRange.selector, verdict, binding);
        WorkerBinding memory elsewhere = _binding();
        elsewhere.registry = STRANGER;
        _expectRefusal(IWorkerRegistry.WrongRegistry.selector, verdict, elsewhere);
    }

    function test_Place5_WhatIsRevokedEndsLiveWorkersAndNeverComesBack() public {
        Verdict memory verdict = _enclave("genuine code", PRODUCTION);
        _register(verdict, _binding());
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        workers.requireActive(thief, APP);
        vm.prank(GUARDIAN);
        measurements.revoke(APP, verdict.measurementId);
        vm.expectPartialRevert(IMeasurementRegistry.MeasurementNotAdmitted.selector);
        workers.requireActive(thief, APP);
        vm.expectPartialRevert(IMeasurementRegistry.WrongMeasurementStatus.selector);
        vm.prank(GOVERNOR);
        measurements.admit(APP, verdict.measurementId, _manifest());
    }

    /// @dev Whoever breaks one way of proving owns nothing where the app wants two.
    function test_AndOneBrokenVerifierIsNotEnough() public {
        vm.prank(GOVERNOR);
        policy.publish(APP, MeasurementLib.SGX, _together(2), true);
        _register(_enclave("genuine code", PRODUCTION), _binding());
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        vm.expectRevert(abi.encodeWithSelector(ITcbPolicy.ProofKindsTooFew.selector, 1, 2));
        workers.requireActive(thief, APP);
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        vm.expectPartialRevert(IVerifierRouter.RouteNotActive.selector);
        workers.requireActive(thief, APP);
    }

    /// @dev The entry point that checked the quotes was somebody else's, who could change it.
    function test_AndNobodyElseOwnsTheVerifier() public {
        Verdict memory verdict = _enclave("genuine code", PRODUCTION);
        verdict.rootKeyHash = keccak256("a root of the thief's");
        _expectRefusal(IVerifierRouter.RootKeyNotTrusted.selector, verdict, _binding());
        vm.expectPartialRevert(IVerifierRouter.RouteAlreadyUsed.selector);
        vm.prank(GOVERNOR);
        router.addRoute(COMMITTEE, committee);
    }

    /// @dev A verdict on an SGX enclave of the leaked signer's, which binds the thief's key.
    function _enclave(bytes32 mrenclave, bytes1 flags) private view returns (Verdict memory made) {
        made = _boundVerdict(thief, _binding());
        made.teeType = MeasurementLib.SGX;
        made.measurement = new bytes(MeasurementLib.SGX_LENGTH);
        made.measurement[FLAGS_OFFSET] = flags;
        for (uint256 i = 0; i < 32; ++i) {
            made.measurement[MRENCLAVE_OFFSET + i] = mrenclave[i];
        }
        made.measurementId = MeasurementLib.idOf(made.teeType, made.measurement);
    }

    function _expectRefusal(bytes4 reason, Verdict memory verdict, WorkerBinding memory binding)
        private
    {
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectPartialRevert(reason);
        workers.register(COMMITTEE, journal, proof, binding);
    }
}
