// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165Checker} from "@openzeppelin/contracts/utils/introspection/ERC165Checker.sol";

import {QuotaTerms, TokenTerms} from "../interfaces/IEscrow.sol";
import {
    CallbackStatus,
    FailureReason,
    IRequestBook,
    RequestParams,
    RequestState,
    RequestStatus
} from "../interfaces/IRequestBook.sol";
import {ModelStatus} from "../interfaces/IModelRegistry.sol";
import {IResultConsumer, ResultStatus} from "../interfaces/IResultConsumer.sol";
import {Payment, Request, RequestLib} from "../types/Request.sol";
import {CallbackLib} from "./CallbackLib.sol";
import {Escrow} from "./Escrow.sol";
import {ModelChecks} from "./ModelChecks.sol";
import {Quotas} from "./Quotas.sol";
import {RequestTerms} from "./RequestTerms.sol";
import {StateLib} from "./StateLib.sol";

/// @title RequestBook
/// @notice Requests, and the ways they end without a result.
/// @dev Of a request one slot is kept, under the hash of its terms. {_end} is the only way out of
/// `Pending`, and every way out pays what was put up, to the last unit.
abstract contract RequestBook is ModelChecks, Escrow, Quotas {
    /* CONSTANTS */

    /// @notice What {reassign} earns: one part in so many of what was put up.
    uint256 public constant REASSIGN_REWARD_DIVISOR = 100;

    /// @dev Gas that what surrounds a callback needs: the call itself, and the events and storage
    /// after it.
    uint256 private constant CALLBACK_OVERHEAD = 50_000;

    /* STORAGE */

    /// @dev A {RequestState}, packed by {StateLib}.
    mapping(bytes32 requestId => uint256) private _states;

    /* CONSTRUCTOR */

    constructor(QuotaTerms memory quotas, TokenTerms[] memory tokens)
        Escrow(tokens)
        Quotas(quotas)
    {}

    /* REQUESTS */

    /// @inheritdoc IRequestBook
    function request(RequestParams calldata params)
        public
        payable
        virtual
        nonReentrant
        returns (bytes32 requestId)
    {
        RequestTerms.requireSound(params);
        _requirePayable(params.payment.token, params.payment.maxFee);
        if (params.callbackGasLimit != 0) {
            require(
                ERC165Checker.supportsInterface(msg.sender, type(IResultConsumer).interfaceId),
                NotAConsumer(msg.sender)
            );
        }
        uint64 sequence = _count(msg.sender, params.appId);
        Request memory made = RequestTerms.toRequest(params, msg.sender, sequence);
        requestId = RequestLib.idOf(made);
        _states[requestId] = _begun(made.modelId);
        emit RequestCreated(requestId, made.appId, msg.sender, made, params.input);
        _collect(made.payment.token, made.payment.maxFee);
    }

    /// @inheritdoc IRequestBook
    function reassign(Request calldata made) external nonReentrant {
        (bytes32 requestId, RequestState memory state) = _pendingInTime(made);
        require(
            made.workers.length != 0 && !state.reassigned && state.disputes == 0,
            NothingToReassign(requestId)
        );
        require(
            made.reservedUntil < block.timestamp, StillReserved(made.reservedUntil, block.timestamp)
        );
        state.reassigned = true;
        _store(requestId, state);
        uint256 reward = made.payment.maxFee / REASSIGN_REWARD_DIVISOR;
        _credit(made.payment.token, msg.sender, reward);
        emit RequestReassigned(requestId, msg.sender, reward);
    }

    /// @inheritdoc IRequestBook
    function refund(Request calldata made) external nonReentrant {
        (bytes32 requestId, RequestState memory state) = _pending(made);
        require(made.deadline < block.timestamp, RequestNotExpired(made.deadline, block.timestamp));
        state.status = RequestStatus.Refunded;
        uint256 amount = _giveBack(made, state);
        emit RequestRefunded(requestId, made.payment.refundTo, amount);
        _end(made, requestId, state, ResultStatus.Refunded, msg.data[:0]);
    }

    /// @inheritdoc IRequestBook
    function abandon(Request calldata made) external nonReentrant {
        (bytes32 requestId, RequestState memory state) = _pending(made);
        require(MODELS.statusOf(made.modelId) == ModelStatus.Revoked, ModelNotRevoked(made.modelId));
        _fail(made, requestId, state, FailureReason.ModelRevoked);
    }

    /* CALLBACK */

    /// @inheritdoc IRequestBook
    function retryCallback(Request calldata made, bytes calldata output) external nonReentrant {
        bytes32 requestId = RequestLib.idOfCalldata(made);
        RequestState memory state = _stateOf(requestId);
        require(state.status != RequestStatus.Unknown, UnknownRequest(requestId));
        require(made.requester == msg.sender, NotTheRequester(msg.sender, made.requester));
        require(state.callback == CallbackStatus.Failed, NothingToRetry(requestId, state.callback));
        // The ends of a request, as it is told of them, stand in the order of its own.
        ResultStatus status = ResultStatus(uint8(state.status) - uint8(RequestStatus.Fulfilled));
        if (status == ResultStatus.Fulfilled) _requireDelivered(requestId, output);
        else output = msg.data[:0];
        state.callback = CallbackStatus.Succeeded;
        _store(requestId, state);
        (bool ok, bytes32 reason, uint256 gasUsed) =
            _tell(made.requester, gasleft(), requestId, status, output);
        require(ok, CallbackReverted(requestId, reason));
        emit CallbackSucceeded(requestId, gasUsed);
    }

    /* VIEWS */

    /// @inheritdoc IRequestBook
    function stateOf(bytes32 requestId) external view returns (RequestState memory) {
        return StateLib.shown(_states[requestId]);
    }

    /// @inheritdoc IRequestBook
    function requestIdOf(Request calldata made) external view returns (bytes32) {
        return RequestLib.idOfCalldata(made);
    }

    /* STATE */

    /// @dev The state as it is kept: see {StateLib}.
    function _stateOf(bytes32 requestId) internal view returns (RequestState memory) {
        return StateLib.unpack(_states[requestId]);
    }

    function _pending(Request calldata made)
        internal
        view
        returns (bytes32 requestId, RequestState memory state)
    {
        requestId = RequestLib.idOfCalldata(made);
        state = _stateOf(requestId);
        RequestStatus status = state.status;
        if (status == RequestStatus.Pending) return (requestId, state);
        require(status != RequestStatus.Unknown, UnknownRequest(requestId));
        require(status != RequestStatus.Fulfilled, AlreadyFulfilled(requestId));
        require(status != RequestStatus.Failed, AlreadyFailed(requestId));
        revert AlreadyRefunded(requestId);
    }

    function _pendingInTime(Request calldata made)
        internal
        view
        returns (bytes32 requestId, RequestState memory state)
    {
        (requestId, state) = _pending(made);
        require(made.deadline >= block.timestamp, RequestExpired(made.deadline, block.timestamp));
    }

    /// @dev What is still put up for a pending request.
    function _escrowOf(Request calldata made, RequestState memory state)
        internal
        pure
        returns (uint256)
    {
        uint256 amount = made.payment.maxFee;
        return state.reassigned ? amount - amount / REASSIGN_REWARD_DIVISOR : amount;
    }

    /// @dev What an answer that used `units` is paid, at most `share`.
    function _feeFor(Payment calldata payment, uint64 units, uint256 share)
        internal
        pure
        returns (uint256)
    {
        if (payment.baseFee == 0 && payment.unitFee == 0) return share;
        uint256 cost = payment.baseFee + uint256(payment.unitFee) * units;
        return cost < share ? cost : share;
    }

    /// @dev Credits what is still put up to where the request says: no answer will come.
    function _giveBack(Request calldata made, RequestState memory state)
        private
        returns (uint256 amount)
    {
        state.worker = address(0);
        amount = _escrowOf(made, state);
        _credit(made.payment.token, made.payment.refundTo, amount);
    }

    /// @dev No answer will come.
    function _fail(
        Request calldata made,
        bytes32 requestId,
        RequestState memory state,
        FailureReason reason
    ) internal {
        (state.status, state.failure) = (RequestStatus.Failed, reason);
        uint256 amount = _giveBack(made, state);
        emit RequestFailed(requestId, made.payment.refundTo, reason, amount);
        _end(made, requestId, state, ResultStatus.Failed, msg.data[:0]);
    }

    /// @dev Records that the request ended and tells the requester. Everybody was paid before. It
    /// reverts only where the sender gave too little gas for the callback's limit, so that nobody can
    /// make a sound consumer fail. `output` is read where it came, as copies cost; empty without one.
    function _end(
        Request calldata made,
        bytes32 requestId,
        RequestState memory state,
        ResultStatus status,
        bytes calldata output
    ) internal {
        // Unix seconds reach 40 bits in the year 36812.
        state.endedAt = uint40(block.timestamp);
        _store(requestId, state);
        uint256 gasLimit = made.callbackGasLimit;
        if (gasLimit == 0) return;
        uint256 before = gasleft();
        uint256 required = gasLimit + gasLimit / 63 + CALLBACK_OVERHEAD;
        require(before >= required, InsufficientGas(before, required));
        (bool ok, bytes32 answer, uint256 gasUsed) =
            _tell(made.requester, gasLimit, requestId, status, output);
        state.callback = ok ? CallbackStatus.Succeeded : CallbackStatus.Failed;
        _store(requestId, state);
        if (ok) emit CallbackSucceeded(requestId, gasUsed);
        else emit CallbackFailed(requestId, answer, gasUsed);
    }

    /// @dev Reverts unless `output` is what the callback of `requestId` was to deliver.
    function _requireDelivered(bytes32 requestId, bytes calldata output) internal view virtual;

    function _tell(
        address requester,
        uint256 gasLimit,
        bytes32 requestId,
        ResultStatus status,
        bytes calldata output
    ) private returns (bool ok, bytes32 answer, uint256 gasUsed) {
        bytes memory data = abi.encodeCall(IResultConsumer.onResult, (requestId, status, output));
        gasUsed = gasleft();
        (ok, answer) = CallbackLib.callExactly(requester, gasLimit, data);
        gasUsed -= gasleft();
    }

    /// @dev The one writer of what is kept of a request after it was made.
    function _store(bytes32 requestId, RequestState memory state) internal {
        _states[requestId] = StateLib.pack(state);
    }
}
