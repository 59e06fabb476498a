"""
Our verifier against itself: every way of asking must give the same answer.

`explain` runs the checks one by one, `verify_compact` leaves out what was proven before,
`verify_many` works on threads: none may accept, refuse or claim anything else than `verify`.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

from quotary import (
    Collateral,
    QuotaryError,
    RawCollateral,
    TrustRoot,
    Verdict,
    verify_compact,
    verify_many,
    verify_with_key,
)
from quotary.verify.explain import Explanation, explain
from quotary_enclave.simulator import compact

from tests.differential.judges import PEER_POLICY, Case

__all__ = ["contradiction"]

_LAST_WORD = "12.1"
"""The check `explain` adds when the engine refuses and no detail did: a detail is missing."""


def contradiction(case: Case) -> str | None:
    """How two of our answers to `case` contradict each other, None if they do not."""
    try:
        answer = _raw(case)
        return _explained(case, answer) or _many(case, answer) or _compact(case, answer)
    except Exception as error:  # noqa: BLE001 - whatever escapes is the finding
        return f"escaped: {error!r}"


Answer = Verdict | QuotaryError


def _at(case: Case) -> datetime:
    return datetime.fromtimestamp(case.at, UTC)


def _root(case: Case) -> TrustRoot:
    return TrustRoot.from_certificate(case.root_der)


def _collateral(case: Case) -> Collateral:
    return Collateral.verify(RawCollateral.from_json(case.collateral), _root(case), at=_at(case))


def _raw(case: Case) -> Answer:
    try:
        proven = _collateral(case)
        verdict, _ = verify_with_key(
            case.quote, proven, policy=PEER_POLICY, at=_at(case), root=_root(case)
        )
    except QuotaryError as error:
        return error
    return verdict


def _explained(case: Case, answer: Answer) -> str | None:
    try:
        root = _root(case)
    except QuotaryError:
        return None
    explanation = explain(case.quote, case.collateral, policy=PEER_POLICY, at=_at(case), root=root)
    json.dumps(explanation.to_json())
    if isinstance(answer, Verdict):
        return _misses_acceptance(explanation, answer)
    return _misses_refusal(explanation, answer)


def _misses_acceptance(explanation: Explanation, verdict: Verdict) -> str | None:
    if explanation.verdict != verdict or explanation.failures:
        return f"accepted, but explained as refused: {explanation.failures}"
    unable = [check for check in explanation.checks if (check.note or "").startswith("needs")]
    return f"accepted, but checks could not run: {unable}" if unable else None


def _misses_refusal(explanation: Explanation, refusal: QuotaryError) -> str | None:
    if explanation.error is None:
        return f"refused for {refusal.reason}, but explained as accepted"
    if any(check.number == _LAST_WORD for check in explanation.checks):
        return f"refused for {explanation.error.reason}, but every check passed"
    reasons = {check.reason for check in explanation.failures}
    if explanation.error.reason not in reasons:
        return f"refused for {explanation.error.reason}, but explained by {reasons}"
    return None


def _many(case: Case, answer: Answer) -> str | None:
    try:
        proven = _collateral(case)
    except QuotaryError:
        return None
    answers = verify_many(
        [case.quote] * 2, proven, policy=PEER_POLICY, at=_at(case), root=_root(case)
    )
    for other in answers:
        if isinstance(answer, Verdict) or isinstance(other, Verdict):
            if other != answer:
                return f"{answer!r} alone, {other!r} among many"
        elif (other.reason, other.item) != (answer.reason, answer.item):
            return f"{answer.reason} alone, {other.reason} among many"
    return None


def _compact(case: Case, answer: Answer) -> str | None:
    if not isinstance(answer, Verdict):
        return None
    at, root, proven = _at(case), _root(case), _collateral(case)
    _, key = verify_with_key(case.quote, proven, policy=PEER_POLICY, at=at, root=root)
    short = compact(case.quote)
    again = verify_compact(short, key, policy=PEER_POLICY, at=at, root=root)
    if again.journal() != answer.journal():
        return "the compact form gets another journal"
    forged = short[:-1] + bytes((short[-1] ^ 1,))
    try:
        verify_compact(forged, key, policy=PEER_POLICY, at=at, root=root)
    except QuotaryError:
        return None
    return "a forged compact quote is accepted"
