// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {Bearer, ITcbPolicy, Policy, PolicyHead, TcbFacts} from "../src/interfaces/ITcbPolicy.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {TcbPolicy} from "../src/registry/TcbPolicy.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {PolicyFixture} from "./PolicyFixture.t.sol";

contract TcbPolicyTest is PolicyFixture {
    uint8 private constant TDX = MeasurementLib.TDX;

    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_TheDefaultAcceptsNothingKnown() public {
        uint16[3] memory statuses = [uint16(0), 1, 0x200];
        for (uint256 i = 0; i < 3; ++i) {
            log = new ChangeLog(1);
            vm.expectRevert(ITcbPolicy.PolicyInvalid.selector);
            new TcbPolicy(GOVERNOR, GUARDIAN, log, statuses[i]);
        }
    }

    /* PUBLISH */

    function testFuzz_Publish_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        vm.prank(caller);
        policy.publish(APP, TDX, _policy(), false);
    }

    function test_Publish_RevertWhen_ThePolicyIsUnsound() public {
        for (uint256 i = 0; i < 9; ++i) {
            Policy memory made = _policy();
            if (i == 0) made.acceptedStatuses = 0;
            if (i == 1) made.acceptedStatuses = 0x0203;
            if (i == 2) made.acceptedKinds = 0;
            if (i == 3) made.acceptedKinds = 0x21;
            if (i == 4) made.graces[7] = 90 days + 1;
            if (i == 5) made.denied = new bytes32[](129);
            if (i == 6) made.platforms = new bytes32[](129);
            if (i == 7) made.kindsNeeded = 4;
            if (i == 8) made.workersPerPlatform = 9;
            vm.expectRevert(ITcbPolicy.PolicyInvalid.selector);
            _publish(made, false);
        }
        vm.expectRevert(ITcbPolicy.PolicyInvalid.selector);
        vm.prank(GOVERNOR);
        policy.publish(0, TDX, _policy(), false);
    }

    function test_Publish_CountsVersionsAndReports() public {
        Policy memory made = _gracious();
        vm.expectEmit(true, true, true, true, address(policy));
        emit ITcbPolicy.PolicyPublished(APP, TDX, 1, made, false);
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(policy),
            keccak256(abi.encode(APP, uint256(TDX))),
            GOVERNOR,
            ITcbPolicy.publish.selector,
            true,
            2
        );
        vm.assertEq(_publish(made, false), 1);
        PolicyHead memory head = policy.headOf(APP, TDX);
        vm.assertEq(head.version, 1);
        vm.assertEq(head.publishedAt, block.timestamp);
        vm.assertEq(head.graceEndsAt, block.timestamp + GRACE);
        vm.assertEq(policy.headOf(APP, MeasurementLib.SGX).version, 0);
        vm.assertEq(_publish(made, true), 2);
        vm.assertEq(policy.headOf(APP, TDX).graceEndsAt, 0);
    }

    function test_Publish_RevertGiven_AGraceIsRunning() public {
        _publish(_gracious(), false);
        uint64 end = uint64(block.timestamp) + GRACE;
        vm.warp(end);
        vm.expectRevert(
            abi.encodeWithSelector(ITcbPolicy.PolicyInTransition.selector, APP, TDX, end)
        );
        _publish(_policy(), false);
        vm.warp(end + 1);
        vm.assertEq(_publish(_policy(), false), 2);
    }

    /* BAR AND LIFT */

    function testFuzz_Bar_RevertWhen_NeitherGovernorNorGuardian(address caller) public {
        vm.assume(caller != GOVERNOR && caller != GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        vm.prank(caller);
        policy.bar(APP, "subject");
    }

    function testFuzz_Lift_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        vm.prank(GUARDIAN);
        policy.bar(APP, "subject");
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        vm.prank(caller);
        policy.lift(APP, "subject");
    }

    function test_BarAndLift_RevertWhen_NothingChanges() public {
        vm.startPrank(GOVERNOR);
        vm.expectRevert(
            abi.encodeWithSelector(ITcbPolicy.SubjectUnchanged.selector, APP, bytes32("x"))
        );
        policy.lift(APP, "x");
        vm.expectEmit(true, true, true, true, address(policy));
        emit ITcbPolicy.SubjectBarred(APP, "x", GOVERNOR);
        policy.bar(APP, "x");
        vm.expectRevert(
            abi.encodeWithSelector(ITcbPolicy.SubjectUnchanged.selector, APP, bytes32("x"))
        );
        policy.bar(APP, "x");
        vm.expectEmit(true, true, true, true, address(policy));
        emit ITcbPolicy.SubjectLifted(APP, "x");
        policy.lift(APP, "x");
    }

    /* JUDGEMENT */

    function test_Judges_EachRuleByItsOwnName() public {
        _expectRefusal(
            _strict(0), abi.encodeWithSelector(ITcbPolicy.TcbStatusNotAccepted.selector, 1, 0x0004)
        );
        _expectRefusal(
            _strict(1), abi.encodeWithSelector(ITcbPolicy.ProofKindNotAccepted.selector, 3, 0x06)
        );
        _expectRefusal(
            _strict(2), abi.encodeWithSelector(ITcbPolicy.EvaluationNumberTooLow.selector, 17, 18)
        );
        _expectRefusal(
            _strict(3), abi.encodeWithSelector(ITcbPolicy.SubjectDenied.selector, _facts().fmspc)
        );
        _expectRefusal(
            _strict(4),
            abi.encodeWithSelector(ITcbPolicy.SubjectDenied.selector, _bearer().platformId)
        );
        _expectRefusal(
            _strict(5),
            abi.encodeWithSelector(ITcbPolicy.PlatformNotListed.selector, _bearer().platformId)
        );
        _expectRefusal(
            _strict(6),
            abi.encodeWithSelector(
                ITcbPolicy.CollateralTooOld.selector, _bearer().collateralFrom, 1 days - 1
            )
        );
    }

    function test_Judges_AListedPlatformAndYoungCollateral() public {
        Policy memory made = _policy();
        made.platforms = _list(_bearer().platformId);
        made.maxCollateralAge = 1 days;
        _publish(made, false);
        uint64 until = policy.requireAccepted(APP, _facts(), _bearer());
        vm.assertEq(until, block.timestamp);
    }

    function test_RequireAccepted_RevertWhen_AnAdvisoryIsDeniedOrBarred() public {
        policy.requireAccepted(APP, _advised(), _bearer());
        vm.prank(GUARDIAN);
        policy.bar(0, "INTEL-SA-00837");
        bytes memory failure =
            abi.encodeWithSelector(ITcbPolicy.SubjectDenied.selector, bytes32("INTEL-SA-00837"));
        vm.expectRevert(failure);
        policy.requireAccepted(APP, _advised(), _bearer());
        vm.prank(GOVERNOR);
        policy.lift(0, "INTEL-SA-00837");
        Policy memory made = _policy();
        made.denied = _advised().advisories;
        _publish(made, false);
        vm.expectRevert(failure);
        policy.requireAccepted(APP, _advised(), _bearer());
        policy.requireAccepted(APP, _facts(), _bearer());
    }

    function testFuzz_RequireAccepted_RevertWhen_AttributesAreForbidden(
        bytes8 actual,
        bytes8 forbidden
    ) public {
        TcbFacts memory facts = _facts();
        facts.attributes = actual;
        Policy memory made = _policy();
        made.forbiddenAttributes = forbidden;
        _publish(made, false);
        if (actual & forbidden != 0) {
            vm.expectRevert(
                abi.encodeWithSelector(ITcbPolicy.AttributesDenied.selector, actual, forbidden)
            );
        }
        policy.requireAccepted(APP, facts, _bearer());
    }

    /// @dev Against the plain count: how many there are, and when the last of them falls short.
    function testFuzz_StandingOf_CountsKinds(uint32[4] memory ends, uint8 needed, uint32 at)
        public
    {
        Policy memory made = _policy();
        made.acceptedKinds = 0x1e;
        made.kindsNeeded = needed = uint8(_bound(needed, 0, 4));
        _publish(made, true);
        Bearer memory bearer = _bearer();
        for (uint256 i = 0; i < 4; ++i) {
            bearer.kindsUntil[i] = ends[i] % 8;
        }
        at %= 8;
        (uint256 standing, uint64 last) = (_standingAt(bearer, at), at);
        while (last < 8 && _standingAt(bearer, last) >= needed) ++last;
        (bytes memory failure, uint64 until) = policy.standingOf(APP, _facts(), bearer, at);
        if (needed > 1 && standing < needed) {
            vm.assertEq(
                failure,
                abi.encodeWithSelector(ITcbPolicy.ProofKindsTooFew.selector, standing, needed)
            );
        } else {
            vm.assertEq(failure.length, 0);
            vm.assertEq(until, needed < 2 ? type(uint64).max : last - 1);
        }
    }

    /// @dev The registration's own kind, 3, stands by itself.
    function _standingAt(Bearer memory bearer, uint64 at) private pure returns (uint256 standing) {
        for (uint256 i = 0; i < 4; ++i) {
            if (i + 1 == 3 || bearer.kindsUntil[i] >= at) ++standing;
        }
    }

    function test_StandingOf_NeverReachesTwoVersionsBack() public {
        _publish(_strict(2), false);
        (bytes memory failure,) =
            policy.standingOf(APP, _facts(), _bearer(), uint64(block.timestamp));
        vm.assertEq(failure.length, 0, "version 0 took it, and grace runs");
        vm.warp(block.timestamp + GRACE + 1);
        _publish(_strict(2), false);
        (failure,) = policy.standingOf(APP, _facts(), _bearer(), uint64(block.timestamp));
        vm.assertGt(failure.length, 0);
    }

    function test_StandingOf_GraceIsTheWorkersStatusOwn() public {
        Policy memory made = _strict(2);
        made.graces[0] = 1 hours;
        _publish(made, false);
        (bytes memory failure, uint64 until) =
            policy.standingOf(APP, _facts(), _bearer(), uint64(block.timestamp));
        vm.assertEq(failure.length, 0);
        vm.assertEq(until, block.timestamp + 1 hours);
        (failure,) = policy.standingOf(APP, _facts(), _bearer(), until + 1);
        vm.assertGt(failure.length, 0);
        TcbFacts memory facts = _facts();
        facts.tcbStatus = 2;
        (failure, until) = policy.standingOf(APP, facts, _bearer(), until + 1);
        vm.assertEq(failure.length, 0);
        vm.assertEq(until, block.timestamp + GRACE);
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(policy.supportsInterface(type(ITcbPolicy).interfaceId));
        vm.assertTrue(policy.supportsInterface(type(IGoverned).interfaceId));
        vm.assertFalse(policy.supportsInterface(0xffffffff));
    }

    /* PARTS */

    function _facts() private pure returns (TcbFacts memory) {
        return TcbFacts({
            teeType: TDX,
            tcbStatus: 1,
            kind: 3,
            fmspc: 0x50806f000000,
            attributes: 0,
            evaluationNumber: 17,
            measurementId: keccak256("image"),
            advisories: new bytes32[](0)
        });
    }

    function _advised() private pure returns (TcbFacts memory facts) {
        facts = _facts();
        facts.advisories = _list("INTEL-SA-00837");
    }

    function _bearer() private view returns (Bearer memory) {
        uint64[4] memory none;
        return Bearer({
            worker: STRANGER,
            platformId: keccak256("platform"),
            collateralFrom: uint64(block.timestamp) - 1 days,
            kindsUntil: none,
            place: 0
        });
    }

    /// @dev A policy that refuses {_facts} by one rule.
    function _strict(uint256 rule) private view returns (Policy memory made) {
        made = _gracious();
        if (rule == 0) made.acceptedStatuses = 0x0004;
        if (rule == 1) made.acceptedKinds = 0x06;
        if (rule == 2) made.minEvaluationNumber = 18;
        if (rule == 3) made.denied = _list(bytes32(_facts().fmspc));
        if (rule == 4) made.denied = _list(_bearer().platformId);
        if (rule == 5) made.platforms = _list("another platform");
        if (rule == 6) made.maxCollateralAge = 1 days - 1;
    }

    function _expectRefusal(Policy memory made, bytes memory failure) private {
        _publish(made, true);
        (bytes memory actual, uint64 until) =
            policy.standingOf(APP, _facts(), _bearer(), uint64(block.timestamp));
        vm.assertEq(actual, failure);
        vm.assertEq(until, 0);
        vm.expectRevert(failure);
        policy.requireAccepted(APP, _facts(), _bearer());
    }
}
