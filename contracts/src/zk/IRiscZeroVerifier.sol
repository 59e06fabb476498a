// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

/// @notice A seal and the claim it proves, in RISC Zero's own layout.
struct Receipt {
    bytes seal;
    bytes32 claimDigest;
}

/// @title IRiscZeroVerifier
/// @notice RISC Zero's verifier ABI, so that its deployed contracts and routers can serve here.
/// @dev Both functions return nothing and revert on a receipt that is not valid.
interface IRiscZeroVerifier {
    /// @notice The seal does not prove the claim.
    /// @custom:remedy Prove again: the seal, image id or journal is not what was proven.
    error VerificationFailed();

    /// @notice The seal was made for another verifier, by its first four bytes.
    /// @custom:remedy Prove with the release of the prover that this verifier is for, or ask its router.
    error SelectorMismatch(bytes4 received, bytes4 expected);

    /// @notice Verifies that the guest `imageId` ended well and committed to `journalDigest`.
    /// @param seal the proof, led by its verifier's 4-byte selector.
    /// @param journalDigest sha256 of the journal.
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view;

    /// @notice Verifies that the receipt's seal proves its claim, whatever the claim says.
    function verifyIntegrity(Receipt calldata receipt) external view;
}

/// @notice A verifier that says which seals are its own.
interface IRiscZeroSelectable {
    /// @notice The first four bytes of every seal it verifies.
    function SELECTOR() external view returns (bytes4);
}
