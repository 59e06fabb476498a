// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Result} from "../types/Result.sol";
import {IAttestationGate} from "./IAttestationGate.sol";

/// @notice How far a request is. `Fulfilled` and `Refunded` are final.
enum RequestStatus {
    Unknown,
    Pending,
    Fulfilled,
    Refunded
}

/// @notice How the requester's callback went. `Succeeded` is final.
enum CallbackStatus {
    None,
    Failed,
    Succeeded
}

/// @notice What a requester asks for.
struct RequestParams {
    bytes32 appId;
    /// @dev The model, named by its weights root.
    bytes32 modelId;
    bytes input;
    /// @dev Gas of the callback; zero for none.
    uint32 callbackGasLimit;
    /// @dev Last second the request may be fulfilled, Unix time.
    uint64 deadline;
    /// @dev Who gets the fee back if nobody answers; zero for the requester.
    address refundTo;
}

/// @notice What the oracle keeps of a request.
struct Request {
    bytes32 appId;
    bytes32 modelId;
    bytes32 inputCommitment;
    address requester;
    uint64 deadline;
    uint32 callbackGasLimit;
    address refundTo;
    /// @dev In wei. 88 bits hold more than all ether there is.
    uint88 fee;
    RequestStatus status;
}

/// @notice What the oracle keeps of a result. The output itself is in the event {RequestFulfilled}.
struct FulfilledResult {
    bytes32 outputHash;
    address worker;
    uint64 fulfilledAt;
    ProofKind kind;
    CallbackStatus callback;
}

/// @title IResultOracle
/// @notice Carries requests to TEE workers and their signed results back, and pays for them.
/// @dev Every request ends: fulfilled by a result, or refunded after its deadline. Fees are credited
/// and fetched with {withdraw}; the oracle pushes nothing.
/// @dev INTEGRATOR RESPONSIBILITIES. A fulfilled result was signed by a key that an admitted image of
/// the app holds, over exactly this request. It does NOT say that the model is good, nor that two
/// workers would agree. The proof kind says who checked the worker's evidence; refuse what is too
/// little for you.
interface IResultOracle {
    /// @notice `requester` asks the workers of `appId`.
    event RequestCreated(
        bytes32 indexed requestId,
        bytes32 indexed appId,
        address indexed requester,
        bytes32 modelId,
        bytes input,
        bytes32 inputCommitment,
        uint64 deadline,
        uint32 callbackGasLimit,
        uint256 fee,
        address refundTo
    );

    /// @notice `worker` answered; `operator` was credited the fee.
    event RequestFulfilled(
        bytes32 indexed requestId,
        bytes32 indexed appId,
        address indexed worker,
        address operator,
        ProofKind proofKind,
        bytes32 weightsRoot,
        bytes32 outputHash,
        uint64 units,
        uint256 nonce,
        uint256 fee,
        bytes output
    );

    /// @notice Nobody answered in time; `refundTo` was credited the fee.
    event RequestRefunded(bytes32 indexed requestId, address indexed refundTo, uint256 fee);

    /// @notice The requester's callback ran.
    event CallbackSucceeded(bytes32 indexed requestId, uint256 gasUsed);

    /// @notice The requester's callback failed; the request ended all the same. `reason` is the
    /// first 32 bytes of what it reverted with, zero padded: an error's selector leads it.
    event CallbackFailed(bytes32 indexed requestId, bytes32 reason, uint256 gasUsed);

    /// @notice `account` fetched its credit, to `to`.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice The request names no app or no model.
    /// @custom:remedy Give both ids.
    error RequestIncomplete();

    /// @notice The input is too long.
    /// @custom:remedy Send at most `maximum` bytes; commit to larger inputs by hash.
    error InputTooLarge(uint256 actual, uint256 maximum);

    /// @notice The output is too long.
    /// @custom:remedy Have the worker answer in at most `maximum` bytes.
    error OutputTooLarge(uint256 actual, uint256 maximum);

    /// @notice The callback's gas limit is neither zero nor within its bounds.
    /// @custom:remedy Give 0 for no callback, or a limit between `minimum` and `maximum`.
    error CallbackGasOutOfRange(uint256 actual, uint256 minimum, uint256 maximum);

    /// @notice The request's deadline is past, or too far away.
    /// @custom:remedy Give a deadline between `earliest` and `latest`, Unix seconds.
    error DeadlineOutOfRange(uint64 actual, uint256 earliest, uint256 latest);

    /// @notice The fee does not fit its 88 bits.
    /// @custom:remedy Send less.
    error FeeTooLarge(uint256 actual);

    /// @notice A callback is wanted, but the requester does not answer for {IResultConsumer}.
    /// @custom:remedy Inherit {AttestedConsumer}, or give a callback gas limit of zero.
    error NotAConsumer(address requester);

    /// @notice No such request was made here.
    /// @custom:remedy Check the request id, the chain and the oracle's address.
    error UnknownRequest(bytes32 requestId);

    /// @notice The request was fulfilled before.
    /// @custom:remedy Nothing is left to do: the first valid result is final.
    error AlreadyFulfilled(bytes32 requestId);

    /// @notice The request was refunded before.
    /// @custom:remedy Make a new request.
    error AlreadyRefunded(bytes32 requestId);

    /// @notice The request was not fulfilled.
    /// @custom:remedy Wait for its result.
    error NotFulfilled(bytes32 requestId);

    /// @notice The request's deadline has passed.
    /// @custom:remedy Call `expire`, and make a new request.
    error RequestExpired(uint64 deadline, uint256 blockTime);

    /// @notice The request's deadline has not passed.
    /// @custom:remedy Wait until after `deadline`.
    error RequestNotExpired(uint64 deadline, uint256 blockTime);

    /// @notice The result's own deadline has passed.
    /// @custom:remedy Have the worker sign again with a later deadline.
    error ResultExpired(uint64 deadline, uint256 blockTime);

    /// @notice The result is for another app than the request.
    /// @custom:remedy Send the request to a worker of app `expected`.
    error WrongApp(bytes32 actual, bytes32 expected);

    /// @notice The result is of another model than the request asked for.
    /// @custom:remedy Have the worker run model `expected`.
    error WrongModel(bytes32 actual, bytes32 expected);

    /// @notice The worker loaded other weights than the model's.
    /// @custom:remedy Have the worker load the weights whose sha256 is `expected`.
    error WrongWeights(bytes32 actual, bytes32 expected);

    /// @notice The result answers another input.
    /// @custom:remedy Have the worker answer the input of this request.
    error WrongInput(bytes32 actual, bytes32 expected);

    /// @notice The result names a key epoch that this oracle does not have.
    /// @custom:remedy Sign with key epoch 0.
    error WrongKeyEpoch(uint64 actual, uint64 expected);

    /// @notice The result names a policy version that this oracle does not have.
    /// @custom:remedy Sign with policy version 0.
    error WrongPolicyVersion(uint64 actual, uint64 expected);

    /// @notice The output is not the one the worker signed.
    /// @custom:remedy Submit the output byte for byte as the worker returned it.
    error OutputMismatch(bytes32 actual, bytes32 expected);

    /// @notice The signature is none: wrong form, or not in its one accepted encoding.
    /// @custom:remedy Send 65 bytes `r ‖ s ‖ v` with low s and v 27 or 28.
    error InvalidSignature();

    /// @notice Another key signed than the one the result names.
    /// @custom:remedy Sign the EIP-712 digest of exactly this result, for this chain and oracle.
    error WrongSigner(address actual, address expected);

    /// @notice The transaction carries too little gas to give the callback its limit.
    /// @custom:remedy Send with more gas: the callback's limit and its 1/64, and 50,000 beside.
    error InsufficientGas(uint256 actual, uint256 required);

    /// @notice Only the requester may do this.
    /// @custom:remedy Send it from `requester`.
    error NotTheRequester(address caller, address requester);

    /// @notice There is no failed callback to repeat.
    /// @custom:remedy Nothing is left to do.
    error NothingToRetry(bytes32 requestId, CallbackStatus status);

    /// @notice The repeated callback failed again. `reason` is the first 32 bytes of its revert data.
    /// @custom:remedy Mend the consumer and try again.
    error CallbackReverted(bytes32 requestId, bytes32 reason);

    /// @notice The account has no credit.
    /// @custom:remedy Nothing is left to do.
    error NoCredit(address account);

    /// @notice Asks the workers of `params.appId`; the value sent is the fee.
    /// @return requestId keccak256(abi.encode(chain id, oracle, sequence number)).
    function request(RequestParams calldata params) external payable returns (bytes32 requestId);

    /// @notice Ends a request with the result a worker signed. Open to any sender.
    /// @dev The fee is credited and the result recorded before the callback runs: a failing consumer
    /// hurts only itself.
    function fulfill(Result calldata result, bytes calldata output, bytes calldata signature)
        external;

    /// @notice Ends a request that nobody answered in time. Open to any sender.
    function expire(bytes32 requestId) external;

    /// @notice Repeats a failed callback with all the gas of this call. Requester only.
    /// @param output the output, as in {RequestFulfilled}.
    function retryCallback(bytes32 requestId, bytes calldata output) external;

    /// @notice Sends the caller's whole credit to `to`.
    function withdraw(address payable to) external;

    /// @notice What is kept of `requestId`.
    function getRequest(bytes32 requestId) external view returns (Request memory);

    /// @notice What is kept of the result of `requestId`. Reverts with {NotFulfilled} without one.
    function getResult(bytes32 requestId) external view returns (FulfilledResult memory);

    /// @notice What `account` may withdraw, in wei.
    function creditOf(address account) external view returns (uint256);

    /// @notice The EIP-712 digest a worker signs for `result`.
    function resultDigest(Result calldata result) external view returns (bytes32);

    /// @notice Whether workers are active is asked here, at every fulfilment.
    function WORKERS() external view returns (IAttestationGate);
}
