"""
Ending jobs that need no delivery of ours, and taking that back where a reorg takes its cause.

1. a request that somebody else answered, that was refunded, or whose deadline passed: superseded;
2. a job settled by a block that is gone: reopened;
3. a job settled by a block that is final, with no nonce in flight: sealed.
"""

from __future__ import annotations

from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.lifecycle import Event, Failed, Job, JobState, Reopened, Sealed, Superseded
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.progress import ProgressKind

__all__ = ["conclude", "settle"]

# The contract's names for the same facts, so that one word means one thing everywhere.
_ENDED = {
    RequestStatus.FULFILLED: "AlreadyFulfilled",
    RequestStatus.REFUNDED: "AlreadyRefunded",
}
_EXPIRED = "RequestExpired"
_UNDECIDED = (
    JobState.SEEN,
    JobState.DISPATCHED,
    JobState.SIGNED,
    JobState.QUEUED,
    JobState.BROADCAST,
)


def settle(cycle: Cycle) -> None:
    """Compare every open job with the chain at the pinned block. Runs after `follow`."""
    settled = cycle.ports.open_jobs(JobState.FAILED, JobState.SUPERSEDED)
    cycle.look_up({job.settled.number for job in settled if job.settled is not None})
    for job in settled:
        _review(cycle, job)
    undecided = cycle.ports.open_jobs(*_UNDECIDED)
    asked = [job.request.request_id for job in undecided]
    statuses = cycle.ports.oracle.statuses(asked, cycle.number)
    for job, status in zip(undecided, statuses, strict=True):
        if status in _ENDED:
            conclude(cycle, job, Superseded(_ENDED[status], cycle.ref))
        elif job.request.deadline < cycle.time:
            conclude(cycle, job, Superseded(_EXPIRED, cycle.ref))


def conclude(cycle: Cycle, job: Job, event: Failed | Superseded) -> None:
    """Settle `job` and tell why."""
    _advance(cycle, job, event)
    kind = ProgressKind.FAILED if isinstance(event, Failed) else ProgressKind.SUPERSEDED
    cycle.tell(kind, job.key, reason=event.reason)


def _review(cycle: Cycle, job: Job) -> None:
    if job.settled is None:
        return
    if not cycle.canonical(job.settled):
        _advance(cycle, job, Reopened())
        cycle.tell(ProgressKind.REOPENED, job.key)
    elif cycle.final(job.settled) and job.slot is None:
        _advance(cycle, job, Sealed())


def _advance(cycle: Cycle, job: Job, event: Event) -> None:
    with cycle.ports.store.write(cycle.lease) as writer:
        writer.advance(job.key, event)
