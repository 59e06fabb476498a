"""
Asking workers, and keeping the first answer that passes every check.

Asking twice does no harm: two answers are two statements, one is kept, and the contract takes one.
So a job that was asked for when the relayer died is simply asked for again.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

from quotary_bridge.errors import ContractError
from quotary_bridge.lifecycle import Dispatched, Failed, Job, JobState, Retried
from quotary_bridge.model import Address, JobKey, Request, SignedResult
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.settle import conclude
from quotary_bridge.workers import (
    Endpoint,
    ResultRejectedError,
    WorkerFaultError,
    check_result,
)

__all__ = ["Dispatcher", "retry"]

_REST_CYCLES_LIMIT = 32


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What one round of asking came to; `endpoint` is None where nobody answered well."""

    endpoint: Endpoint | None
    signed: SignedResult | None
    faults: tuple[tuple[Endpoint, str, str, bool], ...]


class Dispatcher:
    """
    Asks on behalf of jobs that have enough confirmations.

    A job that nobody answered rests for a growing number of cycles (not blocks: a quiet local chain
    makes none). This is kept in memory only: forgetting it costs no more than one early question.
    """

    def __init__(self) -> None:
        """Begin with every job rested."""
        self._cycles = 0
        self._rests_until: dict[JobKey, int] = {}
        self._rounds: dict[JobKey, int] = {}

    def run(self, cycle: Cycle) -> None:
        """Ask for every job that is due, a few at a time; store what passes the checks."""
        self._cycles += 1
        self._give_up(cycle)
        due = [job for job in self._candidates(cycle) if self._due(cycle, job)]
        if not due:
            return
        with cycle.ports.store.write(cycle.lease) as writer:
            for job in due:
                writer.advance(job.key, Dispatched())
        for job in due:
            cycle.tell(ProgressKind.WORKER_ASKED, job.key)
        width = cycle.ports.settings.concurrent_workers
        with ThreadPoolExecutor(width, thread_name_prefix="dispatch") as threads:
            asked = {threads.submit(_ask, cycle, job.request): job for job in due}
            waiting = set(asked)
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                self._note(cycle, [(asked[future], future.result()) for future in done])

    def _give_up(self, cycle: Cycle) -> None:
        for job in cycle.ports.open_jobs(JobState.SEEN):
            if job.retries >= cycle.ports.settings.results_per_job and job.slot is None:
                conclude(cycle, job, Failed(job.reason or "NoResult", cycle.ref))

    def _candidates(self, cycle: Cycle) -> tuple[Job, ...]:
        return cycle.ports.open_jobs(JobState.SEEN, JobState.DISPATCHED)

    def _due(self, cycle: Cycle, job: Job) -> bool:
        confirmations = cycle.number - job.request.block.number + 1
        if confirmations < cycle.ports.settings.confirmations:
            return False
        return self._rests_until.get(job.key, 0) <= self._cycles

    def _note(self, cycle: Cycle, outcomes: Sequence[tuple[Job, _Outcome]]) -> None:
        """Keep the answers that came, in one commit, and tell of everything else."""
        kept = []
        for job, outcome in outcomes:
            for endpoint, reason, detail, rejected in outcome.faults:
                kind = ProgressKind.RESULT_REJECTED if rejected else ProgressKind.WORKER_FAILED
                cycle.ports.pool.failed(endpoint, reason, cycle.number)
                cycle.tell(kind, job.key, worker=endpoint.name, reason=reason, detail=detail)
            if outcome.endpoint is not None and outcome.signed is not None:
                kept.append((job, outcome.endpoint, outcome.signed))
            else:
                self._rest(job)
        if kept:
            self._keep(cycle, kept)

    def _rest(self, job: Job) -> None:
        rounds = self._rounds.get(job.key, 0)
        self._rounds[job.key] = rounds + 1
        self._rests_until[job.key] = self._cycles + min(_REST_CYCLES_LIMIT, 1 << min(rounds, 5))

    def _keep(self, cycle: Cycle, kept: Sequence[tuple[Job, Endpoint, SignedResult]]) -> None:
        with cycle.ports.store.write(cycle.lease) as writer:
            for job, _, signed in kept:
                writer.add_result(job.key, signed)
        for job, endpoint, signed in kept:
            cycle.ports.pool.succeeded(endpoint)
            self._rounds.pop(job.key, None)
            self._rests_until.pop(job.key, None)
            cycle.tell(
                ProgressKind.RESULT_STORED,
                job.key,
                worker=signed.result.worker,
                endpoint=endpoint.name,
                output_bytes=len(signed.output),
            )


def retry(cycle: Cycle, job: Job, reason: str) -> None:
    """Drop the job's result and ask anew; after too many results the job has failed."""
    if job.retries + 1 >= cycle.ports.settings.results_per_job:
        conclude(cycle, job, Failed(reason, cycle.ref))
        return
    with cycle.ports.store.write(cycle.lease) as writer:
        writer.advance(job.key, Retried(reason))


def _ask(cycle: Cycle, request: Request) -> _Outcome:
    faults: list[tuple[Endpoint, str, str, bool]] = []
    for endpoint in cycle.ports.pool.candidates(cycle.number):
        try:
            signed = cycle.ports.client.ask(endpoint, request)
            check_result(request, signed, cycle.time, endpoint.worker)
            _require_active(cycle, signed.result.worker, request)
        except WorkerFaultError as fault:
            faults.append((endpoint, fault.kind, fault.detail, False))
        except ResultRejectedError as fault:
            faults.append((endpoint, fault.reason, fault.detail, True))
        else:
            return _Outcome(endpoint, signed, tuple(faults))
    return _Outcome(None, None, tuple(faults))


def _require_active(cycle: Cycle, worker: Address, request: Request) -> None:
    try:
        activity = cycle.active(worker, request.app_id)
    except ContractError as error:
        raise ResultRejectedError(error.name, error.message) from error
    if not activity.active:
        detail = f"{worker} may not answer for app 0x{request.app_id.hex()}"
        raise ResultRejectedError(activity.reason, detail)
