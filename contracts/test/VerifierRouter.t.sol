// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {IVerifierRouter, RouteStatus} from "../src/interfaces/IVerifierRouter.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {Verdict} from "../src/types/Verdict.sol";
import {VerifierRouter} from "../src/verify/VerifierRouter.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {StubQuoteVerifier} from "../src/zk/StubQuoteVerifier.sol";
import {Deployment} from "./Deployment.t.sol";

contract VerifierRouterTest is Deployment {
    bytes4 private constant NEW_ROUTE = "New1";

    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_RootsAreInvalid() public {
        _expectInvalidRoots(new bytes32[](0));
        _expectInvalidRoots(new bytes32[](1));
        bytes32[] memory roots = new bytes32[](2);
        (roots[0], roots[1]) = (ROOT, ROOT);
        _expectInvalidRoots(roots);
        roots = new bytes32[](17);
        for (uint256 i = 0; i < 17; ++i) {
            roots[i] = bytes32(i + 1);
        }
        _expectInvalidRoots(roots);
    }

    /* ADD */

    function testFuzz_AddRoute_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        vm.prank(caller);
        router.addRoute(NEW_ROUTE, committee);
    }

    function test_AddRoute_RevertWhen_ItIsNoVerifier() public {
        vm.startPrank(GOVERNOR);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        router.addRoute(NEW_ROUTE, IQuoteVerifier(address(0)));
        address[2] memory impostors = [STRANGER, address(measurements)];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(IVerifierRouter.NotAVerifier.selector, impostors[i])
            );
            router.addRoute(NEW_ROUTE, IQuoteVerifier(impostors[i]));
        }
    }

    function test_AddRoute_RevertGiven_TheRouteWasUsed() public {
        vm.startPrank(GOVERNOR);
        _expectUsed(RouteStatus.Active);
        router.addRoute(COMMITTEE, committee);
        router.freeze(COMMITTEE);
        _expectUsed(RouteStatus.Frozen);
        router.addRoute(COMMITTEE, committee);
    }

    function test_AddRoute_RevertWhen_AStubIsNotAllowed() public {
        StubQuoteVerifier stub = _stub();
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.StubNotAllowed.selector, NEW_ROUTE));
        vm.prank(GOVERNOR);
        router.addRoute(NEW_ROUTE, stub);
        vm.assertFalse(router.ALLOW_STUB());
    }

    function test_AddRoute_OpensTheRoute() public {
        vm.expectEmit(true, true, true, true, address(router));
        emit IVerifierRouter.RouteAdded(NEW_ROUTE, address(committee), ProofKind.Committee);
        vm.prank(GOVERNOR);
        router.addRoute(NEW_ROUTE, committee);
        vm.assertTrue(router.statusOf(NEW_ROUTE) == RouteStatus.Active);
        vm.assertTrue(router.kindOf(NEW_ROUTE) == ProofKind.Committee);
        vm.assertEq(address(router.verifierOf(NEW_ROUTE)), address(committee));
    }

    function test_AddRoute_AcceptsAStubWhereItIsAllowed() public {
        bytes32[] memory roots = new bytes32[](1);
        roots[0] = ROOT;
        router = new VerifierRouter(GOVERNOR, GUARDIAN, new ChangeLog(1), true, roots);
        StubQuoteVerifier stub = _stub();
        vm.prank(GOVERNOR);
        router.addRoute(NEW_ROUTE, stub);
        vm.assertTrue(router.kindOf(NEW_ROUTE) == ProofKind.Stub);
    }

    /* FREEZE */

    function testFuzz_Freeze_RevertWhen_NeitherGovernorNorGuardian(address caller) public {
        vm.assume(caller != GOVERNOR && caller != GUARDIAN);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        vm.prank(caller);
        router.freeze(COMMITTEE);
    }

    function test_Freeze_ShutsTheRouteForEver() public {
        bytes memory journal = abi.encode(_verdict());
        bytes memory proof = _proof(journal);
        router.verify(COMMITTEE, journal, proof);
        vm.expectEmit(true, true, true, true, address(router));
        emit IVerifierRouter.RouteFrozen(COMMITTEE, RouteStatus.Active, GUARDIAN);
        vm.prank(GUARDIAN);
        router.freeze(COMMITTEE);
        _expectNotActive(COMMITTEE, RouteStatus.Frozen);
        router.verify(COMMITTEE, journal, proof);
        _expectNotActive(COMMITTEE, RouteStatus.Frozen);
        vm.prank(GOVERNOR);
        router.freeze(COMMITTEE);
    }

    function test_Freeze_RulesOutARouteInAdvance() public {
        vm.expectEmit(true, true, true, true, address(router));
        emit IVerifierRouter.RouteFrozen(NEW_ROUTE, RouteStatus.Unknown, GUARDIAN);
        vm.prank(GUARDIAN);
        router.freeze(NEW_ROUTE);
        vm.expectPartialRevert(IVerifierRouter.RouteAlreadyUsed.selector);
        vm.prank(GOVERNOR);
        router.addRoute(NEW_ROUTE, committee);
    }

    /* VERIFY */

    function testFuzz_Verify_RevertGiven_TheRouteIsUnknown(bytes4 route) public {
        vm.assume(route != COMMITTEE);
        _expectNotActive(route, RouteStatus.Unknown);
        router.verify(route, "", "");
    }

    function testFuzz_Verify_RevertWhen_TheRootIsNotTrusted(bytes32 root) public {
        vm.assume(root != ROOT);
        Verdict memory verdict = _verdict();
        verdict.rootKeyHash = root;
        bytes memory journal = abi.encode(verdict);
        bytes memory proof = _proof(journal);
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.RootKeyNotTrusted.selector, root));
        router.verify(COMMITTEE, journal, proof);
    }

    function test_Verify_ReturnsTheVerdictAndTheKind() public view {
        bytes memory journal = abi.encode(_verdict());
        (Verdict memory verdict, ProofKind kind) =
            router.verify(COMMITTEE, journal, _proof(journal));
        vm.assertEq(abi.encode(verdict), journal);
        vm.assertTrue(kind == ProofKind.Committee);
    }

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(router.supportsInterface(type(IVerifierRouter).interfaceId));
        vm.assertTrue(router.supportsInterface(type(IGoverned).interfaceId));
        vm.assertFalse(router.supportsInterface(0xffffffff));
    }

    /* PARTS */

    function _stub() private returns (StubQuoteVerifier) {
        return new StubQuoteVerifier(new RiscZeroStubVerifier(), "image", MAX_AGE);
    }

    function _expectInvalidRoots(bytes32[] memory roots) private {
        log = new ChangeLog(1);
        vm.expectRevert(IVerifierRouter.RootKeysInvalid.selector);
        new VerifierRouter(GOVERNOR, GUARDIAN, log, false, roots);
    }

    function _expectUsed(RouteStatus status) private {
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRouter.RouteAlreadyUsed.selector, COMMITTEE, status)
        );
    }

    function _expectNotActive(bytes4 route, RouteStatus status) private {
        vm.expectRevert(
            abi.encodeWithSelector(IVerifierRouter.RouteNotActive.selector, route, status)
        );
    }
}
