// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";
import {SSTORE2} from "solady/utils/SSTORE2.sol";

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

    /// @inheritdoc ICommitteeVerifier
    function requireQuorum(bytes32 digest, bytes calldata proof) external view {
        _requireQuorum(digest, proof);
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        override(IERC165, JournalVerifier)
        returns (bool)
    {
        return interfaceId == type(ICommitteeVerifier).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    /// @dev A journal is vouched for by the digest it is attested with.
    function _requireProof(bytes32 journalDigest, bytes calldata proof) internal view override {
        _requireQuorum(attestationDigest(journalDigest), proof);
    }

    /// @dev `proof` is `abi.encode(bytes[])` of 65-byte signatures. Every one must count: a proof
    /// with a bad signature too many is refused, so that each proof has one meaning.
    function _requireQuorum(bytes32 digest, bytes calldata proof) private view {
        uint256 count = _countSignatures(proof);
        require(count >= THRESHOLD, QuorumNotReached(count, THRESHOLD));
        bytes memory packed = SSTORE2.read(_MEMBERS);
        uint256 place = 0;
        address previous = address(0);
        unchecked {
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
    }

    /// @dev The member `place` bytes from the start; zero behind the last one.
    function _memberAt(bytes memory packed, uint256 place) private pure returns (address member) {
        assembly ("memory-safe") {
            if lt(place, mload(packed)) {
                member := shr(96, mload(add(add(packed, 0x20), place))) // inside, or just read past
            }
        }
    }

    /// @dev `proof` is `abi.encode(bytes[])`; how many elements it says it has, and has room for.
    function _countSignatures(bytes calldata proof) private pure returns (uint256 count) {
        uint256 length = proof.length;
        bool sound = length >= 64;
        if (sound) {
            uint256 start;
            assembly ("memory-safe") {
                start := calldataload(proof.offset) // reads no memory
                count := calldataload(add(proof.offset, 0x20))
            }
            sound = start == 32 && count <= MAX_MEMBERS;
            unchecked {
                sound = sound && length == 64 + count * ENCODED_SIGNATURE_LENGTH;
            }
        }
        require(sound, ProofMalformed(length));
    }

    /// @dev The signer of the signature at `index`, which {_countSignatures} found room for.
    function _signerAt(bytes calldata proof, uint256 count, uint256 index, bytes32 digest)
        private
        pure
        returns (address)
    {
        uint256 offset;
        unchecked {
            offset = count * 32 + index * 128;
        }
        bool sound;
        bytes32 r;
        bytes32 s;
        uint8 v;
        assembly ("memory-safe") {
            let list := add(proof.offset, 0x40) // reads no memory
            let signature := add(list, offset) // its length, then its bytes
            sound := eq(calldataload(add(list, shl(5, index))), offset)
            sound := and(sound, eq(calldataload(signature), SIGNATURE_LENGTH))
            r := calldataload(add(signature, 0x20))
            s := calldataload(add(signature, 0x40))
            v := byte(0, calldataload(add(signature, 0x60)))
        }
        require(sound, ProofMalformed(proof.length));
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(digest, v, r, s);
        require(failure == ECDSA.RecoverError.NoError, CommitteeSignatureInvalid(index));
        return signer;
    }
}
