// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EfficientHashLib} from "solady/utils/EfficientHashLib.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {IRequestBook, RequestState} from "../interfaces/IRequestBook.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {StateLib} from "./StateLib.sol";

/// @title ModelChecks
/// @notice Which models a request may ask for and a result may name.
/// @dev A request notes the weights root that the registry has of its model, and the log's epoch. While
/// that stands still nothing was revoked, so a result is held to the note; the worker registry knows the
/// epoch, and is asked by every result anyway. Only after a narrowing is the model registry asked anew.
abstract contract ModelChecks is IRequestBook {
    /* IMMUTABLES */

    /// @inheritdoc IRequestBook
    IModelRegistry public immutable MODELS;

    /// @dev Keeps a copy of the epoch of the log that revoked models are reported to.
    IWorkerRegistry private immutable _EPOCHS;

    /* CONSTRUCTOR */

    constructor(IModelRegistry models, IAttestationGate workers) {
        require(
            address(models) != address(0) && address(workers) != address(0), IGoverned.ZeroAddress()
        );
        IChangeLog log = models.LOG();
        require(
            log.isSource(address(models)) && address(log.follower()) == address(workers),
            IWorkerRegistry.LogNotShared(address(log))
        );
        MODELS = models;
        _EPOCHS = IWorkerRegistry(address(workers));
    }

    /* CHECKS */

    /// @dev The state that a request for `modelId` begins in; reverts unless the model is admitted.
    function _begun(bytes32 modelId) internal view returns (uint256) {
        return StateLib.pending(_noteOf(MODELS.requireAdmitted(modelId), _EPOCHS.epoch()));
    }

    /// @dev Whether a result for a pending request in `state` may name `modelId` and `weightsRoot`.
    function _requireModel(bytes32 modelId, bytes32 weightsRoot, RequestState memory state)
        internal
        view
    {
        uint24 epoch = _EPOCHS.epoch();
        bool asNoted = StateLib.noteOf(state) == _noteOf(weightsRoot, epoch);
        // The highest epoch is the log's last: it may stand still while models are revoked.
        if (!asNoted || epoch == type(uint24).max) _requireModelNow(modelId, weightsRoot);
    }

    /// @dev The same, as the registry has it now.
    function _requireModelNow(bytes32 modelId, bytes32 weightsRoot) internal view {
        bytes32 expected = MODELS.requireAdmitted(modelId);
        require(weightsRoot == expected, IResultOracle.WrongWeights(weightsRoot, expected));
    }

    /// @dev A hash, as no more than 25 bytes of the state are free.
    function _noteOf(bytes32 weightsRoot, uint24 epoch) private pure returns (uint200) {
        return uint200(uint256(EfficientHashLib.hash(weightsRoot, bytes32(uint256(epoch)))));
    }
}
