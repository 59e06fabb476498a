// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";

import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {Result} from "../types/Result.sol";
import {ResultDomain} from "../types/ResultDomain.sol";

/// @title EquivocationVerifier
/// @notice Judges whether a worker gave two answers to one question.
/// @dev Stateless. A {WorkerRegistry} makes one for itself; it is apart because one contract cannot
/// hold both. Its errors are {IWorkerRegistry}'s.
contract EquivocationVerifier {
    /// @notice Reverts with the reason unless the worker of `one` signed two different outputs for one
    /// request and one input. Takes what {IWorkerRegistry-reportEquivocation} takes.
    /// @param oracle the oracle both statements were made for, which their signatures bind.
    function requireEquivocation(
        address oracle,
        Result calldata one,
        bytes calldata signature,
        Result calldata other,
        bytes calldata otherSignature
    ) external view {
        address worker = one.worker;
        require(
            worker == other.worker && one.requestId == other.requestId && one.appId == other.appId
                && one.modelId == other.modelId && one.weightsRoot == other.weightsRoot
                && one.inputCommitment == other.inputCommitment && one.keyEpoch == other.keyEpoch
                && one.outputHash != other.outputHash,
            IWorkerRegistry.NoEquivocation()
        );
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, one), signature);
        _requireSignedBy(worker, ResultDomain.digestFor(oracle, other), otherSignature);
    }

    function _requireSignedBy(address worker, bytes32 digest, bytes calldata signature)
        private
        pure
    {
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecoverCalldata(digest, signature);
        require(
            failure == ECDSA.RecoverError.NoError && signer == worker,
            IWorkerRegistry.NotSignedBy(worker)
        );
    }
}
