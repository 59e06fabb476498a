// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Advisories} from "./AdvisoryLib.sol";
import {Json, Reader} from "./Json.sol";
import {Levels, LevelsLib} from "./LevelsLib.sol";
import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";

/// @dev A TDX module's identity: the signer in two words, attributes and mask, and levels.
struct Module {
    uint256 version;
    uint256 signerHigh;
    uint256 signerLow;
    uint256 attributes;
    uint256 attributesMask;
    Levels levels;
}

/// @title TdxModuleLib
/// @notice Identities of TDX modules, as TCB infos name them.
/// @dev Packed: version (1), number of levels (1); MRSIGNER (48), attributes (8), their mask (8), unless
/// all three are as in the identity without a version, which the top bit of the number of levels says;
/// levels (11 each). The identity without a version has version 0 and no levels.
library TdxModuleLib {
    uint256 internal constant HEAD_LENGTH = 2;
    uint256 internal constant BODY_LENGTH = 64;
    /// @dev No list of levels is that long: see {LevelsLib}.
    uint256 internal constant SAME = 0x80;

    /// @notice Reads an identity; `versioned` ones have an id and levels besides.
    function read(Reader memory reader, Advisories memory advisories, bool versioned)
        internal
        pure
        returns (Module memory module)
    {
        uint256 seen;
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            uint256 bit;
            if (key == "mrsigner") {
                bit = 1;
                (uint256 start, uint256 length) = Json.text(reader);
                check(length == 96, "SCHEMA_INVALID");
                module.signerHigh = Json.hexadecimal(start, 32);
                module.signerLow = Json.hexadecimal(start + 64, 16);
            } else if (key == "attributes") {
                bit = 2;
                module.attributes = Json.octets(reader, 8);
            } else if (key == "attributesMask") {
                bit = 4;
                module.attributesMask = Json.octets(reader, 8);
            } else if (versioned && key == "id") {
                bit = 8;
                module.version = _version(Json.word(reader));
            } else if (versioned && key == "tcbLevels") {
                bit = 16;
                module.levels = LevelsLib.isvLevels(reader, advisories);
            } else {
                refuse("SCHEMA_UNKNOWN_FIELD");
            }
            seen = Json.once(seen, bit);
            key = Json.member(reader, false);
        }
        check(seen == (versioned ? 31 : 7), "SCHEMA_INVALID");
    }

    /// @dev `TDX_01` to `TDX_FF`, in either case.
    function _version(bytes32 id) private pure returns (uint256 version) {
        uint256 letters = uint256(id) >> 208;
        // Bit 0x20 is what the cases of letters differ in.
        check(
            letters >> 16 | 0x20202000 == 0x7464785f && uint256(id) << 48 == 0
                && (letters >> 16) & 0xff == 0x5f,
            "SCHEMA_INVALID"
        );
        version = _hexByte(letters);
        check(version != 0, "SCHEMA_INVALID");
    }

    function _hexByte(uint256 letters) private pure returns (uint256 value) {
        for (uint256 shift = 8;; shift = 0) {
            uint256 c = (letters >> shift) & 0xff;
            unchecked {
                uint256 digit = c - 0x30;
                if (digit > 9) {
                    digit = (c | 0x20) - 0x61;
                    check(digit < 6, "SCHEMA_INVALID");
                    digit += 10;
                }
                value = value << 4 | digit;
            }
            if (shift == 0) return value;
        }
    }

    /// @notice How many bytes {pack} writes.
    function packedLength(Module memory module, Module memory base)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            return HEAD_LENGTH + (_isSame(module, base) ? 0 : BODY_LENGTH) + module.levels.count
                * LevelsLib.ISV_LENGTH;
        }
    }

    /// @notice Writes an identity to `p`; returns where it ends.
    function pack(Module memory module, Module memory base, uint256 p)
        internal
        pure
        returns (uint256)
    {
        unchecked {
            uint256 head = module.version << 248 | module.levels.count << 240;
            if (_isSame(module, base)) {
                Mem.store(p, head | SAME << 240);
                return LevelsLib.packIsv(module.levels, p + HEAD_LENGTH);
            }
            Mem.store(p, head);
            Mem.store(p + 2, module.signerHigh);
            Mem.store(
                p + 34, module.signerLow << 128 | module.attributes << 64 | module.attributesMask
            );
            return LevelsLib.packIsv(module.levels, p + HEAD_LENGTH + BODY_LENGTH);
        }
    }

    /// @dev Whether all but version and levels is as in `base`, which is another.
    function _isSame(Module memory module, Module memory base) private pure returns (bool) {
        return module.version != 0 && module.signerHigh == base.signerHigh
            && module.signerLow == base.signerLow && module.attributes == base.attributes
            && module.attributesMask == base.attributesMask;
    }
}
