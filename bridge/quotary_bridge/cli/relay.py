"""`quotary relay`: carry requests to workers and results back."""

from __future__ import annotations

import sys
import threading
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Sequence
from pathlib import Path

from quotary.cli.output import ExitCode, visible

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import load_keystore
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
)
from quotary_bridge.cli.relay_api import Api, token_from
from quotary_bridge.cli.relay_flags import add_run_flags, settings_of
from quotary_bridge.cli.relay_records import add_database_flag, register_records
from quotary_bridge.cli.relay_workers import WorkersFile, endpoint
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.http import listening
from quotary_bridge.model import Timestamp
from quotary_bridge.relayer import (
    Progress,
    ProgressKind,
    RelayerConfig,
    TickReport,
    run,
    stop_on_signals,
)
from quotary_bridge.store import InputFolder, location
from quotary_bridge.workers import Endpoint

__all__ = ["register"]

# What a cycle can fail with, the gravest first, and what it can succeed in.
_FAILURES = {
    ProgressKind.RESULT_REJECTED: ExitCode.REJECTED,
    ProgressKind.DELIVERY_REFUSED: ExitCode.REVERTED,
    ProgressKind.REVERTED: ExitCode.REVERTED,
    ProgressKind.WORKER_FAILED: ExitCode.NETWORK,
    ProgressKind.WORKERS_MISSING: ExitCode.NETWORK,
    ProgressKind.TRANSACTION_HELD: ExitCode.NETWORK,
}
_SUCCESSES = {
    *(ProgressKind.RESULT_STORED, ProgressKind.ROUND_AGREED, ProgressKind.TRANSACTION_SENT),
    *(ProgressKind.BATCH_SIGNED, ProgressKind.BATCH_COMMITTED),
    *(ProgressKind.MINED, ProgressKind.FINAL, ProgressKind.WOULD_DELIVER),
}


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    relay = subparsers.add_parser("relay", help="carry requests to workers and results back")
    commands = relay.add_subparsers(dest="relay_command", required=True)
    parser = commands.add_parser(
        "run",
        help="relay until stopped",
        description="Relay until stopped. Everything sent is written down first: after a crash, "
        "start it again with the same --database.",
        epilog="example: quotary relay run --worker http://127.0.0.1:8750 --account relayer",
    )
    add_database_flag(parser)
    parser.add_argument("--once", action="store_true", help="one cycle, then stop")
    add_output_flags(parser)
    add_run_flags(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    parser.set_defaults(run=_run)
    register_records(commands)


@command
def _run(args: Namespace) -> int:
    file, workers = _workers(args)
    context = Context.of(args)
    record = context.deployment()
    config = RelayerConfig(
        chain=context.chain,
        oracle=record.address("ResultOracle"),
        batches=record.address("BatchOracle") if args.batches else None,
        signer=context.choice.signer(context.chain.chain_id),
        workers=workers,
        roster=file or (lambda: None),
        database=location(args.database),
        lanes=[
            load_keystore(Path(name).expanduser(), context.choice.password_file).for_chain(
                context.chain.chain_id
            )
            for name in args.lane
        ],
        witnesses=[Chain.connect(url, context.chain.chain_id) for url in args.witness_url],
        inputs=None if args.inputs is None else InputFolder(args.inputs),
        now=lambda: Timestamp(int(time.time())),  # noqa: TID251 (the edge: it serves the lease)
        settings=settings_of(args, context, record, len(workers)),
    )
    stop = threading.Event()
    token = token_from(args.token_file)
    api = None if args.listen is None else Api(listening(args.listen, token, args.allow_host))

    def _hear(progress: Progress) -> None:
        if api is not None:
            api.heard(progress)
        if not args.json:
            _tell(progress)

    with stop_on_signals(stop):
        report = run(
            config, stop, once=args.once, dry_run=args.dry_run, listener=_hear, observer=api
        )
    jobs = {state.value: count for state, count in report.jobs.items()}
    shown = ", ".join(f"{count} {state}" for state, count in jobs.items() if count)
    answer(args, {"jobs": jobs}, f"stopped: {shown or 'nothing to do'}")
    return ended_with(report.last) if args.once else ExitCode.OK


def _workers(args: Namespace) -> tuple[WorkersFile | None, Sequence[Endpoint]]:
    named = [endpoint(text) for text in args.worker]
    if args.workers is not None:
        file = WorkersFile(args.workers, named)
        return file, file.workers
    if not named:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "no worker is named",
            "give --worker URL or --workers FILE",
        )
    return None, named


def ended_with(cycle: TickReport | None) -> ExitCode:
    """Return what a single cycle came to: every attempt failed, some did, or none."""
    kinds = {event.kind for event in cycle.events} if cycle is not None else set()
    failed = [code for kind, code in _FAILURES.items() if kind in kinds]
    if not failed:
        return ExitCode.OK
    return ExitCode.PARTIAL if kinds & _SUCCESSES else failed[0]


def _tell(progress: Progress) -> None:
    job = "" if progress.job is None else f" 0x{progress.job.hex()[:12]}"
    details = " ".join(f"{key}={value}" for key, value in progress.details.items())
    sys.stdout.write(visible(f"block {progress.block}{job} {progress.kind.value} {details}") + "\n")
    sys.stdout.flush()
