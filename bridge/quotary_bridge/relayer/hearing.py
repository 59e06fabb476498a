"""
Asking the workers of rounds, and judging what each one gives.

A reveal counts where it is what its worker had committed to. What is not is asked for once more,
while the round goes on, so that a worker that signs now this and now that convicts itself: two
statements with different outputs are an errand, whoever they were shown to.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import Address, Bytes32, JobKey, Rule, SignedResult, Timestamp
from quotary_bridge.relayer.cycle import Cycle, Ports
from quotary_bridge.relayer.errands import equivocation
from quotary_bridge.relayer.exchanges import Exchanges, Heard, Outcome, Step
from quotary_bridge.relayer.identities import Identities
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.relayer.table import Table
from quotary_bridge.rounds import (
    Committed,
    Faulted,
    Revealed,
    RoundEvent,
    RoundState,
    Seat,
    commitment_of,
    equivocates,
)
from quotary_bridge.workers import (
    Endpoint,
    FaultKind,
    RejectReason,
    ResultRejectedError,
    WorkerFaultError,
    check_reveal,
)

__all__ = ["Change", "Floor"]

AGAIN_SECONDS = 0.5
"""How long a worker is left alone that cannot reveal just now."""

NOT_COMMITTED = "NotCommitted"
_WORTH_ANOTHER = frozenset({FaultKind.UNREACHABLE, FaultKind.UNAVAILABLE})

Details = Mapping[str, str | int]


@dataclass(eq=False, slots=True)
class Change:
    """What is to be stored of one table in one commit, and told afterwards."""

    table: Table
    events: tuple[RoundEvent, ...] = ()
    errands: list[Job] = field(default_factory=list)
    result: SignedResult | None = None
    news: list[tuple[ProgressKind, Details]] = field(default_factory=list)


class Floor:
    """Where workers are asked and heard."""

    def __init__(self, exchanges: Exchanges, identities: Identities) -> None:
        """Ask nobody yet."""
        self._exchanges = exchanges
        self._identities = identities

    def close(self) -> None:
        """Wait for nobody any more."""
        self._exchanges.close()

    def workers(self, cycle: Cycle) -> dict[Address, str]:
        """Return the workers that are known, healthy ones first, with their endpoints."""
        found: dict[Address, str] = {}
        by_url = self._identities.by_url(cycle.ports.pool.candidates(cycle.number))
        for url, worker in by_url.items():
            found.setdefault(worker, url)
        return found

    def identify(self, cycle: Cycle) -> None:
        """Learn who answers at endpoints where that is not known."""
        self._identities.identify(cycle)

    def ask(self, cycle: Cycle, tables: Iterable[Table]) -> None:
        """Begin every exchange that is due."""
        now, ports = time.monotonic(), cycle.ports
        endpoints = {endpoint.url: endpoint for endpoint in ports.pool.health()}
        for table in tables:
            for seat in table.waiting:
                # An endpoint that is configured no more is as good as silent.
                endpoint = endpoints.get(seat.url)
                if endpoint is None or table.rests.get(seat.worker, 0.0) > now:
                    continue
                self._ask(ports, table, seat, endpoint, cycle.time)

    def hear(self, cycle: Cycle, tables: Mapping[JobKey, Table], seconds: float) -> list[Change]:
        """Return what comes of everything heard within `seconds`."""
        changes: dict[Table, Change] = {}
        for heard in self._exchanges.hear(seconds):
            table = None if heard.job is None else tables.get(heard.job)
            if table is None or table.held.ordinal != heard.round or not _expected(table, heard):
                continue
            change = changes.setdefault(table, Change(table))
            event = self._event(cycle, change, heard)
            if event is not None:
                change.events = (*change.events, event)
        return [each for each in changes.values() if each.events or each.errands]

    def awaits(self, table: Table) -> bool:
        """Whether a reveal for `table` is still out."""
        job, ordinal = table.job.key, table.held.ordinal
        return any(
            self._exchanges.is_out(Step.REVEAL, seat.url, job, ordinal) for seat in table.waiting
        )

    def failures(self, cycle: Cycle, table: Table, events: Sequence[RoundEvent]) -> None:
        """Note which workers of a table have failed by taking too long."""
        for event in events:
            if isinstance(event, Faulted):
                seat = table.held.seat_of(event.worker)
                if seat is not None:
                    self._failed(cycle, table.job.key, seat.url, event.fault, "took too long")

    def _ask(
        self, ports: Ports, table: Table, seat: Seat, endpoint: Endpoint, at: Timestamp
    ) -> None:
        request, held = table.job.request, table.held
        start = partial(
            self._exchanges.start, job=table.job.key, round_=held.ordinal, worker=seat.worker
        )
        if held.state is RoundState.COMMITTING:
            out = self._exchanges.is_out(Step.COMMIT, endpoint.url, table.job.key, held.ordinal)
            whole = None if out else ports.whole(request)
            # Without its input nothing can be asked; the round ends as if nobody were there.
            if whole is not None:
                start(Step.COMMIT, endpoint, partial(ports.client.commit, endpoint, whole))
            return
        closed, exact = held.commitments, table.quorum.rule is Rule.EXACT

        def _reveal() -> Outcome:
            signed = ports.client.reveal(endpoint, request, closed)
            check_reveal(request, signed, at, seat.worker, closed=held.digest, exact=exact)
            return signed

        start(Step.REVEAL, endpoint, _reveal)

    def _event(self, cycle: Cycle, change: Change, heard: Heard) -> RoundEvent | None:
        """Return what happened to the round, None where the worker is asked once more."""
        outcome, worker = heard.outcome, heard.worker
        if worker is None or isinstance(outcome, str):
            return None
        if isinstance(outcome, SignedResult):
            outcome = _held_to_its_model(cycle, outcome)
        if isinstance(outcome, WorkerFaultError):
            if heard.step is Step.REVEAL and outcome.kind in _WORTH_ANOTHER:
                change.table.rests[worker] = time.monotonic() + AGAIN_SECONDS
                return None
            return self._fault(cycle, change, heard, outcome.kind, outcome.detail)
        if isinstance(outcome, ResultRejectedError):
            return self._fault(cycle, change, heard, outcome.reason, outcome.detail)
        if isinstance(outcome, Exception):
            raise outcome
        if isinstance(outcome, SignedResult):
            return self._revealed(cycle, change, heard, outcome)
        return self._committed(cycle, change, heard, outcome)

    def _committed(
        self, cycle: Cycle, change: Change, heard: Heard, said: tuple[Address, Bytes32]
    ) -> RoundEvent | None:
        who, commitment = said
        if heard.worker is None or who != heard.worker:
            self._identities.forget(heard.endpoint.url)
            detail = f"from {who}, not from {heard.worker}"
            return self._fault(cycle, change, heard, RejectReason.WRONG_WORKER, detail)
        details = {"worker": who, "endpoint": heard.endpoint.name}
        change.news.append((ProgressKind.WORKER_COMMITTED, details))
        return Committed(who, commitment)

    def _revealed(
        self, cycle: Cycle, change: Change, heard: Heard, signed: SignedResult
    ) -> RoundEvent | None:
        table, worker = change.table, signed.result.worker
        seat = table.held.seat_of(worker)
        for known in table.statements_of(worker):
            if equivocates(known.result, signed.result):
                change.errands.append(equivocation(cycle, table.job.request, known, signed))
                break
        if seat is not None and commitment_of(signed.result) == seat.commitment:
            cycle.ports.pool.succeeded(heard.endpoint)
            details = {"worker": worker, "endpoint": heard.endpoint.name}
            change.news.append((ProgressKind.WORKER_REVEALED, details))
            return Revealed(worker, signed)
        if worker not in table.shown and table.held.state is RoundState.REVEALING:
            table.shown[worker] = signed
            return None
        detail = "revealed something else than it had committed to"
        shown = table.shown.get(worker, signed)
        return self._fault(cycle, change, heard, NOT_COMMITTED, detail, signed=shown)

    def _fault(
        self,
        cycle: Cycle,
        change: Change,
        heard: Heard,
        fault: str,
        detail: str,
        *,
        signed: SignedResult | None = None,
    ) -> RoundEvent | None:
        if heard.worker is None:
            return None
        key = change.table.job.key
        self._failed(cycle, key, heard.endpoint.url, fault, detail, rejected=signed is not None)
        return Faulted(heard.worker, str(fault), signed)

    def _failed(
        self,
        cycle: Cycle,
        job: JobKey | None,
        url: str,
        fault: str,
        detail: str,
        *,
        rejected: bool = False,
    ) -> None:
        endpoint = next((each for each in cycle.ports.pool.health() if each.url == url), None)
        if endpoint is None:
            return
        cycle.ports.pool.failed(endpoint, fault, cycle.number)
        kind = ProgressKind.RESULT_REJECTED if rejected else ProgressKind.WORKER_FAILED
        cycle.tell(kind, job, worker=endpoint.name, reason=str(fault), detail=detail)


def _expected(table: Table, heard: Heard) -> bool:
    """Whether the table still waits for this very thing."""
    committing = table.held.state is RoundState.COMMITTING
    step = Step.COMMIT if committing else Step.REVEAL
    return heard.step is step and heard.worker in {seat.worker for seat in table.waiting}


def _held_to_its_model(cycle: Cycle, said: SignedResult) -> SignedResult | ResultRejectedError:
    try:
        cycle.ports.oracle.require_weights(said.result, cycle.number)
    except ResultRejectedError as fault:
        return fault
    return said
