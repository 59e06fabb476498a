"""The public face of the verifier, as type checkers see it: checked with mypy, never run."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import assert_type

from quotary import (
    DEFAULT,
    INTEL_ROOT,
    Collateral,
    CollateralError,
    ParseError,
    Policy,
    QuotaryError,
    Quote,
    RawCollateral,
    Reason,
    TcbStatus,
    TeeType,
    TrustRoot,
    Verdict,
    VerificationError,
    strict,
    verify,
)
from quotary.policy import AllOf, AnyOf, Evidence, ExpectedTd, GracedStatuses
from quotary.policy.file import PolicyFileError, parse_policy
from quotary.verify.explain import Check, CheckStatus, Explanation, Need, Shortfall, explain
from quotary.verify.explain_page import explanation_page
from quotary.verify.explain_text import explanation_text
from quotary.verify.matrix import MATRIX
from quotary.verify.simulate import Forecast, simulate


class Own:
    """A policy is anything with this method."""

    def check(self, evidence: Evidence) -> None:
        """Judge."""
        assert_type(evidence.verdict, Verdict)
        assert_type(evidence.collateral, Collateral)


def verified(data: bytes, text: str) -> None:
    """Verify, with everything that can be passed."""
    at = datetime.now(UTC)  # noqa: TID251  # the edge
    raw = RawCollateral.from_json(text)
    root: TrustRoot = INTEL_ROOT
    quote = Quote.parse(data)
    verdict = verify(data, raw, at=at)
    assert_type(verdict, Verdict)
    verify(quote, Collateral.verify(raw, root, at=at), policy=None, at=at, root=root)
    verify(quote, raw, policy=Own(), at=at)
    assert_type(verdict.tcb_status, TcbStatus)
    assert_type(verdict.tee_type, TeeType)
    assert_type(verdict.advisories, tuple[str, ...])
    assert_type(verdict.journal(), bytes)
    assert_type(Verdict.from_journal(verdict.journal()), Verdict)


def refused(error: QuotaryError) -> None:
    """What every refusal carries."""
    assert_type(error.reason, Reason)
    assert_type(error.item, str)
    assert_type(error.expected, str | None)
    assert_type(error.found, str | None)
    assert_type(error.remedy, str)
    kinds: tuple[type[QuotaryError], ...] = (ParseError, CollateralError, VerificationError)
    assert_type(isinstance(error, kinds), bool)


def explained(data: bytes, text: str, at: datetime) -> None:
    """Explain, and everything an explanation carries."""
    explanation = explain(data, text, policy=DEFAULT, at=at, root=INTEL_ROOT)
    assert_type(explanation, Explanation)
    assert_type(explanation.verdict, Verdict | None)
    assert_type(explanation.error, QuotaryError | None)
    assert_type(explanation.failures, tuple[Check, ...])
    for check in explanation.checks:
        assert_type(check.status, CheckStatus)
        assert_type(check.reason, Reason | None)
        assert_type(check.shortfalls, tuple[Shortfall, ...])
        for shortfall in check.shortfalls:
            assert_type(shortfall.needs, tuple[Need, ...])
    assert_type(explanation_text(explanation), str)
    assert_type(explanation_page(explanation), str)
    assert_type(explanation.to_json(), dict[str, object])
    rules: Mapping[int, str] = MATRIX
    assert_type(rules[1], str)


def judged(data: bytes, raw: RawCollateral, at: datetime) -> None:
    """Policies of code and of files, and what a change would do."""
    policy: Policy = strict(
        AnyOf((ExpectedTd(mr_td=bytes(48)), Own())),
        GracedStatuses(grace={TcbStatus.OUT_OF_DATE: 86400}),
        allowed_statuses=frozenset({TcbStatus.UP_TO_DATE}),
    )
    try:
        assert_type(parse_policy("version = 1"), AllOf)
    except PolicyFileError as error:
        assert_type(error.path, str)
    forecasts = simulate({"one": data}, [raw], policy=policy, against=None, at=at, until=at)
    assert_type(forecasts, tuple[Forecast, ...])
    assert_type(forecasts[0].falls_at, int | None)
