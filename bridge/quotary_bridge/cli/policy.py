"""`quotary policy` on a chain: what is in force, what a change would do, and making it."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from quotary import TeeType
from quotary.cli.inputs import read_time
from quotary.cli.output import ExitCode

from quotary_bridge.admission.forecast import Fate, Proposal, forecast
from quotary_bridge.admission.history import rebuild
from quotary_bridge.admission.policy_file import (
    MAX_FILE_BYTES,
    differences,
    parse_rules,
    rules_in_words,
    subject_in_words,
)
from quotary_bridge.admission.state import State
from quotary_bridge.chain.contracts.policy import PolicyRules, TcbPolicy
from quotary_bridge.chain.governance import Governor
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    app_id,
    read_file,
)
from quotary_bridge.cli.sending import govern_by
from quotary_bridge.model import Address, Bytes32

__all__ = [
    "extend_simulate",
    "register_diff",
    "register_execute",
    "register_propose",
    "register_show",
]

_TEES = {"sgx": TeeType.SGX, "tdx": TeeType.TDX}


def register_show(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy show`."""
    parser = commands.add_parser(
        "show",
        help="show the policy of an app that is in force on a chain",
        description="Show the version in force, its rules, and what is barred.",
        epilog="example: quotary policy show --app council",
    )
    _add_subject(parser, required=True)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_show)


def register_diff(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy diff`."""
    parser = commands.add_parser(
        "diff",
        help="show what a policy file would change on a chain",
        description="Compare a policy file for a chain with the version in force.",
        epilog="example: quotary policy diff policy.toml --app council",
    )
    parser.add_argument("policy", metavar="POLICY", help="the policy file, TOML")
    _add_subject(parser, required=True)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_diff)


def extend_simulate(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Have `policy simulate` judge registered workers where `--app` is given."""
    parser: ArgumentParser = commands.choices["simulate"]
    offline: Callable[[Namespace], int] = parser.get_default("run")
    _add_subject(parser, required=False)
    _add_emergency(parser)
    add_chain_flags(parser)
    parser.add_argument("-v", "--verbose", action="count", default=0, help="log to stderr")

    def run(args: Namespace) -> int:
        return offline(args) if args.app is None else _simulate(args)

    parser.set_defaults(run=run)


def register_propose(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy propose`."""
    _add_change(
        commands,
        "propose",
        "announce a policy for an app: it can be executed after the timelock's delay",
        "Show who would fall out and when, then propose the policy to the timelock.",
        _propose,
    )


def register_execute(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `policy execute`."""
    _add_change(
        commands,
        "execute",
        "publish a policy that was proposed and has waited",
        "Show who falls out and when, then publish the policy.",
        _execute,
    )


def _add_change(
    commands: _SubParsersAction[ArgumentParser],
    verb: str,
    summary: str,
    description: str,
    run: Callable[[Namespace], int],
) -> None:
    parser = commands.add_parser(
        verb,
        help=summary,
        description=description,
        epilog=f"example: quotary policy {verb} policy.toml --app council --account me",
    )
    parser.add_argument("policy", metavar="POLICY", help="the policy file, TOML")
    _add_subject(parser, required=True)
    _add_emergency(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=run)


def _add_subject(parser: ArgumentParser, *, required: bool) -> None:
    group = parser.add_argument_group("app, on a chain")
    group.add_argument("--app", type=app_id, required=required, metavar="APP", help="id, or name")
    group.add_argument("--tee", choices=list(_TEES), default="tdx", help="(tdx)")


def _add_emergency(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--emergency", action="store_true", help="without any grace, and in spite of one that runs"
    )


@dataclass(frozen=True, slots=True)
class _Subject:
    """An app's policy for one TEE type, and the deployment's state at the newest block."""

    context: Context
    policy: TcbPolicy
    state: State
    app: Bytes32
    tee_type: int
    now: int

    @classmethod
    def of(cls, args: Namespace) -> _Subject:
        context = Context.of(args)
        record = context.deployment()
        head = context.chain.head()
        policy = TcbPolicy(context.chain, record.address("TcbPolicy"))
        state = rebuild(context.chain, record, head.number)
        return cls(context, policy, state, args.app, _TEES[args.tee], head.timestamp)

    @property
    def in_force(self) -> PolicyRules:
        return self.state.policies.rules_of(self.app, self.tee_type)

    def governor(self) -> Governor:
        return Governor.of(self.context.chain, self.context.deployment())

    def fates(self, args: Namespace, rules: PolicyRules, at: int) -> tuple[Fate, ...]:
        proposal = Proposal(self.app, self.tee_type, rules, at, args.emergency)
        return forecast(self.state, proposal)

    def call(self, args: Namespace, rules: PolicyRules) -> tuple[Address, bytes]:
        data = self.policy.publish(self.app, self.tee_type, rules, emergency=args.emergency)
        return self.policy.address, data


@command
def _show(args: Namespace) -> int:
    subject = _Subject.of(args)
    head = subject.state.policies.head_of(subject.app, subject.tee_type)
    words = rules_in_words(subject.in_force)
    barred = sorted(
        (app, item)
        for app, item in subject.state.policies.barred
        if app in {bytes(subject.app), bytes(32)}
    )
    fields = {
        "app_id": subject.app,
        "tee": args.tee,
        "version": head.version,
        "published_at": head.published_at,
        "grace_ends_at": head.grace_ends_at,
        "rules": words,
        "barred": [{"every_app": not any(app), "subject": item} for app, item in barred],
    }
    since = f"since {_time(head.published_at)}" if head.version else "the deployment's own"
    lines = [f"{'version':<21} {head.version}, {since}"]
    if head.grace_ends_at >= subject.now:
        lines.append(f"{'the last grace ends':<21} {_time(head.grace_ends_at)}")
    lines += [f"{key:<21} {text}" for key, text in words.items()]
    lines += [
        f"{'barred':<21} {subject_in_words(item)} {'for this app' if any(app) else 'for every app'}"
        for app, item in barred
    ]
    answer(args, fields, "\n".join(lines))
    return ExitCode.OK


@command
def _diff(args: Namespace) -> int:
    rules = _rules(args)
    subject = _Subject.of(args)
    found = differences(subject.in_force, rules)
    fields = {
        "app_id": subject.app,
        "tee": args.tee,
        "changes": {key: {"in_force": old, "proposed": new} for key, (old, new) in found.items()},
    }
    lines = [f"{key:<21} {old}  ->  {new}" for key, (old, new) in found.items()]
    answer(args, fields, "\n".join(lines) or "nothing would change")
    return ExitCode.OK


@command
def _simulate(args: Namespace) -> int:
    rules = _rules(args)
    subject = _Subject.of(args)
    at = subject.now + _delay(subject)
    if args.at is not None:
        at = int(read_time(args.at).timestamp())
    fates = subject.fates(args, rules, at)
    if args.until is not None:
        until = int(read_time(args.until).timestamp())
        fates = tuple(fate for fate in fates if fate.falls_at is None or fate.falls_at <= until)
    answer(args, _fields(subject, fates, at), "\n".join(_lines(fates, at)))
    return ExitCode.OK


@command
def _propose(args: Namespace) -> int:
    return _change(args, "propose")


@command
def _execute(args: Namespace) -> int:
    return _change(args, "execute")


def _change(args: Namespace, verb: Literal["propose", "execute"]) -> int:
    rules = _rules(args)
    subject = _Subject.of(args)
    at = subject.now + (_delay(subject) if verb == "propose" else 0)
    fates = subject.fates(args, rules, at)
    lines = [*_lines(fates, at)]
    governed = govern_by(args, subject.context, *subject.call(args, rules), verb)
    fields = {**_fields(subject, fates, at), **governed.fields()}
    answer(args, fields, "\n".join([*lines, governed.text()]))
    return ExitCode.OK if governed.done or args.dry_run else ExitCode.PARTIAL


def _delay(subject: _Subject) -> int:
    timelock = subject.governor().timelock
    return 0 if timelock is None else timelock.delay()


def _rules(args: Namespace) -> PolicyRules:
    return parse_rules(read_file(args.policy, MAX_FILE_BYTES))


def _fields(subject: _Subject, fates: Iterable[Fate], at: int) -> dict[str, object]:
    return {
        "app_id": subject.app,
        "takes_effect_at": at,
        "workers": [
            {
                "worker": fate.worker,
                "before": fate.before.reason or "active",
                "after": fate.after.reason or "active",
                "falls_at": fate.falls_at,
                "falls_for": fate.falls_for,
                "gained": fate.gained,
            }
            for fate in fates
        ],
    }


def _lines(fates: tuple[Fate, ...], at: int) -> Iterable[str]:
    for fate in fates:
        if fate.falls_at is not None:
            # A grace of nothing still covers the second in which the version is published.
            when = "at once" if fate.falls_at <= at + 1 else f"at {_time(fate.falls_at)}"
            yield f"{fate.worker}  falls {when}: {fate.falls_for}"
        elif fate.gained:
            yield f"{fate.worker}  comes back: no longer {fate.before.reason}"
        else:
            yield f"{fate.worker}  as before: {fate.after.reason or 'active'}"
    fallen = sum(fate.falls_at is not None for fate in fates)
    gained = sum(fate.gained for fate in fates)
    yield f"in force from {_time(at)}: {fallen} fall, {gained} come back, of {len(fates)} workers"


def _time(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
