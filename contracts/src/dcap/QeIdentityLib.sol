// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Advisories, AdvisoryLib} from "./AdvisoryLib.sol";
import {Document, DocumentLib} from "./DocumentLib.sol";
import {Json, Reader} from "./Json.sol";
import {Levels, LevelsLib} from "./LevelsLib.sol";
import {Mem} from "./Mem.sol";
import {check, refuse} from "./Refusal.sol";

/// @title QeIdentityLib
/// @notice QE identities, version 2: read strictly, packed.
/// @dev Section: number of levels (1), head of the advisories (6, see {AdvisoryLib}), MISCSELECT (4),
/// ATTRIBUTES (16), their masks (4 and 16), MRSIGNER (32), ISVPRODID (2, little-endian, as a report has
/// it), levels (11 each), advisories.
library QeIdentityLib {
    uint256 internal constant FIXED_LENGTH = 81;
    /// @dev Where the head of the advisories is.
    uint256 internal constant ADVISORIES = 1;

    uint256 private constant ID = 1 << 0;
    uint256 private constant VERSION = 1 << 1;
    uint256 private constant ISSUE_DATE = 1 << 2;
    uint256 private constant NEXT_UPDATE = 1 << 3;
    uint256 private constant EVALUATION = 1 << 4;
    uint256 private constant MISC = 1 << 5;
    uint256 private constant MISC_MASK = 1 << 6;
    uint256 private constant ATTRIBUTES = 1 << 7;
    uint256 private constant ATTRIBUTES_MASK = 1 << 8;
    uint256 private constant SIGNER = 1 << 9;
    uint256 private constant PRODUCT = 1 << 10;
    uint256 private constant LEVELS = 1 << 11;
    uint256 private constant ALL = (1 << 12) - 1;

    /// @dev Fields of the section.
    struct Identity {
        uint256 misc;
        uint256 miscMask;
        uint256 attributes;
        uint256 attributesMask;
        uint256 signer;
        uint256 product;
        Levels levels;
        Advisories advisories;
    }

    /// @notice Parses the signed object that is all of `json`.
    function parse(bytes memory json) internal pure returns (Document memory document) {
        check(json.length <= DocumentLib.MAX_BYTES, "INPUT_TOO_LARGE");
        Reader memory reader = Json.open(json);
        Identity memory identity;
        identity.advisories = AdvisoryLib.none();
        uint256 seen;
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            uint256 bit = _head(document, reader, key);
            if (bit == 0) bit = _field(identity, reader, key);
            seen = Json.once(seen, bit);
            key = Json.member(reader, false);
        }
        Json.finish(reader);
        check(seen == ALL, "SCHEMA_INVALID");
        document.section = _pack(identity);
    }

    function _head(Document memory document, Reader memory reader, bytes32 key)
        private
        pure
        returns (uint256)
    {
        if (key == "id") {
            bytes32 id = Json.word(reader);
            check(id == "QE" || id == "TD_QE", "COLLATERAL_TYPE_MISMATCH");
            document.teeType = id == "QE" ? DocumentLib.SGX : DocumentLib.TDX;
            return ID;
        }
        if (key == "version") {
            check(Json.number(reader, 0xffff) == 2, "COLLATERAL_VERSION_UNSUPPORTED");
            return VERSION;
        }
        if (key == "issueDate") {
            document.issueDate = Json.time(reader);
            return ISSUE_DATE;
        }
        if (key == "nextUpdate") {
            document.nextUpdate = Json.time(reader);
            return NEXT_UPDATE;
        }
        if (key == "tcbEvaluationDataNumber") {
            document.evaluationNumber = Json.number(reader, type(uint32).max);
            return EVALUATION;
        }
        return 0;
    }

    function _field(Identity memory identity, Reader memory reader, bytes32 key)
        private
        pure
        returns (uint256)
    {
        if (key == "miscselect") {
            identity.misc = Json.octets(reader, 4);
            return MISC;
        }
        if (key == "miscselectMask") {
            identity.miscMask = Json.octets(reader, 4);
            return MISC_MASK;
        }
        if (key == "attributes") {
            identity.attributes = Json.octets(reader, 16);
            return ATTRIBUTES;
        }
        if (key == "attributesMask") {
            identity.attributesMask = Json.octets(reader, 16);
            return ATTRIBUTES_MASK;
        }
        if (key == "mrsigner") {
            identity.signer = Json.octets(reader, 32);
            return SIGNER;
        }
        if (key == "isvprodid") {
            identity.product = Json.number(reader, 0xffff);
            return PRODUCT;
        }
        if (key != "tcbLevels") refuse("SCHEMA_UNKNOWN_FIELD");
        identity.levels = LevelsLib.isvLevels(reader, identity.advisories);
        return LEVELS;
    }

    function _pack(Identity memory identity) private pure returns (bytes memory section) {
        unchecked {
            Advisories memory advisories = identity.advisories;
            uint256 pool = FIXED_LENGTH + LevelsLib.ISV_LENGTH * identity.levels.count;
            uint256 length = pool + AdvisoryLib.packedLength(advisories);
            // Writes are of whole words and in order, so each may run over into what follows.
            section = new bytes(length + 32);
            uint256 p = Mem.at(section);
            Mem.store(
                p,
                identity.levels.count << 248 | AdvisoryLib.head(advisories, pool) << 200
                    | identity.misc << 168 | identity.attributes << 40
            );
            Mem.store(p + 27, identity.miscMask << 224 | identity.attributesMask << 96);
            Mem.store(p + 47, identity.signer);
            uint256 product = identity.product;
            Mem.store(p + 79, product << 248 | product >> 8 << 240);
            AdvisoryLib.pack(advisories, LevelsLib.packIsv(identity.levels, p + FIXED_LENGTH));
            Mem.store(p - 32, length);
        }
    }
}
