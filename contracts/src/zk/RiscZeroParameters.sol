// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {G1, G2} from "./Bn254.sol";
import {Groth16Key} from "./Groth16.sol";

/// @title RiscZeroParameters
/// @notice How RISC Zero names the parameters of a Groth16 verifier by one digest, whose first four
/// bytes are the selector of its seals; and how it feeds digests to its circuit.
/// @dev Tagged struct hashing: sha256(tag ‖ child digests ‖ number of children, uint16 LE).
library RiscZeroParameters {
    /// @dev sha256("risc0.Groth16ReceiptVerifierParameters")
    bytes32 private constant PARAMETERS_TAG = sha256("risc0.Groth16ReceiptVerifierParameters");
    /// @dev sha256("risc0_groth16.VerifyingKey")
    bytes32 private constant KEY_TAG = sha256("risc0_groth16.VerifyingKey");
    /// @dev sha256("risc0_groth16.VerifyingKey.IC")
    bytes32 private constant IC_TAG = sha256("risc0_groth16.VerifyingKey.IC");

    /// @notice The digest of the parameters; its first four bytes are the selector.
    function digestOf(Groth16Key memory key, bytes32 controlRoot, bytes32 controlId)
        internal
        pure
        returns (bytes32)
    {
        return sha256(
            abi.encodePacked(
                PARAMETERS_TAG, controlRoot, reversed(controlId), keyDigestOf(key), bytes2(0x0300)
            )
        );
    }

    /// @notice The digest of a verification key.
    function keyDigestOf(Groth16Key memory key) internal pure returns (bytes32) {
        bytes32 points = 0;
        for (uint256 i = key.ic.length; i != 0; --i) {
            points = sha256(abi.encodePacked(IC_TAG, _hash(key.ic[i - 1]), points, bytes2(0x0200)));
        }
        return sha256(
            abi.encodePacked(
                KEY_TAG,
                _hash(key.alpha),
                _hash(key.beta),
                _hash(key.gamma),
                _hash(key.delta),
                points,
                bytes2(0x0500)
            )
        );
    }

    /// @notice A digest as two public inputs: each half read as a little-endian number.
    function split(bytes32 digest) internal pure returns (uint256 low, uint256 high) {
        uint256 number = uint256(reversed(digest));
        return (uint128(number), number >> 128);
    }

    /// @notice The bytes of `word` in the other order.
    function reversed(bytes32 word) internal pure returns (bytes32) {
        uint256 v = uint256(word);
        // Neighbours change places: bytes, then pairs of them, and so on up to the halves.
        v = (v & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff) << 8 | (v >> 8)
            & 0x00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff00ff;
        v = (v & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff) << 16
            | (v >> 16) & 0x0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff0000ffff;
        v = (v & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff) << 32
            | (v >> 32) & 0x00000000ffffffff00000000ffffffff00000000ffffffff00000000ffffffff;
        v = (v & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff) << 64
            | (v >> 64) & 0x0000000000000000ffffffffffffffff0000000000000000ffffffffffffffff;
        return bytes32(v << 128 | v >> 128);
    }

    function _hash(G1 memory point) private pure returns (bytes32) {
        return sha256(abi.encodePacked(point.x, point.y));
    }

    function _hash(G2 memory point) private pure returns (bytes32) {
        return
            sha256(abi.encodePacked(point.xImaginary, point.xReal, point.yImaginary, point.yReal));
    }
}
