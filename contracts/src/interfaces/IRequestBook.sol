// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Payment, Quorum, Request, Rule} from "../types/Request.sol";
import {IEscrow} from "./IEscrow.sol";
import {IModelRegistry} from "./IModelRegistry.sol";

/// @notice How far a request is. The last three are final, and every request reaches one of them.
enum RequestStatus {
    Unknown,
    Pending,
    Fulfilled,
    Failed,
    Refunded
}

/// @notice Why a request failed.
enum FailureReason {
    None,
    /// @dev Disjoint sets of workers disagreed, one after the other.
    Disagreement,
    /// @dev Its model was revoked: no answer counts any more.
    ModelRevoked
}

/// @notice How the requester's callback went. `Succeeded` is final.
enum CallbackStatus {
    None,
    Failed,
    Succeeded
}

/// @notice What a requester asks for; see {Request} for the fields that are not explained here.
struct RequestParams {
    bytes32 appId;
    bytes32 modelId;
    /// @dev Empty where only `inputCommitment` is given and workers get the input elsewhere.
    bytes input;
    /// @dev sha256 of the input; zero to have it computed.
    bytes32 inputCommitment;
    /// @dev Gas of the callback; zero for none.
    uint32 callbackGasLimit;
    uint64 reservedUntil;
    uint64 deadline;
    /// @dev `refundTo` zero for the requester.
    Payment payment;
    Quorum quorum;
    address[] workers;
}

/// @notice All that is kept of a request, in one slot; what it asked for is in its id.
struct RequestState {
    RequestStatus status;
    CallbackStatus callback;
    /// @dev The weakest of the proofs behind the workers that counted.
    ProofKind kind;
    FailureReason failure;
    /// @dev Rounds that ended in disagreement.
    uint8 disputes;
    /// @dev Whether the named workers lost their privilege.
    bool reassigned;
    /// @dev Unix time; zero while pending.
    uint40 endedAt;
    /// @dev Whose output it is.
    address worker;
}

/// @title IRequestBook
/// @notice Requests, and the ways they end without a result.
/// @dev The id of a request is the hash of all its terms; whoever acts on one sends the terms along,
/// as {RequestCreated} told them.
interface IRequestBook is IEscrow {
    /// @notice `requester` asks the workers of `appId`.
    event RequestCreated(
        bytes32 indexed requestId,
        bytes32 indexed appId,
        address indexed requester,
        Request request,
        bytes input
    );

    /// @notice The named workers missed their time: any worker of the app may answer now. `by` was
    /// credited `reward`.
    event RequestReassigned(bytes32 indexed requestId, address indexed by, uint256 reward);

    /// @notice Nobody answered in time; `refundTo` was credited `amount`.
    event RequestRefunded(bytes32 indexed requestId, address indexed refundTo, uint256 amount);

    /// @notice The request cannot be answered; `refundTo` was credited `amount`.
    event RequestFailed(
        bytes32 indexed requestId, address indexed refundTo, FailureReason reason, uint256 amount
    );

    /// @notice The requester's callback ran.
    event CallbackSucceeded(bytes32 indexed requestId, uint256 gasUsed);

    /// @notice The requester's callback failed; the request ended all the same. `reason` is the
    /// first 32 bytes of what it reverted with, zero padded: an error's selector leads it.
    event CallbackFailed(bytes32 indexed requestId, bytes32 reason, uint256 gasUsed);

    /// @notice The request names no app or no model.
    /// @custom:remedy Give both ids.
    error RequestIncomplete();

    /// @notice The input is too long.
    /// @custom:remedy Send at most `maximum` bytes; commit to larger inputs by hash.
    error InputTooLarge(uint256 actual, uint256 maximum);

    /// @notice The commitment is not the input's.
    /// @custom:remedy Give sha256 of the input, or zero to have it computed.
    error InputMismatch(bytes32 actual, bytes32 expected);

    /// @notice The callback's gas limit is neither zero nor within its bounds.
    /// @custom:remedy Give 0 for no callback, or a limit between `minimum` and `maximum`.
    error CallbackGasOutOfRange(uint256 actual, uint256 minimum, uint256 maximum);

    /// @notice The request's deadline is past, or too far away.
    /// @custom:remedy Give a deadline between `earliest` and `latest`, Unix seconds.
    error DeadlineOutOfRange(uint64 actual, uint256 earliest, uint256 latest);

    /// @notice The time reserved for the named workers is not between now and the deadline.
    /// @custom:remedy Give zero where no workers are named, else a time before the deadline.
    error ReservationOutOfRange(uint64 actual, uint64 deadline);

    /// @notice The quorum could agree on two answers at once, or on none.
    /// @custom:remedy Ask for more than half of at most 16 seats, on 1 to that many operators and
    /// vendors; a tolerance belongs to the tolerance rule alone.
    error QuorumOutOfRange(uint256 results, uint256 seats);

    /// @notice One worker's answer is compared with no other, so there is no class and no number of it.
    /// @custom:remedy Use the exact rule, or ask several workers.
    error NothingToCompare(Rule rule);

    /// @notice The named workers are not as many as there are seats, or not in ascending order.
    /// @custom:remedy Name each worker once, ascending by address, or none.
    error WorkersOutOfOrder(uint256 count, uint256 seats);

    /// @notice A callback is wanted, but the requester does not answer for {IResultConsumer}.
    /// @custom:remedy Inherit {AttestedConsumer}, or give a callback gas limit of zero.
    error NotAConsumer(address requester);

    /// @notice No request with exactly these terms was made here.
    /// @custom:remedy Send the terms as {RequestCreated} told them, to this oracle on this chain.
    error UnknownRequest(bytes32 requestId);

    /// @notice The request was fulfilled before.
    /// @custom:remedy Nothing is left to do: the first valid result is final.
    error AlreadyFulfilled(bytes32 requestId);

    /// @notice The request failed before.
    /// @custom:remedy Make a new request.
    error AlreadyFailed(bytes32 requestId);

    /// @notice The request was refunded before.
    /// @custom:remedy Make a new request.
    error AlreadyRefunded(bytes32 requestId);

    /// @notice The request was not fulfilled.
    /// @custom:remedy Wait for its result.
    error NotFulfilled(bytes32 requestId);

    /// @notice The request's deadline has passed.
    /// @custom:remedy Call `refund`, and make a new request.
    error RequestExpired(uint64 deadline, uint256 blockTime);

    /// @notice The request's deadline has not passed.
    /// @custom:remedy Wait until after `deadline`.
    error RequestNotExpired(uint64 deadline, uint256 blockTime);

    /// @notice Any worker of the app may answer already.
    /// @custom:remedy Nothing is left to do.
    error NothingToReassign(bytes32 requestId);

    /// @notice The request's model was not revoked: it may still be answered.
    /// @custom:remedy Wait for its result, or for its deadline.
    error ModelNotRevoked(bytes32 modelId);

    /// @notice The named workers still have time.
    /// @custom:remedy Wait until after `reservedUntil`.
    error StillReserved(uint64 reservedUntil, uint256 blockTime);

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

    /// @notice Asks the workers of `params.appId` for an answer of a model that {MODELS} admits. Ether is
    /// sent along; tokens are fetched from the caller, who approved them.
    /// @return requestId keccak256(abi.encode(chain id, oracle, request)).
    function request(RequestParams calldata params) external payable returns (bytes32 requestId);

    /// @notice Lets any worker of the app answer once the named ones missed their time, for a small
    /// part of what was put up. Open to any sender.
    function reassign(Request calldata made) external;

    /// @notice Ends a request that nobody answered in time. Open to any sender.
    function refund(Request calldata made) external;

    /// @notice Fails a request whose model was revoked since: nobody can answer it, so nobody need wait
    /// for its deadline. Open to any sender.
    function abandon(Request calldata made) external;

    /// @notice Repeats a failed callback, however the request ended, with all the gas of this call.
    /// Requester only; once it succeeded there is nothing left to repeat.
    /// @param output the output as it was delivered; not read where the request ended without one.
    function retryCallback(Request calldata made, bytes calldata output) external;

    /// @notice What is kept of `requestId`.
    function stateOf(bytes32 requestId) external view returns (RequestState memory);

    /// @notice The id of a request made here.
    function requestIdOf(Request calldata made) external view returns (bytes32);

    /// @notice Whether a model is admitted is asked here at every request, and again for answers: each
    /// of a {IResultOracle}, where anything was narrowed since the request; each root of a {IBatchOracle}.
    function MODELS() external view returns (IModelRegistry);
}
