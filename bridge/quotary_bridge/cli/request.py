"""`quotary request`: ask a model through the oracle, and see what became of it."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from dataclasses import replace
from typing import TypedDict

from quotary.cli.output import ExitCode

from quotary_bridge.chain.contracts import (
    Payment,
    Quorum,
    RequestCreated,
    RequestParams,
    RequestStatus,
    ResultOracle,
    Rule,
    decode_event,
)
from quotary_bridge.chain.records import Receipt
from quotary_bridge.cli import request_again, request_end, request_input
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
    app_id,
    identifier,
    wei,
)
from quotary_bridge.cli.request_state import (
    FoundRequest,
    add_batches_flag,
    found,
    oracle_of,
    result_oracle,
    unknown,
)
from quotary_bridge.cli.sending import send
from quotary_bridge.client import commitment_to
from quotary_bridge.errors import ConfigurationError, NotFinal, Reason, RpcUnavailable
from quotary_bridge.model import Address, Bytes32

__all__ = ["register"]

_POLL_SECONDS = 0.5


class _Reservation(TypedDict):
    """The workers that are asked, and the last second that is theirs alone, Unix time."""

    workers: tuple[Address, ...]
    reserved_until: int


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    request = subparsers.add_parser("request", help="ask a model, and see what became of it")
    commands = request.add_subparsers(dest="request_command", required=True)
    ask = commands.add_parser(
        "ask",
        help="ask a model through the oracle",
        epilog="example: quotary request ask 'Pay 5 to the fund?' --app council --model 0xM… "
        "--fee 1gwei --wait --account me",
    )
    request_input.add_input_flags(ask)
    ask.add_argument("--app", type=app_id, required=True, metavar="APP", help="id, or name")
    ask.add_argument("--model", type=identifier, required=True, metavar="ID", help="the model's id")
    ask.add_argument("--fee", type=wei, default=0, metavar="AMOUNT", help="for the worker (0)")
    ask.add_argument(
        "--expires-in", type=int, default=3600, metavar="SECONDS", help="then refund (3600)"
    )
    ask.add_argument("--refund-to", type=address, metavar="ADDRESS", help="(the account)")
    _add_quorum_flags(ask)
    _add_reservation_flags(ask)
    ask.add_argument("--wait", action="store_true", help="until it is answered, at most --timeout")
    add_account_flags(ask)
    add_chain_flags(ask)
    add_output_flags(ask)
    ask.set_defaults(run=_ask)
    request_input.add_supply(commands)
    status = commands.add_parser(
        "status", help="show a request", epilog="example: quotary request status 0xR…"
    )
    status.add_argument("request", type=identifier, metavar="ID", help="the request")
    add_batches_flag(status)
    add_chain_flags(status)
    add_output_flags(status)
    status.set_defaults(run=_status)
    request_again.add_reassign(commands)
    request_again.add_retry_callback(commands)
    request_end.add_refund(commands)
    request_end.add_withdraw(commands)


def _add_quorum_flags(ask: ArgumentParser) -> None:
    group = ask.add_argument_group("several workers")
    group.add_argument(
        "--quorum",
        type=_quorum,
        default=(1, 1),
        metavar="M/N",
        help="M of N workers must agree, more than half (1/1)",
    )
    group.add_argument("--operators", type=int, default=1, metavar="N", help="on so many (1)")
    group.add_argument("--vendors", type=int, default=1, metavar="N", help="of platforms (1)")
    group.add_argument(
        "--rule",
        choices=[rule.name.lower() for rule in Rule],
        default="exact",
        help="compare outputs, classes or numbers (%(default)s)",
    )
    group.add_argument(
        "--tolerance", type=int, default=0, metavar="N", help="how far numbers may be apart (0)"
    )


def _add_reservation_flags(ask: ArgumentParser) -> None:
    group = ask.add_argument_group("workers of your choice")
    group.add_argument(
        "--worker",
        type=address,
        action="append",
        default=[],
        metavar="ADDRESS",
        help="ask this one; once for each of the quorum's N",
    )
    group.add_argument(
        "--reserved-for",
        type=int,
        metavar="SECONDS",
        help="theirs alone; then anybody may open it to all (half of --expires-in)",
    )


def _reserved(args: Namespace, now: int) -> _Reservation:
    """Return whose the answer is at first; raises `ConfigurationError`."""
    if not args.worker:
        if args.reserved_for is not None:
            raise _invalid("--reserved-for names nobody", "say whom it is for: --worker ADDRESS")
        return _Reservation(workers=(), reserved_until=0)
    lasts = args.expires_in // 2 if args.reserved_for is None else args.reserved_for
    if not 0 <= lasts < args.expires_in:
        raise _invalid(
            f"--reserved-for {lasts} is not within the request's {args.expires_in} s",
            "leave others time to answer: give less than --expires-in",
        )
    named = tuple(sorted(args.worker, key=lambda each: int(each, 16)))
    if len(set(named)) != args.quorum[1] or len(named) != args.quorum[1]:
        raise _invalid(
            f"{len(named)} workers are named, and the quorum has {args.quorum[1]} seats",
            "name each worker once, as many as --quorum has seats",
        )
    return _Reservation(workers=named, reserved_until=now + lasts)


def _invalid(message: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Reason.CONFIGURATION_INVALID, message, remedy)


def _quorum(text: str) -> tuple[int, int]:
    results, _, seats = text.partition("/")
    if not (results.isdecimal() and seats.isdecimal()):
        raise ArgumentTypeError("a quorum is M/N, as 3/5")
    return int(results), int(seats)


@command
def _ask(args: Namespace) -> int:
    asked = request_input.input_of(args)
    context = Context.of(args)
    oracle = result_oracle(context)
    sender = context.sender().address
    results, seats = args.quorum
    now = context.chain.head().timestamp
    params = RequestParams(
        app_id=args.app,
        model_id=args.model,
        input=asked,
        callback_gas_limit=0,
        deadline=now + args.expires_in,
        payment=Payment(args.fee, refund_to=args.refund_to or sender),
        quorum=Quorum(
            results=results,
            seats=seats,
            operators=args.operators,
            vendors=args.vendors,
            rule=Rule[args.rule.upper()],
            tolerance=args.tolerance,
        ),
        **_reserved(args, now),
    )
    if args.off_chain:
        params = replace(params, input=b"", input_commitment=commitment_to(asked))
    if args.off_chain and not args.dry_run:
        # First of all: a request whose input nobody has is worth nothing.
        request_input.hand_in(args, asked)
    sent = send(args, context, oracle.address, oracle.request(params), args.fee)
    if sent.receipt is None:
        answer(args, sent.fields(), sent.text())
        return ExitCode.OK
    request_id = _created(sent.receipt)
    if args.wait:
        state = _wait(context, oracle, request_id)
        answer(args, {**state.fields(), **sent.fields()}, state.text())
        return ExitCode.OK
    fields = {"request_id": request_id, "status": "pending", **sent.fields()}
    answer(args, fields, f"request      0x{request_id.hex()}\n{sent.text()}")
    return ExitCode.OK


@command
def _status(args: Namespace) -> int:
    context = Context.of(args)
    oracle = oracle_of(context, batches=args.batches)
    state = found(context, oracle, args.request)
    if state.state.status is RequestStatus.UNKNOWN:
        raise unknown(args.request)
    answer(args, state.fields(), state.text())
    return ExitCode.OK


def _created(receipt: Receipt) -> Bytes32:
    for log in receipt.logs:
        event = decode_event(log)
        if isinstance(event, RequestCreated):
            return event.request_id
    raise RpcUnavailable(
        Reason.RPC_BROKEN_ANSWER, "the node's receipt lacks the event of the request"
    )


def _wait(context: Context, oracle: ResultOracle, request_id: Bytes32) -> FoundRequest:
    deadline = time.monotonic() + context.settings.timeout_seconds
    while True:
        status = oracle.state_of(request_id).status
        if status is not RequestStatus.PENDING:
            return found(context, oracle, request_id)
        if time.monotonic() >= deadline:
            raise NotFinal(
                Reason.NOT_FINAL_IN_TIME,
                f"request 0x{request_id.hex()} is not answered "
                f"after {context.settings.timeout_seconds:g} s",
                f"look later: quotary request status 0x{request_id.hex()}",
            )
        time.sleep(_POLL_SECONDS)
