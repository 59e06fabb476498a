// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {CollateralLib} from "./CollateralLib.sol";
import {Mem} from "./Mem.sol";
import {Quote, QuoteLib} from "./QuoteLib.sol";
import {Outcome} from "./TcbLib.sol";

/// @dev What a journal says beside the quote and the collateral.
struct Finding {
    uint256 verifiedAt;
    uint256 validFrom;
    uint256 validUntil;
    uint256 fmspc;
    bytes32 quoteHash;
    bytes32 platformId;
    bytes32 attestationKeyId;
    bytes32 rootKeyHash;
}

/// @title JournalWriter
/// @notice Writes the canonical encoding of a verdict, `abi.encode(Verdict)`, word by word.
library JournalWriter {
    uint256 private constant HEAD_WORDS = 24;

    /// @notice The journal. `set` is collateral as {CollateralLib} packs it.
    function write(Quote memory quote, uint256 set, Outcome memory outcome, Finding memory finding)
        internal
        pure
        returns (bytes memory journal)
    {
        unchecked {
            bool tdx = quote.teeType == QuoteLib.TDX;
            uint256 measured = tdx ? 448 : 304;
            uint256 most =
                (outcome.platform & 0xff) + (outcome.module & 0xff) + (outcome.enclave & 0xff);
            journal = new bytes(32 * (HEAD_WORDS + 6 + most + 14));
            uint256 p = Mem.at(journal);
            Mem.store(p, 32);
            p += 32;
            uint256 count = _advisories(p + 32 * (HEAD_WORDS + 1), set, outcome);
            Mem.store(p + 32 * HEAD_WORDS, count);
            uint256 measurement = 32 * (HEAD_WORDS + 1 + count);
            uint256 reportData = measurement + 32 + (measured + 31) / 32 * 32;
            Mem.store(p + measurement, measured);
            uint256 from = quote.body + (tdx ? 120 : 16);
            Mem.copy(p + measurement + 32, from, tdx ? 400 : 304);
            if (QuoteLib.isTd15(quote)) Mem.copy(p + measurement + 432, quote.body + 600, 48);
            Mem.store(p + reportData, 64);
            Mem.copy(p + reportData + 32, quote.body + (tdx ? 520 : 320), 64);
            // The id hashes the TEE type and the measurement; the length word ends in the type for
            // as long as that takes.
            Mem.store(p + measurement, quote.teeType);
            bytes32 measurementId = Mem.keccak(p + measurement + 31, measured + 1);
            Mem.store(p + measurement, measured);
            _head(p, quote, set, outcome, finding);
            Mem.store(p + 320, uint256(measurementId));
            Mem.store(p + 640, uint256(Mem.keccak(p + 32 * (HEAD_WORDS + 1), 32 * count)));
            Mem.store(p + 672, 32 * HEAD_WORDS);
            Mem.store(p + 704, measurement);
            Mem.store(p + 736, reportData);
            Mem.store(Mem.at(journal) - 32, reportData + 128);
        }
    }

    function _head(
        uint256 p,
        Quote memory quote,
        uint256 set,
        Outcome memory outcome,
        Finding memory finding
    ) private pure {
        unchecked {
            Mem.store(p, 1);
            Mem.store(p + 32, quote.teeType);
            Mem.store(p + 64, outcome.status);
            Mem.store(p + 96, finding.verifiedAt);
            Mem.store(p + 128, finding.validFrom);
            Mem.store(p + 160, finding.validUntil);
            Mem.store(p + 192, outcome.date);
            Mem.store(p + 224, CollateralLib.evaluationNumber(set));
            Mem.store(p + 256, finding.fmspc << 208);
            Mem.store(p + 288, uint256(finding.quoteHash));
            Mem.store(p + 352, uint256(finding.platformId));
            Mem.store(p + 384, uint256(finding.attestationKeyId));
            Mem.store(p + 416, uint256(finding.rootKeyHash));
            Mem.copy(p + 448, CollateralLib.hashes(set), 192);
        }
    }

    /// @dev Platform, module, quoting enclave; each id where it first occurs. Returns how many.
    function _advisories(uint256 p, uint256 set, Outcome memory outcome)
        private
        pure
        returns (uint256)
    {
        uint256 tcb = CollateralLib.tcbSection(set);
        uint256 qe = CollateralLib.qeSection(set);
        uint256 tcbPool = tcb + Mem.number(tcb + 4, 2);
        uint256 tcbWords = tcb + Mem.number(tcb + 2, 2);
        uint256 count = _add(p, 0, outcome.platform, tcbPool, tcbWords, Mem.u8(tcb + 6));
        count = _add(p, count, outcome.module, tcbPool, tcbWords, Mem.u8(tcb + 6));
        return _add(
            p,
            count,
            outcome.enclave,
            qe + Mem.number(qe + 3, 2),
            qe + Mem.number(qe + 1, 2),
            Mem.u8(qe + 5)
        );
    }

    function _add(
        uint256 target,
        uint256 count,
        uint256 meta,
        uint256 pool,
        uint256 words,
        uint256 length
    ) private pure returns (uint256) {
        unchecked {
            pool += (meta >> 8) & 0xffff;
            for (uint256 end = pool + (meta & 0xff); pool < end; ++pool) {
                uint256 id = words + length * Mem.u8(pool);
                id = Mem.number(id, length) << (256 - 8 * length);
                uint256 i;
                while (i < count && Mem.word(target + 32 * i) != id) ++i;
                if (i == count) Mem.store(target + 32 * count++, id);
            }
            return count;
        }
    }
}
