// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {LevelSearch} from "./LevelSearch.sol";
import {LevelsLib} from "./LevelsLib.sol";
import {Mem} from "./Mem.sol";
import {QeIdentityLib} from "./QeIdentityLib.sol";
import {check, refuse} from "./Refusal.sol";
import {TcbInfoLib} from "./TcbInfoLib.sol";

/// @dev What matching yields. `platform`, `module` and `enclave` are the matched levels' meta: status
/// (1), TCB date (5), place of the advisories in the pool (2), how many (1); 0 where not evaluated.
struct Outcome {
    uint256 status;
    uint256 date;
    uint256 platform;
    uint256 module;
    uint256 enclave;
}

/// @title TcbLib
/// @notice Matches platforms, TDX modules and quoting enclaves against the levels Intel signed.
/// @dev Works on packed sections: see {TcbInfoLib} and {QeIdentityLib}. Levels are in descending order.
library TcbLib {
    uint256 private constant UP_TO_DATE = 1;
    uint256 private constant SW_HARDENING_NEEDED = 2;
    uint256 private constant CONFIGURATION_NEEDED = 3;
    uint256 private constant CONFIGURATION_AND_SW_HARDENING_NEEDED = 4;
    uint256 private constant OUT_OF_DATE = 5;
    uint256 private constant OUT_OF_DATE_CONFIGURATION_NEEDED = 6;
    uint256 private constant TD_RELAUNCH_ADVISED = 7;
    uint256 private constant TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED = 8;
    uint256 private constant REVOKED = 9;

    /// @dev Which components count: of SGX those of SGX; of TDX, where its module has a version, all
    /// but that version.
    uint256 private constant SGX_COUNTED = type(uint256).max << 128;
    uint256 private constant TDX_COUNTED = ~(uint256(0xffff) << 112);
    /// @dev From a word that begins with it to a level's meta.
    uint256 private constant META_SHIFT = 256 - 8 * 9;

    /// @notice What the level says that a quoting enclave with this ISV SVN reaches.
    function matchEnclave(uint256 qe, uint256 svn) internal pure returns (uint256) {
        unchecked {
            return
                _isv(qe + QeIdentityLib.FIXED_LENGTH, Mem.word(qe) >> 248, svn, "QE_TCB_NO_MATCH");
        }
    }

    /// @notice Step 10 for an SGX platform. `outcome` names the quoting enclave's level already.
    function judgeSgx(Outcome memory outcome, uint256 tcb, uint256 components, uint256 pceSvn)
        internal
        pure
    {
        outcome.platform = _platform(tcb, components << 128, pceSvn, 0, false);
        _converge(outcome);
    }

    /// @notice Step 10 for a TD: as launched and, from TD 1.5 on, as it runs after a TD-preserving
    /// update. `svn` and `svn2` are TEE TCB SVNs, their first byte the highest of sixteen. `launch`
    /// names the quoting enclave's level already.
    function judgeTd(
        Outcome memory launch,
        uint256 tcb,
        uint256 components,
        uint256 pceSvn,
        uint256 svn,
        bool relaunchable,
        uint256 svn2
    ) internal pure {
        _judgeTd(launch, tcb, components, pceSvn, svn);
        if (!relaunchable) return;
        Outcome memory current;
        current.enclave = launch.enclave;
        _judgeTd(current, tcb, components, pceSvn, svn2);
        bool stale =
            launch.status == OUT_OF_DATE || launch.status == OUT_OF_DATE_CONFIGURATION_NEEDED;
        if (!stale || current.status > CONFIGURATION_AND_SW_HARDENING_NEEDED) return;
        bool configuration = launch.status == OUT_OF_DATE_CONFIGURATION_NEEDED
            || current.status == CONFIGURATION_NEEDED
            || current.status == CONFIGURATION_AND_SW_HARDENING_NEEDED;
        launch.status =
            configuration ? TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED : TD_RELAUNCH_ADVISED;
    }

    /// @notice Step 9: signer and attributes of the TDX module are Intel's. `body` is a TD report.
    function requireModule(uint256 tcb, uint256 body) internal pure {
        uint256 module = _module(tcb, Mem.u8(body + 1));
        unchecked {
            check(
                Mem.word(body + 64) == Mem.word(module + 2)
                    && Mem.word(body + 96) >> 128 == Mem.word(module + 34) >> 128,
                "TDX_MODULE_SIGNER_MISMATCH"
            );
            check(
                Mem.word(body + 112) >> 192
                    == (Mem.word(module + 50) & Mem.word(module + 58)) >> 192,
                "TDX_MODULE_ATTRIBUTES_MISMATCH"
            );
        }
    }

    /// @notice Step 5: the quoting enclave is the one Intel identifies. `misc`, `attributes` and
    /// `product` are as the report has them, little-endian.
    function requireEnclave(
        uint256 qe,
        uint256 misc,
        uint256 attributes,
        uint256 signer,
        uint256 product
    ) internal pure {
        unchecked {
            check((attributes >> 120) & 2 == 0, "QE_DEBUG");
            check(
                misc & Mem.word(qe + 10) >> 224 == Mem.word(qe + 6) >> 224, "QE_MISCSELECT_MISMATCH"
            );
            check(
                attributes & Mem.word(qe + 30) >> 128 == Mem.word(qe + 14) >> 128,
                "QE_ATTRIBUTES_MISMATCH"
            );
            check(signer == Mem.word(qe + 46), "QE_MRSIGNER_MISMATCH");
            check(
                (product >> 8 | (product & 0xff) << 8) == Mem.word(qe + 78) >> 240,
                "QE_ISVPRODID_MISMATCH"
            );
        }
    }

    function _judgeTd(
        Outcome memory outcome,
        uint256 tcb,
        uint256 components,
        uint256 pceSvn,
        uint256 svn
    ) private pure {
        uint256 version = (svn >> 112) & 0xff;
        if (version != 0) {
            uint256 module = _module(tcb, version);
            unchecked {
                outcome.module = _isv(
                    module + TcbInfoLib.MODULE_LENGTH,
                    Mem.u8(module + 1),
                    svn >> 120,
                    "TDX_MODULE_TCB_NO_MATCH"
                );
            }
        }
        // Components 0 and 1 are the module's own version, judged by its identity.
        outcome.platform = _platform(tcb, components << 128 | svn, pceSvn, version, true);
        _converge(outcome);
    }

    /// @dev Sets status and date; refuses what is revoked.
    function _converge(Outcome memory outcome) private pure {
        unchecked {
            uint256 platform = outcome.platform;
            uint256 module = outcome.module;
            uint256 enclave = outcome.enclave;
            uint256 status = platform >> 64;
            if (status == REVOKED || module >> 64 == REVOKED || enclave >> 64 == REVOKED) {
                refuse("TCB_REVOKED");
            }
            if (module >> 64 == OUT_OF_DATE || enclave >> 64 == OUT_OF_DATE) {
                if (status <= SW_HARDENING_NEEDED) {
                    status = OUT_OF_DATE;
                } else if (status <= CONFIGURATION_AND_SW_HARDENING_NEEDED) {
                    status = OUT_OF_DATE_CONFIGURATION_NEEDED;
                }
            }
            outcome.status = status;
            uint256 date = platform >> 24 & type(uint40).max;
            uint256 other = enclave >> 24 & type(uint40).max;
            if (other < date) date = other;
            other = module >> 24 & type(uint40).max;
            if (module != 0 && other < date) date = other;
            outcome.date = date;
        }
    }

    /// @dev `have` is SGX components, then TDX components; of the latter the first two do not count
    /// where the module has a version.
    function _platform(uint256 tcb, uint256 have, uint256 pceSvn, uint256 version, bool tdx)
        private
        pure
        returns (uint256)
    {
        unchecked {
            uint256 stride = TcbInfoLib.SGX_LEVEL_LENGTH;
            uint256 counted = SGX_COUNTED;
            if (tdx) {
                stride = TcbInfoLib.TDX_LEVEL_LENGTH;
                counted = version == 0 ? type(uint256).max : TDX_COUNTED;
            }
            uint256 p = tcb + TcbInfoLib.FIXED_LENGTH;
            p = LevelSearch.platform(
                p, p + stride * (Mem.word(tcb) >> 248), stride, have, counted, pceSvn
            );
            if (p == 0) refuse("TCB_NO_MATCH");
            return Mem.word(p + stride - LevelsLib.META_LENGTH) >> META_SHIFT;
        }
    }

    function _isv(uint256 p, uint256 count, uint256 svn, bytes32 reason)
        private
        pure
        returns (uint256)
    {
        unchecked {
            p = LevelSearch.isv(p, count, LevelsLib.ISV_LENGTH, svn);
            if (p == 0) refuse(reason);
            return Mem.word(p + 2) >> META_SHIFT;
        }
    }

    /// @dev Where the identity of the module with this major version is; version 0 is the first.
    function _module(uint256 tcb, uint256 version) private pure returns (uint256 p) {
        unchecked {
            uint256 head = Mem.word(tcb);
            p = LevelSearch.module(
                tcb + (head >> 184 & 0xffff),
                head >> 240 & 0xff,
                TcbInfoLib.MODULE_LENGTH,
                LevelsLib.ISV_LENGTH,
                version
            );
            if (p == 0) refuse("TDX_MODULE_UNKNOWN");
        }
    }
}
