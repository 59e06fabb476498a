// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IEmergencyStop} from "../src/interfaces/IEmergencyStop.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IReceiptRouter, SelectorStatus} from "../src/interfaces/IReceiptRouter.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {IRiscZeroSelectable, IRiscZeroVerifier, Receipt} from "../src/zk/IRiscZeroVerifier.sol";
import {RiscZeroEmergencyStop} from "../src/zk/RiscZeroEmergencyStop.sol";
import {RiscZeroRouter} from "../src/zk/RiscZeroRouter.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {Base} from "./Base.t.sol";

/// @notice A receipt verifier with a flaw: it also takes what a forger knows.
contract FlawedVerifier is IRiscZeroVerifier, IRiscZeroSelectable {
    bytes4 public immutable SELECTOR;

    constructor(bytes4 selector) {
        SELECTOR = selector;
    }

    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external pure {
        _require(seal, keccak256(abi.encode(imageId, journalDigest)));
    }

    function verifyIntegrity(Receipt calldata receipt) external pure {
        _require(receipt.seal, receipt.claimDigest);
    }

    function _require(bytes calldata seal, bytes32 claim) private pure {
        require(bytes32(seal[4:]) == keccak256(abi.encode(claim)), VerificationFailed());
    }
}

contract ReceiptRoutingTest is Base {
    bytes4 private constant SELECTOR = 0x73c457ba;
    bytes4 private constant OTHER = 0xc27d1bc0;
    bytes32 private constant IMAGE = keccak256("guest");
    bytes32 private constant JOURNAL = keccak256("journal");

    ChangeLog private log;
    RiscZeroRouter private router;
    FlawedVerifier private verifier;
    RiscZeroEmergencyStop private stop;

    function setUp() public {
        _route();
        verifier = new FlawedVerifier(SELECTOR);
        stop = new RiscZeroEmergencyStop(verifier, router, GOVERNOR, GUARDIAN);
    }

    /* ROUTER: ADDING */

    function test_Add_ReceiptsReachTheVerifier() public {
        vm.expectEmit(true, true, true, true, address(router));
        emit IReceiptRouter.VerifierAdded(SELECTOR, address(stop));
        _add(SELECTOR, stop);
        vm.assertEq(address(router.getVerifier(SELECTOR)), address(stop));
        vm.assertTrue(router.statusOf(SELECTOR) == SelectorStatus.Active);
        router.verify(_seal(SELECTOR, _claim()), IMAGE, JOURNAL);
        router.verifyIntegrity(Receipt(_seal(SELECTOR, IMAGE), IMAGE));
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        router.verify(_seal(SELECTOR, _claim()), JOURNAL, IMAGE);
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        router.verifyIntegrity(Receipt(_seal(SELECTOR, IMAGE), JOURNAL));
    }

    function test_Add_RevertWhen_TheCallerIsNotTheGovernor() public {
        address[2] memory others = [GUARDIAN, STRANGER];
        for (uint256 i = 0; i < others.length; ++i) {
            vm.prank(others[i]);
            vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, others[i]));
            router.addVerifier(SELECTOR, verifier);
        }
    }

    function test_Add_RevertWhen_TheSelectorIsThatOfMocks() public {
        IRiscZeroVerifier mock = new RiscZeroStubVerifier();
        vm.prank(GOVERNOR);
        vm.expectRevert(
            abi.encodeWithSelector(IReceiptRouter.SelectorReserved.selector, bytes4(0xffffffff))
        );
        router.addVerifier(0xffffffff, mock);
    }

    function test_Add_RevertWhen_TheSelectorWasUsed() public {
        _add(SELECTOR, verifier);
        vm.prank(GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IReceiptRouter.SelectorInUse.selector, SELECTOR));
        router.addVerifier(SELECTOR, stop);
        vm.prank(GUARDIAN);
        router.removeVerifier(SELECTOR);
        vm.prank(GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IReceiptRouter.SelectorRemoved.selector, SELECTOR));
        router.addVerifier(SELECTOR, stop);
    }

    function test_Add_RevertWhen_TheVerifierJudgesOtherSeals() public {
        address[3] memory wrong = [address(verifier), STRANGER, address(new NoSelector())];
        for (uint256 i = 0; i < wrong.length; ++i) {
            vm.prank(GOVERNOR);
            vm.expectRevert(
                abi.encodeWithSelector(IReceiptRouter.NotItsVerifier.selector, OTHER, wrong[i])
            );
            router.addVerifier(OTHER, IRiscZeroVerifier(wrong[i]));
        }
    }

    /* ROUTER: REMOVING */

    function test_Remove_TakesEffectAtOnceAndForEver() public {
        address[2] memory hands = [GOVERNOR, GUARDIAN];
        for (uint256 i = 0; i < hands.length; ++i) {
            _route();
            _add(SELECTOR, verifier);
            vm.expectEmit(true, true, true, true, address(router));
            emit IReceiptRouter.VerifierRemoved(SELECTOR, SelectorStatus.Active, hands[i]);
            vm.prank(hands[i]);
            router.removeVerifier(SELECTOR);
            _expectRefused(IReceiptRouter.SelectorRemoved.selector);
            vm.prank(hands[i]);
            vm.expectRevert(
                abi.encodeWithSelector(IReceiptRouter.SelectorRemoved.selector, SELECTOR)
            );
            router.removeVerifier(SELECTOR);
        }
    }

    function test_Remove_BarsASelectorNeverAdded() public {
        vm.expectEmit(true, true, true, true, address(router));
        emit IReceiptRouter.VerifierRemoved(SELECTOR, SelectorStatus.Unknown, GUARDIAN);
        vm.prank(GUARDIAN);
        router.removeVerifier(SELECTOR);
        vm.prank(GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IReceiptRouter.SelectorRemoved.selector, SELECTOR));
        router.addVerifier(SELECTOR, verifier);
    }

    function test_Remove_RevertWhen_TheCallerIsAStranger() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, STRANGER));
        router.removeVerifier(SELECTOR);
    }

    function testFuzz_Verify_RevertWhen_TheSelectorIsUnknown(bytes calldata seal) public {
        bytes4 selector = bytes4(seal);
        vm.expectRevert(abi.encodeWithSelector(IReceiptRouter.SelectorUnknown.selector, selector));
        router.verify(seal, IMAGE, JOURNAL);
        vm.expectRevert(abi.encodeWithSelector(IReceiptRouter.SelectorUnknown.selector, selector));
        router.verifyIntegrity(Receipt(seal, IMAGE));
    }

    /* EMERGENCY STOP */

    function test_Stop_ByGovernorOrGuardian() public {
        address[2] memory hands = [GOVERNOR, GUARDIAN];
        for (uint256 i = 0; i < hands.length; ++i) {
            stop = new RiscZeroEmergencyStop(verifier, router, GOVERNOR, GUARDIAN);
            vm.assertTrue(stop.SELECTOR() == SELECTOR);
            stop.verify(_seal(SELECTOR, _claim()), IMAGE, JOURNAL);
            vm.expectEmit(true, true, true, true, address(stop));
            emit IEmergencyStop.VerifierStopped(hands[i], false);
            vm.prank(hands[i]);
            stop.estop();
            _expectStopped();
        }
    }

    function test_Stop_RevertWhen_TheCallerIsAStranger() public {
        vm.prank(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, STRANGER));
        stop.estop();
        vm.assertFalse(stop.stopped());
    }

    function test_Stop_ByAnybodyWithAProofOfExploit() public {
        vm.expectEmit(true, true, true, true, address(stop));
        emit IEmergencyStop.VerifierStopped(STRANGER, true);
        vm.prank(STRANGER);
        stop.estop(Receipt(_seal(SELECTOR, 0), 0));
        _expectStopped();
    }

    function testFuzz_Stop_RevertWhen_TheClaimIsPossible(bytes32 claim) public {
        vm.assume(claim != 0);
        bytes memory seal = _seal(SELECTOR, claim);
        verifier.verifyIntegrity(Receipt(seal, claim));
        vm.expectRevert(
            abi.encodeWithSelector(IEmergencyStop.InvalidProofOfExploit.selector, claim)
        );
        stop.estop(Receipt(seal, claim));
    }

    function test_Stop_RevertWhen_TheExploitDoesNotVerify() public {
        vm.expectRevert(IRiscZeroVerifier.VerificationFailed.selector);
        stop.estop(Receipt(_seal(SELECTOR, IMAGE), 0));
        vm.assertFalse(stop.stopped());
    }

    function test_Constructors_RevertWhen_AnAddressIsZero() public {
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new RiscZeroRouter(address(0), GUARDIAN, log);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new RiscZeroRouter(GOVERNOR, GUARDIAN, IChangeLog(address(0)));
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new RiscZeroEmergencyStop(IRiscZeroVerifier(address(0)), router, GOVERNOR, GUARDIAN);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new RiscZeroEmergencyStop(verifier, IReceiptRouter(address(0)), GOVERNOR, GUARDIAN);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new RiscZeroEmergencyStop(verifier, router, GOVERNOR, address(0));
    }

    /* REPORTS */

    function test_Reports_EveryChangeOnceToTheLog() public {
        _expectChange(GOVERNOR, IReceiptRouter.addVerifier.selector, false);
        _add(SELECTOR, stop);
        _expectChange(GUARDIAN, bytes4(keccak256("estop()")), true);
        vm.prank(GUARDIAN);
        stop.estop();
        _expectChange(GUARDIAN, IReceiptRouter.removeVerifier.selector, true);
        vm.prank(GUARDIAN);
        router.removeVerifier(SELECTOR);
        vm.assertEq(log.epoch(), 1, "no answer of a registry rests on a receipt's verifier");
    }

    function test_Reports_AStopByProofOfExploit() public {
        _add(SELECTOR, stop);
        _expectChange(STRANGER, bytes4(keccak256("estop((bytes,bytes32))")), true);
        vm.prank(STRANGER);
        stop.estop(Receipt(_seal(SELECTOR, 0), 0));
    }

    function testFuzz_Reports_NothingOfStrangers(address caller, bytes4 selector) public {
        _add(SELECTOR, stop);
        vm.assume(caller != address(stop) && caller != address(0));
        vm.recordLogs();
        vm.prank(caller);
        router.reportStop(selector, "lies", GOVERNOR);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    /* PARTS */

    function _route() private {
        log = new ChangeLog(1);
        router = new RiscZeroRouter(GOVERNOR, GUARDIAN, log);
    }

    function _expectChange(address actor, bytes4 change, bool narrows) private {
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(address(router), SELECTOR, actor, change, narrows, 1);
    }

    function _add(bytes4 selector, IRiscZeroVerifier added) private {
        vm.prank(GOVERNOR);
        router.addVerifier(selector, added);
    }

    function _claim() private pure returns (bytes32) {
        return keccak256(abi.encode(IMAGE, JOURNAL));
    }

    function _seal(bytes4 selector, bytes32 claim) private pure returns (bytes memory) {
        return abi.encodePacked(selector, keccak256(abi.encode(claim)));
    }

    function _expectRefused(bytes4 reason) private {
        bytes memory expected = abi.encodeWithSelector(reason, SELECTOR);
        vm.expectRevert(expected);
        router.verify(_seal(SELECTOR, _claim()), IMAGE, JOURNAL);
        vm.expectRevert(expected);
        router.verifyIntegrity(Receipt(_seal(SELECTOR, IMAGE), IMAGE));
        vm.expectRevert(expected);
        router.getVerifier(SELECTOR);
    }

    function _expectStopped() private {
        vm.assertTrue(stop.stopped());
        vm.expectRevert(IEmergencyStop.VerifierIsStopped.selector);
        stop.verify(_seal(SELECTOR, _claim()), IMAGE, JOURNAL);
        vm.expectRevert(IEmergencyStop.VerifierIsStopped.selector);
        stop.verifyIntegrity(Receipt(_seal(SELECTOR, IMAGE), IMAGE));
        vm.prank(GUARDIAN);
        vm.expectRevert(IEmergencyStop.VerifierIsStopped.selector);
        stop.estop();
        vm.expectRevert(IEmergencyStop.VerifierIsStopped.selector);
        stop.estop(Receipt(_seal(SELECTOR, 0), 0));
    }
}

/// @notice A contract without a selector of its own.
contract NoSelector {}
