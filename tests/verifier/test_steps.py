"""The steps are the numbered list that `verify` promises."""

from __future__ import annotations

import re

from quotary import verify
from quotary.verify import STEPS


def test_steps_carry_the_numbers_of_the_docstring() -> None:
    """One to eleven, none missing, and each needs only earlier ones."""
    numbers = [step.number for step in STEPS]
    promised = [
        int(number) for number in re.findall(r"^ +(\d+)\. ", verify.__doc__ or "", re.MULTILINE)
    ]
    assert numbers == promised[1:] == list(range(1, 12))
    for step in STEPS:
        assert all(needed < step.number for needed in step.needs)
        assert step.title
