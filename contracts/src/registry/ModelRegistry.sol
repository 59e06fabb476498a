// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IChangeLog} from "../interfaces/IChangeLog.sol";
import {IGoverned} from "../interfaces/IGoverned.sol";
import {IModelRegistry, Model, ModelStatus} from "../interfaces/IModelRegistry.sol";
import {Reporting} from "./Reporting.sol";

/// @title ModelRegistry
/// @notice The models that a request may ask for and a result may name.
/// @dev Immutable: no proxy, no owner setter, no loop over storage.
contract ModelRegistry is IModelRegistry, Reporting, ERC165 {
    /* CONSTANTS */

    /// @inheritdoc IModelRegistry
    bytes32 public constant MODEL_TYPEHASH =
        keccak256("Model(bytes32 weightsRoot,bytes32 tokenizerHash,bytes32 configHash)");

    /// @dev Longer than any model's name in use, and than any address of a licence.
    uint256 private constant MAX_NAME_LENGTH = 128;
    uint256 private constant MAX_LICENCE_URI_LENGTH = 512;

    /* STORAGE */

    /// @inheritdoc IModelRegistry
    mapping(bytes32 modelId => ModelStatus) public statusOf;

    mapping(bytes32 modelId => Model) private _models;

    /* CONSTRUCTOR */

    constructor(address governor, address guardian, IChangeLog log)
        Reporting(governor, guardian, log)
    {}

    /* ADMISSION */

    /// @inheritdoc IModelRegistry
    function admit(Model calldata model) external returns (bytes32 modelId) {
        _requireGovernor();
        (uint256 name, uint256 licence) = (bytes(model.name).length, bytes(model.licenceUri).length);
        require(
            model.weightsRoot != 0 && model.tokenizerHash != 0 && model.configHash != 0 && name != 0
                && licence != 0,
            ModelIncomplete()
        );
        require(name <= MAX_NAME_LENGTH, ModelTextTooLong(name, MAX_NAME_LENGTH));
        require(
            licence <= MAX_LICENCE_URI_LENGTH, ModelTextTooLong(licence, MAX_LICENCE_URI_LENGTH)
        );
        modelId = modelIdOf(model.weightsRoot, model.tokenizerHash, model.configHash);
        _advance(modelId, ModelStatus.Unknown, ModelStatus.Admitted);
        _models[modelId] = model;
        emit ModelAdmitted(modelId, model.weightsRoot, model);
        _widened(modelId);
    }

    /// @inheritdoc IModelRegistry
    function revoke(bytes32 modelId) external {
        _ruleOut(modelId, ModelStatus.Admitted);
    }

    /// @inheritdoc IModelRegistry
    function ban(bytes32 modelId) external {
        require(modelId != 0, ModelIdZero());
        _ruleOut(modelId, ModelStatus.Unknown);
    }

    /* VIEWS */

    /// @inheritdoc IModelRegistry
    function modelOf(bytes32 modelId) external view returns (Model memory) {
        return _models[modelId];
    }

    /// @inheritdoc IModelRegistry
    function requireAdmitted(bytes32 modelId) external view returns (bytes32 weightsRoot) {
        ModelStatus actual = statusOf[modelId];
        require(actual == ModelStatus.Admitted, ModelNotAdmitted(modelId, actual));
        return _models[modelId].weightsRoot;
    }

    /// @inheritdoc IModelRegistry
    function modelIdOf(bytes32 weightsRoot, bytes32 tokenizerHash, bytes32 configHash)
        public
        pure
        returns (bytes32 modelId)
    {
        return keccak256(abi.encode(MODEL_TYPEHASH, weightsRoot, tokenizerHash, configHash));
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IModelRegistry).interfaceId
            || interfaceId == type(IGoverned).interfaceId || super.supportsInterface(interfaceId);
    }

    /* INTERNAL */

    function _ruleOut(bytes32 modelId, ModelStatus from) private {
        _requireGovernorOrGuardian();
        _advance(modelId, from, ModelStatus.Revoked);
        emit ModelRevoked(modelId, from, msg.sender);
        _narrowed(modelId, from == ModelStatus.Admitted);
    }

    /// @dev The only writer of `statusOf`.
    function _advance(bytes32 modelId, ModelStatus from, ModelStatus to) private {
        ModelStatus actual = statusOf[modelId];
        require(actual == from, WrongModelStatus(modelId, actual, from));
        statusOf[modelId] = to;
    }
}
