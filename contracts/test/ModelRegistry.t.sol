// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {IERC165} from "@openzeppelin/contracts/utils/introspection/IERC165.sol";

import {IChangeLog} from "../src/interfaces/IChangeLog.sol";
import {IGoverned} from "../src/interfaces/IGoverned.sol";
import {IModelRegistry, Model, ModelStatus} from "../src/interfaces/IModelRegistry.sol";
import {ChangeLog} from "../src/registry/ChangeLog.sol";
import {ModelRegistry} from "../src/registry/ModelRegistry.sol";
import {Base} from "./Base.t.sol";

contract ModelRegistryTest is Base {
    ChangeLog private log;
    ModelRegistry private registry;
    bytes32 private id;

    function setUp() public {
        log = new ChangeLog(1);
        registry = new ModelRegistry(GOVERNOR, GUARDIAN, log);
        id = registry.modelIdOf("weights", "tokenizer", "config");
    }

    /* ID */

    function testFuzz_ModelIdOf_BindsEachHash(bytes32[3] memory content, uint256 field, bytes32 by)
        public
        view
    {
        bytes32 before = registry.modelIdOf(content[0], content[1], content[2]);
        vm.assertEq(
            before,
            keccak256(abi.encode(registry.MODEL_TYPEHASH(), content[0], content[1], content[2]))
        );
        field = field % 3;
        vm.assume(content[field] != by);
        content[field] = by;
        vm.assertTrue(registry.modelIdOf(content[0], content[1], content[2]) != before);
    }

    /* ADMIT */

    function testFuzz_Admit_RevertWhen_NotTheGovernor(address caller) public {
        vm.assume(caller != GOVERNOR);
        _expectUnauthorized(caller);
        registry.admit(_model());
    }

    function test_Admit_RevertWhen_TheModelLacksSomething() public {
        vm.startPrank(GOVERNOR);
        for (uint256 i = 0; i < 5; ++i) {
            Model memory model = _model();
            if (i == 0) model.weightsRoot = 0;
            if (i == 1) model.tokenizerHash = 0;
            if (i == 2) model.configHash = 0;
            if (i == 3) model.name = "";
            if (i == 4) model.licenceUri = "";
            vm.expectRevert(IModelRegistry.ModelIncomplete.selector);
            registry.admit(model);
        }
    }

    function test_Admit_RevertWhen_ATextIsTooLong() public {
        Model memory model = _model();
        vm.startPrank(GOVERNOR);
        model.name = string(new bytes(129));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelTextTooLong.selector, 129, 128));
        registry.admit(model);
        (model.name, model.licenceUri) = (string(new bytes(128)), string(new bytes(513)));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.ModelTextTooLong.selector, 513, 512));
        registry.admit(model);
        model.licenceUri = string(new bytes(512));
        registry.admit(model);
    }

    function test_Admit_RevertGiven_AdmittedOrRevoked() public {
        vm.startPrank(GOVERNOR);
        registry.admit(_model());
        // Another name or licence does not make it another model.
        Model memory renamed = _model();
        renamed.name = "better";
        _expectWrongStatus(ModelStatus.Admitted, ModelStatus.Unknown);
        registry.admit(renamed);
        registry.revoke(id);
        _expectWrongStatus(ModelStatus.Revoked, ModelStatus.Unknown);
        registry.admit(_model());
    }

    function test_Admit_RecordsTheModelAndReports() public {
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelNotAdmitted.selector, id, ModelStatus.Unknown
            )
        );
        registry.requireAdmitted(id);
        vm.assertEq(registry.modelOf(id).weightsRoot, 0);

        vm.expectEmit(true, true, true, true, address(registry));
        emit IModelRegistry.ModelAdmitted(id, "weights", _model());
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(registry), id, GOVERNOR, registry.admit.selector, false, 1
        );
        vm.prank(GOVERNOR);
        vm.assertEq(registry.admit(_model()), id);

        vm.assertTrue(registry.statusOf(id) == ModelStatus.Admitted);
        vm.assertEq(registry.requireAdmitted(id), "weights");
        vm.assertEq(abi.encode(registry.modelOf(id)), abi.encode(_model()));
    }

    /* REVOKE */

    function testFuzz_Revoke_RevertWhen_NeitherGovernorNorGuardian(address caller) public {
        vm.assume(caller != GOVERNOR && caller != GUARDIAN);
        vm.prank(GOVERNOR);
        registry.admit(_model());
        _expectUnauthorized(caller);
        registry.revoke(id);
        _expectUnauthorized(caller);
        registry.ban("another");
    }

    function test_Revoke_RevertGiven_NotAdmitted() public {
        vm.startPrank(GUARDIAN);
        _expectWrongStatus(ModelStatus.Unknown, ModelStatus.Admitted);
        registry.revoke(id);
    }

    function test_Revoke_RevokesForEverAndOutdatesAnswers() public {
        vm.prank(GOVERNOR);
        registry.admit(_model());
        vm.expectEmit(true, true, true, true, address(registry));
        emit IModelRegistry.ModelRevoked(id, ModelStatus.Admitted, GUARDIAN);
        vm.expectEmit(true, true, true, true, address(log));
        emit IChangeLog.PolicyChanged(
            address(registry), id, GUARDIAN, registry.revoke.selector, true, 2
        );
        vm.prank(GUARDIAN);
        registry.revoke(id);
        vm.expectRevert(
            abi.encodeWithSelector(
                IModelRegistry.ModelNotAdmitted.selector, id, ModelStatus.Revoked
            )
        );
        registry.requireAdmitted(id);
        vm.prank(GUARDIAN);
        _expectWrongStatus(ModelStatus.Revoked, ModelStatus.Admitted);
        registry.revoke(id);
        // What it was stays on record: results that named it are not forgotten.
        vm.assertEq(registry.modelOf(id).weightsRoot, "weights");
    }

    /* BAN */

    function test_Ban_RevertGiven_NotUnknown() public {
        vm.startPrank(GOVERNOR);
        registry.admit(_model());
        _expectWrongStatus(ModelStatus.Admitted, ModelStatus.Unknown);
        registry.ban(id);
    }

    function test_Ban_RevertWhen_TheIdIsZero() public {
        vm.prank(GUARDIAN);
        vm.expectRevert(IModelRegistry.ModelIdZero.selector);
        registry.ban(0);
    }

    function test_Ban_RulesOutInAdvance() public {
        vm.expectEmit(true, true, true, true, address(registry));
        emit IModelRegistry.ModelRevoked(id, ModelStatus.Unknown, GUARDIAN);
        vm.prank(GUARDIAN);
        registry.ban(id);
        // Nobody can have relied on it.
        vm.assertEq(log.epoch(), 1);
        vm.prank(GOVERNOR);
        _expectWrongStatus(ModelStatus.Revoked, ModelStatus.Unknown);
        registry.admit(_model());
    }

    /* ERC-165 */

    function test_SupportsInterface_NamesItsInterfaces() public view {
        vm.assertTrue(registry.supportsInterface(type(IModelRegistry).interfaceId));
        vm.assertTrue(registry.supportsInterface(type(IGoverned).interfaceId));
        vm.assertTrue(registry.supportsInterface(type(IERC165).interfaceId));
        vm.assertFalse(registry.supportsInterface(0xffffffff));
    }

    function _model() private pure returns (Model memory) {
        return Model("weights", "tokenizer", "config", "advisor", "https://example.org/licence");
    }

    function _expectUnauthorized(address caller) private {
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IGoverned.Unauthorized.selector, caller));
    }

    function _expectWrongStatus(ModelStatus actual, ModelStatus required) private {
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, id, actual, required)
        );
    }
}
