"""An explanation as a table for people at a terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import Final

from quotary.verify.explain import Check, CheckStatus, Explanation, Shortfall

__all__ = ["explanation_text", "folded", "printable", "shortfall_text"]

_MARKS: Final = {CheckStatus.PASS: "pass", CheckStatus.FAIL: "FAIL", CheckStatus.SKIPPED: "skip"}
_WIDTH: Final = 7
"""Of the longest number, such as 11.10, and two spaces."""
_NARROWEST: Final = 20
"""Folding never leaves less room than this for text."""


def printable(text: str) -> str:
    """Return `text` with everything a terminal could act upon escaped."""
    return "".join(
        character if character.isascii() and character.isprintable() else ascii(character)[1:-1]
        for character in text
    )


def shortfall_text(shortfall: Shortfall) -> str:
    """Return one sentence: the status, and every version it would need."""
    needs = "; ".join(
        f"{need.component} has {need.has}, needs {need.needs}" for need in shortfall.needs
    )
    return f"for {shortfall.status}: {needs}"


def folded(line: str, indent: int, width: int | None) -> list[str]:
    """Return `line` in lines of at most `width`, from the second on indented; whole without one."""
    if width is None or len(line) <= width:
        return [line]
    return textwrap.wrap(
        line,
        max(width, indent + _NARROWEST),
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def explanation_text(explanation: Explanation, width: int | None = None) -> str:
    """
    Return a line for every check, what failed with its remedy below, and the outcome last.

    Lines longer than `width` are folded.
    """
    lines = [line for check in explanation.checks for line in _lines(check)]
    lines.append(_outcome(explanation))
    indent = 6 + _WIDTH
    return "".join(f"{part}\n" for line in lines for part in folded(printable(line), indent, width))


def _lines(check: Check) -> Iterator[str]:
    head = f"{_MARKS[check.status]}  {check.number:<{_WIDTH}}{check.title}"
    if check.status is CheckStatus.PASS and check.found:
        head += f" ({check.found})"
    elif check.note:
        head += f" ({check.note})"
    yield head
    margin = " " * (6 + _WIDTH)
    if check.status is CheckStatus.FAIL:
        yield f"{margin}{check.reason}: {check.item}"
        for name, value in (("expected", check.expected), ("found", check.found)):
            if value is not None:
                yield f"{margin}{name:<8}  {value}"
        yield f"{margin}remedy    {check.remedy}"
    for shortfall in check.shortfalls:
        yield f"{margin}{shortfall_text(shortfall)}"


def _outcome(explanation: Explanation) -> str:
    counts = ", ".join(
        f"{explanation.count(status)} {word}"
        for status, word in (
            (CheckStatus.PASS, "passed"),
            (CheckStatus.FAIL, "failed"),
            (CheckStatus.SKIPPED, "skipped"),
        )
    )
    if explanation.verdict is not None:
        verdict = explanation.verdict
        return f"accepted: {verdict.tee_type.name}, TCB {verdict.tcb_status.value} ({counts})"
    return f"refused: {explanation.error} ({counts})"
