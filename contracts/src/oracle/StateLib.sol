// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {
    CallbackStatus,
    FailureReason,
    RequestState,
    RequestStatus
} from "../interfaces/IRequestBook.sol";
import {ProofKind} from "../types/ProofKind.sol";

/// @title StateLib
/// @notice A request's state in one word, so that it is read and written once.
/// @dev From the lowest bit: status, callback, kind, failure, disputes, reassigned (8 bits each),
/// endedAt (40), worker (160). A pending request has neither of the last two yet: their places hold its
/// note, which is what {ModelChecks} will ask of an answer.
library StateLib {
    /// @notice The state a request begins in.
    function pending(uint200 note) internal pure returns (uint256) {
        return uint256(RequestStatus.Pending) | uint256(note) << 48;
    }

    /// @notice The note of a pending request.
    function noteOf(RequestState memory state) internal pure returns (uint200) {
        return uint200(uint160(state.worker)) << 40 | state.endedAt;
    }

    /// @notice The state as others see it: without a note.
    function shown(uint256 word) internal pure returns (RequestState memory state) {
        state = unpack(word);
        if (state.status == RequestStatus.Pending) (state.endedAt, state.worker) = (0, address(0));
    }

    function pack(RequestState memory state) internal pure returns (uint256 word) {
        word = uint256(state.status) | uint256(state.callback) << 8 | uint256(state.kind) << 16
            | uint256(state.failure) << 24 | uint256(state.disputes) << 32;
        if (state.reassigned) word |= 1 << 40;
        return word | uint256(state.endedAt) << 48 | uint256(uint160(state.worker)) << 88;
    }

    /// @notice The state as it is kept. Warning: while it is pending, `endedAt` and `worker` are its note.
    function unpack(uint256 word) internal pure returns (RequestState memory) {
        return RequestState({
            status: RequestStatus(uint8(word)),
            callback: CallbackStatus(uint8(word >> 8)),
            kind: ProofKind(uint8(word >> 16)),
            failure: FailureReason(uint8(word >> 24)),
            disputes: uint8(word >> 32),
            reassigned: uint8(word >> 40) != 0,
            endedAt: uint40(word >> 48),
            worker: address(uint160(word >> 88))
        });
    }
}
