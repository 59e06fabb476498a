"""Turning a verdict into a proof that a contract accepts, as flags say."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _ActionsContainer
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from quotary import Verdict

from quotary_bridge.chain.accounts import AccountChoice, Signer
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli.options import Context
from quotary_bridge.committee import committee_proof
from quotary_bridge.deploy import ROUTES
from quotary_bridge.errors import ConfigurationError, EvidenceRejected, Reason
from quotary_bridge.zk import Receipt, stub_seal

__all__ = [
    "Proof",
    "Via",
    "add_member_flags",
    "add_proof_flags",
    "committee_members",
    "prove",
    "prove_by_receipt",
]


class Via(StrEnum):
    """By whom a verdict is vouched for."""

    COMMITTEE = "committee"
    ONCHAIN = "onchain"
    ZK = "zk"


@dataclass(frozen=True, slots=True)
class Proof:
    """
    Evidence and its proof, the route of the verifier that checks them, and the kind they will be
    recorded as. The evidence is a journal, or the quote itself where the chain judges it.
    """

    route: bytes
    evidence: bytes
    proof: bytes
    kind: str


def add_proof_flags(parser: ArgumentParser, *, quoted_by: str = "--registration") -> None:
    """Add who vouches for the verdict, and the committee's keys; `quoted_by` names the quote."""
    group = parser.add_argument_group("proof")
    group.add_argument(
        "--via",
        choices=[via.value for via in Via],
        default=Via.COMMITTEE.value,
        help="who vouches for the verdict; onchain is the chain itself, zk without --receipt the "
        "stub prover, development only (committee)",
    )
    group.add_argument(
        "--receipt",
        metavar="FILE",
        help=f"with --via zk and {quoted_by}: the proof `quotary zk prove` made of that quote",
    )
    add_member_flags(group)


def add_member_flags(group: _ActionsContainer) -> None:
    """Add the committee's keys."""
    group.add_argument(
        "--member-keystore", action="append", default=[], metavar="PATH", help="repeatable"
    )
    group.add_argument("--member-password-file", metavar="PATH", help="opens all of them")
    group.add_argument(
        "--member-key", action="append", default=[], metavar="HEX", help="development chains only"
    )


def prove(args: Namespace, context: Context, record: Deployment, verdict: Verdict) -> Proof:
    """Return the proof that `args` ask for; raises `ConfigurationError` or `KeyRefused`."""
    if Via(args.via) is Via.ZK:
        return _stub(context, record, verdict)
    verifier = record.address("CommitteeVerifier")
    chain_id = context.chain.chain_id
    members = committee_members(args, chain_id)
    proof = committee_proof(verdict.journal_digest, chain_id, verifier, members)
    return Proof(ROUTES["CommitteeVerifier"], verdict.journal(), proof, "committee")


def prove_by_receipt(context: Context, record: Deployment, receipt: Receipt) -> Proof:
    """
    Return the proof in `receipt`, checked here before anybody pays for having it checked.

    Raises `EvidenceRejected`, or `ConfigurationError` for a mock receipt on a chain of value.
    """
    verifier = "StubQuoteVerifier" if receipt.is_stub else "ZkQuoteVerifier"
    if receipt.is_stub:
        _require_development(context)
        if receipt.seal != stub_seal(receipt.image_id, receipt.journal_digest):
            raise EvidenceRejected(
                Reason.PROOF_INVALID, "the mock seal is of another journal", "prove again"
            )
    else:
        receipt.verify()
    record.address(verifier)
    kind = "stub" if receipt.is_stub else "zk"
    return Proof(ROUTES[verifier], receipt.verdict().journal(), receipt.seal, kind)


def _stub(context: Context, record: Deployment, verdict: Verdict) -> Proof:
    _require_development(context)
    record.address("StubQuoteVerifier")
    arguments = record.contracts["StubQuoteVerifier"].arguments
    image_id = bytes.fromhex(str(arguments["imageId"])[2:])
    seal = stub_seal(image_id, verdict.journal_digest)
    return Proof(ROUTES["StubQuoteVerifier"], verdict.journal(), seal, "stub")


def _require_development(context: Context) -> None:
    if not context.development:
        raise ConfigurationError(
            Reason.DEVELOPMENT_ONLY,
            "the stub prover proves nothing and is for development chains",
            "use --via committee, or a real receipt",
        )


def committee_members(args: Namespace, chain_id: int) -> list[Signer]:
    """Return the members whose keys `args` name; raises `ConfigurationError` where it is none."""
    password = None if args.member_password_file is None else Path(args.member_password_file)
    choices = [
        AccountChoice(keystore=Path(name), password_file=password) for name in args.member_keystore
    ]
    choices += [AccountChoice.of({}, private_key=key) for key in args.member_key]
    if not choices:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "no committee member signs",
            "give --member-keystore for as many members as the threshold asks",
        )
    return [choice.signer(chain_id) for choice in choices]
