// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {ERC165} from "@openzeppelin/contracts/utils/introspection/ERC165.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {QuotaTerms, TokenTerms} from "../interfaces/IEscrow.sol";
import {IModelRegistry} from "../interfaces/IModelRegistry.sol";
import {
    FailureReason,
    IRequestBook,
    RequestState,
    RequestStatus
} from "../interfaces/IRequestBook.sol";
import {ResultStatus} from "../interfaces/IResultConsumer.sol";
import {FulfilledResult, IResultOracle, Pay, Reveal, Round} from "../interfaces/IResultOracle.sol";
import {Failure} from "../registry/Failure.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Payment, Request, RequestLib} from "../types/Request.sol";
import {Result} from "../types/Result.sol";
import {AgreementLib} from "./AgreementLib.sol";
import {AnswerChecks} from "./AnswerChecks.sol";
import {ModelChecks} from "./ModelChecks.sol";
import {RequestBook} from "./RequestBook.sol";
import {Judgement, RoundVerifier} from "./RoundVerifier.sol";

/// @title ResultOracle
/// @notice Carries requests to TEE workers and their signed results back, and pays for them.
/// @dev The relayer is not trusted: it may delay, never forge. Nobody has a privilege here.
contract ResultOracle is RequestBook, AnswerChecks, ERC165 {
    /* CONSTANTS */

    /// @dev How many rounds may disagree before the request fails.
    uint256 private constant MAX_DISPUTES = 2;
    /// @notice Seconds a worker counts for nothing after it disagreed with a quorum.
    uint64 public constant PROBATION = 7 days;

    /* TYPES */

    /// @dev What is told of an answer that is final.
    struct Outcome {
        bytes32 weightsRoot;
        bytes32 outputHash;
        bytes32 decision;
    }

    /* IMMUTABLES */

    /// @notice Judges the rounds of requests that more than one worker must answer.
    RoundVerifier public immutable ROUNDS;

    /* STORAGE */

    mapping(bytes32 requestId => bytes32) private _outputHashes;
    /// @dev What tells the decision from the output's hash, by exclusive or: zero under the exact rule.
    mapping(bytes32 requestId => bytes32) private _differences;

    /* CONSTRUCTOR */

    constructor(
        IAttestationGate workers,
        IModelRegistry models,
        QuotaTerms memory quotas,
        TokenTerms[] memory tokens
    ) ModelChecks(models, workers) AnswerChecks(workers) RequestBook(quotas, tokens) {
        ROUNDS = new RoundVerifier(workers);
    }

    /* ONE WORKER */

    /// @inheritdoc IResultOracle
    function fulfill(
        Request calldata made,
        Result calldata result,
        bytes calldata output,
        bytes calldata signature
    ) external nonReentrant {
        (bytes32 requestId, RequestState memory state) = _pendingInTime(made);
        require(made.quorum.results == 1, WrongAnswerCount(1, made.quorum.results));
        _requireAnswers(requestId, made, state, result);
        require(result.round == 0, WrongRound(result.round, 0));
        // Requests of one worker have the exact rule.
        require(
            result.decision == result.outputHash, WrongDecision(result.decision, result.outputHash)
        );
        _requireSigned(result, signature);
        _requireEligible(requestId, made, state, result.worker);
        address operator;
        (operator, state.kind) = WORKERS.requireActive(result.worker, made.appId);

        uint256 escrow = _escrowOf(made, state);
        uint256 fee = _pay(made.payment, operator, result.units, escrow);
        emit WorkerPaid(requestId, result.worker, operator, result.units, fee);
        _credit(made.payment.token, made.payment.refundTo, escrow - fee);
        _requireOutput(result.outputHash, output);
        state.worker = result.worker;
        Outcome memory outcome = Outcome(result.weightsRoot, result.outputHash, result.decision);
        _conclude(made, requestId, state, outcome, output);
    }

    /* SEVERAL WORKERS */

    /// @inheritdoc IResultOracle
    function fulfillByQuorum(
        Request calldata made,
        Round calldata round,
        Reveal[] calldata reveals,
        uint256 answer,
        bytes calldata output
    ) external nonReentrant {
        (bytes32 requestId, RequestState memory state) = _pendingInTime(made);
        _requireEligibleRound(requestId, made, state, round, reveals);
        _requireShort(output);
        Judgement memory judged =
            abi.decode(_judge(RoundVerifier.requireQuorum.selector), (Judgement));

        (state.kind, state.worker) = (judged.weakest, reveals[answer].worker);
        _payAll(made, requestId, state, reveals, judged.operators);
        Outcome memory outcome = Outcome(round.weightsRoot, judged.outputHash, judged.decision);
        _conclude(made, requestId, state, outcome, output);
    }

    /// @inheritdoc IResultOracle
    function dispute(Request calldata made, Round calldata round, Reveal[] calldata reveals)
        external
        nonReentrant
    {
        (bytes32 requestId, RequestState memory state) = _pendingInTime(made);
        _requireEligibleRound(requestId, made, state, round, reveals);
        _judge(RoundVerifier.requireUndecidable.selector);

        address[] memory out = new address[](reveals.length);
        for (uint256 i = 0; i < reveals.length; ++i) {
            out[i] = reveals[i].worker;
            _answered[requestId][out[i]] = true;
        }
        ++state.disputes;
        emit RoundDisputed(requestId, state.disputes, out);
        if (state.disputes < MAX_DISPUTES) _store(requestId, state);
        else _fail(made, requestId, state, FailureReason.Disagreement);
    }

    /// @inheritdoc IResultOracle
    function reportDissent(Request calldata made, Result calldata result, bytes calldata signature)
        external
    {
        bytes32 requestId = RequestLib.idOfCalldata(made);
        RequestState memory state = _stateOf(requestId);
        require(
            state.status == RequestStatus.Fulfilled && made.quorum.results > 1
                && !AgreementLib.agree(made.quorum, result.decision, _decisionOf(requestId)),
            NoDissent()
        );
        _requireSame(requestId, made, result);
        _requireSigned(result, signature);
        uint64 until = state.endedAt + PROBATION;
        if (until <= probationOf[result.worker]) return;
        probationOf[result.worker] = until;
        if (until > _probationsUntil) _probationsUntil = until;
        emit ProbationStarted(result.worker, requestId, until);
    }

    /* VIEWS */

    /// @inheritdoc IResultOracle
    function getResult(bytes32 requestId) external view returns (FulfilledResult memory) {
        RequestState memory state = _stateOf(requestId);
        require(state.status == RequestStatus.Fulfilled, NotFulfilled(requestId));
        return FulfilledResult({
            outputHash: _outputHashes[requestId],
            decision: _decisionOf(requestId),
            worker: state.worker,
            fulfilledAt: state.endedAt,
            kind: state.kind,
            callback: state.callback
        });
    }

    /// @notice ERC-165.
    function supportsInterface(bytes4 interfaceId) public view override returns (bool) {
        return interfaceId == type(IResultOracle).interfaceId
            || interfaceId == type(IRequestBook).interfaceId || super.supportsInterface(interfaceId);
    }

    /* CHECKS */

    /// @dev What can be known of a round without its signatures; {RoundVerifier} does the rest.
    function _requireEligibleRound(
        bytes32 requestId,
        Request calldata made,
        RequestState memory state,
        Round calldata round,
        Reveal[] calldata reveals
    ) private view {
        _requireModel(made.modelId, round.weightsRoot, state);
        _requireTerms(round.keyEpoch, round.policyVersion, round.deadline);
        if (_isOpenToAll(made, state)) return;
        for (uint256 i = 0; i < reveals.length; ++i) {
            _requireEligible(requestId, made, state, reveals[i].worker);
        }
    }

    /// @dev Has the round of this call judged: hands its calldata on as it came, which costs far less
    /// than to encode it anew.
    function _judge(bytes4 selector) private view returns (bytes memory answer) {
        bool sound;
        // slither-disable-next-line low-level-calls
        (sound, answer) = address(ROUNDS).staticcall(bytes.concat(selector, msg.data[4:]));
        if (sound) return answer;
        Failure.raise(answer);
        // Nothing was said: the gas ran out over there.
        revert RoundNotJudged();
    }

    /* ENDING */

    /// @dev Credits each answer its use, and the rest to where the request says.
    function _payAll(
        Request calldata made,
        bytes32 requestId,
        RequestState memory state,
        Reveal[] calldata reveals,
        address[] memory operators
    ) private {
        uint256 escrow = _escrowOf(made, state);
        uint256 share = escrow / reveals.length;
        Pay[] memory pays = new Pay[](reveals.length);
        for (uint256 i = 0; i < pays.length; ++i) {
            Pay memory pay = pays[i];
            (pay.worker, pay.units) = (reveals[i].worker, reveals[i].units);
            pay.operator = operators[i];
            pay.fee = _pay(made.payment, pay.operator, pay.units, share);
            escrow -= pay.fee;
        }
        emit RoundPaid(requestId, pays);
        _credit(made.payment.token, made.payment.refundTo, escrow);
    }

    /// @dev Credits what `units` cost, at most `share`.
    function _pay(Payment calldata payment, address operator, uint64 units, uint256 share)
        private
        returns (uint256 fee)
    {
        fee = _feeFor(payment, units, share);
        _credit(payment.token, operator, fee);
    }

    /// @dev The answer is final; everybody was paid.
    function _conclude(
        Request calldata made,
        bytes32 requestId,
        RequestState memory state,
        Outcome memory outcome,
        bytes calldata output
    ) private {
        state.status = RequestStatus.Fulfilled;
        _outputHashes[requestId] = outcome.outputHash;
        bytes32 difference = outcome.decision ^ outcome.outputHash;
        if (difference != 0) _differences[requestId] = difference;
        emit RequestFulfilled(
            requestId,
            made.appId,
            state.worker,
            state.kind,
            outcome.weightsRoot,
            outcome.outputHash,
            outcome.decision,
            output
        );
        _end(made, requestId, state, ResultStatus.Fulfilled, output);
    }

    function _requireDelivered(bytes32 requestId, bytes calldata output) internal view override {
        _requireOutput(_outputHashes[requestId], output);
    }

    function _decisionOf(bytes32 requestId) private view returns (bytes32) {
        return _outputHashes[requestId] ^ _differences[requestId];
    }
}
