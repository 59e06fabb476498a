// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ProofKind} from "../types/ProofKind.sol";
import {IRiscZeroVerifier} from "./IRiscZeroVerifier.sol";
import {ReceiptQuoteVerifier} from "./ReceiptQuoteVerifier.sol";

/// @title ZkQuoteVerifier
/// @notice Genuine receipts only: a mock seal is refused whatever the receipt verifier would say of it.
contract ZkQuoteVerifier is ReceiptQuoteVerifier {
    constructor(IRiscZeroVerifier receiptVerifier, bytes32 imageId, uint64 maxAge)
        ReceiptQuoteVerifier(receiptVerifier, imageId, maxAge)
    {}

    /// @notice Always `Zk`.
    function kind() external pure returns (ProofKind) {
        return ProofKind.Zk;
    }

    function _accepts(bytes4 selector) internal pure override returns (bool) {
        return selector != MOCK_SELECTOR;
    }
}
