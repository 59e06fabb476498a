"""Options that say how the quote inside a workload's evidence is judged."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Final

from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.errors import QuotaryError
from quotary.fetch import CollateralClient, CollateralService, FetchError
from quotary.policy import strict
from quotary.quote import Quote
from quotary.tcb import TcbStatus
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot
from quotary.verify import verify
from quotary.workloads import HardwareCheck, Quoted

__all__ = ["add_hardware_options", "hardware_check", "network_failure", "require_extras"]

_MAX_ROOT_BYTES: Final = 16 * 1024
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
    group.add_argument("--pccs", metavar="URL", help="with --fetch: ask this PCCS")
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
    policy, root = strict(allowed_statuses=allowed), _root(args.root)
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
    """Fetch what each quote needs; a failure on the way is an error of the network."""

    def source(quote: bytes) -> Collateral:
        try:
            service = (
                CollateralService() if args.pccs is None else CollateralService.pccs(args.pccs)
            )
            with require_extras("fetch"):
                client = CollateralClient(service, root=root)
            return client.fetch(Quote.parse(quote), at=at).collateral
        except FetchError as error:
            raise network_failure(error) from error
        except ValueError as error:
            raise CommandError(
                ExitCode.USAGE,
                "USAGE",
                "--pccs",
                found=str(error),
                remedy="Give the address of a PCCS, https or on loopback.",
            ) from error

    return source


def network_failure(error: FetchError) -> CommandError:
    """Return the error that ends a command with exit code 3."""
    found = error.expected if error.found is None else error.found
    return CommandError(
        ExitCode.NETWORK, str(error.reason), error.item, found=found, remedy=error.remedy
    )


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
