"""
Ending jobs that need no delivery of ours, and taking that back where a reorg takes its cause.

1. a job settled by a block that is gone: reopened;
2. a job settled by a block that is final, with no nonce in flight: sealed;
3. a request that somebody else answered, or that was refunded: superseded;
4. a request whose deadline passed: superseded.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from quotary_bridge.intake import Ending
from quotary_bridge.lifecycle import Event, Failed, Job, JobState, Reopened, Sealed, Superseded
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import refund, tell_errands
from quotary_bridge.relayer.progress import ProgressKind

__all__ = ["conclude", "settle"]

_EXPIRED = "RequestExpired"
JOBS_PER_CYCLE = 512
"""After a long stop thousands may be overdue; the others' turn must come in between."""

_UNDECIDED = (
    *(JobState.AWAITING, JobState.SEEN, JobState.DISPATCHED, JobState.SIGNED),
    *(JobState.QUEUED, JobState.BROADCAST),
)

_Event = TypeVar("_Event", bound=Event)
Conclusion = tuple[Job, Failed | Superseded]


def settle(cycle: Cycle, endings: Sequence[Ending]) -> None:
    """Bring open jobs up to the pinned block, which showed `endings`. Runs after `follow`."""
    _review(cycle)
    ended = {ending.key: ending for ending in endings}
    jobs = cycle.ports.store.jobs(list(ended), *_UNDECIDED)
    conclusions: list[Conclusion] = [
        (job, Superseded(ended[key].reason, ended[key].block)) for key, job in jobs.items()
    ]
    overdue = cycle.ports.store.overdue_jobs(
        cycle.ports.chain_id, cycle.ports.address, cycle.time, JOBS_PER_CYCLE
    )
    conclusions += [
        (job, Superseded(_EXPIRED, cycle.ref)) for job in overdue if job.key not in ended
    ]
    conclude(cycle, conclusions)


def conclude(cycle: Cycle, conclusions: Sequence[Conclusion]) -> None:
    """Settle jobs, in one commit, and tell why."""
    for job, event in _applied(cycle, conclusions):
        kind = ProgressKind.FAILED if isinstance(event, Failed) else ProgressKind.SUPERSEDED
        cycle.tell(kind, job.key, reason=event.reason)


def _review(cycle: Cycle) -> None:
    settled = cycle.ports.open_jobs(JobState.FAILED, JobState.SUPERSEDED)
    cycle.look_up({job.settled.number for job in settled if job.settled is not None})
    reviewed: list[tuple[Job, Reopened | Sealed]] = []
    for job in settled:
        if job.settled is None:
            continue
        if not cycle.canonical(job.settled):
            reviewed.append((job, Reopened()))
        elif cycle.final(job.settled) and job.slot is None:
            reviewed.append((job, Sealed()))
    # Stored before the seal, which ends our looking at these jobs.
    _refund(cycle, [job for job, event in reviewed if isinstance(event, Sealed)])
    for job, event in _applied(cycle, reviewed):
        if isinstance(event, Reopened):
            cycle.tell(ProgressKind.REOPENED, job.key)


def _refund(cycle: Cycle, sealed: Sequence[Job]) -> None:
    """Have those refunded that expired, where that is our task."""
    expired = [job for job in sealed if job.errand is None and job.reason == _EXPIRED]
    if not expired or not cycle.ports.settings.refunds:
        return
    with cycle.write() as writer:
        added = writer.add_errands(refund(cycle, job.request) for job in expired)
    tell_errands(cycle, added)


def _applied(cycle: Cycle, events: Sequence[tuple[Job, _Event]]) -> list[tuple[Job, _Event]]:
    """Return which of `events` happened: not those to jobs that another relayer moved meanwhile."""
    if not events:
        return []
    with cycle.write() as writer:
        writer.load(job.key for job, _ in events)
        applied = [(job, event) for job, event in events if writer.still(job)]
        for job, event in applied:
            writer.advance(job.key, event)
    return applied
