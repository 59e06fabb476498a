"""`quotary collateral`: fetch it, look at it, be warned before it ends, keep it fresh."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

from quotary.cli._collateral_ages import Ages, ages_of, print_ages, verified_when_current
from quotary.cli._collateral_lists import add_lists
from quotary.cli._collateral_options import (
    TIMES,
    add_cache,
    add_json,
    add_service,
    add_service_address,
    add_target,
    days,
    read_root,
    seconds,
)
from quotary.cli._collateral_service import client_of, service_of
from quotary.cli._collateral_watch import Watch
from quotary.cli._mishaps import translated
from quotary.cli.inputs import read_input, read_time
from quotary.cli.output import CommandError, ExitCode, print_json, visible
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.errors import CollateralError, Reason
from quotary.fetch import (
    CacheEntry,
    CollateralCache,
    CollateralClient,
    Limits,
    PlatformKey,
    Target,
    UpdateChannel,
    target_of,
)
from quotary.quote import Quote
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary.tcb import TeeType
from quotary.trust import TrustRoot

__all__ = [
    "add_filing",
    "add_platform",
    "add_source",
    "filing",
    "platform",
    "read_source",
    "register",
]


def register(
    subparsers: _SubParsersAction[ArgumentParser],
) -> _SubParsersAction[ArgumentParser]:
    """Add the command; returns where more commands of `quotary collateral` can be added."""
    parser = subparsers.add_parser("collateral", help="fetch, show and watch collateral")
    commands: _SubParsersAction[ArgumentParser] = parser.add_subparsers(
        dest="collateral_command", required=True, metavar="COMMAND"
    )
    _add_fetch(commands)
    _add_show(commands)
    _add_age(commands)
    _add_watch(commands)
    add_lists(commands)
    return commands


def add_source(parser: ArgumentParser) -> None:
    """Add where a command gets collateral: out of a file, or from a service."""
    add_target(parser, required=True, file=True)
    add_service_address(parser)


def read_source(args: Namespace, root: TrustRoot, at: datetime) -> RawCollateral:
    """
    Return the collateral that the options of `add_source` name, fetched and verified as of `at`
    where it is not in a file.

    Raises `QuotaryError` or `CommandError`.
    """
    if args.file is not None:
        return _read_collateral(args.file)
    with translated():
        service = service_of(args, args.channel, Limits())
        return CollateralClient(service, root=root).fetch(_target(args), at=at).raw


def add_platform(parser: ArgumentParser) -> None:
    """Add whose collateral is meant, for `platform` to read, and on which channel."""
    add_target(parser, required=True)


def platform(args: Namespace) -> PlatformKey:
    """Return what the collateral that `add_platform` named is filed under; needs no service."""
    return _key(args)


def add_filing(parser: ArgumentParser) -> None:
    """Add which service to ask and where to file what it says, for `filing` to read."""
    add_service(parser)
    add_cache(parser)


def filing(args: Namespace) -> Callable[[UpdateChannel], CollateralClient]:
    """Return what makes a client of each channel; raises `CommandError` for what cannot be used."""
    with translated():
        cache = _cache(args)
    return lambda channel: client_of(args, cache=cache, channel=channel)


def _add_fetch(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "fetch",
        help="fetch, verify and file the collateral of a platform",
        description="Fetch collateral from Intel's PCS or a PCCS, verify it, and file it.",
        epilog="example: quotary collateral fetch --quote quote.bin --out collateral.json",
    )
    add_target(parser, required=True)
    add_service(parser)
    add_cache(parser)
    parser.add_argument("--no-cache", action="store_true", help="do not file what was fetched")
    parser.add_argument("--out", metavar="FILE", help="write the collateral, JSON; - for stdout")
    parser.add_argument("--at", metavar="TIME", help=f"verify as of this time, {TIMES}")
    add_json(parser)
    parser.set_defaults(run=_fetch)


def _add_show(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "show",
        help="show collateral that was fetched",
        description="Show what filed collateral says; asks no service.",
        epilog="example: quotary collateral show --quote quote.bin --raw > collateral.json",
    )
    add_target(parser, required=True, file=True)
    add_cache(parser)
    parser.add_argument("--raw", action="store_true", help="print the collateral itself, JSON")
    parser.add_argument("--at", metavar="TIME", help=f"ages as of this time, {TIMES}")
    add_json(parser)
    parser.set_defaults(run=_show)


def _add_age(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "age",
        help="say how long collateral is still good; exits with 7 when it is not",
        description="List each document's dates. Exits with 7 when anything is stale, is stale "
        "within --warn days, is damaged, or when there is nothing at all.",
        epilog="example: quotary collateral age --warn 3 || mail -s 'stale collateral' ops",
    )
    add_target(parser, required=False, file=True)
    add_cache(parser)
    parser.add_argument(
        "--warn",
        type=days,
        default=timedelta(),
        metavar="DAYS",
        help="count as stale what will be within so many days (0)",
    )
    parser.add_argument("--at", metavar="TIME", help=f"ages as of this time, {TIMES}")
    add_json(parser)
    parser.set_defaults(run=_age)


def _add_watch(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "watch",
        help="keep filed collateral fresh",
        description="Fetch anew whatever ends within --margin days: one platform's collateral, or "
        "all that is filed. Runs until SIGTERM; with --once, for cron, one round.",
        epilog="example: quotary collateral watch --once --margin 7",
    )
    add_target(parser, required=False)
    add_service(parser)
    add_cache(parser)
    parser.add_argument(
        "--margin",
        type=days,
        default=timedelta(days=7),
        metavar="DAYS",
        help="fetch anew what ends within so many days (7)",
    )
    parser.add_argument(
        "--every",
        type=seconds,
        default=3600.0,
        metavar="SECONDS",
        help="the time from one round to the next (3600)",
    )
    parser.add_argument("--once", action="store_true", help="one round, then exit")
    parser.add_argument("--at", metavar="TIME", help=f"with --once: as of this time, {TIMES}")
    add_json(parser)
    parser.set_defaults(run=_watch)


def _fetch(args: Namespace) -> int:
    at, target = read_time(args.at), _target(args)
    with translated():
        client = client_of(args, cache=None if args.no_cache else _cache(args))
        fetched = client.fetch(target, at=at)
    text = fetched.raw.to_json()
    if args.out == "-":
        sys.stdout.write(text + "\n")
        return ExitCode.OK
    if args.out is not None:
        _write(args.out, text)
    ages = ages_of(str(fetched.key), fetched.collateral, at)
    if args.json:
        print_json(
            {"ok": True, **ages.to_json()}
            | ({} if args.out else {"collateral": fetched.raw.to_json()})
        )
    else:
        print_ages(ages)
    return ExitCode.OK


def _show(args: Namespace) -> int:
    at = read_time(args.at)
    if args.file is not None:
        raw = _read_collateral(args.file)
        title, collateral = args.file, verified_when_current(raw, read_root(args.root), at)
    else:
        with translated():
            entry = _cache(args).load(_key(args), args.channel)
        title, raw, collateral = _title(entry), entry.raw, entry.collateral
    if args.raw:
        sys.stdout.write(raw.to_json() + "\n")
        return ExitCode.OK
    ages = ages_of(title, collateral, at)
    if args.json:
        print_json({"ok": True, **ages.to_json()})
    else:
        print_ages(ages)
    return ExitCode.OK


def _age(args: Namespace) -> int:
    at = read_time(args.at)
    found, failures = _all_ages(args, at)
    stale = bool(failures) or not found or any(ages.stale(args.warn) for ages in found)
    if args.json:
        print_json(
            {
                "ok": not stale,
                "at": int(at.timestamp()),
                "entries": [ages.to_json(args.warn) for ages in found],
                "failures": failures,
            }
        )
    else:
        for ages in found:
            print_ages(ages, args.warn)
        for failure in failures or ([] if found else ["nothing is filed: fetch collateral first"]):
            sys.stderr.write(f"quotary: {visible(failure)}\n")
    return ExitCode.STALE if stale else ExitCode.OK


def _all_ages(args: Namespace, at: datetime) -> tuple[list[Ages], list[str]]:
    """Return the ages of what was asked about, and a line for each entry that cannot be read."""
    if args.file is not None:
        collateral = verified_when_current(_read_collateral(args.file), read_root(args.root), at)
        return [ages_of(args.file, collateral, at)], []
    with translated():
        cache = _cache(args)
        if args.quote is None and args.fmspc is None:
            wanted = list(cache.entries())
        else:
            wanted = [(_key(args), args.channel)]
    found, failures = [], []
    for key, channel in wanted:
        try:
            entry = cache.load(key, channel)
        except CollateralError as error:
            failures.append(str(error))
        else:
            found.append(ages_of(_title(entry), entry.collateral, at))
    return found, failures


def _watch(args: Namespace) -> int:
    if args.at is not None and not args.once:
        raise CommandError(
            ExitCode.USAGE, "USAGE", "--at", remedy="A fixed time makes sense with --once only."
        )
    clients = filing(args)
    with translated():
        given = None if args.quote is None and args.fmspc is None else (_key(args), args.channel)
        watch = Watch(
            cache=_cache(args),
            client_for=clients,
            given=given,
            margin=args.margin,
            as_json=args.json,
        )
        if args.once:
            return watch.round(read_time(args.at))
        return watch.run(every=args.every)


def _cache(args: Namespace) -> CollateralCache:
    return CollateralCache(args.cache_dir, root=read_root(args.root))


def _target(args: Namespace) -> Target:
    if args.quote is not None:
        return target_of(Quote.parse(decode_quote(read_input(args.quote, MAX_ENCODED_BYTES))))
    return PlatformKey(TeeType[args.tee.upper()], args.fmspc, args.ca)


def _key(args: Namespace) -> PlatformKey:
    """Return what the collateral is filed under; needs no service."""
    target = _target(args)
    key = getattr(target, "key", target)
    if not isinstance(key, PlatformKey):
        raise CollateralError(
            Reason.PCK_CHAIN_MISSING, "quote", expected="a PCK certificate that says the FMSPC"
        )
    return key


def _read_collateral(name: str) -> RawCollateral:
    return RawCollateral.from_json(read_input(name, MAX_COLLATERAL_BYTES))


def _title(entry: CacheEntry) -> str:
    return f"{entry.key} ({entry.channel.name})"


def _write(name: str, text: str) -> None:
    try:
        Path(name).write_text(text + "\n", encoding="utf-8")
    except (OSError, ValueError) as error:
        raise CommandError(
            ExitCode.USAGE, "FILE_UNWRITABLE", name, found=str(error), remedy="Name another file."
        ) from error
