"""`quotary demo`: the whole path, played on a chain of its own."""

from __future__ import annotations

import io
import logging
import signal
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import CommandError, ExitCode, print_json
from rich.console import Console

from quotary_bridge.cli.answer import command
from quotary_bridge.cli.options import add_output_flags
from quotary_bridge.demo.report import Report

__all__ = ["register"]

_PLAIN_COLUMNS = 110
_TERMINATED = 128 + signal.SIGTERM


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "demo",
        help="from a genuine quote to a dApp's callback, on a chain of its own",
        description="Starts a local chain, verifies genuine Intel evidence, registers five "
        "simulated workers, relays a model's answer to a contract, has three of five agree while "
        "one lies and others are killed, and tries four attacks. Leaves nothing running.",
        epilog="example: quotary demo --json",
    )
    add_output_flags(parser)
    parser.add_argument(
        "--plain",
        action="store_true",
        help="no colours, no progress display; with --json the story goes to stderr",
    )
    parser.set_defaults(run=command(_run))


def _run(args: Namespace) -> int:
    # The demonstration is the one command that needs every extra: name the missing one at once.
    from quotary_bridge.demo.failures import DemoError  # noqa: PLC0415
    from quotary_bridge.demo.story import tell  # noqa: PLC0415

    logging.captureWarnings(capture=True)
    # A plain SIGTERM would end this process and leave the chain and the workers running.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(_TERMINATED))
    try:
        told = tell(Report(_console(args)))
    except DemoError as error:
        raise CommandError(
            ExitCode.REJECTED, error.reason, "demonstration", found=str(error), remedy=error.remedy
        ) from error
    if args.json:
        print_json(told)
    return ExitCode.OK


def _console(args: Namespace) -> Console:
    if args.plain:
        return Console(
            highlight=False,
            no_color=True,
            force_terminal=False,
            width=_PLAIN_COLUMNS,
            stderr=args.json,
        )
    if args.json:
        return Console(file=io.StringIO())
    return Console(highlight=False)
