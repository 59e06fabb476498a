"""`quotary relay`: carry requests to workers and results back."""

from __future__ import annotations

import sys
import threading
import time
from argparse import ArgumentParser, Namespace, _SubParsersAction
from pathlib import Path

from quotary.cli.output import ExitCode, visible

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import load_keystore
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
)
from quotary_bridge.cli.relay_api import Api, token_from
from quotary_bridge.cli.relay_records import add_database_flag, register_records
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.http import listening
from quotary_bridge.model import BlockNumber, Timestamp
from quotary_bridge.relayer import (
    Progress,
    ProgressKind,
    RelayerConfig,
    RelayerSettings,
    TickReport,
    run,
    stop_on_signals,
)
from quotary_bridge.store import InputFolder, location
from quotary_bridge.workers import Endpoint

__all__ = ["register"]

_ADDRESS_CHARACTERS = 42

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
    parser.add_argument(
        "--poll",
        type=float,
        default=1.0,
        metavar="SECONDS",
        help="rest between two cycles (%(default)s)",
    )
    add_output_flags(parser)
    _add_answering_flags(parser)
    _add_batch_flags(parser)
    _add_node_flags(parser)
    _add_api_flags(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    parser.set_defaults(run=_run)
    register_records(commands)


def _add_answering_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("requests and workers")
    group.add_argument(
        "--worker",
        action="append",
        required=True,
        metavar="URL[=ADDRESS]",
        help="a worker, and whose signature counts from it; repeatable",
    )
    group.add_argument(
        "--round-seconds",
        type=float,
        default=RelayerSettings().round_seconds,
        metavar="SECONDS",
        help="how long workers of a round may take to commit, and to reveal (%(default)s)",
    )
    group.add_argument(
        "--refund",
        action="store_true",
        help="refund requests that nobody answered in time; nothing is paid for that",
    )
    group.add_argument(
        "--inputs",
        type=Path,
        metavar="DIR",
        help="inputs that the chain has no more than a hash of, each in a file of that name; with "
        "--listen they can be handed in at /v1/inputs",
    )


def _add_batch_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("many answers at once")
    group.add_argument(
        "--batches",
        choices=("commit", "push"),
        help="answer requests of the oracle of batches, too, and commit each batch's root; with "
        "push also claim every answer for whoever asked",
    )
    group.add_argument(
        "--batch-most",
        type=int,
        default=RelayerSettings().batch_most,
        metavar="N",
        help="requests of one batch, at most (%(default)s)",
    )
    group.add_argument(
        "--batch-seconds",
        type=float,
        default=RelayerSettings().batch_seconds,
        metavar="SECONDS",
        help="how long requests wait for others before a batch is asked for (%(default)s)",
    )


def _add_node_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("further nodes and accounts")
    group.add_argument(
        "--finality",
        type=int,
        metavar="N",
        help="blocks on top of a final one (0 on a local chain, else 6)",
    )
    group.add_argument(
        "--witness-url",
        action="append",
        default=[],
        metavar="URL",
        help="another node of the chain: what it does not confirm is not final; repeatable",
    )
    group.add_argument(
        "--fallback-url",
        action="append",
        default=[],
        metavar="URL",
        help="another node, asked when the one before it fails; repeatable",
    )
    group.add_argument(
        "--lane",
        action="append",
        default=[],
        metavar="PATH",
        help="the keystore of another account that delivers, of the same password; repeatable",
    )


def _add_api_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("looking on")
    group.add_argument(
        "--listen",
        metavar="HOST:PORT",
        help="serve /v1/requests, /v1/rounds, /v1/batches, /v1/errands, /v1/results, /v1/workers, "
        "/healthz, /readyz and /metrics there",
    )
    group.add_argument(
        "--token-file", metavar="PATH", help="who asks the API has to know its first line"
    )


@command
def _run(args: Namespace) -> int:
    workers = [_endpoint(text) for text in args.worker]
    context = Context.of(args)
    record = context.deployment()
    config = RelayerConfig(
        chain=context.chain,
        oracle=record.address("ResultOracle"),
        batches=record.address("BatchOracle") if args.batches else None,
        signer=context.choice.signer(context.chain.chain_id),
        workers=workers,
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
        settings=_settings(args, context, record),
    )
    stop = threading.Event()
    token = token_from(args.token_file)
    api = None if args.listen is None else Api(listening(args.listen, token))

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


def _settings(args: Namespace, context: Context, record: Deployment) -> RelayerSettings:
    default = 0 if context.development else RelayerSettings().finality_depth
    batched = record.contracts.get("BatchOracle")
    return RelayerSettings(
        start_block=BlockNumber(record.contracts["ResultOracle"].block),
        confirmations=context.settings.confirmations,
        finality_depth=default if args.finality is None else args.finality,
        poll_seconds=args.poll,
        round_seconds=args.round_seconds,
        refunds=args.refund,
        batch_most=args.batch_most,
        batch_seconds=args.batch_seconds,
        batch_start_block=BlockNumber(0 if batched is None else batched.block),
        pushes=args.batches == "push",
    )


def ended_with(cycle: TickReport | None) -> ExitCode:
    """Return what a single cycle came to: every attempt failed, some did, or none."""
    kinds = {event.kind for event in cycle.events} if cycle is not None else set()
    failed = [code for kind, code in _FAILURES.items() if kind in kinds]
    if not failed:
        return ExitCode.OK
    return ExitCode.PARTIAL if kinds & _SUCCESSES else failed[0]


def _endpoint(text: str) -> Endpoint:
    url, separator, known = text.rpartition("=")
    if not separator or len(known) != _ADDRESS_CHARACTERS:
        return Endpoint(text)
    try:
        return Endpoint(url, address(known))
    except Exception as error:
        if isinstance(error, ConfigurationError):
            raise
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID, str(error), "give --worker URL or URL=ADDRESS"
        ) from None


def _tell(progress: Progress) -> None:
    job = "" if progress.job is None else f" 0x{progress.job.hex()[:12]}"
    details = " ".join(f"{key}={value}" for key, value in progress.details.items())
    sys.stdout.write(visible(f"block {progress.block}{job} {progress.kind.value} {details}") + "\n")
    sys.stdout.flush()
