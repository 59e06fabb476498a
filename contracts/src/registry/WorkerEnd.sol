// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {ICollateralCalendar} from "../interfaces/ICollateralCalendar.sol";
import {ICorroborations} from "../interfaces/ICorroborations.sol";
import {IMeasurementRegistry} from "../interfaces/IMeasurementRegistry.sol";
import {ITcbPolicy} from "../interfaces/ITcbPolicy.sol";
import {IVerifierRouter} from "../interfaces/IVerifierRouter.sol";
import {CohortFacts, IWorkerRegistry, WorkerStatus} from "../interfaces/IWorkerRegistry.sol";
import {Result} from "../types/Result.sol";
import {ResultDomain} from "../types/ResultDomain.sol";
import {WorkerRecord} from "./WorkerRecord.sol";
import {WorkerStanding} from "./WorkerStanding.sol";

/// @title WorkerEnd
/// @notice How a worker leaves: in good order, by decision, or for two answers to one question.
abstract contract WorkerEnd is WorkerStanding {
    /* CONSTRUCTOR */

    constructor(
        IMeasurementRegistry measurements,
        IVerifierRouter router,
        ITcbPolicy policy,
        ICorroborations corroborations,
        ICollateralCalendar calendar
    ) WorkerStanding(measurements, router, policy, corroborations, calendar) {}

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
        address oracle,
        Result calldata one,
        bytes calldata signature,
        Result calldata other,
        bytes calldata otherSignature
    ) external {
        address worker = one.worker;
        require(
            worker == other.worker && one.requestId == other.requestId && one.appId == other.appId
                && one.modelId == other.modelId && one.weightsRoot == other.weightsRoot
                && one.inputCommitment == other.inputCommitment && one.keyEpoch == other.keyEpoch
                && one.outputHash != other.outputHash,
            NoEquivocation()
        );
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, one), signature);
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, other), otherSignature);
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

    function _requireSignedBy(address worker, bytes32 digest, bytes calldata signature)
        private
        pure
    {
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(failure == ECDSA.RecoverError.NoError && signer == worker, NotSignedBy(worker));
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
