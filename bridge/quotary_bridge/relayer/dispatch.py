"""
Asking workers, and keeping the first answer that passes every check.

1. the jobs that are due, oldest first, without those that rest;
2. for each the workers that the chain would take an answer from, at the pinned block;
3. where there is none, that is told; a request whose own workers are late is opened to others;
4. the others are claimed, and asked for; what comes is checked, and stored.

Asking twice does no harm: two answers are two statements, one is kept, and the contract takes one.
So a job that was asked for when the relayer died is simply asked for again, and a worker that takes
long is hedged by asking the next one as well. No answer is waited for longer than a moment: what
is still out when the cycle goes on is heard in a later one.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet

from quotary_bridge.errors import BridgeError
from quotary_bridge.lifecycle import Dispatched, Failed, Job, JobState, Mislaid, Retried
from quotary_bridge.model import Address, JobKey, JobKind, Request, SignedResult
from quotary_bridge.relayer.asking import Answer, Asker, Asking
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import open_to_others
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.panel import NO_WORKER, NOT_ASSIGNED
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.rests import Rests
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

LAST_LOT = 50
"""
How many of the last answers are handed on at a time.

The node works on the first of them while the next are kept; nothing else is left to do meanwhile.
"""

STORE_SECONDS = 0.2
"""How long a checked answer may wait for others to share a commit; losing it costs a question."""

GIVEN_REMEMBERED = 4096
"""Whose answers are on their way: should they come to nothing, others are asked first."""

_Kept = tuple[Job, Endpoint, SignedResult]
_Choice = tuple[Job, Sequence[Endpoint]]
"""A job, and whom to ask for it, in that order."""


class Dispatcher:
    """
    Asks on behalf of jobs that have enough confirmations.

    A job that nobody answered, or whose answer came to nothing, rests: longer every time.
    """

    def __init__(self, identities: Identities) -> None:
        """Begin with every job rested, and nobody asked."""
        self._identities = identities
        self._rests = Rests()
        self._given: dict[JobKey, Address] = {}
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
        self._rests.turn()
        due = self._chosen(cycle, self._due(cycle)) if begin else []
        whole = {job.key: cycle.ports.whole(job.request) for job, _ in due}
        if due:
            with cycle.write() as writer:
                mine = writer.claim(job.key for job, _ in due)
                writer.load(mine)
                due = [item for item in due if item[0].key in mine and writer.still(item[0])]
                for job, _ in due:
                    writer.advance(job.key, Dispatched() if whole[job.key] else Mislaid())
        for job, endpoints in due:
            self._ask(cycle, job, whole[job.key], endpoints)
        self._collect(cycle, go_on)

    def _ask(
        self, cycle: Cycle, job: Job, request: Request | None, endpoints: Sequence[Endpoint]
    ) -> None:
        if request is None:
            cycle.tell(ProgressKind.INPUT_MISSING, job.key)
            return
        cycle.tell(ProgressKind.WORKER_ASKED, job.key)
        self._asker.ask(Asking(job, request, endpoints))

    def _due(self, cycle: Cycle) -> list[Job]:
        """Return the oldest jobs that nobody is asked for."""
        room, kind = _room(cycle), JobKind.ANSWER
        most = room + len(self._rests.resting) + len(self._asker.asking)
        seen = cycle.free_jobs(JobState.SEEN, most=most, kind=kind)
        for job in seen:
            worker = self._given.pop(job.key, None)
            if worker is not None:
                self._rests.rest(job.key, worker)
        left = self._rests.resting | self._asker.asking.keys()
        found = [*seen, *cycle.free_jobs(JobState.DISPATCHED, most=most, kind=kind)]
        due = [job for job in found if job.key not in left and _confirmed(cycle, job)]
        return due[: max(0, room - len(self._asker.asking))]

    def _chosen(self, cycle: Cycle, due: Sequence[Job]) -> list[_Choice]:
        """Return whom to ask for each of `due`; those that nobody may answer rest."""
        if not due:
            return []
        limit, panel = cycle.ports.settings.results_per_job, cycle.panel
        spent = [job.key for job in due if job.retries >= limit]
        heard = cycle.ports.store.answerers(spent) if spent else {}
        known = self._known(cycle, due, by_name=bool(spent))
        chosen: list[_Choice] = []
        missing: dict[JobKey, str] = {}
        for job in due:
            endpoints, reason = self._endpoints(cycle, job, known, heard.get(job.key))
            if endpoints:
                chosen.append((job, endpoints))
            else:
                missing[job.key] = reason
        late = [
            job
            for job in due
            if panel.admission(job.request).late
            and (job.key in missing or self._rests.times(job.key))
        ]
        opened = open_to_others(cycle, late)
        for key, reason in missing.items():
            cycle.tell(ProgressKind.WORKERS_MISSING, key, found=0, reason=reason)
            if key in opened:
                self._rests.forget(key)
            self._rests.rest(key)
        return chosen

    def _known(self, cycle: Cycle, due: Sequence[Job], *, by_name: bool) -> Mapping[str, Address]:
        """Return who answers where, as far as that matters, and learn all about them at once."""
        requests, pool, panel = [job.request for job in due], cycle.ports.pool, cycle.panel
        named = [request for request in requests if request.workers_named]
        known = self._identities.by_url(pool.health())
        panel.prepare(named, ())
        wanted = {each for request in named for each in panel.admission(request).named or ()}
        strange = not wanted <= set(known.values())
        if strange or by_name:
            self._identities.identify(cycle, known if strange else ())
            known = self._identities.by_url(pool.health())
        panel.prepare(requests, set(known.values()))
        apps = {request.app_id for request in requests}
        useless = [url for url, worker in known.items() if not panel.counts(worker, apps)]
        if useless:
            # Each may have become another worker since it said which one it is.
            self._identities.identify(cycle, useless)
        return known

    def _endpoints(
        self,
        cycle: Cycle,
        job: Job,
        known: Mapping[str, Address],
        heard: AbstractSet[Address] | None,
    ) -> tuple[Sequence[Endpoint], str]:
        """
        Return whom to ask for a job, who came to nothing last; and why nobody, where it is nobody.

        A job that was tried too often has `heard` of some workers: it is asked of others only.
        """
        refused, limit = self._rests.refused(job.key), cycle.ports.settings.results_per_job
        fresh: list[Endpoint] = []
        again: list[Endpoint] = []
        reason = None if heard is None else job.reason
        for endpoint in cycle.ports.pool.candidates(cycle.number):
            worker = known.get(endpoint.url)
            refusal = cycle.panel.refusal(job.request, worker)
            if refusal is not None:
                # That a worker is another one than was named says the least.
                reason = refusal.reason if reason in (None, NOT_ASSIGNED) else reason
            elif heard is not None and (worker is None or worker in heard):
                continue
            elif worker is None or worker not in refused:
                fresh.append(endpoint)
            elif refused[worker] < limit:
                again.append(endpoint)
        return (*fresh, *again), reason or job.reason or NO_WORKER

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
            # The last ones go in smaller lots, below.
            if due := due and bool(self._asker.asking):
                self._keep(cycle, kept)
                kept, last = [], now
            self._hand_on(cycle, kept, go_on, more=due)
        while kept:
            self._keep(cycle, kept[:LAST_LOT])
            kept = kept[LAST_LOT:]
            self._hand_on(cycle, kept, go_on, more=bool(kept))

    def _hand_on(
        self, cycle: Cycle, kept: Sequence[_Kept], go_on: Callable[[bool], None], *, more: bool
    ) -> None:
        """Go on with deliveries; `kept` are answers that came meanwhile."""
        try:
            go_on(more)
        except BridgeError:
            # That the node went away must not cost them.
            self._keep(cycle, kept)
            raise

    def _heard(self, cycle: Cycle, answer: Answer) -> list[_Kept]:
        """Return the answer where it is the first good one; note how its worker did."""
        job, endpoint = answer.asking.job, answer.endpoint
        try:
            signed = answer.result(cycle.time)
            self._identities.learn(endpoint, signed.result.worker)
            cycle.ports.oracle.require_weights(signed.result, cycle.number)
            _require_counts(cycle, signed.result.worker, job.request)
        except (WorkerFaultError, ResultRejectedError) as fault:
            rejected = isinstance(fault, ResultRejectedError)
            reason = fault.reason if isinstance(fault, ResultRejectedError) else fault.kind
            kind = ProgressKind.RESULT_REJECTED if rejected else ProgressKind.WORKER_FAILED
            cycle.ports.pool.failed(endpoint, reason, cycle.number)
            details = {"worker": endpoint.name, "reason": reason, "detail": fault.detail}
            cycle.tell(kind, job.key, **details)
            if self._asker.failed(answer):
                self._rests.rest(job.key)
            return []
        except Exception:
            self._asker.forget(answer)
            raise
        cycle.ports.pool.succeeded(endpoint)
        return [(job, endpoint, signed)] if self._asker.succeeded(answer) else []

    def _keep(self, cycle: Cycle, kept: Sequence[_Kept]) -> None:
        """Store answers, in one commit: not those to questions that were moved on meanwhile."""
        if not kept:
            return
        with cycle.write() as writer:
            writer.load(job.key for job, _, _ in kept)
            wanted = [item for item in kept if _still_asks(writer.job(item[0].key), item[0])]
            writer.add_results([(job.key, signed) for job, _, signed in wanted])
        for job, endpoint, signed in wanted:
            self._given[job.key] = signed.result.worker
            cycle.tell(
                ProgressKind.RESULT_STORED,
                job.key,
                worker=signed.result.worker,
                endpoint=endpoint.name,
                output_bytes=len(signed.output),
            )
        while len(self._given) > GIVEN_REMEMBERED:
            del self._given[next(iter(self._given))]


def retry(cycle: Cycle, refused: Sequence[tuple[Job, str]]) -> None:
    """
    Drop jobs' results, each for a reason; others are to be asked.

    A result refused for who its worker is costs the job none of its attempts. An errand, which
    has no other call than its own, has failed after too many.
    """
    limit = cycle.ports.settings.results_per_job
    spent = [(job, why) for job, why in refused if job.errand and job.retries + 1 >= limit]
    conclude(cycle, [(job, Failed(reason, cycle.ref)) for job, reason in spent])
    again = [item for item in refused if item not in spent]
    if not again:
        return
    blameless = _refused_for_their_worker(cycle, [job for job, _ in again])
    with cycle.write() as writer:
        writer.load(job.key for job, _ in again)
        for job, reason in again:
            if writer.still(job):
                writer.advance(job.key, Retried(reason, counts=job.key not in blameless))


def _refused_for_their_worker(cycle: Cycle, jobs: Sequence[Job]) -> set[JobKey]:
    """Return those of `jobs` whose results come from workers that may not answer now."""
    answers = [
        (job, job.result) for job in jobs if job.kind is JobKind.ANSWER and job.result is not None
    ]
    found = cycle.ports.store.results([(job.key, ordinal) for job, ordinal in answers])
    return {
        job.key
        for (job, _), signed in zip(answers, found, strict=True)
        if cycle.panel.refusal(job.request, signed.result.worker) is not None
    }


def _room(cycle: Cycle) -> int:
    """Return how many jobs may be asked for at a time."""
    limit = min(JOBS_PER_CYCLE, TAKEN_PER_NONCE * cycle.ports.settings.in_flight)
    return limit - len(cycle.free_jobs(JobState.SIGNED, most=limit, without_slot=True))


def _confirmed(cycle: Cycle, job: Job) -> bool:
    confirmations = cycle.number - job.request.block.number + 1
    return confirmations >= cycle.ports.settings.confirmations


def _still_asks(now: Job, asked: Job) -> bool:
    return now.state is JobState.DISPATCHED and now.request.asks_the_same_as(asked.request)


def _require_counts(cycle: Cycle, worker: Address, request: Request) -> None:
    refusal = cycle.panel.refusal(request, worker)
    if refusal is not None:
        raise ResultRejectedError(refusal.reason, refusal.detail)
