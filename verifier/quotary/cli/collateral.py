"""`quotary collateral`: fetch it, look at it, be warned before it ends, keep it fresh."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from quotary.cli._collateral_ages import Ages, ages_of, print_ages, verified_when_current
from quotary.cli._collateral_errors import translated
from quotary.cli._collateral_options import (
    TIMES,
    add_cache,
    add_json,
    add_service,
    add_target,
    days,
    read_root,
    seconds,
)
from quotary.cli._collateral_watch import Watch
from quotary.cli.inputs import read_input, read_time
from quotary.cli.output import CommandError, ExitCode, print_json, visible
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.errors import CollateralError, Reason
from quotary.fetch import (
    CacheEntry,
    CollateralCache,
    CollateralClient,
    CollateralService,
    FetchEvent,
    Limits,
    PlatformKey,
    Target,
    UpdateChannel,
    target_of,
)
from quotary.quote import Quote
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary.tcb import TeeType

__all__ = ["register"]

_SCHEMA_VERSION: Final = 1


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser("collateral", help="fetch, show and watch collateral")
    commands = parser.add_subparsers(dest="collateral_command", required=True, metavar="COMMAND")
    _add_fetch(commands)
    _add_show(commands)
    _add_age(commands)
    _add_watch(commands)


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
    parser.add_argument("--warn", type=days, default=timedelta(), metavar="DAYS")
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
        "--margin", type=days, default=timedelta(days=7), metavar="DAYS", help="(7)"
    )
    parser.add_argument("--every", type=seconds, default=3600.0, metavar="SECONDS", help="(3600)")
    parser.add_argument("--once", action="store_true", help="one round, then exit")
    parser.add_argument("--at", metavar="TIME", help=f"with --once: as of this time, {TIMES}")
    add_json(parser)
    parser.set_defaults(run=_watch)


def _fetch(args: Namespace) -> int:
    at, target = read_time(args.at), _target(args)
    with translated():
        client = _client(args, cache=None if args.no_cache else _cache(args))
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
            {"ok": True, "schema_version": _SCHEMA_VERSION, **ages.to_json()}
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
        print_json({"ok": True, "schema_version": _SCHEMA_VERSION, **ages.to_json()})
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
                "schema_version": _SCHEMA_VERSION,
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
    with translated():
        cache = _cache(args)
        given = None if args.quote is None and args.fmspc is None else (_key(args), args.channel)
        watch = Watch(
            cache=cache,
            client_for=lambda channel: _client(args, cache=cache, channel=channel),
            given=given,
            margin=args.margin,
            as_json=args.json,
        )
        if args.once:
            return watch.round(read_time(args.at))
        return watch.run(every=args.every)


def _client(
    args: Namespace, *, cache: CollateralCache | None, channel: UpdateChannel | None = None
) -> CollateralClient:
    limits = Limits(
        document_seconds=min(Limits().document_seconds, args.timeout), total_seconds=args.timeout
    )
    api_key = os.environ.get("QUOTARY_PCS_API_KEY") or None
    chosen = channel or args.channel
    if args.pccs:
        service = CollateralService.pccs(
            args.pccs, channel=chosen, limits=limits, ca_file=args.ca_file, api_key=api_key
        )
    else:
        service = CollateralService(
            channel=chosen, limits=limits, ca_file=args.ca_file, api_key=api_key
        )
    progress = None if args.quiet or args.json else _progress
    return CollateralClient(service, root=read_root(args.root), cache=cache, progress=progress)


def _progress(event: FetchEvent) -> None:
    sys.stderr.write(visible(f"{event.item}: {event.state} {event.detail}") + "\n")


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
