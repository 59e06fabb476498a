// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Request} from "../types/Request.sol";
import {IAttestationGate} from "./IAttestationGate.sol";
import {IRequestBook} from "./IRequestBook.sol";

/// @notice What a worker signs: many answers of one model for one app.
struct Batch {
    bytes32 appId;
    bytes32 modelId;
    bytes32 weightsRoot;
    /// @dev Root of a Merkle tree of {IBatchOracle-leafOf}, pairs hashed in ascending order.
    bytes32 root;
    /// @dev How many leaves the tree has.
    uint64 count;
    uint64 keyEpoch;
    uint64 policyVersion;
    address worker;
    uint256 nonce;
    /// @dev Last second it may be committed, Unix time.
    uint64 deadline;
}

/// @notice What a claim says beside the request, the output and the path.
struct Claim {
    uint256 batchId;
    /// @dev These three as {BatchCommitted} told them.
    address worker;
    address operator;
    ProofKind kind;
    uint64 units;
}

/// @notice A batch as it was committed. Its hash is all that is kept; whoever acts on a batch says it.
struct CommittedBatch {
    bytes32 appId;
    bytes32 modelId;
    bytes32 root;
    address worker;
    address operator;
    ProofKind kind;
}

/// @title IBatchOracle
/// @notice Requests whose answers come many at a time, under one signed Merkle root.
/// @dev Made, reassigned and refunded as at {IRequestBook}. Answers are claimed one by one, by whoever
/// wants one ({claim}), or many in one transaction ({push}).
/// @dev INTEGRATOR RESPONSIBILITIES. A claimed answer was under a root that a worker signed while it was
/// active. One worker answers: requests of a quorum go to {IResultOracle}. The answer's hash is kept only
/// where the callback failed: else take it from the callback or from {ResultClaimed}, or prove it again by
/// its path. Two roots with different answers to one request convict nobody, since a worker that is asked
/// for a batch again answers anew: the first claim is final. Nor is probation looked at, which is for
/// those who disagreed with a quorum. Where either matters, ask {IResultOracle}.
/// @dev Warning: {push} is all or nothing, whoever sends it: one claim that somebody else made before, or
/// that is refused, undoes the others. Send again without it, or in halves.
interface IBatchOracle is IRequestBook {
    /// @notice `worker` answered `count` requests; `operator` is paid as they are claimed.
    event BatchCommitted(
        uint256 indexed batchId,
        bytes32 indexed appId,
        address indexed worker,
        bytes32 modelId,
        bytes32 root,
        uint64 count,
        address operator,
        ProofKind proofKind
    );

    /// @notice What is left of the batch counts for nothing: `worker` was ruled out, or its model. `reason`
    /// is the selector of the error that says how.
    event BatchVoided(uint256 indexed batchId, address indexed worker, bytes4 reason);

    /// @notice The request has its answer, by the worker of the batch; the batch's operator was
    /// credited `fee`.
    event ResultClaimed(
        bytes32 indexed requestId, uint256 indexed batchId, uint64 units, uint256 fee, bytes output
    );

    /// @notice A batch answers for one worker: agreement of several is nobody's to claim here.
    /// @custom:remedy Ask {IResultOracle}, or one worker.
    error NotOfSeveral(uint256 results);

    /// @notice The batch has no answers.
    /// @custom:remedy Say how many leaves the tree has.
    error EmptyBatch();

    /// @notice No such batch is open.
    /// @custom:remedy Say the batch as {BatchCommitted} told it.
    error UnknownBatch(uint256 batchId);

    /// @notice Nobody ruled out the worker or its model since: its answers stand. `reason` is what else keeps
    /// it from answering now (it left, ran out of time, waits for its activation, or its platform or proof
    /// fell behind the policy); zero where nothing does.
    /// @custom:remedy Nothing is left to do. Where its answers are in doubt, governor or guardian revoke
    /// the worker, which works after it left, too.
    error WorkerNotRuledOut(address worker, bytes4 reason);

    /// @notice The path does not lead from this answer to the batch's root, or the batch is void.
    /// @custom:remedy Send request, output and units as the worker put them into the tree; worker,
    /// operator and proof kind as {BatchCommitted} told them.
    error NotInBatch(bytes32 requestId, uint256 batchId);

    /// @notice The lists of one push are not equally long.
    /// @custom:remedy Send a claim, an output and a path for every request.
    error LengthsDiffer();

    /// @notice Takes a root that a worker signed. Open to any sender.
    function commit(Batch calldata batch, bytes calldata signature)
        external
        returns (uint256 batchId);

    /// @notice Stops claims on a batch whose worker somebody ruled out since: it was revoked; its measurement
    /// was revoked, its route frozen, or the policy denies or bars what it is (`SubjectDenied`); or its
    /// model was revoked. Time alone rules out nobody. Open to any sender.
    function void(uint256 batchId, CommittedBatch calldata batch) external;

    /// @notice Ends a request with its answer in a batch. Open to any sender.
    function claim(
        Request calldata made,
        Claim calldata told,
        bytes calldata output,
        bytes32[] calldata proof
    ) external;

    /// @notice Ends many requests, as {claim} does each; none where one is refused.
    function push(
        Request[] calldata made,
        Claim[] calldata told,
        bytes[] calldata outputs,
        bytes32[][] calldata proofs
    ) external;

    /// @notice How many batches were committed; ids count from 1.
    function batchCount() external view returns (uint256);

    /// @notice keccak256(abi.encode(CommittedBatch)) of a batch; zero where there is none, or none any
    /// more.
    function batchOf(uint256 batchId) external view returns (bytes32);

    /// @notice The EIP-712 digest a worker signs for `batch`.
    function batchDigest(Batch calldata batch) external view returns (bytes32);

    /// @notice An answer as a leaf of the tree: keccak256 of keccak256 of the fields' encoding.
    function leafOf(bytes32 requestId, bytes32 inputCommitment, bytes32 outputHash, uint64 units)
        external
        pure
        returns (bytes32);

    /// @notice Whether workers are active is asked here, at every commitment.
    function WORKERS() external view returns (IAttestationGate);
}
