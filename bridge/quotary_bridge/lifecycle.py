"""
The life of a job, as a pure state machine.

    Seen ──► Dispatched ──► Signed ──► Queued ──► Broadcast ──► Mined ──► Final
      ▲           │            │         ▲            ▲           │
      └── Retried ┴────────────┘         └── Reorged ─┴───────────┘

    Awaiting ──► Seen                                       its input was kept off the chain
    anything open ──► Failed(reason) | Superseded(reason)   concluded from one block
    anything open ──► Orphaned                              a reorg took the request away

A job moves only through `advance`. `Final` is for ever, because it is entered at finality depth
only. `Failed` and `Superseded` were concluded from a block (`Job.settled`): a reorg that takes this
block away reopens the job and nothing else does; once that block is final and no nonce of ours is
in flight the job is sealed, and then it too never moves again.

A job holds at most one nonce (`Job.slot`) at a time, from `Enqueued` until that nonce is resolved
to finality. There is no second delivery while a first one could still be mined: this, and not the
contract's own check, is what makes delivery happen once.

An errand is a job that begins with its call in hand, as if signed: it is about a request, and
answers none. It is delivered by the same rules.

Pure: no I/O, no clock. The store keeps what `advance` returns; the relayer finds out which event
happened.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from quotary_bridge.model import Address, BlockRef, JobKey, JobKind, Request

__all__ = [
    "Dispatched",
    "Enqueued",
    "Errand",
    "Event",
    "Failed",
    "Finalised",
    "IllegalTransitionError",
    "Included",
    "Job",
    "JobState",
    "Mislaid",
    "Orphaned",
    "Released",
    "Reopened",
    "Reorged",
    "ResultStored",
    "Retried",
    "Sealed",
    "Seen",
    "Sent",
    "Superseded",
    "Supplied",
    "advance",
    "begin",
    "begin_errand",
]


class JobState(StrEnum):
    """Where a job is. The values are what the database, the events and the metrics carry."""

    AWAITING = "awaiting"
    SEEN = "seen"
    DISPATCHED = "dispatched"
    SIGNED = "signed"
    QUEUED = "queued"
    BROADCAST = "broadcast"
    MINED = "mined"
    FINAL = "final"
    FAILED = "failed"
    SUPERSEDED = "superseded"
    ORPHANED = "orphaned"


_SETTLED = frozenset({JobState.FAILED, JobState.SUPERSEDED})
_IN_FLIGHT = frozenset({JobState.QUEUED, JobState.BROADCAST, JobState.MINED})
_OPEN = frozenset(JobState) - _SETTLED - {JobState.FINAL}


@dataclass(frozen=True, slots=True)
class Errand:
    """What an errand is known by, and the call that it is."""

    key: JobKey
    target: Address
    call: bytes


@dataclass(frozen=True, slots=True)
class Job:
    """
    One request on its way to a result, or an errand about it on its way to the chain.

    `result` is the ordinal of the stored result in use, `slot` the nonce given out to the job,
    `carried` the result that this nonce's deliveries carry, `retries` how often the job went back
    to the start, `settled` the block a failure or supersession was concluded from, `sealed` that
    this can no longer be undone.
    """

    request: Request
    state: JobState = JobState.SEEN
    result: int | None = None
    slot: int | None = None
    carried: int | None = None
    retries: int = 0
    reason: str | None = None
    settled: BlockRef | None = None
    sealed: bool = False
    kind: JobKind = JobKind.ANSWER
    errand: Errand | None = None

    @property
    def key(self) -> JobKey:
        """What identifies the job for ever."""
        return self.request.key if self.errand is None else self.errand.key

    @property
    def terminal(self) -> bool:
        """Whether no event can move the job any more."""
        return self.state is JobState.FINAL or self.sealed

    @property
    def wants_its_slot(self) -> bool:
        """Whether the transactions of the job's nonce are still meant to be mined."""
        return self.slot is not None and self.state in _IN_FLIGHT


@dataclass(frozen=True, slots=True)
class Seen:
    """The request is in the chain at `request.block`: again, or elsewhere after a reorg."""

    request: Request


@dataclass(frozen=True, slots=True)
class Orphaned:
    """The request's block is no longer part of the chain, and no other holds it yet."""


@dataclass(frozen=True, slots=True)
class Supplied:
    """The input, which the chain has not, is at hand."""


@dataclass(frozen=True, slots=True)
class Mislaid:
    """That input is not at hand any more."""


@dataclass(frozen=True, slots=True)
class Dispatched:
    """A worker is about to be asked."""


@dataclass(frozen=True, slots=True)
class ResultStored:
    """A checked result is in the store under `ordinal`."""

    ordinal: int


@dataclass(frozen=True, slots=True)
class Retried:
    """
    No usable result came of it: another worker has to be asked. Drops a result in use.

    `counts` is whether it uses one of the job's attempts up: not where the worker was to blame.
    """

    reason: str
    counts: bool = True


@dataclass(frozen=True, slots=True)
class Enqueued:
    """A nonce and the signed bytes of a delivery are about to be committed together."""

    slot: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A node took, or already had, the job's latest transaction."""


@dataclass(frozen=True, slots=True)
class Included:
    """A delivery of the job's nonce is in a block; `succeeded` tells how it ended."""

    succeeded: bool


@dataclass(frozen=True, slots=True)
class Reorged:
    """The block that held the delivery is gone."""


@dataclass(frozen=True, slots=True)
class Finalised:
    """The successful delivery is final."""


@dataclass(frozen=True, slots=True)
class Released:
    """The job's nonce was used up, to finality, without delivering anything."""


@dataclass(frozen=True, slots=True)
class Failed:
    """
    An errand came to nothing too often; `block` is where that was seen.

    What answers a request never ends so: it is open until its request ends, or expires.
    """

    reason: str
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Superseded:
    """The request needs no answer from us any more; `block` is where that was seen."""

    reason: str
    block: BlockRef


@dataclass(frozen=True, slots=True)
class Reopened:
    """The block that a failure or supersession was concluded from is gone."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """The block that a failure or supersession was concluded from is final."""


Event = (
    Seen
    | Orphaned
    | Supplied
    | Mislaid
    | Dispatched
    | ResultStored
    | Retried
    | Enqueued
    | Sent
    | Included
    | Reorged
    | Finalised
    | Released
    | Failed
    | Superseded
    | Reopened
    | Sealed
)

_NO_INPUT = "InputMissing"

# From where each event may happen. An event that is not listed for a state is a defect in the
# relayer, not a fact about the world: it raises, and nothing is written.
_ALLOWED: dict[type[object], frozenset[JobState]] = {
    Seen: _OPEN | _SETTLED,
    Orphaned: _OPEN | _SETTLED,
    Supplied: frozenset({JobState.AWAITING}),
    Mislaid: frozenset({JobState.SEEN, JobState.DISPATCHED}),
    Dispatched: frozenset({JobState.SEEN, JobState.DISPATCHED}),
    ResultStored: frozenset({JobState.DISPATCHED}),
    Retried: frozenset({JobState.DISPATCHED, JobState.SIGNED}),
    Enqueued: frozenset({JobState.SIGNED}),
    Sent: frozenset({JobState.QUEUED, JobState.BROADCAST}),
    Included: _OPEN | _SETTLED,
    Reorged: _OPEN | _SETTLED,
    Finalised: frozenset({JobState.MINED}),
    Released: _OPEN | _SETTLED,
    Failed: _OPEN - {JobState.MINED},
    Superseded: _OPEN - {JobState.MINED},
    Reopened: _SETTLED,
    Sealed: _SETTLED,
}

_NEEDS_SLOT = (Included, Reorged, Finalised, Released, Sent)
_NEEDS_NO_SLOT = (Enqueued, Sealed)


class IllegalTransitionError(RuntimeError):
    """
    An event that cannot happen to a job in its state: a defect of the bridge.

    Nothing was changed. `job` and `event` are what was tried.
    """

    def __init__(self, job: Job, event: Event) -> None:
        """Say which event cannot happen to a job in which state."""
        super().__init__(f"{type(event).__name__} cannot happen to a job that is {job.state}")
        self.job = job
        self.event = event


def begin(request: Request) -> Job:
    """Return the job of a request seen for the first time."""
    kind = JobKind.QUORUM if request.results_needed > 1 else JobKind.ANSWER
    return _at_start(Job(request, kind=kind))


def begin_errand(request: Request, kind: JobKind, errand: Errand) -> Job:
    """Return the job of bringing `errand`, which is about `request`, to the chain."""
    return Job(request, JobState.SIGNED, result=0, kind=kind, errand=errand)


def advance(job: Job, event: Event) -> Job:
    """Return `job` after `event`; raises `IllegalTransitionError` where that makes no sense."""
    if job.terminal or job.state not in _ALLOWED[type(event)]:
        raise IllegalTransitionError(job, event)
    if isinstance(event, _NEEDS_SLOT) and job.slot is None:
        raise IllegalTransitionError(job, event)
    if isinstance(event, _NEEDS_NO_SLOT) and job.slot is not None:
        raise IllegalTransitionError(job, event)
    if isinstance(event, Seen | Orphaned):
        return _request_moved(job, event)
    if isinstance(event, Supplied | Mislaid | Dispatched | ResultStored | Retried):
        return _worked_on(job, event)
    if isinstance(event, Enqueued | Sent | Included | Reorged | Finalised | Released):
        return _in_flight(job, event)
    return _settled(job, event)


def _request_moved(job: Job, event: Seen | Orphaned) -> Job:
    if isinstance(event, Orphaned):
        return replace(job, state=JobState.ORPHANED, reason=None, settled=None)
    if event.request.key != job.key:
        raise IllegalTransitionError(job, event)
    if not event.request.asks_the_same_as(job.request):
        # Identifiers are sequence numbers: after a reorg the same one may ask something else, and
        # what was worked out for the old question must not answer the new one.
        fresh = begin(event.request)
        return replace(fresh, slot=job.slot, carried=job.carried, retries=job.retries)
    moved = replace(job, request=event.request)
    return _resumed(moved) if job.state is JobState.ORPHANED else moved


def _at_start(job: Job) -> Job:
    """Return the job where a worker is to be asked: once there is something to ask."""
    if job.request.input_is_elsewhere:
        return replace(job, state=JobState.AWAITING, reason=_NO_INPUT)
    return replace(job, state=JobState.SEEN)


def _worked_on(job: Job, event: Supplied | Mislaid | Dispatched | ResultStored | Retried) -> Job:
    if isinstance(event, Supplied):
        return replace(job, state=JobState.SEEN, reason=None)
    if isinstance(event, Mislaid):
        return _at_start(job)
    if isinstance(event, Dispatched):
        return replace(job, state=JobState.DISPATCHED, reason=None)
    if isinstance(event, ResultStored):
        return replace(job, state=JobState.SIGNED, result=event.ordinal)
    tried = replace(job, retries=job.retries + event.counts, reason=event.reason)
    # An errand has no other call than its own.
    return tried if job.errand else replace(tried, state=JobState.SEEN, result=None)


def _in_flight(job: Job, event: Enqueued | Sent | Included | Reorged | Finalised | Released) -> Job:
    if isinstance(event, Enqueued):
        return replace(job, state=JobState.QUEUED, slot=event.slot, carried=job.result)
    if isinstance(event, Sent):
        return replace(job, state=JobState.BROADCAST)
    if isinstance(event, Included):
        # A delivery that succeeded is a fact of the chain, whatever we had concluded before.
        if event.succeeded or job.state in _IN_FLIGHT:
            return replace(job, state=JobState.MINED, reason=None, settled=None)
        return job
    return _resolved(job, event)


def _resolved(job: Job, event: Reorged | Finalised | Released) -> Job:
    if isinstance(event, Reorged):
        return _resumed(job) if job.state is JobState.MINED else job
    released = replace(job, slot=None, carried=None)
    if isinstance(event, Finalised):
        return replace(released, state=JobState.FINAL)
    return _resumed(released) if job.state in _IN_FLIGHT else released


def _settled(job: Job, event: Failed | Superseded | Reopened | Sealed) -> Job:
    if isinstance(event, Reopened):
        return _resumed(replace(job, reason=None, settled=None))
    if isinstance(event, Sealed):
        return replace(job, sealed=True)
    state = JobState.FAILED if isinstance(event, Failed) else JobState.SUPERSEDED
    return replace(job, state=state, reason=event.reason, settled=event.block)


def _resumed(job: Job) -> Job:
    """Return the job at the furthest state that what it holds allows."""
    if job.result is None:
        return _at_start(job)
    if job.slot is not None and job.carried == job.result:
        return replace(job, state=JobState.BROADCAST)
    return replace(job, state=JobState.SIGNED)
