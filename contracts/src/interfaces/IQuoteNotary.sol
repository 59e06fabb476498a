// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {IMeasurementRegistry} from "./IMeasurementRegistry.sol";
import {IVerifierRouter} from "./IVerifierRouter.sol";

/// @notice What the notary keeps of a quote.
struct Notarization {
    bytes32 journalDigest;
    bytes32 measurementId;
    /// @dev Unix time the evidence was judged at.
    uint64 verifiedAt;
    /// @dev Last second the verdict counts, Unix time.
    uint64 validUntil;
    bytes4 route;
    uint8 teeType;
    uint8 tcbStatus;
}

/// @title IQuoteNotary
/// @notice Puts on record that a quote was genuine and its image admitted, whatever its report data
/// binds.
/// @dev INTEGRATOR RESPONSIBILITIES. A notarization says what ran and when that was verified. It does
/// NOT bind a key to this chain (see {IWorkerRegistry}), and it accepts every TCB status a verdict
/// can carry: read the record's `tcbStatus` and decide.
interface IQuoteNotary {
    /// @notice The quote with `quoteHash` is on record for `appId`.
    event QuoteNotarized(
        bytes32 indexed appId,
        bytes32 indexed quoteHash,
        bytes32 indexed measurementId,
        ProofKind proofKind,
        bytes4 route,
        bytes32 journalDigest,
        uint8 teeType,
        uint8 tcbStatus,
        uint64 verifiedAt,
        uint64 validUntil
    );

    /// @notice The quote is on record for this app and proof kind already.
    /// @custom:remedy Nothing is left to do; read it with `recordOf`.
    error QuoteAlreadyNotarized(bytes32 appId, bytes32 quoteHash, ProofKind kind);

    /// @notice Verifies a quote and puts it on record for `appId`. Open to any sender; once per
    /// quote, app and proof kind.
    /// @return quoteHash the quote's id: sha256 of its signed bytes.
    function notarize(bytes32 appId, bytes4 route, bytes calldata evidence, bytes calldata proof)
        external
        returns (bytes32 quoteHash);

    /// @notice Whether the quote is on record for `appId` by `kind` and still counts: within its
    /// validity, its measurement admitted and its route active.
    function isNotarized(bytes32 appId, bytes32 quoteHash, ProofKind kind)
        external
        view
        returns (bool);

    /// @notice What is kept of the quote; all zero where it is not on record.
    function recordOf(bytes32 appId, bytes32 quoteHash, ProofKind kind)
        external
        view
        returns (Notarization memory);

    /// @notice Where the admitted images are.
    function MEASUREMENTS() external view returns (IMeasurementRegistry);

    /// @notice How quotes are verified.
    function ROUTER() external view returns (IVerifierRouter);
}
