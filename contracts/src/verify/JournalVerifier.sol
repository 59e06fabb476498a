// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {Mem} from "../dcap/Mem.sol";
import {IQuoteVerifier} from "../interfaces/IQuoteVerifier.sol";
import {Verdict} from "../types/Verdict.sol";
import {JournalLib} from "./JournalLib.sol";

/// @title JournalVerifier
/// @notice What the verifiers share whose evidence is a journal: they decode it, judge its clock,
/// and leave to each how a proof vouches for it.
abstract contract JournalVerifier is IQuoteVerifier, ERC165 {
    /* CONSTANTS */

    /// @dev How far a verifier's clock may run ahead of the block's (docs/formats.md).
    uint64 private constant CLOCK_TOLERANCE = 60;

    /* IMMUTABLES */

    /// @notice Seconds a verdict is accepted after it was reached.
    uint64 public immutable MAX_AGE;

    /* CONSTRUCTOR */

    constructor(uint64 maxAge) {
        MAX_AGE = maxAge;
    }

    /* VERIFICATION */

    /// @inheritdoc IQuoteVerifier
    /// @dev A journal is the one encoding of its verdict, so it is returned as it came.
    function verify(bytes calldata evidence, bytes calldata proof)
        external
        view
        returns (Verdict memory)
    {
        Verdict calldata verdict = JournalLib.read(evidence);
        JournalLib.requireCurrent(verdict, block.timestamp, MAX_AGE, CLOCK_TOLERANCE);
        _requireSupport(verdict);
        bytes memory journal = evidence;
        _requireProof(Mem.sha(Mem.at(journal), journal.length), proof);
        Mem.give(Mem.at(journal), journal.length);
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        virtual
        override(ERC165, IERC165)
        returns (bool)
    {
        return interfaceId == type(IQuoteVerifier).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /// @dev Reverts where the chain knows better than what `verdict` rests on. Nothing, by default.
    function _requireSupport(Verdict calldata verdict) internal view virtual {}

    /// @dev Reverts unless `proof` vouches for the journal with this digest.
    function _requireProof(bytes32 journalDigest, bytes calldata proof) internal view virtual;
}
