// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Batch, Claim, IBatchOracle} from "src/interfaces/IBatchOracle.sol";
import {
    IRequestBook,
    RequestParams,
    RequestState,
    RequestStatus
} from "src/interfaces/IRequestBook.sol";
import {IResultOracle, Reveal, Round} from "src/interfaces/IResultOracle.sol";
import {RequestTerms} from "src/oracle/RequestTerms.sol";
import {ProofKind} from "src/types/ProofKind.sol";
import {Request, RequestLib} from "src/types/Request.sol";
import {Result, ResultLib} from "src/types/Result.sol";

/// @title TrustingOracle
/// @notice An oracle without the second belt: it takes every delivery, however often it comes. It
/// answers for both: for the oracle of results and for the one of batches.
/// @dev For tests only. With it, that nothing is delivered twice is the relayer's own doing.
contract TrustingOracle is EIP712("Quotary Result", "1") {
    /// @notice Whom the relayer asks about workers.
    address public immutable WORKERS;
    /// @notice Whom it asks about models.
    address public immutable MODELS;
    /// @notice As {IResultOracle-RESULT_TYPEHASH}.
    bytes32 public constant RESULT_TYPEHASH = ResultLib.TYPEHASH;

    /// @notice As {BatchOracle-BATCH_TYPEHASH}.
    bytes32 public immutable BATCH_TYPEHASH;
    /// @notice As {IBatchOracle-batchCount}.
    uint256 public batchCount;
    /// @notice The roots, where {IBatchOracle-batchOf} has the hash of more.
    mapping(uint256 batchId => bytes32) public batchOf;

    mapping(address account => uint64) private _sequences;
    mapping(bytes32 requestId => RequestState) private _states;

    constructor(address workers, address models, bytes32 batchTypehash) {
        (WORKERS, MODELS, BATCH_TYPEHASH) = (workers, models, batchTypehash);
    }

    /// @notice As {IRequestBook-request}, without its checks.
    function request(RequestParams calldata params) external payable returns (bytes32 requestId) {
        Request memory made = RequestTerms.toRequest(params, msg.sender, _sequences[msg.sender]++);
        requestId = RequestLib.idOf(made);
        _states[requestId].status = RequestStatus.Pending;
        emit IRequestBook.RequestCreated(requestId, made.appId, msg.sender, made, params.input);
    }

    /// @notice As {IResultOracle-fulfill}, for anybody, and as often as they like.
    function fulfill(
        Request calldata made,
        Result calldata result,
        bytes calldata output,
        bytes calldata
    ) external {
        bytes32 requestId = RequestLib.idOf(made);
        require(
            _states[requestId].status == RequestStatus.Pending,
            IRequestBook.UnknownRequest(requestId)
        );
        emit IResultOracle.RequestFulfilled(
            requestId,
            made.appId,
            result.worker,
            ProofKind.None,
            result.weightsRoot,
            result.outputHash,
            result.decision,
            output
        );
    }

    /// @notice As {IResultOracle-fulfillByQuorum}, for anybody, and as often as they like.
    function fulfillByQuorum(
        Request calldata made,
        Round calldata round,
        Reveal[] calldata reveals,
        uint256 answer,
        bytes calldata output
    ) external {
        bytes32 requestId = RequestLib.idOf(made);
        require(
            _states[requestId].status == RequestStatus.Pending,
            IRequestBook.UnknownRequest(requestId)
        );
        emit IResultOracle.RequestFulfilled(
            requestId,
            made.appId,
            reveals[answer].worker,
            ProofKind.None,
            round.weightsRoot,
            reveals[answer].outputHash,
            reveals[answer].decision,
            output
        );
    }

    /// @notice As {IBatchOracle-commit}, and believes it.
    function commit(Batch calldata batch, bytes calldata) external returns (uint256 batchId) {
        batchId = ++batchCount;
        batchOf[batchId] = batch.root;
        emit IBatchOracle.BatchCommitted(
            batchId,
            batch.appId,
            batch.worker,
            batch.modelId,
            batch.root,
            batch.count,
            address(1),
            ProofKind.None
        );
    }

    /// @notice As {IBatchOracle-claim}, as often as anybody likes.
    function claim(
        Request calldata made,
        Claim calldata told,
        bytes calldata output,
        bytes32[] calldata
    ) external {
        _claim(made, told, output);
    }

    /// @notice As {IBatchOracle-push}, as often as anybody likes.
    function push(
        Request[] calldata made,
        Claim[] calldata told,
        bytes[] calldata outputs,
        bytes32[][] calldata
    ) external {
        for (uint256 i = 0; i < made.length; ++i) {
            _claim(made[i], told[i], outputs[i]);
        }
    }

    /// @notice As {IResultOracle-dispute}, and believes it.
    function dispute(Request calldata, Round calldata, Reveal[] calldata) external {}

    /// @notice As {IResultOracle-reportDissent}, and does nothing about it.
    function reportDissent(Request calldata, Result calldata, bytes calldata) external {}

    /// @notice Nobody ever is.
    function probationOf(address) external pure returns (uint64) {
        return 0;
    }

    /// @notice Pending for ever, where there is one.
    function stateOf(bytes32 requestId) external view returns (RequestState memory) {
        return _states[requestId];
    }

    function _claim(Request calldata made, Claim calldata told, bytes calldata output) private {
        bytes32 requestId = RequestLib.idOf(made);
        require(
            _states[requestId].status == RequestStatus.Pending,
            IRequestBook.UnknownRequest(requestId)
        );
        require(batchOf[told.batchId] != 0, IBatchOracle.NotInBatch(requestId, told.batchId));
        emit IBatchOracle.ResultClaimed(requestId, told.batchId, told.units, 0, output);
    }
}
