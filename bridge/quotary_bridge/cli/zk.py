"""`quotary zk`: prove verdicts, and check and read receipts."""

from __future__ import annotations

import os
import time
from argparse import ArgumentParser, Namespace, _ActionsContainer, _SubParsersAction
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from quotary import INTEL_ROOT, ParseError, RawCollateral, TrustRoot
from quotary.cli.inputs import read_time
from quotary.cli.output import ExitCode
from quotary.collateral import MAX_COLLATERAL_BYTES

from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import add_output_flags, identifier, read_file
from quotary_bridge.cli.registrations import read_registration, write_text
from quotary_bridge.deploy.parameters import DEMO_IMAGE_ID
from quotary_bridge.errors import ConfigurationError, EvidenceRejected, Reason
from quotary_bridge.zk import GuestInput, Job, Prover, Receipt, RemoteProver, StubProver
from quotary_bridge.zk.bonsai import BonsaiClient, ProverAccount
from quotary_bridge.zk.guest import MAX_QUOTE_BYTES, MAX_ROOT_BYTES
from quotary_bridge.zk.jobs import JobFolder
from quotary_bridge.zk.prover import Limits
from quotary_bridge.zk.receipt import MAX_RECEIPT_BYTES

__all__ = [
    "add_evidence_flags",
    "add_service_flags",
    "add_time_limit",
    "guest_input",
    "read_receipt",
    "register",
    "remote_prover",
]

MAX_PROGRAM_BYTES = 1 << 26
DEFAULT_RELEASE = "3.0.3"
_STUB_WARNING = "stub, which proves nothing: development only"


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    zk = subparsers.add_parser("zk", help="prove verdicts, check and read receipts")
    commands = zk.add_subparsers(dest="zk_command", required=True)
    _add_prove(commands)
    verify = commands.add_parser(
        "verify",
        help="check a receipt, without a chain",
        description="Check that a receipt's seal proves that the guest wrote the journal.",
        epilog="example: quotary zk verify receipt.json --image-id 0x…",
    )
    verify.add_argument("receipt", metavar="FILE", help="the receipt")
    verify.add_argument(
        "--image-id",
        type=identifier,
        required=True,
        metavar="HEX",
        help="the guest that must have run: a receipt can name any",
    )
    add_output_flags(verify)
    verify.set_defaults(run=_verify)
    inspect = commands.add_parser(
        "inspect",
        help="show what a receipt says, checking nothing",
        epilog="example: quotary zk inspect receipt.json",
    )
    inspect.add_argument("receipt", metavar="FILE", help="the receipt")
    add_output_flags(inspect)
    inspect.set_defaults(run=_inspect)


def _add_prove(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "prove",
        help="prove the verdict on a quote",
        description="Run the guest on a quote and its collateral, and have a prover prove it. A "
        "job that was interrupted goes on where it stopped, by the same command.",
        epilog="example: quotary zk prove --quote quote.bin --collateral collateral.json "
        "--prover remote --program guest.elf --image-id 0x… --out receipt.json",
    )
    add_evidence_flags(parser)
    prover = parser.add_argument_group("prover")
    prover.add_argument(
        "--prover",
        choices=["remote", "stub"],
        required=True,
        help="a service that speaks the Bonsai protocol, or none: the stub proves nothing",
    )
    prover.add_argument("--image-id", type=identifier, metavar="HEX", help="the guest's")
    add_service_flags(prover)
    add_time_limit(prover)
    parser.add_argument("--out", required=True, metavar="FILE", help="the receipt goes here")
    add_output_flags(parser)
    parser.set_defaults(run=_prove)


def add_evidence_flags(parser: ArgumentParser) -> None:
    """Add what is to be proven: a quote, its collateral, and the time to judge it at."""
    evidence = parser.add_argument_group("evidence")
    one = evidence.add_mutually_exclusive_group(required=True)
    one.add_argument("--quote", metavar="FILE", help="the quote")
    one.add_argument("--registration", metavar="FILE", help="as `quotary worker quote` wrote it")
    evidence.add_argument("--collateral", required=True, metavar="FILE", help="of its platform")
    evidence.add_argument("--root", metavar="FILE", help="judge under this root (Intel's)")
    evidence.add_argument("--at", metavar="TIME", help="judge as of this time (now)")


def add_service_flags(group: _ActionsContainer) -> None:
    """Add which prover service to ask, for which program."""
    group.add_argument("--program", metavar="FILE", help="the guest's ELF")
    group.add_argument(
        "--url", metavar="URL", help="the service (BONSAI_API_URL; its key: BONSAI_API_KEY)"
    )
    group.add_argument("--release", default=DEFAULT_RELEASE, help=f"the zkVM's ({DEFAULT_RELEASE})")
    group.add_argument("--jobs", default="proving-jobs", metavar="DIR", help="(proving-jobs)")


def add_time_limit(group: _ActionsContainer) -> None:
    """Add how long a proof may take."""
    group.add_argument(
        "--time-limit",
        type=_positive,
        default=Limits().job_seconds,
        metavar="SECONDS",
        help=f"from the job's first start ({Limits().job_seconds})",
    )


def read_receipt(name: str) -> Receipt:
    """Read a receipt's file; raises `ConfigurationError` or `EvidenceRejected`."""
    return Receipt.from_json(read_file(name, MAX_RECEIPT_BYTES))


@command
def _prove(args: Namespace) -> int:
    job = Job(_image_id(args), guest_input(args))
    with _prover(args) as prover:
        receipt = prover.prove(job)
    write_text(args.out, receipt.to_json())
    _show(args, receipt, {"receipt": args.out, "job": job.key}, f"receipt      {args.out}")
    return ExitCode.OK


@command
def _verify(args: Namespace) -> int:
    receipt = read_receipt(args.receipt)
    if receipt.image_id != args.image_id:
        raise EvidenceRejected(
            Reason.RECEIPT_MISMATCH,
            f"the receipt is of guest 0x{receipt.image_id.hex()}, not 0x{args.image_id.hex()}",
            "prove with the guest that is meant",
        )
    release = receipt.verify()
    _show(args, receipt, {"release": release.version}, f"proven by    zkVM {release.version}")
    return ExitCode.OK


@command
def _inspect(args: Namespace) -> int:
    _show(args, read_receipt(args.receipt), {"checked": False}, "checked      nothing")
    return ExitCode.OK


def guest_input(args: Namespace) -> GuestInput:
    """Read what `add_evidence_flags` asked for; raises `ConfigurationError` or `QuotaryError`."""
    if args.registration:
        quote = read_registration(args.registration).quote
    else:
        quote = read_file(args.quote, MAX_QUOTE_BYTES)
    collateral = RawCollateral.from_json(read_file(args.collateral, MAX_COLLATERAL_BYTES))
    root = INTEL_ROOT
    if args.root:
        root = TrustRoot.from_certificate(read_file(args.root, MAX_ROOT_BYTES))
    return GuestInput(quote, collateral, int(read_time(args.at).timestamp()), root.certificate.der)


@contextmanager
def remote_prover(
    args: Namespace, limits: Limits, sleep: Callable[[float], None] = time.sleep
) -> Iterator[Prover]:
    """Open the prover that `add_service_flags` asked for; raises `ConfigurationError`."""
    if not args.program:
        raise _missing("the guest's program is not given", "give --program with its ELF file")
    url = args.url or os.environ.get("BONSAI_API_URL", "")
    key = os.environ.get("BONSAI_API_KEY", "")
    if not url or not key:
        raise _missing("no prover is named", "set BONSAI_API_URL and BONSAI_API_KEY")
    program = read_file(args.program, MAX_PROGRAM_BYTES)
    with closing(BonsaiClient(ProverAccount(url, key, args.release))) as client:
        yield RemoteProver(
            client,
            JobFolder(Path(args.jobs)),
            program,
            clock=time.time,  # noqa: TID251 (the edge: how old a job is)
            limits=limits,
            sleep=sleep,
        )


def _image_id(args: Namespace) -> bytes:
    if args.image_id is not None:
        return bytes(args.image_id)
    if args.prover != "stub":
        raise _missing("no guest is named", "give --image-id")
    return DEMO_IMAGE_ID


def _prover(args: Namespace) -> AbstractContextManager[Prover]:
    if args.prover == "stub":
        return nullcontext(StubProver())
    return remote_prover(args, Limits(job_seconds=args.time_limit))


def _show(args: Namespace, receipt: Receipt, more: dict[str, Any], line: str) -> None:
    kind = "stub" if receipt.is_stub else "zk"
    fields: dict[str, Any] = {
        "proof_kind": kind,
        "image_id": receipt.image_id,
        "selector": receipt.selector,
        "journal_digest": receipt.journal_digest,
        "claim_digest": receipt.claim_digest,
        "verdict": _verdict(receipt),
        **more,
    }
    verdict = fields["verdict"]
    answer(
        args,
        fields,
        f"{line}\n"
        f"proof        {_STUB_WARNING if receipt.is_stub else 'zk'}\n"
        f"guest        0x{receipt.image_id.hex()}\n"
        f"journal      sha256 0x{receipt.journal_digest.hex()}\n"
        f"quote        0x{verdict['quote_hash']}\n"
        f"TCB          {verdict['tcb_status']}\n"
        f"verified at  {verdict['verified_at']}\n"
        f"valid until  {verdict['valid_until']}",
    )


def _verdict(receipt: Receipt) -> dict[str, Any]:
    try:
        return receipt.verdict().to_json()
    except ParseError as error:
        raise EvidenceRejected(Reason.RECEIPT_MALFORMED, str(error)) from error


def _positive(text: str) -> int:
    number = int(text)
    if number <= 0:
        raise ValueError("not positive")
    return number


def _missing(what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(Reason.CONFIGURATION_MISSING, what, remedy)
