// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AutomataVerifier} from "./AutomataVerifier.sol";
import {IRiscZeroVerifier} from "./IRiscZeroVerifier.sol";

/// @title AutomataRiscZeroVerifier
/// @notice Automata's guest, proven by RISC Zero.
contract AutomataRiscZeroVerifier is AutomataVerifier {
    /// @notice The contract that checks the receipts. One that takes mock receipts takes anything.
    IRiscZeroVerifier public immutable VERIFIER;

    constructor(IRiscZeroVerifier verifier, bytes32 program, uint64 maxAge)
        AutomataVerifier(address(verifier), program, maxAge)
    {
        VERIFIER = verifier;
    }

    function _requireProof(bytes calldata journal, bytes calldata proof) internal view override {
        VERIFIER.verify(proof, PROGRAM, sha256(journal));
    }
}
