"""How an explanation is printed, and written as a page."""

from __future__ import annotations

import sys
from pathlib import Path

from quotary.cli.output import CommandError, ExitCode, exit_code_of, line_width, print_json
from quotary.verify.explain import Explanation
from quotary.verify.explain_page import explanation_page
from quotary.verify.explain_text import explanation_text

__all__ = ["show_explanation"]


def show_explanation(explanation: Explanation, *, as_json: bool, page: str | None) -> int:
    """
    Print the explanation, write the page if one is asked for, and return the verdict's exit code.

    Raises `CommandError` when the page cannot be written.
    """
    if page is not None:
        _write(page, explanation_page(explanation))
    if as_json:
        print_json(explanation.to_json())
    else:
        sys.stdout.write(explanation_text(explanation, line_width()))
    return ExitCode.OK if explanation.error is None else exit_code_of(explanation.error)


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else None
        raise CommandError(
            ExitCode.USAGE,
            "FILE_UNWRITABLE",
            name,
            found=cause or "not a file name",
            remedy="Name a file that can be written.",
        ) from error
