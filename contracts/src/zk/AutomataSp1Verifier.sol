// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {AutomataVerifier} from "./AutomataVerifier.sol";
import {ISp1Verifier} from "./ISp1Verifier.sol";

/// @title AutomataSp1Verifier
/// @notice Automata's guest, proven by SP1.
contract AutomataSp1Verifier is AutomataVerifier {
    /// @notice The contract that checks the proofs.
    ISp1Verifier public immutable VERIFIER;

    constructor(ISp1Verifier verifier, bytes32 program, uint64 maxAge)
        AutomataVerifier(address(verifier), program, maxAge)
    {
        VERIFIER = verifier;
    }

    function _requireProof(bytes calldata journal, bytes calldata proof) internal view override {
        VERIFIER.verifyProof(PROGRAM, journal, proof);
    }
}
