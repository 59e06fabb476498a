// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {
    IMeasurementRegistry,
    Manifest,
    MeasurementStatus
} from "../src/interfaces/IMeasurementRegistry.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Profile, ProfileLib} from "../src/types/Profile.sol";
import {Base} from "./Base.t.sol";

contract ProfilesTest is Base {
    string private constant VECTORS = "../tests/vectors/eip712.json";
    bytes32 private constant APP = keccak256("app");
    uint8 private constant SGX = 1;
    uint8 private constant TDX = 2;
    uint256 private constant MRENCLAVE = 48;
    uint256 private constant MRSIGNER = 112;
    uint256 private constant ISVPRODID = 240;
    uint256 private constant ISVSVN = 242;
    uint256 private constant RTMR0 = 208;

    ChangeLog private log;
    MeasurementRegistry private registry;

    function setUp() public {
        log = new ChangeLog(1);
        registry = new MeasurementRegistry(GOVERNOR, GUARDIAN, log);
    }

    /* ID */

    function test_Profiles_AreThoseOfTheVectors() public {
        string memory json = vm.readFile(VECTORS);
        for (uint256 i = 0; i < 3; ++i) {
            string memory at = string.concat(".profiles[", vm.toString(i), "].");
            Profile memory profile = Profile({
                teeType: uint8(vm.parseJsonUint(json, string.concat(at, "teeType"))),
                minSvn: uint16(vm.parseJsonUint(json, string.concat(at, "minSvn"))),
                mask: vm.parseJsonBytes(json, string.concat(at, "mask")),
                value: vm.parseJsonBytes(json, string.concat(at, "value"))
            });
            vm.assertEq(_admit(profile), vm.parseJsonBytes32(json, string.concat(at, "profileId")));
            bytes memory other = vm.parseJsonBytes(json, string.concat(at, "differs"));
            uint256 place = vm.parseJsonUint(json, string.concat(at, "differsAt"));
            vm.expectRevert(abi.encodeWithSelector(ProfileLib.ProfileMismatch.selector, place));
            registry.matchProfile(APP, profile, other);
            bytes memory found = vm.parseJsonBytes(json, string.concat(at, "matches"));
            vm.assertEq(
                registry.matchProfile(APP, profile, found),
                vm.parseJsonBytes32(json, string.concat(at, "measurementId"))
            );
        }
    }

    /* ADMIT */

    function testFuzz_AdmitProfile_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
        registry.admitProfile(APP, _signerProfile(), _manifest());
    }

    function test_AdmitProfile_RevertWhen_SomethingIsMissing() public {
        vm.startPrank(GOVERNOR);
        vm.expectRevert(IMeasurementRegistry.ZeroId.selector);
        registry.admitProfile(0, _signerProfile(), _manifest());
        Manifest memory manifest = _manifest();
        manifest.buildDigest = 0;
        vm.expectRevert(IMeasurementRegistry.ManifestIncomplete.selector);
        registry.admitProfile(APP, _signerProfile(), manifest);
    }

    function test_AdmitProfile_RevertWhen_ALengthIsWrong() public {
        Profile memory profile = _signerProfile();
        profile.teeType = 3;
        _expectRefused(profile, ProfileLib.ProfileMalformed.selector);
        profile.teeType = TDX;
        _expectRefused(profile, ProfileLib.ProfileMalformed.selector);
        profile = _signerProfile();
        profile.mask = new bytes(303);
        _expectRefused(profile, ProfileLib.ProfileMalformed.selector);
        profile = _signerProfile();
        profile.value = new bytes(305);
        _expectRefused(profile, ProfileLib.ProfileMalformed.selector);
    }

    /// @dev Two encodings of one profile would be two ids.
    function testFuzz_AdmitProfile_RevertWhen_TheValueHasBitsOutsideTheMask(uint256 at) public {
        Profile memory profile = _signerProfile();
        at = _bound(at, MRENCLAVE, MRENCLAVE + 31);
        profile.value[at] = 0x01;
        _expectRefused(profile, ProfileLib.ProfileNotCanonical.selector);
    }

    function test_AdmitProfile_RevertWhen_ALeastSvnIsOutOfPlace() public {
        Profile memory profile = _signerProfile();
        profile.mask[ISVSVN + 1] = 0xff;
        _expectRefused(profile, ProfileLib.ProfileNotCanonical.selector);
        profile = _tdProfile();
        profile.minSvn = 1;
        _expectRefused(profile, ProfileLib.ProfileNotCanonical.selector);
    }

    /// @dev There is no off switch: what says which code runs is never a wildcard, in no bit of it.
    function testFuzz_AdmitProfile_RevertWhen_TheCodeIsOpen(uint256 field, uint256 bit) public {
        Profile memory profile = _signerProfile();
        uint256[2] memory signer = [MRSIGNER, ISVPRODID];
        field = _bound(field, 0, 4);
        if (field < 2) {
            _open(profile, signer[field] + bit / 8 % (field == 0 ? 32 : 2), bit);
        } else {
            profile = _tdProfile();
            uint256[3] memory boot = [uint256(16), 256, 304];
            _open(profile, boot[field - 2] + bit / 8 % 48, bit);
        }
        _expectRefused(profile, ProfileLib.ProfileTooWide.selector);
    }

    function test_AdmitProfile_RevertWhen_NeitherConfigurationNorRuntimeIsPinned() public {
        Profile memory profile = _tdProfile();
        profile.mask[64] = 0xfe;
        _admit(profile);
        profile.mask[352] = 0;
        _expectRefused(profile, ProfileLib.ProfileTooWide.selector);
        profile.mask[64] = 0xff;
        _admit(profile);
    }

    function test_AdmitProfile_RevertGiven_AdmittedOrRevoked() public {
        Profile memory profile = _signerProfile();
        bytes32 id = _admit(profile);
        vm.startPrank(GOVERNOR);
        _expectWrongStatus(id, MeasurementStatus.Admitted, MeasurementStatus.Unknown);
        registry.admitProfile(APP, profile, _manifest());
        registry.revoke(APP, id);
        _expectWrongStatus(id, MeasurementStatus.Revoked, MeasurementStatus.Unknown);
        registry.admitProfile(APP, profile, _manifest());
    }

    function test_AdmitProfile_ShowsEveryWildcardAndReports() public {
        Profile memory profile = _signerProfile();
        bytes32 id = registry.profileIdOf(profile);
        vm.expectEmit(true, true, true, true, address(registry));
        emit IMeasurementRegistry.ProfileAdmitted(APP, id, profile, _manifest());
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(registry),
            keccak256(abi.encode(APP, id)),
            GOVERNOR,
            registry.admitProfile.selector,
            false,
            1
        );
        vm.assertEq(_admit(profile), id);
        vm.assertTrue(registry.statusOf(APP, id) == MeasurementStatus.Admitted);
        vm.assertTrue(registry.statusOf("other app", id) == MeasurementStatus.Unknown);
    }

    /* MATCH */

    function testFuzz_MatchProfile_AdmitsWhatItMatchesWhoeverSends(
        address sender,
        bytes32 mrenclave,
        uint16 svn
    ) public {
        Profile memory profile = _signerProfile();
        bytes32 profileId = _admit(profile);
        bytes memory measurement = _enclave(mrenclave, svn);
        bytes32 id = MeasurementLib.idOf(SGX, measurement);
        if (svn < profile.minSvn) {
            vm.expectRevert(
                abi.encodeWithSelector(ProfileLib.SvnTooLow.selector, svn, profile.minSvn)
            );
            registry.matchProfile(APP, profile, measurement);
            vm.assertTrue(registry.statusOf(APP, id) == MeasurementStatus.Unknown);
            return;
        }
        vm.expectEmit(true, true, true, true, address(registry));
        emit IMeasurementRegistry.MeasurementMatched(APP, id, profileId);
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(registry),
            keccak256(abi.encode(APP, id)),
            sender,
            registry.matchProfile.selector,
            false,
            1
        );
        vm.prank(sender);
        vm.assertEq(registry.matchProfile(APP, profile, measurement), id);
        registry.requireAdmitted(APP, id);
        vm.assertEq(registry.profileOf(APP, id), profileId);
    }

    function testFuzz_MatchProfile_RevertWhen_APinnedBitIsAnother(uint256 at, uint256 bit) public {
        Profile memory profile = _signerProfile();
        _admit(profile);
        bytes memory measurement = _enclave("image", 7);
        at = _bound(at, 0, measurement.length - 1);
        bytes1 flipped = bytes1(uint8(2 ** (bit % 8)));
        measurement[at] ^= flipped;
        bool pinned = profile.mask[at] & flipped != 0;
        if (pinned) {
            vm.expectPartialRevert(ProfileLib.ProfileMismatch.selector);
        } else if (at == ISVSVN && uint8(measurement[at]) < 3) {
            vm.expectPartialRevert(ProfileLib.SvnTooLow.selector);
        }
        registry.matchProfile(APP, profile, measurement);
    }

    function test_MatchProfile_RevertWhen_TheLengthIsWrong() public {
        Profile memory profile = _signerProfile();
        _admit(profile);
        vm.expectRevert(abi.encodeWithSelector(ProfileLib.ProfileMismatch.selector, 448));
        registry.matchProfile(APP, profile, new bytes(448));
    }

    function test_MatchProfile_RevertGiven_TheProfileIsNotAdmitted() public {
        Profile memory profile = _signerProfile();
        bytes32 id = registry.profileIdOf(profile);
        bytes memory measurement = _enclave("image", 3);
        _expectNotAdmitted(id, MeasurementStatus.Unknown);
        registry.matchProfile(APP, profile, measurement);
        // To admit the bare id hides what is open, and opens nothing.
        vm.prank(GOVERNOR);
        registry.admit(APP, id, _manifest());
        _expectNotAdmitted(id, MeasurementStatus.Admitted);
        registry.matchProfile(APP, profile, measurement);
        vm.prank(GUARDIAN);
        registry.revoke(APP, id);
        _expectNotAdmitted(id, MeasurementStatus.Revoked);
        registry.matchProfile(APP, profile, measurement);
    }

    function test_MatchProfile_RevertGiven_TheMeasurementIsSettled() public {
        Profile memory profile = _signerProfile();
        _admit(profile);
        bytes memory banned = _enclave("banned", 3);
        bytes memory admitted = _enclave("admitted", 3);
        (bytes32 bad, bytes32 good) =
            (MeasurementLib.idOf(SGX, banned), MeasurementLib.idOf(SGX, admitted));
        vm.prank(GUARDIAN);
        registry.ban(APP, bad);
        vm.prank(GOVERNOR);
        registry.admit(APP, good, _manifest());
        _expectWrongStatus(bad, MeasurementStatus.Revoked, MeasurementStatus.Unknown);
        registry.matchProfile(APP, profile, banned);
        _expectWrongStatus(good, MeasurementStatus.Admitted, MeasurementStatus.Unknown);
        registry.matchProfile(APP, profile, admitted);
    }

    /* REVOKE */

    function test_Revoke_TakesAllThatCameThroughTheProfile() public {
        Profile memory profile = _signerProfile();
        bytes32 profileId = _admit(profile);
        bytes32 one = registry.matchProfile(APP, profile, _enclave("one", 3));
        bytes32 two = registry.matchProfile(APP, profile, _enclave("two", 4));
        vm.prank(GUARDIAN);
        registry.revoke(APP, one);
        vm.assertTrue(registry.statusOf(APP, one) == MeasurementStatus.Revoked);
        vm.assertTrue(registry.statusOf(APP, two) == MeasurementStatus.Admitted);
        uint24 before = log.epoch();
        vm.prank(GUARDIAN);
        registry.revoke(APP, profileId);
        vm.assertEq(log.epoch(), before + 1);
        vm.assertTrue(registry.statusOf(APP, two) == MeasurementStatus.Revoked);
        // For ever: not even another profile brings it back.
        profile.minSvn = 4;
        _admit(profile);
        _expectWrongStatus(two, MeasurementStatus.Revoked, MeasurementStatus.Admitted);
        registry.matchProfile(APP, profile, _enclave("two", 4));
    }

    /// @dev How the bar is raised without stopping the honest.
    function test_MatchProfile_MovesWhatIsAdmittedToTheNextProfile() public {
        Profile memory profile = _signerProfile();
        bytes32 first = _admit(profile);
        bytes32 old = registry.matchProfile(APP, profile, _enclave("old", 3));
        bytes32 new_ = registry.matchProfile(APP, profile, _enclave("new", 4));
        profile.minSvn = 4;
        bytes32 second = _admit(profile);
        registry.matchProfile(APP, profile, _enclave("new", 4));
        vm.assertEq(registry.profileOf(APP, new_), second);
        vm.prank(GUARDIAN);
        registry.revoke(APP, first);
        vm.assertTrue(registry.statusOf(APP, old) == MeasurementStatus.Revoked);
        registry.requireAdmitted(APP, new_);
    }

    /* PARTS */

    /// @dev Any enclave of one signer's product, of SVN 3 or more, in production mode.
    function _signerProfile() private pure returns (Profile memory profile) {
        profile.teeType = SGX;
        profile.minSvn = 3;
        profile.mask = new bytes(304);
        for (uint256 i = 0; i < 304; ++i) {
            bool open = (i >= MRENCLAVE && i < MRENCLAVE + 32) || i == ISVSVN || i == ISVSVN + 1;
            if (!open) profile.mask[i] = 0xff;
        }
        profile.value = _enclave("", 0);
    }

    function _enclave(bytes32 mrenclave, uint16 svn) private pure returns (bytes memory) {
        return abi.encodePacked(
            new bytes(32),
            bytes16(hex"07000000000000000700000000000000"),
            mrenclave,
            new bytes(32),
            keccak256("signer"),
            new bytes(96),
            bytes2(0x0100),
            bytes1(uint8(svn)),
            bytes1(uint8(svn >> 8)),
            new bytes(60)
        );
    }

    /// @dev A TD of any size: RTMR0 is open.
    function _tdProfile() private pure returns (Profile memory profile) {
        profile.teeType = TDX;
        profile.mask = new bytes(448);
        for (uint256 i = 0; i < 448; ++i) {
            if (i < RTMR0 || i >= RTMR0 + 48) profile.mask[i] = 0xff;
        }
        profile.value = new bytes(448);
    }

    function _open(Profile memory profile, uint256 at, uint256 bit) private pure {
        bytes1 hole = bytes1(uint8(2 ** (bit % 8)));
        profile.mask[at] &= ~hole;
        profile.value[at] &= ~hole;
    }

    function _manifest() private pure returns (Manifest memory) {
        return Manifest("commit", "digest", "https://example.org");
    }

    function _admit(Profile memory profile) private returns (bytes32) {
        vm.prank(GOVERNOR);
        return registry.admitProfile(APP, profile, _manifest());
    }

    function _expectRefused(Profile memory profile, bytes4 reason) private {
        vm.prank(GOVERNOR);
        vm.expectPartialRevert(reason);
        registry.admitProfile(APP, profile, _manifest());
    }

    function _expectNotAdmitted(bytes32 id, MeasurementStatus actual) private {
        vm.expectRevert(
            abi.encodeWithSelector(
                IMeasurementRegistry.ProfileNotAdmitted.selector, APP, id, actual
            )
        );
    }

    function _expectWrongStatus(bytes32 id, MeasurementStatus actual, MeasurementStatus required)
        private
    {
        vm.expectRevert(
            abi.encodeWithSelector(
                IMeasurementRegistry.WrongMeasurementStatus.selector, APP, id, actual, required
            )
        );
    }
}
