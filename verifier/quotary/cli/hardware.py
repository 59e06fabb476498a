"""Options that say how the quote inside a workload's evidence is judged."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from datetime import datetime
from typing import Final

from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.errors import QuotaryError
from quotary.policy import strict
from quotary.tcb import TcbStatus
from quotary.trust import INTEL_ROOT, TrustRoot
from quotary.verify import verify
from quotary.workloads import HardwareCheck, Quoted

__all__ = ["add_hardware_options", "hardware_check"]

_MAX_ROOT_BYTES: Final = 16 * 1024
_STATUSES: Final = [status.value for status in TcbStatus if status is not TcbStatus.REVOKED]


def add_hardware_options(parser: ArgumentParser) -> None:
    """Add the options; either collateral is given, or hardware is knowingly left out."""
    group = parser.add_argument_group("hardware")
    choice = group.add_mutually_exclusive_group(required=True)
    choice.add_argument(
        "--collateral", metavar="FILE", help="verify the quote inside with this collateral, JSON"
    )
    choice.add_argument(
        "--no-hardware",
        action="store_true",
        help="do NOT verify the quote: look at the layers above only (exit code 8)",
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
    collateral = RawCollateral.from_json(read_input(args.collateral, MAX_COLLATERAL_BYTES))
    allowed = frozenset({TcbStatus.UP_TO_DATE, *map(TcbStatus, args.allow_status or ())})
    policy, root = strict(allowed_statuses=allowed), _root(args.root)

    def check(quote: bytes) -> Quoted:
        return Quoted.verified(quote, verify(quote, collateral, policy=policy, at=at, root=root))

    return check


def _root(name: str | None) -> TrustRoot:
    if name is None:
        return INTEL_ROOT
    try:
        return TrustRoot.from_certificate(read_input(name, _MAX_ROOT_BYTES))
    except QuotaryError as error:
        raise CommandError(
            ExitCode.CONFIGURATION,
            "ROOT_INVALID",
            name,
            found=str(error),
            remedy="Give one self-signed root certificate, PEM or DER.",
        ) from error
