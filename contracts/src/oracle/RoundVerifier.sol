// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IResultOracle, Reveal, Round} from "../interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Quorum, Request, RequestLib, Rule} from "../types/Request.sol";
import {Result, ResultLib} from "../types/Result.sol";
import {ResultDomain} from "../types/ResultDomain.sol";
import {AgreementLib} from "./AgreementLib.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @notice What a quorum came to.
struct Judgement {
    /// @dev Of the answer that is delivered.
    bytes32 outputHash;
    bytes32 decision;
    /// @dev The weakest of the proofs behind the workers.
    ProofKind weakest;
    /// @dev Who runs the worker of each answer.
    address[] operators;
}

/// @title RoundVerifier
/// @notice Judges the answers of a closed round: who made them, and whether they agree.
/// @dev Stateless. A {ResultOracle} makes one for itself; it is apart because one contract cannot
/// hold both. Its errors are {IResultOracle}'s.
contract RoundVerifier {
    /* IMMUTABLES */

    /// @notice The oracle whose rounds these are.
    address public immutable ORACLE;
    /// @notice Whether workers are active is asked here.
    IWorkerRegistry public immutable WORKERS;

    /// @dev The oracle's EIP-712 domain on the chain it was deployed on.
    bytes32 private immutable _DOMAIN;
    uint256 private immutable _CHAIN_ID;

    /* TYPES */

    /// @dev What the answers come to while they are counted.
    struct Tally {
        bytes32[] decisions;
        address[] operators;
        /// @dev A bit for each platform, by one byte of its id; and whether two have that byte in common.
        uint256 marks;
        bool alike;
        uint256 vendors;
        ProofKind weakest;
    }

    /* CONSTRUCTOR */

    constructor(IAttestationGate workers) {
        ORACLE = msg.sender;
        WORKERS = IWorkerRegistry(address(workers));
        _DOMAIN = ResultDomain.separatorFor(msg.sender);
        _CHAIN_ID = block.chainid;
    }

    /* JUDGEMENT */

    /// @notice Reverts with the reason unless `reveals` are a quorum for answer number `answer` and for
    /// `output`. Takes what {IResultOracle-fulfillByQuorum} takes, so that the oracle can hand its
    /// calldata on as it came.
    function requireQuorum(
        Request calldata made,
        Round calldata round,
        Reveal[] calldata reveals,
        uint256 answer,
        bytes calldata output
    ) external view returns (Judgement memory) {
        Quorum memory quorum = made.quorum;
        uint256 count = reveals.length;
        require(
            quorum.results > 1 && count == quorum.results,
            IResultOracle.WrongAnswerCount(count, quorum.results)
        );
        require(answer < count, IResultOracle.NoSuchAnswer(answer, count));
        bytes32 outputHash = sha256(output);
        bytes32 given = reveals[answer].outputHash;
        require(given == 0 || given == outputHash, IResultOracle.OutputMismatch(outputHash, given));
        Tally memory tally = _tally(_statement(made, round), quorum, round, reveals, outputHash);
        bytes32 decision = tally.decisions[answer];
        AgreementLib.requireAgreement(quorum, reveals, tally.decisions, decision);
        AgreementLib.requireOperators(tally.operators, quorum.operators);
        if (quorum.vendors > 1) AgreementLib.requireVendors(tally.vendors, quorum.vendors);
        return Judgement(outputHash, decision, tally.weakest, tally.operators);
    }

    /// @notice Reverts with the reason unless no quorum can come of the round that `reveals` are of.
    /// Takes what {IResultOracle-dispute} takes.
    function requireUndecidable(
        Request calldata made,
        Round calldata round,
        Reveal[] calldata reveals
    ) external view {
        Quorum memory quorum = made.quorum;
        uint256 seats = round.commitments.length;
        // A round with empty seats may disagree because too few were asked.
        require(
            seats == quorum.seats && reveals.length <= seats,
            IResultOracle.WrongAnswerCount(seats, quorum.seats)
        );
        Tally memory tally = _tally(_statement(made, round), quorum, round, reveals, 0);
        AgreementLib.requireUndecidable(quorum, tally.decisions, seats - reveals.length);
    }

    /* COUNTING */

    /// @dev Checks that all of `reveals` were made in one closed round, by active workers, each once, each
    /// on a platform of its own.
    /// `said` is what they say alike; `delivered` stands in for output hashes that are left out.
    function _tally(
        Result memory said,
        Quorum memory quorum,
        Round calldata round,
        Reveal[] calldata reveals,
        bytes32 delivered
    ) private view returns (Tally memory tally) {
        said.round = AgreementLib.roundOf(round.commitments, quorum);
        // A chain that split off has an id of its own.
        bytes32 domain = block.chainid == _CHAIN_ID ? _DOMAIN : ResultDomain.separatorFor(ORACLE);
        uint256 count = reveals.length;
        (tally.decisions, tally.operators) = (new bytes32[](count), new address[](count));
        for (uint256 i = 0; i < count; ++i) {
            Reveal calldata reveal = reveals[i];
            require(reveal.worker > said.worker, IResultOracle.DuplicateSigner(reveal.worker));
            _read(said, quorum.rule, reveal, delivered);
            _requireCommitted(said, round.commitments, reveal.seat);
            bytes32 digest = MessageHashUtils.toTypedDataHash(domain, ResultLib.hashInPlace(said));
            SignatureLib.requireSigned(digest, said.worker, reveal.r, reveal.vs);
            tally.decisions[i] = said.decision;
            _admit(tally, quorum, i, said);
        }
        if (tally.alike) _requireApart(reveals, said.appId);
    }

    /// @dev What all statements of a round say alike, but for the round itself.
    function _statement(Request calldata made, Round calldata round)
        private
        view
        returns (Result memory said)
    {
        said.requestId = RequestLib.idOfCalldata(made, ORACLE);
        said.appId = made.appId;
        said.modelId = made.modelId;
        said.weightsRoot = round.weightsRoot;
        said.inputCommitment = made.inputCommitment;
        said.keyEpoch = round.keyEpoch;
        said.policyVersion = round.policyVersion;
        said.deadline = round.deadline;
    }

    /// @dev Puts into `said` what `reveal` says.
    function _read(Result memory said, Rule rule, Reveal calldata reveal, bytes32 delivered)
        private
        pure
    {
        said.worker = reveal.worker;
        said.units = reveal.units;
        said.nonce = reveal.nonce;
        (bytes32 outputHash, bytes32 decision) = (reveal.outputHash, reveal.decision);
        if (outputHash == 0) outputHash = delivered;
        if (rule == Rule.Exact) {
            require(decision == 0, IResultOracle.WrongDecision(decision, 0));
            decision = outputHash;
        }
        (said.outputHash, said.decision) = (outputHash, decision);
    }

    function _requireCommitted(Result memory said, bytes32[] calldata commitments, uint256 seat)
        private
        pure
    {
        require(
            seat < commitments.length && commitments[seat] == ResultLib.commitment(said),
            IResultOracle.NotCommitted(said.worker)
        );
    }

    /// @dev Counts the worker of `said` as the answer number `place`.
    function _admit(Tally memory tally, Quorum memory quorum, uint256 place, Result memory said)
        private
        view
    {
        // Seats bound the answers, and {RequestTerms} bounds the seats.
        // slither-disable-next-line calls-loop
        (address operator, ProofKind kind, bytes32 platformId) =
            WORKERS.requireActiveOn(said.worker, said.appId);
        uint256 mark = uint256(1) << uint8(uint256(platformId) >> 96);
        if (tally.marks & mark != 0) tally.alike = true;
        tally.marks |= mark;
        tally.operators[place] = operator;
        if (kind > tally.weakest) tally.weakest = kind;
        if (quorum.vendors > 1) {
            // slither-disable-next-line calls-loop
            uint8 teeType = WORKERS.workerOf(said.worker).teeType;
            tally.vendors |= AgreementLib.vendorBit(teeType);
        }
    }

    /// @dev Reverts where two of the answers come from one platform, asking anew: it seldom comes to that.
    function _requireApart(Reveal[] calldata reveals, bytes32 appId) private view {
        bytes32[] memory platforms = new bytes32[](reveals.length);
        for (uint256 i = 0; i < platforms.length; ++i) {
            address worker = reveals[i].worker;
            // slither-disable-next-line calls-loop,unused-return
            (,, platforms[i]) = WORKERS.requireActiveOn(worker, appId);
            for (uint256 j = 0; j < i; ++j) {
                require(
                    platforms[j] != platforms[i],
                    IResultOracle.PlatformCounted(worker, platforms[i])
                );
            }
        }
    }
}
