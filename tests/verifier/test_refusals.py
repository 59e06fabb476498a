"""Every reason of the catalogue is brought about, and says the item, the expected and the found."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quotary import Reason
from quotary.errors import REMEDIES

from tests.verifier.refusals import REFUSALS, refusal_of, terms_of

WRITTEN = json.loads(Path(__file__).with_name("refusals.json").read_text(encoding="utf-8"))


def test_every_reason_has_a_refusal() -> None:
    """No reason that nothing gives, and none whose words are not written down."""
    assert set(REFUSALS) == set(Reason)
    assert set(WRITTEN) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_refusal_says_what_is_written(reason: Reason) -> None:
    """Reason, item, expected and found, word for word; and what can be done about it."""
    error = refusal_of(reason)
    assert error.reason is reason
    assert terms_of(error) == WRITTEN[reason]
    assert error.item
    assert error.expected or error.found
    assert error.remedy == REMEDIES[reason]
    for text in (str(error), error.remedy):
        assert text.isascii()
        assert text.isprintable()
