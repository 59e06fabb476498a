// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRiscZeroVerifier, Receipt} from "./IRiscZeroVerifier.sol";
import {ReceiptClaim} from "./ReceiptClaim.sol";

/// @title RiscZeroStubVerifier
/// @notice Development only: accepts RISC Zero's mock receipts, whose seal is
/// `0xffffffff ‖ claim digest`.
/// @dev Warning: this proves nothing. It is only ever reached through {StubQuoteVerifier}.
contract RiscZeroStubVerifier is IRiscZeroVerifier {
    /// @notice The selector of RISC Zero's mock seals.
    bytes4 public constant SELECTOR = 0xffffffff;

    /// @inheritdoc IRiscZeroVerifier
    function verify(bytes calldata seal, bytes32 imageId, bytes32 journalDigest) external pure {
        _requireMockSeal(seal, ReceiptClaim.digestOf(imageId, journalDigest));
    }

    /// @inheritdoc IRiscZeroVerifier
    function verifyIntegrity(Receipt calldata receipt) external pure {
        _requireMockSeal(receipt.seal, receipt.claimDigest);
    }

    function _requireMockSeal(bytes calldata seal, bytes32 claimDigest) private pure {
        require(
            keccak256(seal) == keccak256(abi.encodePacked(SELECTOR, claimDigest)),
            VerificationFailed()
        );
    }
}
