"""Options that say how a quote is judged: by which collateral, policy and root, and as of when."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Final

from quotary.cli._collateral_options import API_KEY_VARIABLE, TIMES, read_root
from quotary.cli._mishaps import translated
from quotary.cli._policy_file import read_policy
from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.fetch import CollateralClient, CollateralService
from quotary.policy import Policy, strict
from quotary.quote import Quote
from quotary.tcb import TcbStatus
from quotary.trust import Collateral, TrustRoot
from quotary.workloads import HardwareCheck, Quoted, hardware_check

__all__ = [
    "CollateralSource",
    "add_hardware_options",
    "chosen_check",
    "chosen_policy",
    "collateral_source",
    "require_extras",
]

CollateralSource = Callable[[bytes], Collateral | RawCollateral]
"""Returns what a raw quote is judged by. Raises `CommandError` or `QuotaryError`."""

_STATUSES: Final = [status.value for status in TcbStatus if status is not TcbStatus.REVOKED]
_FETCHED: Final = 64
"""Quotes whose collateral one command remembers; reports name a few nodes."""


def add_hardware_options(parser: ArgumentParser, *, alone: bool = False) -> None:
    """
    Add the options; collateral is given or fetched.

    Above the hardware, its check can knowingly be left out; with a quote `alone`, the policy.
    """
    group = parser.add_argument_group("hardware")
    choice = group.add_mutually_exclusive_group(required=True)
    stdin = "; - for stdin" if alone else ""
    choice.add_argument(
        "--collateral", metavar="FILE", help=f"verify the quote with this collateral, JSON{stdin}"
    )
    choice.add_argument(
        "--fetch", action="store_true", help="fetch the collateral, from Intel or from --pccs"
    )
    if not alone:
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
        "--pccs-ca-file",
        metavar="FILE",
        help="with --fetch: authorities of the service's TLS certificate, PEM",
    )
    group.add_argument("--at", metavar="TIME", help=f"verify as of this time, {TIMES}")
    group.add_argument(
        "--root", metavar="FILE", help="trust this root certificate instead of Intel's (tests only)"
    )
    _add_policy_options(parser, alone=alone)


def _add_policy_options(parser: ArgumentParser, *, alone: bool) -> None:
    # argparse keeps options that exclude each other together only inside one group.
    choice = parser.add_argument_group(
        "policy of the hardware", "by default strict: TCB status UpToDate, no debug"
    ).add_mutually_exclusive_group()
    choice.add_argument("--policy", metavar="FILE", help="judge by this policy file, TOML or JSON")
    if alone:
        choice.add_argument(
            "--no-policy", action="store_true", help="judge the evidence alone, report any status"
        )
    choice.add_argument(
        "--allow-status",
        action="append",
        choices=_STATUSES,
        metavar="STATUS",
        help=f"accept this TCB status besides UpToDate; repeatable: {', '.join(_STATUSES[1:])}",
    )


def chosen_policy(args: Namespace) -> Policy | None:
    """Return the policy the options name, None for none. Raises `CommandError`."""
    if getattr(args, "no_policy", False):
        return None
    if args.policy is not None:
        return read_policy(args.policy)
    allowed = {TcbStatus.UP_TO_DATE, *map(TcbStatus, args.allow_status or ())}
    return strict(allowed_statuses=frozenset(allowed))


def chosen_check(args: Namespace, at: datetime) -> HardwareCheck:
    """Return the check the options ask for. Raises `CommandError` or `ParseError`."""
    if args.no_hardware:
        if args.policy is not None or args.allow_status is not None:
            raise CommandError(
                ExitCode.USAGE,
                "USAGE",
                "--no-hardware",
                found="given with a policy of the hardware",
                remedy="Leave one of them out.",
            )
        return Quoted.unverified
    policy, root = chosen_policy(args), read_root(args.root)
    return hardware_check(collateral_source(args, root, at), policy=policy, at=at, root=root)


def collateral_source(args: Namespace, root: TrustRoot, at: datetime) -> CollateralSource:
    """Return where the options say collateral comes from. Raises `CommandError`, `ParseError`."""
    return _fetching(args, root, at) if args.fetch else _given(args)


def _given(args: Namespace) -> CollateralSource:
    if args.pccs_ca_file is not None:
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            "--pccs-ca-file",
            found="given without --fetch",
            remedy="Leave it out.",
        )
    collateral = RawCollateral.from_json(read_input(args.collateral, MAX_COLLATERAL_BYTES))
    return lambda _: collateral


def _fetching(args: Namespace, root: TrustRoot, at: datetime) -> CollateralSource:
    """Fetch what each quote needs, verified; a failure on the way is an error of the network."""
    api_key, ca_file = os.environ.get(API_KEY_VARIABLE) or None, args.pccs_ca_file
    with translated():
        if args.pccs:
            service = CollateralService.pccs(args.pccs, ca_file=ca_file, api_key=api_key)
        else:
            service = CollateralService(ca_file=ca_file, api_key=api_key)
        client = CollateralClient(service, root=root)

    # A live check judges a report before the request is sent, and again with the answer.
    @lru_cache(maxsize=_FETCHED)
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
