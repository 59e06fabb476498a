"""The catalogue of reasons, and the errors that carry them."""

from __future__ import annotations

import copy
import pickle

import pytest
import quotary
from quotary import CollateralError, ParseError, QuotaryError, Reason, VerificationError
from quotary.errors import REMEDIES


def test_every_reason_has_one_remedy() -> None:
    """A sentence each, and no remedy without a reason."""
    assert set(REMEDIES) == set(Reason)
    for remedy in REMEDIES.values():
        assert remedy.endswith(".")
        assert len(remedy) > 20


def test_reasons_are_their_own_names() -> None:
    """Upper case with underscores, stable as labels."""
    for reason in Reason:
        assert reason.value == reason.name
        assert reason.value.replace("_", "").isupper() or any(c.isdigit() for c in reason.value)


@pytest.mark.parametrize("kind", [ParseError, CollateralError, VerificationError])
def test_errors_keep_their_values(kind: type[QuotaryError]) -> None:
    """In text, in copies and through pickles."""
    error = kind(Reason.FMSPC_MISMATCH, "FMSPC", expected="a", found="b")
    assert str(error) == "FMSPC_MISMATCH: FMSPC: expected a, found b"
    assert str(kind(Reason.FMSPC_MISMATCH, "FMSPC", found="b")).endswith("FMSPC: found b")
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):  # noqa: S301
        assert type(twin) is kind
        assert (twin.reason, twin.item, twin.expected, twin.found) == (
            error.reason,
            "FMSPC",
            "a",
            "b",
        )
    assert error.remedy == REMEDIES[Reason.FMSPC_MISMATCH]


def test_public_names_are_sorted_and_exist() -> None:
    """`__all__` is what a reader may rely on."""
    assert sorted(quotary.__all__, key=lambda n: (not n.isupper(), n)) == list(quotary.__all__)
    for name in quotary.__all__:
        assert hasattr(quotary, name)
