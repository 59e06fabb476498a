// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title IEvidenceRefusal
/// @notice How everything under `dcap/` says no.
interface IEvidenceRefusal {
    /// @notice Evidence or collateral was refused. `reason` is the ASCII name in the catalogue of
    /// reasons that Python, the command line and the metrics share (`quotary.errors.Reason`).
    /// @custom:remedy `quotary explain` tells what to do about the reason.
    error EvidenceRefused(bytes32 reason);

    /// @notice This chain has a contract or precompile at 0x100 that is no P-256 verifier, and the
    /// fallback does not compute either.
    /// @custom:remedy Deploy on a chain whose virtual machine follows the EVM specification.
    error P256Unavailable();
}
