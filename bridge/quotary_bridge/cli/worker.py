"""`quotary worker`: register attested workers, and look at them."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable
from datetime import UTC, datetime

from quotary import RawCollateral, TcbStatus, TrustRoot, Verdict, strict
from quotary.cli.inputs import read_time
from quotary.cli.output import ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES

from quotary_bridge.chain.contracts import WorkerRegistry
from quotary_bridge.chain.contracts.corroborations import Corroborations
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.cli import worker_views
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.bringing import dcap_verifier
from quotary_bridge.cli.onchain import add_on_chain_flags, prove_on_chain
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    address,
    app_id,
    read_file,
    trust_root,
)
from quotary_bridge.cli.proofs import Proof, Via, add_proof_flags, prove, prove_by_receipt
from quotary_bridge.cli.registrations import read_registration, registration_text, write_text
from quotary_bridge.cli.sending import Sent, send
from quotary_bridge.cli.suspect import add_suspect
from quotary_bridge.cli.zk import read_receipt
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address
from quotary_bridge.registration import (
    Application,
    Registration,
    ask_for_quote,
    require_bound,
    verify_registration,
)

__all__ = ["register"]

_STATUSES = [status.value for status in TcbStatus if status is not TcbStatus.REVOKED]


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    worker = subparsers.add_parser("worker", help="register workers and look at them")
    commands = worker.add_subparsers(dest="worker_command", required=True)
    _add_quote(commands)
    _add_submit(commands)
    worker_views.add_status(commands)
    worker_views.add_list(commands)
    _add_end(commands, "revoke", "for governor and guardian: end a worker, for ever", _revoke)
    _add_end(commands, "retire", "for its operator: end a worker in good order", _retire)
    _add_refresh(commands)
    add_suspect(commands)


def _add_refresh(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "refresh",
        help="have the registry keep anew what workers are worth, so that their uses are cheap",
        description="After something was narrowed the registry judges each worker anew at every "
        "use, at some 90,000 gas, until somebody has it keep the answer. Anybody may; it changes "
        "what a use costs, and never whether it succeeds. One worker is enough for its cohort, "
        "but where a policy names platforms or workers, counts kinds of proof, or lets workers "
        "share a platform.",
        epilog="example: quotary worker refresh 0xW… --account me",
    )
    parser.add_argument("workers", type=address, nargs="+", metavar="ADDRESS", help="each of them")
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_refresh)


def _add_end(
    commands: _SubParsersAction[ArgumentParser],
    verb: str,
    summary: str,
    run: Callable[[Namespace], int],
) -> None:
    parser = commands.add_parser(
        verb, help=summary, epilog=f"example: quotary worker {verb} 0xW… --account me"
    )
    parser.add_argument("worker", type=address, metavar="ADDRESS", help="the worker")
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=run)


def _add_submit(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "submit",
        help="have a worker quoted, verified and registered",
        description="Ask a worker for a quote bound to this chain, registry, app and operator, "
        "verify it, prove the verdict and register the worker.",
        epilog="example: quotary worker submit http://127.0.0.1:8750 --app council "
        "--collateral collateral.json --via committee --member-keystore k1 --member-keystore k2 "
        "--member-password-file pw --account me",
    )
    one = parser.add_mutually_exclusive_group(required=True)
    one.add_argument("url", nargs="?", metavar="URL", help="where the worker answers")
    one.add_argument("--registration", metavar="FILE", help="the quote `quotary worker quote` got")
    _add_application(parser, required=False)
    evidence = parser.add_argument_group("evidence")
    evidence.add_argument("--collateral", metavar="FILE", help="needed but with --receipt")
    evidence.add_argument("--root", metavar="FILE", help="trust this root (development chains)")
    evidence.add_argument("--at", metavar="TIME", help="judge as of this time (now)")
    evidence.add_argument(
        "--allow-status",
        action="append",
        choices=_STATUSES,
        metavar="STATUS",
        default=[],
        help="a TCB status beside UpToDate; repeatable",
    )
    parser.add_argument(
        "--corroborate",
        action="store_true",
        help="bring it as evidence of one more kind for a worker whose app wants several together",
    )
    add_proof_flags(parser)
    add_on_chain_flags(parser)
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_submit)


def _add_quote(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "quote",
        help="have a worker quoted, for a proof that takes its time",
        description="Ask a worker for a quote bound to this chain, registry, app and operator, and "
        "keep it in a file for `quotary zk prove` and `quotary worker submit`.",
        epilog="example: quotary worker quote http://127.0.0.1:8750 --app council --account me "
        "--out registration.json",
    )
    parser.add_argument("url", metavar="URL", help="where the worker answers")
    _add_application(parser, required=True)
    parser.add_argument("--out", required=True, metavar="FILE", help="the registration goes here")
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=_quote)


def _add_application(parser: ArgumentParser, *, required: bool) -> None:
    parser.add_argument("--app", type=app_id, required=required, metavar="APP", help="id, or name")
    parser.add_argument(
        "--operator", type=address, metavar="ADDRESS", help="who is paid (the account)"
    )


@command
def _quote(args: Namespace) -> int:
    context = Context.of(args)
    registration = _asked(args, context, _registry(context, context.deployment()))
    write_text(args.out, registration_text(registration))
    answer(
        args,
        {"worker": registration.worker, "registration": args.out},
        f"worker       {registration.worker}\nregistration {args.out}",
    )
    return ExitCode.OK


@command
def _submit(args: Namespace) -> int:
    context = Context.of(args)
    record = context.deployment()
    registry = _registry(context, record)
    if args.registration:
        registration = read_registration(args.registration)
    else:
        registration = _asked(args, context, registry)
    if args.receipt:
        verdict, proof = _by_receipt(args, context, record, registration)
    else:
        verdict, proof = _judged(args, context, record, registration)
    bound = (proof.route, proof.evidence, proof.proof, registration.binding)
    if args.corroborate:
        beside = Corroborations(context.chain, record.address("Corroborations"))
        sent = send(args, context, beside.address, beside.corroborate(*bound))
    else:
        sent = send(args, context, registry.address, registry.register(*bound))
    _tell(args, registration, verdict, proof, sent)
    return ExitCode.OK


def _asked(args: Namespace, context: Context, registry: WorkerRegistry) -> Registration:
    """Ask the worker for a quote."""
    if args.app is None:
        raise _missing("no app is named", "give --app")
    operator = args.operator or context.sender().address
    application = Application(registry.address, args.app, operator)
    return ask_for_quote(args.url, application, context.chain)


def _by_receipt(
    args: Namespace, context: Context, record: Deployment, registration: Registration
) -> tuple[Verdict, Proof]:
    """What a receipt proves of the quote it was made for."""
    if Via(args.via) is not Via.ZK or not args.registration:
        raise _missing(
            "a receipt belongs to a quote that was kept", "give --via zk and --registration"
        )
    receipt = read_receipt(args.receipt)
    verdict = receipt.verdict()
    require_bound(registration, verdict)
    return verdict, prove_by_receipt(context, record, receipt)


def _missing(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Reason.CONFIGURATION_MISSING, what, remedy)


def _judged(
    args: Namespace, context: Context, record: Deployment, registration: Registration
) -> tuple[Verdict, Proof]:
    """What this machine makes of the quote, before anybody pays for having it proven."""
    if not args.collateral:
        raise _missing("there is no collateral to judge the quote by", "give --collateral")
    collateral = RawCollateral.from_json(read_file(args.collateral, MAX_COLLATERAL_BYTES))
    root = trust_root(args.root, development=context.development)
    verdict = _verdict(args, context, registration, collateral, root)
    if Via(args.via) is Via.ONCHAIN:
        verifier = dcap_verifier(context, record)
        quote = registration.quote
        return verdict, prove_on_chain(args, context, verifier, quote, raw=collateral, root=root)
    return verdict, prove(args, context, record, verdict)


def _verdict(
    args: Namespace,
    context: Context,
    registration: Registration,
    collateral: RawCollateral,
    root: TrustRoot,
) -> Verdict:
    allowed = frozenset({TcbStatus.UP_TO_DATE, *map(TcbStatus, args.allow_status)})
    if args.at is None and context.development:
        # A local chain may live in the time of the evidence: its clock is the one that counts.
        at = datetime.fromtimestamp(context.chain.head().timestamp, UTC)
    else:
        at = read_time(args.at)
    return verify_registration(
        registration,
        collateral,
        policy=strict(allowed_statuses=allowed),
        at=at,
        root=root,
    )


def _tell(
    args: Namespace, registration: Registration, verdict: Verdict, proof: Proof, sent: Sent
) -> None:
    answer(
        args,
        {
            "worker": registration.worker,
            "app_id": registration.binding.app_id,
            "operator": registration.binding.operator,
            "encryption_key": registration.binding.encryption_key,
            "measurement_id": verdict.measurement_id,
            "quote_hash": verdict.quote_hash,
            "tcb_status": verdict.tcb_status.value,
            "valid_until": verdict.valid_until,
            "via": args.via,
            "proof_kind": proof.kind,
            **sent.fields(),
        },
        f"worker       {registration.worker}\n"
        f"measurement  0x{verdict.measurement_id.hex()}\n"
        f"TCB          {verdict.tcb_status.value}\n"
        f"proof        {_PROOFS[proof.kind]}\n{sent.text()}",
    )


_PROOFS = {
    "committee": "committee",
    "onchain": "the chain's own verification",
    "zk": "zk",
    "stub": "stub, which proves nothing: development only",
}


@command
def _revoke(args: Namespace) -> int:
    return _end(args, "revoked", WorkerRegistry.revoke)


@command
def _retire(args: Namespace) -> int:
    return _end(args, "retired", WorkerRegistry.retire)


@command
def _refresh(args: Namespace) -> int:
    context = Context.of(args)
    registry = _registry(context, context.deployment())
    told, lines = [], []
    for worker in args.workers:
        sent = send(args, context, registry.address, registry.refresh(worker))
        app_id = registry.worker_of(worker).app_id
        until = registry.check_active(worker, app_id).until
        told.append({"worker": worker, "until": until, **sent.fields()})
        lines.append(f"refreshed    {worker}\n{sent.text()}")
    answer(args, {"workers": told}, "\n".join(lines))
    return ExitCode.OK


def _end(args: Namespace, state: str, write: Callable[[WorkerRegistry, Address], bytes]) -> int:
    context = Context.of(args)
    registry = _registry(context, context.deployment())
    sent = send(args, context, registry.address, write(registry, args.worker))
    fields = {"worker": args.worker, "status": state, **sent.fields()}
    answer(args, fields, f"{state:<12} {args.worker}\n{sent.text()}")
    return ExitCode.OK


def _registry(context: Context, deployment: Deployment) -> WorkerRegistry:
    return WorkerRegistry(context.chain, deployment.address("WorkerRegistry"))
