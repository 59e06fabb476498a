// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {Base} from "./Base.t.sol";

contract ChangeLogTest is Base {
    ChangeLog private log;

    function setUp() public {
        log = new ChangeLog(1);
    }

    function test_Constructor_RevertWhen_ThereIsNoSeat() public {
        vm.expectRevert(IChangeLog.SeatsMissing.selector);
        new ChangeLog(0);
    }

    function test_Enrol_FillsTheSeatsAndNoMore() public {
        vm.assertFalse(log.isFull());
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.SeatTaken(address(this), 1);
        log.enrol();
        vm.assertTrue(log.isSource(address(this)) && log.isFull());
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.SeatAlreadyTaken.selector, address(this)));
        log.enrol();
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.NoSeatLeft.selector, 1));
        vm.prank(STRANGER);
        log.enrol();
    }

    function test_EnrolFollower_OneSourceForEver() public {
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.NotASource.selector, address(this)));
        log.enrolFollower();
        log.enrol();
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.FollowerTaken(address(this));
        log.enrolFollower();
        vm.assertEq(address(log.follower()), address(this));
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.AlreadyFollowed.selector, address(this)));
        log.enrolFollower();
    }

    function testFuzz_Note_RevertWhen_TheCallerHasNoSeat(address caller) public {
        vm.expectRevert(abi.encodeWithSelector(IChangeLog.NotASource.selector, caller));
        vm.prank(caller);
        log.note(caller, 0, 0, true, true);
    }

    function testFuzz_Note_MovesTheEpochOnlyWhereAnswersAreOutdated(
        bytes4 change,
        bytes32 subject,
        bool narrows,
        bool outdates
    ) public {
        log.enrol();
        uint24 expected = outdates ? 2 : 1;
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(address(this), subject, STRANGER, change, narrows, expected);
        log.note(STRANGER, change, subject, narrows, outdates);
        vm.assertEq(log.epoch(), expected);
    }

    function test_Note_StopsAtTheLastEpochInsteadOfFailing() public {
        log.enrol();
        bytes32 slot = vm.load(address(log), 0);
        vm.store(address(log), 0, slot | bytes32(uint256(type(uint24).max)));
        log.note(STRANGER, 0, 0, true, true);
        vm.assertEq(log.epoch(), type(uint24).max);
        vm.assertTrue(log.isFull());
    }
}
