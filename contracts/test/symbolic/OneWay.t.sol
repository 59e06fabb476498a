// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ChangeLog} from "../../src/registry/ChangeLog.sol";
import {
    IMeasurementRegistry,
    MeasurementStatus
} from "../../src/interfaces/IMeasurementRegistry.sol";
import {ModelStatus} from "../../src/interfaces/IModelRegistry.sol";
import {MeasurementRegistry} from "../../src/registry/MeasurementRegistry.sol";
import {ModelRegistry} from "../../src/registry/ModelRegistry.sol";
import {Proof} from "./Proof.sol";

/// @notice Measurements move one way, from any state whatever, and only as who calls may move them.
contract MeasurementProof is Proof {
    MeasurementRegistry private _registry;

    function setUp() public {
        _registry = new MeasurementRegistry(GOVERNOR, GUARDIAN, new ChangeLog(1));
        svm.enableSymbolicStorage(address(_registry));
    }

    /// @dev Unknown → Admitted → Revoked, or Unknown → Revoked, for every app and measurement, whichever
    /// of them the call names.
    function check_Measurement_MovesOneWay(address caller, bytes32 appId, bytes32 id) public {
        MeasurementStatus before = _registry.statusOf(appId, id);
        _anyCall(address(_registry), caller);
        MeasurementStatus found = _registry.statusOf(appId, id);
        assert(found >= before);
    }

    /// @dev Only the governor widens; only governor and guardian narrow.
    function check_Measurement_MovesForThoseWhoMay(address caller, bytes32 appId, bytes32 id)
        public
    {
        MeasurementStatus before = _registry.statusOf(appId, id);
        _anyCall(address(_registry), caller);
        MeasurementStatus found = _registry.statusOf(appId, id);
        if (found == before) return;
        if (found == MeasurementStatus.Admitted && caller != GOVERNOR) {
            // Anyone may bring what a profile matches, if the governor admitted the profile.
            bytes32 profileId = _registry.profileOf(appId, id);
            assert(_registry.statusOf(appId, profileId) == MeasurementStatus.Admitted);
            return;
        }
        assert(caller == GOVERNOR || caller == GUARDIAN);
    }

    /// @dev The gate opens for what is admitted, and for nothing else.
    function check_RequireAdmitted_OpensForTheAdmittedAlone(bytes32 appId, bytes32 id) public view {
        (bool open,) = address(_registry)
            .staticcall(abi.encodeCall(IMeasurementRegistry.requireAdmitted, (appId, id)));
        assert(open == (_registry.statusOf(appId, id) == MeasurementStatus.Admitted));
    }
}

/// @notice Models, for whoever is not the governor: nobody else admits, and nobody brings one back. What
/// the governor's admission writes, texts of any length over texts of any length, is beyond the solver.
contract ModelProof is Proof {
    ModelRegistry private _registry;

    function setUp() public {
        _registry = new ModelRegistry(GOVERNOR, GUARDIAN, new ChangeLog(1));
        svm.enableSymbolicStorage(address(_registry));
    }

    function check_Model_IsOnlyEverRevoked(address caller, bytes32 id) public {
        vm.assume(caller != GOVERNOR);
        ModelStatus before = _registry.statusOf(id);
        _anyCall(address(_registry), caller);
        ModelStatus found = _registry.statusOf(id);
        if (found == before) return;
        assert(found == ModelStatus.Revoked && caller == GUARDIAN);
    }
}
