// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Advisories, AdvisoryLib} from "./AdvisoryLib.sol";
import {Document, DocumentLib} from "./DocumentLib.sol";
import {Json, Reader} from "./Json.sol";
import {Levels, LevelsLib} from "./LevelsLib.sol";
import {Mem} from "./Mem.sol";
import {BIT, check, refuse} from "./Refusal.sol";
import {Module, TdxModuleLib} from "./TdxModuleLib.sol";
import {TextLib} from "./TextLib.sol";

/// @title TcbInfoLib
/// @notice TCB infos of version 3, and of version 2 for SGX: read strictly, packed.
/// @dev Section: number of levels (1), number of module identities (1), head of the advisories (6, see
/// {AdvisoryLib}), where the module identities begin (2); levels: SGX components (16), PCE SVN (2), in
/// TDX TDX components (16), meta (9); module identities, the one without a version last: see
/// {TdxModuleLib}; advisories.
library TcbInfoLib {
    uint256 internal constant FIXED_LENGTH = 10;
    /// @dev Where the head of the advisories is.
    uint256 internal constant ADVISORIES = 2;
    uint256 internal constant SGX_LEVEL_LENGTH = 18 + LevelsLib.META_LENGTH;
    uint256 internal constant TDX_LEVEL_LENGTH = 34 + LevelsLib.META_LENGTH;

    uint256 private constant MAX_MODULES = 16;
    uint256 private constant COMPONENTS = 16;

    uint256 private constant ID = 1 << 0;
    uint256 private constant VERSION = 1 << 1;
    uint256 private constant ISSUE_DATE = 1 << 2;
    uint256 private constant NEXT_UPDATE = 1 << 3;
    uint256 private constant FMSPC = 1 << 4;
    uint256 private constant PCE_ID = 1 << 5;
    uint256 private constant TCB_TYPE = 1 << 6;
    uint256 private constant EVALUATION = 1 << 7;
    uint256 private constant LEVELS = 1 << 8;
    uint256 private constant MODULE = 1 << 9;
    uint256 private constant IDENTITIES = 1 << 10;
    /// @dev What every TCB info has, an id aside.
    uint256 private constant COMMON = (1 << 9) - 1 - ID;

    /// @dev The forms of levels seen, as bits: flat, with components, with TDX components, without.
    uint256 private constant FLAT = 1;
    uint256 private constant LISTED = 2;
    uint256 private constant WITH_TDX = 4;
    uint256 private constant WITHOUT_TDX = 8;

    /// @dev Fields of the section, and what decides whether they belong together.
    struct Info {
        uint256 version;
        uint256 forms;
        Levels levels;
        uint256 moduleCount;
        Module[] modules;
        Advisories advisories;
    }

    /// @notice Parses the signed object that is all of `json`.
    function parse(bytes memory json) internal pure returns (Document memory document) {
        check(json.length <= DocumentLib.MAX_BYTES, "INPUT_TOO_LARGE");
        Reader memory reader = Json.open(json);
        Info memory info;
        info.advisories = AdvisoryLib.none();
        info.levels = LevelsLib.create();
        info.modules = new Module[](MAX_MODULES + 1);
        info.moduleCount = 1;
        uint256 seen;
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            uint256 bit = _head(document, info, reader, key);
            if (bit == 0) bit = _field(document, info, reader, key);
            seen = Json.once(seen, bit);
            key = Json.member(reader, false);
        }
        Json.finish(reader);
        _requireWhole(document, info, seen);
        document.section = _pack(info, document.teeType == DocumentLib.TDX);
    }

    function _head(Document memory document, Info memory info, Reader memory reader, bytes32 key)
        private
        pure
        returns (uint256)
    {
        if (key == "id") {
            bytes32 id = Json.word(reader);
            check(id == "SGX" || id == "TDX", "COLLATERAL_TYPE_MISMATCH");
            document.teeType = id == "SGX" ? DocumentLib.SGX : DocumentLib.TDX;
            return ID;
        }
        if (key == "version") {
            info.version = Json.number(reader, 0xffff);
            check(info.version == 2 || info.version == 3, "COLLATERAL_VERSION_UNSUPPORTED");
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

    function _field(Document memory document, Info memory info, Reader memory reader, bytes32 key)
        private
        pure
        returns (uint256)
    {
        if (key == "fmspc") {
            document.fmspc = Json.octets(reader, 6);
            return FMSPC;
        }
        if (key == "pceId") {
            document.pceId = Json.octets(reader, 2);
            return PCE_ID;
        }
        if (key == "tcbType") {
            check(Json.number(reader, 0xffff) == 0, "COLLATERAL_VERSION_UNSUPPORTED");
            return TCB_TYPE;
        }
        bool sgx = document.teeType == DocumentLib.SGX;
        if (sgx && (key == "tdxModule" || key == "tdxModuleIdentities")) {
            refuse("SCHEMA_UNKNOWN_FIELD");
        }
        if (key == "tdxModule") {
            info.modules[0] = TdxModuleLib.read(reader, info.advisories, false);
            return MODULE;
        }
        if (key == "tdxModuleIdentities") {
            _identities(info, reader);
            return IDENTITIES;
        }
        if (key != "tcbLevels") refuse("SCHEMA_UNKNOWN_FIELD");
        bool more = Json.item(reader, true);
        check(more, "SCHEMA_INVALID");
        while (more) {
            _level(info, reader);
            more = Json.item(reader, false);
        }
        return LEVELS;
    }

    /// @dev The rules across keys, which may come in any order.
    function _requireWhole(Document memory document, Info memory info, uint256 seen) private pure {
        check(seen & COMMON == COMMON, "SCHEMA_INVALID");
        if (info.version == 2) {
            check(seen & ID == 0, "SCHEMA_UNKNOWN_FIELD");
            document.teeType = DocumentLib.SGX;
            check(info.forms & LISTED == 0, "SCHEMA_INVALID");
        } else {
            check(seen & ID != 0 && info.forms & FLAT == 0, "SCHEMA_INVALID");
        }
        if (document.teeType == DocumentLib.TDX) {
            check(info.forms & WITHOUT_TDX == 0 && seen & MODULE != 0, "TCB_INFO_INCOMPLETE");
        } else {
            check(
                info.forms & WITH_TDX == 0 && seen & (MODULE | IDENTITIES) == 0,
                "SCHEMA_UNKNOWN_FIELD"
            );
        }
    }

    function _level(Info memory info, Reader memory reader) private pure {
        uint256 seen;
        uint256 meta;
        uint256 high;
        uint256 low;
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            if (key == "tcb") {
                seen = Json.once(seen, 1);
                uint256 forms;
                (high, low, forms) = _tcb(reader);
                info.forms |= forms;
            } else {
                (seen, meta) = LevelsLib.shared(reader, key, seen, meta, false, info.advisories);
            }
            key = Json.member(reader, false);
        }
        LevelsLib.complete(seen);
        LevelsLib.insert(info.levels, high, low, meta);
    }

    /// @dev `high` is SGX components and PCE SVN, `low` TDX components: the order of levels.
    function _tcb(Reader memory reader)
        private
        pure
        returns (uint256 high, uint256 low, uint256 forms)
    {
        uint256 seen; // bits 0 to 15: flat components; then lists and PCE SVN
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            if (key == "sgxtcbcomponents") {
                seen = Json.once(seen, 1 << 16);
                high |= _components(reader) << 16;
            } else if (key == "tdxtcbcomponents") {
                seen = Json.once(seen, 1 << 17);
                low = _components(reader);
            } else if (key == "pcesvn") {
                seen = Json.once(seen, 1 << 18);
                high |= Json.number(reader, 0xffff);
            } else {
                uint256 index = _flatIndex(key);
                seen = Json.once(seen, BIT << index);
                unchecked {
                    high |= Json.number(reader, 0xff) << (16 + 8 * (15 - index));
                }
            }
            key = Json.member(reader, false);
        }
        check(seen & 1 << 18 != 0, "SCHEMA_INVALID");
        bool listed = seen & 1 << 16 != 0;
        check(seen & 0xffff == (listed ? 0 : 0xffff), "SCHEMA_INVALID");
        forms = (listed ? LISTED : FLAT) | (seen & 1 << 17 != 0 ? WITH_TDX : WITHOUT_TDX);
    }

    /// @dev `sgxtcbcomp01svn` to `sgxtcbcomp16svn`: 0 to 15.
    function _flatIndex(bytes32 key) private pure returns (uint256 index) {
        unchecked {
            uint256 tens = uint8(key[10]) - uint256(0x30);
            uint256 ones = uint8(key[11]) - uint256(0x30);
            index = tens * 10 + ones - 1;
            check(
                bytes10(key) == "sgxtcbcomp" && bytes20(key << 96) == "svn" && tens < 2 && ones < 10
                    && index < COMPONENTS,
                "SCHEMA_UNKNOWN_FIELD"
            );
        }
    }

    /// @dev Sixteen SVNs in sixteen bytes. Category and type describe a component to people.
    function _components(Reader memory reader) private pure returns (uint256 components) {
        if (reader.plain) {
            uint256 next;
            (next, components) = TextLib.components(reader.position, reader.end);
            if (next != 0) {
                reader.position = next;
                return components;
            }
        }
        uint256 count;
        bool more = Json.item(reader, true);
        while (more) {
            check(count < COMPONENTS, "TCB_COMPONENTS_COUNT");
            components = components << 8 | _component(reader);
            ++count;
            more = Json.item(reader, false);
        }
        check(count == COMPONENTS, "TCB_COMPONENTS_COUNT");
    }

    function _component(Reader memory reader) private pure returns (uint256 svn) {
        uint256 seen;
        bytes32 key = Json.member(reader, true);
        while (key != 0) {
            if (key == "svn") {
                seen = Json.once(seen, 1);
                svn = Json.number(reader, 0xff);
            } else {
                check(key == "category" || key == "type", "SCHEMA_UNKNOWN_FIELD");
                seen = Json.once(seen, key == "category" ? 2 : 4);
                // slither-disable-next-line unused-return
                Json.text(reader);
            }
            key = Json.member(reader, false);
        }
        check(seen & 1 != 0, "SCHEMA_INVALID");
    }

    function _identities(Info memory info, Reader memory reader) private pure {
        bool more = Json.item(reader, true);
        while (more) {
            Module memory module = TdxModuleLib.read(reader, info.advisories, true);
            uint256 count = info.moduleCount;
            check(count <= MAX_MODULES, "INPUT_TOO_LARGE");
            for (uint256 i = 1; i < count; ++i) {
                check(info.modules[i].version != module.version, "TCB_LEVEL_DUPLICATE");
            }
            info.modules[count] = module;
            info.moduleCount = count + 1;
            more = Json.item(reader, false);
        }
    }

    function _pack(Info memory info, bool tdx) private pure returns (bytes memory section) {
        unchecked {
            Advisories memory advisories = info.advisories;
            uint256 modules =
                FIXED_LENGTH + info.levels.count * (tdx ? TDX_LEVEL_LENGTH : SGX_LEVEL_LENGTH);
            uint256 pool = modules + (tdx ? _modulesLength(info) : 0);
            // Writes are of whole words and in order, so each may run over into what follows.
            section = new bytes(pool + AdvisoryLib.packedLength(advisories) + 32);
            uint256 p = Mem.at(section);
            uint256 head = info.levels.count << 248 | AdvisoryLib.head(advisories, pool) << 192
                | modules << 176;
            Mem.store(p, tdx ? head | info.moduleCount << 240 : head);
            p = _packLevels(info.levels, p + FIXED_LENGTH, tdx);
            for (uint256 i = 1; tdx && i <= info.moduleCount; ++i) {
                p = TdxModuleLib.pack(info.modules[i % info.moduleCount], info.modules[0], p);
            }
            AdvisoryLib.pack(advisories, p);
            Mem.store(Mem.at(section) - 32, section.length - 32);
        }
    }

    function _modulesLength(Info memory info) private pure returns (uint256 length) {
        unchecked {
            for (uint256 i = 0; i < info.moduleCount; ++i) {
                length += TdxModuleLib.packedLength(info.modules[i], info.modules[0]);
            }
        }
    }

    function _packLevels(Levels memory levels, uint256 p, bool tdx) private pure returns (uint256) {
        unchecked {
            for (uint256 i = 0; i < levels.count; ++i) {
                Mem.store(p, levels.high[i] << 112);
                p += 18;
                if (tdx) {
                    Mem.store(p, levels.low[i] << 128);
                    p += 16;
                }
                Mem.store(p, levels.meta[i] << 184);
                p += LevelsLib.META_LENGTH;
            }
        }
        return p;
    }
}
