// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Advisories, AdvisoryLib} from "./AdvisoryLib.sol";
import {Json, Reader} from "./Json.sol";
import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";

/// @dev The levels of one list while it is read, in descending order. A level is two words to order
/// it by, and what it says: status (1), TCB date (5), where its advisories begin in the pool (2), and
/// how many there are (1).
struct Levels {
    uint256 count;
    uint256[] high;
    uint256[] low;
    uint256[] meta;
}

/// @title LevelsLib
/// @notice Levels of TCB infos and QE identities: read, ordered, packed.
library LevelsLib {
    /// @dev Genuine lists have up to 15.
    uint256 internal constant MAX_LEVELS = 64;
    /// @dev Advisories of one level: what a byte counts.
    uint256 private constant MAX_LISTED = 0xff;

    uint256 internal constant META_LENGTH = 9;
    /// @dev A level of an enclave or TDX module: ISV SVN and meta.
    uint256 internal constant ISV_LENGTH = 2 + META_LENGTH;

    /// @dev Keys of a level, as bits.
    uint256 private constant TCB = 1;
    uint256 private constant DATE = 2;
    uint256 private constant STATUS = 4;
    uint256 private constant ADVISORY_IDS = 8;

    /// @notice An empty list.
    function create() internal pure returns (Levels memory levels) {
        levels.high = new uint256[](MAX_LEVELS);
        levels.low = new uint256[](MAX_LEVELS);
        levels.meta = new uint256[](MAX_LEVELS);
    }

    /// @notice Puts one level in its place; refuses a second one with the same TCB.
    function insert(Levels memory levels, uint256 high, uint256 low, uint256 meta) internal pure {
        unchecked {
            uint256 i = levels.count;
            check(i < MAX_LEVELS, "INPUT_TOO_LARGE");
            levels.count = i + 1;
            while (i != 0) {
                uint256 other = levels.high[i - 1];
                if (other == high) {
                    other = levels.low[i - 1];
                    check(other != low, "TCB_LEVEL_DUPLICATE");
                    if (other > low) break;
                } else if (other > high) {
                    break;
                }
                levels.high[i] = levels.high[i - 1];
                levels.low[i] = levels.low[i - 1];
                levels.meta[i] = levels.meta[i - 1];
                --i;
            }
            levels.high[i] = high;
            levels.low[i] = low;
            levels.meta[i] = meta;
        }
    }

    /// @notice Reads the keys that all levels share, `tcb` aside. Returns the updated `seen` and
    /// `meta`; refuses keys that no level has.
    function shared(
        Reader memory reader,
        bytes32 key,
        uint256 seen,
        uint256 meta,
        bool isv,
        Advisories memory advisories
    ) internal pure returns (uint256, uint256) {
        if (key == "tcbDate") {
            return (Json.once(seen, DATE), meta | Json.time(reader) << 24);
        }
        if (key == "tcbStatus") {
            return (Json.once(seen, STATUS), meta | status(reader, isv) << 64);
        }
        if (key == "advisoryIDs") {
            return (Json.once(seen, ADVISORY_IDS), meta | _advisories(reader, advisories));
        }
        refuse("SCHEMA_UNKNOWN_FIELD");
    }

    /// @notice Refuses a level that lacks a key it must have.
    function complete(uint256 seen) internal pure {
        check(seen & (TCB | DATE | STATUS) == TCB | DATE | STATUS, "SCHEMA_INVALID");
    }

    /// @notice Reads a list of levels of an enclave or a TDX module.
    function isvLevels(Reader memory reader, Advisories memory advisories)
        internal
        pure
        returns (Levels memory levels)
    {
        levels = create();
        bool more = Json.item(reader, true);
        check(more, "SCHEMA_INVALID");
        while (more) {
            uint256 seen;
            uint256 meta;
            uint256 isvSvn;
            bytes32 key = Json.member(reader, true);
            while (key != 0) {
                if (key == "tcb") {
                    seen = Json.once(seen, TCB);
                    isvSvn = _isvSvn(reader);
                } else {
                    (seen, meta) = shared(reader, key, seen, meta, true, advisories);
                }
                key = Json.member(reader, false);
            }
            complete(seen);
            insert(levels, isvSvn, 0, meta);
            more = Json.item(reader, false);
        }
    }

    /// @notice Writes levels of an enclave or a TDX module to `p`; returns where they end.
    function packIsv(Levels memory levels, uint256 p) internal pure returns (uint256) {
        unchecked {
            for (uint256 i = 0; i < levels.count; ++i) {
                Mem.store(p, levels.high[i] << 240 | levels.meta[i] << 168);
                p += ISV_LENGTH;
            }
        }
        return p;
    }

    /// @notice Reads a status in Intel's spelling; returns the number journals use. Enclaves and TDX
    /// modules have three of them.
    function status(Reader memory reader, bool isv) internal pure returns (uint256) {
        (uint256 start, uint256 length) = Json.text(reader);
        unchecked {
            bytes32 name = bytes32(Mem.word(start));
            if (length < 32) {
                name = bytes32(uint256(name) >> (256 - 8 * length) << (256 - 8 * length));
            }
            if (length == 0) name = 0;
            if (name == "UpToDate") return 1;
            if (name == "OutOfDate") return 5;
            if (name == "Revoked") return 9;
            if (!isv) {
                if (name == "SWHardeningNeeded") return 2;
                if (name == "ConfigurationNeeded") return 3;
                if (name == "OutOfDateConfigurationNeeded") return 6;
                if (
                    name == "ConfigurationAndSWHardeningNeede" && length == 33
                        && Mem.u8(start + 32) == 0x64
                ) return 4;
            }
        }
        refuse("TCB_STATUS_UNKNOWN");
    }

    function _isvSvn(Reader memory reader) private pure returns (uint256 isvSvn) {
        bytes32 key = Json.member(reader, true);
        uint256 seen;
        while (key != 0) {
            check(key == "isvsvn", "SCHEMA_UNKNOWN_FIELD");
            seen = Json.once(seen, 1);
            isvSvn = Json.number(reader, 0xffff);
            key = Json.member(reader, false);
        }
        check(seen != 0, "SCHEMA_INVALID");
    }

    /// @dev Where the advisories of one level begin in the pool, and how many there are.
    function _advisories(Reader memory reader, Advisories memory advisories)
        private
        pure
        returns (uint256)
    {
        uint256 start = advisories.poolLength;
        uint256 end = start;
        bool more = Json.item(reader, true);
        unchecked {
            while (more) {
                (uint256 position, uint256 length) = Json.text(reader);
                AdvisoryLib.append(advisories, end, position, length);
                check(++end - start <= MAX_LISTED, "INPUT_TOO_LARGE");
                more = Json.item(reader, false);
            }
            advisories.poolLength = end;
            return start << 8 | (end - start);
        }
    }
}
