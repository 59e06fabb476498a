"""What all commands share: exit codes, errors with a code, and how results are printed."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import IntEnum
from shutil import get_terminal_size
from typing import Final

from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch import FetchError
from quotary.verify.explain_text import folded, printable

__all__ = [
    "SCHEMA_VERSION",
    "CommandError",
    "ExitCode",
    "exit_code_of",
    "line_width",
    "print_failure",
    "print_json",
    "print_table",
    "shown_time",
    "visible",
]


SCHEMA_VERSION: Final = 1
"""Of everything printed with `--json`; it counts up when a field changes its meaning or goes."""


class ExitCode(IntEnum):
    """What the exit code of `quotary` says."""

    OK = 0
    REJECTED = 1
    USAGE = 2
    NETWORK = 3
    REVERTED = 4
    NOT_FINAL = 5
    CONFIGURATION = 6
    STALE = 7
    PARTIAL = 8


class CommandError(Exception):
    """
    A command could not do its work, for a reason that is not the evidence.

    `remedy` is a sentence that says what to do.
    """

    def __init__(
        self, code: ExitCode, reason: str, item: str, *, found: str | None = None, remedy: str = ""
    ) -> None:
        """Stop with `code`."""
        super().__init__(code, reason, item, found, remedy)
        self.code = code
        self.reason = reason
        self.item = item
        self.found = found
        self.remedy = remedy

    def __str__(self) -> str:
        """One line: reason, item, what was found."""
        found = "" if self.found is None else f": {self.found}"
        return f"{self.reason}: {self.item}{found}"


_STALE: Final = frozenset(
    {
        Reason.CERT_EXPIRED,
        Reason.CRL_EXPIRED,
        Reason.COLLATERAL_EXPIRED,
        Reason.COLLATERAL_ROLLBACK,
        Reason.CACHE_EMPTY,
        Reason.CACHE_DAMAGED,
    }
)
_CONFIGURATION: Final = frozenset(
    {Reason.HOST_NOT_ALLOWED, Reason.TLS_REQUIRED, Reason.PATH_ESCAPE}
)


def exit_code_of(error: QuotaryError | CommandError) -> ExitCode:
    """Return the exit code an error ends the program with: the same in every command."""
    if isinstance(error, CommandError):
        return error.code
    if error.reason in _CONFIGURATION:
        return ExitCode.CONFIGURATION
    if isinstance(error, FetchError):
        return ExitCode.NETWORK
    if isinstance(error, CollateralError) and error.reason in _STALE:
        return ExitCode.STALE
    return ExitCode.REJECTED


def print_failure(error: QuotaryError | CommandError, *, as_json: bool) -> None:
    """Print an error: one JSON object on stdout, or one line on stderr."""
    if as_json:
        print_json(
            {
                "ok": False,
                "exit_code": int(exit_code_of(error)),
                "reason": str(error.reason),
                "item": error.item,
                "expected": error.expected if isinstance(error, QuotaryError) else None,
                "found": error.found,
                "remedy": error.remedy,
            }
        )
        return
    remedy = f" {error.remedy}" if error.remedy else ""
    sys.stderr.write(f"quotary: {visible(str(error))}.{visible(remedy)}\n")


def print_json(value: Mapping[str, object]) -> None:
    """Print one JSON object with its `schema_version` on one line of stdout, in ASCII."""
    sys.stdout.write(json.dumps({"schema_version": SCHEMA_VERSION, **value}) + "\n")


def print_table(title: str, rows: Mapping[str, object]) -> None:
    """Print a title and aligned rows on stdout; control characters are escaped."""
    sys.stdout.write(visible(title) + "\n")
    column, width = max(map(len, rows), default=0), line_width()
    for name, value in rows.items():
        line = f"  {visible(name):<{column}}  {visible(str(value))}"
        sys.stdout.write("\n".join(folded(line, column + 4, width)) + "\n")


def line_width() -> int | None:
    """Return how wide lines may be: a terminal's width; None into files and pipes, for programs."""
    return get_terminal_size().columns if sys.stdout.isatty() else None


def shown_time(seconds: int) -> str:
    """Return Unix seconds as RFC 3339."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def visible(text: str) -> str:
    """Return `text` with everything a terminal could act upon escaped."""
    return printable(text)
