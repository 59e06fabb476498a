// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AdvisoryLib} from "./AdvisoryLib.sol";
import {CollateralLib} from "./CollateralLib.sol";
import {Mem} from "./Mem.sol";
import {QeIdentityLib} from "./QeIdentityLib.sol";
import {Quote, QuoteLib} from "./QuoteLib.sol";
import {StandingMatch} from "./StandingMatch.sol";
import {TcbInfoLib} from "./TcbInfoLib.sol";
import {Outcome} from "./TcbLib.sol";

/// @dev What a journal says beside the quote and what it is worth. `set` and `record` are where the
/// collateral and the platform's record are in memory: see {CollateralLib} and {PlatformRecord}.
struct Finding {
    uint256 set;
    uint256 record;
    bytes32 quoteHash;
    bytes32 attestationKeyId;
    bytes32 rootKeyHash;
}

/// @title JournalWriter
/// @notice Writes the canonical encoding of a verdict, `abi.encode(Verdict)`, word by word.
/// @dev Assembly for what every verification does; tests hold journals to `abi.encode`. Places are those
/// of {CollateralLib} and {PlatformRecord}.
library JournalWriter {
    uint256 private constant HEAD_LENGTH = 768;

    /// @notice The journal of a verdict that is reached in this block.
    function write(Quote memory quote, Outcome memory outcome, Finding memory finding)
        internal
        view
        returns (bytes memory journal)
    {
        uint256 p;
        assembly ("memory-safe") {
            journal := mload(0x40)
            p := add(journal, 0x40) // the head, after the length and the offset of the verdict
        }
        unchecked {
            uint256 count = _advisories(p + HEAD_LENGTH + 32, finding.set, outcome);
            uint256 q = p + HEAD_LENGTH + 32 + 32 * count;
            uint256 end = _workload(p, q, quote);
            assembly ("memory-safe") {
                mstore(journal, sub(end, add(journal, 0x20)))
                mstore(0x40, end)
                mstore(add(journal, 0x20), 0x20)
                let list := add(p, HEAD_LENGTH)
                mstore(list, count)
                mstore(add(p, 0x280), keccak256(add(list, 0x20), shl(5, count)))
                mstore(add(p, 0x2a0), HEAD_LENGTH) // offsets: advisories,
                mstore(add(p, 0x2c0), sub(q, p)) // measurement,
                mstore(add(p, 0x2e0), sub(sub(end, 0x60), p)) // report data
            }
        }
        _head(p, outcome, finding);
    }

    /// @dev The words from the status to the collateral's hashes, those of {_workload} aside.
    function _head(uint256 p, Outcome memory outcome, Finding memory finding) private view {
        uint256 set = finding.set;
        uint256 record = finding.record;
        (uint256 from, uint256 until) = StandingMatch.window(set, record);
        assembly ("memory-safe") {
            mstore(add(p, 0x40), mload(outcome)) // status
            mstore(add(p, 0x60), timestamp())
            mstore(add(p, 0x80), from)
            mstore(add(p, 0xa0), until)
            mstore(add(p, 0xc0), mload(add(outcome, 0x20))) // TCB date
            mstore(add(p, 0xe0), shr(224, mload(add(set, 90)))) // evaluation number
            mstore(add(p, 0x100), shl(208, shr(208, mload(add(record, 52))))) // FMSPC
            mstore(add(p, 0x120), mload(add(finding, 0x40))) // hash of the quote
            mstore(add(p, 0x160), mload(record)) // platform id
            mcopy(add(p, 0x180), add(finding, 0x60), 0x40) // attestation key id, root key's hash
            mcopy(add(p, 0x1c0), add(set, 131), 0xc0) // the collateral's hashes
        }
    }

    /// @dev Measurement and report data at `q`, each with its length, and of the head at `p` what goes
    /// with them; returns where they end. The measurement of a TD is its report from the attributes on,
    /// as far as the report data, and, from TD 1.5 on, the service TD's hash; that of an enclave is its
    /// report from the attributes on, but for the report data (docs/formats.md). Its id hashes TEE type
    /// and measurement.
    function _workload(uint256 p, uint256 q, Quote memory quote)
        private
        pure
        returns (uint256 end)
    {
        uint256 body = quote.body;
        bool td15 = QuoteLib.isTd15(quote);
        uint256 teeType = quote.teeType;
        bool tdx = teeType == QuoteLib.TDX;
        assembly ("memory-safe") {
            let data := add(q, 0x20)
            let length := 304
            let from := 16
            let report := 320
            if tdx {
                length := 448
                from := 120
                report := 520
            }
            end := add(data, and(add(length, 0x1f), not(0x1f)))
            mstore(sub(end, 0x20), 0) // what pads the last word, or a TD 1.0 has not
            mstore(sub(end, 0x40), 0)
            // Of a TD 400 bytes: what follows is another field's place.
            mcopy(data, add(body, from), sub(length, mul(48, tdx)))
            if td15 { mcopy(add(data, 400), add(body, 600), 48) }
            mstore(p, 1) // the version of journals
            mstore(add(p, 0x20), teeType)
            // The length word ends in the TEE type for as long as hashing takes.
            mstore(q, teeType)
            mstore(add(p, 0x140), keccak256(add(q, 0x1f), add(length, 1)))
            mstore(q, length)
            mstore(end, 0x40)
            mcopy(add(end, 0x20), add(body, report), 0x40)
            end := add(end, 0x60)
        }
    }

    /// @dev Platform, module, quoting enclave; each id where it first occurs. Returns how many.
    function _advisories(uint256 p, uint256 set, Outcome memory outcome)
        private
        pure
        returns (uint256 count)
    {
        uint256 meta = outcome.platform | outcome.module | outcome.enclave;
        if (meta & 0xff == 0) return 0; // none lists any
        uint256 tcb = CollateralLib.tcbSection(set);
        count = AdvisoryLib.list(p, 0, outcome.platform, tcb, TcbInfoLib.ADVISORIES);
        count = AdvisoryLib.list(p, count, outcome.module, tcb, TcbInfoLib.ADVISORIES);
        uint256 qe = CollateralLib.qeSection(set);
        return AdvisoryLib.list(p, count, outcome.enclave, qe, QeIdentityLib.ADVISORIES);
    }
}
