// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.24;

import {ProofKind} from "../types/ProofKind.sol";
import {Request} from "../types/Request.sol";
import {Result} from "../types/Result.sol";
import {IAttestationGate} from "./IAttestationGate.sol";
import {CallbackStatus, IRequestBook} from "./IRequestBook.sol";

/// @notice A closed round: what all its statements say alike beside what they repeat of the request.
struct Round {
    bytes32 weightsRoot;
    uint64 keyEpoch;
    uint64 policyVersion;
    /// @dev Last second the statements are worth anything, Unix time.
    uint64 deadline;
    /// @dev One of each worker, ascending.
    bytes32[] commitments;
}

/// @notice One worker's answer in a round: what its statement says otherwise than the others'.
struct Reveal {
    address worker;
    /// @dev Where the worker's commitment stands in the round.
    uint8 seat;
    uint64 units;
    uint256 nonce;
    /// @dev Zero for the hash of the output that is delivered.
    bytes32 outputHash;
    /// @dev Zero under the exact rule, where it is the output's hash.
    bytes32 decision;
    /// @dev The signature, and in the highest bit of `vs` the parity (EIP-2098).
    bytes32 r;
    bytes32 vs;
}

/// @notice What an answer of a round earned: `operator` was credited `fee`.
struct Pay {
    address worker;
    address operator;
    uint64 units;
    uint256 fee;
}

/// @notice A result, as dApps read it. The output itself is in the event {RequestFulfilled}.
struct FulfilledResult {
    bytes32 outputHash;
    bytes32 decision;
    address worker;
    uint64 fulfilledAt;
    ProofKind kind;
    CallbackStatus callback;
}

/// @title IResultOracle
/// @notice Carries requests to TEE workers and their signed results back, and pays for them.
/// @dev Every request ends exactly once: Fulfilled by an answer, Failed where disjoint sets of workers
/// disagreed or the model was revoked, Refunded where nobody answered in time.
/// @dev Rounds. Where more than one worker must agree, each first gives the relayer a commitment to
/// its answer. A worker reveals only to a closed round: the list of all commitments, its own among
/// them, whose hash its statement binds. So nobody has seen another's answer when it commits, and who
/// did not commit cannot take part. A worker reveals once per request. All of a round arrives here in
/// one transaction.
/// @dev INTEGRATOR RESPONSIBILITIES. A fulfilled result was signed by keys that admitted images of
/// the app hold, over exactly this request. It does NOT say that the model is good, nor, asked of one
/// worker, that two would agree. The proof kind says who checked the workers' evidence; refuse what
/// is too little for you.
interface IResultOracle is IRequestBook {
    /// @notice The request has its answer, which is `worker`'s.
    event RequestFulfilled(
        bytes32 indexed requestId,
        bytes32 indexed appId,
        address indexed worker,
        ProofKind proofKind,
        bytes32 weightsRoot,
        bytes32 outputHash,
        bytes32 decision,
        bytes output
    );

    /// @notice The answer of `worker` counted; `operator` was credited `fee`.
    event WorkerPaid(
        bytes32 indexed requestId,
        address indexed worker,
        address indexed operator,
        uint64 units,
        uint256 fee
    );

    /// @notice The answers of a round counted; their operators were credited their fees.
    event RoundPaid(bytes32 indexed requestId, Pay[] answers);

    /// @notice A whole round came to nothing; its `workers` may not answer this request again.
    event RoundDisputed(bytes32 indexed requestId, uint8 disputes, address[] workers);

    /// @notice `worker` decided otherwise than the quorum did, and counts for nothing until `until`.
    event ProbationStarted(address indexed worker, bytes32 indexed requestId, uint64 until);

    /// @notice The output is too long.
    /// @custom:remedy Have the worker answer in at most `maximum` bytes.
    error OutputTooLarge(uint256 actual, uint256 maximum);

    /// @notice The result's own deadline has passed.
    /// @custom:remedy Deliver results before their deadline. A worker signs a request once, so make a new
    /// request; a batch may be signed anew.
    error ResultExpired(uint64 deadline, uint256 blockTime);

    /// @notice The result is for another request.
    /// @custom:remedy Submit it with the terms of the request it answers.
    error WrongRequest(bytes32 actual, bytes32 expected);

    /// @notice The result is for another app than the request.
    /// @custom:remedy Send the request to a worker of app `expected`.
    error WrongApp(bytes32 actual, bytes32 expected);

    /// @notice The result is of another model than the request asked for.
    /// @custom:remedy Have the worker run model `expected`.
    error WrongModel(bytes32 actual, bytes32 expected);

    /// @notice The worker loaded other weights than the model's.
    /// @custom:remedy Have the worker load the weights whose root is `expected`.
    error WrongWeights(bytes32 actual, bytes32 expected);

    /// @notice The result answers another input.
    /// @custom:remedy Have the worker answer the input of this request.
    error WrongInput(bytes32 actual, bytes32 expected);

    /// @notice The decision is not what the request's rule compares.
    /// @custom:remedy Under the exact rule, which all requests of one worker have, have the worker sign the
    /// output's hash as its decision.
    error WrongDecision(bytes32 actual, bytes32 expected);

    /// @notice A single worker's statement names a round.
    /// @custom:remedy Have the worker sign with a round of zero.
    error WrongRound(bytes32 actual, bytes32 expected);

    /// @notice The commitments are not a round of this request.
    /// @custom:remedy Send them as they were closed: ascending, none twice, at least `required` and at
    /// most `seats`.
    error RoundOutOfOrder(uint256 count, uint256 required, uint256 seats);

    /// @notice The result names a key epoch that this oracle does not have.
    /// @custom:remedy Sign with key epoch 0.
    error WrongKeyEpoch(uint64 actual, uint64 expected);

    /// @notice The result names a policy version that this oracle does not have.
    /// @custom:remedy Sign with policy version 0.
    error WrongPolicyVersion(uint64 actual, uint64 expected);

    /// @notice The output is not the one the worker signed.
    /// @custom:remedy Submit the output byte for byte as the worker returned it.
    error OutputMismatch(bytes32 actual, bytes32 expected);

    /// @notice The signature is none: wrong form, or not in its one accepted encoding.
    /// @custom:remedy Send 65 bytes `r ‖ s ‖ v` with low s and v 27 or 28.
    error InvalidSignature();

    /// @notice Another key signed than the one the result names, or it signed something else.
    /// @custom:remedy Sign the EIP-712 digest of exactly this result, for this chain and oracle; send
    /// the commitments of the round that was signed.
    error WrongSigner(address actual, address expected);

    /// @notice The request needs another number of answers.
    /// @custom:remedy Submit `expected` answers, in one transaction.
    error WrongAnswerCount(uint256 actual, uint256 expected);

    /// @notice Two answers are one worker's, or they do not ascend by address.
    /// @custom:remedy Sort the answers by worker, each once.
    error DuplicateSigner(address worker);

    /// @notice Another answer came from this platform already, whose workers weigh as one together.
    /// @custom:remedy Ask workers on different platforms.
    error PlatformCounted(address worker, bytes32 platformId);

    /// @notice The worker did not commit to this answer before the round was closed.
    /// @custom:remedy Have it commit in the next round; an answer seen elsewhere counts for nothing.
    error NotCommitted(address worker);

    /// @notice There is no answer of that number.
    /// @custom:remedy Name the answer to deliver by its place among those submitted, from 0.
    error NoSuchAnswer(uint256 answer, uint256 count);

    /// @notice The answer of `worker` does not agree with the result.
    /// @custom:remedy Submit answers that agree; if no quorum can, call `dispute`.
    error Disagreement(address worker, bytes32 decision, bytes32 expected);

    /// @notice The result is not the median of the answers.
    /// @custom:remedy Submit the middle answer as the result.
    error NotTheMedian(bytes32 decision);

    /// @notice The answers come from too few operators or vendors.
    /// @custom:remedy Add answers of others.
    error TooFewDistinct(uint256 actual, uint256 required);

    /// @notice The request still reserves its answer to other workers.
    /// @custom:remedy Ask the named workers, or `reassign` once their time is over.
    error NotAssigned(address worker);

    /// @notice The worker took part in a round that disagreed; others must decide.
    /// @custom:remedy Ask workers that have not answered this request.
    error AlreadyAnswered(address worker);

    /// @notice The worker disagreed with a quorum lately.
    /// @custom:remedy Ask another worker until `until`, Unix seconds.
    error WorkerOnProbation(address worker, uint64 until);

    /// @notice The round can still agree: `agreeing` answers do, and `unseen` ones may join them.
    /// @custom:remedy Submit the answers that agree, or those still missing.
    error RoundUndecided(uint256 agreeing, uint256 unseen);

    /// @notice The gas ran out while the round was judged.
    /// @custom:remedy Send with more gas.
    error RoundNotJudged();

    /// @notice The statement does not contradict the result of the quorum.
    /// @custom:remedy Show a statement with another decision, about a request that a quorum answered.
    error NoDissent();

    /// @notice Ends a request with the result that one worker signed. Open to any sender.
    /// @dev Fees are credited and the result recorded before the callback runs: a failing consumer
    /// hurts only itself.
    function fulfill(
        Request calldata made,
        Result calldata result,
        bytes calldata output,
        bytes calldata signature
    ) external;

    /// @notice Ends a request with what a quorum agreed on. Open to any sender.
    /// @param reveals as many as must agree, ascending by worker.
    /// @param answer which of `reveals`, from 0, is delivered: its output is `output`. Under the
    /// tolerance rule it is their median.
    function fulfillByQuorum(
        Request calldata made,
        Round calldata round,
        Reveal[] calldata reveals,
        uint256 answer,
        bytes calldata output
    ) external;

    /// @notice Shows that a round with all seats taken cannot agree any more. Its workers are out, and
    /// any other worker of the app may answer; the second time, the request fails. Open to any sender.
    function dispute(Request calldata made, Round calldata round, Reveal[] calldata reveals)
        external;

    /// @notice Puts a worker on probation by its own statement, which contradicts what a quorum
    /// decided. Open to any sender; counted from the decision, so showing it again changes nothing.
    function reportDissent(Request calldata made, Result calldata result, bytes calldata signature)
        external;

    /// @notice What is kept of the result of `requestId`. Reverts with {NotFulfilled} without one.
    function getResult(bytes32 requestId) external view returns (FulfilledResult memory);

    /// @notice The EIP-712 digest a worker signs for `result`.
    function resultDigest(Result calldata result) external view returns (bytes32);

    /// @notice Until when `worker` is on probation, Unix time; zero if it never was.
    function probationOf(address worker) external view returns (uint64 until);

    /// @notice Whether workers are active is asked here, at every fulfilment.
    function WORKERS() external view returns (IAttestationGate);
}
