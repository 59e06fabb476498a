// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Policy} from "../src/interfaces/ITcbPolicy.sol";
import {MeasurementStatus} from "../src/interfaces/IMeasurementRegistry.sol";
import {RouteStatus} from "../src/interfaces/IVerifierRouter.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {WorkerBinding} from "../src/types/WorkerBinding.sol";
import {KindsFixture} from "./KindsFixture.t.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

/// @notice Governs, registers and waits in any order, and asks both twins after every step.
contract StandingHandler is KindsFixture {
    uint256 private constant WORKERS = 3;

    /// @dev What {WorkerRegistry.activeAt} foretold for the time it is now, if nothing intervened.
    uint256 public disagreements;
    uint256 public wrongForecasts;
    uint256 public widenedByGuardian;
    uint256 public registrations;
    uint256 public corroborated;
    /// @dev How often a worker counted that needed two kinds.
    uint256 public together;
    uint256 public answers;

    constructor() {
        super.setUp();
        Policy memory made = _policy();
        made.workersPerPlatform = 2;
        _publish(made, true);
        for (uint256 i = 0; i < WORKERS; ++i) {
            register(i);
        }
    }

    /// @dev The constructor set up everything.
    function setUp() public pure override {}

    function register(uint256 who) public {
        who = who % WORKERS;
        _nextBlock();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(_key(who), binding);
        verdict.platformId = _platform(who);
        verdict.tcbStatus = uint8(1 + who % 2);
        verdict.fmspc = bytes6(uint48(who + 1));
        verdict.tcbEvaluationDataNumber = uint32(17 + who);
        bytes memory journal = abi.encode(verdict);
        try workers.register(COMMITTEE, journal, _proof(journal), binding) {
            ++registrations;
        } catch {}
        _compare();
    }

    function corroborate(uint256 who, bool onChain, uint32 life) public {
        who = who % WORKERS;
        _nextBlock();
        WorkerBinding memory binding = _binding();
        Verdict memory verdict = _boundVerdict(_key(who), binding);
        verdict.platformId = _platform(who);
        verdict.validUntil = uint64(block.timestamp + 1 + life % 5 days);
        bytes memory journal = abi.encode(verdict);
        bytes4 route = onChain ? ON_CHAIN : ZK;
        try corroborations.corroborate(route, journal, _proof(journal), binding) {
            ++corroborated;
        } catch {}
        _compare();
    }

    function publish(uint16 statuses, uint8 minimum, uint32 grace, uint32 age, bool emergency)
        external
    {
        Policy memory made = _policy();
        made.acceptedStatuses = uint16(_bound(statuses, 1, 3)) << 1;
        made.kindsNeeded = uint8(grace % 3);
        made.workersPerPlatform = uint8(grace / 3 % 3);
        made.minEvaluationNumber = uint32(_bound(minimum, 16, 19));
        made.maxCollateralAge = age % 4 == 0 ? 0 : uint32(_bound(age, 1 days, 20 days));
        made.graces[0] = uint32(_bound(grace, 0, 3 days));
        made.graces[1] = uint32(_bound(grace / 2, 0, 3 days));
        vm.prank(GOVERNOR);
        try policy.publish(APP, 2, made, emergency) returns (uint64) {} catch {}
        _compare();
    }

    function lift(uint256 subject, bool everywhere) external {
        vm.prank(GOVERNOR);
        try policy.lift(everywhere ? bytes32(0) : APP, _subject(subject)) {} catch {}
        _compare();
    }

    /// @dev Whatever the guardian tries: what was refused before stays refused.
    function guard(uint256 what, uint256 subject) external {
        (bool[WORKERS] memory before, bool measured, bool routed) = _accepted();
        // The fuzzer finds the fixture's own measurement, too, which the governor admitted.
        bool admitted = _admitted(bytes32(subject));
        vm.startPrank(GUARDIAN);
        if (what % 8 == 0) try policy.bar(APP, _subject(subject)) {} catch {}
        if (what % 8 == 1) try policy.bar(0, _subject(subject)) {} catch {}
        if (what % 8 == 2) try policy.lift(APP, _subject(subject)) {} catch {}
        if (what % 8 == 3) try workers.revoke(_key(subject % WORKERS)) {} catch {}
        if (what % 8 == 4) try measurements.ban(APP, bytes32(subject)) {} catch {}
        bytes4 route = [bytes4(uint32(subject)), ZK, ON_CHAIN][subject % 64 % 3];
        if (what % 8 == 5) try router.freeze(route) {} catch {}
        if (what % 8 == 6) try policy.publish(APP, 2, _policy(), true) returns (uint64) {} catch {}
        if (what % 8 == 7) {
            try measurements.admit(APP, bytes32(subject), _manifest()) {} catch {}
        }
        vm.stopPrank();
        (bool[WORKERS] memory afterwards, bool measuredNow, bool routedNow) = _accepted();
        for (uint256 i = 0; i < WORKERS; ++i) {
            if (afterwards[i] && !before[i]) ++widenedByGuardian;
        }
        if ((measuredNow && !measured) || (routedNow && !routed)) ++widenedByGuardian;
        if (_admitted(bytes32(subject)) && !admitted) ++widenedByGuardian;
        _compare();
    }

    function refresh(uint256 who) external {
        try workers.refresh(_key(who % WORKERS)) returns (uint64) {} catch {}
        _compare();
    }

    function wait(uint32 time) external {
        uint64 at = uint64(block.timestamp) + time % 2 days;
        bool[WORKERS] memory foretold;
        for (uint256 i = 0; i < WORKERS; ++i) {
            (foretold[i],,) = workers.activeAt(_key(i), APP, at);
        }
        vm.warp(at);
        (bool[WORKERS] memory found,,) = _accepted();
        for (uint256 i = 0; i < WORKERS; ++i) {
            if (foretold[i] != found[i]) ++wrongForecasts;
        }
        _compare();
    }

    function _compare() private {
        for (uint256 i = 0; i < WORKERS; ++i) {
            (bool ok, bytes4 reason, uint64 until) = workers.checkActive(_key(i), APP);
            if (ok && until < block.timestamp) ++disagreements;
            try workers.requireActive(_key(i), APP) {
                if (!ok) ++disagreements;
                if (workers.claimOf(_key(i)) != 0) ++together;
                ++answers;
            } catch (bytes memory failure) {
                if (ok || bytes4(failure) != reason) ++disagreements;
            }
        }
    }

    function _accepted()
        private
        view
        returns (bool[WORKERS] memory active, bool measured, bool routed)
    {
        for (uint256 i = 0; i < WORKERS; ++i) {
            (active[i],,) = workers.checkActive(_key(i), APP);
        }
        measured = _admitted(_verdict().measurementId);
        routed = router.statusOf(COMMITTEE) == RouteStatus.Active;
    }

    function _admitted(bytes32 measurementId) private view returns (bool) {
        return measurements.statusOf(APP, measurementId) == MeasurementStatus.Admitted;
    }

    function _key(uint256 who) private pure returns (address) {
        return address(uint160(0xbeef + who));
    }

    /// @dev The first and the third worker share one.
    function _platform(uint256 who) private pure returns (bytes32) {
        return keccak256(abi.encode(who % 2));
    }

    function _subject(uint256 seed) private pure returns (bytes32) {
        uint256 who = seed / 3 % WORKERS;
        if (seed % 3 == 0) return _platform(who);
        if (seed % 3 == 1) return bytes20(_key(who));
        return bytes6(uint48(who + 1));
    }
}

contract StandingInvariants is PolicyFixture {
    StandingHandler private handler;

    function setUp() public override {
        handler = new StandingHandler();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesWorkers() public {
        vm.assertEq(handler.registrations(), 3);
        handler.wait(1 hours);
        uint256 before = handler.answers();
        handler.refresh(0);
        vm.assertEq(handler.answers(), before + 3);
        handler.guard(0, 0);
        handler.refresh(1);
        vm.assertEq(handler.answers(), before + 5);
        handler.publish(2, 0, 2, 0, true);
        handler.register(1);
        handler.wait(1 hours);
        handler.corroborate(1, false, 1 days);
        handler.refresh(1);
        vm.assertEq(handler.together(), 2);
        handler.publish(1, 0, 0, 0, true);
        handler.refresh(1);
        vm.assertEq(handler.corroborated(), 1);
    }

    function invariant_BothTwinsSayTheSame() public view {
        vm.assertEq(handler.disagreements(), 0);
    }

    function invariant_WhatWasForetoldComes() public view {
        vm.assertEq(handler.wrongForecasts(), 0);
    }

    function invariant_TheGuardianOnlyNarrows() public view {
        vm.assertEq(handler.widenedByGuardian(), 0);
    }
}
