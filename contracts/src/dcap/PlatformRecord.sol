// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {PckIdentity} from "./PckLib.sol";
import {Endorsement} from "./QuoteLib.sol";
import {Certificate} from "./X509.sol";

/// @title PlatformRecord
/// @notice What is kept of a platform whose PCK certificate was proven, and of an attestation key that
/// its quoting enclave vouched for.
/// @dev Platform: platform id (32), SGX components (16), PCE SVN (2), PCE id (2), FMSPC (6), authority
/// (1), epoch of the authority's key (2), serial number (20), notBefore (5), notAfter (5), PCK x and y
/// (64). Attestation key, after its platform: x and y (64), and of the QE report MISCSELECT (4),
/// ATTRIBUTES (16), MRSIGNER (32), ISVPRODID (2, little-endian, as the report has it), ISVSVN (2).
library PlatformRecord {
    uint256 internal constant PLATFORM_LENGTH = 155;
    uint256 internal constant LENGTH = 275;

    /// @notice Packs a platform; the epoch is left at zero.
    function pack(Certificate memory certificate, PckIdentity memory identity, uint256 authority_)
        internal
        pure
        returns (bytes memory)
    {
        bytes memory head = abi.encodePacked(
            identity.platformId,
            uint128(identity.components),
            uint16(identity.pceSvn),
            uint16(identity.pceId),
            uint48(identity.fmspc),
            uint8(authority_),
            uint16(0)
        );
        return abi.encodePacked(
            head,
            uint160(certificate.serial),
            uint40(certificate.notBefore),
            uint40(certificate.notAfter),
            certificate.x,
            certificate.y
        );
    }

    /// @notice Sets the epoch of the authority's key in the record at `p`.
    function setEpoch(uint256 p, uint256 epoch_) internal pure {
        unchecked {
            Mem.store(p + 59, Mem.word(p + 59) & (type(uint256).max >> 16) | epoch_ << 240);
        }
    }

    /// @notice A platform's record, and the attestation key that `endorsement` vouches for.
    function withKey(uint256 platform, Endorsement memory endorsement)
        internal
        pure
        returns (bytes memory record)
    {
        record = new bytes(LENGTH);
        unchecked {
            uint256 p = Mem.at(record);
            Mem.copy(p, platform, PLATFORM_LENGTH);
            Mem.copy(p + PLATFORM_LENGTH, endorsement.key, 64);
            Mem.copy(p + 219, endorsement.report + 16, 4);
            Mem.copy(p + 223, endorsement.report + 48, 16);
            Mem.copy(p + 239, endorsement.report + 128, 32);
            Mem.copy(p + 271, endorsement.report + 256, 2);
            Mem.storeByte(p + 273, Mem.u8(endorsement.report + 259));
            Mem.storeByte(p + 274, Mem.u8(endorsement.report + 258));
        }
    }

    function platformId(uint256 p) internal pure returns (bytes32) {
        return bytes32(Mem.word(p));
    }

    function components(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 32) >> 128;
        }
    }

    /// @notice SGX components (16) and PCE SVN (2), as levels begin.
    function svns(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 32) >> 112;
        }
    }

    function pceSvn(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 48) >> 240;
        }
    }

    function pceId(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 50) >> 240;
        }
    }

    function fmspc(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 52) >> 208;
        }
    }

    /// @notice The family's number at the store, for a TEE type: see {ICollateralStore-assembledAt}.
    function family(uint256 p, uint256 teeType) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 52) >> 200 << 8 | teeType;
        }
    }

    function authority(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.u8(p + 58);
        }
    }

    function epoch(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 59) >> 240;
        }
    }

    function serial(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 61) >> 96;
        }
    }

    /// @notice notBefore and notAfter, as ten bytes.
    function window(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 81) >> 176;
        }
    }

    function pckKey(uint256 p) internal pure returns (uint256 x, uint256 y) {
        unchecked {
            return (Mem.word(p + 91), Mem.word(p + 123));
        }
    }

    function attestationKey(uint256 p) internal pure returns (uint256 x, uint256 y) {
        unchecked {
            return (Mem.word(p + 155), Mem.word(p + 187));
        }
    }

    /// @notice Where MISCSELECT, ATTRIBUTES, MRSIGNER and ISVPRODID of the quoting enclave are.
    function enclave(uint256 p) internal pure returns (uint256) {
        unchecked {
            return p + 219;
        }
    }

    /// @notice ISVSVN of the quoting enclave.
    function qeSvn(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + 273) >> 240;
        }
    }
}
