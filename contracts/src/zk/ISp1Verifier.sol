// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @title ISp1Verifier
/// @notice Succinct's verifier ABI, so that its deployed contracts and gateways can serve here.
interface ISp1Verifier {
    /// @notice The proof was made for another verifier, by its first four bytes.
    /// @custom:remedy Prove with the release of SP1 that this verifier is for.
    error WrongVerifierSelector(bytes4 received, bytes4 expected);

    /// @notice The proof does not show that the program wrote these public values.
    /// @custom:remedy Prove again: the proof, program or public values are not what was proven.
    error InvalidProof();

    /// @notice Verifies that the program wrote `publicValues`; reverts where the proof does not say so.
    /// @param programVKey the program's verification key.
    /// @param proofBytes the proof, led by its verifier's 4-byte selector.
    function verifyProof(
        bytes32 programVKey,
        bytes calldata publicValues,
        bytes calldata proofBytes
    ) external view;
}

/// @notice An SP1 verifier that says which release's proofs are its own.
interface ISp1VerifierWithHash is ISp1Verifier {
    /// @notice The hash of the verification key; its first four bytes lead every proof.
    function VERIFIER_HASH() external view returns (bytes32);
}
