// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {WorkerStatus} from "../interfaces/IWorkerRegistry.sol";

/// @notice A worker, in one slot: the first 20 bytes of its platform's id, from when it is active (32
/// bits), the last second of its registration (32), its status (2), its cohort (30).
type WorkerRecord is uint256;

/// @notice What one platform holds for one app, in one slot: the worker that registered last (160 bits),
/// when the newest document behind its verdict was issued (32), the block of the challenge in its newest
/// quote (40), and the log's epoch at which a policy that names single platforms or workers took it (24).
type Seat is uint256;

using WorkerRecordLib for WorkerRecord global;
using SeatLib for Seat global;

/// @title WorkerRecordLib
/// @notice Times are Unix seconds.
library WorkerRecordLib {
    uint256 private constant COHORT_BITS = 30;
    uint256 private constant STATUS_MASK = 3;

    /// @notice The most cohorts there can be.
    uint256 internal constant MAX_COHORTS = 2 ** COHORT_BITS - 1;

    /// @notice A registered worker.
    function from(bytes20 platform_, uint32 activeFrom_, uint32 expiresAt_, uint32 cohort_)
        internal
        pure
        returns (WorkerRecord)
    {
        return WorkerRecord.wrap(
            uint256(uint160(platform_)) << 96 | uint256(activeFrom_) << 64 | uint256(expiresAt_)
                << 32 | uint256(WorkerStatus.Registered) << COHORT_BITS | cohort_
        );
    }

    /// @notice The same worker with another status.
    function withStatus(WorkerRecord record, WorkerStatus status_)
        internal
        pure
        returns (WorkerRecord)
    {
        uint256 word = WorkerRecord.unwrap(record) & ~(STATUS_MASK << COHORT_BITS);
        return WorkerRecord.wrap(word | uint256(status_) << COHORT_BITS);
    }

    /// @notice The same worker, active from another time on.
    function activeSince(WorkerRecord record, uint32 activeFrom_)
        internal
        pure
        returns (WorkerRecord)
    {
        uint256 word = WorkerRecord.unwrap(record) & ~(uint256(type(uint32).max) << 64);
        return WorkerRecord.wrap(word | uint256(activeFrom_) << 64);
    }

    function platform(WorkerRecord record) internal pure returns (bytes20) {
        return bytes20(uint160(WorkerRecord.unwrap(record) >> 96));
    }

    function activeFrom(WorkerRecord record) internal pure returns (uint32) {
        return uint32(WorkerRecord.unwrap(record) >> 64);
    }

    function expiresAt(WorkerRecord record) internal pure returns (uint32) {
        return uint32(WorkerRecord.unwrap(record) >> 32);
    }

    function status(WorkerRecord record) internal pure returns (WorkerStatus) {
        return WorkerStatus(WorkerRecord.unwrap(record) >> COHORT_BITS & STATUS_MASK);
    }

    function cohort(WorkerRecord record) internal pure returns (uint32) {
        return uint32(WorkerRecord.unwrap(record) & MAX_COHORTS);
    }

    /// @notice `time` as it is stored: Unix seconds reach 32 bits in 2106, and nothing lasts longer.
    function clamp(uint256 time) internal pure returns (uint32) {
        return time < type(uint32).max ? uint32(time) : type(uint32).max;
    }
}

/// @title SeatLib
/// @notice Times are Unix seconds.
library SeatLib {
    function from(address holder_, uint32 collateralFrom_, uint64 challengeBlock_)
        internal
        pure
        returns (Seat)
    {
        // The registry bounds the block by the chain's own, which is far from 40 bits.
        return Seat.wrap(
            uint256(uint160(holder_)) << 96 | uint256(collateralFrom_) << 64
                | uint256(uint40(challengeBlock_)) << 24
        );
    }

    /// @notice The same seat, taken at `epoch_`.
    function takenAt(Seat seat, uint24 epoch_) internal pure returns (Seat) {
        return Seat.wrap(Seat.unwrap(seat) & ~uint256(type(uint24).max) | epoch_);
    }

    function holder(Seat seat) internal pure returns (address) {
        return address(uint160(Seat.unwrap(seat) >> 96));
    }

    function collateralFrom(Seat seat) internal pure returns (uint32) {
        return uint32(Seat.unwrap(seat) >> 64);
    }

    function challengeBlock(Seat seat) internal pure returns (uint40) {
        return uint40(Seat.unwrap(seat) >> 24);
    }

    function epoch(Seat seat) internal pure returns (uint24) {
        return uint24(Seat.unwrap(seat));
    }
}
