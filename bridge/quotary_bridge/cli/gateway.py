"""`quotary gateway`: what gateways of confidential models sign, from challenge to record."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from hashlib import sha256

from quotary.cli.output import ExitCode
from quotary.errors import QuotaryError

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.gateway_attest import add_attest
from quotary_bridge.cli.gateway_enrol import enrol
from quotary_bridge.cli.gateway_exchange import ask, record
from quotary_bridge.cli.gateway_flags import (
    add_ask_flags,
    add_attestation_flags,
    add_common_flags,
    add_enrol_flags,
    add_evidence_flags,
    add_folder,
    add_record_flags,
)
from quotary_bridge.cli.gateway_visit import Visit
from quotary_bridge.model import Bytes32

__all__ = ["register"]

_EVIDENCE = "--collateral collateral.json"


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    gateway = subparsers.add_parser("gateway", help="bring what gateways sign to the chain")
    commands = gateway.add_subparsers(dest="gateway_command", required=True, metavar="COMMAND")
    _add_run(commands)
    _add_enrol(commands)
    _add_ask(commands)
    _add_record(commands)
    add_attest(commands)
    _add_status(commands)


def _add_run(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "run",
        help="enrol, ask and record in one go",
        description="Ask a gateway that knows nothing of this chain for its report under the "
        "chain's challenge, verify and enrol it, send the request, verify what was signed about "
        "the answer, and record that. All of it is kept in the folder: the same command goes on "
        "where it stopped, and nothing is asked or paid for twice.",
        epilog="example: quotary gateway run exchange --url https://gateway.example --app council "
        f"--request request.json {_EVIDENCE} --member-keystore k1 --member-keystore k2 "
        "--member-password-file pw --account me",
    )
    add_folder(parser)
    add_ask_flags(parser)
    add_evidence_flags(parser)
    add_enrol_flags(parser)
    add_attestation_flags(parser)
    add_common_flags(parser, sends=True)
    parser.set_defaults(run=_run)


def _add_enrol(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "enrol",
        help="have a gateway's keys count: report, notarization, enrolment",
        description="Ask a gateway for its report under the chain's challenge, verify it, have its "
        "quotes notarized, and enrol the keys they bind. Of the first generation every node in "
        "the report is enrolled: any of them may answer.",
        epilog="example: quotary gateway enrol exchange --url https://gateway.example "
        f"--app council {_EVIDENCE} --member-keystore k1 --account me",
    )
    add_folder(parser)
    add_evidence_flags(parser)
    add_enrol_flags(parser)
    add_common_flags(parser, sends=True)
    parser.set_defaults(run=_enrol)


def _add_ask(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "ask",
        help="ask an enrolled gateway, and verify what it signs about the answer",
        description="Send the request to a gateway whose report holds here and whose keys count "
        "there, fetch signature, or receipt and session, and verify all of it together.",
        epilog=f"example: quotary gateway ask exchange --request request.json {_EVIDENCE}",
    )
    add_folder(parser)
    add_ask_flags(parser)
    add_evidence_flags(parser)
    add_common_flags(parser, sends=False)
    parser.set_defaults(run=_ask)


def _add_record(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "record",
        help="bring a verified exchange to the chain",
        description="Record the exchange that `ask` verified through the adapter of its "
        "generation, and say what the record binds and what it does not.",
        epilog="example: quotary gateway record exchange --account me",
    )
    add_folder(parser)
    add_record_flags(parser)
    add_attestation_flags(parser)
    add_common_flags(parser, sends=True)
    parser.set_defaults(run=_record)


def _add_status(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "status",
        help="show how far an exchange is, and what counts now",
        epilog="example: quotary gateway status exchange",
    )
    add_folder(parser)
    add_common_flags(parser, sends=False)
    parser.set_defaults(run=_status)


@command
def _run(args: Namespace) -> int:
    visit = Visit(args)
    with visit.folder.held():
        done = enrol(visit) and ask(visit) and record(visit)
    return _end(visit, done=done)


@command
def _enrol(args: Namespace) -> int:
    visit = Visit(args)
    with visit.folder.held():
        done = enrol(visit)
    return _end(visit, done=done)


@command
def _ask(args: Namespace) -> int:
    visit = Visit(args)
    with visit.folder.held():
        done = ask(visit)
    return _end(visit, done=done)


@command
def _record(args: Namespace) -> int:
    visit = Visit(args)
    with visit.folder.held():
        done = record(visit)
    return _end(visit, done=done)


@command
def _status(args: Namespace) -> int:
    visit = Visit(args)
    rows = {
        "gateway": f"{visit.terms.url} ({visit.terms.protocol})",
        "app": f"0x{visit.terms.app_id.hex()}",
    }
    visit.tell(rows | _report_rows(visit) | _exchange_rows(visit))
    return _end(visit, done=True)


def _report_rows(visit: Visit) -> dict[str, str]:
    kept = visit.folder.challenged()
    if kept is None:
        return {"report": "none"}
    fresh = visit.desk.still_challenges(kept.block, kept.nonce)
    rows = {"report": f"of block {kept.block}, {'fresh' if fresh else 'too old to enrol by'}"}
    told: list[dict[str, object]] = []
    for key, keyset in visit.speech.claimed(kept.report):
        digest = None if keyset is None else Bytes32(sha256(keyset).digest())
        standing = visit.desk.standing(visit.terms.app_id, key, digest)
        name = key if digest is None else f"keyset 0x{digest.hex()}"
        rows[f"signer {len(told) + 1}"] = (
            f"{name} {'counts' if standing.counts else f'does not count: {standing.reason}'}"
        )
        told.append(
            {
                "key": key,
                "keyset_digest": digest,
                "counts": standing.counts,
                "reason": standing.reason,
                "until": standing.until,
            }
        )
    visit.fields |= {"challenge_block": kept.block, "fresh": fresh, "signers": told}
    return rows


def _exchange_rows(visit: Visit) -> dict[str, str]:
    answered, kept = visit.folder.answered(), visit.folder.challenged()
    paper = visit.folder.paper(visit.terms.protocol)
    visit.fields |= {"answered": answered is not None, "verified": visit.folder.proof() is not None}
    rows = {"answer": "none" if answered is None else f"{len(answered.response):,} bytes"}
    if answered is None or kept is None or paper is None:
        return rows
    rows["verified"] = "yes" if visit.folder.proof() is not None else "no"
    try:
        signed = visit.speech.signed(kept.report, answered, paper.document)
    except QuotaryError as error:
        # A newer report may name other keys than the ones that signed.
        return rows | {"recorded": f"cannot be told: {error}"}
    found = visit.desk.recorded(visit.terms.protocol, visit.terms.app_id, signed)
    visit.fields["recorded_at"] = None if found is None else found.recorded_at
    rows["recorded"] = "no" if found is None else f"at Unix time {found.recorded_at}"
    return rows


def _end(visit: Visit, *, done: bool) -> int:
    """Answer programs; people were told all along. A dry run leaves things undone by intent."""
    if visit.args.json:
        answer(visit.args, visit.fields, "")
    return ExitCode.OK if done or visit.args.dry_run else ExitCode.PARTIAL
