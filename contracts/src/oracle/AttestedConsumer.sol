// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IResultConsumer, ResultStatus} from "../interfaces/IResultConsumer.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";

/// @title AttestedConsumer
/// @notice What a dApp inherits to ask TEE workers and to be called back with their results.
/// @dev Override {_onResult}; override {_onError} to learn of requests that nobody answered. Keep both
/// within the callback's gas limit: a callback that fails is recorded, not repeated.
/// @dev INTEGRATOR RESPONSIBILITIES. Know your own request ids: the oracle calls back for every
/// request this contract made. Read the proof kind with `ORACLE.getResult` where it matters.
abstract contract AttestedConsumer is IResultConsumer, ERC165 {
    /* IMMUTABLES */

    /// @notice The oracle that results come from.
    IResultOracle public immutable ORACLE;

    /* ERRORS */

    /// @notice Only the oracle may call back.
    /// @custom:remedy Send results to the oracle; it calls this contract.
    error NotTheOracle(address caller);

    /// @notice The oracle's address holds no contract.
    /// @custom:remedy Give the address of a deployed {ResultOracle}.
    error OracleMissing(address account);

    /* CONSTRUCTOR */

    constructor(IResultOracle oracle) {
        require(address(oracle).code.length != 0, OracleMissing(address(oracle)));
        ORACLE = oracle;
    }

    /* CALLBACK */

    /// @inheritdoc IResultConsumer
    function onResult(bytes32 requestId, ResultStatus status, bytes calldata output) external {
        require(msg.sender == address(ORACLE), NotTheOracle(msg.sender));
        if (status == ResultStatus.Fulfilled) _onResult(requestId, output);
        else _onError(requestId, status);
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId)
        public
        view
        virtual
        override(ERC165, IERC165)
        returns (bool)
    {
        return interfaceId == type(IResultConsumer).interfaceId
            || super.supportsInterface(interfaceId);
    }

    /// @dev A registered worker answered `requestId` with `output`.
    function _onResult(bytes32 requestId, bytes calldata output) internal virtual;

    /// @dev `requestId` ended without a result.
    function _onError(bytes32 requestId, ResultStatus status) internal virtual {}
}
