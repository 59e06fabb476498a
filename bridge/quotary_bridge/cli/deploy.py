"""`quotary deploy`: put the contracts on a chain, or check the ones that stand."""

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
    app_id,
    identifier,
    trust_root,
)
from quotary_bridge.deploy import Deployer, Outcome, Parameters
from quotary_bridge.deploy.check import check_governance, route_states
from quotary_bridge.deploy.parameters import (
    DEFAULT_ACCEPTED_STATUSES,
    SHORTEST_DELAY,
    Committee,
    TimelockTerms,
    WorkerRules,
)
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address

__all__ = ["register"]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "deploy",
        help="deploy the contracts, or check the deployed ones",
        description="Deploy all contracts and write deployments/CHAIN.json. Run it again after an "
        "interruption: it goes on where it stopped, and does nothing twice.",
        epilog="example: quotary deploy --account me --member 0xA… --member 0xB… --threshold 2 "
        "--proposer 0xP… --guardian 0xH…",
    )
    parser.add_argument(
        "--check", action="store_true", help="only compare the record and the chain"
    )
    roles = parser.add_argument_group("fixed at deployment, for ever")
    roles.add_argument(
        "--proposer",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="may propose to the timelock that governs; repeatable (the account)",
    )
    roles.add_argument(
        "--executor",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="may execute what has waited; repeatable (anyone)",
    )
    roles.add_argument(
        "--delay",
        type=int,
        metavar="SECONDS",
        help=f"that proposals wait ({SHORTEST_DELAY}; 0 on development chains)",
    )
    roles.add_argument(
        "--guardian", type=address, metavar="ADDRESS", help="may only narrow (the account)"
    )
    roles.add_argument(
        "--member",
        type=address,
        action="append",
        metavar="ADDRESS",
        help="a committee member; repeatable (the account)",
    )
    roles.add_argument("--threshold", type=int, metavar="M", help="how many must sign (all)")
    roles.add_argument("--max-age", type=int, default=3600, metavar="SECONDS", help="of verdicts")
    roles.add_argument("--activation-delay", type=int, default=0, metavar="SECONDS")
    roles.add_argument(
        "--accepted-statuses",
        type=lambda text: int(text, 0),
        default=DEFAULT_ACCEPTED_STATUSES,
        metavar="BITS",
        help="bit n accepts TCB status n (%(default)s)",
    )
    development = parser.add_argument_group("development chains only")
    development.add_argument("--allow-stub", action="store_true", help="admit the stub prover")
    development.add_argument(
        "--governor", type=address, metavar="ADDRESS", help="an account instead of the timelock"
    )
    development.add_argument("--root", metavar="FILE", help="trust this root instead of Intel's")
    example = parser.add_argument_group("example consumer (both, or none)")
    example.add_argument("--app", type=app_id, metavar="APP")
    example.add_argument("--model", type=identifier, metavar="ID")
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_deploy)


@command
def _deploy(args: Namespace) -> int:
    context = Context.of(args)
    if args.check:
        return _check(args, context)
    sender = context.sender()
    parameters = _parameters(args, context, sender.address)
    deployer = Deployer(sender, context.settings.deployments)
    if args.dry_run:
        forecast = deployer.forecast(parameters)
        answer(
            args,
            {
                "sent": False,
                "contracts": {
                    item.contract: {"address": item.address, "standing": item.standing}
                    for item in forecast
                },
            },
            "\n".join(
                f"{item.contract:<22} {item.address}  {'stands' if item.standing else 'new'}"
                for item in forecast
            ),
        )
        return ExitCode.OK
    outcome = deployer.run(parameters)
    _tell(args, outcome)
    return ExitCode.PARTIAL if outcome.remaining else ExitCode.OK


def _check(args: Namespace, context: Context) -> int:
    record = context.deployment()
    check_governance(context.chain, record)
    states = {
        name: status.name.lower() for name, status in route_states(context.chain, record).items()
    }
    addresses = {name: item.address for name, item in record.contracts.items()}
    routes = ", ".join(f"{name} {state}" for name, state in states.items())
    answer(
        args,
        {"chain_id": record.chain_id, "contracts": addresses, "routes": states},
        f"chain {record.chain_id} holds all {len(addresses)} contracts of the record\n"
        f"routes: {routes}",
    )
    return ExitCode.OK


def _parameters(args: Namespace, context: Context, account: Address) -> Parameters:
    named = args.guardian and args.member and (args.proposer or args.governor)
    if not context.development and not named:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "proposer, guardian and committee are not chosen for you on a public chain",
            "give --proposer, --guardian and a --member for each member",
        )
    if args.governor and (args.proposer or args.executor or args.delay is not None):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            "an account that governs has no proposers, executors or delay",
            "give --governor, or --proposer with --executor and --delay",
        )
    if (args.app is None) != (args.model is None):
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "the example consumer needs an app and a model",
            "give both --app and --model, or neither",
        )
    members = tuple(dict.fromkeys(args.member or [account]))
    return Parameters(
        governor=args.governor or _terms(args, context, account),
        guardian=args.guardian or account,
        committee=Committee(members, args.threshold or len(members)),
        root_key_hashes=(trust_root(args.root, development=context.development).key_hash,),
        allow_stub=args.allow_stub,
        max_age=args.max_age,
        workers=WorkerRules(
            activation_delay=args.activation_delay, accepted_statuses=args.accepted_statuses
        ),
        app_id=args.app,
        model_id=args.model,
    )


def _terms(args: Namespace, context: Context, account: Address) -> TimelockTerms:
    default = 0 if context.development else SHORTEST_DELAY
    return TimelockTerms(
        proposers=tuple(dict.fromkeys(args.proposer or [account])),
        executors=tuple(dict.fromkeys(args.executor or [])),
        delay=default if args.delay is None else args.delay,
    )


def _tell(args: Namespace, outcome: Outcome) -> None:
    contracts = outcome.deployment.contracts
    lines = [
        f"{name:<22} {item.address}  {'new' if name in outcome.created else 'stood'}"
        for name, item in contracts.items()
    ]
    lines += [f"route {name} opened" for name in outcome.opened]
    lines += [f"left to do: {text}" for text in outcome.remaining]
    lines.append(f"record: {outcome.record}")
    answer(
        args,
        {
            "chain_id": outcome.deployment.chain_id,
            "contracts": {name: item.address for name, item in contracts.items()},
            "created": outcome.created,
            "routes_opened": outcome.opened,
            "remaining": outcome.remaining,
            "record": str(outcome.record),
        },
        "\n".join(lines),
    )
