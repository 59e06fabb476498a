// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {TcbFacts} from "../interfaces/ITcbPolicy.sol";
import {Worker, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";

/// @notice A worker as it is stored. The first two slots answer for it at every use; the others are
/// read when something was narrowed since.
struct WorkerRecord {
    address operator;
    /// @dev Last second of its standing as of `epoch`: nothing later than `expiresAt`.
    uint32 standsUntil;
    uint32 activeFrom;
    /// @dev The log's epoch at which `standsUntil` was found; 0 where nothing was.
    uint24 epoch;
    /// @dev Status in the lower four bits, proof kind in the upper ones.
    uint8 state;
    bytes32 appId;
    bytes32 measurementId;
    bytes32 platformId;
    bytes4 route;
    uint8 teeType;
    uint8 tcbStatus;
    bytes6 fmspc;
    uint32 evaluationNumber;
    uint32 collateralFrom;
    /// @dev Last second of the registration itself.
    uint32 expiresAt;
    /// @dev Block of the challenge in the newest quote; a renewal needs a younger one.
    uint48 challengeBlock;
}

/// @title WorkerRecordLib
/// @notice Packing and unpacking.
library WorkerRecordLib {
    uint8 private constant STATUS_BITS = 4;
    uint8 private constant STATUS_MASK = 0x0f;

    function packState(WorkerStatus status, ProofKind kind) internal pure returns (uint8) {
        return uint8(status) | uint8(kind) << STATUS_BITS;
    }

    function statusIn(uint8 state) internal pure returns (WorkerStatus) {
        return WorkerStatus(state & STATUS_MASK);
    }

    function kindIn(uint8 state) internal pure returns (ProofKind) {
        return ProofKind(state >> STATUS_BITS);
    }

    /// @notice `time` as it is stored: Unix seconds reach 32 bits in 2106, and nothing lasts longer.
    function clamp(uint256 time) internal pure returns (uint32) {
        return time < type(uint32).max ? uint32(time) : type(uint32).max;
    }

    /// @notice What a policy judges of the worker.
    function facts(WorkerRecord memory record) internal pure returns (TcbFacts memory) {
        return TcbFacts({
            teeType: record.teeType,
            tcbStatus: record.tcbStatus,
            kind: uint8(kindIn(record.state)),
            fmspc: record.fmspc,
            evaluationNumber: record.evaluationNumber,
            collateralFrom: record.collateralFrom,
            platformId: record.platformId
        });
    }

    /// @notice The worker as the interface shows it.
    function unpack(WorkerRecord memory record) internal pure returns (Worker memory) {
        return Worker({
            appId: record.appId,
            measurementId: record.measurementId,
            platformId: record.platformId,
            operator: record.operator,
            validUntil: record.expiresAt,
            activeFrom: record.activeFrom,
            challengeBlock: record.challengeBlock,
            collateralFrom: record.collateralFrom,
            evaluationNumber: record.evaluationNumber,
            route: record.route,
            fmspc: record.fmspc,
            kind: kindIn(record.state),
            status: statusIn(record.state),
            teeType: record.teeType,
            tcbStatus: record.tcbStatus
        });
    }
}
