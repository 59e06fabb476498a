"""
A question and its options, out of the plain text a person or a contract writes.

    Should the treasury pay 20,000 USDC for a security audit?
    Options:
    - approve: the request is sound and useful
    - reject: the request harms the treasury

`Options:` stands alone on its line with one option per line below it, or is followed by options
separated by `|`. An option is a label, optionally `: ` and a description. A line `Reply: label`
asks for the bare label; `Reply: json` is the default.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quotary_enclave.model.errors import ModelReason, QuestionError
from quotary_enclave.model.port import Message

__all__ = ["MAX_LABEL_CHARACTERS", "MAX_OPTIONS", "Option", "Question", "parse_question"]

MIN_OPTIONS = 2
"""With one option there is nothing to choose."""

MAX_OPTIONS = 16
"""More options than a ballot needs; bounds the work one question can ask for."""

MAX_LABEL_CHARACTERS = 80
"""A label goes into the answer, which goes on chain: 80 characters are a headline."""

_OPTIONS = re.compile(r"^\s*options\s*:\s*(?P<inline>.*?)\s*$", re.IGNORECASE)
_REPLY = re.compile(r"^\s*reply\s*:\s*(?P<form>label|json)\s*$", re.IGNORECASE)
_BULLET = re.compile(r"^\s*(?:[-*\u2022]|\(?[0-9]{1,2}[.)]|\(?[A-Za-z][.)])\s+")


@dataclass(frozen=True, slots=True)
class Option:
    """One thing the model may choose: what it is called, and what it means."""

    label: str
    meanings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, what may be chosen (nothing: the model's own set), and the answer's form."""

    text: str
    options: tuple[Option, ...]
    bare: bool


def parse_question(messages: Sequence[Message]) -> Question:
    """
    Read the question out of the user's messages; other roles are not read.

    Raises `QuestionError`: no text, or none that is Unicode; options missing a label, repeated,
    fewer than `MIN_OPTIONS` or more than `MAX_OPTIONS`; or more than one `Options:` line, because
    a text quoted inside a question must not be able to swap the ballot.
    """
    content = "\n".join(message.content for message in messages if message.role == "user")
    _require_unicode(content)
    lines: list[str] = []
    blocks: list[list[str]] = []
    bare = False
    collecting = False
    for line in content.splitlines():
        if reply := _REPLY.match(line):
            bare = reply["form"].lower() == "label"
        elif header := _OPTIONS.match(line):
            inline = header["inline"]
            blocks.append(inline.split("|") if inline else [])
            collecting = not inline
        elif collecting and line.strip():
            blocks[-1].append(line)
        else:
            # Blank lines straight after the header are layout; one after an option ends the list.
            collecting = collecting and not blocks[-1]
            lines.append(line)
    text = "\n".join(lines).strip()
    if not text:
        raise QuestionError(ModelReason.QUESTION_EMPTY, "no user message holds any text")
    if len(blocks) > 1:
        raise QuestionError(
            ModelReason.OPTIONS_AMBIGUOUS, f"{len(blocks)} lines say 'Options:', at most one may"
        )
    return Question(text, _parse_options(blocks[0]) if blocks else (), bare)


def _require_unicode(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise QuestionError(
            ModelReason.QUESTION_MALFORMED, f"no Unicode text at character {error.start}"
        ) from error


def _parse_options(lines: Iterable[str]) -> tuple[Option, ...]:
    options = tuple(_parse_option(line) for line in lines if line.strip())
    if not MIN_OPTIONS <= len(options) <= MAX_OPTIONS:
        raise QuestionError(
            ModelReason.OPTIONS_MALFORMED,
            f"{len(options)} options, not {MIN_OPTIONS} to {MAX_OPTIONS}",
        )
    labels = {option.label.casefold() for option in options}
    if len(labels) != len(options):
        raise QuestionError(ModelReason.OPTIONS_MALFORMED, "two options have the same label")
    return options


def _parse_option(line: str) -> Option:
    text = _BULLET.sub("", line).strip()
    label, _, description = text.partition(": ")
    label = label.rstrip(":").strip()
    if not 0 < len(label) <= MAX_LABEL_CHARACTERS:
        raise QuestionError(
            ModelReason.OPTIONS_MALFORMED,
            f"an option's label has {len(label)} characters, not 1 to {MAX_LABEL_CHARACTERS}",
        )
    return Option(label, (description.strip() or label,))
