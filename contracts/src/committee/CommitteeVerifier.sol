// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

import {Mem} from "../dcap/Mem.sol";
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

    /// @dev Bounds the gas of a proof: some 5,000 per signature.
    uint256 private constant MAX_MEMBERS = 32;
    uint256 private constant SIGNATURE_LENGTH = 65;
    /// @dev A signature in `abi.encode(bytes[])`: its offset, its length, and 65 bytes padded to 96.
    uint256 private constant ENCODED_SIGNATURE_LENGTH = 160;
    uint256 private constant ADDRESS_LENGTH = 20;

    /* IMMUTABLES */

    /// @inheritdoc ICommitteeVerifier
    uint8 public immutable THRESHOLD;

    /// @dev Where the members are: the code of an account is one cold read, however many sign.
    address private immutable _MEMBERS;

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
        bytes memory packed;
        address previous = address(0);
        for (uint256 i = 0; sound && i < count; ++i) {
            address member = sortedMembers[i];
            sound = member > previous;
            packed = bytes.concat(packed, bytes20(member));
            previous = member;
        }
        require(sound, CommitteeInvalid(count, threshold));
        _MEMBERS = SSTORE2.write(packed);
        THRESHOLD = threshold;
    }

    /* VIEWS */

    /// @notice Always `Committee`.
    function kind() external pure returns (ProofKind) {
        return ProofKind.Committee;
    }

    /// @inheritdoc ICommitteeVerifier
    function members() external view returns (address[] memory list) {
        bytes memory packed = SSTORE2.read(_MEMBERS);
        list = new address[](packed.length / ADDRESS_LENGTH);
        for (uint256 i = 0; i < list.length; ++i) {
            list[i] = _memberAt(packed, i * ADDRESS_LENGTH);
        }
    }

    /// @inheritdoc ICommitteeVerifier
    function isMember(address account) external view returns (bool) {
        bytes memory packed = SSTORE2.read(_MEMBERS);
        for (uint256 i = 0; i < packed.length; i += ADDRESS_LENGTH) {
            if (_memberAt(packed, i) == account) return true;
        }
        return false;
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
        bytes memory packed = SSTORE2.read(_MEMBERS);
        uint256 place = 0;
        address previous = address(0);
        for (uint256 i = 0; i < count; ++i) {
            address signer = _signerAt(proof, count, i, digest);
            require(signer > previous, SignersNotAscending(previous, signer));
            // Both lists ascend, so no member is looked at twice.
            address member;
            do {
                member = _memberAt(packed, place);
                place += ADDRESS_LENGTH;
            } while (member < signer && member != address(0));
            require(member == signer, NotAMember(i, signer));
            previous = signer;
        }
    }

    /// @dev The member `place` bytes from the start; zero behind the last one.
    function _memberAt(bytes memory packed, uint256 place) private pure returns (address) {
        if (place >= packed.length) return address(0);
        return address(uint160(Mem.word(Mem.at(packed) + place) >> 96));
    }

    function _countSignatures(bytes calldata proof) private pure returns (uint256 count) {
        bool sound = proof.length >= 64 && (proof.length - 64) % ENCODED_SIGNATURE_LENGTH == 0;
        if (sound) {
            count = (proof.length - 64) / ENCODED_SIGNATURE_LENGTH;
            sound = count <= MAX_MEMBERS && _word(proof, 0) == 32 && _word(proof, 32) == count;
        }
        require(sound, ProofMalformed(proof.length));
    }

    /// @dev The signer of the signature at `index`, which {_countSignatures} found to be there.
    function _signerAt(bytes calldata proof, uint256 count, uint256 index, bytes32 digest)
        private
        pure
        returns (address)
    {
        unchecked {
            uint256 offset = count * 32 + index * 128;
            uint256 start = 64 + offset;
            require(
                _word(proof, 64 + index * 32) == offset && _word(proof, start) == SIGNATURE_LENGTH,
                ProofMalformed(proof.length)
            );
            (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(
                digest,
                uint8(_word(proof, start + 96) >> 248),
                bytes32(_word(proof, start + 32)),
                bytes32(_word(proof, start + 64))
            );
            require(failure == ECDSA.RecoverError.NoError, CommitteeSignatureInvalid(index));
            return signer;
        }
    }

    /// @dev The word at `offset`, which the caller has found to lie inside `data`.
    function _word(bytes calldata data, uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(add(data.offset, offset)) // reads no memory
        }
    }
}
