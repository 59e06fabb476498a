// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {IReporting} from "./IReporting.sol";

/// @notice What is thought of a model. It only ever moves to the right.
enum ModelStatus {
    Unknown,
    Admitted,
    Revoked
}

/// @notice What a model is, and how it is called. The three hashes are its identity.
struct Model {
    /// @dev What the worker measures of the weights it loaded.
    bytes32 weightsRoot;
    /// @dev sha256 of the tokenizer's definition: other tokens make another model of the same weights.
    bytes32 tokenizerHash;
    /// @dev sha256 of the configuration: so does another shape.
    bytes32 configHash;
    /// @dev For people. It identifies nothing: two models may have one name.
    string name;
    /// @dev The licence that the weights are under.
    string licenceUri;
}

/// @title IModelRegistry
/// @notice The models that a request may ask for and a result may name.
/// @dev A model's id is a hash of its content, so nobody can give a known id to other weights, an id
/// can be banned before its model was ever proposed, and anyone who has the files can work it out.
/// @dev INTEGRATOR RESPONSIBILITIES. `Admitted` says that the governor vouched for a model. It does NOT
/// say that the model is good, that its licence permits your use, or that a given worker runs it: the
/// worker says so under a signature (see {IResultOracle}), and what it measures is a matter of its
/// image (see {IMeasurementRegistry}). Read the status when you use it.
/// @dev Warning: a model once revoked can never be admitted again.
interface IModelRegistry is IReporting {
    /// @notice `modelId` was admitted.
    event ModelAdmitted(bytes32 indexed modelId, bytes32 indexed weightsRoot, Model model);

    /// @notice `modelId` was revoked, for ever. `from` is what it was before: `Admitted` for a
    /// revocation, `Unknown` for a ban in advance.
    event ModelRevoked(bytes32 indexed modelId, ModelStatus from, address indexed by);

    /// @notice The model is not in the state this step starts from.
    /// @custom:remedy Read `statusOf`; a revoked model never comes back.
    error WrongModelStatus(bytes32 modelId, ModelStatus actual, ModelStatus required);

    /// @notice The model is not admitted.
    /// @custom:remedy Have the governor admit it, or ask for a model that is admitted.
    error ModelNotAdmitted(bytes32 modelId, ModelStatus actual);

    /// @notice The model lacks a hash, its name or its licence URI.
    /// @custom:remedy Fill in all five: what a result names must be known whole.
    error ModelIncomplete();

    /// @notice The name or the licence URI is too long.
    /// @custom:remedy Shorten it to at most `maximum` bytes.
    error ModelTextTooLong(uint256 actual, uint256 maximum);

    /// @notice There is no model of id zero.
    /// @custom:remedy Give the model's id.
    error ModelIdZero();

    /// @notice Admits a model. Governor only; Unknown → Admitted.
    function admit(Model calldata model) external returns (bytes32 modelId);

    /// @notice Revokes `modelId`, for ever. Governor or guardian; Admitted → Revoked. No result may
    /// name it from then on, those of requests made before included.
    function revoke(bytes32 modelId) external;

    /// @notice Rules out `modelId` before it was ever admitted. Governor or guardian; Unknown →
    /// Revoked.
    function ban(bytes32 modelId) external;

    /// @notice What is thought of `modelId` now.
    function statusOf(bytes32 modelId) external view returns (ModelStatus);

    /// @notice What `modelId` was admitted as; empty if it never was. It never changes.
    function modelOf(bytes32 modelId) external view returns (Model memory);

    /// @notice Reverts with {ModelNotAdmitted} unless `modelId` is admitted.
    /// @return weightsRoot what a result that names it must name beside.
    function requireAdmitted(bytes32 modelId) external view returns (bytes32 weightsRoot);

    /// @notice keccak256(abi.encode(MODEL_TYPEHASH, weights root, tokenizer hash, config hash)).
    function modelIdOf(bytes32 weightsRoot, bytes32 tokenizerHash, bytes32 configHash)
        external
        pure
        returns (bytes32 modelId);

    /// @notice keccak256("Model(bytes32 weightsRoot,bytes32 tokenizerHash,bytes32 configHash)").
    function MODEL_TYPEHASH() external view returns (bytes32);
}
