"""
What a changed policy would do to quotes at hand: which it drops, why, and when.

Pure, like verification: every answer is that of `verify` at some time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from quotary.collateral import RawCollateral
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.policy import DEFAULT, Evidence, Policy, deadlines
from quotary.quote import Quote
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, unix_seconds
from quotary.verify import verify
from quotary.verify._witness import Witness

__all__ = ["Forecast", "simulate"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What becomes of one quote. `before` and `after` are the refusals now, None where accepted.

    `falls_at` is the first second, as Unix seconds, at which the new policy no longer accepts what
    it accepts now, with `falls_for` as the refusal; both None when it holds until the end.
    `fell_at` is that second under the policy in force: a quote that falls no earlier than it would
    have fallen anyway is nothing the change does.
    """

    name: str
    before: QuotaryError | None
    after: QuotaryError | None
    falls_at: int | None = None
    falls_for: QuotaryError | None = None
    fell_at: int | None = None

    @property
    def shortened(self) -> bool:
        """Whether the change lets fall, or fall sooner, what was accepted."""
        if self.before is not None or self.falls_at is None:
            return False
        return self.fell_at is None or self.falls_at < self.fell_at

    @property
    def dropped(self) -> bool:
        """Whether the change refuses at once what was accepted."""
        return self.before is None and self.after is not None

    @property
    def gained(self) -> bool:
        """Whether the change accepts what was refused."""
        return self.before is not None and self.after is None

    def to_json(self) -> dict[str, object]:
        """Return the forecast for programs."""
        return {
            "quote": self.name,
            "before": _reason(self.before),
            "after": _reason(self.after),
            "dropped": self.dropped,
            "falls_at": None if self.falls_at is None else _shown(self.falls_at),
            "falls_for": _reason(self.falls_for),
            "fell_at": None if self.fell_at is None else _shown(self.fell_at),
            "shortened": self.shortened,
        }


def simulate(
    quotes: Mapping[str, bytes | Quote],
    collateral: Sequence[RawCollateral | Collateral],
    *,
    policy: Policy | None,
    against: Policy | None = DEFAULT,
    at: datetime,
    until: datetime | None = None,
    root: TrustRoot = INTEL_ROOT,
) -> tuple[Forecast, ...]:
    """
    Say for every quote what `policy` does that `against` did not, at `at` and up to `until`.

    Each quote is judged with the first of `collateral` that proves it genuine. With `until`, every
    boundary in between is tried to the second: ends of grace, of collateral age, and of validity.
    Evidence never makes it raise; a time without a zone raises `ValueError`.
    """
    end = unix_seconds(at if until is None else until)
    return tuple(
        _forecast(name, quote, tuple(collateral), (policy, against), at=at, end=end, root=root)
        for name, quote in quotes.items()
    )


def _forecast(
    name: str,
    quote: bytes | Quote,
    collateral: tuple[RawCollateral | Collateral, ...],
    policies: tuple[Policy | None, Policy | None],
    *,
    at: datetime,
    end: int,
    root: TrustRoot,
) -> Forecast:
    policy, against = policies
    try:
        parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
        chosen, evidence = _genuine(parsed, collateral, at, root)
    except QuotaryError as error:
        return Forecast(name, error, error)
    before = _refusal(parsed, chosen, against, at, root)
    after = _refusal(parsed, chosen, policy, at, root)
    span = unix_seconds(at), end
    fell = None if before else _fall(parsed, chosen, evidence, against, span=span, root=root)
    fell_at = None if fell is None else fell[0]
    if after is not None:
        return Forecast(name, before, after, fell_at=fell_at)
    fall = _fall(parsed, chosen, evidence, policy, span=span, root=root)
    falls_at, falls_for = fall or (None, None)
    return Forecast(name, before, None, falls_at, falls_for, fell_at)


def _fall(
    quote: Quote,
    collateral: RawCollateral | Collateral,
    evidence: Evidence,
    policy: Policy | None,
    *,
    span: tuple[int, int],
    root: TrustRoot,
) -> tuple[int, QuotaryError] | None:
    """Return the first second of `span` at which `policy` refuses what it accepted, and why."""
    start, end = span
    for last in sorted({evidence.verdict.valid_until, *deadlines(policy, evidence)}):
        if start <= last < end:
            moment = datetime.fromtimestamp(last + 1, UTC)
            refusal = _refusal(quote, collateral, policy, moment, root)
            if refusal is not None:
                return last + 1, refusal
    return None


def _genuine(
    quote: Quote,
    collateral: tuple[RawCollateral | Collateral, ...],
    at: datetime,
    root: TrustRoot,
) -> tuple[RawCollateral | Collateral, Evidence]:
    """Return the first collateral under which `quote` is genuine, and what was proven."""
    refusal: QuotaryError = CollateralError(
        Reason.COLLATERAL_INCOMPLETE, "collateral", expected="at least one collateral"
    )
    for candidate in collateral:
        witness = Witness()
        try:
            verify(quote, candidate, policy=witness, at=at, root=root)
        except QuotaryError as error:
            refusal = error
            continue
        if witness.evidence is not None:
            return candidate, witness.evidence
    raise refusal


def _refusal(
    quote: Quote,
    collateral: RawCollateral | Collateral,
    policy: Policy | None,
    at: datetime,
    root: TrustRoot,
) -> QuotaryError | None:
    try:
        verify(quote, collateral, policy=policy, at=at, root=root)
    except QuotaryError as error:
        return error
    return None


def _reason(error: QuotaryError | None) -> str | None:
    return None if error is None else error.reason.value


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
