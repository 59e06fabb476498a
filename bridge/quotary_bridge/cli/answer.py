"""How commands end: one answer on stdout, or one line that says what is wrong and what to do."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Callable, Mapping
from functools import wraps

from quotary.cli.output import CommandError, ExitCode, exit_code_of, print_json, visible
from quotary.errors import QuotaryError

from quotary_bridge.errors import (
    BridgeError,
    ContractError,
    EvidenceRejected,
    Fatal,
    InsufficientFunds,
    NotFinal,
    Reason,
)
from quotary_bridge.observe import configure_logging

__all__ = ["SCHEMA_VERSION", "answer", "command", "exit_code"]

SCHEMA_VERSION = 1
"""Of every object that `--json` prints; a field is added without, but never changed or removed."""

# JSON numbers beyond this lose digits in JavaScript and many other readers (RFC 8259, section 6).
_EXACT_INTEGER = 2**53


def command(run: Callable[[Namespace], int]) -> Callable[[Namespace], int]:
    """Make `run` end every failure we know in one line, or one JSON object, and its exit code."""

    @wraps(run)
    def wrapped(args: Namespace) -> int:
        configure_logging(verbosity=args.verbose)
        try:
            return run(args)
        except (BridgeError, QuotaryError, CommandError) as error:
            _report(error, as_json=args.json)
            return exit_code(error)

    return wrapped


def answer(args: Namespace, fields: Mapping[str, object], text: str) -> None:
    """Print the result: `fields` with `--json`, else `text`."""
    if args.json:
        print_json({"schema_version": SCHEMA_VERSION, "ok": True, **_plain(fields)})
    else:
        lines = (visible(line) for line in text.splitlines())
        sys.stdout.write("\n".join(lines) + "\n")


def exit_code(error: BridgeError | QuotaryError | CommandError) -> ExitCode:
    """Return the exit code that an error ends the program with."""
    match error:
        case QuotaryError() | CommandError():
            return exit_code_of(error)
        case ContractError():
            return ExitCode.REVERTED
        case NotFinal():
            return ExitCode.NOT_FINAL
        case EvidenceRejected():
            stale = error.reason is Reason.EVIDENCE_STALE
            return ExitCode.STALE if stale else ExitCode.REJECTED
        case Fatal() | InsufficientFunds():
            return ExitCode.CONFIGURATION
        case _:
            return ExitCode.NETWORK


def _report(error: BridgeError | QuotaryError | CommandError, *, as_json: bool) -> None:
    message = error.message if isinstance(error, BridgeError) else str(error)
    remedy = error.remedy
    if as_json:
        document: dict[str, object] = {
            "schema_version": SCHEMA_VERSION,
            "ok": False,
            "exit_code": int(exit_code(error)),
            "reason": str(error.reason),
            "message": message,
            "remedy": remedy,
        }
        if isinstance(error, ContractError):
            document["error"] = _decoded(error)
        print_json(document)
        return
    # The verifier's remedies are sentences of their own, the bridge's go on with the message.
    joint = "; " if isinstance(error, BridgeError) else ". "
    end = f"{joint}{remedy}" if remedy else ""
    sys.stderr.write(f"quotary: {visible(f'{message}{end}')}\n")


def _decoded(error: ContractError) -> dict[str, object]:
    return {
        "name": error.name,
        "values": _plain(error.values),
        "data": f"0x{error.data.hex()}",
        "inner": None if error.inner is None else _decoded(error.inner),
    }


def _plain(value: Mapping[str, object]) -> dict[str, object]:
    return {key: _json(item) for key, item in value.items()}


def _json(value: object) -> object:
    match value:
        case bytes():
            return f"0x{value.hex()}"
        case bool() | None | str():
            return value
        case int():
            return int(value) if abs(value) < _EXACT_INTEGER else str(int(value))
        case Mapping():
            return {str(key): _json(item) for key, item in value.items()}
        case list() | tuple():
            return [_json(item) for item in value]
        case _:
            return str(value)
