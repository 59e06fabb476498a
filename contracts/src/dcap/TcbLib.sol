// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IdentityMatch} from "./IdentityMatch.sol";
import {LevelSearch} from "./LevelSearch.sol";
import {LevelsLib} from "./LevelsLib.sol";
import {Mem} from "./Mem.sol";
import {QeIdentityLib} from "./QeIdentityLib.sol";
import {check, refuse} from "./Refusal.sol";
import {TcbInfoLib} from "./TcbInfoLib.sol";
import {TdxModuleLib} from "./TdxModuleLib.sol";

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
    /// @dev The date in a level's meta.
    uint256 private constant DATE = 0xffffffffff000000;

    /// @notice What the level says that a quoting enclave with this ISV SVN reaches.
    function matchEnclave(uint256 qe, uint256 svn) internal pure returns (uint256) {
        unchecked {
            uint256 p = LevelSearch.isv(
                qe + QeIdentityLib.FIXED_LENGTH, Mem.word(qe) >> 248, LevelsLib.ISV_LENGTH, svn
            );
            if (p == 0) refuse("QE_TCB_NO_MATCH");
            return Mem.word(p + 2) >> META_SHIFT;
        }
    }

    /// @notice Step 10 for an SGX platform with these SVNs (see {PlatformRecord-svns}). `outcome` names
    /// the quoting enclave's level already.
    function judgeSgx(Outcome memory outcome, uint256 tcb, uint256 svns) internal pure {
        unchecked {
            uint256 p = tcb + TcbInfoLib.FIXED_LENGTH;
            uint256 stride = TcbInfoLib.SGX_LEVEL_LENGTH;
            p = LevelSearch.platform(
                p,
                p + stride * (Mem.word(tcb) >> 248),
                stride,
                svns >> 16 << 128,
                SGX_COUNTED,
                svns & 0xffff
            );
            if (p == 0) refuse("TCB_NO_MATCH");
            outcome.platform = Mem.word(p + 18) >> META_SHIFT;
        }
        _converge(outcome);
    }

    /// @notice Step 10 for a TD as launched. `svn` is its TEE TCB SVN, the first byte the highest of
    /// sixteen; `module` is where the identity for it is (see {moduleOf}). `outcome` names the quoting
    /// enclave's level already.
    function judgeTd(Outcome memory outcome, uint256 tcb, uint256 module, uint256 svns, uint256 svn)
        internal
        pure
    {
        unchecked {
            // Components 0 and 1 are the module's own version, judged by its identity.
            uint256 counted = type(uint256).max;
            if ((svn >> 112) & 0xff != 0) {
                counted = TDX_COUNTED;
                outcome.module = _matchModule(module, svn >> 120);
            }
            uint256 p = tcb + TcbInfoLib.FIXED_LENGTH;
            uint256 stride = TcbInfoLib.TDX_LEVEL_LENGTH;
            p = LevelSearch.platform(
                p,
                p + stride * (Mem.word(tcb) >> 248),
                stride,
                svns >> 16 << 128 | svn,
                counted,
                svns & 0xffff
            );
            if (p == 0) refuse("TCB_NO_MATCH");
            outcome.platform = Mem.word(p + 34) >> META_SHIFT;
        }
        _converge(outcome);
    }

    /// @notice Step 10 for a TD from TD 1.5 on, as it runs after a TD-preserving update, which `svn2` is
    /// the TEE TCB SVN of. `launch` is what {judgeTd} says of it as launched.
    function judgeRelaunch(Outcome memory launch, uint256 tcb, uint256 svns, uint256 svn2)
        internal
        pure
    {
        Outcome memory current;
        current.enclave = launch.enclave;
        judgeTd(current, tcb, moduleOf(tcb, svn2), svns, svn2);
        bool stale =
            launch.status == OUT_OF_DATE || launch.status == OUT_OF_DATE_CONFIGURATION_NEEDED;
        if (!stale || current.status > CONFIGURATION_AND_SW_HARDENING_NEEDED) return;
        bool configuration = launch.status == OUT_OF_DATE_CONFIGURATION_NEEDED
            || current.status == CONFIGURATION_NEEDED
            || current.status == CONFIGURATION_AND_SW_HARDENING_NEEDED;
        launch.status =
            configuration ? TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED : TD_RELAUNCH_ADVISED;
    }

    /// @notice Where the identity of the TDX module with the version in `svn` is; version 0 is the last.
    function moduleOf(uint256 tcb, uint256 svn) internal pure returns (uint256 p) {
        unchecked {
            uint256 head = Mem.word(tcb);
            p = LevelSearch.module(
                tcb + (head >> 176 & 0xffff),
                head >> 240 & 0xff,
                TdxModuleLib.BODY_LENGTH,
                LevelsLib.ISV_LENGTH,
                svn >> 112 & 0xff
            );
            if (p == 0) refuse("TDX_MODULE_UNKNOWN");
        }
    }

    /// @notice Step 9: signer and attributes of the TDX module are Intel's. `body` is a TD report.
    function requireModule(uint256 tcb, uint256 module, uint256 body) internal pure {
        unchecked {
            module += TdxModuleLib.HEAD_LENGTH;
            if (Mem.u8(module - 1) >= TdxModuleLib.SAME) {
                // As in the last identity, which ends where the pool of advisories begins.
                module = tcb + (Mem.word(tcb) >> 208 & 0xffff) - TdxModuleLib.BODY_LENGTH;
            }
            if (IdentityMatch.module(module, body)) return;
            check(
                Mem.word(body + 64) == Mem.word(module)
                    && Mem.number(body + 96, 16) == Mem.number(module + 32, 16),
                "TDX_MODULE_SIGNER_MISMATCH"
            );
            refuse("TDX_MODULE_ATTRIBUTES_MISMATCH");
        }
    }

    /// @notice Step 5: the quoting enclave is the one Intel identifies. `report` is what is kept of its
    /// report (see {PlatformRecord}).
    function requireEnclave(uint256 qe, uint256 report) internal pure {
        if (IdentityMatch.enclave(qe, report)) return;
        unchecked {
            uint256 bits = Mem.word(report);
            check((bits >> 216) & 2 == 0, "QE_DEBUG");
            uint256 wrong = bits & Mem.word(qe + 27) ^ Mem.word(qe + 7);
            check(wrong >> 224 == 0, "QE_MISCSELECT_MISMATCH");
            check(wrong >> 96 == 0, "QE_ATTRIBUTES_MISMATCH");
            check(Mem.word(report + 20) == Mem.word(qe + 47), "QE_MRSIGNER_MISMATCH");
            refuse("QE_ISVPRODID_MISMATCH");
        }
    }

    function _matchModule(uint256 p, uint256 svn) private pure returns (uint256) {
        unchecked {
            uint256 count = Mem.u8(p + 1);
            p += TdxModuleLib.HEAD_LENGTH;
            if (count < TdxModuleLib.SAME) p += TdxModuleLib.BODY_LENGTH;
            p = LevelSearch.isv(p, count & (TdxModuleLib.SAME - 1), LevelsLib.ISV_LENGTH, svn);
            if (p == 0) refuse("TDX_MODULE_TCB_NO_MATCH");
            return Mem.word(p + 2) >> META_SHIFT;
        }
    }

    /// @dev Sets status and date; refuses what is revoked.
    function _converge(Outcome memory outcome) private pure {
        unchecked {
            uint256 platform = outcome.platform;
            uint256 module = outcome.module;
            uint256 enclave = outcome.enclave;
            uint256 status = platform >> 64;
            uint256 worst = module >> 64;
            if (enclave >> 64 > worst) worst = enclave >> 64;
            if (worst >= OUT_OF_DATE || status == REVOKED) {
                // Components are UpToDate, OutOfDate or Revoked.
                if (worst == REVOKED || status == REVOKED) refuse("TCB_REVOKED");
                if (status <= SW_HARDENING_NEEDED) {
                    status = OUT_OF_DATE;
                } else if (status <= CONFIGURATION_AND_SW_HARDENING_NEEDED) {
                    status = OUT_OF_DATE_CONFIGURATION_NEEDED;
                }
            }
            outcome.status = status;
            uint256 date = platform & DATE;
            if (enclave & DATE < date) date = enclave & DATE;
            if (module != 0 && module & DATE < date) date = module & DATE;
            outcome.date = date >> 24;
        }
    }
}
