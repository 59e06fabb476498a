"""Files, standard input and times, as commands are given them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from quotary.cli.output import CommandError, ExitCode
from quotary.errors import Reason

__all__ = ["read_input", "read_time", "read_whole"]

_MAX_SECONDS: Final = 253_402_300_799


def read_input(name: str, limit: int) -> bytes:
    """
    Return the bytes of the file `name`, `-` being standard input, but at most `limit` + 1.

    The one byte more lets the parser say that there are too many. Raises `CommandError`.
    """
    try:
        if name == "-":
            return sys.stdin.buffer.read(limit + 1)
        with Path(name).open("rb") as file:
            return file.read(limit + 1)
    except (OSError, ValueError) as error:
        cause = error.strerror if isinstance(error, OSError) else None
        raise CommandError(
            ExitCode.USAGE,
            "FILE_UNREADABLE",
            name,
            found=cause or "not a file name",
            remedy="Name a readable file, or - for standard input.",
        ) from error


def read_whole(name: str, limit: int) -> bytes:
    """
    Return the bytes of the file `name`, `-` being standard input, where they are at most `limit`.

    For what no parser measures: bytes that are hashed or sent as they are. Raises `CommandError`.
    """
    data = read_input(name, limit)
    if len(data) > limit:
        raise CommandError(
            ExitCode.USAGE,
            Reason.INPUT_TOO_LARGE,
            name,
            found=f"more than {limit} bytes",
            remedy="Check the file's name.",
        )
    return data


def read_time(text: str | None) -> datetime:
    """
    Return the time `text` names, RFC 3339 or Unix seconds; now when None.

    This is where the clock is read, once per command. Raises `CommandError`.
    """
    if text is None:
        return datetime.now(UTC)  # noqa: TID251  # the edge
    try:
        if text.isascii() and text.isdigit():
            moment = datetime.fromtimestamp(min(int(text), _MAX_SECONDS + 1), UTC)
        else:
            moment = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError) as error:
        raise _bad_time(text) from error
    if moment.tzinfo is None:
        raise _bad_time(text)
    return moment


def _bad_time(text: str) -> CommandError:
    return CommandError(
        ExitCode.USAGE,
        "TIME_INVALID",
        "--at",
        found=text[:40],
        remedy="Give a time like 2025-07-04T10:28:44Z, or Unix seconds.",
    )
