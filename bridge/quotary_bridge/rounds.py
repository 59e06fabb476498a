"""
A round of several workers that answer one request, as a pure state machine, and its judgement.

    Committing ──► Revealing ──► Agreed ──► Reported
        │              │  ▲         │
        │              │  └─────────┘ the delivery was refused: judged anew
        ▼              ▼
    Abandoned      Abandoned | Disputed

1. Workers commit: each gives a hash of its answer and nothing else. A seat whose worker fails is
   given to another one.
2. The round is closed: its list of commitments is fixed, and stored before anybody hears of it.
3. Workers reveal, to the closed list. Who reveals something else than it committed to is out.
4. As many as must agree do: theirs is the result. Or they cannot any more: the round is disputed
   where all seats were taken, abandoned where not. A worker reveals once per request, so a later
   round has others.
5. What is revealed once a quorum agreed changes nothing, and is kept: it may convict its worker.

A round moves only through `advance`, and what it became is stored before anything is done about
it: a relayer that dies anywhere goes on from the same list.

Pure: no I/O, no clock.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import combinations

from eth_utils.crypto import keccak

from quotary_bridge.model import Address, Bytes32, JobKey, Quorum, Result, Rule, SignedResult
from quotary_bridge.words import encode_words

__all__ = [
    "Abandoned",
    "Agreed",
    "Agreement",
    "Candidate",
    "Closed",
    "Committed",
    "Disputed",
    "Faulted",
    "IllegalStepError",
    "Joined",
    "Reconsidered",
    "Reported",
    "Revealed",
    "Round",
    "RoundEvent",
    "RoundState",
    "Seat",
    "advance_round",
    "agreement",
    "agrees",
    "choose",
    "commitment_of",
    "equivocates",
    "is_undecidable",
    "may_agree",
]


class RoundState(StrEnum):
    """Where a round is. The values are what the database carries."""

    COMMITTING = "committing"
    REVEALING = "revealing"
    AGREED = "agreed"
    REPORTED = "reported"
    DISPUTED = "disputed"
    ABANDONED = "abandoned"


@dataclass(frozen=True, slots=True)
class Seat:
    """
    One worker's place in a round, at the endpoint `url`.

    `signed` is what it revealed; with a `fault` beside it, a statement that counts for nothing but
    may still convict it.
    """

    worker: Address
    url: str
    commitment: Bytes32 | None = None
    signed: SignedResult | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Round:
    """The `ordinal`-th round of a job, from 1 on."""

    job: JobKey
    ordinal: int
    seats: tuple[Seat, ...]
    state: RoundState = RoundState.COMMITTING

    @property
    def open(self) -> bool:
        """Whether anything can still come of it."""
        return self.state in (RoundState.COMMITTING, RoundState.REVEALING, RoundState.AGREED)

    @property
    def taken(self) -> tuple[Seat, ...]:
        """The seats whose workers have not failed."""
        return tuple(seat for seat in self.seats if seat.fault is None)

    @property
    def commitments(self) -> tuple[Bytes32, ...]:
        """
        All commitments, ascending: once the round is closed, what it is.

        A commitment that two workers gave stands once: who copied it cannot reveal it.
        """
        return tuple(sorted({seat.commitment for seat in self.seats if seat.commitment}))

    @property
    def digest(self) -> Bytes32:
        """What the workers' statements bind."""
        return Bytes32(keccak(b"".join(self.commitments)))

    @property
    def answers(self) -> tuple[SignedResult, ...]:
        """What was revealed as it was committed to."""
        return tuple(seat.signed for seat in self.taken if seat.signed is not None)

    def seat_of(self, worker: Address) -> Seat | None:
        """Return the seat of a worker, None where it has none."""
        return next((seat for seat in self.seats if seat.worker == worker), None)


@dataclass(frozen=True, slots=True)
class Joined:
    """Another worker takes the place of one that failed."""

    worker: Address
    url: str


@dataclass(frozen=True, slots=True)
class Committed:
    """A worker gave its commitment."""

    worker: Address
    commitment: Bytes32


@dataclass(frozen=True, slots=True)
class Faulted:
    """A worker failed: it gave nothing in time, or what it must not, `signed` if it signed that."""

    worker: Address
    fault: str
    signed: SignedResult | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """No more commitments: workers may be asked to reveal."""


@dataclass(frozen=True, slots=True)
class Revealed:
    """A worker showed the answer that it had committed to."""

    worker: Address
    signed: SignedResult


@dataclass(frozen=True, slots=True)
class Agreed:
    """Enough answers agree, and the call that says so is stored with one of them."""


@dataclass(frozen=True, slots=True)
class Reconsidered:
    """That call was refused, as workers may be ruled out meanwhile: the answers are judged anew."""


@dataclass(frozen=True, slots=True)
class Disputed:
    """Nothing can come of it, and the errand that shows it is stored."""


@dataclass(frozen=True, slots=True)
class Abandoned:
    """Too few took part, or the request ended."""


@dataclass(frozen=True, slots=True)
class Reported:
    """The request was answered for good, and errands against those who said otherwise stored."""


RoundEvent = (
    Joined
    | Committed
    | Faulted
    | Closed
    | Revealed
    | Agreed
    | Reconsidered
    | Disputed
    | Abandoned
    | Reported
)

_LATE = frozenset({RoundState.AGREED, RoundState.REPORTED})
_ALLOWED: Mapping[type[object], frozenset[RoundState]] = {
    Joined: frozenset({RoundState.COMMITTING}),
    Committed: frozenset({RoundState.COMMITTING}),
    Faulted: frozenset({RoundState.COMMITTING, RoundState.REVEALING}) | _LATE,
    Closed: frozenset({RoundState.COMMITTING}),
    Revealed: frozenset({RoundState.REVEALING}) | _LATE,
    Agreed: frozenset({RoundState.REVEALING}),
    Reconsidered: frozenset({RoundState.AGREED}),
    Disputed: frozenset({RoundState.REVEALING}),
    Abandoned: frozenset({RoundState.COMMITTING, RoundState.REVEALING, RoundState.AGREED}),
    Reported: frozenset({RoundState.AGREED}),
}
_BECOMES: Mapping[type[object], RoundState] = {
    Closed: RoundState.REVEALING,
    Agreed: RoundState.AGREED,
    Reconsidered: RoundState.REVEALING,
    Disputed: RoundState.DISPUTED,
    Abandoned: RoundState.ABANDONED,
    Reported: RoundState.REPORTED,
}


class IllegalStepError(RuntimeError):
    """An event that cannot happen to a round in its state: a defect of the bridge."""

    def __init__(self, held: Round, event: RoundEvent) -> None:
        """Say which event cannot happen to a round in which state."""
        super().__init__(f"{type(event).__name__} cannot happen to a round that is {held.state}")


def advance_round(held: Round, event: RoundEvent) -> Round:
    """Return `held` after `event`; raises `IllegalStepError` where that makes no sense."""
    if held.state not in _ALLOWED[type(event)]:
        raise IllegalStepError(held, event)
    if isinstance(event, Joined):
        if held.seat_of(event.worker) is not None:
            raise IllegalStepError(held, event)
        return replace(held, seats=(*held.seats, Seat(event.worker, event.url)))
    if isinstance(event, Committed | Faulted | Revealed):
        seat = held.seat_of(event.worker)
        if seat is None or not _may(seat, event):
            raise IllegalStepError(held, event)
        after = _seated(seat, event)
        return replace(held, seats=tuple(after if s is seat else s for s in held.seats))
    return replace(held, state=_BECOMES[type(event)])


def _may(seat: Seat, event: Committed | Faulted | Revealed) -> bool:
    if isinstance(event, Committed):
        return seat.commitment is None and seat.fault is None
    if isinstance(event, Revealed):
        mine = commitment_of(event.signed.result) == seat.commitment
        return mine and seat.signed is None and seat.fault is None
    return seat.fault is None and seat.signed is None


def _seated(seat: Seat, event: Committed | Faulted | Revealed) -> Seat:
    if isinstance(event, Committed):
        return replace(seat, commitment=event.commitment)
    if isinstance(event, Revealed):
        return replace(seat, signed=event.signed)
    return replace(seat, fault=event.fault, signed=event.signed)


def commitment_of(said: Result) -> Bytes32:
    """Return what a worker that reveals `said` must have committed to (docs/formats.md)."""
    fields = (said.request_id, said.worker, said.output_hash, said.decision, said.nonce)
    return Bytes32(keccak(encode_words(*fields)))


def equivocates(one: Result, other: Result) -> bool:
    """Whether both cannot be true: one worker's, on the same question, with different outputs."""
    return (
        one.output_hash != other.output_hash
        and one.worker == other.worker
        and one.request_id == other.request_id
        and one.app_id == other.app_id
        and one.model_id == other.model_id
        and one.weights_root == other.weights_root
        and one.input_commitment == other.input_commitment
        and one.key_epoch == other.key_epoch
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """A worker that may take part: who runs it, on whose hardware, on which machine if known."""

    worker: Address
    url: str
    operator: Address
    vendor: int = 0
    platform: bytes = b""


def choose(quorum: Quorum, candidates: Sequence[Candidate], seats: int) -> list[Candidate]:
    """
    Return up to `seats` of `candidates`, in their order but for diversity.

    Each next one is of the operator and the vendor that have the fewest seats so far, so that
    whoever fails, those who are left are as diverse as can be.
    """
    left, chosen = list(candidates), list[Candidate]()
    while left and len(chosen) < seats:
        best = min(left, key=lambda one: _crowded(quorum, chosen, one))
        left.remove(best)
        chosen.append(best)
    return chosen


def may_agree(quorum: Quorum, chosen: Sequence[Candidate]) -> bool:
    """Whether some of `chosen` would be a quorum if all said the same."""
    return any(_diverse(quorum, some) for some in combinations(chosen, quorum.results))


def _crowded(quorum: Quorum, chosen: Sequence[Candidate], one: Candidate) -> int:
    alike = 0
    if quorum.vendors > 1:
        alike += sum(other.vendor == one.vendor for other in chosen)
    if quorum.operators > 1:
        alike += sum(other.operator == one.operator for other in chosen)
    return alike


@dataclass(frozen=True, slots=True)
class Agreement:
    """What a quorum agreed on: the result of one of them, and all of them, ascending by worker."""

    result: SignedResult
    answers: tuple[SignedResult, ...]


def agrees(quorum: Quorum, one: Bytes32, other: Bytes32) -> bool:
    """Whether two decisions agree under the rule of `quorum`."""
    if quorum.rule is not Rule.TOLERANCE:
        return one == other
    return abs(_number(one) - _number(other)) <= quorum.tolerance


def agreement(
    quorum: Quorum, answers: Iterable[SignedResult], seated: Mapping[Address, Candidate]
) -> Agreement | None:
    """
    Return the first quorum among `answers`, by the order of their workers, or None without one.

    `seated` are the workers that count now: others' answers do not.
    """
    counted = sorted(
        (each for each in answers if each.result.worker in seated),
        key=lambda each: int(each.result.worker, 16),
    )
    for chosen in combinations(counted, quorum.results):
        middle = _middle(quorum, chosen)
        if middle is not None and _diverse(quorum, [seated[c.result.worker] for c in chosen]):
            return Agreement(middle, chosen)
    return None


def _middle(quorum: Quorum, chosen: Sequence[SignedResult]) -> SignedResult | None:
    """Return the answer that all of `chosen` agree with: under the tolerance rule, their median."""
    ordered = list(chosen)
    if quorum.rule is Rule.TOLERANCE:
        ordered.sort(key=lambda each: _number(each.result.decision))
    middle = ordered[len(ordered) // 2]
    same = all(agrees(quorum, each.result.decision, middle.result.decision) for each in chosen)
    return middle if same else None


def _diverse(quorum: Quorum, workers: Sequence[Candidate]) -> bool:
    operators = {worker.operator for worker in workers}
    vendors = {worker.vendor for worker in workers}
    # One machine has one voice (`PlatformCounted`).
    apart = len({worker.platform or worker.worker for worker in workers}) == len(workers)
    return apart and len(operators) >= quorum.operators and len(vendors) >= quorum.vendors


def is_undecidable(quorum: Quorum, answers: Sequence[SignedResult], unseen: int) -> bool:
    """Whether no quorum can come of `answers` and the `unseen` ones: what the contract asks."""
    # A median still unseen may have answers on either side of it.
    width = quorum.tolerance * (2 if unseen else 1)
    wide = replace(quorum, tolerance=width)
    decisions = [each.result.decision for each in answers]
    most = max(
        (sum(agrees(wide, one, other) for other in decisions) for one in decisions), default=0
    )
    return bool(answers) and most + unseen < quorum.results


def _number(decision: Bytes32) -> int:
    return int.from_bytes(decision, signed=True)
