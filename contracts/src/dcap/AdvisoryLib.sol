// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Mem} from "./Mem.sol";
import {check} from "./Refusal.sol";

/// @dev The advisories of one document: each id once in `words`, and in `pool` the places of those
/// that levels list, one after the other. `buckets` finds ids by their hash. `differing` has the bits in
/// which ids differ from the first.
struct Advisories {
    uint256 count;
    uint256 longest;
    uint256 differing;
    uint256 poolLength;
    bytes words;
    bytes buckets;
    bytes pool;
}

/// @title AdvisoryLib
/// @notice Advisories of TCB infos and QE identities: gathered, packed, listed.
/// @dev Packed: the pool; what all ids begin with; what is left of each, padded with zeros to one
/// length. In the head of a section: where the ids begin (2), where the pool begins (2), the length of
/// what is left (1), the length of what they share (1).
library AdvisoryLib {
    /// @dev Genuine documents name up to 30 different ones, and list them 150 times.
    uint256 private constant MAX_ADVISORIES = 128;
    uint256 private constant MAX_POOL = 2048;
    /// @dev As many as a byte counts: see {_find}.
    uint256 private constant BUCKETS = 256;
    uint256 private constant MAX_LENGTH = 32;

    /// @notice No advisories.
    function none() internal pure returns (Advisories memory advisories) {
        advisories.words = new bytes(32 * MAX_ADVISORIES);
        advisories.buckets = new bytes(32 * BUCKETS);
        advisories.pool = new bytes(MAX_POOL);
    }

    /// @notice Appends an id of `length` bytes at `position` to the pool, which has `end` entries.
    function append(Advisories memory advisories, uint256 end, uint256 position, uint256 length)
        internal
        pure
    {
        check(length != 0 && length <= MAX_LENGTH, "SCHEMA_INVALID");
        check(end < MAX_POOL, "INPUT_TOO_LARGE");
        unchecked {
            if (length > advisories.longest) advisories.longest = length;
            uint256 id = Mem.word(position) >> (256 - 8 * length) << (256 - 8 * length);
            Mem.storeByte(Mem.at(advisories.pool) + end, _place(advisories, id));
        }
    }

    /// @notice The head of what {pack} writes, in six bytes: `pool` is where it goes in the section.
    function head(Advisories memory advisories, uint256 pool) internal pure returns (uint256) {
        unchecked {
            uint256 shared = _shared(advisories);
            return (pool + advisories.poolLength) << 32 | pool << 16 | (advisories.longest - shared)
                << 8 | shared;
        }
    }

    /// @notice How many bytes {pack} writes.
    function packedLength(Advisories memory advisories) internal pure returns (uint256) {
        unchecked {
            uint256 shared = _shared(advisories);
            return advisories.poolLength + shared + advisories.count * (advisories.longest - shared);
        }
    }

    /// @notice Writes pool and ids to `p`, and up to a word past their end.
    function pack(Advisories memory advisories, uint256 p) internal pure {
        Mem.copy(p, Mem.at(advisories.pool), advisories.poolLength);
        unchecked {
            uint256 shared = _shared(advisories);
            p += advisories.poolLength;
            uint256 words = Mem.at(advisories.words);
            Mem.store(p, Mem.word(words));
            p += shared;
            uint256 count = advisories.count;
            for (uint256 i = 0; i < count; ++i) {
                Mem.store(p, Mem.word(words + 32 * i) << (8 * shared));
                p += advisories.longest - shared;
            }
        }
    }

    /// @notice Writes the ids that `meta` of a level lists to `target`, a word each, after the `count`
    /// that are there, and none twice. Returns how many there are then.
    /// @param section where the section is, in memory.
    /// @param place where in the section's head the six bytes of {head} are.
    function list(uint256 target, uint256 count, uint256 meta, uint256 section, uint256 place)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 left = meta & 0xff;
            if (left == 0) return count;
            uint256 head_ = Mem.word(section + place) >> 208;
            uint256 pool = section + (head_ >> 16 & 0xffff) + (meta >> 8 & 0xffff);
            section += head_ >> 32; // the ids
            uint256 length = head_ >> 8 & 0xff;
            uint256 shared = head_ & 0xff;
            for (left += pool; pool < left; ++pool) {
                uint256 rest = section + shared + length * Mem.u8(pool);
                uint256 id = _joined(section, shared, rest, length);
                uint256 end = target + 32 * count;
                uint256 q = target;
                while (q < end && Mem.word(q) != id) q += 32;
                if (q < end) continue;
                Mem.store(end, id);
                ++count;
            }
            return count;
        }
    }

    /// @dev `shared` bytes from `first` and `length` from `rest`, as a word.
    function _joined(uint256 first, uint256 shared, uint256 rest, uint256 length)
        private
        pure
        returns (uint256)
    {
        unchecked {
            return Mem.number(first, shared) << (256 - 8 * shared) | Mem.number(rest, length)
                << (256 - 8 * (shared + length));
        }
    }

    /// @dev How many bytes all ids begin with; all of a single one.
    function _shared(Advisories memory advisories) private pure returns (uint256 shared) {
        unchecked {
            uint256 differing = advisories.differing;
            while (shared < advisories.longest && differing >> (248 - 8 * shared) == 0) ++shared;
        }
    }

    /// @dev The place of an id among the words; a new one is added. Ids are found by hash, as a level
    /// may repeat a long list that others have.
    function _place(Advisories memory advisories, uint256 id) private pure returns (uint256) {
        unchecked {
            uint256 words = Mem.at(advisories.words) - 32; // places count from 1
            (uint256 found, uint256 bucket) = _find(Mem.at(advisories.buckets), words, id);
            if (found != 0) return found - 1;
            uint256 count = advisories.count + 1;
            check(count <= MAX_ADVISORIES, "INPUT_TOO_LARGE");
            Mem.store(words + 32 * count, id);
            Mem.store(bucket, count);
            advisories.count = count;
            advisories.differing |= id ^ Mem.word(words + 32);
            return count - 1;
        }
    }

    /// @dev The number of `id`, counted from 1, and 0 with the bucket that is free for it.
    function _find(uint256 buckets, uint256 words, uint256 id)
        private
        pure
        returns (uint256 found, uint256 bucket)
    {
        assembly ("memory-safe") {
            mstore(0, id) // scratch space
            for { let at := keccak256(0, 0x20) } 1 { at := add(at, 1) } {
                bucket := add(buckets, shl(5, and(at, 0xff)))
                found := mload(bucket)
                if iszero(found) { break }
                if eq(mload(add(words, shl(5, found))), id) { break }
            }
        }
    }
}
