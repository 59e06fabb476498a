"""`quotary audit`: rebuild a deployment from its events, and compare it with the contracts."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.admission.audit import Audit, audit
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import Context, add_chain_flags, add_output_flags
from quotary_bridge.errors import DeploymentMismatch, Reason

__all__ = ["register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    group = subparsers.add_parser("audit", help="hold a deployment against its own events")
    commands = group.add_subparsers(dest="audit_command", required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "rebuild",
        help="rebuild the state from events alone and compare it with the contracts",
        description="Fold every event of the governed contracts into a state: measurements, "
        "routes, receipt verifiers, policies, bars, workers, requests, batches, gateways' keys and "
        "records, the timelock's roles and operations. "
        "Then ask every contract for the same, at the same block. Exit code 6 where anything "
        "differs.",
        epilog="example: quotary audit rebuild --rpc-url http://127.0.0.1:8545",
    )
    parser.add_argument(
        "--block", type=_block, metavar="N", help="as of this block (the newest one)"
    )
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_rebuild)


@command
def _rebuild(args: Namespace) -> int:
    context = Context.of(args)
    record = context.deployment()
    head = context.chain.head().number
    found = audit(context.chain, record, head if args.block is None else min(args.block, head))
    if found.findings:
        told = "; ".join(
            f"{item.what}: events say {item.by_events}, the contract {item.by_contract}"
            for item in found.findings
        )
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"events and contracts differ at block {found.block}: {told}",
            "check that the node has every log of the chain; if it has, a contract is not ours",
        )
    fields = {"block": found.block, "compared": found.compared, **_counts(found)}
    lines = [f"{name.replace('_', ' '):<22} {count}" for name, count in _counts(found).items()]
    lines.append(f"all {found.compared} values are what the contracts hold at block {found.block}")
    answer(args, fields, "\n".join(lines))
    return ExitCode.OK


def _counts(found: Audit) -> dict[str, int]:
    state = found.state
    return {
        "epoch": state.epoch,
        "measurements": len(state.measurements),
        "routes": len(state.routes),
        "receipt_verifiers": len(state.selectors),
        "policy_versions": sum(map(len, state.policies.versions.values())),
        "bars": len(state.policies.barred),
        "workers": len(state.workers),
        "collateral_documents": len(state.calendar.windows),
        "notarizations": len(state.ledger.notarized),
        "requests": len(state.ledger.states) + len(state.batches.states),
        "batches": len(state.batches.roots),
        "gateway_keys": len(state.gateways.keys),
        "gateway_exchanges": len(state.gateways.exchanges),
        "gateway_receipts": len(state.gateways.receipts),
        "timelock_operations": len(state.operations),
    }


def _block(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ArgumentTypeError(f"{text!r} is no block number")
    return int(text)
