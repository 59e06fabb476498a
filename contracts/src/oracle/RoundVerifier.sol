// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;

import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";

import {IAttestationGate} from "../interfaces/IAttestationGate.sol";
import {IResultOracle, Reveal} from "../interfaces/IResultOracle.sol";
import {IWorkerRegistry} from "../interfaces/IWorkerRegistry.sol";
import {ProofKind} from "../types/ProofKind.sol";
import {Quorum, Request, Rule} from "../types/Request.sol";
import {Result, ResultLib} from "../types/Result.sol";
import {ResultDomain} from "../types/ResultDomain.sol";
import {AgreementLib} from "./AgreementLib.sol";
import {SignatureLib} from "./SignatureLib.sol";

/// @title RoundVerifier
/// @notice Judges the answers of a closed round: who made them, and whether they agree.
/// @dev Stateless. A {ResultOracle} makes one for itself; it is apart because one contract cannot
/// hold both. Its errors are {IResultOracle}'s.
contract RoundVerifier {
    /* IMMUTABLES */

    /// @notice The oracle whose rounds these are.
    address public immutable ORACLE;
    /// @notice Whether workers are active is asked here.
    IAttestationGate public immutable WORKERS;

    /* TYPES */

    /// @dev What the answers come to while they are counted.
    struct Tally {
        address[] operators;
        uint256 vendors;
        ProofKind weakest;
        bool holdsResult;
    }

    /* CONSTRUCTOR */

    constructor(IAttestationGate workers) {
        ORACLE = msg.sender;
        WORKERS = workers;
    }

    /* JUDGEMENT */

    /// @notice Reverts with the reason unless `reveals` are a quorum for `result`. Takes what
    /// {IResultOracle-fulfillByQuorum} takes, so that the oracle can hand its calldata on as it came.
    /// @return operators who runs the worker of each of them.
    /// @return weakest the weakest of the proofs behind the workers.
    function requireQuorum(
        Request calldata made,
        Result calldata result,
        Reveal[] calldata reveals,
        bytes32[] calldata round,
        bytes calldata
    ) external view returns (address[] memory operators, ProofKind weakest) {
        Quorum memory quorum = made.quorum;
        require(
            quorum.results > 1 && reveals.length == quorum.results,
            IResultOracle.WrongAnswerCount(reveals.length, quorum.results)
        );
        Tally memory tally = _tally(quorum, result, reveals, round);
        AgreementLib.requireAgreement(quorum, reveals, result.decision);
        AgreementLib.requireOperators(tally.operators, quorum.operators);
        if (quorum.vendors > 1) AgreementLib.requireVendors(tally.vendors, quorum.vendors);
        return (tally.operators, tally.weakest);
    }

    /// @notice Reverts with the reason unless no quorum can come of the round that `reveals` are of.
    /// Takes what {IResultOracle-dispute} takes.
    function requireUndecidable(
        Request calldata made,
        Result calldata result,
        Reveal[] calldata reveals,
        bytes32[] calldata round
    ) external view {
        Quorum memory quorum = made.quorum;
        // A round with empty seats may disagree because too few were asked.
        require(
            round.length == quorum.seats && reveals.length <= round.length,
            IResultOracle.WrongAnswerCount(round.length, quorum.seats)
        );
        _tally(quorum, result, reveals, round);
        AgreementLib.requireUndecidable(quorum, reveals, round.length - reveals.length);
    }

    /* COUNTING */

    /// @dev Checks that all of `reveals`, and the result among them, were made in one closed round, by
    /// active workers, each once.
    function _tally(
        Quorum memory quorum,
        Result calldata result,
        Reveal[] calldata reveals,
        bytes32[] calldata round
    ) private view returns (Tally memory tally) {
        AgreementLib.requireRound(round, result.round, quorum);
        bytes32 domain = ResultDomain.separatorFor(ORACLE);
        Result memory said = result;
        tally.operators = new address[](reveals.length);
        address last;
        for (uint256 i = 0; i < reveals.length; ++i) {
            Reveal calldata reveal = reveals[i];
            require(reveal.worker > last, IResultOracle.DuplicateSigner(reveal.worker));
            last = reveal.worker;
            _requireRevealed(domain, round, said, reveal);
            if (last == result.worker) {
                tally.holdsResult =
                    said.outputHash == result.outputHash && said.decision == result.decision;
            }
            require(
                quorum.rule != Rule.Exact || said.decision == said.outputHash,
                IResultOracle.WrongDecision(said.decision, said.outputHash)
            );
            _admit(tally, quorum, i, said);
        }
        require(tally.holdsResult, IResultOracle.ResultNotRevealed(result.worker));
    }

    /// @dev Puts into `said` what `reveal` says, and requires that its worker committed to it and
    /// signed it.
    function _requireRevealed(
        bytes32 domain,
        bytes32[] calldata round,
        Result memory said,
        Reveal calldata reveal
    ) private pure {
        said.worker = reveal.worker;
        said.outputHash = reveal.outputHash;
        said.decision = reveal.decision;
        said.units = reveal.units;
        said.nonce = reveal.nonce;
        uint256 seat = reveal.seat;
        require(
            seat < round.length && round[seat] == ResultLib.commitment(said),
            IResultOracle.NotCommitted(said.worker)
        );
        bytes32 digest = MessageHashUtils.toTypedDataHash(domain, ResultLib.hashInPlace(said));
        SignatureLib.requireSigned(digest, said.worker, reveal.signature);
    }

    /// @dev Counts the worker of `said` as the answer number `place`.
    function _admit(Tally memory tally, Quorum memory quorum, uint256 place, Result memory said)
        private
        view
    {
        // Seats bound the answers, and {RequestTerms} bounds the seats.
        // slither-disable-next-line calls-loop
        (address operator, ProofKind kind) = WORKERS.requireActive(said.worker, said.appId);
        tally.operators[place] = operator;
        if (kind > tally.weakest) tally.weakest = kind;
        if (quorum.vendors > 1) {
            // slither-disable-next-line calls-loop
            uint8 teeType = IWorkerRegistry(address(WORKERS)).workerOf(said.worker).teeType;
            tally.vendors |= AgreementLib.vendorBit(teeType);
        }
    }
}
