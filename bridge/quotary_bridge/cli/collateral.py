"""`quotary collateral push`: bring collateral to the store on chain."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.collateral import add_source, read_source
from quotary.cli.output import ExitCode

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.bringing import Brought, bring, chain_time, dcap_verifier, store_behind
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    trust_root,
)

__all__ = ["register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "push",
        help="bring collateral to the store on chain",
        description="Bring the certificates, revocation lists and documents that the collateral "
        "store lacks, in the order it wants them. What it has already, or newer, is skipped: run "
        "it again after an interruption, and it goes on.",
        epilog="example: quotary collateral push --file collateral.json --account me",
    )
    add_source(parser)
    parser.add_argument("--root", metavar="FILE", help="trust this root (development chains)")
    parser.add_argument(
        "--no-assemble",
        action="store_true",
        help="leave it in pieces: saves gas now, costs some at every verification",
    )
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_push)


@command
def _push(args: Namespace) -> int:
    context = Context.of(args)
    store = store_behind(dcap_verifier(context, context.deployment()))
    root = trust_root(args.root, development=context.development)
    raw = read_source(args, root, chain_time(context))
    brought = bring(args, context, store, raw, root, assemble=not args.no_assemble)
    _tell(args, brought)
    return ExitCode.OK


def _tell(args: Namespace, brought: list[Brought]) -> None:
    sent = [item.receipt for item in brought if item.receipt is not None]
    gas = sum(receipt.gas_used for receipt in sent)
    end = "dry run: nothing was sent" if args.dry_run else f"{len(sent)} brought, {gas:,} gas"
    answer(
        args,
        {"sent": bool(sent), "gas": gas, "items": [item.fields() for item in brought]},
        end,
    )
