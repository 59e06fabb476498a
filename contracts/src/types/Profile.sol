// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {MeasurementLib} from "./Measurement.sol";

/// @notice Many measurements that are admitted as one: what must be as it is said, bit by bit.
/// @dev Whatever `mask` leaves out is a wildcard, and stands there for everyone to see.
struct Profile {
    uint8 teeType;
    /// @dev SGX: the least ISVSVN, whose bits `mask` then leaves out; zero for none. TDX: zero.
    uint16 minSvn;
    /// @dev Which bits of a measurement count, as long as a measurement of the TEE type.
    bytes mask;
    /// @dev What those bits must be; zero where `mask` is.
    bytes value;
}

/// @title ProfileLib
/// @notice The one hash of a profile, which profiles are sound, and what they match.
/// @dev Places in a measurement: docs/formats.md, "Journal".
library ProfileLib {
    /// @notice Mask and value are not of a measurement's length, or the TEE type is none.
    /// @custom:remedy Give 304 bytes each for SGX (type 1), 448 for TDX (type 2).
    error ProfileMalformed(uint8 teeType, uint256 maskLength, uint256 valueLength);

    /// @notice The value has bits that the mask leaves out, or a least SVN stands beside an exact one.
    /// @custom:remedy Zero what the mask leaves out: one profile has one encoding.
    error ProfileNotCanonical();

    /// @notice The profile does not say which code runs.
    /// @custom:remedy Pin all of MRENCLAVE, or of MRSIGNER and ISVPRODID; of a TD all of MRTD, RTMR1
    /// and RTMR2, and of MRCONFIGID or RTMR3.
    error ProfileTooWide();

    /// @notice The measurement is not what the profile says, from the byte `offset` on at the latest.
    /// @custom:remedy Run an image that the profile matches, or name the profile that matches it.
    error ProfileMismatch(uint256 offset);

    /// @notice The enclave's security version is below the profile's.
    /// @custom:remedy Run a newer image.
    error SvnTooLow(uint16 actual, uint16 required);

    bytes32 internal constant TYPEHASH =
        keccak256("Profile(uint8 teeType,uint16 minSvn,bytes mask,bytes value)");

    /// @dev Fields of an SGX measurement: offset and length.
    uint256 private constant MRENCLAVE = 48;
    uint256 private constant MRSIGNER = 112;
    uint256 private constant ISVPRODID = 240;
    uint256 private constant ISVSVN = 242;
    /// @dev Fields of a TDX measurement, 48 bytes each.
    uint256 private constant MRTD = 16;
    uint256 private constant MRCONFIGID = 64;
    uint256 private constant RTMR1 = 256;
    uint256 private constant RTMR2 = 304;
    uint256 private constant RTMR3 = 352;
    uint256 private constant REGISTER_LENGTH = 48;

    /// @notice The EIP-712 struct hash of `profile`, which the registry knows it by.
    function idOf(Profile calldata profile) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                TYPEHASH,
                profile.teeType,
                profile.minSvn,
                keccak256(profile.mask),
                keccak256(profile.value)
            )
        );
    }

    /// @notice Reverts with the reason unless `profile` has its one form and says which code runs.
    function requireSound(Profile calldata profile) internal pure {
        bytes calldata mask = profile.mask;
        uint256 length = MeasurementLib.lengthOf(profile.teeType);
        require(
            length != 0 && mask.length == length && profile.value.length == length,
            ProfileMalformed(profile.teeType, mask.length, profile.value.length)
        );
        for (uint256 at = 0; at < length; at += 32) {
            require(_word(profile.value, at) & ~_word(mask, at) == 0, ProfileNotCanonical());
        }
        if (profile.minSvn != 0) {
            bool exact = mask[ISVSVN] != 0 || mask[ISVSVN + 1] != 0;
            require(profile.teeType == MeasurementLib.SGX && !exact, ProfileNotCanonical());
        }
        require(_pinsCode(profile.teeType, mask), ProfileTooWide());
    }

    /// @notice Reverts with the reason unless `measurement` is one that a sound `profile` matches.
    function requireMatch(Profile calldata profile, bytes calldata measurement) internal pure {
        uint256 length = profile.mask.length;
        require(measurement.length == length, ProfileMismatch(measurement.length));
        for (uint256 at = 0; at < length; at += 32) {
            bytes32 found = _word(measurement, at) & _word(profile.mask, at);
            require(found == _word(profile.value, at), ProfileMismatch(at));
        }
        if (profile.minSvn == 0) return;
        // Little endian, as SGX has it.
        uint16 svn =
            uint16(uint8(measurement[ISVSVN])) | uint16(uint8(measurement[ISVSVN + 1])) << 8;
        require(svn >= profile.minSvn, SvnTooLow(svn, profile.minSvn));
    }

    function _pinsCode(uint8 teeType, bytes calldata mask) private pure returns (bool) {
        if (teeType == MeasurementLib.SGX) {
            return _isPinned(mask, MRENCLAVE, 32)
                || (_isPinned(mask, MRSIGNER, 32) && _isPinned(mask, ISVPRODID, 2));
        }
        bool boot = _isPinned(mask, MRTD, REGISTER_LENGTH)
            && _isPinned(mask, RTMR1, REGISTER_LENGTH) && _isPinned(mask, RTMR2, REGISTER_LENGTH);
        return boot
            && (_isPinned(mask, MRCONFIGID, REGISTER_LENGTH)
                || _isPinned(mask, RTMR3, REGISTER_LENGTH));
    }

    function _isPinned(bytes calldata mask, uint256 from, uint256 length)
        private
        pure
        returns (bool)
    {
        for (uint256 at = from; at < from + length; ++at) {
            if (mask[at] != 0xff) return false;
        }
        return true;
    }

    /// @dev Up to 32 bytes from `at`; zeros follow where there are fewer.
    function _word(bytes calldata data, uint256 at) private pure returns (bytes32) {
        return at + 32 <= data.length ? bytes32(data[at:at + 32]) : bytes32(data[at:]);
    }
}
