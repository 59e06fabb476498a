"""`quotary worker suspect`: show the registry two answers of one worker to one question."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.chain.contracts import WorkerRegistry
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
    read_file,
)
from quotary_bridge.cli.sending import send
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import SignedResult
from quotary_bridge.workers import WorkerFaultError, read_statement

__all__ = ["add_suspect"]

STATEMENT_BYTES_LIMIT = 1 << 20
"""What the relayer takes from a worker in one answer."""


def add_suspect(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `suspect`."""
    parser = commands.add_parser(
        "suspect",
        help="for anybody: have a worker revoked by two answers of its own",
        description="Show the registry two statements that one worker signed about one question, "
        "with different outputs. The registry checks both signatures and revokes the worker, for "
        "ever; whoever brings them needs no right. A statement is a file with what a worker "
        "answered at /v1/quotary/results or /v1/quotary/reveals.",
        epilog="example: quotary worker suspect one.json other.json --account me",
    )
    parser.add_argument("one", metavar="FILE", help="what the worker answered")
    parser.add_argument("other", metavar="FILE", help="what it answered as well")
    parser.add_argument(
        "--oracle",
        type=address,
        metavar="ADDRESS",
        help="the oracle it answered for (the deployment's ResultOracle)",
    )
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_suspect)


@command
def _suspect(args: Namespace) -> int:
    one, other = (_statement(name) for name in (args.one, args.other))
    context = Context.of(args)
    record = context.deployment()
    registry = WorkerRegistry(context.chain, record.address("WorkerRegistry"))
    oracle = args.oracle or record.address("ResultOracle")
    sent = send(args, context, registry.address, registry.report_equivocation(oracle, one, other))
    worker, asked = one.result.worker, one.result.request_id
    hashes = [each.result.output_hash for each in (one, other)]
    fields = {"worker": worker, "request_id": asked, "output_hashes": hashes, **sent.fields()}
    verb = "revoked" if sent.receipt is not None else "suspected"
    answer(args, fields, f"{verb:<12} {worker}\nrequest      0x{asked.hex()}\n{sent.text()}")
    return ExitCode.OK


def _statement(name: str) -> SignedResult:
    try:
        return read_statement(read_file(name, STATEMENT_BYTES_LIMIT))
    except WorkerFaultError as fault:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{name} holds no signed result: {fault.detail}",
            "name a file with the whole answer of the worker",
        ) from None
