// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {Verdict, VerdictLib} from "../types/Verdict.sol";

/// @title JournalLib
/// @notice Reads a journal in its one canonical encoding, and judges its clock.
/// @dev In place, in calldata: nothing is copied that is not hashed.
library JournalLib {
    /// @dev Words of a verdict before its dynamic fields: 14 scalars, 6 collateral hashes, the hash of
    /// the advisories, 3 offsets.
    uint256 private constant HEAD_WORDS = 24;
    uint256 private constant HEAD_LENGTH = HEAD_WORDS * 32;
    /// @dev A level lists some dozens of advisories at most; this bounds the work, not the format.
    uint256 private constant MAX_ADVISORIES = 256;
    /// @dev The longest measurement of any known TEE type is 448 bytes; leaves room for others.
    uint256 private constant MAX_BYTES_LENGTH = 4096;

    /// @dev Where the tuple starts, and places in the journal of the words that are looked at.
    uint256 private constant TUPLE = 32;
    uint256 private constant MEASUREMENT_ID = TUPLE + 10 * 32;
    uint256 private constant ADVISORIES_HASH = TUPLE + 20 * 32;
    uint256 private constant ADVISORIES = TUPLE + 21 * 32;
    uint256 private constant MEASUREMENT = TUPLE + 22 * 32;
    uint256 private constant REPORT_DATA = TUPLE + 23 * 32;

    /// @notice The verdict that `journal` is, once everything in it is checked that does not depend on
    /// the time.
    function read(bytes calldata journal) internal pure returns (Verdict calldata verdict) {
        uint256 measurement = _requireShape(journal);
        _requireConsistent(journal, measurement);
        assembly ("memory-safe") {
            verdict := add(journal.offset, 0x20) // behind the tuple's offset, which is the only one
        }
    }

    /// @notice Requires that `verdict` was reached within `maxAge` seconds before `blockTime`, at most
    /// `tolerance` after it, and that everything behind it is valid at `blockTime`.
    function requireCurrent(
        Verdict calldata verdict,
        uint256 blockTime,
        uint64 maxAge,
        uint64 tolerance
    ) internal pure {
        (uint256 at, uint256 from, uint256 until) = _times(verdict);
        // 64 bits each, as {read} found.
        unchecked {
            require(
                at <= blockTime + tolerance, IQuoteVerifier.VerdictFromFuture(uint64(at), blockTime)
            );
            require(
                at + maxAge >= blockTime, IQuoteVerifier.VerdictStale(uint64(at), blockTime, maxAge)
            );
        }
        require(from <= blockTime, IQuoteVerifier.VerdictNotYetValid(uint64(from), blockTime));
        require(until >= blockTime, IQuoteVerifier.VerdictExpired(uint64(until), blockTime));
    }

    function _times(Verdict calldata verdict)
        private
        pure
        returns (uint256 at, uint256 from, uint256 until)
    {
        assembly ("memory-safe") {
            at := calldataload(add(verdict, 0x60)) // verifiedAt; reads no memory
            from := calldataload(add(verdict, 0x80)) // validFrom
            until := calldataload(add(verdict, 0xa0)) // validUntil
        }
    }

    /// @dev Makes sure that no field of {Verdict} lies outside: reading it would revert without a
    /// reason; and that there is one journal for a verdict. Offsets and lengths are the only ones a
    /// canonical encoding can have, numbers are in range, padding is zero.
    /// @return measurement where the measurement is, led by its length.
    function _requireShape(bytes calldata journal) private pure returns (uint256 measurement) {
        // Nothing overflows: every length is held against a bound before it is used.
        unchecked {
            bool sound = journal.length >= TUPLE + HEAD_LENGTH + 96 && _word(journal, 0) == TUPLE
                && _scalarsFit(journal) && _word(journal, ADVISORIES) == HEAD_LENGTH;
            if (sound) {
                uint256 count = _word(journal, TUPLE + HEAD_LENGTH);
                uint256 end = TUPLE + HEAD_LENGTH + 32 + count * 32;
                measurement = end;
                sound = count <= MAX_ADVISORIES;
                if (sound) (sound, end) = _bytesAt(journal, MEASUREMENT, end);
                if (sound) (sound, end) = _bytesAt(journal, REPORT_DATA, end);
                sound = sound && end == journal.length;
            }
            require(sound, IQuoteVerifier.JournalMalformed(journal.length));
        }
    }

    /// @dev Whether the `bytes` field whose offset is the word at `field` starts at `start`, fits, and is
    /// padded with zeros; and where the next field starts.
    function _bytesAt(bytes calldata journal, uint256 field, uint256 start)
        private
        pure
        returns (bool, uint256)
    {
        unchecked {
            if (start + 32 > journal.length || _word(journal, field) != start - TUPLE) {
                return (false, 0);
            }
            uint256 length = _word(journal, start);
            if (length > MAX_BYTES_LENGTH) return (false, 0);
            uint256 end = start + 32 + ((length + 31) & ~uint256(31));
            if (end > journal.length) return (false, 0);
            uint256 used = length % 32;
            return (used == 0 || _word(journal, end - 32) << (8 * used) == 0, end);
        }
    }

    /// @dev Whether the scalars narrower than a word leave the rest of it zero.
    function _scalarsFit(bytes calldata journal) private pure returns (bool fit) {
        assembly ("memory-safe") {
            let tuple := add(journal.offset, 0x20) // reads no memory
            let excess := shr(16, calldataload(tuple)) // version
            excess := or(excess, shr(8, calldataload(add(tuple, 0x20)))) // teeType
            excess := or(excess, shr(8, calldataload(add(tuple, 0x40)))) // tcbStatus
            excess := or(excess, shr(64, calldataload(add(tuple, 0x60)))) // verifiedAt
            excess := or(excess, shr(64, calldataload(add(tuple, 0x80)))) // validFrom
            excess := or(excess, shr(64, calldataload(add(tuple, 0xa0)))) // validUntil
            excess := or(excess, shr(64, calldataload(add(tuple, 0xc0)))) // tcbDate
            excess := or(excess, shr(32, calldataload(add(tuple, 0xe0)))) // evaluation number
            excess := or(excess, shl(48, calldataload(add(tuple, 0x100)))) // fmspc
            fit := iszero(excess)
        }
    }

    /// @dev What a verdict says of itself must agree.
    function _requireConsistent(bytes calldata journal, uint256 measurement) private pure {
        (uint256 version, uint256 teeType, uint256 status) = _kindOf(journal);
        if (version != VerdictLib.VERSION) {
            revert IQuoteVerifier.JournalVersionUnsupported(uint16(version), VerdictLib.VERSION);
        }
        if (
            status < VerdictLib.TCB_UP_TO_DATE
                || status > VerdictLib.TCB_TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED
        ) revert IQuoteVerifier.TcbStatusInvalid(uint8(status));
        uint256 expected = MeasurementLib.lengthOf(uint8(teeType));
        if (expected == 0) revert IQuoteVerifier.TeeTypeUnsupported(uint8(teeType));
        uint256 actual = _word(journal, measurement);
        if (actual != expected) {
            revert IQuoteVerifier.MeasurementLengthWrong(uint8(teeType), actual, expected);
        }
        expected = VerdictLib.REPORT_DATA_LENGTH;
        unchecked {
            actual = _word(journal, TUPLE + _word(journal, REPORT_DATA));
        }
        if (actual != expected) revert IQuoteVerifier.ReportDataLengthWrong(actual, expected);
        _requireHashes(journal, measurement, teeType);
    }

    function _kindOf(bytes calldata journal)
        private
        pure
        returns (uint256 version, uint256 teeType, uint256 status)
    {
        assembly ("memory-safe") {
            version := calldataload(add(journal.offset, 0x20)) // reads no memory
            teeType := calldataload(add(journal.offset, 0x40))
            status := calldataload(add(journal.offset, 0x60))
        }
    }

    /// @dev Measurement id and advisories hash are the hashes of what they belong to.
    function _requireHashes(bytes calldata journal, uint256 measurement, uint256 teeType)
        private
        pure
    {
        bytes32 id;
        bytes32 advisories;
        uint256 advisoriesAt = TUPLE + HEAD_LENGTH;
        assembly ("memory-safe") {
            let buffer := mload(0x40) // free memory, which is not kept
            mstore8(buffer, teeType) // the type leads the measurement
            let place := add(journal.offset, measurement)
            let length := calldataload(place) // inside: the shape is right
            calldatacopy(add(buffer, 1), add(place, 0x20), length)
            id := keccak256(buffer, add(length, 1))
            place := add(journal.offset, advisoriesAt)
            length := shl(5, calldataload(place)) // their number, in words
            calldatacopy(buffer, add(place, 0x20), length)
            advisories := keccak256(buffer, length)
        }
        bytes32 claimed = bytes32(_word(journal, MEASUREMENT_ID));
        require(claimed == id, IQuoteVerifier.MeasurementIdMismatch(claimed, id));
        claimed = bytes32(_word(journal, ADVISORIES_HASH));
        require(claimed == advisories, IQuoteVerifier.AdvisoriesHashMismatch(claimed, advisories));
    }

    /// @dev The word at `offset`, which the caller has found to lie inside `data`.
    function _word(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset)) // reads no memory
        }
    }
}
