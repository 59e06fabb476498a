"""
`quotary gateway attest`: a member of the committee vouches for a receipt, wherever it is.

Whoever wants a receipt with an Ed25519 signature recorded hands members the receipt and the report,
and gets a file from each. Neither holds a prompt or an answer, only their hashes.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace, _SubParsersAction
from hashlib import sha256
from typing import Any

from eth_utils.address import is_checksum_address
from quotary.cli.output import ExitCode
from quotary.cli.workload import MAX_INPUT_BYTES
from quotary.workloads.aci import ReceiptAlgorithm

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_chain_flags,
    add_output_flags,
    app_id,
    read_file,
)
from quotary_bridge.cli.proofs import add_member_flags, committee_members
from quotary_bridge.cli.registrations import write_text
from quotary_bridge.committee import attest_receipt
from quotary_bridge.errors import ConfigurationError, EvidenceRejected, Reason
from quotary_bridge.gateways import Desk, signed_receipt
from quotary_bridge.model import Address, Bytes32

__all__ = ["add_attest", "read_attestations"]

_FORMAT = "quotary-receipt-attestation"
_VERSION = 1
_BYTES_LIMIT = 64 * 1024
_SIGNATURE_BYTES = 65


def add_attest(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "attest",
        help="for members of the committee: vouch for a receipt with an Ed25519 signature",
        description="Check that a key of the report's keyset signed the receipt, and that the "
        "keyset counts for the app, and sign that. Prompt and answer are not needed.",
        epilog="example: quotary gateway attest receipt.json --report report.json --app council "
        "--member-keystore me --member-password-file pw --out mine.json",
    )
    parser.add_argument("receipt", metavar="FILE", help="the receipt, as the service gave it")
    parser.add_argument("--report", required=True, metavar="FILE", help="the service's report")
    parser.add_argument("--app", type=app_id, required=True, metavar="APP", help="id, or name")
    parser.add_argument("--out", required=True, metavar="FILE", help="what is signed goes here")
    add_member_flags(parser.add_argument_group("committee"))
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_attest)


@command
def _attest(args: Namespace) -> int:
    context = Context.of(args)
    desk = Desk(context.chain, context.deployment())
    receipt, algorithm = signed_receipt(
        read_file(args.report, MAX_INPUT_BYTES), read_file(args.receipt, MAX_INPUT_BYTES)
    )
    if algorithm is not ReceiptAlgorithm.ED25519:
        raise EvidenceRejected(
            Reason.EVIDENCE_REJECTED,
            f"the receipt is signed by {algorithm}, which the chain checks by itself",
            "leave it to: quotary gateway record",
        )
    keyset = Bytes32(bytes.fromhex(receipt.keyset_digest.removeprefix("sha256:")))
    standing = desk.standing(args.app, None, keyset)
    if not standing.counts:
        raise EvidenceRejected(
            Reason.EVIDENCE_REJECTED,
            f"keyset 0x{keyset.hex()} does not count for the app: {standing.reason}",
            "have it enrolled first: quotary gateway enrol",
        )
    document_hash = Bytes32(sha256(receipt.signed).digest())
    about = (args.app, document_hash, context.chain.chain_id, desk.receipts.address)
    members = committee_members(args, context.chain.chain_id)
    signatures = [attest_receipt(*about, member) for member in members]
    write_text(args.out, _text(*about, signatures))
    names = [member.address for member in members]
    fields = {"document_hash": document_hash, "members": names, "attestation": args.out}
    answer(
        args,
        fields,
        f"receipt      0x{document_hash.hex()}\n"
        f"vouched for  by {', '.join(names)}\nattestation  {args.out}",
    )
    return ExitCode.OK


def _text(
    app: Bytes32, document_hash: Bytes32, chain_id: int, adapter: Address, signatures: list[bytes]
) -> str:
    document = {
        "format": _FORMAT,
        "version": _VERSION,
        "chain_id": chain_id,
        "adapter": adapter,
        "app_id": f"0x{app.hex()}",
        "document_hash": f"0x{document_hash.hex()}",
        "signatures": [f"0x{signature.hex()}" for signature in signatures],
    }
    return json.dumps(document, indent=1) + "\n"


def read_attestations(
    names: list[str], app: Bytes32, document_hash: Bytes32, chain_id: int, adapter: Address
) -> list[bytes]:
    """
    Return the signatures in members' files about this very receipt.

    Raises `ConfigurationError` for a file that is none, or is about something else.
    """
    about = (chain_id, adapter, f"0x{app.hex()}", f"0x{document_hash.hex()}")
    signatures = []
    for name in names:
        found, signed = _read(name)
        if found != about:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"{name} is about receipt {found[3]} for app {found[2]} at {found[1]} of chain "
                f"{found[0]}, not {about[3]} for {about[2]} at {about[1]} of {about[0]}",
                "have members vouch for the receipt in the folder: quotary gateway attest",
            )
        signatures += signed
    return signatures


def _read(name: str) -> tuple[tuple[object, ...], list[bytes]]:
    try:
        document: Any = json.loads(read_file(name, _BYTES_LIMIT))
        if (document["format"], document["version"]) != (_FORMAT, _VERSION):
            raise ValueError("another format")  # noqa: TRY301 (all shapes of nonsense end below)
        signatures = [bytes.fromhex(text.removeprefix("0x")) for text in document["signatures"]]
        sound = all(len(signature) == _SIGNATURE_BYTES for signature in signatures)
        if not sound or not is_checksum_address(document["adapter"]):
            raise ValueError("no signatures")  # noqa: TRY301
        keys = ("chain_id", "adapter", "app_id", "document_hash")
        return tuple(document[key] for key in keys), signatures
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{name} is not a member's attestation",
            "give the file that `quotary gateway attest` wrote",
        ) from error
