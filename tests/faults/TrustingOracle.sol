// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {
    IResultOracle,
    Request,
    RequestParams,
    RequestStatus
} from "src/interfaces/IResultOracle.sol";
import {ProofKind} from "src/types/ProofKind.sol";
import {Result, ResultLib} from "src/types/Result.sol";

/// @title TrustingOracle
/// @notice An oracle without the second belt: it takes every delivery, however often it comes.
/// @dev For tests only. With it, that nothing is delivered twice is the relayer's own doing.
contract TrustingOracle is EIP712("Quotary Result", "1") {
    /// @notice Whom the relayer asks about workers.
    address public immutable WORKERS;
    /// @notice As {IResultOracle-RESULT_TYPEHASH}.
    bytes32 public constant RESULT_TYPEHASH = ResultLib.TYPEHASH;
    /// @notice How many requests were made.
    uint256 public requestCount;

    mapping(bytes32 requestId => Request) private _requests;

    constructor(address workers) {
        WORKERS = workers;
    }

    /// @notice As {IResultOracle-request}, without its checks.
    function request(RequestParams calldata params) external payable returns (bytes32 requestId) {
        requestId = keccak256(abi.encode(block.chainid, address(this), ++requestCount));
        _requests[requestId] = Request({
            appId: params.appId,
            modelId: params.modelId,
            inputCommitment: sha256(params.input),
            requester: msg.sender,
            deadline: params.deadline,
            callbackGasLimit: 0,
            refundTo: msg.sender,
            fee: uint88(msg.value),
            status: RequestStatus.Pending
        });
        emit IResultOracle.RequestCreated(
            requestId,
            params.appId,
            msg.sender,
            params.modelId,
            params.input,
            sha256(params.input),
            params.deadline,
            0,
            uint88(msg.value),
            msg.sender
        );
    }

    /// @notice As {IResultOracle-fulfill}, for anybody, and as often as they like.
    function fulfill(Result calldata result, bytes calldata output, bytes calldata) external {
        Request storage made = _requests[result.requestId];
        require(
            made.status == RequestStatus.Pending, IResultOracle.UnknownRequest(result.requestId)
        );
        emit IResultOracle.RequestFulfilled(
            result.requestId,
            made.appId,
            result.worker,
            result.worker,
            ProofKind.None,
            result.weightsRoot,
            result.outputHash,
            result.units,
            result.nonce,
            made.fee,
            output
        );
    }

    /// @notice Pending for ever, where there is one.
    function getRequest(bytes32 requestId) external view returns (Request memory) {
        return _requests[requestId];
    }
}
