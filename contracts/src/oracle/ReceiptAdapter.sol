// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {ICommitteeVerifier} from "../interfaces/ICommitteeVerifier.sol";
import {IGatewayKeys} from "../interfaces/IGatewayKeys.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IReceiptAdapter, ReceiptRecord} from "../interfaces/IReceiptAdapter.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {AciLib, AciReceipt} from "./AciLib.sol";

/// @title ReceiptAdapter
/// @notice Takes the receipts of ACI services about an answer.
contract ReceiptAdapter is IReceiptAdapter, EIP712, ERC165 {
    /* CONSTANTS */

    /// @notice What a member of the committee signs.
    bytes32 public constant ATTESTATION_TYPEHASH =
        keccak256("ReceiptAttestation(bytes32 appId,bytes32 documentHash)");

    /* IMMUTABLES */

    /// @inheritdoc IReceiptAdapter
    IGatewayKeys public immutable KEYS;
    /// @inheritdoc IReceiptAdapter
    ICommitteeVerifier public immutable COMMITTEE;

    /* STORAGE */

    mapping(bytes32 exchange => ReceiptRecord) private _records;

    /* CONSTRUCTOR */

    constructor(IGatewayKeys keys, ICommitteeVerifier committee) EIP712("Quotary Receipt", "1") {
        require(
            address(keys) != address(0) && address(committee) != address(0), IGoverned.ZeroAddress()
        );
        KEYS = keys;
        COMMITTEE = committee;
    }

    /* RECORDS */

    /// @inheritdoc IReceiptAdapter
    function record(bytes32 appId, bytes calldata receipt, bytes calldata signature) external {
        AciReceipt memory said = AciLib.readReceipt(receipt);
        bytes32 digest = MessageHashUtils.toEthSignedMessageHash(receipt);
        (address key, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(failure == ECDSA.RecoverError.NoError, IResultOracle.InvalidSignature());
        (, ProofKind kind) = KEYS.requireActive(key, appId);
        bytes32 keyset = KEYS.bondOf(appId, key).keysetDigest;
        require(said.keysetDigest == keyset, WrongKeyset(said.keysetDigest, keyset));
        _record(appId, said, sha256(receipt), key, kind);
    }

    /// @inheritdoc IReceiptAdapter
    function recordAttested(bytes32 appId, bytes calldata receipt, bytes[] calldata signatures)
        external
    {
        AciReceipt memory said = AciLib.readReceipt(receipt);
        ProofKind kind = KEYS.requireKeyset(appId, said.keysetDigest);
        bytes32 documentHash = sha256(receipt);
        COMMITTEE.requireQuorum(attestationDigest(appId, documentHash), abi.encode(signatures));
        _record(appId, said, documentHash, address(0), kind);
    }

    /* VIEWS */

    /// @inheritdoc IReceiptAdapter
    function receiptOf(bytes32 appId, bytes32 requestHash, bytes32 responseHash)
        external
        view
        returns (ReceiptRecord memory found)
    {
        found = _records[_exchange(appId, requestHash, responseHash)];
        require(found.recordedAt != 0, ReceiptUnknown(appId, requestHash, responseHash));
    }

    /// @inheritdoc IReceiptAdapter
    function attestationDigest(bytes32 appId, bytes32 documentHash) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(ATTESTATION_TYPEHASH, appId, documentHash)));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return
            interfaceId == type(IReceiptAdapter).interfaceId || super.supportsInterface(interfaceId);
    }

    /* PARTS */

    function _record(
        bytes32 appId,
        AciReceipt memory said,
        bytes32 documentHash,
        address key,
        ProofKind kind
    ) private {
        bytes32 exchange = _exchange(appId, said.requestHash, said.responseHash);
        ReceiptRecord memory known = _records[exchange];
        require(
            known.recordedAt == 0 || kind < known.kind,
            ReceiptKnown(appId, said.requestHash, said.responseHash)
        );
        _records[exchange] = ReceiptRecord(
            said.keysetDigest, documentHash, key, kind, said.servedAt, uint64(block.timestamp)
        );
        emit ReceiptRecorded(
            appId,
            said.requestHash,
            said.responseHash,
            said.keysetDigest,
            documentHash,
            key,
            kind,
            said.servedAt
        );
    }

    function _exchange(bytes32 appId, bytes32 requestHash, bytes32 responseHash)
        private
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(appId, requestHash, responseHash));
    }
}
