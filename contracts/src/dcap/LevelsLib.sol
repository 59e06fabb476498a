// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

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

/// @dev The advisories of one document: each id once in `words`, and in `pool` the places of those
/// that levels list, one after the other.
struct Advisories {
    uint256 count;
    uint256 longest;
    uint256 poolLength;
    bytes32[] words;
    uint8[] buckets;
    bytes pool;
}

/// @title LevelsLib
/// @notice Levels and advisories of TCB infos and QE identities: read, ordered, packed.
library LevelsLib {
    /// @dev Genuine lists have up to 15.
    uint256 internal constant MAX_LEVELS = 64;
    /// @dev Genuine documents name up to 30 different ones, and list them 150 times.
    uint256 private constant MAX_ADVISORIES = 128;
    uint256 private constant MAX_POOL = 2048;
    uint256 private constant MAX_ADVISORY_LENGTH = 32;

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

    /// @notice No advisories.
    function none() internal pure returns (Advisories memory advisories) {
        advisories.words = new bytes32[](MAX_ADVISORIES);
        advisories.buckets = new uint8[](256);
        advisories.pool = new bytes(MAX_POOL);
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

    /// @notice Writes the pool to `p`, and after it the words, each in `longest` bytes; returns where
    /// they end.
    function packAdvisories(Advisories memory advisories, uint256 p)
        internal
        pure
        returns (uint256)
    {
        Mem.copy(p, Mem.at(advisories.pool), advisories.poolLength);
        unchecked {
            p += advisories.poolLength;
            for (uint256 i = 0; i < advisories.count; ++i) {
                Mem.store(p, uint256(advisories.words[i]));
                p += advisories.longest;
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

    function _advisories(Reader memory reader, Advisories memory advisories)
        private
        pure
        returns (uint256)
    {
        uint256 start = advisories.poolLength;
        uint256 length = start;
        bool more = Json.item(reader, true);
        unchecked {
            while (more) {
                (uint256 p, uint256 size) = Json.text(reader);
                check(size != 0 && size <= MAX_ADVISORY_LENGTH, "SCHEMA_INVALID");
                if (size > advisories.longest) advisories.longest = size;
                check(length < MAX_POOL && length - start < 0xff, "INPUT_TOO_LARGE");
                advisories.pool[length++] = bytes1(
                    uint8(_place(advisories, bytes32(Mem.number(p, size) << (256 - 8 * size))))
                );
                more = Json.item(reader, false);
            }
            advisories.poolLength = length;
            return start << 8 | (length - start);
        }
    }

    /// @dev The place of an id among the words; a new one is added. Ids are found by hash, as a level
    /// may repeat a long list that others have.
    function _place(Advisories memory advisories, bytes32 id) private pure returns (uint256) {
        unchecked {
            uint256 bucket = uint256(keccak256(abi.encode(id))) & 0xff;
            while (true) {
                uint256 found = advisories.buckets[bucket];
                if (found == 0) break;
                if (advisories.words[found - 1] == id) return found - 1;
                bucket = (bucket + 1) & 0xff;
            }
            uint256 count = advisories.count;
            check(count < MAX_ADVISORIES, "INPUT_TOO_LARGE");
            advisories.words[count] = id;
            advisories.count = count + 1;
            advisories.buckets[bucket] = uint8(count + 1);
            return count;
        }
    }
}
