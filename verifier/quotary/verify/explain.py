"""
Explain a verdict: every check in its order, passed, failed or skipped, and never only the first.

The checks are those of `quotary.verify.verify`, and its verdict is the explanation's. Pure, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from quotary.collateral import RawCollateral
from quotary.errors import QuotaryError, Reason
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy
from quotary.quote import Quote
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, unix_seconds
from quotary.verify import STEPS, Part, verify
from quotary.verify._chain_details import CHAIN_DETAILS
from quotary.verify._documents import COLLATERAL_DETAILS, gather_collateral, shown_time
from quotary.verify._facts import Detail, Facts, MissingFactError, Need, Shortfall
from quotary.verify._found import FOUND
from quotary.verify._level_details import LEVEL_DETAILS
from quotary.verify._policy_details import policy_details

__all__ = ["Check", "CheckStatus", "Explanation", "Need", "Shortfall", "explain"]

_CHAIN_STEP: Final = 3
_LEVEL_STEP: Final = 10
_POLICY_STEP: Final = 11
_NEEDS: Final = "needs "


class CheckStatus(StrEnum):
    """How a check ended."""

    PASS = "pass"  # noqa: S105  # no password
    FAIL = "fail"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """
    One check and how it ended. `number` is the step's and, after a dot, the check's in the step.

    `rows` are those of `quotary.verify.matrix.MATRIX`. A failed check has a reason and a remedy; a
    skipped one says in `note` why. `shortfalls` tell what each better TCB status would need.
    """

    number: str
    title: str
    status: CheckStatus
    rows: tuple[int, ...] = ()
    reason: Reason | None = None
    item: str | None = None
    expected: str | None = None
    found: str | None = None
    remedy: str | None = None
    note: str | None = None
    shortfalls: tuple[Shortfall, ...] = ()

    def to_json(self) -> dict[str, object]:
        """Return all fields, times as RFC 3339."""
        return {
            "number": self.number,
            "title": self.title,
            "status": self.status.value,
            "rows": list(self.rows),
            "reason": None if self.reason is None else self.reason.value,
            "item": self.item,
            "expected": self.expected,
            "found": self.found,
            "remedy": self.remedy,
            "note": self.note,
            "shortfalls": [
                {
                    "status": shortfall.status,
                    "tcb_date": shown_time(shortfall.date),
                    "needs": [
                        {"component": need.component, "has": need.has, "needs": need.needs}
                        for need in shortfall.needs
                    ],
                }
                for shortfall in self.shortfalls
            ],
        }


@dataclass(frozen=True, slots=True)
class Explanation:
    """Every check, and what `verify` says: `verdict` when it accepts, else `error`."""

    at: datetime
    checks: tuple[Check, ...]
    verdict: Verdict | None
    error: QuotaryError | None

    @property
    def accepted(self) -> bool:
        """Whether the evidence is accepted; then no check failed."""
        return self.error is None

    @property
    def failures(self) -> tuple[Check, ...]:
        """The checks that failed, in order; `verify` names the reason of the first."""
        return tuple(check for check in self.checks if check.status is CheckStatus.FAIL)

    def count(self, status: CheckStatus) -> int:
        """How many checks ended so."""
        return sum(check.status is status for check in self.checks)

    def to_json(self) -> dict[str, object]:
        """Return the explanation for programs: `ok`, `at`, `reason`, `verdict`, `checks`."""
        return {
            "ok": self.accepted,
            "at": shown_time(unix_seconds(self.at)),
            "reason": None if self.error is None else self.error.reason.value,
            "counts": {status.value: self.count(status) for status in CheckStatus},
            "verdict": None if self.verdict is None else self.verdict.to_json(),
            "checks": [check.to_json() for check in self.checks],
        }


def explain(
    quote: bytes | Quote,
    collateral: bytes | str | RawCollateral | Collateral,
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> Explanation:
    """
    Run every check that `verify` runs, and say how each ended.

    Takes what `verify` takes, and collateral as JSON besides. Evidence never makes it raise; wrong
    use does, as with `verify`. A check whose inputs could not be read is skipped and says so.

    Warning: what later checks say after a failure is said of unproven documents. It helps to mend
    things; only `verdict` is worth relying on.
    """
    facts = Facts(quote, collateral, policy, root, unix_seconds(at))
    checks = list(_run(facts))
    verdict, error = _judge(facts, at)
    if error is not None and all(check.status is not CheckStatus.FAIL for check in checks):
        # The engine has the last word, should a detail ever be laxer than it.
        checks.append(_failed("12.1", "verification as a whole", (), error))
    return Explanation(at, tuple(checks), verdict, error)


def _judge(facts: Facts, at: datetime) -> tuple[Verdict | None, QuotaryError | None]:
    try:
        quote, given = facts.given_quote, facts.given_collateral
        parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
        collateral = RawCollateral.from_json(given) if isinstance(given, bytes | str) else given
        return verify(parsed, collateral, policy=facts.policy, at=at, root=facts.root), None
    except QuotaryError as error:
        return None, error


def _run(facts: Facts) -> Iterator[Check]:
    for index, detail in enumerate(COLLATERAL_DETAILS, start=1):
        yield _detailed(f"0.{index}", detail, facts)
    gather_collateral(facts)
    details = {
        _CHAIN_STEP: CHAIN_DETAILS,
        _LEVEL_STEP: LEVEL_DETAILS,
        _POLICY_STEP: policy_details(facts.policy),
    }
    for step in STEPS:
        failed = None
        index = 0
        for index, detail in enumerate(details.get(step.number, ()), start=1):
            check = _detailed(f"{step.number}.{index}", detail, facts)
            if failed is None and _blocks(check):
                failed = check.number
            yield check
        for further, part in enumerate(step.parts, start=index + 1):
            yield _engine(f"{step.number}.{further}", part, facts, failed)


def _blocks(check: Check) -> bool:
    """Whether the step as a whole cannot pass, as this check of it failed or could not run."""
    return check.status is CheckStatus.FAIL or (check.note or "").startswith(_NEEDS)


def _detailed(number: str, detail: Detail, facts: Facts) -> Check:
    try:
        note = detail.inapplicable(facts)
        if note is not None:
            return Check(number, detail.title, CheckStatus.SKIPPED, detail.rows, note=note)
        found = detail.check(facts)
    except MissingFactError as missing:
        return _skipped(number, detail.title, detail.rows, f"{_NEEDS}{missing}")
    except QuotaryError as error:
        return _failed(number, detail.title, detail.rows, error, _lacking(detail, facts))
    return Check(
        number,
        detail.title,
        CheckStatus.PASS,
        detail.rows,
        found=found,
        shortfalls=() if number.startswith(f"{_POLICY_STEP}.") else _lacking(detail, facts),
    )


def _lacking(detail: Detail, facts: Facts) -> tuple[Shortfall, ...]:
    try:
        return detail.shortfalls(facts)
    except MissingFactError:
        return ()


def _engine(number: str, part: Part, facts: Facts, failed: str | None) -> Check:
    if failed is not None:
        return _skipped(number, part.title, part.rows, f"see {failed}")
    try:
        if part.td_only and facts.td_report is None:
            return _skipped(number, part.title, part.rows, "only TDs have a module")
        part.check(facts)
    except MissingFactError as missing:
        return _skipped(number, part.title, part.rows, f"{_NEEDS}{missing}")
    except QuotaryError as error:
        return _failed(number, part.title, part.rows, error)
    found = FOUND.get(part.title)
    return Check(
        number,
        part.title,
        CheckStatus.PASS,
        part.rows,
        found=None if found is None else found(facts),
    )


def _skipped(number: str, title: str, rows: tuple[int, ...], note: str) -> Check:
    return Check(number, title, CheckStatus.SKIPPED, rows, note=note)


def _failed(
    number: str,
    title: str,
    rows: tuple[int, ...],
    error: QuotaryError,
    shortfalls: tuple[Shortfall, ...] = (),
) -> Check:
    return Check(
        number,
        title,
        CheckStatus.FAIL,
        rows,
        reason=error.reason,
        item=error.item,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
        shortfalls=shortfalls,
    )
