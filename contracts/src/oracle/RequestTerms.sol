// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IRequestBook, RequestParams} from "../interfaces/IRequestBook.sol";
import {Payment, Quorum, Request, Rule} from "../types/Request.sol";

/// @title RequestTerms
/// @notice What a request may ask for, and the form it is kept in.
library RequestTerms {
    /* CONSTANTS */

    /// @dev Longest input, in bytes: an event of this size costs some 70,000 gas.
    uint256 internal constant MAX_INPUT_LENGTH = 8192;
    /// @dev Bounds of a callback's gas: enough to store a word; an eighth of what a transaction may
    /// use (EIP-7825).
    uint32 internal constant MIN_CALLBACK_GAS = 30_000;
    uint32 internal constant MAX_CALLBACK_GAS = 2_000_000;
    /// @dev How far away a deadline may be, in seconds: nothing is locked up for longer.
    uint64 internal constant MAX_LIFETIME = 30 days;
    /// @dev Most workers in a round: what they submit together must fit a transaction.
    uint256 internal constant MAX_SEATS = 16;

    /* CHECKS */

    /// @notice Reverts with the reason unless a request may have these terms now.
    function requireSound(RequestParams calldata params) internal view {
        require(params.appId != 0 && params.modelId != 0, IRequestBook.RequestIncomplete());
        uint256 length = params.input.length;
        require(length <= MAX_INPUT_LENGTH, IRequestBook.InputTooLarge(length, MAX_INPUT_LENGTH));
        _requireInTime(params);
        uint256 gasLimit = params.callbackGasLimit;
        require(
            gasLimit == 0 || (gasLimit >= MIN_CALLBACK_GAS && gasLimit <= MAX_CALLBACK_GAS),
            IRequestBook.CallbackGasOutOfRange(gasLimit, MIN_CALLBACK_GAS, MAX_CALLBACK_GAS)
        );
        _requireQuorum(params.quorum);
        _requireWorkers(params.workers, params.quorum.seats);
    }

    /// @notice The request of `requester` with these terms.
    function toRequest(RequestParams calldata params, address requester, uint64 sequence)
        internal
        pure
        returns (Request memory)
    {
        Payment memory payment = params.payment;
        if (payment.refundTo == address(0)) payment.refundTo = requester;
        return Request({
            appId: params.appId,
            modelId: params.modelId,
            inputCommitment: _commitment(params),
            requester: requester,
            sequence: sequence,
            callbackGasLimit: params.callbackGasLimit,
            reservedUntil: params.reservedUntil,
            deadline: params.deadline,
            payment: payment,
            quorum: params.quorum,
            workers: params.workers
        });
    }

    function _commitment(RequestParams calldata params) private pure returns (bytes32) {
        bytes32 given = params.inputCommitment;
        if (given != 0 && params.input.length == 0) return given;
        bytes32 computed = sha256(params.input);
        require(given == 0 || given == computed, IRequestBook.InputMismatch(given, computed));
        return computed;
    }

    function _requireInTime(RequestParams calldata params) private view {
        (uint64 reserved, uint64 deadline) = (params.reservedUntil, params.deadline);
        uint256 latest = block.timestamp + MAX_LIFETIME;
        require(
            deadline > block.timestamp && deadline <= latest,
            IRequestBook.DeadlineOutOfRange(deadline, block.timestamp + 1, latest)
        );
        require(
            params.workers.length == 0
                ? reserved == 0
                : reserved >= block.timestamp && reserved < deadline,
            IRequestBook.ReservationOutOfRange(reserved, deadline)
        );
    }

    /// @dev More than half of the seats must agree, so a round never holds two quorums.
    function _requireQuorum(Quorum calldata quorum) private pure {
        uint256 results = quorum.results;
        bool sound = results != 0 && results <= quorum.seats && 2 * results > quorum.seats
            && quorum.seats <= MAX_SEATS;
        sound = sound && quorum.operators != 0 && quorum.operators <= results && quorum.vendors != 0
            && quorum.vendors <= results;
        sound = sound && (quorum.rule == Rule.Tolerance || quorum.tolerance == 0);
        // Twice the tolerance is a width that {AgreementLib} compares with.
        sound = sound && quorum.tolerance <= uint128(type(int128).max);
        require(sound, IRequestBook.QuorumOutOfRange(results, quorum.seats));
        require(
            results > 1 || quorum.rule == Rule.Exact, IRequestBook.NothingToCompare(quorum.rule)
        );
    }

    function _requireWorkers(address[] calldata workers, uint256 seats) private pure {
        uint256 count = workers.length;
        if (count == 0) return;
        bool ordered = count == seats && workers[0] != address(0);
        for (uint256 i = 1; i < count; ++i) {
            ordered = ordered && workers[i - 1] < workers[i];
        }
        require(ordered, IRequestBook.WorkersOutOfOrder(count, seats));
    }
}
