// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Groth16, Groth16Key} from "./Groth16.sol";
import {ISp1Verifier, ISp1VerifierWithHash} from "./ISp1Verifier.sol";

/// @title Sp1Groth16Verifier
/// @notice Verifies Groth16 proofs of one release of SP1 before 6: program and public values are the
/// two inputs of its circuit. Immutable and stateless.
/// @dev INTEGRATOR RESPONSIBILITIES. As those of {RiscZeroGroth16Verifier}. The hash that names the
/// key is over Succinct's own file of it, which the chain does not have: it is taken as given.
contract Sp1Groth16Verifier is ISp1VerifierWithHash, Groth16 {
    /* CONSTANTS */

    uint256 private constant IC_LENGTH = 3;
    uint256 private constant SELECTOR_LENGTH = 4;
    /// @dev Public values enter as their sha256 without its three highest bits, to fit the field.
    uint256 private constant DIGEST_MASK = (1 << 253) - 1;

    /* IMMUTABLES */

    /// @inheritdoc ISp1VerifierWithHash
    bytes32 public immutable VERIFIER_HASH;

    /* CONSTRUCTOR */

    constructor(Groth16Key memory key, bytes32 verifierHash)
        Groth16(_checked(key), key.ic[0], key.ic[1], key.ic[2])
    {
        VERIFIER_HASH = verifierHash;
    }

    /* VERIFICATION */

    /// @inheritdoc ISp1Verifier
    function verifyProof(
        bytes32 programVKey,
        bytes calldata publicValues,
        bytes calldata proofBytes
    ) external view {
        uint256 length = proofBytes.length;
        require(length >= SELECTOR_LENGTH, SealLengthWrong(length, SELECTOR_LENGTH));
        (bytes4 actual, bytes4 expected) = (bytes4(proofBytes), bytes4(VERIFIER_HASH));
        require(actual == expected, WrongVerifierSelector(actual, expected));
        uint256 digest = uint256(sha256(publicValues)) & DIGEST_MASK;
        require(_proves(proofBytes[SELECTOR_LENGTH:], uint256(programVKey), digest), InvalidProof());
    }

    /* PRIVATE */

    function _checked(Groth16Key memory key) private pure returns (Groth16Key memory) {
        require(key.ic.length == IC_LENGTH, KeyLengthWrong(key.ic.length, IC_LENGTH));
        return key;
    }
}
