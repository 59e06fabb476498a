"""`quotary quote`: look at quotes and verify them."""

from __future__ import annotations

from argparse import Action, ArgumentParser, Namespace, _SubParsersAction
from datetime import datetime, timedelta

from quotary.cli._collateral_options import days, read_root
from quotary.cli._explanation import show_explanation
from quotary.cli.hardware import add_hardware_options, chosen_policy, collateral_source
from quotary.cli.inputs import read_input, read_time
from quotary.cli.output import CommandError, ExitCode, print_json, print_table, shown_time
from quotary.collateral import MAX_COLLATERAL_BYTES, RawCollateral
from quotary.journal import Verdict
from quotary.quote import Quote, SgxReport, TdMigration, TdReport
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote
from quotary.trust import Collateral, TrustRoot
from quotary.verify.expired import verify_late
from quotary.verify.explain import explain

__all__ = ["register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    quote = subparsers.add_parser("quote", help="inspect and verify SGX and TDX quotes")
    commands = quote.add_subparsers(dest="quote_command", required=True, metavar="COMMAND")
    _add_inspect(commands)
    _add_verify(commands)


def _add_inspect(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "inspect",
        help="show what a quote says, verifying nothing",
        description="Show what a quote says. Nothing is verified: anyone can write such bytes.",
        epilog="example: quotary quote inspect quote.bin --json",
    )
    _add_file(parser)
    _add_json(parser)
    parser.set_defaults(run=_inspect)


def _add_verify(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="verify a quote with collateral",
        description="Verify a quote: Intel's whole chain of trust, then a policy.",
        epilog="examples: quotary quote verify quote.bin --collateral collateral.json --json; "
        "quotary quote verify quote.bin --fetch --explain --html explained.html",
    )
    _add_file(parser)
    parser.add_argument(
        "--explain", action="store_true", help="show every check, and what would mend a failure"
    )
    parser.add_argument(
        "--html", metavar="FILE", help="with --explain: write a self-contained page to this file"
    )
    parser.add_argument(
        "--allow-expired",
        type=days,
        metavar="DAYS",
        help="let collateral have expired so long ago; the verdict is then of its last second",
    )
    add_hardware_options(parser, alone=True)
    _add_json(parser)
    parser.set_defaults(run=_verify)


def _add_file(parser: ArgumentParser) -> Action:
    return parser.add_argument(
        "file", metavar="FILE", help="the quote: raw, hex or base64; - for stdin"
    )


def _add_json(parser: ArgumentParser) -> Action:
    return parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def _read_quote(name: str) -> Quote:
    return Quote.parse(decode_quote(read_input(name, MAX_ENCODED_BYTES)))


def _inspect(args: Namespace) -> int:
    quote = _read_quote(args.file)
    shown = _described(quote)
    if args.json:
        print_json({"ok": True, "verified": False, **shown})
    else:
        body = shown.pop("body")
        print_table(f"{quote.tee_type.name} quote, nothing verified", shown)
        print_table("body", body if isinstance(body, dict) else {})
    return ExitCode.OK


def _verify(args: Namespace) -> int:
    _require_sense(args)
    at = read_time(args.at)
    quote = decode_quote(read_input(args.file, MAX_ENCODED_BYTES))
    root, policy = read_root(args.root), chosen_policy(args)
    if args.explain:
        explanation = explain(
            quote, _explained(args, quote, root, at), policy=policy, at=at, root=root
        )
        return show_explanation(explanation, as_json=args.json, page=args.html)
    late = verify_late(
        Quote.parse(quote),
        collateral_source(args, root, at)(quote),
        tolerance=args.allow_expired or timedelta(),
        policy=policy,
        at=at,
        root=root,
    )
    verdict = late.verdict
    expired = {item.item: shown_time(item.end) for item in late.expired}
    if args.json:
        shown = {**verdict.to_json(), "journal": verdict.journal().hex()}
        print_json({"ok": True, **shown} | ({"expired": expired} if expired else {}))
    else:
        _print_verdict(verdict)
        if expired:
            print_table("EXPIRED since, as you allowed", expired)
    return ExitCode.OK


def _require_sense(args: Namespace) -> None:
    """Raise `CommandError` for options that contradict each other."""
    if args.file == "-" and args.collateral == "-":
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            "standard input",
            remedy="Only one of quote and collateral can come from standard input.",
        )
    if args.html and not args.explain:
        raise CommandError(
            ExitCode.USAGE, "USAGE", "--html", remedy="A page is written of an explanation only."
        )
    if args.explain and args.allow_expired is not None:
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            "--allow-expired",
            found="given with --explain",
            remedy="An explanation tells what has expired: leave it out, or explain --at a time.",
        )


def _explained(
    args: Namespace, quote: bytes, root: TrustRoot, at: datetime
) -> bytes | Collateral | RawCollateral:
    """What an explanation takes: collateral in a file even when it is none."""
    if args.fetch:
        return collateral_source(args, root, at)(quote)
    return read_input(args.collateral, MAX_COLLATERAL_BYTES)


def _print_verdict(verdict: Verdict) -> None:
    shown = verdict.to_json()
    measurement = shown.pop("measurement")
    shown["advisories"] = ", ".join(verdict.advisories) or "none"
    shown["collateral_hashes"] = " ".join(item.hex() for item in verdict.collateral_hashes)
    print_table(f"genuine {verdict.tee_type.name} quote, TCB {verdict.tcb_status.value}", shown)
    print_table("measurement", measurement if isinstance(measurement, dict) else {})


def _described(quote: Quote) -> dict[str, object]:
    header = quote.header
    return {
        "version": header.version,
        "tee_type": header.tee_type.name,
        "body_type": quote.body_type.name,
        "qe_vendor_id": header.qe_vendor_id.hex(),
        "user_data": header.user_data.hex(),
        "report_data": quote.report_data.hex(),
        "certification_data_type": int(quote.certification_type),
        "certification_data_length": len(quote.certification_data),
        "attestation_key": quote.attestation_key.hex(),
        "qe_mr_enclave": quote.qe_report.mr_enclave.hex(),
        "qe_mr_signer": quote.qe_report.mr_signer.hex(),
        "qe_isv_svn": quote.qe_report.isv_svn,
        "trailing_length": quote.trailing_length,
        "body": _fields(quote.body),
    }


def _fields(part: SgxReport | TdReport | TdMigration) -> dict[str, object]:
    shown: dict[str, object] = {}
    fields = part._asdict() if isinstance(part, TdMigration) else part.fields()
    for name, value in fields.items():
        if name == "data" or value is None:
            continue
        if isinstance(value, TdMigration):
            shown |= _fields(value)
        else:
            shown[name] = value.hex() if isinstance(value, bytes) else value
    return shown
