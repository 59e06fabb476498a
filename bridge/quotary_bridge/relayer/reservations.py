"""Whose requests of batches are: the worker's that they name, until they are opened to others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from quotary_bridge.chain.contracts import BatchOracle, RequestTerms
from quotary_bridge.lifecycle import Job
from quotary_bridge.model import Address, JobKey
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import open_to_others
from quotary_bridge.relayer.rests import Rests

__all__ = ["Reservations"]


@dataclass(slots=True)
class Reservations:
    """What the requests that wait for a batch say of it; forgetting costs a question each."""

    contract: BatchOracle
    _named: dict[JobKey, tuple[Address, int] | None] = field(default_factory=dict)
    _rests: Rests = field(default_factory=Rests)

    def worker_of(self, key: JobKey) -> Address | None:
        """Return who alone may answer one of the requests that were followed last, if anybody."""
        reserved = self._named[key]
        return None if reserved is None else reserved[0]

    def follow(
        self, cycle: Cycle, jobs: Sequence[Job], is_helpless: Callable[[Job, Address], bool]
    ) -> None:
        """
        Learn which of `jobs` were opened to others, and have those opened whose worker is late.

        `is_helpless` says of a job whether its worker cannot be asked, or gave nothing.
        """
        self._rests.turn()
        known, resting = self._named, self._rests.resting
        self._named = {
            job.key: known[job.key] if job.key in known else _reservation(job) for job in jobs
        }
        late = [job for job in jobs if self._is_late(job, cycle) and job.key not in resting]
        ids = [job.request.request_id for job in late]
        states = self.contract.states_of(ids, cycle.number)
        for job, state in zip(late, states, strict=True):
            if state.reassigned:
                self._named[job.key] = None
            else:
                self._rests.rest(job.key)
        helpless = [job for job in late if self._is_helpless(job, is_helpless)]
        for key in open_to_others(cycle, helpless):
            # It is soon opened, and then looked at soon.
            self._rests.forget(key)
            self._rests.rest(key)

    def _is_late(self, job: Job, cycle: Cycle) -> bool:
        reserved = self._named[job.key]
        return reserved is not None and reserved[1] < cycle.time

    def _is_helpless(self, job: Job, is_helpless: Callable[[Job, Address], bool]) -> bool:
        reserved = self._named[job.key]
        return reserved is not None and is_helpless(job, reserved[0])


def _reservation(job: Job) -> tuple[Address, int] | None:
    if not job.request.workers_named:
        return None
    terms = RequestTerms.decode(job.request.terms)
    return terms.workers[0], terms.reserved_until
