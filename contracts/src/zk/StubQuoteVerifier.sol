// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProofKind} from "../types/ProofKind.sol";
import {IRiscZeroVerifier} from "./IRiscZeroVerifier.sol";
import {ReceiptQuoteVerifier} from "./ReceiptQuoteVerifier.sol";

/// @title StubQuoteVerifier
/// @notice Development only: mock receipts, and nothing else.
contract StubQuoteVerifier is ReceiptQuoteVerifier {
    constructor(IRiscZeroVerifier receiptVerifier, bytes32 imageId, uint64 maxAge)
        ReceiptQuoteVerifier(receiptVerifier, imageId, maxAge)
    {}

    /// @notice Always `Stub`.
    function kind() external pure returns (ProofKind) {
        return ProofKind.Stub;
    }

    function _accepts(bytes4 selector) internal pure override returns (bool) {
        return selector == MOCK_SELECTOR;
    }
}
