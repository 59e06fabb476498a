// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {ICommitteeVerifier} from "./ICommitteeVerifier.sol";
import {IGatewayKeys} from "./IGatewayKeys.sol";

/// @notice An exchange by its receipt, as it was recorded.
struct ReceiptRecord {
    bytes32 keysetDigest;
    /// @dev sha256 of the receipt in the form that is signed: what else it says can be shown by it.
    bytes32 documentHash;
    /// @dev Zero where the committee vouches for an Ed25519 signature.
    address key;
    ProofKind kind;
    /// @dev The service's own word, Unix time.
    uint64 servedAt;
    uint64 recordedAt;
}

/// @title IReceiptAdapter
/// @notice Takes the receipts of ACI services (`aci/1`) about an answer.
/// @dev The receipt is read here, in its canonical form. Its signature is checked here where the keyset
/// has a key of the algorithm `secp256k1-eip191`; Ed25519 is dear to check on a chain, so there the
/// committee checks it. The keyset must be enrolled at {IGatewayKeys} either way.
/// @dev INTEGRATOR RESPONSIBILITIES. A record binds the bytes of a request body and of a response body
/// to a keyset that attested code held. It does NOT bind the model or its weights (a name is a
/// wish), a request id, a chain or a contract (it counts on every chain), nor a time: `servedAt` is the
/// service's word. Behind an aggregator it says nothing of who inferred: the session that the receipt
/// names is judged off chain (`quotary aci verify`). An Ed25519 record rests on the committee's word
/// that the signature is good, and on the chain for all else.
interface IReceiptAdapter {
    /// @notice The service of the keyset signed that the body of `requestHash` was answered by that of
    /// `responseHash`.
    event ReceiptRecorded(
        bytes32 indexed appId,
        bytes32 indexed requestHash,
        bytes32 indexed responseHash,
        bytes32 keysetDigest,
        bytes32 documentHash,
        address key,
        ProofKind proofKind,
        uint64 servedAt
    );

    /// @notice The exchange was recorded before, by a keyset as well proven.
    /// @custom:remedy Nothing is left to do; only a keyset of a stronger kind of proof replaces a record.
    error ReceiptKnown(bytes32 appId, bytes32 requestHash, bytes32 responseHash);

    /// @notice No such exchange was recorded.
    /// @custom:remedy Call `record` or `recordAttested` with the service's receipt.
    error ReceiptUnknown(bytes32 appId, bytes32 requestHash, bytes32 responseHash);

    /// @notice The key belongs to another keyset than the receipt names.
    /// @custom:remedy Send a receipt of the keyset that was enrolled last with this key.
    error WrongKeyset(bytes32 actual, bytes32 expected);

    /// @notice Records an exchange by a receipt that a key on this curve signed. What a keyset of a weaker kind
    /// of proof had recorded of it is replaced. Open to any sender.
    /// @param receipt the receipt without its `signature`, in canonical form (RFC 8785), at most 16,384 bytes.
    /// @param signature 65 bytes `r ‖ s ‖ v` over the EIP-191 message of `receipt`, low s, v 27 or 28.
    function record(bytes32 appId, bytes calldata receipt, bytes calldata signature) external;

    /// @notice Records an exchange by a receipt whose Ed25519 signature the committee checked. Open to
    /// any sender.
    /// @param signatures of members over {attestationDigest}, ascending by signer, as many as the
    /// committee's threshold or more.
    function recordAttested(bytes32 appId, bytes calldata receipt, bytes[] calldata signatures)
        external;

    /// @notice The record of an exchange. Reverts with {ReceiptUnknown} where there is none.
    function receiptOf(bytes32 appId, bytes32 requestHash, bytes32 responseHash)
        external
        view
        returns (ReceiptRecord memory);

    /// @notice The EIP-712 digest by which a member vouches that the receipt is signed by an Ed25519 key
    /// that the keyset named in it lists under the receipt's `key_id`.
    function attestationDigest(bytes32 appId, bytes32 documentHash) external view returns (bytes32);

    /// @notice Where keys and keysets are enrolled.
    function KEYS() external view returns (IGatewayKeys);

    /// @notice Who vouches for Ed25519 signatures.
    function COMMITTEE() external view returns (ICommitteeVerifier);
}
