"""
Errands: what is brought to the chain about a request beside its answer, each once for all.

None of them asks to be believed: the contracts check the statements that they bring.
"""

from __future__ import annotations

from collections.abc import Sequence

from quotary_bridge.chain.contracts import RequestTerms, Reveal
from quotary_bridge.chain.contracts.oracle import ResultOracle
from quotary_bridge.errors import ContractError
from quotary_bridge.lifecycle import Errand, Job, JobState, begin_errand
from quotary_bridge.model import (
    Bytes32,
    JobKey,
    JobKind,
    Request,
    SignedResult,
    errand_key,
)
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.rounds import (
    Abandoned,
    Agreement,
    Reported,
    Round,
    RoundState,
    advance_round,
    agrees,
)

__all__ = [
    "convictions",
    "dispute",
    "equivocation",
    "finish_ended",
    "open_to_others",
    "quorum_call",
    "reassignment",
    "refund",
    "tell_errands",
]

JOBS_PER_CYCLE = 128
"""Rounds of ended jobs that one cycle finishes: each may need a question to the node."""

_ANSWERED_BY_OTHERS = "AlreadyFulfilled"


def quorum_call(cycle: Cycle, request: Request, held: Round, found: Agreement) -> bytes:
    """Return the call data that brings what a quorum of `held` agreed on."""
    made = RequestTerms.decode(request.terms)
    chosen = found.result
    shown = _reveals(held, found.answers)
    return cycle.ports.oracle.contract.fulfill_by_quorum(
        made, chosen.result, shown, held.commitments, chosen.output
    )


def dispute(cycle: Cycle, request: Request, held: Round) -> Job:
    """Return the errand that shows that `held`, all of whose seats are taken, cannot agree."""
    contract = cycle.ports.oracle.contract
    made = RequestTerms.decode(request.terms)
    answers = sorted(held.answers, key=lambda each: int(each.result.worker, 16))
    shown = _reveals(held, answers)
    call = contract.dispute(made, answers[0].result, shown, held.commitments)
    return _of_oracle(contract, request, JobKind.DISPUTE, call, held.digest)


def equivocation(cycle: Cycle, request: Request, one: SignedResult, other: SignedResult) -> Job:
    """Return the errand that convicts a worker by two statements of its own."""
    registry = cycle.ports.oracle.workers(cycle.number)
    call = registry.report_equivocation(request.oracle, one, other)
    subject = bytes.fromhex(one.result.worker[2:])
    key = errand_key(request.key, JobKind.EQUIVOCATION, subject)
    errand = Errand(key, registry.address, call)
    return begin_errand(request, JobKind.EQUIVOCATION, errand)


def reassignment(cycle: Cycle, request: Request) -> Job:
    """Return the errand that opens a request whose own workers are late to all others."""
    # One call for every book of requests: the request says which it was made at.
    call = cycle.ports.oracle.contract.reassign(RequestTerms.decode(request.terms))
    errand = Errand(errand_key(request.key, JobKind.REASSIGN), request.oracle, call)
    return begin_errand(request, JobKind.REASSIGN, errand)


def open_to_others(cycle: Cycle, jobs: Sequence[Job]) -> set[JobKey]:
    """Have requests reassigned whose own workers had their time; returns for which that is new."""
    if not jobs:
        return set()
    with cycle.write() as writer:
        added = writer.add_errands(reassignment(cycle, job.request) for job in jobs)
    tell_errands(cycle, added)
    return {each.request.key for each in added}


def refund(cycle: Cycle, request: Request) -> Job:
    """Return the errand that gives back what was put up for a request nobody answered in time."""
    # As above.
    call = cycle.ports.oracle.contract.refund(RequestTerms.decode(request.terms))
    errand = Errand(errand_key(request.key, JobKind.REFUND), request.oracle, call)
    return begin_errand(request, JobKind.REFUND, errand)


def finish_ended(cycle: Cycle) -> None:
    """
    Finish the rounds of jobs that can no longer move.

    Where the request was answered for good, whoever stated otherwise in any round is reported, in
    the commit that finishes the rounds.
    """
    ports = cycle.ports
    ended = ports.store.rounds_of_ended_jobs(ports.chain_id, ports.oracle.address, JOBS_PER_CYCLE)
    if not ended:
        return
    jobs = ports.store.jobs(list(ended))
    errands: list[Job] = []
    finished: list[Round] = []
    for key, rounds in ended.items():
        job = jobs[key]
        decision = _decision(cycle, job)
        if decision is not None:
            errands += _dissents(cycle, job.request, rounds, decision)
        finished += [_finished(each, reported=decision is not None) for each in rounds if each.open]
    with cycle.write() as writer:
        added = writer.add_errands(errands)
        writer.put_rounds(finished)
    tell_errands(cycle, added)


def convictions(cycle: Cycle, job: Job, held: Round) -> list[Job]:
    """Return the errands against those in `held` who said otherwise than was decided, if it was."""
    decision = _decision(cycle, job)
    return [] if decision is None else _dissents(cycle, job.request, [held], decision)


def tell_errands(cycle: Cycle, added: Sequence[Job]) -> None:
    """Tell of errands that are stored now."""
    for each in added:
        details = {"errand": each.kind.value, "request": f"0x{each.request.request_id.hex()}"}
        cycle.tell(ProgressKind.ERRAND_STORED, each.key, **details)


def _finished(held: Round, *, reported: bool) -> Round:
    agreed = held.state is RoundState.AGREED
    return advance_round(held, Reported() if agreed and reported else Abandoned())


def _decision(cycle: Cycle, job: Job) -> Bytes32 | None:
    """Return what was decided on the chain about the request of a job, None where nothing was."""
    if job.state is JobState.FINAL and job.result is not None:
        return cycle.ports.store.result(job.key, job.result).result.decision
    if job.reason != _ANSWERED_BY_OTHERS:
        return None
    try:
        found = cycle.ports.oracle.contract.result_of(job.request.request_id, cycle.number)
    except ContractError:
        return None
    return found.decision


def _dissents(
    cycle: Cycle, request: Request, rounds: Sequence[Round], decision: Bytes32
) -> list[Job]:
    contract = cycle.ports.oracle.contract
    made = RequestTerms.decode(request.terms)
    found: dict[JobKey, Job] = {}
    for taken in (seat for each in rounds for seat in each.seats):
        signed = taken.signed
        if signed is None or agrees(made.quorum, signed.result.decision, decision):
            continue
        call = contract.report_dissent(made, signed.result, signed.signature)
        subject = bytes.fromhex(taken.worker[2:])
        errand = _of_oracle(contract, request, JobKind.DISSENT, call, subject)
        found[errand.key] = errand
    return list(found.values())


def _of_oracle(
    contract: ResultOracle, request: Request, kind: JobKind, call: bytes, subject: bytes = b""
) -> Job:
    errand = Errand(errand_key(request.key, kind, subject), contract.address, call)
    return begin_errand(request, kind, errand)


def _reveals(held: Round, answers: Sequence[SignedResult]) -> list[Reveal]:
    commitments = held.commitments
    shown = []
    for each in answers:
        said = each.result
        seat = held.seat_of(said.worker)
        if seat is None or seat.commitment is None:
            raise ValueError(f"{said.worker} gave no commitment")
        shown.append(
            Reveal(
                worker=said.worker,
                seat=commitments.index(seat.commitment),
                units=said.units,
                nonce=said.nonce,
                output_hash=said.output_hash,
                decision=said.decision,
                signature=each.signature,
            )
        )
    return shown
