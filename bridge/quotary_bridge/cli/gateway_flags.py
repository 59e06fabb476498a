"""The options of `quotary gateway`, and what is made of them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from dataclasses import dataclass
from datetime import UTC, datetime

from quotary import TrustRoot
from quotary.cli.aci import add_service_policy
from quotary.cli.gateway import add_gateway_options
from quotary.cli.hardware import (
    CollateralSource,
    add_hardware_options,
    chosen_policy,
    collateral_source,
)
from quotary.cli.inputs import read_time
from quotary.cli.workload import add_expectations, expectations, optional_input
from quotary.workloads import hardware_check
from quotary.workloads.aci import ReceiptAlgorithm
from quotary.workloads.compose import MAX_COMPOSE_BYTES

from quotary_bridge.cli.onchain import add_on_chain_flags
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    app_id,
    trust_root,
)
from quotary_bridge.cli.proofs import add_member_flags, add_proof_flags
from quotary_bridge.gateways import Demands, Protocol

__all__ = [
    "Judgement",
    "add_ask_flags",
    "add_attestation_flags",
    "add_common_flags",
    "add_enrol_flags",
    "add_evidence_flags",
    "add_folder",
    "add_record_flags",
]


MOST_NODES = 8
"""A gateway chooses how many nodes it reports, and whoever enrols pays for each."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """By what quotes are judged here, and what else is demanded of a gateway."""

    demands: Demands
    source: CollateralSource
    root: TrustRoot

    @classmethod
    def of(cls, args: Namespace, context: Context, host: str) -> Judgement:
        """Read what the options name; raises `CommandError`, `ConfigurationError`, `ParseError`."""
        if args.at is None and context.development:
            # A local chain may live in the time of the evidence: its clock is the one that counts.
            at = datetime.fromtimestamp(context.chain.head().timestamp, UTC)
        else:
            at = read_time(args.at)
        root = trust_root(args.root, development=context.development)
        source = collateral_source(args, root, at)
        demands = Demands(
            check=hardware_check(source, policy=chosen_policy(args), at=at, root=root),
            at=at,
            host=host,
            expected=expectations(args),
            app_compose=optional_input(args.app_compose, MAX_COMPOSE_BYTES),
            kms_roots=frozenset(args.kms_root or ()),
            subject=args.subject,
            session_ids=frozenset(pinned.hex() for pinned in args.session_id or ()),
            allow_unverified_upstream=args.allow_unverified_upstream,
            allow_unbound_channel=args.allow_unbound_channel,
        )
        return cls(demands, source, root)


def add_folder(parser: ArgumentParser) -> None:
    """Add the folder, and whom it is about: needed when it is made, compared afterwards."""
    parser.add_argument("folder", metavar="FOLDER", help="what is kept of the exchange")
    group = parser.add_argument_group("the gateway", "as the folder says, once it is made")
    group.add_argument("--app", type=app_id, metavar="APP", help="id, or name")
    group.add_argument(
        "--protocol",
        type=Protocol,
        choices=list(Protocol),
        metavar="NAME",
        help="aci, or chat: the first generation (aci)",
    )


def add_evidence_flags(parser: ArgumentParser) -> None:
    """Add how to reach the gateway, and by what it is judged."""
    add_gateway_options(parser)
    add_hardware_options(parser, alone=True)
    add_expectations(parser)
    add_service_policy(parser)


def add_enrol_flags(parser: ArgumentParser) -> None:
    """Add who vouches for the quotes."""
    parser.add_argument(
        "--most",
        type=int,
        default=MOST_NODES,
        metavar="N",
        help=f"refuse a report of more nodes: each costs two transactions ({MOST_NODES})",
    )
    parser.add_argument(
        "--renew",
        action="store_true",
        help="ask for a new report and enrol by it, although what was enrolled still counts",
    )
    add_proof_flags(parser, quoted_by="a quote-*.bin of the folder")
    add_on_chain_flags(parser)


def add_ask_flags(parser: ArgumentParser) -> None:
    """Add what to ask."""
    group = parser.add_argument_group("the exchange")
    group.add_argument("--request", metavar="FILE", help="the request body, sent byte for byte")
    group.add_argument(
        "--again", action="store_true", help="ask anew, in place of the answer that is kept"
    )
    group.add_argument(
        "--receipt-algo",
        choices=[algorithm.value for algorithm in ReceiptAlgorithm],
        metavar="NAME",
        help="of ACI: ask for a receipt by a key of this algorithm; contracts check "
        "secp256k1-eip191, members of the committee ed25519 (the former where there is one)",
    )


def add_record_flags(parser: ArgumentParser) -> None:
    """Add who vouches for a receipt that the chain cannot check."""
    group = parser.add_argument_group("committee", "for receipts with an Ed25519 signature")
    add_member_flags(group)


def add_attestation_flags(parser: ArgumentParser) -> None:
    """Add what members vouched for elsewhere."""
    parser.add_argument(
        "--attestation",
        action="append",
        default=[],
        metavar="FILE",
        help="what a member's `quotary gateway attest` wrote about the receipt; repeatable",
    )


def add_common_flags(parser: ArgumentParser, *, sends: bool) -> None:
    """Add account, chain and output."""
    if sends:
        add_account_flags(parser)
    else:
        parser.set_defaults(dry_run=False)
    add_chain_flags(parser)
    add_output_flags(parser)
