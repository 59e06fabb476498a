// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {Failure} from "./Failure.sol";

/// @title VerifierCall
/// @notice {IQuoteVerifier-verify} as a call that copies evidence and answer once.
library VerifierCall {
    /// @notice What `verifier` answers, as it answers; its own revert where it reverts.
    /// @dev Anything may come back, and nothing from where there is no code: look at it before use.
    function ask(IQuoteVerifier verifier, bytes calldata evidence, bytes calldata proof)
        internal
        view
        returns (bytes memory answer)
    {
        bytes4 selector = IQuoteVerifier.verify.selector;
        bool ok;
        assembly ("memory-safe") {
            answer := mload(0x40) // free memory: first the question, then the answer
            mstore(answer, selector)
            let head := add(answer, 4)
            mstore(head, 0x40) // the evidence is behind two offsets
            let place := add(head, 0x40)
            mstore(place, evidence.length)
            place := add(place, 0x20)
            calldatacopy(place, evidence.offset, evidence.length)
            mstore(add(place, evidence.length), 0) // padding
            place := add(place, and(add(evidence.length, 0x1f), not(0x1f)))
            mstore(add(head, 0x20), sub(place, head)) // where the proof is
            mstore(place, proof.length)
            place := add(place, 0x20)
            calldatacopy(place, proof.offset, proof.length)
            mstore(add(place, proof.length), 0) // padding
            place := add(place, and(add(proof.length, 0x1f), not(0x1f)))
            ok := staticcall(gas(), verifier, answer, sub(place, answer), 0, 0)
            let length := returndatasize()
            mstore(answer, length)
            returndatacopy(add(answer, 0x20), 0, length)
            mstore(0x40, and(add(add(answer, length), 0x3f), not(0x1f))) // keep words aligned
        }
        if (!ok) Failure.raise(answer);
    }
}
