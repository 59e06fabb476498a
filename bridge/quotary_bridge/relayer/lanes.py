"""
Nonce lanes: every account that delivers has a lease, nonces and an outbox of its own.

1. every lane follows the nonces it gave out, before anything is concluded from the block;
2. deliveries go, one by one, to the lane with the most room, so that a nonce that is stuck holds
   up its own lane only; a lane without money gets none;
3. every lane signs and stores, closes its gaps, raises its fees and sends, by the rules of the
   outbox: one writer, one order of nonces, one lease each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field

from quotary_bridge.chain.accounts import Signer
from quotary_bridge.intake import Ending
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import JobKey
from quotary_bridge.relayer.cycle import Cycle, Ports
from quotary_bridge.relayer.follow import follow
from quotary_bridge.relayer.holder import is_gone
from quotary_bridge.relayer.outbox import Outbox
from quotary_bridge.relayer.simulate import Simulation, Trials
from quotary_bridge.relayer.slots import SlotBook
from quotary_bridge.store import Lease, Store

__all__ = ["Lane", "Lanes"]


@dataclass(slots=True)
class Lane:
    """One account: what it may write, what it has in flight, and what it sends."""

    signer: Signer
    outbox: Outbox
    lease: Lease
    book: SlotBook = field(default_factory=SlotBook)


class Lanes:
    """
    The accounts of one relayer, each with its lease; the first one's cycle is the relayer's own.

    Taking them raises `LeaseHeldError` where another relayer has one; then none is kept.
    """

    def __init__(self, ports: Ports, signers: Sequence[Signer], holder: str) -> None:
        """Take the lease of every account."""
        self._simulation = Simulation()
        self._waiting: frozenset[JobKey] = frozenset()
        self._lanes: list[Lane] = []
        try:
            for signer in signers:
                lease = ports.store.acquire(ports.chain_id, signer.address, holder, is_gone)
                self._lanes.append(Lane(signer, Outbox(self._simulation), lease))
        except BaseException:
            self.release(ports.store)
            raise

    @property
    def first(self) -> Lane:
        """The account that also reads, asks and concludes."""
        return self._lanes[0]

    def release(self, store: Store) -> None:
        """Give the leases back."""
        while self._lanes:
            store.release(self._lanes.pop().lease)

    def follow(self, cycle: Cycle, endings: Sequence[Ending]) -> None:
        """Bring what every lane has in flight up to the pinned block, and keep their leases."""
        for lane, own in self._each(cycle):
            if lane is not self.first:
                # The first one writes in every cycle; the others may have nothing to write for
                # long, and must not look abandoned.
                with own.write():
                    pass
            follow(own, endings)

    @contextmanager
    def delivering(self, cycle: Cycle, *, dry_run: bool) -> Iterator[Callable[[bool], None]]:
        """
        Sign, store and send what has results, and see to what is in flight.

        Gives a function that goes on with what the node was asked about and, where it is told that
        there are more results, takes these up; the end of the block does both.
        """
        lanes, taken = self._each(cycle), set[JobKey]()
        with ExitStack() as stack:
            trials = [
                stack.enter_context(lane.outbox.delivering(own, dry_run=dry_run))
                for lane, own in lanes
            ]

            def _go_on(more: bool) -> None:  # noqa: FBT001 (all that it is told)
                for trial in trials:
                    trial.finish(wait=False)
                if not more:
                    return
                shares = self._shares(cycle, list(zip(lanes, trials, strict=True)), taken)
                for trial, jobs in zip(trials, shares, strict=True):
                    taken.update(job.key for job in jobs)
                    trial.add(jobs)

            yield _go_on
            _go_on(True)
        self._waiting = frozenset[JobKey]().union(*(lane.outbox.waiting for lane, _ in lanes))

    def is_draining(self, store: Store) -> bool:
        """Whether somebody asked any of the accounts to finish."""
        return any(store.is_draining(lane.lease) for lane in self._lanes)

    def is_idle(self, cycle: Cycle) -> bool:
        """Whether no lane has anything in flight."""
        return not any(own.slots for _, own in self._each(cycle))

    def have_unmined(self, cycle: Cycle) -> bool:
        """Whether any lane has something in flight that no block holds."""
        return any(own.open_slots for _, own in self._each(cycle))

    def _each(self, cycle: Cycle) -> list[tuple[Lane, Cycle]]:
        """Return every lane with its view of the cycle."""
        first, *others = self._lanes
        beside = [(lane, cycle.beside(lane.signer, lane.lease, lane.book)) for lane in others]
        return [(first, cycle), *beside]

    def _shares(
        self,
        cycle: Cycle,
        lanes: Sequence[tuple[tuple[Lane, Cycle], Trials]],
        taken: AbstractSet[JobKey],
    ) -> list[list[Job]]:
        """
        Return which jobs each lane delivers next: the oldest ones, as long as there is room.

        None of those that were `taken` in this cycle: nothing new is known of them.
        """
        most = cycle.ports.settings.in_flight
        rooms = [
            max(0, lane.outbox.room(own, most) - trials.pending) for (lane, own), trials in lanes
        ]
        shares: list[list[Job]] = [[] for _ in lanes]
        if sum(rooms) <= 0:
            return shares
        # Those that wait for the node to catch up must not keep the place of others.
        wanted = sum(rooms) + len(self._waiting | taken)
        jobs = cycle.free_jobs(JobState.SIGNED, most=wanted, without_slot=True)
        if cycle.ports.batches is not None:
            # They are few, and each carries the answers of many.
            batched = cycle.of(cycle.ports.batches)
            signed = batched.free_jobs(JobState.SIGNED, most=wanted, without_slot=True)
            jobs = (*signed, *jobs)
        fresh = [job for job in jobs if job.key not in taken]
        for job in sorted(fresh, key=lambda job: job.key in self._waiting)[: sum(rooms)]:
            widest = max(range(len(rooms)), key=rooms.__getitem__)
            rooms[widest] -= 1
            shares[widest].append(job)
        return shares
