"""`quotary request refund` and `withdraw`: what an unanswered request put up comes back."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
    identifier,
)
from quotary_bridge.cli.request_state import add_batches_flag, oracle_of, terms_of
from quotary_bridge.cli.sending import send
from quotary_bridge.model import Address

__all__ = ["add_refund", "add_withdraw"]

_ETHER = Address("0x" + "00" * 20)


def add_refund(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `request refund`."""
    parser = commands.add_parser(
        "refund",
        help="end a request that nobody answered in time",
        description="End a request whose deadline has passed, or with --abandon one whose model "
        "was revoked. What it put up is credited to whom its requester named; anybody may send it.",
        epilog="example: quotary request refund 0xR… --account me",
    )
    parser.add_argument("request", type=identifier, metavar="ID", help="the request")
    parser.add_argument(
        "--abandon", action="store_true", help="before its deadline, as its model was revoked"
    )
    _finish(parser)
    parser.set_defaults(run=_refund)


def add_withdraw(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `request withdraw`."""
    parser = commands.add_parser(
        "withdraw",
        help="fetch what an account is owed: refunds, and pay for its workers",
        description="Send the account's whole credit with an oracle to an address.",
        epilog="example: quotary request withdraw --account me",
    )
    parser.add_argument(
        "--token", type=address, default=_ETHER, metavar="ADDRESS", help="a token's (ether)"
    )
    parser.add_argument("--to", type=address, metavar="ADDRESS", help="(the account)")
    _finish(parser)
    parser.set_defaults(run=_withdraw)


def _finish(parser: ArgumentParser) -> None:
    add_batches_flag(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)


@command
def _refund(args: Namespace) -> int:
    context = Context.of(args)
    oracle = oracle_of(context, batches=args.batches)
    made = terms_of(context, oracle, args.request)
    data = oracle.abandon(made) if args.abandon else oracle.refund(made)
    sent = send(args, context, oracle.address, data)
    status = "failed" if args.abandon else "refunded"
    fields = {
        "request_id": args.request,
        "status": status,
        "credited_to": made.payment.refund_to,
        "amount": str(made.payment.max_fee),
        **sent.fields(),
    }
    then = f"credited     {made.payment.refund_to}, for quotary request withdraw"
    answer(args, fields, f"{status:<12} 0x{args.request.hex()}\n{then}\n{sent.text()}")
    return ExitCode.OK


@command
def _withdraw(args: Namespace) -> int:
    context = Context.of(args)
    oracle = oracle_of(context, batches=args.batches)
    account = context.sender().address
    to = args.to or account
    owed = int(oracle.read("creditOf", args.token, account))
    sent = send(args, context, oracle.address, oracle.encode("withdraw", args.token, to))
    fields = {"account": account, "token": args.token, "to": to, "amount": str(owed)}
    answer(args, {**fields, **sent.fields()}, f"withdrawn    {owed:,} to {to}\n{sent.text()}")
    return ExitCode.OK
