// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";

/// @notice What Automata's DCAP guest says of a quote.
/// @dev `teeType`, `tcbStatus` and `measurementId` are those of a journal of ours. The content hashes
/// are of TCB info, QE identity, root CA, TCB signing certificate, root CRL and PCK CRL, as Automata's
/// on-chain PCCS hashes them. `advisories` is `abi.encode(string[])`, or empty.
struct AutomataVerdict {
    uint16 quoteVersion;
    uint8 teeType;
    uint8 tcbStatus;
    bytes6 fmspc;
    uint64 verifiedAt;
    bytes32 measurementId;
    bytes32[6] contentHashes;
    bytes reportData;
    bytes advisories;
}

/// @title IAutomataVerifier
/// @notice Accepts proofs of Automata's existing guest program beside those of ours.
/// @dev INTEGRATOR RESPONSIBILITIES. Such a proof says less than a {Verdict}: not which quote, platform,
/// attestation key or root, nor until when its collateral is valid. It is therefore no {IQuoteVerifier}
/// and leads to no registration. Whoever relies on it must compare the content hashes with collateral
/// that is current, and the TCB status, measurement id and report data with what is wanted.
interface IAutomataVerifier {
    /// @notice The journal is not one that the present form of Automata's guest writes.
    /// @custom:remedy Submit the guest's journal byte for byte.
    error AutomataJournalMalformed(uint256 length);

    /// @notice The guest lets platforms pass that are revoked, or that it does not recognise.
    /// @custom:remedy Update the platform: no proof of this status counts.
    error AutomataStatusRefused(uint8 status);

    /// @notice No contract checks the proofs, or no program is named.
    /// @custom:remedy Give a deployed verifier, and the id of the guest.
    error AutomataProgramMissing();

    /// @notice Returns what `journal` says, proven by `proof`, or reverts with the reason.
    function verify(bytes calldata journal, bytes calldata proof)
        external
        view
        returns (AutomataVerdict memory);

    /// @notice Always `Zk`.
    function kind() external view returns (ProofKind);

    /// @notice The guest: image id or program verification key.
    function PROGRAM() external view returns (bytes32);

    /// @notice Seconds a proof is accepted after the time its prover chose.
    function MAX_AGE() external view returns (uint64);
}
