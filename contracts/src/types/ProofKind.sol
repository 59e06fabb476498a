// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice Who checked the evidence behind a verdict. Part of every registration, event and view.
/// @dev The numbers are part of the wire format (docs/formats.md, "Proof kinds and routes").
enum ProofKind {
    /// @dev Never valid: what an unset storage slot says.
    None,
    /// @dev The chain itself checked every signature of the quote.
    OnChain,
    /// @dev A zero-knowledge receipt over the guest program that holds the verifier's rules.
    Zk,
    /// @dev m of n off-chain verifiers signed the journal digest.
    Committee,
    /// @dev Development only: nobody checked anything.
    Stub
}
