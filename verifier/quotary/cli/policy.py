"""`quotary policy`: check policy files, and see what a change would drop."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from quotary.cli._collateral_options import read_root
from quotary.cli._policy_file import read_policy, rule_terms
from quotary.cli.inputs import read_input, read_time
from quotary.cli.output import CommandError, ExitCode, line_width, print_json, print_table, visible
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.errors import QuotaryError
from quotary.policy import DEFAULT, AllOf
from quotary.quote import Quote
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary.verify.explain_text import folded
from quotary.verify.simulate import Forecast, simulate

__all__ = ["register"]

_MAX_FILES: Final = 100_000


def register(
    subparsers: _SubParsersAction[ArgumentParser],
) -> _SubParsersAction[ArgumentParser]:
    """Add the command, and return what its own commands are added to."""
    policy = subparsers.add_parser("policy", help="check policies, simulate and make changes")
    commands = policy.add_subparsers(dest="policy_command", required=True, metavar="COMMAND")
    check = commands.add_parser(
        "check",
        help="read a policy file and say what it asks, or what is wrong with it",
        description="Read a policy file and list its rules, the strict defaults it keeps among "
        "them, or say in one line which key is wrong (exit code 6).",
        epilog="example: quotary policy check policy.toml",
    )
    check.add_argument("policy", metavar="POLICY", help="the policy file, TOML or JSON")
    check.add_argument("--json", action="store_true", help="print one JSON object")
    check.set_defaults(run=_check)
    _add_simulate(commands)
    return commands


def _add_simulate(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "simulate",
        help="show which quotes a changed policy would drop, and when",
        description="Judge quotes by two policies, now and at every boundary up to a later time.",
        epilog="example: quotary policy simulate new.toml --against old.toml --quotes quotes/ "
        "--collateral collateral/ --until 2027-01-01T00:00:00Z",
    )
    parser.add_argument("policy", metavar="POLICY", help="the changed policy file")
    parser.add_argument(
        "--quotes", nargs="+", default=[], metavar="PATH", help="quote files, or folders of them"
    )
    parser.add_argument(
        "--collateral",
        nargs="+",
        default=[],
        metavar="PATH",
        help="collateral files, or folders of them; each quote takes the first that fits",
    )
    parser.add_argument(
        "--against", metavar="FILE", help="the policy in force (the strict default)"
    )
    parser.add_argument("--at", metavar="TIME", help="as of this time (now)")
    parser.add_argument("--until", metavar="TIME", help="look ahead up to this time")
    parser.add_argument("--root", metavar="FILE", help="trust this root instead (tests only)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=_simulate)


def _check(args: Namespace) -> int:
    policy = read_policy(args.policy)
    rules = policy.policies if isinstance(policy, AllOf) else (policy,)
    described = [(type(rule).__name__, rule_terms(rule)) for rule in rules]
    if args.json:
        print_json(
            {
                "ok": True,
                "policy": args.policy,
                "rules": [{"rule": name, "terms": terms} for name, terms in described],
            }
        )
        return ExitCode.OK
    sys.stdout.write(f"{visible(args.policy)} is a policy of {len(described)} rules\n")
    for name, terms in described:
        print_table(name, terms)
    return ExitCode.OK


def _simulate(args: Namespace) -> int:
    if not args.quotes or not args.collateral:
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            "quotary policy simulate",
            found="no quotes or no collateral",
            remedy="Give --quotes and --collateral, or --app for the workers on a chain.",
        )
    policy = read_policy(args.policy)
    against = DEFAULT if args.against is None else read_policy(args.against)
    root, at = read_root(args.root), read_time(args.at)
    until = None if args.until is None else read_time(args.until)
    collateral = [
        RawCollateral.from_json(read_input(str(path), MAX_COLLATERAL_BYTES))
        for path in _files(args.collateral)
    ]
    quotes: dict[str, bytes | Quote] = {}
    unreadable: list[Forecast] = []
    for path in _files(args.quotes):
        try:
            quotes[str(path)] = decode_quote(read_input(str(path), MAX_ENCODED_BYTES))
        except QuotaryError as error:
            unreadable.append(Forecast(str(path), error, error))
    forecasts = (
        *simulate(
            quotes, collateral, policy=policy, against=against, at=at, until=until, root=root
        ),
        *unreadable,
    )
    if args.json:
        shown = [forecast.to_json() for forecast in forecasts]
        print_json({"ok": True, **_counts(forecasts), "quotes": shown})
    else:
        _print(forecasts)
    return ExitCode.OK


def _files(names: Iterable[str]) -> Iterator[Path]:
    for name in names:
        path = Path(name)
        try:
            entries = sorted(path.iterdir()) if path.is_dir() else [path]
        except (OSError, ValueError) as error:
            raise CommandError(
                ExitCode.USAGE, "FILE_UNREADABLE", name, remedy="Name a readable folder."
            ) from error
        yield from (entry for entry in entries[:_MAX_FILES] if not entry.is_dir())


def _counts(forecasts: tuple[Forecast, ...]) -> dict[str, int]:
    return {
        "dropped": sum(forecast.dropped for forecast in forecasts),
        "falling": sum(forecast.falls_at is not None for forecast in forecasts),
        "shortened": sum(forecast.shortened for forecast in forecasts),
        "gained": sum(forecast.gained for forecast in forecasts),
        "total": len(forecasts),
    }


def _print(forecasts: tuple[Forecast, ...]) -> None:
    for forecast in forecasts:
        line = f"{_word(forecast):<8}  {visible(forecast.name)}  {_why(forecast)}".rstrip()
        sys.stdout.write("\n".join(folded(line, 10, line_width())) + "\n")
    counts = _counts(forecasts)
    sys.stdout.write(
        f"{counts['dropped']} dropped at once, {counts['shortened']} fall sooner, "
        f"{counts['falling'] - counts['shortened']} fall as before, "
        f"{counts['gained']} gained, of {counts['total']} quotes\n"
    )


def _word(forecast: Forecast) -> str:
    if forecast.dropped:
        return "dropped"
    if forecast.after is not None:
        return "refused"
    if forecast.falls_at is not None:
        return "falls"
    return "gained" if forecast.gained else "kept"


def _why(forecast: Forecast) -> str:
    if forecast.after is not None:
        return visible(str(forecast.after))
    if forecast.falls_at is not None:
        when = forecast.to_json()["falls_at"]
        anyway = "" if forecast.shortened else " (as before)"
        return visible(f"at {when}{anyway}: {forecast.falls_for}")
    return ""
