// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {
    IMeasurementRegistry,
    Manifest,
    MeasurementStatus
} from "../src/interfaces/IMeasurementRegistry.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {Base} from "./Base.t.sol";

contract MeasurementRegistryTest is Base {
    bytes32 private constant APP = keccak256("app");
    bytes32 private constant ID = keccak256("measurement");

    MeasurementRegistry private registry;

    function setUp() public {
        registry = new MeasurementRegistry(GOVERNOR, GUARDIAN, new ChangeLog(1));
    }

    /* CONSTRUCTOR */

    function test_Constructor_RevertWhen_AnAddressIsZero() public {
        ChangeLog log = new ChangeLog(1);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new MeasurementRegistry(address(0), GUARDIAN, log);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new MeasurementRegistry(GOVERNOR, address(0), log);
        vm.expectRevert(IGoverned.ZeroAddress.selector);
        new MeasurementRegistry(GOVERNOR, GUARDIAN, ChangeLog(address(0)));
    }

    /* ADMIT */

    function testFuzz_Admit_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        _expectUnauthorized(caller);
        registry.admit(APP, ID, _manifest());
    }

    function test_Admit_RevertWhen_TheGuardianTries() public {
        _expectUnauthorized(GUARDIAN);
        registry.admit(APP, ID, _manifest());
    }

    function test_Admit_RevertWhen_AnIdIsZero() public {
        vm.startPrank(GOVERNOR);
        vm.expectRevert(IMeasurementRegistry.ZeroId.selector);
        registry.admit(0, ID, _manifest());
        vm.expectRevert(IMeasurementRegistry.ZeroId.selector);
        registry.admit(APP, 0, _manifest());
    }

    function test_Admit_RevertWhen_TheManifestLacksSomething() public {
        Manifest[3] memory incomplete = [_manifest(), _manifest(), _manifest()];
        incomplete[0].sourceCommit = 0;
        incomplete[1].buildDigest = 0;
        incomplete[2].sourceUri = "";
        vm.startPrank(GOVERNOR);
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(IMeasurementRegistry.ManifestIncomplete.selector);
            registry.admit(APP, ID, incomplete[i]);
        }
    }

    function test_Admit_RevertWhen_TheSourceUriIsTooLong() public {
        Manifest memory manifest = _manifest();
        manifest.sourceUri = string(new bytes(513));
        vm.startPrank(GOVERNOR);
        vm.expectRevert(
            abi.encodeWithSelector(IMeasurementRegistry.SourceUriTooLong.selector, 513, 512)
        );
        registry.admit(APP, ID, manifest);
        manifest.sourceUri = string(new bytes(512));
        registry.admit(APP, ID, manifest);
    }

    function test_Admit_RevertGiven_AdmittedOrRevoked() public {
        vm.startPrank(GOVERNOR);
        registry.admit(APP, ID, _manifest());
        _expectWrongStatus(MeasurementStatus.Admitted, MeasurementStatus.Unknown);
        registry.admit(APP, ID, _manifest());
        registry.revoke(APP, ID);
        _expectWrongStatus(MeasurementStatus.Revoked, MeasurementStatus.Unknown);
        registry.admit(APP, ID, _manifest());
    }

    function test_Admit_AdmitsForThisAppAlone() public {
        vm.expectEmit(true, true, true, true, address(registry));
        emit IMeasurementRegistry.MeasurementAdmitted(APP, ID, _manifest());
        vm.prank(GOVERNOR);
        registry.admit(APP, ID, _manifest());
        vm.assertTrue(registry.statusOf(APP, ID) == MeasurementStatus.Admitted);
        vm.assertTrue(registry.statusOf(keccak256("other"), ID) == MeasurementStatus.Unknown);
        registry.requireAdmitted(APP, ID);
    }

    /* REVOKE */

    function testFuzz_Revoke_RevertWhen_NeitherGovernorNorGuardian(address caller) public {
        vm.assume(caller != GOVERNOR && caller != GUARDIAN);
        _expectUnauthorized(caller);
        registry.revoke(APP, ID);
    }

    function test_Revoke_RevertGiven_NotAdmitted() public {
        vm.startPrank(GUARDIAN);
        _expectWrongStatus(MeasurementStatus.Unknown, MeasurementStatus.Admitted);
        registry.revoke(APP, ID);
    }

    function test_Revoke_RevokesForEver() public {
        vm.prank(GOVERNOR);
        registry.admit(APP, ID, _manifest());
        vm.expectEmit(true, true, true, true, address(registry));
        emit IMeasurementRegistry.MeasurementRevoked(APP, ID, MeasurementStatus.Admitted, GUARDIAN);
        vm.prank(GUARDIAN);
        registry.revoke(APP, ID);
        vm.expectRevert(
            abi.encodeWithSelector(
                IMeasurementRegistry.MeasurementNotAdmitted.selector,
                APP,
                ID,
                MeasurementStatus.Revoked
            )
        );
        registry.requireAdmitted(APP, ID);
    }

    /* BAN */

    function test_Ban_RevertGiven_NotUnknown() public {
        vm.startPrank(GOVERNOR);
        registry.admit(APP, ID, _manifest());
        _expectWrongStatus(MeasurementStatus.Admitted, MeasurementStatus.Unknown);
        registry.ban(APP, ID);
    }

    function test_Ban_RulesOutInAdvance() public {
        vm.expectEmit(true, true, true, true, address(registry));
        emit IMeasurementRegistry.MeasurementRevoked(APP, ID, MeasurementStatus.Unknown, GUARDIAN);
        vm.prank(GUARDIAN);
        registry.ban(APP, ID);
        vm.prank(GOVERNOR);
        _expectWrongStatus(MeasurementStatus.Revoked, MeasurementStatus.Unknown);
        registry.admit(APP, ID, _manifest());
    }

    function test_Ban_RevertWhen_AStrangerTries() public {
        _expectUnauthorized(STRANGER);
        registry.ban(APP, ID);
    }

    /* ERC-165 */

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(registry.supportsInterface(type(IMeasurementRegistry).interfaceId));
        vm.assertTrue(registry.supportsInterface(type(IGoverned).interfaceId));
        vm.assertTrue(registry.supportsInterface(type(IERC165).interfaceId));
        vm.assertFalse(registry.supportsInterface(0xffffffff));
    }

    function _manifest() private pure returns (Manifest memory) {
        return Manifest("commit", "digest", "https://example.org");
    }

    function _expectUnauthorized(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
    }

    function _expectWrongStatus(MeasurementStatus actual, MeasurementStatus required) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IMeasurementRegistry.WrongMeasurementStatus.selector, APP, ID, actual, required
            )
        );
    }
}
