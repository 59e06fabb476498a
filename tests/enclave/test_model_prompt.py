"""Questions and ballots out of plain text."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotary_enclave.model import Message, ModelReason, QuestionError
from quotary_enclave.model.prompt import MAX_OPTIONS, Option, parse_question


def parse(text: str) -> tuple[str, tuple[Option, ...], bool]:
    question = parse_question([Message("user", text)])
    return question.text, question.options, question.bare


@pytest.mark.parametrize(
    "ballot",
    [
        "Options:\n- yes: it helps\n- no",
        "options :\n\n  * yes: it helps\n  2) no",
        "OPTIONS: yes: it helps | no",
        "Options:\n1. yes: it helps\n(b) no",
    ],
)
def test_ballots_may_be_written_in_many_ways(ballot: str) -> None:
    """Bullets, numbers and one-liners mean the same."""
    text, options, bare = parse(f"Pay for it?\n{ballot}")
    assert text == "Pay for it?"
    assert options == (Option("yes", ("it helps",)), Option("no", ("no",)))
    assert not bare


def test_text_after_the_ballot_belongs_to_the_question() -> None:
    """A blank line ends the ballot; the form of the reply may stand anywhere."""
    text, options, bare = parse("Options:\n- a\n- b\n\nWhich?\nReply: label\nSoon.")
    assert (text, [option.label for option in options], bare) == ("Which?\nSoon.", ["a", "b"], True)


def test_only_the_user_is_read() -> None:
    """Other roles neither ask nor list options."""
    messages = [
        Message("system", "Options: a | b"),
        Message("user", "Which?"),
        Message("assistant", "Options: c | d"),
        Message("user", "Really."),
    ]
    question = parse_question(messages)
    assert (question.text, question.options) == ("Which?\nReally.", ())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", ModelReason.QUESTION_EMPTY),
        ("half a pair \ud800", ModelReason.QUESTION_MALFORMED),
        ("Options: a | b", ModelReason.QUESTION_EMPTY),
        ("Q\nOptions: a | b\nOptions: c | d", ModelReason.OPTIONS_AMBIGUOUS),
        ("Q\nOptions: a", ModelReason.OPTIONS_MALFORMED),
        ("Q\nOptions:\n", ModelReason.OPTIONS_MALFORMED),
        ("Q\nOptions: a | A", ModelReason.OPTIONS_MALFORMED),
        ("Q\nOptions: a | " + "b" * 81, ModelReason.OPTIONS_MALFORMED),
        ("Q\nOptions: a | : nameless", ModelReason.OPTIONS_MALFORMED),
        (
            "Q\nOptions: " + "|".join(f"o{index}" for index in range(MAX_OPTIONS + 1)),
            ModelReason.OPTIONS_MALFORMED,
        ),
    ],
)
def test_what_cannot_be_a_question_is_refused(text: str, reason: ModelReason) -> None:
    """Each refusal has its own reason; a second ballot hidden in a quoted text is one of them."""
    with pytest.raises(QuestionError) as caught:
        parse(text)
    assert caught.value.reason is reason


@given(st.text(max_size=200), st.sampled_from(["", "\nOptions:\n", "\nOptions: "]), st.text())
def test_any_text_parses_or_is_refused(before: str, header: str, after: str) -> None:
    """No text raises anything but our error."""
    with suppress(QuestionError):
        assert parse(before + header + after)[0]
