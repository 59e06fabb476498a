// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ERC165, IERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {RequestParams} from "../interfaces/IRequestBook.sol";
import {IResultConsumer, ResultStatus} from "../interfaces/IResultConsumer.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {Payment, Quorum, Rule} from "../types/Request.sol";

/// @title AttestedConsumer
/// @notice What a dApp inherits to ask TEE workers and to be called back with their results.
/// @dev Ask with {_ask}, or with `ORACLE.request` for a quorum, metered fees or a token. Override
/// {_onResult}; override {_onError} to learn of requests that ended without one. Keep both within the
/// callback's gas limit: a callback that fails is recorded, and repeated only by this contract, with
/// `ORACLE.retryCallback`.
/// @dev INTEGRATOR RESPONSIBILITIES. Know your own request ids: the oracle calls back for every
/// request this contract made. Read the proof kind with `ORACLE.getResult` where it matters. Where this
/// contract is itself who is refunded, offer a way to call {_withdraw}: nothing is ever pushed to it.
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

    /* ASKING */

    /// @dev Asks any one worker of the app, for all the ether sent along; `refundTo` is credited it if
    /// nobody answers by `deadline`.
    function _ask(
        bytes32 appId,
        bytes32 modelId,
        bytes memory input,
        uint32 callbackGasLimit,
        uint64 deadline,
        address refundTo
    ) internal returns (bytes32 requestId) {
        return ORACLE.request{value: msg.value}(
            RequestParams({
                appId: appId,
                modelId: modelId,
                input: input,
                inputCommitment: 0,
                callbackGasLimit: callbackGasLimit,
                reservedUntil: 0,
                deadline: deadline,
                // There is less ether than 96 bits hold.
                payment: Payment(address(0), refundTo, uint96(msg.value), 0, 0),
                quorum: Quorum(1, 1, 1, 1, Rule.Exact, 0),
                workers: new address[](0)
            })
        );
    }

    /// @dev Fetches this contract's whole credit in `token`, the zero address for ether, to `to`: refunds, and
    /// what answers did not use. Warning: let only those call it who may choose `to`.
    // For dApps: none of the examples is itself refunded.
    // slither-disable-next-line dead-code
    function _withdraw(address token, address payable to) internal {
        ORACLE.withdraw(token, to);
    }

    /// @dev A registered worker answered `requestId` with `output`.
    function _onResult(bytes32 requestId, bytes calldata output) internal virtual;

    /// @dev `requestId` ended without a result.
    function _onError(bytes32 requestId, ResultStatus status) internal virtual {}
}
