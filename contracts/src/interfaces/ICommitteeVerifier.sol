// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IQuoteVerifier} from "./IQuoteVerifier.sol";

/// @title ICommitteeVerifier
/// @notice m of n off-chain verifiers vouch for a journal.
/// @dev INTEGRATOR RESPONSIBILITIES. The chain checks signatures and the journal's clock, nothing
/// else: `THRESHOLD` members together can vouch for anything.
interface ICommitteeVerifier is IQuoteVerifier {
    /// @notice The committee given at deployment is empty, too large, unordered, or below its
    /// threshold.
    /// @custom:remedy Give 1 to 32 non-zero members in strictly ascending order, and 0 < threshold <= n.
    error CommitteeInvalid(uint256 members, uint256 threshold);

    /// @notice A signature is none: wrong form, or not in its one accepted encoding.
    /// @custom:remedy Send 65 bytes `r ‖ s ‖ v` with low s and v 27 or 28.
    error CommitteeSignatureInvalid(uint256 index);

    /// @notice A signer is no member, or signed another digest.
    /// @custom:remedy Sign the digest of exactly this journal with a member's key.
    error NotAMember(uint256 index, address signer);

    /// @notice Signers repeat or are out of order.
    /// @custom:remedy Sort the signatures by signer, strictly ascending.
    error SignersNotAscending(address previous, address signer);

    /// @notice Too few members signed.
    /// @custom:remedy Collect signatures of `required` members.
    error QuorumNotReached(uint256 actual, uint256 required);

    /// @notice How many members must sign.
    function THRESHOLD() external view returns (uint8);

    /// @notice The members, in ascending order.
    function members() external view returns (address[] memory);

    /// @notice Whether `account` is a member.
    function isMember(address account) external view returns (bool);

    /// @notice The EIP-712 digest that members sign for the journal with this digest.
    function attestationDigest(bytes32 journalDigest) external view returns (bytes32);

    /// @notice Reverts unless a quorum of members signed `digest`, whatever it stands for.
    /// @dev For contracts that ask the committee about something else than a journal. The digest must
    /// be of an EIP-712 domain of the asking contract's own, or signatures given for one thing would
    /// count for another.
    /// @param proof `abi.encode(bytes[])` of 65-byte signatures, ascending by signer: what a proof of
    /// a journal is, too.
    function requireQuorum(bytes32 digest, bytes calldata proof) external view;
}
