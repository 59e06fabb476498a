// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {WorkerStatus} from "../interfaces/IWorkerRegistry.sol";

/// @notice A worker, in one slot: the first 20 bytes of its platform's id, from when it is active (32
/// bits), the last second of its registration (32), its status (2), its place on the platform (3), its
/// cohort (27).
type WorkerRecord is uint256;

/// @notice What one place on a platform holds for one app, in one slot: the worker that registered last (160 bits),
/// when the newest document behind its verdict was issued (32), the block of the challenge in its newest
/// quote (40), and the log's epoch at which a policy that names single platforms or workers took it (24).
type Seat is uint256;

using WorkerRecordLib for WorkerRecord global;
using SeatLib for Seat global;

/// @title WorkerRecordLib
/// @notice Times are Unix seconds.
library WorkerRecordLib {
    uint256 private constant COHORT_BITS = 27;
    uint256 private constant PLACE_MASK = 7;
    uint256 private constant STATUS_BITS = 30;
    uint256 private constant STATUS_MASK = 3;

    /// @notice The most cohorts there can be.
    uint256 internal constant MAX_COHORTS = 2 ** COHORT_BITS - 1;
    /// @dev Status and place of a worker that is registered, at the first place.
    uint256 private constant REGISTERED_FIRST = uint256(WorkerStatus.Registered) * (PLACE_MASK + 1);
    uint256 private constant OWN_MASK = 0x1f;

    /// @notice The most workers of one app that a platform has places for.
    uint256 internal constant PLACES = PLACE_MASK + 1;

    /// @notice A registered worker, at the first place of its platform.
    function from(bytes20 platform_, uint32 activeFrom_, uint32 expiresAt_, uint32 cohort_)
        internal
        pure
        returns (WorkerRecord)
    {
        return WorkerRecord.wrap(
            uint256(uint160(platform_)) << 96 | uint256(activeFrom_) << 64 | uint256(expiresAt_)
                << 32 | uint256(WorkerStatus.Registered) << STATUS_BITS | cohort_
        );
    }

    /// @notice The same worker with another status.
    function withStatus(WorkerRecord record, WorkerStatus status_)
        internal
        pure
        returns (WorkerRecord)
    {
        uint256 word = WorkerRecord.unwrap(record) & ~(STATUS_MASK << STATUS_BITS);
        return WorkerRecord.wrap(word | uint256(status_) << STATUS_BITS);
    }

    /// @notice The same worker at another place of its platform, below {PLACES}.
    function placed(WorkerRecord record, uint256 place_) internal pure returns (WorkerRecord) {
        uint256 word = WorkerRecord.unwrap(record) & ~(PLACE_MASK << COHORT_BITS);
        return WorkerRecord.wrap(word | place_ << COHORT_BITS);
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

    /// @notice Whether it is registered, at the first place of its platform, active and not expired at `time`.
    function isPlain(WorkerRecord record, uint256 time) internal pure returns (bool) {
        uint256 word = WorkerRecord.unwrap(record);
        return (word >> COHORT_BITS) & OWN_MASK == REGISTERED_FIRST && uint32(word >> 64) <= time
            && uint32(word >> 32) >= time;
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
        return WorkerStatus(WorkerRecord.unwrap(record) >> STATUS_BITS & STATUS_MASK);
    }

    /// @notice Its place on the platform, from 0; above 0 only where a policy let workers share one.
    function place(WorkerRecord record) internal pure returns (uint256) {
        return WorkerRecord.unwrap(record) >> COHORT_BITS & PLACE_MASK;
    }

    /// @notice The name of its seat: that of the platform at the first place, a hash at the others.
    function seat(WorkerRecord record) internal pure returns (bytes20) {
        uint256 place_ = record.place();
        if (place_ == 0) return record.platform();
        return bytes20(keccak256(abi.encode(record.platform(), place_)));
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
