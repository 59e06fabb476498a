// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Advisories, AdvisoryLib} from "../../src/dcap/AdvisoryLib.sol";
import {Finding, JournalWriter} from "../../src/dcap/JournalWriter.sol";
import {Mem} from "../../src/dcap/Mem.sol";
import {QeIdentityLib} from "../../src/dcap/QeIdentityLib.sol";
import {Quote} from "../../src/dcap/QuoteLib.sol";
import {TcbInfoLib} from "../../src/dcap/TcbInfoLib.sol";
import {Outcome} from "../../src/dcap/TcbLib.sol";
import {Verdict, VerdictLib} from "../../src/types/Verdict.sol";
import {Base} from "../Base.t.sol";

/// @notice Journals are written word by word; here the language encodes the same verdict.
/// @dev Collateral, record and report are random bytes, but for windows and sections; memory that the
/// journal is written to is dirty.
contract JournalTwinTest is Base {
    /// @dev Places in the collateral's piece: see {CollateralLib}.
    uint256 private constant SECTION_PLACE = 129;
    uint256 private constant HASHES = 131;
    uint256 private constant SECTIONS = 323;
    uint256 private constant RECORD_LENGTH = 275;

    /// @dev What the advisories of the three levels are, as places in their documents' pools.
    struct Listed {
        uint256 tcbPool;
        uint256 qePool;
        uint256 platform;
        uint256 module;
        uint256 enclave;
    }

    function testFuzz_Write_EncodesTheVerdict(
        bytes32 seed,
        uint8 kind,
        Listed memory listed,
        bytes32 dirt
    ) public {
        vm.warp(uint32(uint256(seed)));
        (bytes memory set, bytes memory ids, Outcome memory outcome) = _collateral(seed, listed);
        bytes memory record = _random(seed, "record", RECORD_LENGTH);
        (Quote memory quote, bytes memory body) = _quote(seed, kind % 4);
        Finding memory finding = Finding({
            set: Mem.at(set),
            record: Mem.at(record),
            quoteHash: keccak256(abi.encode(seed, "quote")),
            attestationKeyId: keccak256(abi.encode(seed, "key")),
            rootKeyHash: keccak256(abi.encode(seed, "root"))
        });
        Verdict memory verdict = _verdict(set, record, outcome, finding);
        (verdict.measurement, verdict.reportData) = _workload(quote, body);
        verdict.teeType = uint8(quote.teeType);
        verdict.measurementId = keccak256(abi.encodePacked(verdict.teeType, verdict.measurement));
        verdict.advisories = abi.decode(ids, (bytes32[]));
        verdict.advisoriesHash = keccak256(abi.encodePacked(verdict.advisories));
        bytes memory expected = VerdictLib.encode(verdict);
        _dirty(dirt);
        bytes memory journal = JournalWriter.write(quote, outcome, finding);
        bytes memory next = new bytes(1); // what is allocated next must not lie inside it
        vm.assertEq(journal, expected);
        vm.assertEq(next.length, 1);
    }

    function _verdict(
        bytes memory set,
        bytes memory record,
        Outcome memory outcome,
        Finding memory finding
    ) private view returns (Verdict memory verdict) {
        verdict.version = VerdictLib.VERSION;
        verdict.tcbStatus = uint8(outcome.status);
        verdict.verifiedAt = uint64(block.timestamp);
        uint64 own = uint64(_number(record, 81, 5));
        verdict.validFrom = uint64(_number(set, 0, 5));
        if (own > verdict.validFrom) verdict.validFrom = own;
        own = uint64(_number(record, 86, 5));
        verdict.validUntil = uint64(_number(set, 5, 5));
        if (own < verdict.validUntil) verdict.validUntil = own;
        verdict.tcbDate = uint64(outcome.date);
        verdict.tcbEvaluationDataNumber = uint32(_number(set, 90, 4));
        verdict.fmspc = bytes6(uint48(_number(record, 52, 6)));
        verdict.quoteHash = finding.quoteHash;
        verdict.platformId = bytes32(_number(record, 0, 32));
        verdict.attestationKeyId = finding.attestationKeyId;
        verdict.rootKeyHash = finding.rootKeyHash;
        for (uint256 i = 0; i < 6; ++i) {
            verdict.collateralHashes[i] = bytes32(_number(set, HASHES + 32 * i, 32));
        }
    }

    /* EVIDENCE */

    /// @dev `kind`: an enclave, a TD 1.0, a TD 1.5, or one of the longer form.
    function _quote(bytes32 seed, uint256 kind)
        private
        pure
        returns (Quote memory quote, bytes memory body)
    {
        uint256[4] memory lengths = [uint256(384), 584, 648, 885];
        body = _random(seed, "body", lengths[kind]);
        quote.teeType = kind == 0 ? 1 : 2;
        quote.body = Mem.at(body);
        quote.bodyLength = body.length;
    }

    /// @dev As docs/formats.md says.
    function _workload(Quote memory quote, bytes memory body)
        private
        pure
        returns (bytes memory measurement, bytes memory reportData)
    {
        if (quote.teeType == 1) return (_slice(body, 16, 304), _slice(body, 320, 64));
        bytes memory service = body.length < 648 ? new bytes(48) : _slice(body, 600, 48);
        return (bytes.concat(_slice(body, 120, 400), service), _slice(body, 520, 64));
    }

    /* COLLATERAL */

    /// @return set the piece. @return ids the advisories as they must be listed, `abi.encode(bytes32[])`.
    function _collateral(bytes32 seed, Listed memory listed)
        private
        pure
        returns (bytes memory set, bytes memory ids, Outcome memory outcome)
    {
        (bytes memory qe, bytes32[] memory qeIds) =
            _section(listed.qePool, QeIdentityLib.ADVISORIES, QeIdentityLib.FIXED_LENGTH);
        (bytes memory tcb, bytes32[] memory tcbIds) =
            _section(listed.tcbPool, TcbInfoLib.ADVISORIES, TcbInfoLib.FIXED_LENGTH);
        set = bytes.concat(
            _random(seed, "set", SECTION_PLACE),
            bytes2(uint16(SECTIONS + qe.length)),
            _random(seed, "hashes", SECTIONS - HASHES),
            qe,
            tcb
        );
        outcome.status = uint256(seed) % 9 + 1;
        outcome.date = uint256(seed) >> 200;
        bytes32[] memory all = new bytes32[](0);
        (outcome.platform, all) = _level(all, tcbIds, listed.platform);
        (outcome.module, all) = _level(all, tcbIds, listed.module);
        (outcome.enclave, all) = _level(all, qeIds, listed.enclave);
        ids = abi.encode(all);
    }

    /// @dev A section whose pool has up to eight ids out of six, and what they are.
    function _section(uint256 dice, uint256 place, uint256 fixedLength)
        private
        pure
        returns (bytes memory section, bytes32[] memory ids)
    {
        bytes[6] memory known = [
            bytes("INTEL-SA-00001"),
            "INTEL-SA-00002",
            "INTEL-SA-01234-A",
            "INTEL-SA-9",
            "INTEL-DOC-77",
            "INTEL-SA-00000000000000000000032"
        ];
        ids = new bytes32[](dice % 9);
        Advisories memory advisories = AdvisoryLib.none();
        for (uint256 i = 0; i < ids.length; ++i) {
            bytes memory id = known[(dice >> (8 + 8 * i)) % 6];
            AdvisoryLib.append(advisories, i, Mem.at(id), id.length);
            ids[i] = bytes32(_number(bytes.concat(id, new bytes(32 - id.length)), 0, 32));
        }
        advisories.poolLength = ids.length;
        uint256 length = AdvisoryLib.packedLength(advisories);
        section = new bytes(fixedLength + length + 32); // packing writes up to a word past its end
        uint256 head = AdvisoryLib.head(advisories, fixedLength);
        for (uint256 i = 0; i < 6; ++i) {
            section[place + i] = bytes1(uint8(head >> (40 - 8 * i)));
        }
        AdvisoryLib.pack(advisories, Mem.at(section) + fixedLength);
    }

    /// @dev A level that lists a stretch of the pool: its meta, and `all` with what is new of it.
    function _level(bytes32[] memory all, bytes32[] memory pool, uint256 dice)
        private
        pure
        returns (uint256 meta, bytes32[] memory)
    {
        uint256 from = dice % (pool.length + 1);
        uint256 count = (dice >> 8) % (pool.length - from + 1);
        for (uint256 i = from; i < from + count; ++i) {
            all = _with(all, pool[i]);
        }
        return (1 << 64 | (dice >> 216) << 24 | from << 8 | count, all);
    }

    function _with(bytes32[] memory all, bytes32 id) private pure returns (bytes32[] memory more) {
        more = new bytes32[](all.length + 1);
        for (uint256 i = 0; i < all.length; ++i) {
            if (all[i] == id) return all;
            more[i] = all[i];
        }
        more[all.length] = id;
    }

    /* BYTES */

    function _number(bytes memory data, uint256 place, uint256 length)
        private
        pure
        returns (uint256 value)
    {
        for (uint256 i = 0; i < length; ++i) {
            value = value << 8 | uint8(data[place + i]);
        }
    }

    function _slice(bytes memory data, uint256 place, uint256 length)
        private
        pure
        returns (bytes memory piece)
    {
        piece = new bytes(length);
        for (uint256 i = 0; i < length; ++i) {
            piece[i] = data[place + i];
        }
    }

    function _random(bytes32 seed, string memory what, uint256 length)
        private
        pure
        returns (bytes memory data)
    {
        for (uint256 i = 0; data.length < length; ++i) {
            data = bytes.concat(data, keccak256(abi.encode(seed, what, i)));
        }
        return _slice(data, 0, length);
    }

    /// @dev Fills the free memory that comes next.
    function _dirty(bytes32 dirt) private pure {
        assembly ("memory-safe") {
            let p := mload(0x40)
            for { let i := 0 } lt(i, 0x1000) { i := add(i, 0x20) } { mstore(add(p, i), dirt) }
        }
    }
}
