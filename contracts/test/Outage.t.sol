// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralCalendar} from "../src/dcap/CollateralCalendar.sol";
import {ICollateralCalendar} from "../src/interfaces/ICollateralCalendar.sol";
import {ICollateralStore} from "../src/interfaces/ICollateralStore.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IMeasurementRegistry} from "../src/interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy, Policy} from "../src/interfaces/ITcbPolicy.sol";
import {IWorkerRegistry} from "../src/interfaces/IWorkerRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {Dates, OutageFixture} from "./OutageFixture.t.sol";

/// @notice What registrations are worth when the vendor renews no collateral.
contract OutageTest is OutageFixture {
    bytes6 private constant FMSPC = 0x50806f000000;
    uint8 private constant TDX = MeasurementLib.TDX;

    /* CALENDAR */

    function test_Constructor_RevertWhen_TheStretchOrTheStoreIsNone() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                ICollateralCalendar.StretchTooLong.selector, 30 days + 1, 30 days
            )
        );
        new CollateralCalendar(ICollateralStore(address(dates)), 30 days + 1);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new CollateralCalendar(ICollateralStore(address(0)), 1 days);
        new CollateralCalendar(ICollateralStore(address(dates)), 30 days);
    }

    /// @dev Against the rule in words: a document ended in that very second, and none is newer.
    function testFuzz_Stretched_FollowsTheSignedDates(
        uint8[5] memory issues,
        uint8[5] memory lives,
        uint8 from,
        uint8 end
    ) public {
        dates = new Dates();
        calendar = new CollateralCalendar(ICollateralStore(address(dates)), STRETCH);
        (bool ended, bool renewed) = (false, false);
        for (uint256 i = 0; i < 5; ++i) {
            (uint64 start, uint64 life) = (issues[i] % 8, lives[i] % 4);
            if (life == 0) continue;
            dates.put(i, start, start + life);
            if (start > from % 8) renewed = true;
            if (start + life == end % 10) ended = true;
        }
        bool known = lives[0] % 4 != 0;
        uint64 expected = known && ended && !renewed ? end % 10 + STRETCH : end % 10;
        vm.assertEq(calendar.stretched(TDX, FMSPC, from % 8, end % 10), expected);
    }

    /* AT USE */

    function test_Outage_StretchesToTheCapAndNoFurther() public {
        _settle();
        vm.assertEq(workers.workerOf(worker).validUntil, ends);
        (,, uint64 until) = workers.checkActive(worker, APP);
        vm.assertEq(until, ends, "nobody relies on an outage before it is there");
        vm.warp(ends + 1);
        workers.requireActive(worker, APP);
        (,, until) = workers.checkActive(worker, APP);
        vm.assertEq(until, ends + STRETCH);
        vm.warp(ends + STRETCH);
        workers.requireActive(worker, APP);
        vm.warp(ends + STRETCH + 1);
        _expectInactive(IWorkerRegistry.WorkerExpired.selector, APP);
    }

    function test_Outage_EndsAsSoonAsAnyDocumentIsNewer() public {
        _settle();
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp(ends + 1 days);
            uint256 before = vm.snapshotState();
            workers.requireActive(worker, APP);
            dates.put(i, ends, ends + 30 days);
            _expectInactive(IWorkerRegistry.WorkerExpired.selector, APP);
            vm.revertToState(before);
        }
    }

    function test_Outage_IsNoneWhereTheOperatorMissedARenewal() public {
        (issued, ends) = (issued + 10 days, ends + 10 days);
        for (uint256 i = 0; i < 5; ++i) {
            dates.put(i, issued, ends);
        }
        _settle();
        uint64 end = workers.workerOf(worker).validUntil;
        vm.assertLt(end, ends, "its own age ends it, by collateral that still stands");
        vm.warp(end + 1);
        _expectInactive(IWorkerRegistry.WorkerExpired.selector, APP);
        vm.warp(ends + 1);
        _expectInactive(IWorkerRegistry.WorkerExpired.selector, APP);
    }

    function test_Outage_IsNoneWhereTheStoreKnowsNothing() public {
        dates = new Dates();
        _settle();
        vm.warp(ends + 1);
        workers.requireActive(worker, APP);
        calendar = new CollateralCalendar(ICollateralStore(address(dates)), STRETCH);
        vm.assertEq(calendar.stretched(TDX, FMSPC, issued, ends), ends);
    }

    function test_Outage_StretchesNothingElse() public {
        _settle();
        vm.warp(ends + 1);
        Policy memory young = _policy();
        young.maxCollateralAge = uint32(ends + 1 hours - issued);
        _publish(young, true);
        (,, uint64 until) = workers.checkActive(worker, APP);
        vm.assertEq(until, ends + 1 hours, "an app bounds the age of collateral as it likes");
        vm.warp(until + 1);
        _expectInactive(ITcbPolicy.CollateralTooOld.selector, APP);
        vm.warp(until);
        bytes32 id = _verdict().measurementId;
        vm.prank(GUARDIAN);
        measurements.revoke(APP, id);
        _expectInactive(IMeasurementRegistry.MeasurementNotAdmitted.selector, APP);
    }

    function test_Outage_AWorkerRenewsOutOfItWithoutAGap() public {
        _settle();
        uint64 activeFrom = workers.workerOf(worker).activeFrom;
        vm.warp(ends + 2 days);
        _nextBlock();
        WorkerBinding memory binding = _binding();
        (issued, ends) = (uint64(block.timestamp) - 1, uint64(block.timestamp) + 30 days);
        _register(_sound(worker, binding), binding);
        vm.assertEq(workers.workerOf(worker).activeFrom, activeFrom);
        workers.requireActive(worker, APP);
    }

    function test_Outage_AUseIsFoundAnew() public {
        _settle();
        vm.warp(ends + 1);
        workers.requireActive(worker, APP);
        vm.snapshotGasLastCall("Gas", "requireActive, in an outage");
    }

    function _settle() private {
        WorkerBinding memory binding = _binding();
        _register(_sound(worker, binding), binding);
        vm.warp(block.timestamp + ACTIVATION_DELAY);
        workers.requireActive(worker, APP);
    }
}
