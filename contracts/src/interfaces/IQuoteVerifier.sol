// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {ProofKind} from "../types/ProofKind.sol";
import {Verdict} from "../types/Verdict.sol";

/// @title IQuoteVerifier
/// @notice One way to reach a verdict on TEE evidence.
/// @dev INTEGRATOR RESPONSIBILITIES. A verdict says that the evidence is genuine, what it measures
/// and how patched its platform is. It does NOT say that the measurement is one you want, that the
/// TCB status is one you accept, that the report data is yours, or that its root is one you trust:
/// {IVerifierRouter} checks the last, the registries the others.
interface IQuoteVerifier is IERC165 {
    /// @notice The journal is not the canonical encoding of a verdict.
    /// @custom:remedy Submit the journal byte for byte as the verifier produced it.
    error JournalMalformed(uint256 length);

    /// @notice The journal has another version than this verifier reads.
    /// @custom:remedy Use a verifier release that writes version `expected`.
    error JournalVersionUnsupported(uint16 actual, uint16 expected);

    /// @notice The journal names a TEE type that this verifier does not know.
    /// @custom:remedy Submit evidence of a supported TEE: 1 SGX, 2 TDX.
    error TeeTypeUnsupported(uint8 teeType);

    /// @notice The journal's TCB status is none that a verdict may carry.
    /// @custom:remedy Status 9, Revoked, and unknown numbers never make a verdict; patch the platform.
    error TcbStatusInvalid(uint8 actual);

    /// @notice The measurement does not have the length of its TEE type.
    /// @custom:remedy Verify the quote again and submit the new journal.
    error MeasurementLengthWrong(uint8 teeType, uint256 actual, uint256 expected);

    /// @notice The report data does not have its 64 bytes.
    /// @custom:remedy Verify the quote again and submit the new journal.
    error ReportDataLengthWrong(uint256 actual, uint256 expected);

    /// @notice The measurement id is not the hash of the measurement.
    /// @custom:remedy Verify the quote again and submit the new journal.
    error MeasurementIdMismatch(bytes32 actual, bytes32 expected);

    /// @notice The advisories hash is not the hash of the advisories.
    /// @custom:remedy Verify the quote again and submit the new journal.
    error AdvisoriesHashMismatch(bytes32 actual, bytes32 expected);

    /// @notice The verdict was reached too far ahead of the block's time.
    /// @custom:remedy Set the verifier's clock right and verify again.
    error VerdictFromFuture(uint64 verifiedAt, uint256 blockTime);

    /// @notice The verdict is older than this verifier accepts.
    /// @custom:remedy Verify the quote again with current collateral and submit at once.
    error VerdictStale(uint64 verifiedAt, uint256 blockTime, uint64 maxAge);

    /// @notice Some document behind the verdict is not valid yet.
    /// @custom:remedy Wait until `validFrom`, or verify with collateral valid now.
    error VerdictNotYetValid(uint64 validFrom, uint256 blockTime);

    /// @notice Some document behind the verdict is no longer valid.
    /// @custom:remedy Fetch new collateral and verify the quote again.
    error VerdictExpired(uint64 validUntil, uint256 blockTime);

    /// @notice The proof is not encoded as this verifier reads it.
    /// @custom:remedy Encode the proof as docs/formats.md says for the route.
    error ProofMalformed(uint256 length);

    /// @notice Judges `evidence` by `proof`: returns the verdict, or reverts with the reason.
    function verify(bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory);

    /// @notice Who checks the evidence here. Never changes.
    function kind() external view returns (ProofKind);
}
