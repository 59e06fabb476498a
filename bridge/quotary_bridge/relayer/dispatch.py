"""
Asking workers, and keeping the first answer that passes every check.

Asking twice does no harm: two answers are two statements, one is kept, and the contract takes one.
So a job that was asked for when the relayer died is simply asked for again, and a worker that takes
long is hedged by asking the next one as well. No answer is waited for longer than a moment: what
is still out when the cycle goes on is heard in a later one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from quotary_bridge.errors import ContractError, Transient
from quotary_bridge.lifecycle import Dispatched, Failed, Job, JobState, Mislaid, Retried
from quotary_bridge.model import Address, JobKey, JobKind, Request, SignedResult
from quotary_bridge.relayer.asking import Answer, Asker, Asking
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.settle import conclude
from quotary_bridge.relayer.simulate import LOT
from quotary_bridge.workers import (
    Endpoint,
    ResultRejectedError,
    WorkerFaultError,
)

__all__ = ["Dispatcher", "retry"]

JOBS_PER_CYCLE = 512
"""How many jobs one cycle begins to ask for: what a commit and a memory easily hold."""

TAKEN_PER_NONCE = 4
"""Answers wait for nonces, and those for blocks; what lies here meanwhile others could deliver."""

STORE_SECONDS = 0.2
"""How long a checked answer may wait for others to share a commit; losing it costs a question."""

_REST_CYCLES_LIMIT = 32

_Kept = tuple[Job, Endpoint, SignedResult]


class Dispatcher:
    """
    Asks on behalf of jobs that have enough confirmations.

    A job that nobody answered rests for a growing number of cycles (not blocks: a quiet local chain
    makes none). This is kept in memory only: forgetting it costs no more than one early question.
    """

    def __init__(self) -> None:
        """Begin with every job rested, and nobody asked."""
        self._cycles = 0
        self._rests_until: dict[JobKey, int] = {}
        self._rounds: dict[JobKey, int] = {}
        self._asker = Asker()

    def close(self) -> None:
        """Wait for nobody any more."""
        self._asker.close()

    @property
    def asking(self) -> int:
        """How many jobs wait for an answer."""
        return len(self._asker.asking)

    def run(self, cycle: Cycle, *, begin: bool, go_on: Callable[[bool], None]) -> None:
        """
        Store answers that came and pass the checks; ask for every job due where we `begin`.

        Calls `go_on` while answers are waited for, with whether more of them were just stored.
        """
        self._cycles += 1
        due = self._due(cycle) if begin else []
        whole = {job.key: cycle.ports.whole(job.request) for job in due}
        if due:
            with cycle.write() as writer:
                mine = writer.claim(job.key for job in due)
                writer.load(mine)
                due = [job for job in due if job.key in mine and writer.still(job)]
                for job in due:
                    writer.advance(job.key, Dispatched() if whole[job.key] else Mislaid())
        for job in due:
            self._ask(cycle, job, whole[job.key])
        self._collect(cycle, go_on)

    def _ask(self, cycle: Cycle, job: Job, request: Request | None) -> None:
        if request is None:
            cycle.tell(ProgressKind.INPUT_MISSING, job.key)
            return
        cycle.tell(ProgressKind.WORKER_ASKED, job.key)
        self._asker.ask(Asking(job, request, cycle.ports.pool.candidates(cycle.number)))

    def _due(self, cycle: Cycle) -> list[Job]:
        """Return the oldest jobs that nobody is asked for; those asked too often end here."""
        self._rests_until = {
            key: until for key, until in self._rests_until.items() if until > self._cycles
        }
        room = _room(cycle)
        most = room + len(self._rests_until) + len(self._asker.asking)
        kind = JobKind.ANSWER
        seen = cycle.free_jobs(JobState.SEEN, most=most, kind=kind)
        limit = cycle.ports.settings.results_per_job
        spent = [job for job in seen if job.retries >= limit and job.slot is None]
        conclude(cycle, [(job, Failed(job.reason or "NoResult", cycle.ref)) for job in spent])
        left = {job.key for job in spent} | self._rests_until.keys() | self._asker.asking.keys()
        found = [*seen, *cycle.free_jobs(JobState.DISPATCHED, most=most, kind=kind)]
        due = [job for job in found if job.key not in left and _confirmed(cycle, job)]
        return due[: max(0, room - len(self._asker.asking))]

    def _collect(self, cycle: Cycle, go_on: Callable[[bool], None]) -> None:
        """Hear answers until all are in, or the patience of this cycle is over."""
        now = time.monotonic()
        end, last, kept = now + cycle.ports.settings.patience_seconds, now, list[_Kept]()
        while self._asker.asking and now < end:
            answer = self._asker.next_answer(cycle.ports, end)
            if answer is not None:
                kept.extend(self._heard(cycle, answer))
            now = time.monotonic()
            due = len(kept) >= LOT or (bool(kept) and now - last > STORE_SECONDS)
            if due:
                self._keep(cycle, kept)
                kept, last = [], now
            try:
                go_on(due)
            except Transient:
                # That the node went away must not cost the answers that came meanwhile.
                self._keep(cycle, kept)
                raise
        self._keep(cycle, kept)

    def _heard(self, cycle: Cycle, answer: Answer) -> list[_Kept]:
        """Return the answer where it is the first good one; note how its worker did."""
        job, endpoint = answer.asking.job, answer.endpoint
        try:
            signed = answer.result(cycle.time)
            cycle.ports.oracle.require_weights(signed.result, cycle.number)
            _require_active(cycle, signed.result.worker, job.request)
        except (WorkerFaultError, ResultRejectedError) as fault:
            rejected = isinstance(fault, ResultRejectedError)
            reason = fault.reason if isinstance(fault, ResultRejectedError) else fault.kind
            kind = ProgressKind.RESULT_REJECTED if rejected else ProgressKind.WORKER_FAILED
            cycle.ports.pool.failed(endpoint, reason, cycle.number)
            details = {"worker": endpoint.name, "reason": reason, "detail": fault.detail}
            cycle.tell(kind, job.key, **details)
            if self._asker.failed(answer):
                self._rest(job)
            return []
        except Exception:
            self._asker.forget(answer)
            raise
        cycle.ports.pool.succeeded(endpoint)
        return [(job, endpoint, signed)] if self._asker.succeeded(answer) else []

    def _rest(self, job: Job) -> None:
        rounds = self._rounds.get(job.key, 0)
        self._rounds[job.key] = rounds + 1
        self._rests_until[job.key] = self._cycles + min(_REST_CYCLES_LIMIT, 1 << min(rounds, 5))

    def _keep(self, cycle: Cycle, kept: Sequence[_Kept]) -> None:
        """Store answers, in one commit: not those to questions that were moved on meanwhile."""
        if not kept:
            return
        with cycle.write() as writer:
            writer.load(job.key for job, _, _ in kept)
            wanted = [item for item in kept if _still_asks(writer.job(item[0].key), item[0])]
            writer.add_results([(job.key, signed) for job, _, signed in wanted])
        for job, endpoint, signed in wanted:
            self._rounds.pop(job.key, None)
            cycle.tell(
                ProgressKind.RESULT_STORED,
                job.key,
                worker=signed.result.worker,
                endpoint=endpoint.name,
                output_bytes=len(signed.output),
            )


def retry(cycle: Cycle, refused: Sequence[tuple[Job, str]]) -> None:
    """Drop jobs' results, each for a reason, and ask anew; after too many a job has failed."""
    limit = cycle.ports.settings.results_per_job
    spent = [item for item in refused if item[0].retries + 1 >= limit]
    conclude(cycle, [(job, Failed(reason, cycle.ref)) for job, reason in spent])
    again = [item for item in refused if item not in spent]
    if not again:
        return
    with cycle.write() as writer:
        writer.load(job.key for job, _ in again)
        for job, reason in again:
            if writer.still(job):
                writer.advance(job.key, Retried(reason))


def _room(cycle: Cycle) -> int:
    """Return how many jobs may be asked for at a time."""
    limit = min(JOBS_PER_CYCLE, TAKEN_PER_NONCE * cycle.ports.settings.in_flight)
    return limit - len(cycle.free_jobs(JobState.SIGNED, most=limit, without_slot=True))


def _confirmed(cycle: Cycle, job: Job) -> bool:
    confirmations = cycle.number - job.request.block.number + 1
    return confirmations >= cycle.ports.settings.confirmations


def _still_asks(now: Job, asked: Job) -> bool:
    return now.state is JobState.DISPATCHED and now.request.asks_the_same_as(asked.request)


def _require_active(cycle: Cycle, worker: Address, request: Request) -> None:
    try:
        activity = cycle.active(worker, request.app_id)
    except ContractError as error:
        raise ResultRejectedError(error.name, error.message) from error
    if not activity.active:
        detail = f"{worker} may not answer for app 0x{request.app_id.hex()}"
        raise ResultRejectedError(activity.reason, detail)
