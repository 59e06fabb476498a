// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Bn254, G1} from "./Bn254.sol";
import {Groth16, Groth16Key} from "./Groth16.sol";
import {IRiscZeroSelectable, IRiscZeroVerifier, Receipt} from "./IRiscZeroVerifier.sol";
import {ReceiptClaim} from "./ReceiptClaim.sol";
import {RiscZeroParameters} from "./RiscZeroParameters.sol";

/// @title RiscZeroGroth16Verifier
/// @notice Verifies Groth16 receipts of one release of RISC Zero's zkVM: verification key, control
/// root and BN254 control id say which. Immutable and stateless.
/// @dev INTEGRATOR RESPONSIBILITIES. A proof can be re-randomised by anybody into another one of the
/// same claim: seals identify nothing. A flaw found in that release of the zkVM makes every
/// receipt worthless: reach this through a router that can drop it.
contract RiscZeroGroth16Verifier is IRiscZeroVerifier, IRiscZeroSelectable, Groth16 {
    /* CONSTANTS */

    /// @dev Control root and claim digest (two halves each), control id; and one for the constant.
    uint256 private constant IC_LENGTH = 6;
    uint256 private constant SELECTOR_LENGTH = 4;

    /* IMMUTABLES */

    /// @notice The root of the control ids of the programs that a receipt may have been lifted by.
    bytes32 public immutable CONTROL_ROOT;
    /// @notice The control id of the program whose execution the circuit checks.
    bytes32 public immutable BN254_CONTROL_ID;
    /// @notice Digest of all parameters.
    bytes32 public immutable PARAMETERS_DIGEST;
    /// @inheritdoc IRiscZeroSelectable
    bytes4 public immutable SELECTOR;

    /* CONSTRUCTOR */

    constructor(Groth16Key memory key, bytes32 controlRoot, bytes32 controlId)
        Groth16(key, _base(key, controlRoot, controlId), key.ic[3], key.ic[4])
    {
        CONTROL_ROOT = controlRoot;
        BN254_CONTROL_ID = controlId;
        PARAMETERS_DIGEST = RiscZeroParameters.digestOf(key, controlRoot, controlId);
        SELECTOR = bytes4(PARAMETERS_DIGEST);
    }

    /* VERIFICATION */

    /// @inheritdoc IRiscZeroVerifier
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external view {
        _requireProven(seal, ReceiptClaim.digestOf(imageId, journalDigest));
    }

    /// @inheritdoc IRiscZeroVerifier
    function verifyIntegrity(Receipt calldata receipt) external view {
        _requireProven(receipt.seal, receipt.claimDigest);
    }

    /* PRIVATE */

    function _requireProven(bytes calldata seal, bytes32 claimDigest) private view {
        require(seal.length >= SELECTOR_LENGTH, SealLengthWrong(seal.length, SELECTOR_LENGTH));
        bytes4 selector = bytes4(seal[:SELECTOR_LENGTH]);
        require(selector == SELECTOR, SelectorMismatch(selector, SELECTOR));
        (uint256 low, uint256 high) = RiscZeroParameters.split(claimDigest);
        require(_proves(seal[SELECTOR_LENGTH:], low, high), VerificationFailed());
    }

    /// @dev The part of the public inputs that is the same for every receipt.
    function _base(Groth16Key memory key, bytes32 controlRoot, bytes32 controlId)
        private
        view
        returns (G1 memory sum)
    {
        require(key.ic.length == IC_LENGTH, KeyLengthWrong(key.ic.length, IC_LENGTH));
        require(uint256(controlId) < Bn254.R, PublicInputTooLarge(uint256(controlId)));
        (uint256 low, uint256 high) = RiscZeroParameters.split(controlRoot);
        sum = Bn254.add(key.ic[0], Bn254.multiply(key.ic[1], low));
        sum = Bn254.add(sum, Bn254.multiply(key.ic[2], high));
        sum = Bn254.add(sum, Bn254.multiply(key.ic[5], uint256(controlId)));
    }
}
