"""`quotary chat`: what first-generation chat gateways prove, from files or live."""

from __future__ import annotations

import secrets
from argparse import ArgumentParser, Namespace, _SubParsersAction
from dataclasses import dataclass

from quotary.cli.exchange import add_exchange_options
from quotary.cli.gateway import chat_id_of, open_gateway, require_absent, require_together
from quotary.cli.hardware import chosen_check, require_extras
from quotary.cli.inputs import read_input, read_time, read_whole
from quotary.cli.workload import (
    MAX_INPUT_BYTES,
    describe_workload,
    expectations,
    optional_input,
    print_proof,
)
from quotary.workloads import (
    ChatProof,
    ChatReport,
    ChatSignature,
    HardwareCheck,
    verify_chat,
    verify_signer,
)
from quotary.workloads.compose import MAX_COMPOSE_BYTES

__all__ = ["register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    chat = subparsers.add_parser("chat", help="verify answers of chat gateways (Phala, NEAR AI)")
    commands = chat.add_subparsers(dest="chat_command", required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "verify",
        help="verify report, request, response and signature together",
        description="Verify an answer of a first-generation chat gateway: the attestation report, "
        "the bodies exactly as on the wire, and the signature. With --url the request is sent "
        "now, under a nonce made now.",
        epilog="example: quotary chat verify --report report.json --request request.json "
        "--response response.bin --signature signature.json --collateral collateral.json",
    )
    parser.add_argument(
        "--signing-algo", choices=["ecdsa", "ed25519"], default="ecdsa", help="with --url (ecdsa)"
    )
    signed = {"--signature": "the signature document, JSON"}
    add_exchange_options(parser, signed, request_required=True)
    parser.set_defaults(run=_verify)


@dataclass(frozen=True, slots=True)
class _Exchange:
    report: bytes
    signature: bytes
    request: bytes
    response: bytes
    nonce: bytes | None


def _verify(args: Namespace) -> int:
    at = read_time(args.at)
    check = chosen_check(args, at)
    compose = optional_input(args.app_compose, MAX_COMPOSE_BYTES)
    with require_extras("dstack"):
        exchange = _from_files(args) if args.url is None else _live(args, check, compose)
        proof = verify_chat(
            ChatReport.parse(exchange.report),
            ChatSignature.parse(exchange.signature),
            exchange.request,
            exchange.response,
            check,
            nonce=exchange.nonce,
            app_compose=compose,
            expected=expectations(args),
        )
    return print_proof("answer of a chat gateway", _sections(proof), proof, as_json=args.json)


def _from_files(args: Namespace) -> _Exchange:
    require_together(args, "report", "response", "signature")
    return _Exchange(
        read_input(args.report, MAX_INPUT_BYTES),
        read_input(args.signature, MAX_INPUT_BYTES),
        read_whole(args.request, MAX_INPUT_BYTES),
        read_whole(args.response, MAX_INPUT_BYTES),
        args.nonce,
    )


def _live(args: Namespace, check: HardwareCheck, app_compose: bytes | None) -> _Exchange:
    """Verify every node that may answer first: no prompt goes to one that does not hold."""
    require_absent(args, "given with --url", "report", "response", "signature")
    nonce = args.nonce or secrets.token_bytes(32)
    request = read_whole(args.request, MAX_INPUT_BYTES)
    with open_gateway(args) as gateway:
        report = gateway.chat_report(nonce, args.signing_algo)
        for attestation in ChatReport.parse(report.body).attestations:
            verify_signer(
                attestation,
                check,
                nonce=nonce,
                app_compose=app_compose,
                expected=expectations(args),
            )
        answer = gateway.chat(request)
        signature = gateway.chat_signature(chat_id_of(answer.body), args.signing_algo)
    return _Exchange(report.body, signature.body, request, answer.body, nonce)


def _sections(proof: ChatProof) -> dict[str, dict[str, object]]:
    signer = proof.signer
    gpu = signer.gpu
    sections: dict[str, dict[str, object]] = {
        "exchange": {
            "signer": signer.identity.hex(),
            "signing_algo": signer.algorithm.value,
            "nonce": signer.nonce.hex(),
            "request_sha256": proof.request_hash.hex(),
            "response_sha256": proof.response_hash.hex(),
        },
        "gpu": {"verified": False}
        if gpu is None
        else {"verified": False, "arch": gpu.arch, "devices": gpu.devices, "nonce": gpu.nonce},
    }
    if signer.workload is not None:
        sections["workload"] = describe_workload(signer.workload)
    return sections
