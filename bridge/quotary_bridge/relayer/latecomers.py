"""
Workers that reveal once their round has agreed: that decides nothing, and may convict them.

A quorum waits for the others for some seconds only, and whoever knows that could lie and be late.
So what was asked for is listened to until it comes, or its exchange has run out of time, for the
newest rounds there were. This is in memory: who starts anew has not heard it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import JobKey
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import convictions, tell_errands
from quotary_bridge.relayer.hearing import Change, Floor
from quotary_bridge.relayer.table import Table, played
from quotary_bridge.rounds import Faulted, Revealed, Round, RoundEvent, RoundState

__all__ = ["Latecomers"]

TABLES = 64
"""Twice the rounds at work: each has a handful of seats, and one of them that is late."""

_TAKES_MORE = (RoundState.AGREED, RoundState.REPORTED)


class Latecomers:
    """The rounds that agreed while reveals were still out, the oldest forgotten first."""

    def __init__(self, floor: Floor) -> None:
        """Wait for nobody yet."""
        self._floor = floor
        self._tables: dict[JobKey, Table] = {}

    def add(self, table: Table) -> None:
        """Go on listening to those of `table` who have not revealed yet."""
        self._tables[table.job.key] = table
        while len(self._tables) > TABLES:
            del self._tables[next(iter(self._tables))]

    @property
    def tables(self) -> Mapping[JobKey, Table]:
        """The rounds that somebody may still come late to."""
        return {key: table for key, table in self._tables.items() if table.waiting}

    def store(self, cycle: Cycle, changes: Sequence[Change]) -> None:
        """Keep what came late, in one commit with the errands that it makes for."""
        if changes:
            self._store(cycle, changes)
        self._tables = {
            key: table for key, table in self._tables.items() if self._floor.awaits(table)
        }

    def _store(self, cycle: Cycle, changes: Sequence[Change]) -> None:
        keys = [change.table.job.key for change in changes]
        jobs, stored = cycle.ports.store.jobs(keys), cycle.ports.store.rounds(keys)
        after: list[tuple[Change, Round, Round]] = []
        for change in changes:
            key, ordinal = change.table.job.key, change.table.held.ordinal
            for held in stored.get(key, []):
                if held.ordinal == ordinal and held.state in _TAKES_MORE:
                    events = [event for event in change.events if _is_news(held, event)]
                    after.append((change, held, played(held, events)))
                    change.errands += self._convictions(cycle, jobs[key], held, after[-1][2])
        with cycle.write() as writer:
            writer.load(keys)
            now = writer.rounds(keys)
            kept = [each for each in after if each[1] in now.get(each[1].job, [])]
            writer.put_rounds(held for _, _, held in kept)
            added = writer.add_errands(errand for change in changes for errand in change.errands)
        for change, _, held in kept:
            change.table.held = replace(held, state=RoundState.AGREED)
            for kind, details in change.news:
                cycle.tell(kind, held.job, **details)
        tell_errands(cycle, added)

    @staticmethod
    def _convictions(cycle: Cycle, job: Job, before: Round, held: Round) -> list[Job]:
        """Return errands against who came late, where the others' are already stored."""
        if held.state is not RoundState.REPORTED:
            return []
        late = tuple(seat for seat in held.seats if seat not in before.seats)
        return convictions(cycle, job, replace(held, seats=late))


def _is_news(held: Round, event: RoundEvent) -> bool:
    """Whether a worker signed something that no relayer on this store has put on record."""
    if not isinstance(event, Revealed | Faulted) or event.signed is None:
        return False
    seat = held.seat_of(event.worker)
    return seat is not None and seat.signed is None and seat.fault is None
