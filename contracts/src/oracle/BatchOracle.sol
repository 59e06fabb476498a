// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {Batch, Claim, CommittedBatch, IBatchOracle} from "../interfaces/IBatchOracle.sol";
import {QuotaTerms, TokenTerms} from "../interfaces/IEscrow.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {IModelRegistry, ModelStatus} from "../interfaces/IModelRegistry.sol";
import {
    CallbackStatus,
    IRequestBook,
    RequestParams,
    RequestState,
    RequestStatus
} from "../interfaces/IRequestBook.sol";
import {ResultStatus} from "../interfaces/IResultConsumer.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Request} from "../types/Request.sol";
import {MerkleLib} from "./MerkleLib.sol";
import {ModelChecks} from "./ModelChecks.sol";
import {RequestBook} from "./RequestBook.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @title BatchOracle
/// @notice Requests whose answers come many at a time, under one signed Merkle root.
/// @dev The signature and the worker's standing are checked once, when the root is committed; a claim
/// is a path to it. Requests are those of {RequestBook}, with its escrow, quotas and endings.
contract BatchOracle is IBatchOracle, RequestBook, EIP712, ERC165 {
    /* CONSTANTS */

    /// @notice What a worker signs.
    bytes32 public constant BATCH_TYPEHASH = keccak256(
        "Batch(bytes32 appId,bytes32 modelId,bytes32 weightsRoot,bytes32 root,uint64 count,uint64 keyEpoch,uint64 policyVersion,address worker,uint256 nonce,uint64 deadline)"
    );
    /// @notice Longest output, in bytes.
    uint256 public constant MAX_OUTPUT_LENGTH = 8192;

    /* IMMUTABLES */

    /// @inheritdoc IBatchOracle
    IAttestationGate public immutable WORKERS;

    /* STORAGE */

    /// @inheritdoc IBatchOracle
    uint256 public batchCount;

    /// @inheritdoc IBatchOracle
    mapping(uint256 batchId => bytes32) public batchOf;

    /// @dev sha256 of outputs whose callback failed: all others nobody asks for again.
    mapping(bytes32 requestId => bytes32) private _undelivered;

    /* CONSTRUCTOR */

    constructor(
        IAttestationGate workers,
        IModelRegistry models,
        QuotaTerms memory quotas,
        TokenTerms[] memory tokens
    ) EIP712("Quotary Batch", "1") ModelChecks(models, workers) RequestBook(quotas, tokens) {
        WORKERS = workers;
    }

    /* REQUESTS */

    /// @inheritdoc IRequestBook
    function request(RequestParams calldata params)
        public
        payable
        override(IRequestBook, RequestBook)
        returns (bytes32)
    {
        uint256 results = params.quorum.results;
        require(results == 1, NotOfSeveral(results));
        return super.request(params);
    }

    /* COMMITMENT */

    /// @inheritdoc IBatchOracle
    function commit(Batch calldata batch, bytes calldata signature)
        external
        returns (uint256 batchId)
    {
        require(batch.count != 0, EmptyBatch());
        _requireModelNow(batch.modelId, batch.weightsRoot);
        require(batch.keyEpoch == 0, IResultOracle.WrongKeyEpoch(batch.keyEpoch, 0));
        require(batch.policyVersion == 0, IResultOracle.WrongPolicyVersion(batch.policyVersion, 0));
        require(
            batch.deadline >= block.timestamp,
            IResultOracle.ResultExpired(batch.deadline, block.timestamp)
        );
        SignatureLib.requireSigned(batchDigest(batch), batch.worker, signature);
        (address operator, ProofKind kind) = WORKERS.requireActive(batch.worker, batch.appId);
        batchId = ++batchCount;
        batchOf[batchId] =
            _contentOf(batch.appId, batch.modelId, batch.root, batch.worker, operator, kind);
        emit BatchCommitted(
            batchId,
            batch.appId,
            batch.worker,
            batch.modelId,
            batch.root,
            batch.count,
            operator,
            kind
        );
    }

    /// @inheritdoc IBatchOracle
    function void(uint256 batchId, CommittedBatch calldata batch) external {
        require(batchOf[batchId] == keccak256(abi.encode(batch)), UnknownBatch(batchId));
        address worker = batch.worker;
        (bool ok, bytes4 reason,) = WORKERS.checkActive(worker, batch.appId);
        if (MODELS.statusOf(batch.modelId) == ModelStatus.Revoked) {
            (ok, reason) = (false, IModelRegistry.ModelNotAdmitted.selector);
        }
        require(!ok && _isRuledOut(reason), WorkerNotRuledOut(worker, reason));
        delete batchOf[batchId];
        emit BatchVoided(batchId, worker, reason);
    }

    /* CLAIMS */

    /// @inheritdoc IBatchOracle
    function claim(
        Request calldata made,
        Claim calldata told,
        bytes calldata output,
        bytes32[] calldata proof
    ) external nonReentrant {
        _claim(made, told, output, proof);
    }

    /// @inheritdoc IBatchOracle
    function push(
        Request[] calldata made,
        Claim[] calldata told,
        bytes[] calldata outputs,
        bytes32[][] calldata proofs
    ) external nonReentrant {
        uint256 count = made.length;
        require(
            told.length == count && outputs.length == count && proofs.length == count,
            LengthsDiffer()
        );
        for (uint256 i = 0; i < count; ++i) {
            _claim(made[i], told[i], outputs[i], proofs[i]);
        }
    }

    /* VIEWS */

    /// @inheritdoc IBatchOracle
    function batchDigest(Batch calldata batch) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(BATCH_TYPEHASH, batch)));
    }

    /// @inheritdoc IBatchOracle
    function leafOf(bytes32 requestId, bytes32 inputCommitment, bytes32 outputHash, uint64 units)
        public
        pure
        returns (bytes32)
    {
        // Hashed twice, so that no inner node of the tree can pass for a leaf.
        return keccak256(
            bytes.concat(keccak256(abi.encode(requestId, inputCommitment, outputHash, units)))
        );
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IBatchOracle).interfaceId
            || interfaceId == type(IRequestBook).interfaceId || super.supportsInterface(interfaceId);
    }

    /* PARTS */

    function _claim(
        Request calldata made,
        Claim calldata told,
        bytes calldata output,
        bytes32[] calldata proof
    ) private {
        (bytes32 requestId, RequestState memory state) = _pendingInTime(made);
        require(
            made.workers.length == 0 || state.reassigned || made.workers[0] == told.worker,
            IResultOracle.NotAssigned(told.worker)
        );
        bytes32 content = _claimedContent(requestId, made, told, output, proof);
        require(batchOf[told.batchId] == content, NotInBatch(requestId, told.batchId));

        (state.status, state.kind, state.worker) = (RequestStatus.Fulfilled, told.kind, told.worker);
        _pay(made, state, requestId, told, output);
        _end(made, requestId, state, ResultStatus.Fulfilled, output);
        if (state.callback == CallbackStatus.Failed) _undelivered[requestId] = sha256(output);
    }

    function _requireDelivered(bytes32 requestId, bytes calldata output) internal view override {
        (bytes32 actual, bytes32 expected) = (sha256(output), _undelivered[requestId]);
        require(actual == expected, IResultOracle.OutputMismatch(actual, expected));
    }

    /// @dev Whether somebody decided what `reason` says, against what the batch rests on. Whoever left, ran
    /// out of time, renewed or fell behind a policy that rose answered as well as ever.
    function _isRuledOut(bytes4 reason) private pure returns (bool) {
        return reason == IWorkerRegistry.WorkerIsRevoked.selector
            || reason == IMeasurementRegistry.MeasurementNotAdmitted.selector
            || reason == IVerifierRouter.RouteNotActive.selector
            || reason == ITcbPolicy.SubjectDenied.selector
            || reason == IModelRegistry.ModelNotAdmitted.selector;
    }

    /// @dev The content of the batch that the claim's path leads to.
    function _claimedContent(
        bytes32 requestId,
        Request calldata made,
        Claim calldata told,
        bytes calldata output,
        bytes32[] calldata proof
    ) private pure returns (bytes32) {
        uint256 length = output.length;
        require(
            length <= MAX_OUTPUT_LENGTH, IResultOracle.OutputTooLarge(length, MAX_OUTPUT_LENGTH)
        );
        bytes32 leaf = leafOf(requestId, made.inputCommitment, sha256(output), told.units);
        bytes32 root = MerkleLib.rootOf(proof, leaf);
        return _contentOf(made.appId, made.modelId, root, told.worker, told.operator, told.kind);
    }

    /// @dev Credits the operator what the answer used, and the rest to where the request says.
    function _pay(
        Request calldata made,
        RequestState memory state,
        bytes32 requestId,
        Claim calldata told,
        bytes calldata output
    ) private {
        uint256 escrow = _escrowOf(made, state);
        uint256 fee = _feeFor(made.payment, told.units, escrow);
        _credit(made.payment.token, told.operator, fee);
        _credit(made.payment.token, made.payment.refundTo, escrow - fee);
        emit ResultClaimed(requestId, told.batchId, told.units, fee, output);
    }

    /// @dev The hash of a {CommittedBatch}: whoever says another app, model, path, worker, operator or
    /// kind comes to another one.
    function _contentOf(
        bytes32 appId,
        bytes32 modelId,
        bytes32 root,
        address worker,
        address operator,
        ProofKind kind
    ) private pure returns (bytes32) {
        return keccak256(abi.encode(appId, modelId, root, worker, operator, kind));
    }
}
