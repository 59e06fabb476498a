"""
Requests that several workers must answer: rounds of commitments and reveals.

Everything a worker gives is stored before anything is done about it, and a round is closed by a
commit before anybody hears of its list. So a relayer that dies goes on with the same round: it asks
again for what it had not stored, and whoever asks a worker twice gets the same.

What becomes of a round is for `quotary_bridge.rounds` to say; here workers are chosen, asked and
heard. A table is one round at work, in memory; forgetting it costs questions only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

from quotary_bridge.chain.contracts import RequestTerms
from quotary_bridge.lifecycle import Dispatched, Job, JobState, Mislaid
from quotary_bridge.model import JobKey, JobKind, SignedResult, errand_key
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.errands import (
    dispute,
    finish_ended,
    open_to_others,
    quorum_call,
    tell_errands,
)
from quotary_bridge.relayer.exchanges import Exchanges
from quotary_bridge.relayer.hearing import Change, Floor
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.latecomers import Latecomers
from quotary_bridge.relayer.panel import Panel, apart
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.rests import Rests
from quotary_bridge.relayer.table import Decision, Table, played
from quotary_bridge.rounds import (
    Abandoned,
    Agreed,
    Candidate,
    Closed,
    Disputed,
    Reconsidered,
    Round,
    RoundState,
    Seat,
    choose,
    may_agree,
)

__all__ = ["Rounds"]

TABLES = 32
"""How many rounds are at work at once: a handful of hashes and one answer each."""

LISTEN_SECONDS = 0.1
TOO_FEW = "TooFewWorkers"

_ENDS = {
    Agreed: ProgressKind.ROUND_AGREED,
    Disputed: ProgressKind.ROUND_DISPUTED,
    Abandoned: ProgressKind.ROUND_ABANDONED,
}


class Rounds:
    """Conducts the rounds of one relayer."""

    def __init__(self, identities: Identities) -> None:
        """Begin with no round at work."""
        self._tables: dict[JobKey, Table] = {}
        self._rests = Rests()
        self._floor = Floor(Exchanges(), identities)
        self._latecomers = Latecomers(self._floor)

    def close(self) -> None:
        """Wait for nobody any more."""
        self._floor.close()

    @property
    def at_work(self) -> int:
        """How many rounds are at work."""
        return len(self._tables)

    def run(self, cycle: Cycle, *, begin: bool = True) -> None:
        """Finish what ended, seat what is due where we `begin`, and hear workers for a moment."""
        self._rests.turn()
        finish_ended(cycle)
        self._leave(cycle)
        panel = cycle.panel
        if begin:
            self._begin(cycle, panel)
        self._hear(cycle, 0.0)
        end = time.monotonic() + cycle.ports.settings.patience_seconds
        while self._tables:
            self._decide(cycle, panel)
            self._floor.ask(cycle, self._tables.values())
            left = end - time.monotonic()
            if left <= 0:
                break
            self._hear(cycle, min(left, LISTEN_SECONDS))

    def _hear(self, cycle: Cycle, seconds: float) -> None:
        tables = {**self._latecomers.tables, **self._tables}
        changes = self._floor.hear(cycle, tables, seconds)
        late = [change for change in changes if change.table.held.state is RoundState.AGREED]
        self._latecomers.store(cycle, late)
        self._store(cycle, [change for change in changes if change not in late])

    def _leave(self, cycle: Cycle) -> None:
        """Take tables away whose requests need no answer of ours any more."""
        jobs = cycle.ports.store.jobs(list(self._tables))
        self._tables = {
            key: table for key, table in self._tables.items() if _still_asks(jobs[key], table.job)
        }

    def _begin(self, cycle: Cycle, panel: Panel) -> None:
        due = self._due(cycle)
        if not due:
            return
        self._floor.identify(cycle)
        panel.prepare([job.request for job in due], ())
        rounds = cycle.ports.store.rounds([job.key for job in due])
        seated = []
        for job in self._whole(cycle, due, rounds):
            table = self._table(cycle, panel, job, rounds.get(job.key, []))
            if table is None:
                self._rests.rest(job.key)
            else:
                seated.append(table)
        with cycle.write() as writer:
            mine = writer.claim(table.job.key for table in seated)
            writer.load(mine)
            stored = writer.rounds(sorted(mine))
            # Another relayer on the same store may have moved the job, or begun a round of it.
            seated = [
                table
                for table in seated
                if table.job.key in mine
                and writer.still(table.job)
                and stored.get(table.job.key, []) == rounds.get(table.job.key, [])
            ]
            writer.put_rounds(table.held for table in seated)
            for table in seated:
                table.job = writer.advance(table.job.key, Dispatched())
        for table in seated:
            self._tables[table.job.key] = table
            fresh = len(rounds.get(table.job.key, ())) < table.held.ordinal
            kind = ProgressKind.ROUND_OPENED if fresh else ProgressKind.ROUND_RESUMED
            details = {"round": table.held.ordinal, "seats": len(table.held.seats)}
            cycle.tell(kind, table.job.key, **details)

    @staticmethod
    def _whole(
        cycle: Cycle, due: Sequence[Job], rounds: Mapping[JobKey, Sequence[Round]]
    ) -> list[Job]:
        """Return those of `due` whose input is at hand or needed no more; the others wait again."""
        without = [
            job
            for job in due
            if not _is_closed(rounds.get(job.key, ())) and cycle.ports.whole(job.request) is None
        ]
        if without:
            with cycle.write() as writer:
                mine = writer.claim(job.key for job in without)
                writer.load(mine)
                for job in without:
                    if job.key in mine and writer.still(job):
                        writer.advance(job.key, Mislaid())
            for job in without:
                cycle.tell(ProgressKind.INPUT_MISSING, job.key)
        return [job for job in due if job not in without]

    def _due(self, cycle: Cycle) -> list[Job]:
        """Return the oldest jobs without a round at work; those refused too often only rest."""
        ports, resting = cycle.ports, self._rests.resting
        most = TABLES + len(resting) + len(self._tables)
        states = (JobState.SEEN, JobState.DISPATCHED)
        found = cycle.free_jobs(*states, most=most, kind=JobKind.QUORUM)
        limit = ports.settings.results_per_job
        spent = [job for job in found if job.retries >= limit and job.key not in resting]
        for job in spent:
            # What was paid for so often in vain is not tried again; the request expires.
            reason = job.reason or TOO_FEW
            cycle.tell(ProgressKind.WORKERS_MISSING, job.key, found=0, reason=reason)
            self._rests.rest(job.key)
        left = self._rests.resting | self._tables.keys()
        due = [job for job in found if job.key not in left and _confirmed(cycle, job)]
        return due[: max(0, TABLES - len(self._tables))]

    def _table(self, cycle: Cycle, panel: Panel, job: Job, rounds: Sequence[Round]) -> Table | None:
        """Return the table of a job's open round, or of a new one; None where none can be."""
        quorum = RequestTerms.decode(job.request.terms).quorum
        latest = rounds[-1] if rounds else None
        if latest is not None and latest.state is RoundState.DISPUTED:
            # Its workers are out by the chain's word only: first that has to be final.
            shown = errand_key(job.key, JobKind.DISPUTE, latest.digest)
            errand = cycle.ports.store.job(shown)
            if errand is not None and not errand.terminal:
                return None
        admission = panel.admission(job.request)
        known = self._floor.workers(cycle)
        gone = {seat.worker for each in rounds for seat in each.seats if seat.signed is not None}
        if latest is not None and latest.open:
            gone |= {seat.worker for seat in latest.seats}
        asked = {worker: url for worker, url in known.items() if worker not in gone}
        free = apart(panel.eligible(job.request, asked).values())
        now = time.monotonic()
        if latest is not None and latest.open:
            agreed = latest.state is RoundState.AGREED
            held = played(latest, [Reconsidered()]) if agreed else latest
            return Table(job, held, rounds[:-1], quorum, free, now)
        chosen = choose(quorum, free, quorum.seats)
        if admission.late or not may_agree(quorum, chosen):
            self._missing(cycle, job, len(chosen), late=admission.late)
            return None
        seats = tuple(Seat(each.worker, each.url) for each in chosen)
        spare: list[Candidate] = [each for each in free if each not in chosen]
        return Table(job, Round(job.key, len(rounds) + 1, seats), rounds, quorum, spare, now)

    @staticmethod
    def _missing(cycle: Cycle, job: Job, found: int, *, late: bool) -> None:
        """Tell that too few workers can be asked, and open a request whose own are late."""
        cycle.tell(ProgressKind.WORKERS_MISSING, job.key, found=found, reason=TOO_FEW)
        open_to_others(cycle, [job] if late else [])

    def _decide(self, cycle: Cycle, panel: Panel) -> None:
        """Do what is due about every round, until nothing is."""
        limit = cycle.ports.settings.round_seconds
        now = time.monotonic()
        changes = []
        for table in self._tables.values():
            weighed = dict.fromkeys(table.weighed(now, limit), "")
            eligible = panel.eligible(table.job.request, weighed) if weighed else {}
            decision = table.decide(now, limit, eligible)
            if decision.events:
                changes.append(self._change(cycle, table, decision))
        self._store(cycle, changes)

    def _change(self, cycle: Cycle, table: Table, decision: Decision) -> Change:
        change = Change(table, decision.events)
        held, request = played(table.held, decision.events), table.job.request
        for event in decision.events:
            if isinstance(event, Disputed):
                change.errands.append(dispute(cycle, request, held))
            kind = _ENDS.get(type(event))
            if kind is not None:
                details = {"round": held.ordinal, "answers": len(held.answers)}
                change.news.append((kind, details))
            if isinstance(event, Closed):
                details = {"round": held.ordinal, "commitments": len(held.commitments)}
                change.news.append((ProgressKind.ROUND_CLOSED, details))
        self._floor.failures(cycle, table, decision.events)
        if decision.found is not None:
            call = quorum_call(cycle, request, held, decision.found)
            change.result = replace(decision.found.result, call=call)
        return change

    def _store(self, cycle: Cycle, changes: Sequence[Change]) -> None:
        """Store changes, in one commit: not those of jobs that were moved on meanwhile."""
        if not changes:
            return
        with cycle.write() as writer:
            keys = [change.table.job.key for change in changes]
            writer.load(keys)
            stored = writer.rounds(keys)
            # Not where another relayer on the same store was first: its round is gone on with.
            kept = [
                change
                for change in changes
                if _still_asks(writer.job(change.table.job.key), change.table.job)
                and change.table.held in stored.get(change.table.job.key, [])
            ]
            added = writer.add_errands(errand for change in kept for errand in change.errands)
            writer.put_rounds(played(change.table.held, change.events) for change in kept)
            writer.add_results(
                [(change.table.job.key, r) for change in kept for r in _results(change)]
            )
        for change in changes:
            if change not in kept:
                self._tables.pop(change.table.job.key, None)
        for change in kept:
            self._took(change)
            for kind, details in change.news:
                cycle.tell(kind, change.table.job.key, **details)
        tell_errands(cycle, added)

    def _took(self, change: Change) -> None:
        """Bring a table up to what is stored now, and take it away where its round has ended."""
        table, key = change.table, change.table.job.key
        before, table.held = table.held, played(table.held, change.events)
        joined = {seat.worker for seat in table.held.seats[len(before.seats) :]}
        if joined or table.held.state is not before.state:
            table.since = time.monotonic()
            table.spare = [each for each in table.spare if each.worker not in joined]
        if table.held.state not in (RoundState.COMMITTING, RoundState.REVEALING):
            del self._tables[key]
            if table.held.state is RoundState.AGREED:
                self._rests.forget(key)
                self._latecomers.add(table)
            else:
                self._rests.rest(key)


def _is_closed(rounds: Sequence[Round]) -> bool:
    """Whether all that is left to do is to reveal."""
    return bool(rounds) and rounds[-1].state in (RoundState.REVEALING, RoundState.AGREED)


def _results(change: Change) -> list[SignedResult]:
    return [] if change.result is None else [change.result]


def _confirmed(cycle: Cycle, job: Job) -> bool:
    confirmations = cycle.number - job.request.block.number + 1
    return confirmations >= cycle.ports.settings.confirmations


def _still_asks(now: Job, asked: Job) -> bool:
    return now.state is JobState.DISPATCHED and now.request.asks_the_same_as(asked.request)
