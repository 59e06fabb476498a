"""`quotary deploy`: plan the contracts, put them on a chain, check and verify those that stand."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter, _SubParsersAction
from collections.abc import Iterable
from pathlib import Path

from quotary.cli.output import ExitCode, visible

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.deploy_options import add_parameter_flags, everybody_named, parameters_of
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
)
from quotary_bridge.deploy import (
    Deployer,
    Forecast,
    Ledger,
    Outcome,
    check_deployment,
    draft,
    entry_states,
    forecast,
    verify_deployment,
    write_batches,
)
from quotary_bridge.deploy.create2 import FACTORY
from quotary_bridge.deploy.sources import compile_sources
from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["register"]

_DESCRIPTION = """\
plan    print what would be created where, and send nothing
run     create what is missing, open the routers' entries, write
        deployments/CHAIN.json (default)
check   compare the chain with that record: code, roles, delays, routers
verify  compile the sources anew and compare them with the code on the chain

Addresses follow from the parameters alone (CREATE2), whoever deploys. Run it
again after an interruption: it goes on where it stopped, and does nothing
twice."""


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    parser = subparsers.add_parser(
        "deploy",
        help="deploy the contracts, check and verify the deployed ones",
        description=_DESCRIPTION,
        formatter_class=RawDescriptionHelpFormatter,
        epilog="example: quotary deploy run --account me --member 0xA… --member 0xB… \\\n"
        "  --threshold 2 --proposer 0xP… --guardian 0xH…",
    )
    parser.add_argument("verb", nargs="?", choices=list(_VERBS), default="run", help="see above")
    parser.add_argument(
        "--unsigned",
        metavar="DIR",
        help="run: write the transactions for a multisig (--from) instead of sending them, as "
        "batches for Safe's Transaction Builder",
    )
    parser.add_argument(
        "--sources", default=".", metavar="DIR", help="verify: the checkout to compile (.)"
    )
    add_parameter_flags(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_deploy)


@command
def _deploy(args: Namespace) -> int:
    context = Context.of(args)
    if args.unsigned is not None and args.verb != "run":
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID, f"there is nothing to sign in {args.verb}", "use run"
        )
    return _VERBS[args.verb](args, context)


def _plan(args: Namespace, context: Context) -> int:
    account = context.choice.named()
    if account is None and not everybody_named(args):
        account = context.choice.signer(context.chain.chain_id).address
    parameters = parameters_of(args, context, account)
    ledger = Ledger(context.chain, context.settings.deployments)
    found = forecast(ledger, parameters, account or ZERO_ADDRESS)
    fields = {
        "sent": False,
        "factory": FACTORY,
        "contracts": {
            item.name: {"address": item.address, "standing": item.standing} for item in found
        },
    }
    answer(args, fields, "\n".join(_planned(found)))
    return ExitCode.OK


def _run(args: Namespace, context: Context) -> int:
    if args.unsigned is not None:
        return _unsigned(args, context)
    if args.dry_run:
        return _plan(args, context)
    sender = context.sender()
    parameters = parameters_of(args, context, sender.address)
    deployer = Deployer(sender, context.settings.deployments)
    if not args.json:
        lines = _planned(deployer.forecast(parameters))
        sys.stdout.write("".join(f"{visible(line)}\n" for line in lines))
        sys.stdout.flush()
    outcome = deployer.run(parameters)
    _tell(args, outcome)
    return ExitCode.PARTIAL if outcome.remaining else ExitCode.OK


def _unsigned(args: Namespace, context: Context) -> int:
    account = context.choice.named()
    if account is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "whose transactions are they?",
            "name the multisig with --from",
        )
    parameters = parameters_of(args, context, account)
    ledger = Ledger(context.chain, context.settings.deployments)
    found = draft(ledger, parameters, account)
    files = write_batches(found, Path(args.unsigned), context.chain.head().timestamp)
    lines = [
        f"{path}: {', '.join(call.label for call in batch)}"
        for path, batch in zip(files, found.batches, strict=True)
    ]
    lines += [f"left to do: {text}" for text in found.remaining]
    lines.append(f"record: {found.record}" if lines else "nothing is left to do")
    fields = {
        "chain_id": found.deployment.chain_id,
        "batches": [
            {
                "file": str(path),
                "gas": sum(call.gas for call in batch),
                "calls": [{"label": call.label, "to": call.to} for call in batch],
            }
            for path, batch in zip(files, found.batches, strict=True)
        ],
        "remaining": found.remaining,
        "record": str(found.record),
    }
    answer(args, fields, "\n".join(lines))
    return ExitCode.PARTIAL if files or found.remaining else ExitCode.OK


def _check(args: Namespace, context: Context) -> int:
    record = _record(context)
    check_deployment(context.chain, record)
    states = entry_states(context.chain, record)
    addresses = {name: item.address for name, item in record.contracts.items()}
    fields = {
        "chain_id": record.chain_id,
        "contracts": addresses,
        "roles": record.roles,
        "delays": record.delays,
        "routers": states,
    }
    lines = [
        f"chain {record.chain_id} holds all {len(addresses)} contracts of the record",
        *_roles(record),
        *(f"{label} {state}" for label, state in states.items()),
    ]
    answer(args, fields, "\n".join(lines))
    return ExitCode.PARTIAL if "unknown" in states.values() else ExitCode.OK


def _verify(args: Namespace, context: Context) -> int:
    record = _record(context)
    verified = verify_deployment(context.chain, record, compile_sources(Path(args.sources)))
    missing = sorted(record.planned.keys() - record.contracts.keys())
    fields = {
        "chain_id": record.chain_id,
        "verified": verified,
        "missing": missing,
        "compiler": record.compiler,
    }
    lines = [f"{name:<30} is what the sources compile to" for name in verified]
    lines += [f"{name:<30} is not deployed yet" for name in missing]
    answer(args, fields, "\n".join(lines))
    return ExitCode.PARTIAL if missing else ExitCode.OK


_VERBS = {"plan": _plan, "run": _run, "check": _check, "verify": _verify}


def _record(context: Context) -> Deployment:
    return Deployment.load(context.settings.deployments, context.chain.chain_id)


def _planned(found: Iterable[Forecast]) -> Iterable[str]:
    for item in found:
        yield f"{item.name:<27} {item.address}  {'stands' if item.standing else 'new'}"


def _roles(record: Deployment) -> Iterable[str]:
    for role, holders in record.roles.items():
        named = ", ".join(holders) if isinstance(holders, list) else str(holders)
        yield f"{role:<11} {named or 'anyone'}"
    for what, seconds in record.delays.items():
        yield f"{what} waits {seconds} s"


def _tell(args: Namespace, outcome: Outcome) -> None:
    contracts = outcome.deployment.contracts
    lines = [f"{len(outcome.created)} of {len(contracts)} contracts were created"]
    lines += [f"{label} opened" for label in outcome.opened]
    lines += [f"left to do: {text}" for text in outcome.remaining]
    lines.append(f"record: {outcome.record}")
    fields = {
        "chain_id": outcome.deployment.chain_id,
        "contracts": {name: item.address for name, item in contracts.items()},
        "created": outcome.created,
        "opened": outcome.opened,
        "remaining": outcome.remaining,
        "record": str(outcome.record),
    }
    answer(args, fields, "\n".join(lines))
