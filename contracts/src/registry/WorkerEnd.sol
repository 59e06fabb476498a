// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICorroborations} from "../interfaces/ICorroborations.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {CohortFacts, IWorkerRegistry, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {Result} from "../types/Result.sol";
import {EquivocationVerifier} from "./EquivocationVerifier.sol";
import {Failure} from "./Failure.sol";
import {WorkerRecord} from "./WorkerRecord.sol";
import {WorkerStanding} from "./WorkerStanding.sol";

/// @title WorkerEnd
/// @notice How a worker leaves: in good order, by decision, or for two answers to one question.
abstract contract WorkerEnd is WorkerStanding {
    /* IMMUTABLES */

    /// @inheritdoc IWorkerRegistry
    address public immutable EQUIVOCATIONS;

    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        ICorroborations corroborations,
        ICollateralCalendar calendar
    ) WorkerStanding(measurements, router, policy, corroborations, calendar) {
        EQUIVOCATIONS = address(new EquivocationVerifier());
    }

    /* END OF SERVICE */

    /// @inheritdoc IWorkerRegistry
    function revoke(address worker) external {
        require(
            msg.sender == MEASUREMENTS.GOVERNOR() || msg.sender == MEASUREMENTS.GUARDIAN(),
            NotAllowed(msg.sender, worker)
        );
        _revoke(worker);
    }

    /// @inheritdoc IWorkerRegistry
    function reportEquivocation(
        address,
        Result calldata one,
        bytes calldata,
        Result calldata other,
        bytes calldata
    ) external {
        address worker = one.worker;
        _requireEquivocation();
        _revoke(worker);
        // The log is the deployment's own, and calls nobody who could come back here.
        // slither-disable-next-line reentrancy-events
        emit WorkerEquivocated(worker, one.requestId, one.outputHash, other.outputHash, msg.sender);
    }

    /// @inheritdoc IWorkerRegistry
    function retire(address worker) external {
        WorkerRecord record = _workers[worker];
        _requireServing(worker, record.status());
        CohortFacts memory facts = _factsOf(record.cohort());
        require(
            msg.sender == worker || msg.sender == facts.operator, NotAllowed(msg.sender, worker)
        );
        _retire(worker, record, facts.appId);
    }

    /* CHECKS */

    function _requireServing(address worker, WorkerStatus status) internal pure {
        require(status != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(status != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        require(status != WorkerStatus.Retired, WorkerIsRetired(worker));
    }

    /// @dev Has the statements of this call judged: hands its calldata on as it came.
    function _requireEquivocation() private view {
        bytes4 selector = EquivocationVerifier.requireEquivocation.selector;
        // slither-disable-next-line low-level-calls
        (bool sound, bytes memory answer) =
            EQUIVOCATIONS.staticcall(bytes.concat(selector, msg.data[4:]));
        if (sound) return;
        Failure.raise(answer);
        // Nothing was said: the gas ran out over there.
        revert EquivocationNotJudged();
    }

    /* CHANGES */

    function _revoke(address worker) internal {
        WorkerRecord record = _workers[worker];
        require(record.status() != WorkerStatus.Unknown, WorkerUnknown(worker));
        require(record.status() != WorkerStatus.Revoked, WorkerIsRevoked(worker));
        _workers[worker] = record.withStatus(WorkerStatus.Revoked);
        emit WorkerRevoked(worker, _factsOf(record.cohort()).appId, msg.sender);
        // The record itself says so: no answer found before is outdated by it.
        LOG.note(msg.sender, msg.sig, bytes32(bytes20(worker)), true, false);
    }

    function _retire(address worker, WorkerRecord record, bytes32 appId) internal {
        _workers[worker] = record.withStatus(WorkerStatus.Retired);
        emit WorkerRetired(worker, appId, msg.sender);
    }
}
