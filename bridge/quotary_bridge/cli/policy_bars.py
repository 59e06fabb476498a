"""`quotary policy bar` and `lift`: ruling something out on a suspicion, and taking that back."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction

from quotary.cli.output import ExitCode

from quotary_bridge.admission.policies import EVERY_APP
from quotary_bridge.admission.policy_file import subject_in_words, subject_of
from quotary_bridge.chain.contracts.policy import TcbPolicy
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    app_id,
)
from quotary_bridge.cli.sending import govern, send

__all__ = ["register_bar", "register_lift"]


def register_bar(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy bar`."""
    parser = commands.add_parser(
        "bar",
        help="for governor and guardian: stop all workers that something holds of, at once",
        description="Stop every worker with this FMSPC, advisory, platform, measurement or proof "
        "kind, or one worker, at once and without grace. It stays barred until the governor lifts "
        "it.",
        epilog="example: quotary policy bar 50806f000000 --every-app --account guardian",
    )
    _add_flags(parser)
    parser.set_defaults(run=_bar)


def register_lift(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy lift`."""
    parser = commands.add_parser(
        "lift",
        help="take back a bar: proposed first, executed after the timelock's delay",
        description="Bring the end of a bar one step on: propose it to the timelock, or execute "
        "what was proposed and has waited (exit code 8 until then).",
        epilog="example: quotary policy lift 50806f000000 --every-app --account me",
    )
    _add_flags(parser)
    parser.set_defaults(run=_lift)


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "subject",
        type=_subject,
        metavar="SUBJECT",
        help="an advisory's id, an FMSPC, a worker's address, the id of a platform or a "
        "measurement, or a proof kind: OnChain, Zk, Committee, Stub",
    )
    apps = parser.add_mutually_exclusive_group(required=True)
    apps.add_argument("--app", type=app_id, metavar="APP", help="for this app: id, or name")
    apps.add_argument(
        "--every-app", dest="app", action="store_const", const=EVERY_APP, help="for all of them"
    )
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)


def _subject(text: str) -> bytes:
    found = subject_of(text)
    if found is None:
        raise ArgumentTypeError(
            f"{text!r} is no advisory (INTEL-…), FMSPC (6 bytes), address (20), id (32) or kind"
        )
    return found


@command
def _bar(args: Namespace) -> int:
    context, policy = _policy(args)
    sent = send(args, context, policy.address, policy.bar(args.app, args.subject))
    answer(args, {**_fields(args), **sent.fields()}, f"barred       {_said(args)}\n{sent.text()}")
    return ExitCode.OK


@command
def _lift(args: Namespace) -> int:
    context, policy = _policy(args)
    governed = govern(args, context, policy.address, policy.lift(args.app, args.subject))
    status = "lifted" if governed.done or args.dry_run else "proposed"
    fields = {**_fields(args), "status": status, **governed.fields()}
    answer(args, fields, f"{status:<12} {_said(args)}\n{governed.text()}")
    return ExitCode.PARTIAL if status == "proposed" else ExitCode.OK


def _policy(args: Namespace) -> tuple[Context, TcbPolicy]:
    context = Context.of(args)
    return context, TcbPolicy(context.chain, context.deployment().address("TcbPolicy"))


def _fields(args: Namespace) -> dict[str, object]:
    return {"app_id": args.app, "every_app": args.app == EVERY_APP, "subject": args.subject}


def _said(args: Namespace) -> str:
    apps = "every app" if args.app == EVERY_APP else f"app 0x{args.app.hex()}"
    return f"{subject_in_words(args.subject)} for {apps}"
