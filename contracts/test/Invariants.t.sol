// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Manifest, MeasurementStatus} from "../src/interfaces/IMeasurementRegistry.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {RouteStatus} from "../src/interfaces/IVerifierRouter.sol";
import {Model, ModelStatus} from "../src/interfaces/IModelRegistry.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {ModelRegistry} from "../src/registry/ModelRegistry.sol";
import {MeasurementLib} from "../src/types/Measurement.sol";
import {Profile} from "../src/types/Profile.sol";
import {ProofKind} from "../src/types/ProofKind.sol";
import {VerifierRouter} from "../src/verify/VerifierRouter.sol";
import {RiscZeroStubVerifier} from "../src/zk/RiscZeroStubVerifier.sol";
import {StubQuoteVerifier} from "../src/zk/StubQuoteVerifier.sol";
import {Base} from "./Base.t.sol";
import {OracleFixture} from "./OracleFixture.t.sol";

/// @notice Calls the governed contracts as anyone, and notes every step to the left.
contract GovernanceHandler is Base {
    bytes32 public constant APP = keccak256("app");
    uint256 public constant IDS = 4;

    MeasurementRegistry private immutable REGISTRY;
    ModelRegistry private immutable MODELS;
    VerifierRouter private immutable ROUTER;
    IQuoteVerifier[2] private _verifiers;

    mapping(uint256 id => MeasurementStatus) private _measurementSeen;
    mapping(uint256 id => RouteStatus) private _routeSeen;
    mapping(uint256 id => ModelStatus) private _modelSeen;
    mapping(uint256 id => MeasurementStatus) private _matchedSeen;

    uint256 public stepsToTheLeft;
    uint256 public usurpations;
    uint256 public changes;

    constructor(
        MeasurementRegistry registry,
        ModelRegistry models,
        VerifierRouter router,
        IQuoteVerifier genuine,
        IQuoteVerifier stub
    ) {
        REGISTRY = registry;
        MODELS = models;
        ROUTER = router;
        _verifiers = [genuine, stub];
    }

    function admit(uint256 caller, uint256 id) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try REGISTRY.admit(APP, bytes32(id + 1), Manifest("commit", "digest", "uri")) {
            if (_caller(caller) != GOVERNOR) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function ruleOut(uint256 caller, uint256 id, bool inAdvance) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        (bool ok,) = address(REGISTRY)
            .call(
                inAdvance
                    ? abi.encodeCall(MeasurementRegistry.ban, (APP, bytes32(id + 1)))
                    : abi.encodeCall(MeasurementRegistry.revoke, (APP, bytes32(id + 1)))
            );
        if (ok) {
            if (_caller(caller) == STRANGER) ++usurpations;
            ++changes;
        }
        _observe(id);
    }

    /// @dev Profiles of two overlapping kinds; whoever calls matches.
    function useProfile(uint256 caller, uint256 id, uint256 kind, uint256 act) external {
        (id, kind, act) = (id % IDS, kind % 2, act % 3);
        Profile memory profile = _profile(kind);
        bytes32 profileId = REGISTRY.profileIdOf(profile);
        vm.prank(_caller(caller));
        if (act == 0) {
            try REGISTRY.admitProfile(APP, profile, Manifest("commit", "digest", "uri")) {
                if (_caller(caller) != GOVERNOR) ++usurpations;
                ++changes;
            } catch {}
        } else if (act == 1) {
            try REGISTRY.matchProfile(APP, profile, _measurement(id)) {
                // Nobody needs leave to use one, but it must have been given.
                if (_profileStatus(kind) != MeasurementStatus.Admitted) ++usurpations;
                ++changes;
            } catch {}
        } else {
            try REGISTRY.revoke(APP, profileId) {
                if (_caller(caller) == STRANGER) ++usurpations;
                ++changes;
            } catch {}
        }
        for (uint256 i = 0; i < IDS; ++i) {
            _observeMatched(i);
        }
    }

    function admitModel(uint256 caller, uint256 id) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try MODELS.admit(_model(id)) {
            if (_caller(caller) != GOVERNOR) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function ruleOutModel(uint256 caller, uint256 id, bool inAdvance) external {
        id = id % IDS;
        bytes32 modelId = _modelId(id);
        vm.prank(_caller(caller));
        (bool ok,) = address(MODELS)
            .call(
                inAdvance
                    ? abi.encodeCall(ModelRegistry.ban, (modelId))
                    : abi.encodeCall(ModelRegistry.revoke, (modelId))
            );
        if (ok) {
            if (_caller(caller) == STRANGER) ++usurpations;
            ++changes;
        }
        _observe(id);
    }

    function addRoute(uint256 caller, uint256 id, uint256 verifier) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try ROUTER.addRoute(_route(id), _verifiers[verifier % 2]) {
            if (_caller(caller) != GOVERNOR) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function freeze(uint256 caller, uint256 id) external {
        id = id % IDS;
        vm.prank(_caller(caller));
        try ROUTER.freeze(_route(id)) {
            if (_caller(caller) == STRANGER) ++usurpations;
            ++changes;
        } catch {}
        _observe(id);
    }

    function kindOf(uint256 id) external view returns (ProofKind) {
        return ROUTER.kindOf(_route(id));
    }

    function _observe(uint256 id) private {
        MeasurementStatus measurement = REGISTRY.statusOf(APP, bytes32(id + 1));
        RouteStatus route = ROUTER.statusOf(_route(id));
        ModelStatus model = MODELS.statusOf(_modelId(id));
        if (measurement < _measurementSeen[id] || route < _routeSeen[id] || model < _modelSeen[id]) ++stepsToTheLeft;
        _modelSeen[id] = model;
        _measurementSeen[id] = measurement;
        _routeSeen[id] = route;
    }

    function _modelId(uint256 id) private view returns (bytes32) {
        Model memory model = _model(id);
        return MODELS.modelIdOf(model.weightsRoot, model.tokenizerHash, model.configHash);
    }

    function _model(uint256 id) private pure returns (Model memory) {
        return Model(bytes32(id + 1), "tokenizer", "config", "name", "licence");
    }

    /// @dev A measurement follows its profile, and never moves to the left.
    function _observeMatched(uint256 id) private {
        bytes32 matched = MeasurementLib.idOf(MeasurementLib.TDX, _measurement(id));
        MeasurementStatus status = REGISTRY.statusOf(APP, matched);
        if (status < _matchedSeen[id]) ++stepsToTheLeft;
        _matchedSeen[id] = status;
        bytes32 through = REGISTRY.profileOf(APP, matched);
        if (through != 0 && REGISTRY.statusOf(APP, through) != status) ++usurpations;
    }

    function _profileStatus(uint256 kind) private view returns (MeasurementStatus) {
        return REGISTRY.statusOf(APP, REGISTRY.profileIdOf(_profile(kind)));
    }

    /// @dev A TD whose owner, and of one kind whose RTMR0 too, may be anything.
    function _profile(uint256 kind) private pure returns (Profile memory profile) {
        profile.teeType = MeasurementLib.TDX;
        profile.value = new bytes(MeasurementLib.TDX_LENGTH);
        profile.mask = new bytes(MeasurementLib.TDX_LENGTH);
        for (uint256 i = 0; i < MeasurementLib.TDX_LENGTH; ++i) {
            if (i != 112 && (kind == 0 || i != 208)) profile.mask[i] = 0xff;
        }
    }

    function _measurement(uint256 id) private pure returns (bytes memory measurement) {
        measurement = new bytes(MeasurementLib.TDX_LENGTH);
        measurement[112] = bytes1(uint8(id));
        if (id == 3) measurement[208] = 0x01;
    }

    function _route(uint256 id) private pure returns (bytes4) {
        return bytes4(uint32(id + 1));
    }

    function _caller(uint256 seed) private pure returns (address) {
        return [GOVERNOR, GUARDIAN, STRANGER][seed % 3];
    }
}

contract GovernanceInvariants is OracleFixture {
    GovernanceHandler private handler;

    function setUp() public override {
        super.setUp();
        handler = new GovernanceHandler(
            measurements,
            models,
            router,
            committee,
            new StubQuoteVerifier(new RiscZeroStubVerifier(), "image", MAX_AGE)
        );
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @dev The invariants would hold of a handler that does nothing, too.
    function test_TheHandlerMovesStates() public {
        handler.admit(0, 0);
        handler.ruleOut(1, 0, false);
        handler.ruleOut(1, 1, true);
        handler.addRoute(0, 0, 0);
        handler.freeze(1, 0);
        handler.admitModel(0, 0);
        handler.ruleOutModel(1, 0, false);
        handler.ruleOutModel(1, 1, true);
        vm.assertEq(handler.changes(), 8);
        handler.useProfile(2, 0, 0, 1);
        vm.assertEq(handler.changes(), 8);
        handler.useProfile(0, 0, 0, 0);
        handler.useProfile(2, 0, 0, 1);
        handler.useProfile(0, 0, 1, 0);
        handler.useProfile(2, 0, 1, 1);
        handler.useProfile(1, 0, 0, 2);
        vm.assertEq(handler.changes(), 13);
        handler.addRoute(0, 1, 1);
        handler.admit(1, 2);
        handler.freeze(2, 2);
        handler.admitModel(1, 2);
        handler.ruleOutModel(2, 3, true);
        vm.assertEq(handler.changes(), 13);
    }

    function invariant_StatesMoveOneWay() public view {
        vm.assertEq(handler.stepsToTheLeft(), 0);
    }

    function invariant_NobodyUsurps() public view {
        vm.assertEq(handler.usurpations(), 0);
    }

    function invariant_StubsStayOut() public view {
        for (uint256 id = 0; id < handler.IDS(); ++id) {
            vm.assertTrue(handler.kindOf(id) != ProofKind.Stub);
        }
    }
}
