"""The options of `quotary relay run`, and the settings they come to."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli.options import Context, wei
from quotary_bridge.model import BlockNumber, Wei
from quotary_bridge.relayer import RelayerSettings

__all__ = ["add_run_flags", "settings_of"]

_DEFAULT = RelayerSettings()
_GWEI = 10**9


def add_run_flags(parser: ArgumentParser) -> None:
    """Add all but where the record, the chain and the account are."""
    _add_answering_flags(parser)
    _add_batch_flags(parser)
    _add_pace_flags(parser)
    _add_node_flags(parser)
    _add_api_flags(parser)


def _add_answering_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("requests and workers")
    group.add_argument(
        "--worker",
        action="append",
        default=[],
        metavar="URL[=ADDRESS]",
        help="a worker, and whose signature counts from it; repeatable",
    )
    group.add_argument(
        "--workers",
        type=Path,
        metavar="FILE",
        help="more workers, one a line; read again when it changes: who is taken out finishes what "
        "it began",
    )
    group.add_argument(
        "--round-seconds",
        type=float,
        default=_DEFAULT.round_seconds,
        metavar="SECONDS",
        help="how long workers of a round may take to commit, and to reveal (%(default)s)",
    )
    group.add_argument(
        "--hedge-seconds",
        type=float,
        default=_DEFAULT.hedge_seconds,
        metavar="SECONDS",
        help="ask the next worker as well where one takes longer (%(default)s)",
    )
    group.add_argument(
        "--concurrent-workers",
        type=int,
        metavar="N",
        help="questions that are out at a time, of all workers together; hedges come on top (as "
        f"many as there are workers, {_DEFAULT.concurrent_workers} at least)",
    )
    group.add_argument(
        "--results-per-job",
        type=int,
        default=_DEFAULT.results_per_job,
        metavar="N",
        help="answers that may come to nothing before none but new workers are asked (%(default)s)",
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
        default=_DEFAULT.batch_most,
        metavar="N",
        help="requests of one batch, at most (%(default)s)",
    )
    group.add_argument(
        "--batch-seconds",
        type=float,
        default=_DEFAULT.batch_seconds,
        metavar="SECONDS",
        help="how long requests wait for others before a batch is asked for (%(default)s)",
    )


def _add_pace_flags(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("transactions and pace")
    group.add_argument(
        "--poll",
        type=float,
        default=_DEFAULT.poll_seconds,
        metavar="SECONDS",
        help="rest between two cycles (%(default)s); while something is in flight, no longer than "
        "to the next block",
    )
    group.add_argument(
        "--in-flight",
        type=int,
        default=_DEFAULT.in_flight,
        metavar="N",
        help="transactions of one account that no block holds yet, at most (%(default)s); more "
        "than 16 suits nodes that are known to keep more",
    )
    group.add_argument(
        "--max-fee",
        type=wei,
        default=_DEFAULT.max_fee,
        metavar="AMOUNT",
        help=f"no transaction offers more for a unit of gas ({_DEFAULT.max_fee // _GWEI}gwei)",
    )
    group.add_argument(
        "--replace-after",
        type=int,
        default=_DEFAULT.replace_after,
        metavar="BLOCKS",
        help="raise the fees of what no block took for so long (%(default)s)",
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
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name by which it may be asked, besides addresses and localhost; repeatable",
    )
    group.add_argument(
        "--token-file", metavar="PATH", help="who asks the API has to know its first line"
    )


def settings_of(
    args: Namespace, context: Context, record: Deployment, workers: int
) -> RelayerSettings:
    """
    Return what the options come to on the chain of `context`, with so many `workers`.

    Raises `ConfigurationError`.
    """
    default = 0 if context.development else _DEFAULT.finality_depth
    batched = record.contracts.get("BatchOracle")
    return RelayerSettings(
        start_block=BlockNumber(record.contracts["ResultOracle"].block),
        confirmations=context.settings.confirmations,
        finality_depth=default if args.finality is None else args.finality,
        replace_after=args.replace_after,
        in_flight=args.in_flight,
        concurrent_workers=_width(args, workers),
        results_per_job=args.results_per_job,
        max_fee=Wei(args.max_fee),
        poll_seconds=args.poll,
        hedge_seconds=args.hedge_seconds,
        round_seconds=args.round_seconds,
        refunds=args.refund,
        batch_most=args.batch_most,
        batch_seconds=args.batch_seconds,
        batch_start_block=BlockNumber(0 if batched is None else batched.block),
        pushes=args.batches == "push",
    )


def _width(args: Namespace, workers: int) -> int:
    """Return how many workers are asked at a time: one question each, for each answers one."""
    if args.concurrent_workers is not None:
        return int(args.concurrent_workers)
    return max(workers, _DEFAULT.concurrent_workers)
