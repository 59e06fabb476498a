"""Options and steps of the commands that ask a gateway themselves."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from quotary.cli._mishaps import translated
from quotary.cli.hardware import require_extras
from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.errors import ParseError, Reason
from quotary.fetch import FetchError
from quotary.workloads import parse_json

if TYPE_CHECKING:
    from quotary.workloads.live import Gateway

__all__ = [
    "API_KEY_VARIABLE",
    "add_gateway_options",
    "chat_id_of",
    "open_gateway",
    "require_absent",
    "require_together",
]

API_KEY_VARIABLE: Final = "QUOTARY_GATEWAY_API_KEY"
_MAX_KEY_BYTES: Final = 4096
_MAX_SECONDS: Final = 86_400
_DATA: Final = b"data:"


def add_gateway_options(parser: ArgumentParser) -> None:
    """Add the options that name a gateway to ask."""
    group = parser.add_argument_group("live")
    group.add_argument("--url", metavar="URL", help="ask this gateway; https, or http on loopback")
    group.add_argument(
        "--api-key-file",
        metavar="FILE",
        help=f"the API key; without it, the environment's {API_KEY_VARIABLE}",
    )
    group.add_argument("--ca-file", metavar="FILE", help="trust these TLS authorities, PEM")
    group.add_argument(
        "--answer-seconds",
        type=_positive,
        metavar="SECONDS",
        help="the most one answer may take, connection to last byte (300); silence ends after 60",
    )


@contextmanager
def open_gateway(args: Namespace) -> Iterator[Gateway]:
    """Open the gateway the options name; what fails on the way is an error of the network."""
    with require_extras("fetch"):
        from quotary.workloads.live import Gateway, LiveLimits  # noqa: PLC0415 - needs the extra
    limits, most = LiveLimits(), args.answer_seconds
    if most is not None:
        silence = min(limits.read_seconds, most)
        limits = replace(limits, read_seconds=silence, answer_seconds=most)
    with translated():
        yield Gateway(args.url, api_key=_api_key(args), ca_file=args.ca_file, limits=limits)


def require_together(args: Namespace, *names: str) -> None:
    """Raise `CommandError` unless all the options named were given."""
    missing = [f"--{name}" for name in names if getattr(args, name) is None]
    if missing:
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            ", ".join(missing),
            found="missing",
            remedy="Give the files, or --url to ask the gateway itself.",
        )


def require_absent(args: Namespace, reason: str, *names: str) -> None:
    """Raise `CommandError` when an option was given that would silently be ignored."""
    given = [f"--{name}" for name in names if getattr(args, name) is not None]
    if given:
        raise CommandError(
            ExitCode.USAGE, "USAGE", ", ".join(given), found=reason, remedy="Leave it out."
        )


def chat_id_of(body: bytes) -> str:
    """
    Return the `id` of an answer, of a stream that of its first event.

    Raises `FetchError`: without an id nothing can be asked about the answer.
    """
    for line in (body, *body.splitlines()):
        try:
            document = parse_json(line.removeprefix(_DATA), "answer")
        except ParseError:
            continue
        if isinstance(document, dict) and isinstance(document.get("id"), str):
            return str(document["id"])
    raise FetchError(Reason.FETCH_ANSWER_INVALID, "answer", expected="an id")


def _positive(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds <= _MAX_SECONDS:
        raise ArgumentTypeError(f"{text!r} is no number of seconds from 0 to {_MAX_SECONDS}")
    return seconds


def _api_key(args: Namespace) -> str | None:
    if args.api_key_file is None:
        source, key = API_KEY_VARIABLE, os.environ.get(API_KEY_VARIABLE)
        if key is None:
            return None
    else:
        source = args.api_key_file
        key = read_input(source, _MAX_KEY_BYTES).decode("latin-1").strip()
    # Checked here, because the HTTP library would repeat an unfit header in its complaint.
    if not key or len(key) > _MAX_KEY_BYTES or not (key.isascii() and key.isprintable()):
        raise CommandError(
            ExitCode.CONFIGURATION,
            "API_KEY_INVALID",
            source,
            found="not one line of printable ASCII",
            remedy="Put the key alone into the file or the variable.",
        )
    return key
