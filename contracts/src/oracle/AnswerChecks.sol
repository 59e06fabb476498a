// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {RequestState} from "../interfaces/IRequestBook.sol";
import {IResultOracle} from "../interfaces/IResultOracle.sol";
import {Request} from "../types/Request.sol";
import {Result, ResultLib} from "../types/Result.sol";
import {ModelChecks} from "./ModelChecks.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @title AnswerChecks
/// @notice What must hold of one worker's answer to one request.
abstract contract AnswerChecks is IResultOracle, ModelChecks, EIP712 {
    /* CONSTANTS */

    /// @notice What a worker signs.
    bytes32 public constant RESULT_TYPEHASH = ResultLib.TYPEHASH;
    /// @notice Longest output, in bytes: an event of this size costs some 70,000 gas.
    uint256 public constant MAX_OUTPUT_LENGTH = 8192;

    /* IMMUTABLES */

    /// @inheritdoc IResultOracle
    IAttestationGate public immutable WORKERS;

    /* STORAGE */

    /// @inheritdoc IResultOracle
    mapping(address worker => uint64 until) public probationOf;

    /// @dev When the last of all probations ends.
    uint64 internal _probationsUntil;

    /// @dev Who took part in a disputed round.
    mapping(bytes32 requestId => mapping(address worker => bool)) internal _answered;

    /* CONSTRUCTOR */

    constructor(IAttestationGate workers) EIP712("Quotary Result", "1") {
        WORKERS = workers;
    }

    /* DIGEST */

    /// @inheritdoc IResultOracle
    function resultDigest(Result calldata result) public view returns (bytes32) {
        // Encoded where it stands: to copy it into memory first takes 300 bytes of code.
        return _hashTypedDataV4(keccak256(abi.encode(RESULT_TYPEHASH, result)));
    }

    /* CHECKS */

    /// @dev Whether `result` answers exactly the request that was made, and is still worth something.
    function _requireAnswers(
        bytes32 requestId,
        Request calldata made,
        RequestState memory state,
        Result calldata result
    ) internal view {
        _requireSame(requestId, made, result);
        _requireModel(made.modelId, result.weightsRoot, state);
        _requireTerms(result.keyEpoch, result.policyVersion, result.deadline);
    }

    /// @dev What a statement says beside its answer, its model and what it repeats of the request.
    function _requireTerms(uint64 keyEpoch, uint64 policyVersion, uint64 deadline) internal view {
        require(keyEpoch == 0, WrongKeyEpoch(keyEpoch, 0));
        require(policyVersion == 0, WrongPolicyVersion(policyVersion, 0));
        require(deadline >= block.timestamp, ResultExpired(deadline, block.timestamp));
    }

    function _requireSame(bytes32 requestId, Request calldata made, Result calldata result)
        internal
        pure
    {
        require(result.requestId == requestId, WrongRequest(result.requestId, requestId));
        require(result.appId == made.appId, WrongApp(result.appId, made.appId));
        require(result.modelId == made.modelId, WrongModel(result.modelId, made.modelId));
        require(
            result.inputCommitment == made.inputCommitment,
            WrongInput(result.inputCommitment, made.inputCommitment)
        );
    }

    function _requireShort(bytes calldata output) internal pure {
        uint256 length = output.length;
        require(length <= MAX_OUTPUT_LENGTH, OutputTooLarge(length, MAX_OUTPUT_LENGTH));
    }

    function _requireOutput(bytes32 outputHash, bytes calldata output) internal pure {
        _requireShort(output);
        bytes32 hash = sha256(output);
        require(hash == outputHash, OutputMismatch(hash, outputHash));
    }

    function _requireSigned(Result calldata result, bytes calldata signature) internal view {
        // {_requireAnswers} and the payment read every narrow field of the result.
        bytes32 digest = _hashTypedDataV4(ResultLib.hashCalldata(result));
        SignatureLib.requireSigned(digest, result.worker, signature);
    }

    /// @dev Whether nothing is left for {_requireEligible} to look at, whoever answers.
    function _isOpenToAll(Request calldata made, RequestState memory state)
        internal
        view
        returns (bool)
    {
        return state.disputes == 0 && (made.workers.length == 0 || state.reassigned)
            && _probationsUntil < block.timestamp;
    }

    /// @dev Whether `worker` may answer this request now, as far as this oracle knows.
    function _requireEligible(
        bytes32 requestId,
        Request calldata made,
        RequestState memory state,
        address worker
    ) internal view {
        if (state.disputes != 0) {
            require(!_answered[requestId][worker], AlreadyAnswered(worker));
        } else if (made.workers.length != 0 && !state.reassigned) {
            require(_isNamed(made.workers, worker), NotAssigned(worker));
        }
        // Most of the time nobody is on probation, and one word says so for all workers of a round.
        if (_probationsUntil < block.timestamp) return;
        uint64 until = probationOf[worker];
        require(until < block.timestamp, WorkerOnProbation(worker, until));
    }

    function _isNamed(address[] calldata named, address worker) private pure returns (bool) {
        for (uint256 i = 0; i < named.length; ++i) {
            if (named[i] == worker) return true;
        }
        return false;
    }
}
