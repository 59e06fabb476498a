// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {ICommitteeVerifier} from "../interfaces/ICommitteeVerifier.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {JournalVerifier} from "../verify/JournalVerifier.sol";

/// @title CommitteeVerifier
/// @notice m of n off-chain verifiers vouch for a journal. The committee never changes: another one
/// is another contract on another route.
contract CommitteeVerifier is ICommitteeVerifier, JournalVerifier, EIP712 {
    /* CONSTANTS */

    /// @notice What a member signs.
    bytes32 public constant VERDICT_ATTESTATION_TYPEHASH =
        keccak256("VerdictAttestation(bytes32 journalDigest)");

    /// @dev Bounds the gas of a proof: some 10,000 per signature.
    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant SIGNATURE_LENGTH = 65;
    /// @dev A signature in `abi.encode(bytes[])`: its offset, its length, and 65 bytes padded to 96.
    uint256 private constant ENCODED_SIGNATURE_LENGTH = 160;

    /* IMMUTABLES */

    /// @inheritdoc ICommitteeVerifier
    uint8 public immutable THRESHOLD;

    /* STORAGE */

    /// @inheritdoc ICommitteeVerifier
    /// @dev Written by the constructor alone, as is the list.
    mapping(address account => bool) public isMember;

    address[] private _members;

    /* CONSTRUCTOR */

    /// @param sortedMembers the members, strictly ascending.
    /// @param threshold how many of them must sign.
    /// @param maxAge seconds a verdict is accepted after it was reached.
    constructor(address[] memory sortedMembers, uint8 threshold, uint64 maxAge)
        JournalVerifier(maxAge)
        EIP712("Quotary Committee", "1")
    {
        uint256 count = sortedMembers.length;
        bool sound = threshold != 0 && threshold <= count && count <= MAX_MEMBERS;
        address previous = address(0);
        for (uint256 i = 0; sound && i < count; ++i) {
            address member = sortedMembers[i];
            sound = member > previous;
            isMember[member] = true;
            previous = member;
        }
        require(sound, CommitteeInvalid(count, threshold));
        _members = sortedMembers;
        THRESHOLD = threshold;
    }

    /* VIEWS */

    /// @notice Always `Committee`.
    function kind() external pure returns (ProofKind) {
        return ProofKind.Committee;
    }

    /// @inheritdoc ICommitteeVerifier
    function members() external view returns (address[] memory) {
        return _members;
    }

    /// @inheritdoc ICommitteeVerifier
    function attestationDigest(bytes32 journalDigest) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(VERDICT_ATTESTATION_TYPEHASH, journalDigest)));
    }

    /* INTERNAL */

    /// @dev `proof` is `abi.encode(bytes[])` of 65-byte signatures. Every one must count: a proof
    /// with a bad signature too many is refused, so that each proof has one meaning.
    function _requireProof(bytes32 journalDigest, bytes calldata proof) internal view override {
        uint256 count = _countSignatures(proof);
        require(count >= THRESHOLD, QuorumNotReached(count, THRESHOLD));
        bytes32 digest = attestationDigest(journalDigest);
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            (address signer, ECDSA.RecoverError failure,) =
                ECDSA.tryRecoverCalldata(digest, _signatureAt(proof, count, i));
            require(failure == ECDSA.RecoverError.NoError, CommitteeSignatureInvalid(i));
            require(signer > previous, SignersNotAscending(previous, signer));
            require(isMember[signer], NotAMember(i, signer));
            previous = signer;
        }
    }

    function _countSignatures(bytes calldata proof) private pure returns (uint256 count) {
        bool sound = proof.length >= 64 && (proof.length - 64) % ENCODED_SIGNATURE_LENGTH == 0;
        if (sound) {
            count = (proof.length - 64) / ENCODED_SIGNATURE_LENGTH;
            sound = count <= MAX_MEMBERS && _word(proof, 0) == 32 && _word(proof, 32) == count;
        }
        require(sound, ProofMalformed(proof.length));
    }

    function _signatureAt(bytes calldata proof, uint256 count, uint256 index)
        private
        pure
        returns (bytes calldata)
    {
        uint256 offset = count * 32 + index * 128;
        uint256 start = 64 + offset;
        require(
            _word(proof, 64 + index * 32) == offset && _word(proof, start) == SIGNATURE_LENGTH,
            ProofMalformed(proof.length)
        );
        return proof[start + 32:start + 32 + SIGNATURE_LENGTH];
    }

    function _word(bytes calldata data, uint256 offset) private pure returns (uint256) {
        return uint256(bytes32(data[offset:offset + 32]));
    }
}
