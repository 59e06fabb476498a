"""`quotary request reassign` and `retry-callback`: a request, or its callback, once more."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.chain.port import TransactionRequest
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    identifier,
)
from quotary_bridge.cli.request_state import (
    FoundRequest,
    add_batches_flag,
    found,
    oracle_of,
    terms_of,
    unknown,
)
from quotary_bridge.cli.sending import send
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["add_reassign", "add_retry_callback"]


def add_reassign(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `request reassign`."""
    parser = commands.add_parser(
        "reassign",
        help="open a request to all workers, once its own had their time",
        description="Open a request that names its workers to every worker of its app, once the "
        "time that was theirs alone is over. Whoever sends it is credited a hundredth of what was "
        "put up; anybody may.",
        epilog="example: quotary request reassign 0xR… --account me",
    )
    parser.add_argument("request", type=identifier, metavar="ID", help="the request")
    add_batches_flag(parser)
    _finish(parser)
    parser.set_defaults(run=_reassign)


def add_retry_callback(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `request retry-callback`."""
    parser = commands.add_parser(
        "retry-callback",
        help="repeat a callback that failed, as its requester",
        description="Tell the requester, whose callback failed, once more how its request ended: "
        "the answer, or that there is none. The oracle takes this from the requester alone: from a "
        "contract that makes the call which --unsigned shows, or from an account that is one "
        "itself (EIP-7702).",
        epilog="example: quotary request retry-callback 0xR… --unsigned",
    )
    parser.add_argument("request", type=identifier, metavar="ID", help="the request")
    parser.add_argument(
        "--unsigned",
        action="store_true",
        help="try it out as the requester, and show the call for it to make; nothing is sent",
    )
    add_batches_flag(parser)
    _finish(parser)
    parser.set_defaults(run=_retry_callback)


def _finish(parser: ArgumentParser) -> None:
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)


@command
def _reassign(args: Namespace) -> int:
    context = Context.of(args)
    oracle = oracle_of(context, batches=args.batches)
    made = terms_of(context, oracle, args.request)
    sent = send(args, context, oracle.address, oracle.reassign(made))
    # What RequestBook.REASSIGN_REWARD_DIVISOR says.
    reward = made.payment.max_fee // int(oracle.read("REASSIGN_REWARD_DIVISOR"))
    fields = {"request_id": args.request, "reward": str(reward), **sent.fields()}
    then = f"credited     {reward:,}, for quotary request withdraw"
    answer(args, fields, f"reassigned   0x{args.request.hex()}\n{then}\n{sent.text()}")
    return ExitCode.OK


@command
def _retry_callback(args: Namespace) -> int:
    context = Context.of(args)
    oracle = oracle_of(context, batches=args.batches)
    request = found(context, oracle, args.request)
    made, output = request.terms, _output(request)
    if made is None:
        raise unknown(args.request)
    data = oracle.retry_callback(made, output)
    fields: dict[str, object] = {"request_id": args.request, "requester": made.requester}
    if args.unsigned:
        gas = context.chain.simulate(TransactionRequest(made.requester, oracle.address, data))
        fields |= {"sent": False, "gas": gas, "to": oracle.address, "data": data}
        lines = [
            f"requester    {made.requester}",
            f"to           {oracle.address}",
            f"data         0x{data.hex()}",
            f"gas          {gas:,}, and more for a callback that needs it",
        ]
        answer(args, fields, "\n".join(lines))
        return ExitCode.OK
    sent = send(args, context, oracle.address, data)
    text = f"called back  {made.requester}\n{sent.text()}"
    answer(args, {**fields, **sent.fields()}, text)
    return ExitCode.OK


def _output(request: FoundRequest) -> bytes:
    """Return what to call back with; raises `ConfigurationError` where nothing has ended."""
    if request.state.status is RequestStatus.UNKNOWN:
        raise unknown(request.request_id)
    if request.state.status is RequestStatus.PENDING:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"request 0x{request.request_id.hex()} is pending: nobody was called back yet",
            "wait for its end",
        )
    return b"" if request.answered is None else request.answered.output
