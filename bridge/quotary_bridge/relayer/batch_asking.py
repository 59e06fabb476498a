"""
Gathering requests and having a worker answer them all at once.

1. requests of one app, one model and (where they name one) one worker go together, every account's
   oldest before anybody's second; one whose own worker is late is opened to others;
2. a batch is asked for when it is full, or when its oldest request waited long enough;
3. what comes back is checked, and stored in one commit with the errand that commits its root.

Asking twice does no harm: what was not stored is asked for again. Of a batch that a worker refuses
half is asked for next, so that a request nobody can answer is alone in the end and holds up none.
What is the worker's own fault rests, longer every time.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts import RequestTerms
from quotary_bridge.errors import ContractError
from quotary_bridge.lifecycle import Dispatched, Errand, Job, JobState, begin_errand
from quotary_bridge.model import (
    Address,
    BlockNumber,
    Bytes32,
    JobKey,
    JobKind,
    Timestamp,
    errand_key,
)
from quotary_bridge.relayer.batch_book import BatchBook
from quotary_bridge.relayer.batches import Asked, answered
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import tell_errands
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.panel import NO_WORKER, NOT_ASSIGNED
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.reservations import Reservations
from quotary_bridge.relayer.rests import Rests
from quotary_bridge.store import BatchRecord
from quotary_bridge.workers import (
    Endpoint,
    FaultKind,
    PreparedBatch,
    ResultRejectedError,
    WorkerFaultError,
)

__all__ = ["BatchAsker"]

THREADS = 4
"""Batches asked for at a time: each keeps a worker busy for long."""

QUESTION_BYTES = 240_000
"""A worker takes bodies of 256 KiB; what is not a request's own takes little."""

_FRAME_BYTES = 140
_REST_CYCLES_LIMIT = 32
_MAY_BE_ONE_REQUESTS_DOING = frozenset(
    {FaultKind.REFUSED, FaultKind.TIMEOUT, FaultKind.BROKEN_ANSWER}
)
"""All else is the worker's own fault, whatever it is asked."""


_Whole = tuple[Job, bytes]
"""A request's job, and its input, wherever that is kept."""


@dataclass(frozen=True, slots=True)
class _Group:
    """What requests of one batch have in common."""

    app_id: Bytes32
    model_id: Bytes32
    worker: Address | None


@dataclass(slots=True)
class _Rest:
    """How long somebody is left alone, in cycles: longer with every failure in a row."""

    failures: int = 0
    until: int = 0

    def fail(self, cycles: int) -> None:
        self.until = cycles + min(_REST_CYCLES_LIMIT, 1 << min(self.failures, 5))
        self.failures += 1


@dataclass(slots=True)
class _Standing:
    """How a group does: since when it waits, and how many are asked at most."""

    since: float
    width: int
    rest: _Rest = field(default_factory=_Rest)


@dataclass(frozen=True, slots=True)
class _Answer:
    group: _Group
    endpoint: Endpoint
    jobs: Sequence[Job]
    outcome: PreparedBatch | Exception


@dataclass(slots=True)
class BatchAsker:
    """Asks for batches of one oracle; what it remembers costs a wait or a question to forget."""

    book: BatchBook
    identities: Identities
    reservations: Reservations
    _cycles: int = 0
    _missed: Rests = field(default_factory=Rests)
    _groups: dict[JobKey, _Group] = field(default_factory=dict)
    _standings: dict[_Group, _Standing] = field(default_factory=dict)
    _rests: dict[JobKey, _Rest] = field(default_factory=dict)
    _out: dict[_Group, Sequence[Job]] = field(default_factory=dict)
    _answers: SimpleQueue[_Answer] = field(default_factory=SimpleQueue)
    _threads: ThreadPoolExecutor | None = None

    @property
    def asking(self) -> int:
        """How many batches are out."""
        return len(self._out)

    def close(self) -> None:
        """Ask nobody any more, and wait for nobody."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None

    def ask(self, cycle: Cycle) -> None:
        """Ask for every batch that is due."""
        self._cycles += 1
        self._missed.turn()
        known = self.identities.by_url(cycle.ports.pool.health())
        for group, jobs in self._waiting(cycle, known).items():
            endpoint = _endpoint_for(cycle, group, known)
            if endpoint is None:
                self._miss(cycle, jobs[0], known)
            chosen = self._due(cycle, group, jobs)
            if endpoint is None or not chosen or len(self._out) >= THREADS:
                continue
            taken = {job.key for job in _taken(cycle, [job for job, _ in chosen])}
            if taken:
                asked = [item for item in chosen if item[0].key in taken]
                self._begin(cycle, group, endpoint, asked)

    def hear(self, cycle: Cycle, end: float) -> None:
        """Store what comes until `end`, a time of `time.monotonic`, or until all is in."""
        while self._out:
            try:
                answer = self._answers.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                return
            self._out.pop(answer.group, None)
            self._heard(cycle, answer)

    def _miss(self, cycle: Cycle, job: Job, known: Mapping[str, Address]) -> None:
        """Tell, at times, that nobody known may answer the oldest of a group; ask who is where."""
        self.identities.identify(cycle, known)
        if job.key not in self._missed.resting:
            reason = NOT_ASSIGNED if job.request.workers_named else NO_WORKER
            cycle.tell(ProgressKind.WORKERS_MISSING, job.key, found=0, reason=reason)
            self._missed.rest(job.key)

    def _waiting(self, cycle: Cycle, known: Mapping[str, Address]) -> dict[_Group, list[Job]]:
        """Return the requests that wait, by what they have in common, in fair turns."""
        settings = cycle.ports.settings
        out = {job.key for jobs in self._out.values() for job in jobs}
        resting = {key for key, rest in self._rests.items() if rest.until > self._cycles}
        most = settings.batch_most * (THREADS + 1) + len(out) + len(resting)
        found = cycle.ports.store.waiting_for_batch(cycle.lease, cycle.ports.address, most)
        fresh = [job for job in found if job.key not in out]
        gone = {group.worker for group, how in self._standings.items() if how.rest.failures}
        able = set(known.values()) - gone
        self.reservations.follow(
            cycle, fresh, lambda job, worker: worker not in able or job.key in self._rests
        )
        self._groups = {job.key: self._group_of(job) for job in fresh}
        kept_jobs = self._groups.keys() | out
        self._rests = {key: rest for key, rest in self._rests.items() if key in kept_jobs}
        groups: dict[_Group, list[Job]] = {}
        for job in fresh:
            confirmed = cycle.number - job.request.block.number + 1 >= settings.confirmations
            if confirmed and job.request.deadline > cycle.time and job.key not in resting:
                groups.setdefault(self._groups[job.key], []).append(job)
        # Whoever fails keeps its rest while its batch is out, too.
        kept = groups.keys() | self._out.keys()
        self._standings = {each: own for each, own in self._standings.items() if each in kept}
        return groups

    def _group_of(self, job: Job) -> _Group:
        worker, known = self.reservations.worker_of(job.key), self._groups.get(job.key)
        if known is not None and known.worker == worker:
            return known
        return _Group(job.request.app_id, job.request.model_id, worker)

    def _due(self, cycle: Cycle, group: _Group, jobs: Sequence[Job]) -> Sequence[_Whole]:
        """Return what to ask for now, with the inputs, and nothing where it is too early."""
        settings, now = cycle.ports.settings, time.monotonic()
        fresh = _Standing(now, settings.batch_most)
        standing = self._standings.setdefault(group, fresh)
        chosen = _fitting(cycle, jobs[: standing.width])
        waited = now - standing.since >= settings.batch_seconds
        full = len(chosen) < len(jobs) or len(chosen) >= standing.width
        rests = standing.rest.until > self._cycles
        return chosen if (waited or full) and not rests and group not in self._out else ()

    def _begin(
        self, cycle: Cycle, group: _Group, endpoint: Endpoint, chosen: Sequence[_Whole]
    ) -> None:
        jobs = [job for job, _ in chosen]
        asked = [Asked(RequestTerms.decode(job.request.terms), text) for job, text in chosen]
        # As long as any of them lasts: each claim is held to its own request's deadline.
        deadline = Timestamp(max(job.request.deadline for job in jobs))
        place, client = (cycle.ports.chain_id, self.book.address), cycle.ports.client
        answers, at = self._answers, cycle.time

        def _exchange() -> None:
            try:
                outcome: PreparedBatch | Exception = answered(
                    client, endpoint, place, asked, deadline, at
                )
            except Exception as fault:  # noqa: BLE001 (judged, or raised, in the relayer's thread)
                outcome = fault
            answers.put(_Answer(group, endpoint, jobs, outcome))

        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="batch")
        self._out[group] = jobs
        app_id, worker = f"0x{group.app_id.hex()}", endpoint.name
        cycle.tell(ProgressKind.BATCH_ASKED, app=app_id, worker=worker, requests=len(jobs))
        self._threads.submit(_exchange)

    def _heard(self, cycle: Cycle, answer: _Answer) -> None:
        standing = self._standings.setdefault(
            answer.group, _Standing(time.monotonic(), cycle.ports.settings.batch_most)
        )
        try:
            prepared = self._checked(cycle, answer)
        except (WorkerFaultError, ResultRejectedError) as fault:
            self._failed(cycle, answer, standing, fault)
            return
        cycle.ports.pool.succeeded(answer.endpoint)
        doubled = min(cycle.ports.settings.batch_most, 2 * standing.width)
        standing.since, standing.width, standing.rest = time.monotonic(), doubled, _Rest()
        self._store(cycle, answer, prepared)

    def _checked(self, cycle: Cycle, answer: _Answer) -> PreparedBatch:
        """Return the batch where the chain would take it; raises why not."""
        if isinstance(answer.outcome, Exception):
            raise answer.outcome
        batch, registries = answer.outcome.signed.batch, self.book.registries
        self.identities.learn(answer.endpoint, batch.worker)
        registries.require_weights(batch.model_id, batch.weights_root, cycle.number)
        try:
            activity = registries.activity(batch.worker, batch.app_id, cycle.number)
        except ContractError as error:
            raise ResultRejectedError(error.name, error.message) from error
        if not activity.active:
            detail = f"{batch.worker} may not answer for app 0x{batch.app_id.hex()}"
            raise ResultRejectedError(activity.reason, detail)
        named = answer.group.worker
        if named is not None and batch.worker != named:
            raise ResultRejectedError("NotAssigned", f"{batch.worker} is not {named}")
        return answer.outcome

    def _failed(
        self,
        cycle: Cycle,
        answer: _Answer,
        standing: _Standing,
        fault: WorkerFaultError | ResultRejectedError,
    ) -> None:
        rejected = isinstance(fault, ResultRejectedError)
        reason = fault.reason if isinstance(fault, ResultRejectedError) else fault.kind
        if reason not in _MAY_BE_ONE_REQUESTS_DOING:
            standing.rest.fail(self._cycles)
        else:
            standing.width = max(1, len(answer.jobs) // 2)
            if len(answer.jobs) == 1:
                self._rests.setdefault(answer.jobs[0].key, _Rest()).fail(self._cycles)
        cycle.ports.pool.failed(answer.endpoint, reason, cycle.number)
        kind = ProgressKind.RESULT_REJECTED if rejected else ProgressKind.WORKER_FAILED
        details = {"worker": answer.endpoint.name, "reason": reason, "detail": fault.detail}
        cycle.tell(kind, answer.jobs[0].key, **details)

    def _store(self, cycle: Cycle, answer: _Answer, prepared: PreparedBatch) -> None:
        """Keep the batch and the errand that commits it, unless nobody asks for it any more."""
        batch, contract = prepared.signed.batch, self.book.contract
        call = prepared.commit(contract)
        first = answer.jobs[0].request
        key = errand_key(first.key, JobKind.COMMITMENT, keccak(call))
        errand = begin_errand(first, JobKind.COMMITMENT, Errand(key, contract.address, call))
        made_at = min(job.request.block.number for job in answer.jobs)
        record = BatchRecord(
            key=key,
            chain_id=prepared.chain_id,
            oracle=prepared.oracle,
            app_id=batch.app_id,
            model_id=batch.model_id,
            worker=batch.worker,
            root=batch.root,
            since=BlockNumber(max(0, made_at - cycle.ports.settings.finality_depth)),
        )
        keys = [job.key for job in answer.jobs]
        with cycle.write() as writer:
            writer.load(keys)
            asked = any(_still_asks(writer.job(job.key), job) for job in answer.jobs)
            # Another relayer may have taken them over, where our lease ran out meanwhile.
            if not asked or writer.batches().holding(keys):
                return
            added = writer.add_errands([errand])
            writer.batches().add(record, prepared.as_json(), keys)
        root = f"0x{batch.root.hex()}"
        kind = ProgressKind.BATCH_SIGNED
        cycle.tell(kind, key, root=root, worker=batch.worker, answers=batch.count)
        tell_errands(cycle, added)


def _taken(cycle: Cycle, jobs: Sequence[Job]) -> list[Job]:
    """Return those of `jobs` that are ours to ask for now."""
    with cycle.write() as writer:
        mine = writer.claim(job.key for job in jobs)
        writer.load(mine)
        taken = [job for job in jobs if job.key in mine and writer.still(job)]
        for job in taken:
            if job.state is JobState.SEEN:
                writer.advance(job.key, Dispatched())
    return taken


def _fitting(cycle: Cycle, jobs: Sequence[Job]) -> list[_Whole]:
    """Return the first of `jobs` that fit into one question, without those whose input is gone."""
    chosen: list[_Whole] = []
    size = 0
    for job in jobs:
        whole = cycle.ports.whole(job.request)
        if whole is None:
            continue
        size += _FRAME_BYTES + 2 * len(whole.input)
        if chosen and size > QUESTION_BYTES:
            break
        chosen.append((job, whole.input))
    return chosen


def _endpoint_for(cycle: Cycle, group: _Group, known: Mapping[str, Address]) -> Endpoint | None:
    """Return whom to ask next, None where nobody known may answer."""
    candidates = cycle.ports.pool.candidates(cycle.number)
    if group.worker is not None:
        candidates = tuple(each for each in candidates if known.get(each.url) == group.worker)
    return candidates[0] if candidates else None


def _still_asks(now: Job, asked: Job) -> bool:
    return now.state is JobState.DISPATCHED and now.request.asks_the_same_as(asked.request)
