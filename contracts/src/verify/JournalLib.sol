// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {Verdict, VerdictLib} from "../types/Verdict.sol";

/// @title JournalLib
/// @notice Reads a journal in its one canonical encoding, and judges its clock.
library JournalLib {
    /// @dev Words of a verdict before its dynamic fields: 14 scalars, 6 collateral hashes, the hash of
    /// the advisories, 3 offsets.
    uint256 private constant HEAD_WORDS = 24;
    uint256 private constant HEAD_LENGTH = HEAD_WORDS * 32;
    /// @dev A level lists some dozens of advisories at most; this bounds the work, not the format.
    uint256 private constant MAX_ADVISORIES = 256;
    /// @dev The longest measurement of any known TEE type is 448 bytes; leaves room for others.
    uint256 private constant MAX_BYTES_LENGTH = 4096;

    /// @dev Places of the words that {_requireShape} reads, counted from the start of the tuple.
    uint256 private constant FMSPC = 8;
    uint256 private constant ADVISORIES = 21;
    uint256 private constant MEASUREMENT = 22;
    uint256 private constant REPORT_DATA = 23;

    /// @notice Decodes `journal` and checks everything in it that does not depend on the time.
    function decode(bytes calldata journal) internal pure returns (Verdict memory verdict) {
        _requireShape(journal);
        verdict = abi.decode(journal, (Verdict));
        _requireConsistent(verdict);
    }

    /// @notice Requires that `verdict` was reached within `maxAge` seconds before `blockTime`, at most
    /// `tolerance` after it, and that everything behind it is valid at `blockTime`.
    function requireCurrent(
        Verdict memory verdict,
        uint256 blockTime,
        uint64 maxAge,
        uint64 tolerance
    ) internal pure {
        uint64 verifiedAt = verdict.verifiedAt;
        require(
            verifiedAt <= blockTime + tolerance,
            IQuoteVerifier.VerdictFromFuture(verifiedAt, blockTime)
        );
        require(
            uint256(verifiedAt) + maxAge >= blockTime,
            IQuoteVerifier.VerdictStale(verifiedAt, blockTime, maxAge)
        );
        require(
            verdict.validFrom <= blockTime,
            IQuoteVerifier.VerdictNotYetValid(verdict.validFrom, blockTime)
        );
        require(
            verdict.validUntil >= blockTime,
            IQuoteVerifier.VerdictExpired(verdict.validUntil, blockTime)
        );
    }

    /// @dev Makes sure that `abi.decode` cannot fail: it would revert without a reason; and that there
    /// is one journal for a verdict. Offsets and lengths are the only ones a canonical encoding can
    /// have, numbers are in range, padding is zero.
    function _requireShape(bytes calldata journal) private pure {
        bool sound = journal.length >= 32 + HEAD_LENGTH + 96 && _word(journal, 0) == 32;
        if (sound) {
            bytes calldata tuple = journal[32:];
            sound = _scalarsFit(tuple) && _word(tuple, ADVISORIES * 32) == HEAD_LENGTH;
            uint256 end = HEAD_LENGTH;
            if (sound) {
                uint256 count = _word(tuple, end);
                sound = count <= MAX_ADVISORIES;
                if (sound) end += 32 + count * 32;
            }
            if (sound) (sound, end) = _bytesAt(tuple, MEASUREMENT, end);
            if (sound) (sound, end) = _bytesAt(tuple, REPORT_DATA, end);
            sound = sound && end == tuple.length;
        }
        require(sound, IQuoteVerifier.JournalMalformed(journal.length));
    }

    /// @dev Whether the `bytes` field whose offset is in word `field` starts at `start`, fits, and is
    /// padded with zeros; and where the next field starts.
    function _bytesAt(bytes calldata tuple, uint256 field, uint256 start)
        private
        pure
        returns (bool, uint256)
    {
        if (start + 32 > tuple.length || _word(tuple, field * 32) != start) return (false, 0);
        uint256 length = _word(tuple, start);
        if (length > MAX_BYTES_LENGTH) return (false, 0);
        uint256 end = start + 32 + ((length + 31) & ~uint256(31));
        if (end > tuple.length) return (false, 0);
        uint256 used = length % 32;
        return (used == 0 || _word(tuple, end - 32) << (8 * used) == 0, end);
    }

    /// @dev Whether the scalars narrower than a word leave the rest of it zero.
    function _scalarsFit(bytes calldata tuple) private pure returns (bool) {
        return _word(tuple, 0) <= type(uint16).max // version
            && _word(tuple, 32) <= type(uint8).max // teeType
            && _word(tuple, 64) <= type(uint8).max // tcbStatus
            && _word(tuple, 96) <= type(uint64).max // verifiedAt
            && _word(tuple, 128) <= type(uint64).max // validFrom
            && _word(tuple, 160) <= type(uint64).max // validUntil
            && _word(tuple, 192) <= type(uint64).max // tcbDate
            && _word(tuple, 224) <= type(uint32).max // tcbEvaluationDataNumber
            && _word(tuple, FMSPC * 32) << 48 == 0; // fmspc
    }

    /// @dev What a verdict says of itself must agree.
    function _requireConsistent(Verdict memory verdict) private pure {
        require(
            verdict.version == VerdictLib.VERSION,
            IQuoteVerifier.JournalVersionUnsupported(verdict.version, VerdictLib.VERSION)
        );
        require(
            verdict.tcbStatus >= VerdictLib.TCB_UP_TO_DATE
                && verdict.tcbStatus <= VerdictLib.TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED,
            IQuoteVerifier.TcbStatusInvalid(verdict.tcbStatus)
        );
        uint256 expected = MeasurementLib.lengthOf(verdict.teeType);
        require(expected != 0, IQuoteVerifier.TeeTypeUnsupported(verdict.teeType));
        uint256 actual = verdict.measurement.length;
        require(
            actual == expected,
            IQuoteVerifier.MeasurementLengthWrong(verdict.teeType, actual, expected)
        );
        actual = verdict.reportData.length;
        expected = VerdictLib.REPORT_DATA_LENGTH;
        require(actual == expected, IQuoteVerifier.ReportDataLengthWrong(actual, expected));
        bytes32 id = MeasurementLib.idOf(verdict.teeType, verdict.measurement);
        require(
            verdict.measurementId == id,
            IQuoteVerifier.MeasurementIdMismatch(verdict.measurementId, id)
        );
        bytes32 hash = keccak256(abi.encodePacked(verdict.advisories));
        require(
            verdict.advisoriesHash == hash,
            IQuoteVerifier.AdvisoriesHashMismatch(verdict.advisoriesHash, hash)
        );
    }

    /// @dev The word at `offset`, which the caller has found to lie inside `data`.
    function _word(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset)) // reads no memory
        }
    }
}
