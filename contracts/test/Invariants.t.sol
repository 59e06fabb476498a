// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {Manifest, MeasurementStatus} from "../src/interfaces/IMeasurementRegistry.sol";
import {IQuoteVerifier} from "../src/interfaces/IQuoteVerifier.sol";
import {RouteStatus} from "../src/interfaces/IVerifierRouter.sol";
import {Model, ModelStatus} from "../src/interfaces/IModelRegistry.sol";
import {MeasurementRegistry} from "../src/registry/MeasurementRegistry.sol";
import {ModelRegistry} from "../src/registry/ModelRegistry.sol";
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
        handler.addRoute(0, 1, 1);
        handler.admit(1, 2);
        handler.freeze(2, 2);
        handler.admitModel(1, 2);
        handler.ruleOutModel(2, 3, true);
        vm.assertEq(handler.changes(), 8);
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
