"""`quotary aci`: verify ACI services, receipts and sessions, from files or live."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from quotary.cli.exchange import add_exchange_options
from quotary.cli.gateway import chat_id_of, open_gateway, require_absent, require_together
from quotary.cli.hardware import chosen_check, require_extras
from quotary.cli.inputs import read_input, read_time, read_whole
from quotary.cli.output import CommandError, ExitCode
from quotary.cli.workload import (
    MAX_INPUT_BYTES,
    describe_workload,
    expectations,
    hex_of,
    optional_input,
    print_proof,
)

if TYPE_CHECKING:
    from quotary.workloads.aci import Channel, Exchange, Identity, Session
    from quotary.workloads.live import Gateway

__all__ = ["add_service_policy", "exchange_sections", "register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    aci = subparsers.add_parser("aci", help="verify services that speak aci/1")
    commands = aci.add_subparsers(dest="aci_command", required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "verify",
        help="verify a report and, with it, a receipt",
        description="Verify an ACI service by its specification: the report, under your own "
        "nonce, and the receipt of one exchange, behind an aggregator with its session. With "
        "--url the report is asked for now, and --request is sent now.",
        epilog="examples: quotary aci verify --url https://gateway.example --request request.json "
        "--collateral collateral.json; quotary aci verify --report report.json --nonce HEX "
        "--receipt receipt.json --request request.json --response response.bin "
        "--collateral collateral.json",
    )
    signed = {
        "--receipt": "the receipt, JSON",
        "--session": "the session the receipt cites, JSON",
    }
    add_exchange_options(parser, signed, request_required=False, unchallenged=True)
    add_service_policy(parser)
    parser.set_defaults(run=_verify)


def add_service_policy(parser: ArgumentParser) -> None:
    """Add the options that say which services and upstreams are accepted."""
    group = parser.add_argument_group("policy of the service")
    group.add_argument(
        "--kms-root",
        type=hex_of(33),
        action="append",
        metavar="HEX",
        help="demand that this KMS root released the receipt key; repeatable, compressed",
    )
    group.add_argument("--subject", metavar="TEXT", help="demand this subject in the keyset")
    group.add_argument(
        "--session-id",
        type=hex_of(32),
        action="append",
        metavar="HEX",
        help="accept this session only; repeatable",
    )
    group.add_argument(
        "--allow-unverified-upstream",
        action="store_true",
        help="accept answers of upstreams that were not verified; the result says so",
    )
    group.add_argument(
        "--allow-unbound-channel",
        action="store_true",
        help="with --url: send the request although the keyset lists no such TLS key",
    )


@dataclass(frozen=True, slots=True)
class _Receipt:
    receipt: bytes
    request: bytes
    response: bytes
    session: bytes | None


def _verify(args: Namespace) -> int:
    at = read_time(args.at)
    with require_extras("aci,dstack"):
        return _from_files(args, at) if args.url is None else _live(args, at)


def _from_files(args: Namespace, at: datetime) -> int:
    require_together(args, "report")
    if args.nonce is None and not args.unchallenged:
        raise CommandError(
            ExitCode.USAGE,
            "USAGE",
            "--nonce",
            found="missing",
            remedy="Give the nonce you asked with, or --unchallenged if there was none.",
        )
    receipt = None
    if args.receipt is None:
        require_absent(args, "given without --receipt", "request", "response", "session")
    else:
        require_together(args, "request", "response")
        receipt = _Receipt(
            read_input(args.receipt, MAX_INPUT_BYTES),
            read_whole(args.request, MAX_INPUT_BYTES),
            read_whole(args.response, MAX_INPUT_BYTES),
            optional_input(args.session),
        )
    report = read_input(args.report, MAX_INPUT_BYTES)
    return _conclude(args, _identity(args, at, report, args.nonce, None), receipt)


def _live(args: Namespace, at: datetime) -> int:
    """Establish the identity first: no prompt is sent to a service that was not verified."""
    from quotary.workloads.aci import Channel  # noqa: PLC0415 - needs the extra

    require_absent(args, "given with --url", "report", "receipt", "response", "session")
    nonce = args.nonce or secrets.token_bytes(32)
    with open_gateway(args) as gateway:
        report = gateway.aci_report(nonce)
        channel = None
        if report.spki_sha256 is not None and not args.allow_unbound_channel:
            channel = Channel(report.spki_sha256, gateway.host)
        identity = _identity(args, at, report.body, nonce, channel)
        receipt = None
        if args.request is not None:
            receipt = _exchange(args, gateway, identity, channel)
    return _conclude(args, identity, receipt)


def _identity(
    args: Namespace, at: datetime, report: bytes, nonce: bytes | None, channel: Channel | None
) -> Identity:
    from quotary.workloads import aci  # noqa: PLC0415 - needs the extra

    policy = aci.AciPolicy(
        expected=expectations(args),
        kms_roots=frozenset(args.kms_root or ()),
        subject=args.subject,
    )
    return aci.verify_report(
        aci.AciReport.parse(report),
        chosen_check(args, at),
        nonce=nonce,
        at=at,
        policy=policy,
        channel=channel,
    )


def _exchange(
    args: Namespace, gateway: Gateway, identity: Identity, channel: Channel | None
) -> _Receipt:
    """Send the request, then fetch its receipt and the session it cites."""
    from quotary.workloads.aci import AciReceipt  # noqa: PLC0415 - needs the extra

    request = read_whole(args.request, MAX_INPUT_BYTES)
    answer = gateway.chat(request)
    if channel is not None:
        identity.keyset.require_channel(answer.spki_sha256 or b"", gateway.host)
    receipt = gateway.aci_receipt(answer.headers.get("x-receipt-id") or chat_id_of(answer.body))
    upstream = AciReceipt.parse(receipt.body).upstream
    session = None
    if upstream is not None and upstream.session_id is not None:
        session = gateway.aci_session(upstream.session_id).body
    return _Receipt(receipt.body, request, answer.body, session)


def _conclude(args: Namespace, identity: Identity, receipt: _Receipt | None) -> int:
    from quotary.workloads import aci  # noqa: PLC0415 - needs the extra

    sections = _identity_sections(identity)
    if receipt is None:
        return print_proof("ACI service", sections, identity, as_json=args.json)
    exchange = aci.verify_receipt(
        aci.AciReceipt.parse(receipt.receipt),
        identity,
        receipt.request,
        receipt.response,
        session=receipt.session,
        policy=aci.ReceiptPolicy(
            allow_unverified_upstream=args.allow_unverified_upstream,
            session_ids=frozenset(pinned.hex() for pinned in args.session_id or ()),
        ),
    )
    sections |= exchange_sections(exchange)
    return print_proof("answer of an ACI service", sections, exchange, as_json=args.json)


def _identity_sections(identity: Identity) -> dict[str, dict[str, object]]:
    keyset, provenance = identity.keyset, identity.provenance
    return {
        "identity": {
            "keyset_digest": keyset.digest,
            "subject": keyset.subject,
            "not_after": keyset.not_after,
            "serving": identity.serving.value,
            "nonce": None if identity.nonce is None else identity.nonce.hex(),
            "receipt_keys": [f"{key.key_id} ({key.algorithm})" for key in keyset.receipt_keys],
            "skipped_keys": keyset.skipped,
            "tls_keys": [key.spki_sha256.hex() for key in keyset.tls_keys],
            "repo_url": provenance.repo_url,
            "repo_commit": provenance.repo_commit,
            "image_digest": provenance.image_digest,
        },
        "workload": describe_workload(identity.workload),
    }


def exchange_sections(exchange: Exchange) -> dict[str, dict[str, object]]:
    """Return what is shown of a verified exchange: the receipt, and the session it cites."""
    receipt = exchange.receipt
    sections: dict[str, dict[str, object]] = {
        "receipt": {
            "receipt_id": receipt.receipt_id,
            "chat_id": receipt.chat_id,
            "model": receipt.model,
            "endpoint": receipt.endpoint,
            "served_at": receipt.served_at,
            "key_id": receipt.key_id,
            "request": receipt.received,
            "forwarded": receipt.forwarded,
            "response": receipt.returned,
        }
    }
    if exchange.session is not None:
        sections["session"] = _session_section(exchange.session)
    return sections


def _session_section(session: Session) -> dict[str, object]:
    return {
        "session_id": session.session_id,
        "upstream": session.upstream_name,
        "endpoint": session.endpoint,
        "verifier": session.verifier_id,
        "established_at": session.established_at,
        "expires_at": session.expires_at,
        "bindings": list(session.bindings),
        "claims": [
            f"{claim.name}: {claim.status.value} {claim.source or ''}".rstrip()
            for claim in session.claims
        ],
    }
