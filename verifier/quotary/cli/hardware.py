"""Options that say how the quote inside a workload's evidence is judged."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from quotary.cli._collateral_errors import translated
from quotary.cli._collateral_options import read_root
from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.fetch import CollateralClient, CollateralService
from quotary.policy import strict
from quotary.quote import Quote
from quotary.tcb import TcbStatus
from quotary.trust import Collateral, TrustRoot
from quotary.verify import verify
from quotary.workloads import HardwareCheck, Quoted

__all__ = ["add_hardware_options", "hardware_check", "require_extras"]

_Source = Callable[[bytes], Collateral | RawCollateral]
_STATUSES: Final = [status.value for status in TcbStatus if status is not TcbStatus.REVOKED]


def add_hardware_options(parser: ArgumentParser) -> None:
    """Add the options; either collateral is given, or hardware is knowingly left out."""
    group = parser.add_argument_group("hardware")
    choice = group.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--collateral", metavar="FILE", help="verify the quote inside with this collateral, JSON"
    )
    choice.add_argument(
        "--fetch", action="store_true", help="fetch the collateral, from Intel or from --pccs"
    )
    choice.add_argument(
        "--no-hardware",
        action="store_true",
        help="do NOT verify the quote: look at the layers above only (exit code 8)",
    )
    group.add_argument(
        "--pccs",
        metavar="URL",
        default=os.environ.get("QUOTARY_PCCS_URL"),
        help="with --fetch: ask this PCCS instead of Intel (QUOTARY_PCCS_URL)",
    )
    group.add_argument(
        "--at", metavar="TIME", help="verify as of this time, RFC 3339 or Unix seconds (now)"
    )
    group.add_argument(
        "--root", metavar="FILE", help="trust this root certificate instead of Intel's (tests only)"
    )
    group.add_argument(
        "--allow-status",
        action="append",
        choices=_STATUSES,
        metavar="STATUS",
        help=f"accept this TCB status besides UpToDate; repeatable: {', '.join(_STATUSES[1:])}",
    )


def hardware_check(args: Namespace, at: datetime) -> HardwareCheck:
    """Return the check the options ask for. Raises `CommandError` or `ParseError`."""
    if args.no_hardware:
        return Quoted.unverified
    allowed = frozenset({TcbStatus.UP_TO_DATE, *map(TcbStatus, args.allow_status or ())})
    policy, root = strict(allowed_statuses=allowed), read_root(args.root)
    source = _fetching(args, root, at) if args.fetch else _given(args)

    def check(quote: bytes) -> Quoted:
        verdict = verify(quote, source(quote), policy=policy, at=at, root=root)
        return Quoted.verified(quote, verdict)

    return check


def _given(args: Namespace) -> _Source:
    collateral = RawCollateral.from_json(read_input(args.collateral, MAX_COLLATERAL_BYTES))

    def source(_: bytes) -> RawCollateral:
        return collateral

    return source


def _fetching(args: Namespace, root: TrustRoot, at: datetime) -> _Source:
    """Fetch what each quote needs, verified; a failure on the way is an error of the network."""
    with translated():
        service = CollateralService() if args.pccs is None else CollateralService.pccs(args.pccs)
        client = CollateralClient(service, root=root)

    def source(quote: bytes) -> Collateral:
        with translated():
            return client.fetch(Quote.parse(quote), at=at).collateral

    return source


@contextmanager
def require_extras(extra: str) -> Iterator[None]:
    """Turn a missing package into an error that names the extra to install."""
    try:
        yield
    except ImportError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "EXTRA_MISSING",
            "quotary",
            found=f"{error.name or 'a package'} is not installed",
            remedy=f"Install it with: pip install 'quotary[{extra}]'.",
        ) from error
