// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IReceiptVerifier} from "../interfaces/IReceiptVerifier.sol";
import {JournalVerifier} from "../verify/JournalVerifier.sol";
import {IRiscZeroVerifier} from "./IRiscZeroVerifier.sol";

/// @title ReceiptQuoteVerifier
/// @notice What the two verifiers of receipts share. They differ in the seals they let through.
abstract contract ReceiptQuoteVerifier is IReceiptVerifier, JournalVerifier {
    /* CONSTANTS */

    /// @dev The selector of RISC Zero's mock seals.
    bytes4 internal constant MOCK_SELECTOR = 0xffffffff;

    /* IMMUTABLES */

    /// @inheritdoc IReceiptVerifier
    IRiscZeroVerifier public immutable RECEIPT_VERIFIER;
    /// @inheritdoc IReceiptVerifier
    bytes32 public immutable IMAGE_ID;

    /* CONSTRUCTOR */

    constructor(IRiscZeroVerifier receiptVerifier, bytes32 imageId, uint64 maxAge)
        JournalVerifier(maxAge)
    {
        require(
            address(receiptVerifier).code.length != 0,
            ReceiptVerifierMissing(address(receiptVerifier))
        );
        require(imageId != 0, ImageIdMissing());
        RECEIPT_VERIFIER = receiptVerifier;
        IMAGE_ID = imageId;
    }

    /* INTERNAL */

    /// @dev `proof` is the receipt's seal.
    function _requireProof(bytes32 journalDigest, bytes calldata proof) internal view override {
        require(proof.length >= 4, ProofMalformed(proof.length));
        bytes4 selector = bytes4(proof[:4]);
        require(_accepts(selector), SealSelectorRefused(selector));
        RECEIPT_VERIFIER.verify(proof, IMAGE_ID, journalDigest);
    }

    /// @dev Whether seals with this selector may be tried at all.
    function _accepts(bytes4 selector) internal pure virtual returns (bool);
}
