"""The options the commands of `quotary collateral` share, and how their values are read."""

from __future__ import annotations

import os
from argparse import ArgumentParser, ArgumentTypeError
from datetime import timedelta
from pathlib import Path
from typing import Final

from quotary.cli.inputs import read_input
from quotary.cli.output import CommandError, ExitCode
from quotary.errors import QuotaryError
from quotary.fetch import FMSPC_BYTES, Limits, PckCa, UpdateChannel
from quotary.trust import INTEL_ROOT, TrustRoot

__all__ = [
    "API_KEY_VARIABLE",
    "TIMES",
    "add_cache",
    "add_json",
    "add_service",
    "add_service_address",
    "add_target",
    "days",
    "read_root",
    "seconds",
]

API_KEY_VARIABLE: Final = "QUOTARY_PCS_API_KEY"
"""The subscription key for the collateral service; never an option, which others could see."""

TIMES: Final = "RFC 3339 or Unix seconds (now)"

_MAX_DAYS: Final = 3650
_MAX_ROOT_BYTES: Final = 16 * 1024


def add_target(parser: ArgumentParser, *, required: bool, file: bool = False) -> None:
    """Add what says whose collateral is meant; `file` allows collateral in a file."""
    choice = parser.add_mutually_exclusive_group(required=required)
    choice.add_argument("--quote", metavar="FILE", help="the platform of this quote; - for stdin")
    choice.add_argument("--fmspc", type=_fmspc, metavar="HEX", help="platforms of this FMSPC")
    if file:
        choice.add_argument("--file", metavar="FILE", help="collateral in this file, JSON")
    parser.add_argument(
        "--tee", choices=("sgx", "tdx"), default="tdx", help="with --fmspc: TEE type (tdx)"
    )
    parser.add_argument(
        "--ca",
        type=PckCa,
        choices=list(PckCa),
        default=PckCa.PLATFORM,
        metavar="CA",
        help="with --fmspc: the PCK certificate's authority, platform or processor (platform)",
    )
    parser.add_argument(
        "--channel",
        type=_channel,
        default=UpdateChannel(),
        metavar="CHANNEL",
        help="TCB update channel: standard, early, or a TCB evaluation data number (standard)",
    )


def add_service(parser: ArgumentParser) -> None:
    """Add what says which service to ask, and how patiently."""
    add_service_address(parser)
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=Limits().total_seconds,
        metavar="SECONDS",
        help="for all documents and retries together (120)",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress on stderr")


def add_service_address(parser: ArgumentParser) -> None:
    """Add what says which service to ask."""
    parser.add_argument(
        "--pccs",
        metavar="URL",
        default=os.environ.get("QUOTARY_PCCS_URL"),
        help="ask this PCCS instead of Intel (QUOTARY_PCCS_URL)",
    )
    parser.add_argument(
        "--ca-file", metavar="FILE", help="authorities of the service's TLS certificate, PEM"
    )


def add_cache(parser: ArgumentParser) -> None:
    """Add where collateral is filed, and under which root."""
    parser.add_argument(
        "--cache-dir",
        type=Path,
        default=_default_cache(),
        metavar="DIR",
        help="where collateral is filed (QUOTARY_CACHE_DIR)",
    )
    parser.add_argument(
        "--root", metavar="FILE", help="trust this root certificate instead of Intel's (tests only)"
    )


def add_json(parser: ArgumentParser) -> None:
    """Add the choice of output for programs."""
    parser.add_argument("--json", action="store_true", help="print JSON and nothing else")


def _default_cache() -> Path:
    named = os.environ.get("QUOTARY_CACHE_DIR")
    if named:
        return Path(named)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "quotary" / "collateral"


def _fmspc(text: str) -> bytes:
    digits = text.removeprefix("0x")
    if len(digits) != 2 * FMSPC_BYTES or not digits.isascii() or not digits.isalnum():
        raise ArgumentTypeError("an FMSPC has 12 hex digits")
    try:
        return bytes.fromhex(digits)
    except ValueError as error:
        raise ArgumentTypeError("an FMSPC has 12 hex digits") from error


def _channel(text: str) -> UpdateChannel:
    try:
        return UpdateChannel.parse(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error


def days(text: str) -> timedelta:
    """Read a number of days."""
    return timedelta(days=_number(text, _MAX_DAYS, "days"))


def seconds(text: str) -> float:
    """Read a number of seconds above zero."""
    value = _number(text, _MAX_DAYS * 86400, "seconds")
    if value == 0:
        raise ArgumentTypeError("more than zero seconds")
    return value


def _number(text: str, limit: int, unit: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise ArgumentTypeError(f"a number of {unit}") from error
    if not 0 <= value <= limit:
        raise ArgumentTypeError(f"between 0 and {limit} {unit}")
    return value


def read_root(name: str | None) -> TrustRoot:
    """Return Intel's root, or the one in the file `name`. Raises `CommandError`."""
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
