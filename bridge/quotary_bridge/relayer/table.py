"""One round at work: whom it waits for, and what is to be done about it next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import Address, Quorum, SignedResult
from quotary_bridge.rounds import (
    Abandoned,
    Agreed,
    Agreement,
    Candidate,
    Closed,
    Disputed,
    Faulted,
    Joined,
    Round,
    RoundEvent,
    RoundState,
    Seat,
    advance_round,
    agreement,
    is_undecidable,
    may_agree,
)

__all__ = ["GRACE_SECONDS", "Decision", "Table", "played"]

GRACE_SECONDS = 5.0
"""How long a quorum waits for the others: what they reveal may convict them."""

STALLED = "WorkerTimeout"


@dataclass(frozen=True, slots=True)
class Decision:
    """What happens to a round now, and what it agreed on, where it does."""

    events: tuple[RoundEvent, ...] = ()
    found: Agreement | None = None


@dataclass(eq=False, slots=True)
class Table:
    """
    A round, the job it is for, and what of it is in memory only.

    `spare` are workers that may take the place of those that fail, `since` when this phase began
    (`time.monotonic`), `shown` what workers revealed that is not what they had committed to,
    `rests` until when one is left alone. Losing these costs a question, and nothing else.
    """

    job: Job
    held: Round
    earlier: Sequence[Round]
    quorum: Quorum
    spare: list[Candidate]
    since: float
    shown: dict[Address, SignedResult] = field(default_factory=dict)
    rests: dict[Address, float] = field(default_factory=dict)

    @property
    def waiting(self) -> tuple[Seat, ...]:
        """The seats that something is still to come of in this phase."""
        if self.held.state is RoundState.COMMITTING:
            return tuple(seat for seat in self.held.taken if seat.commitment is None)
        return tuple(
            seat for seat in self.held.taken if seat.commitment is not None and seat.signed is None
        )

    def statements_of(self, worker: Address) -> list[SignedResult]:
        """Return everything that `worker` ever signed about this request, as far as we know."""
        seats = [seat for each in (*self.earlier, self.held) for seat in each.seats]
        signed = [seat.signed for seat in seats if seat.worker == worker and seat.signed]
        return [*signed, *([self.shown[worker]] if worker in self.shown else [])]

    def weighed(self, now: float, limit: float) -> list[Address]:
        """Return the workers whose standing the next `decide` may depend on."""
        if self.held.state is not RoundState.COMMITTING:
            return [each.result.worker for each in self.held.answers]
        closing = now - self.since >= limit or not self.waiting
        return [seat.worker for seat in self.held.taken if seat.commitment] if closing else []

    def decide(self, now: float, limit: float, eligible: Mapping[Address, Candidate]) -> Decision:
        """
        Return what to do at `now`, where a phase may take `limit` seconds.

        `eligible` are those of `weighed` whose answers count at the pinned block.
        """
        late = now - self.since >= limit
        if self.held.state is RoundState.COMMITTING:
            return Decision(self._committing(eligible, late=late))
        waited = now - self.since >= min(GRACE_SECONDS, limit)
        return self._revealing(eligible, late=late, waited=waited)

    def _committing(
        self, eligible: Mapping[Address, Candidate], *, late: bool
    ) -> tuple[RoundEvent, ...]:
        stalled = [Faulted(seat.worker, STALLED) for seat in self.waiting if late]
        held = played(self.held, stalled)
        free = self.quorum.seats - len(held.taken)
        joined = [Joined(each.worker, each.url) for each in self.spare[: max(0, free)]]
        if joined or (self.waiting and not late):
            return (*stalled, *joined)
        # An answer that is shown is used up: not where those left are too few, or too much alike.
        enough = len(held.commitments) >= self.quorum.results
        may = enough and may_agree(self.quorum, list(eligible.values()))
        return (*stalled, Closed() if may else Abandoned())

    def _revealing(
        self, eligible: Mapping[Address, Candidate], *, late: bool, waited: bool
    ) -> Decision:
        found = agreement(self.quorum, self.held.answers, eligible)
        if found is not None and (waited or not self.waiting):
            return Decision((Agreed(),), found)
        if found is not None or (self.waiting and not late):
            return Decision()
        stalled = [Faulted(seat.worker, STALLED) for seat in self.waiting]
        answers, seats = self.held.answers, len(self.held.commitments)
        # A round with empty seats may disagree because too few were asked.
        full = seats == self.quorum.seats
        shown = full and is_undecidable(self.quorum, answers, seats - len(answers))
        return Decision((*stalled, Disputed() if shown else Abandoned()))


def played(held: Round, events: Sequence[RoundEvent]) -> Round:
    """Return `held` after `events`."""
    for event in events:
        held = advance_round(held, event)
    return held
