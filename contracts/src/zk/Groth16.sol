// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bn254, G1, G2} from "./Bn254.sol";

/// @notice A Groth16 verification key: `ic` holds a point for one, and one for each public input.
struct Groth16Key {
    G1 alpha;
    G2 beta;
    G2 gamma;
    G2 delta;
    G1[] ic;
}

/// @notice Errors of Groth16 proofs, each with what was found.
interface IGroth16 {
    /// @notice A proof does not have its length.
    /// @custom:remedy Submit the seal byte for byte as the prover gave it.
    error SealLengthWrong(uint256 actual, uint256 expected);

    /// @notice Coordinate `index` of the proof is not below the field's modulus.
    /// @custom:remedy Submit the seal byte for byte as the prover gave it.
    error CoordinateTooLarge(uint256 index, uint256 value);

    /// @notice A public input is not below the order of the group: it would alias a smaller one.
    /// @custom:remedy Give the number the circuit was proven with.
    error PublicInputTooLarge(uint256 value);

    /// @notice The verification key has another number of points than its circuit has inputs.
    /// @custom:remedy Give the key as its ceremony published it.
    error KeyLengthWrong(uint256 actual, uint256 expected);

    /// @notice A point at infinity in the verification key: the proof would not depend on it.
    /// @custom:remedy Give the key as its ceremony published it.
    error KeyPointMissing();
}

/// @title Groth16
/// @notice Verifies proofs of a circuit two of whose public inputs differ from proof to proof.
/// @dev What is the same for all proofs, the other inputs included, is summed up once, at deployment:
/// each input less saves a multiplication on the curve, 6,000 gas.
abstract contract Groth16 is IGroth16 {
    /* CONSTANTS */

    /// @dev A (2 words), B (4), C (2).
    uint256 internal constant PROOF_LENGTH = 256;

    /* IMMUTABLES */

    uint256 private immutable ALPHA_X;
    uint256 private immutable ALPHA_Y;
    uint256 private immutable BETA_X_IMAGINARY;
    uint256 private immutable BETA_X_REAL;
    uint256 private immutable BETA_Y_IMAGINARY;
    uint256 private immutable BETA_Y_REAL;
    uint256 private immutable GAMMA_X_IMAGINARY;
    uint256 private immutable GAMMA_X_REAL;
    uint256 private immutable GAMMA_Y_IMAGINARY;
    uint256 private immutable GAMMA_Y_REAL;
    uint256 private immutable DELTA_X_IMAGINARY;
    uint256 private immutable DELTA_X_REAL;
    uint256 private immutable DELTA_Y_IMAGINARY;
    uint256 private immutable DELTA_Y_REAL;
    uint256 private immutable BASE_X;
    uint256 private immutable BASE_Y;
    uint256 private immutable FIRST_X;
    uint256 private immutable FIRST_Y;
    uint256 private immutable SECOND_X;
    uint256 private immutable SECOND_Y;

    /* CONSTRUCTOR */

    /// @param base the sum of what does not differ: `ic[0]`, and each fixed input times its point.
    /// @param first the point of the first input that differs.
    /// @param second the point of the second.
    constructor(Groth16Key memory key, G1 memory base, G1 memory first, G1 memory second) {
        _requireInG1(key.alpha);
        _requireInG1(base);
        _requireInG1(first);
        _requireInG1(second);
        _requireInG2(key.beta);
        _requireInG2(key.gamma);
        _requireInG2(key.delta);
        (ALPHA_X, ALPHA_Y) = (key.alpha.x, key.alpha.y);
        (BETA_X_IMAGINARY, BETA_X_REAL) = (key.beta.xImaginary, key.beta.xReal);
        (BETA_Y_IMAGINARY, BETA_Y_REAL) = (key.beta.yImaginary, key.beta.yReal);
        (GAMMA_X_IMAGINARY, GAMMA_X_REAL) = (key.gamma.xImaginary, key.gamma.xReal);
        (GAMMA_Y_IMAGINARY, GAMMA_Y_REAL) = (key.gamma.yImaginary, key.gamma.yReal);
        (DELTA_X_IMAGINARY, DELTA_X_REAL) = (key.delta.xImaginary, key.delta.xReal);
        (DELTA_Y_IMAGINARY, DELTA_Y_REAL) = (key.delta.yImaginary, key.delta.yReal);
        (BASE_X, BASE_Y) = (base.x, base.y);
        (FIRST_X, FIRST_Y) = (first.x, first.y);
        (SECOND_X, SECOND_Y) = (second.x, second.y);
    }

    /* INTERNAL */

    /// @dev Whether `proof` shows that the circuit takes these two inputs. Reverts with the reason
    /// where it is no proof at all.
    function _proves(bytes calldata proof, uint256 first, uint256 second)
        internal
        view
        returns (bool)
    {
        require(first < Bn254.R, PublicInputTooLarge(first));
        require(second < Bn254.R, PublicInputTooLarge(second));
        uint256[24] memory words;
        _readProof(proof, words);
        (uint256 x, uint256 y) = Bn254.multiplyAdd(FIRST_X, FIRST_Y, first, BASE_X, BASE_Y);
        (x, y) = Bn254.multiplyAdd(SECOND_X, SECOND_Y, second, x, y);
        // e(-A, B) e(alpha, beta) e((x, y), gamma) e(C, delta) = 1
        words[1] = (Bn254.P - words[1]) % Bn254.P;
        (words[6], words[7]) = (ALPHA_X, ALPHA_Y);
        (words[8], words[9]) = (BETA_X_IMAGINARY, BETA_X_REAL);
        (words[10], words[11]) = (BETA_Y_IMAGINARY, BETA_Y_REAL);
        (words[12], words[13]) = (x, y);
        (words[14], words[15]) = (GAMMA_X_IMAGINARY, GAMMA_X_REAL);
        (words[16], words[17]) = (GAMMA_Y_IMAGINARY, GAMMA_Y_REAL);
        (words[20], words[21]) = (DELTA_X_IMAGINARY, DELTA_X_REAL);
        (words[22], words[23]) = (DELTA_Y_IMAGINARY, DELTA_Y_REAL);
        return Bn254.pairingIsOne(words);
    }

    /* PRIVATE */

    /// @dev Writes A, B and C to their places among `words`.
    function _readProof(bytes calldata proof, uint256[24] memory words) private pure {
        require(proof.length == PROOF_LENGTH, SealLengthWrong(proof.length, PROOF_LENGTH));
        for (uint256 i = 0; i < 8; ++i) {
            uint256 value;
            assembly ("memory-safe") {
                value := calldataload(add(proof.offset, shl(5, i))) // inside: the length is right
            }
            require(value < Bn254.P, CoordinateTooLarge(i, value));
            // After A and B come twelve words that are not the proof's, then C.
            words[i < 6 ? i : i + 12] = value;
        }
    }

    function _requireInG1(G1 memory point) private view {
        require(point.x != 0 || point.y != 0, KeyPointMissing());
        // Adding infinity changes nothing, but only where the precompile takes the point.
        // slither-disable-next-line unused-return
        Bn254.add(point, G1(0, 0));
    }

    function _requireInG2(G2 memory point) private view {
        require(
            point.xImaginary | point.xReal | point.yImaginary | point.yReal != 0, KeyPointMissing()
        );
        Bn254.requireInG2(point);
    }
}
