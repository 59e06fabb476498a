// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AutomataVerdict, IAutomataVerifier} from "../interfaces/IAutomataVerifier.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {MeasurementLib} from "../types/Measurement.sol";
import {ProofKind} from "../types/ProofKind.sol";

/// @title AutomataVerifier
/// @notice Reads journals of Automata's guest; how they are proven is left to each zkVM.
/// @dev length (2) ‖ quote version (2) ‖ body type (2) ‖ status (1) ‖ FMSPC (6) ‖ body ‖ advisories ‖
/// timestamp (8) ‖ six content hashes (32 each); the length is that of version to advisories.
abstract contract AutomataVerifier is IAutomataVerifier {
    /* CONSTANTS */

    uint256 private constant BODY = 13;
    uint256 private constant TAIL_LENGTH = 8 + 6 * 32;
    uint256 private constant SGX_BODY_LENGTH = 384;
    uint256 private constant TD10_BODY_LENGTH = 584;
    uint256 private constant TD15_BODY_LENGTH = 648;
    /// @dev How far a prover's clock may run ahead of the block's (docs/formats.md).
    uint64 private constant CLOCK_TOLERANCE = 60;
    /// @dev Our status, by the guest's from 0 to 5: one byte each. Its 6 is revoked, 7 unrecognised.
    bytes6 private constant STATUSES = 0x010204030506;

    /* IMMUTABLES */

    /// @inheritdoc IAutomataVerifier
    bytes32 public immutable PROGRAM;
    /// @inheritdoc IAutomataVerifier
    uint64 public immutable MAX_AGE;

    /* CONSTRUCTOR */

    constructor(address verifier, bytes32 program, uint64 maxAge) {
        require(verifier.code.length != 0 && program != 0, AutomataProgramMissing());
        (PROGRAM, MAX_AGE) = (program, maxAge);
    }

    /* VERIFICATION */

    /// @inheritdoc IAutomataVerifier
    function verify(bytes calldata journal, bytes calldata proof)
        external
        view
        returns (AutomataVerdict memory verdict)
    {
        verdict = _read(journal);
        uint64 verifiedAt = verdict.verifiedAt;
        require(
            verifiedAt <= block.timestamp + CLOCK_TOLERANCE,
            IQuoteVerifier.VerdictFromFuture(verifiedAt, block.timestamp)
        );
        require(
            uint256(verifiedAt) + MAX_AGE >= block.timestamp,
            IQuoteVerifier.VerdictStale(verifiedAt, block.timestamp, MAX_AGE)
        );
        _requireProof(journal, proof);
    }

    /// @inheritdoc IAutomataVerifier
    function kind() external pure returns (ProofKind) {
        return ProofKind.Zk;
    }

    /// @dev Reverts unless `proof` shows that the guest wrote `journal`.
    function _requireProof(bytes calldata journal, bytes calldata proof) internal view virtual;

    /* PRIVATE */

    function _read(bytes calldata journal) private pure returns (AutomataVerdict memory verdict) {
        uint256 length = journal.length;
        require(length >= BODY + TAIL_LENGTH, AutomataJournalMalformed(length));
        uint256 tail = length - TAIL_LENGTH;
        uint256 end = BODY + _bodyLength(uint16(bytes2(journal[4:6])), length);
        require(
            uint256(uint16(bytes2(journal[:2]))) + 2 == tail && end <= tail,
            AutomataJournalMalformed(length)
        );
        uint8 status = uint8(journal[6]);
        require(status < STATUSES.length, AutomataStatusRefused(status));
        verdict.quoteVersion = uint16(bytes2(journal[2:4]));
        verdict.tcbStatus = uint8(STATUSES[status]);
        verdict.fmspc = bytes6(journal[7:13]);
        verdict.verifiedAt = uint64(bytes8(journal[tail:tail + 8]));
        verdict.contentHashes = abi.decode(journal[tail + 8:], (bytes32[6]));
        verdict.advisories = journal[end:tail];
        _readBody(journal[BODY:end], verdict);
    }

    /// @dev The measurement is put together as docs/formats.md says.
    function _readBody(bytes calldata body, AutomataVerdict memory verdict) private pure {
        if (body.length == SGX_BODY_LENGTH) {
            verdict.teeType = MeasurementLib.SGX;
            verdict.reportData = body[320:384];
            verdict.measurementId = MeasurementLib.idOf(MeasurementLib.SGX, body[16:320]);
        } else {
            verdict.teeType = MeasurementLib.TDX;
            verdict.reportData = body[520:584];
            bytes memory serviceTd = new bytes(48);
            if (body.length == TD15_BODY_LENGTH) serviceTd = body[600:648];
            verdict.measurementId =
                MeasurementLib.idOf(MeasurementLib.TDX, bytes.concat(body[120:520], serviceTd));
        }
    }

    function _bodyLength(uint16 bodyType, uint256 length) private pure returns (uint256) {
        if (bodyType == 1) return SGX_BODY_LENGTH;
        if (bodyType == 2) return TD10_BODY_LENGTH;
        require(bodyType == 3, AutomataJournalMalformed(length));
        return TD15_BODY_LENGTH;
    }
}
