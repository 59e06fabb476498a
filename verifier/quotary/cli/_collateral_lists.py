"""`quotary collateral fmspcs` and `evaluations`: what the service lists."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli._collateral_options import TIMES, add_json, add_service, read_root
from quotary.cli._collateral_service import client_of
from quotary.cli._mishaps import translated
from quotary.cli.inputs import read_time
from quotary.cli.output import ExitCode, print_json, print_table, shown_time
from quotary.fetch import FmspcPlatform
from quotary.tcb import TeeType
from quotary.trust import verify_evaluations

__all__ = ["add_lists"]


def add_lists(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add both commands."""
    fmspcs = commands.add_parser(
        "fmspcs",
        help="list the platform families Intel knows",
        description="List the platform families Intel serves collateral for. Nobody signs this "
        "list: it helps to find a family, and proves nothing. A PCCS may not have it.",
        epilog="example: quotary collateral fmspcs --platform E5",
    )
    fmspcs.add_argument(
        "--platform",
        type=FmspcPlatform,
        choices=list(FmspcPlatform),
        default=FmspcPlatform.ALL,
        metavar="KIND",
        help="all, client, E3 or E5 (all)",
    )
    add_service(fmspcs)
    add_json(fmspcs)
    fmspcs.set_defaults(run=_fmspcs)
    evaluations = commands.add_parser(
        "evaluations",
        help="list the TCB evaluations Intel serves, by number",
        description="Fetch the signed list of TCB evaluations and verify it: which numbers "
        "--channel takes, and which TCB recovery each answers. The first is what the channel "
        "early serves.",
        epilog="example: quotary collateral evaluations --tee tdx",
    )
    evaluations.add_argument("--tee", choices=("sgx", "tdx"), default="tdx", help="TEE type (tdx)")
    add_service(evaluations)
    evaluations.add_argument("--at", metavar="TIME", help=f"verify as of this time, {TIMES}")
    evaluations.add_argument(
        "--root", metavar="FILE", help="trust this root certificate instead of Intel's (tests only)"
    )
    add_json(evaluations)
    evaluations.set_defaults(run=_evaluations)


def _fmspcs(args: Namespace) -> int:
    with translated():
        known = client_of(args).fmspcs(args.platform)
    if args.json:
        families = [{"fmspc": entry.fmspc.hex(), "platform": entry.platform} for entry in known]
        print_json({"ok": True, "fmspcs": families})
    else:
        rows = {entry.fmspc.hex(): entry.platform for entry in known}
        print_table(f"{len(rows)} platform families, unsigned", rows)
    return ExitCode.OK


def _evaluations(args: Namespace) -> int:
    at, root = read_time(args.at), read_root(args.root)
    with translated():
        client = client_of(args)
        signed = client.tcb_evaluations(TeeType[args.tee.upper()])
        root_ca_crl = client.root_ca_crl()
    verified = verify_evaluations(
        signed.document, signed.signature, signed.issuer_chain, root_ca_crl, root, at=at
    )
    if args.json:
        print_json(
            {
                "ok": True,
                "tee": verified.tee_type.name,
                "issued": verified.issue_date,
                "next_update": verified.next_update,
                "evaluations": [
                    {
                        "number": evaluation.number,
                        "recovery_event": evaluation.recovery_event,
                        "tcb_date": evaluation.tcb_date,
                    }
                    for evaluation in verified.evaluations
                ],
            }
        )
    else:
        rows = {
            str(evaluation.number): f"TCB recovery {shown_time(evaluation.recovery_event)[:10]}, "
            f"TCB date {shown_time(evaluation.tcb_date)[:10]}"
            for evaluation in verified.evaluations
        }
        title = f"TCB evaluations of {verified.tee_type.name}"
        print_table(f"{title}, next update {shown_time(verified.next_update)}", rows)
    return ExitCode.OK
