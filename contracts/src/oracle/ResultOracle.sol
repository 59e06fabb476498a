// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";
import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IResultConsumer, ResultStatus} from "../interfaces/IResultConsumer.sol";
import {
    CallbackStatus,
    FulfilledResult,
    IResultOracle,
    Request,
    RequestParams,
    RequestStatus
} from "../interfaces/IResultOracle.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Result, ResultLib} from "../types/Result.sol";
import {CallbackLib} from "./CallbackLib.sol";

/// @title ResultOracle
/// @notice Carries requests to TEE workers and their signed results back, and pays for them.
/// @dev The relayer is not trusted: it may delay, never forge. Nobody has a privilege here.
contract ResultOracle is IResultOracle, EIP712, ReentrancyGuardTransient, ERC165 {
    /* CONSTANTS */

    /// @notice What a worker signs.
    bytes32 public constant RESULT_TYPEHASH = ResultLib.TYPEHASH;
    /// @notice Longest input and output, in bytes: an event of this size costs some 70,000 gas.
    uint256 public constant MAX_INPUT_LENGTH = 8192;
    /// @notice See {MAX_INPUT_LENGTH}.
    uint256 public constant MAX_OUTPUT_LENGTH = 8192;
    /// @notice Bounds of a callback's gas: enough to store a word; an eighth of what a transaction
    /// may use (EIP-7825).
    uint32 public constant MIN_CALLBACK_GAS = 30_000;
    /// @notice See {MIN_CALLBACK_GAS}.
    uint32 public constant MAX_CALLBACK_GAS = 2_000_000;
    /// @notice How far away a deadline may be, in seconds: a fee is never locked for longer.
    uint64 public constant MAX_REQUEST_LIFETIME = 30 days;

    /// @dev Gas that what surrounds a callback needs: the call itself, and the events and storage
    /// after it.
    uint256 private constant CALLBACK_OVERHEAD = 50_000;

    /* IMMUTABLES */

    /// @inheritdoc IResultOracle
    IAttestationGate public immutable WORKERS;

    /* STORAGE */

    /// @notice How many requests were made.
    uint256 public requestCount;

    /// @inheritdoc IResultOracle
    mapping(address account => uint256) public creditOf;

    mapping(bytes32 requestId => Request) private _requests;
    mapping(bytes32 requestId => FulfilledResult) private _results;

    /* CONSTRUCTOR */

    constructor(IAttestationGate workers) EIP712("Quotary Result", "1") {
        require(address(workers) != address(0), IGoverned.ZeroAddress());
        WORKERS = workers;
    }

    /* REQUESTS */

    /// @inheritdoc IResultOracle
    function request(RequestParams calldata params)
        external
        payable
        nonReentrant
        returns (bytes32 requestId)
    {
        _requireAcceptable(params);
        requestId = keccak256(abi.encode(block.chainid, address(this), ++requestCount));
        Request memory made = Request({
            appId: params.appId,
            modelId: params.modelId,
            inputCommitment: sha256(params.input),
            requester: msg.sender,
            deadline: params.deadline,
            callbackGasLimit: params.callbackGasLimit,
            refundTo: params.refundTo == address(0) ? msg.sender : params.refundTo,
            // {_requireAcceptable} bounds it.
            fee: uint88(msg.value),
            status: RequestStatus.Pending
        });
        _requests[requestId] = made;
        emit RequestCreated(
            requestId,
            made.appId,
            msg.sender,
            made.modelId,
            params.input,
            made.inputCommitment,
            made.deadline,
            made.callbackGasLimit,
            made.fee,
            made.refundTo
        );
    }

    /// @inheritdoc IResultOracle
    function fulfill(Result calldata result, bytes calldata output, bytes calldata signature)
        external
        nonReentrant
    {
        Request memory made = _pending(result.requestId);
        _requireAnswers(made, result, output);
        _requireSigned(result, signature);
        (address operator, ProofKind kind) = WORKERS.requireActive(result.worker, made.appId);

        _requests[result.requestId].status = RequestStatus.Fulfilled;
        _results[result.requestId] = FulfilledResult({
            outputHash: result.outputHash,
            worker: result.worker,
            fulfilledAt: uint64(block.timestamp),
            kind: kind,
            callback: CallbackStatus.None
        });
        creditOf[operator] += made.fee;
        _emitFulfilled(result, operator, kind, made.fee, output);
        CallbackStatus callback = _callBack(result.requestId, made, ResultStatus.Fulfilled, output);
        if (callback != CallbackStatus.None) _results[result.requestId].callback = callback;
    }

    /// @inheritdoc IResultOracle
    function expire(bytes32 requestId) external nonReentrant {
        Request memory made = _pending(requestId);
        require(made.deadline < block.timestamp, RequestNotExpired(made.deadline, block.timestamp));
        _requests[requestId].status = RequestStatus.Refunded;
        creditOf[made.refundTo] += made.fee;
        emit RequestRefunded(requestId, made.refundTo, made.fee);
        _callBack(requestId, made, ResultStatus.Expired, "");
    }

    /// @inheritdoc IResultOracle
    function retryCallback(bytes32 requestId, bytes calldata output) external nonReentrant {
        Request memory made = _requests[requestId];
        require(made.status != RequestStatus.Unknown, UnknownRequest(requestId));
        require(made.requester == msg.sender, NotTheRequester(msg.sender, made.requester));
        FulfilledResult storage result = _results[requestId];
        require(
            result.callback == CallbackStatus.Failed, NothingToRetry(requestId, result.callback)
        );
        bytes32 hash = sha256(output);
        require(hash == result.outputHash, OutputMismatch(hash, result.outputHash));
        result.callback = CallbackStatus.Succeeded;
        uint256 before = gasleft();
        (bool ok, bytes32 reason) = CallbackLib.callExactly(
            made.requester,
            before,
            abi.encodeCall(IResultConsumer.onResult, (requestId, ResultStatus.Fulfilled, output))
        );
        require(ok, CallbackReverted(requestId, reason));
        emit CallbackSucceeded(requestId, before - gasleft());
    }

    /* CREDITS */

    /// @inheritdoc IResultOracle
    function withdraw(address payable to) external nonReentrant {
        require(to != address(0), IGoverned.ZeroAddress());
        uint256 amount = creditOf[msg.sender];
        require(amount != 0, NoCredit(msg.sender));
        creditOf[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        Address.sendValue(to, amount);
    }

    /* VIEWS */

    /// @inheritdoc IResultOracle
    function getRequest(bytes32 requestId) external view returns (Request memory) {
        return _requests[requestId];
    }

    /// @inheritdoc IResultOracle
    function getResult(bytes32 requestId) external view returns (FulfilledResult memory result) {
        result = _results[requestId];
        require(result.worker != address(0), NotFulfilled(requestId));
    }

    /// @inheritdoc IResultOracle
    function resultDigest(Result calldata result) public view returns (bytes32) {
        return _hashTypedDataV4(ResultLib.hash(result));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return
            interfaceId == type(IResultOracle).interfaceId || super.supportsInterface(interfaceId);
    }

    /* CHECKS */

    function _requireAcceptable(RequestParams calldata params) private view {
        require(params.appId != 0 && params.modelId != 0, RequestIncomplete());
        uint256 length = params.input.length;
        require(length <= MAX_INPUT_LENGTH, InputTooLarge(length, MAX_INPUT_LENGTH));
        require(
            params.deadline > block.timestamp
                && params.deadline <= block.timestamp + MAX_REQUEST_LIFETIME,
            DeadlineOutOfRange(
                params.deadline, block.timestamp + 1, block.timestamp + MAX_REQUEST_LIFETIME
            )
        );
        require(msg.value <= type(uint88).max, FeeTooLarge(msg.value));
        uint256 gasLimit = params.callbackGasLimit;
        if (gasLimit == 0) return;
        require(
            gasLimit >= MIN_CALLBACK_GAS && gasLimit <= MAX_CALLBACK_GAS,
            CallbackGasOutOfRange(gasLimit, MIN_CALLBACK_GAS, MAX_CALLBACK_GAS)
        );
        require(
            ERC165Checker.supportsInterface(msg.sender, type(IResultConsumer).interfaceId),
            NotAConsumer(msg.sender)
        );
    }

    function _pending(bytes32 requestId) private view returns (Request memory made) {
        made = _requests[requestId];
        require(made.status != RequestStatus.Unknown, UnknownRequest(requestId));
        require(made.status != RequestStatus.Fulfilled, AlreadyFulfilled(requestId));
        require(made.status != RequestStatus.Refunded, AlreadyRefunded(requestId));
    }

    /// @dev Whether `result` answers exactly the request that was made, in time, with `output`.
    function _requireAnswers(Request memory made, Result calldata result, bytes calldata output)
        private
        view
    {
        require(made.deadline >= block.timestamp, RequestExpired(made.deadline, block.timestamp));
        require(result.appId == made.appId, WrongApp(result.appId, made.appId));
        require(result.modelId == made.modelId, WrongModel(result.modelId, made.modelId));
        // Until models are registered, a model is named by its weights root.
        require(result.weightsRoot == made.modelId, WrongWeights(result.weightsRoot, made.modelId));
        require(
            result.inputCommitment == made.inputCommitment,
            WrongInput(result.inputCommitment, made.inputCommitment)
        );
        require(result.keyEpoch == 0, WrongKeyEpoch(result.keyEpoch, 0));
        require(result.policyVersion == 0, WrongPolicyVersion(result.policyVersion, 0));
        require(result.deadline >= block.timestamp, ResultExpired(result.deadline, block.timestamp));
        uint256 length = output.length;
        require(length <= MAX_OUTPUT_LENGTH, OutputTooLarge(length, MAX_OUTPUT_LENGTH));
        bytes32 hash = sha256(output);
        require(hash == result.outputHash, OutputMismatch(hash, result.outputHash));
    }

    function _requireSigned(Result calldata result, bytes calldata signature) private view {
        (address signer, ECDSA.RecoverError failure,) =
            ECDSA.tryRecoverCalldata(resultDigest(result), signature);
        require(failure == ECDSA.RecoverError.NoError, InvalidSignature());
        require(signer == result.worker, WrongSigner(signer, result.worker));
    }

    /* EVENT */

    /// @dev Apart from {fulfill} because of the stack's depth.
    function _emitFulfilled(
        Result calldata result,
        address operator,
        ProofKind kind,
        uint256 fee,
        bytes calldata output
    ) private {
        emit RequestFulfilled(
            result.requestId,
            result.appId,
            result.worker,
            operator,
            kind,
            result.weightsRoot,
            result.outputHash,
            result.units,
            result.nonce,
            fee,
            output
        );
    }

    /* CALLBACK */

    /// @dev The request has ended when this runs. It fails only where the sender gave too little gas
    /// for the callback's limit, so that nobody can make a sound consumer fail.
    function _callBack(
        bytes32 requestId,
        Request memory made,
        ResultStatus status,
        bytes memory output
    ) private returns (CallbackStatus) {
        uint256 gasLimit = made.callbackGasLimit;
        if (gasLimit == 0) return CallbackStatus.None;
        bytes memory data = abi.encodeCall(IResultConsumer.onResult, (requestId, status, output));
        uint256 before = gasleft();
        uint256 required = gasLimit + gasLimit / 63 + CALLBACK_OVERHEAD;
        require(before >= required, InsufficientGas(before, required));
        (bool ok, bytes32 answer) = CallbackLib.callExactly(made.requester, gasLimit, data);
        uint256 gasUsed = before - gasleft();
        if (ok) emit CallbackSucceeded(requestId, gasUsed);
        else emit CallbackFailed(requestId, answer, gasUsed);
        return ok ? CallbackStatus.Succeeded : CallbackStatus.Failed;
    }
}
