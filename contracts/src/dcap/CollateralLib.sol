// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {check} from "./Refusal.sol";

/// @dev The parts that collateral is put together from, each packed.
struct Parts {
    uint256 rootWindow;
    bytes rootCrl;
    bytes tcbSigner;
    bytes qeSigner;
    bytes tcbInfo;
    bytes qeIdentity;
    bytes authority;
    bytes pckCrl;
    uint256 authorityNumber;
    uint256 authorityEpoch;
    uint256 pckCrlStamp;
    address pckCrlPointer;
}

/// @title CollateralLib
/// @notice All that one platform family is judged by, in one piece.
/// @dev Packed: validFrom (5), validUntil (5); the windows of root certificate, root revocation list,
/// TCB info signer, QE identity signer, TCB info, QE identity, PCK CA, PCK revocation list (10 each);
/// evaluation number (4); PCE id (2), FMSPC (6), authority (1) and its key's epoch (2), as in
/// {PlatformRecord}; TEE type (1); stamp of the PCK revocation list (3) and where it is kept (20); where
/// the TCB info's section begins (2); the six collateral hashes of the journal (32 each); sections of QE
/// identity and TCB info.
library CollateralLib {
    uint256 private constant WINDOWS = 10;
    uint256 private constant NUMBERS = 90;
    uint256 private constant HASHES = 131;
    uint256 private constant SECTIONS = HASHES + 6 * 32;

    /// @dev Heads of documents: see {DocumentLib}; of lists: see {CrlLib}; of certificates: see
    /// {CertificateRecord}.
    uint256 private constant DOCUMENT_HEAD = 87;

    /// @notice Puts `parts` together.
    function pack(Parts memory parts) internal pure returns (bytes memory packed) {
        unchecked {
            uint256 qe = parts.qeIdentity.length - DOCUMENT_HEAD;
            uint256 tcb = parts.tcbInfo.length - DOCUMENT_HEAD;
            packed = new bytes(SECTIONS + qe + tcb);
            uint256 p = Mem.at(packed);
            uint256 tcbInfo = Mem.at(parts.tcbInfo);
            uint256 qeIdentity = Mem.at(parts.qeIdentity);
            _windows(parts, p);
            uint256 evaluation = Mem.number(tcbInfo + 10, 4);
            uint256 other = Mem.number(qeIdentity + 10, 4);
            if (other < evaluation) evaluation = other;
            uint256 numbers = evaluation << 224 | Mem.number(tcbInfo + 21, 2) << 208
                | Mem.number(tcbInfo + 15, 6) << 160 | parts.authorityNumber << 152;
            numbers |= parts.authorityEpoch << 136 | Mem.number(tcbInfo + 14, 1) << 128;
            Mem.store(p + NUMBERS, numbers | parts.pckCrlStamp << 104);
            Mem.store(
                p + NUMBERS + 19,
                uint256(uint160(parts.pckCrlPointer)) << 96 | (SECTIONS + qe) << 80
            );
            Mem.copy(p + HASHES, tcbInfo + 23, 32);
            Mem.copy(p + HASHES + 32, qeIdentity + 23, 32);
            Mem.copy(p + HASHES + 64, Mem.at(parts.rootCrl) + 10, 32);
            Mem.copy(p + HASHES + 96, Mem.at(parts.pckCrl) + 10, 32);
            Mem.copy(p + HASHES + 128, tcbInfo + 55, 32);
            Mem.copy(p + HASHES + 160, qeIdentity + 55, 32);
            Mem.copy(p + SECTIONS, qeIdentity + DOCUMENT_HEAD, qe);
            Mem.copy(p + SECTIONS + qe, tcbInfo + DOCUMENT_HEAD, tcb);
        }
    }

    /// @notice validFrom and validUntil.
    function window(uint256 p) internal pure returns (uint256 from, uint256 until) {
        unchecked {
            from = Mem.word(p) >> 216;
            until = Mem.word(p + 5) >> 216;
        }
    }

    /// @notice Refuses unless `at` is inside every window; the first that is not names the reason.
    function requireCurrent(uint256 p, uint256 at) internal pure {
        (uint256 from, uint256 until) = window(p);
        if (at >= from && at <= until) return;
        for (uint256 i = 0; i < 8; ++i) {
            uint256 q = p + WINDOWS + 10 * i;
            requireWithin(Mem.number(q, 10), at, _expired(i), _early(i));
        }
    }

    /// @notice Refuses unless `at` is inside the window of ten bytes.
    function requireWithin(uint256 packed, uint256 at, bytes32 expired, bytes32 early)
        internal
        pure
    {
        check(at <= packed & type(uint40).max, expired);
        check(at >= packed >> 40, early);
    }

    /// @notice PCE id of the TCB info.
    function pceId(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + NUMBERS + 4) >> 240;
        }
    }

    /// @notice How often the authority's key changed.
    function authorityEpoch(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + NUMBERS + 13) >> 240;
        }
    }

    /// @notice Which PCK revocation list is in force.
    function pckCrlStamp(uint256 p) internal pure returns (uint256) {
        unchecked {
            return Mem.word(p + NUMBERS + 16) >> 232;
        }
    }

    /// @notice Where the PCK revocation list is kept.
    function pckCrlPointer(uint256 p) internal pure returns (address) {
        unchecked {
            return address(uint160(Mem.word(p + NUMBERS + 19) >> 96));
        }
    }

    /// @notice Where the six hashes begin.
    function hashes(uint256 p) internal pure returns (uint256) {
        unchecked {
            return p + HASHES;
        }
    }

    /// @notice Where the QE identity's section begins.
    function qeSection(uint256 p) internal pure returns (uint256) {
        unchecked {
            return p + SECTIONS;
        }
    }

    /// @notice Where the TCB info's section begins.
    function tcbSection(uint256 p) internal pure returns (uint256) {
        unchecked {
            return p + (Mem.word(p + NUMBERS + 39) >> 240);
        }
    }

    function _windows(Parts memory parts, uint256 p) private pure {
        uint256[8] memory all;
        all[0] = parts.rootWindow;
        all[1] = Mem.number(Mem.at(parts.rootCrl), 10);
        all[2] = Mem.number(Mem.at(parts.tcbSigner) + 64, 10);
        all[3] = Mem.number(Mem.at(parts.qeSigner) + 64, 10);
        all[4] = Mem.number(Mem.at(parts.tcbInfo), 10);
        all[5] = Mem.number(Mem.at(parts.qeIdentity), 10);
        all[6] = Mem.number(Mem.at(parts.authority) + 64, 10);
        all[7] = Mem.number(Mem.at(parts.pckCrl), 10);
        uint256 from;
        uint256 until = type(uint40).max;
        for (uint256 i = 0; i < 8; ++i) {
            uint256 start = all[i] >> 40;
            uint256 end = all[i] & type(uint40).max;
            if (start > from) from = start;
            if (end < until) until = end;
        }
        Mem.store(p, from << 216 | until << 176);
        for (uint256 i = 0; i < 8; ++i) {
            Mem.store(p + WINDOWS + 10 * i, all[i] << 176); // runs over into what follows
        }
    }

    function _expired(uint256 i) private pure returns (bytes32) {
        if (i == 1 || i == 7) return "CRL_EXPIRED";
        return i == 4 || i == 5 ? bytes32("COLLATERAL_EXPIRED") : bytes32("CERT_EXPIRED");
    }

    function _early(uint256 i) private pure returns (bytes32) {
        if (i == 1 || i == 7) return "CRL_NOT_YET_VALID";
        return
            i == 4 || i == 5 ? bytes32("COLLATERAL_NOT_YET_VALID") : bytes32("CERT_NOT_YET_VALID");
    }
}
