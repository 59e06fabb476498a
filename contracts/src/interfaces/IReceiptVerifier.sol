// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IRiscZeroVerifier} from "../zk/IRiscZeroVerifier.sol";
import {IQuoteVerifier} from "./IQuoteVerifier.sol";

/// @title IReceiptVerifier
/// @notice A RISC Zero receipt proves that the guest program with `IMAGE_ID` reached the verdict.
interface IReceiptVerifier is IQuoteVerifier {
    /// @notice The image id is zero.
    /// @custom:remedy Give the image id of the guest program.
    error ImageIdMissing();

    /// @notice The contract that checks receipts has no code.
    /// @custom:remedy Give a deployed {IRiscZeroVerifier}.
    error ReceiptVerifierMissing(address account);

    /// @notice The seal belongs to the other world: a mock seal where real ones count, or the reverse.
    /// @custom:remedy Prove with the prover this route is meant for; a mock never stands in for a proof.
    error SealSelectorRefused(bytes4 selector);

    /// @notice The contract that checks the receipt.
    function RECEIPT_VERIFIER() external view returns (IRiscZeroVerifier);

    /// @notice The guest program.
    function IMAGE_ID() external view returns (bytes32);
}
