"""`quotary worker status` and `list`: registered workers, and whether they count."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from datetime import UTC, datetime

from quotary.cli.output import ExitCode

from quotary_bridge.chain.contracts import (
    ProofKind,
    WorkerRegistered,
    WorkerRegistry,
    WorkerRenewed,
    decode_event,
    topics_of,
)
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_chain_flags,
    add_output_flags,
    address,
    app_id,
)
from quotary_bridge.model import Address

__all__ = ["add_list", "add_status"]


def add_status(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `status`."""
    status = commands.add_parser(
        "status",
        help="show one worker and whether it counts",
        epilog="example: quotary worker status 0xW… --app council",
    )
    status.add_argument("worker", type=address, metavar="ADDRESS", help="the worker")
    status.add_argument("--app", type=app_id, metavar="APP", help="(the app it is registered for)")
    add_chain_flags(status)
    add_output_flags(status)
    status.set_defaults(run=_status)


def add_list(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `list`."""
    listing = commands.add_parser(
        "list", help="list registered workers", epilog="example: quotary worker list --app council"
    )
    listing.add_argument("--app", type=app_id, metavar="APP", help="only this app's")
    add_chain_flags(listing)
    add_output_flags(listing)
    listing.set_defaults(run=_list)


@command
def _status(args: Namespace) -> int:
    context = Context.of(args)
    registry = WorkerRegistry(context.chain, context.deployment().address("WorkerRegistry"))
    record = registry.worker_of(args.worker)
    app = args.app or record.app_id
    activity = registry.check_active(args.worker, app)
    fields = {
        "worker": args.worker,
        "app_id": app,
        "status": record.status.name.lower(),
        "active": activity.active,
        "reason": activity.reason,
        "until": activity.until,
        "proof_kind": record.kind.name.lower(),
        "measurement_id": record.measurement_id,
        "operator": record.operator,
        "tcb_status": record.tcb_status,
        "active_from": record.active_from,
        "valid_until": record.valid_until,
    }
    counts = f"until {_time(activity.until)}" if activity.active else f"no: {activity.reason}"
    answer(
        args,
        fields,
        f"worker       {args.worker}\n"
        f"status       {record.status.name.lower()}\n"
        f"counts       {counts}\n"
        f"proof        {record.kind.name.lower()}\n"
        f"measurement  0x{record.measurement_id.hex()}\n"
        f"operator     {record.operator}",
    )
    return ExitCode.OK


@command
def _list(args: Namespace) -> int:
    context = Context.of(args)
    deployment = context.deployment()
    registry = WorkerRegistry(context.chain, deployment.address("WorkerRegistry"))
    rows, lines = [], []
    for worker in _registered(context, deployment, registry):
        record = registry.worker_of(worker)
        if args.app not in (None, record.app_id):
            continue
        activity = registry.check_active(worker, record.app_id)
        rows.append(
            {
                "worker": worker,
                "app_id": record.app_id,
                "status": record.status.name.lower(),
                "active": activity.active,
                "reason": activity.reason,
                "proof_kind": record.kind.name.lower(),
                "valid_until": record.valid_until,
            }
        )
        mark = "active" if activity.active else activity.reason
        stub = "  proven by the stub" if record.kind is ProofKind.STUB else ""
        lines.append(f"{worker}  {mark}  until {_time(record.valid_until)}{stub}")
    answer(args, {"workers": rows}, "\n".join(lines) or "no worker is registered")
    return ExitCode.OK


def _registered(
    context: Context, deployment: Deployment, registry: WorkerRegistry
) -> list[Address]:
    logs = context.chain.all_logs(
        [registry.address],
        deployment.contracts["WorkerRegistry"].block,
        context.chain.head().number,
        [topics_of("WorkerRegistered", "WorkerRenewed")],
    )
    events = (decode_event(log) for log in logs)
    found = (
        event.worker for event in events if isinstance(event, WorkerRegistered | WorkerRenewed)
    )
    return list(dict.fromkeys(found))


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat() if seconds else "never"
