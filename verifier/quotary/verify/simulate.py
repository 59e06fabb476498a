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

__all__ = ["Forecast", "simulate"]


@dataclass(frozen=True, slots=True)
class Forecast:
    """
    What becomes of one quote. `before` and `after` are the refusals now, None where accepted.

    `falls_at` is the first second, as Unix seconds, at which the new policy no longer accepts what
    it accepts now, with `falls_for` as the refusal; both None when it holds until the end.
    """

    name: str
    before: QuotaryError | None
    after: QuotaryError | None
    falls_at: int | None = None
    falls_for: QuotaryError | None = None

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
        }


class _Recorder:
    """A policy that accepts, and keeps what it was shown."""

    def __init__(self) -> None:
        """Nothing seen yet."""
        self.evidence: Evidence | None = None

    def check(self, evidence: Evidence) -> None:
        """Keep `evidence`."""
        self.evidence = evidence


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
    if after is not None:
        return Forecast(name, before, after)
    limits = {evidence.verdict.valid_until, *deadlines(policy, evidence)}
    for last in sorted(limits):
        if not unix_seconds(at) <= last < end:
            continue
        refusal = _refusal(parsed, chosen, policy, datetime.fromtimestamp(last + 1, UTC), root)
        if refusal is not None:
            return Forecast(name, before, None, last + 1, refusal)
    return Forecast(name, before, None)


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
        recorder = _Recorder()
        try:
            verify(quote, candidate, policy=recorder, at=at, root=root)
        except QuotaryError as error:
            refusal = error
            continue
        if recorder.evidence is not None:
            return candidate, recorder.evidence
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
