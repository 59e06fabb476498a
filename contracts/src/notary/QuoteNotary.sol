// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IGoverned} from "../interfaces/IGoverned.sol";
import {IMeasurementRegistry, MeasurementStatus} from "../interfaces/IMeasurementRegistry.sol";
import {IQuoteNotary, Notarization} from "../interfaces/IQuoteNotary.sol";
import {IVerifierRouter, RouteStatus} from "../interfaces/IVerifierRouter.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Verdict, VerdictLib} from "../types/Verdict.sol";

/// @title QuoteNotary
/// @notice Puts on record that a quote was genuine and its image admitted.
contract QuoteNotary is IQuoteNotary, ERC165 {
    /* IMMUTABLES */

    /// @inheritdoc IQuoteNotary
    IMeasurementRegistry public immutable MEASUREMENTS;
    /// @inheritdoc IQuoteNotary
    IVerifierRouter public immutable ROUTER;

    /* STORAGE */

    mapping(bytes32 appId => mapping(bytes32 quoteHash => mapping(ProofKind => Notarization)))
        private _records;

    /* CONSTRUCTOR */

    constructor(IMeasurementRegistry measurements, IVerifierRouter router) {
        require(
            address(measurements) != address(0) && address(router) != address(0),
            IGoverned.ZeroAddress()
        );
        MEASUREMENTS = measurements;
        ROUTER = router;
    }

    /* NOTARIZATION */

    /// @inheritdoc IQuoteNotary
    function notarize(bytes32 appId, bytes4 route, bytes calldata evidence, bytes calldata proof)
        external
        returns (bytes32 quoteHash)
    {
        (Verdict memory verdict, ProofKind kind) = ROUTER.verify(route, evidence, proof);
        MeasurementLib.requireClosed(verdict.teeType, verdict.measurement);
        MEASUREMENTS.requireAdmitted(appId, verdict.measurementId);
        quoteHash = verdict.quoteHash;
        require(
            _records[appId][quoteHash][kind].journalDigest == 0,
            QuoteAlreadyNotarized(appId, quoteHash, kind)
        );
        Notarization memory record = Notarization({
            journalDigest: VerdictLib.digest(VerdictLib.encode(verdict)),
            measurementId: verdict.measurementId,
            verifiedAt: verdict.verifiedAt,
            validUntil: verdict.validUntil,
            route: route,
            teeType: verdict.teeType,
            tcbStatus: verdict.tcbStatus
        });
        _records[appId][quoteHash][kind] = record;
        _emit(appId, quoteHash, kind, record);
    }

    /* VIEWS */

    /// @inheritdoc IQuoteNotary
    function isNotarized(bytes32 appId, bytes32 quoteHash, ProofKind kind)
        external
        view
        returns (bool)
    {
        Notarization memory record = _records[appId][quoteHash][kind];
        return record.journalDigest != 0 && record.validUntil >= block.timestamp
            && MEASUREMENTS.statusOf(appId, record.measurementId) == MeasurementStatus.Admitted
            && ROUTER.statusOf(record.route) == RouteStatus.Active;
    }

    /// @inheritdoc IQuoteNotary
    function recordOf(bytes32 appId, bytes32 quoteHash, ProofKind kind)
        external
        view
        returns (Notarization memory)
    {
        return _records[appId][quoteHash][kind];
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IQuoteNotary).interfaceId || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    function _emit(bytes32 appId, bytes32 quoteHash, ProofKind kind, Notarization memory record)
        private
    {
        emit QuoteNotarized(
            appId,
            quoteHash,
            record.measurementId,
            kind,
            record.route,
            record.journalDigest,
            record.teeType,
            record.tcbStatus,
            record.verifiedAt,
            record.validUntil
        );
    }
}
