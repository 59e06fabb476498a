"""`quotary workload`: what runs inside a dstack guest. Also what `chat` and `aci` share with it."""

from __future__ import annotations

import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace, _SubParsersAction
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from quotary.cli.hardware import add_hardware_options, chosen_check, require_extras
from quotary.cli.inputs import read_input, read_time
from quotary.cli.output import ExitCode, line_width, print_json, print_table, visible
from quotary.verify.explain_text import folded
from quotary.workloads import (
    DstackEvidence,
    Expectations,
    Quoted,
    Statement,
    Workload,
    verify_dstack,
)
from quotary.workloads.compose import MAX_COMPOSE_BYTES

__all__ = [
    "MAX_INPUT_BYTES",
    "add_expectations",
    "add_json",
    "describe_workload",
    "expectations",
    "hex_of",
    "optional_input",
    "print_proof",
    "print_section",
    "print_statements",
    "register",
]

MAX_INPUT_BYTES: Final = 8 * 1024 * 1024


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    workload = subparsers.add_parser("workload", help="verify what runs inside a dstack guest")
    commands = workload.add_subparsers(dest="workload_command", required=True, metavar="COMMAND")
    parser = commands.add_parser(
        "verify",
        help="verify a guest's quote, event log and compose document",
        description="Verify a dstack guest: its quote, the replay of its event log, the measured "
        "compose document and the digests of its images. Says what is proven and what is not.",
        epilog="example: quotary workload verify getquote.json --app-compose app-compose.json "
        "--collateral collateral.json",
    )
    parser.add_argument("file", metavar="FILE", help="the answer of GetQuote, JSON; - for stdin")
    add_hardware_options(parser)
    add_expectations(parser)
    add_json(parser)
    parser.set_defaults(run=_verify)


def add_expectations(parser: ArgumentParser) -> None:
    """Add the options that demand a particular workload."""
    group = parser.add_argument_group("the workload to expect")
    group.add_argument(
        "--app-compose", metavar="FILE", help="app-compose.json as deployed, byte for byte"
    )
    for name, length, text in (
        ("--app-id", 20, "the app's id"),
        ("--compose-hash", 32, "the hash of a compose document you reviewed"),
        ("--instance-id", 20, "the instance's id"),
        ("--os-image-hash", 32, "the hash of the OS image, as the guest logged it"),
        ("--mr-td", 48, "MRTD: the firmware"),
        ("--rtmr0", 48, "RTMR0: the virtual hardware"),
        ("--rtmr1", 48, "RTMR1: the kernel"),
        ("--rtmr2", 48, "RTMR2: the kernel's command line and initrd"),
    ):
        group.add_argument(name, type=hex_of(length), metavar="HEX", help=text)
    group.add_argument("--key-provider", metavar="NAME", help="kms, local-sgx, tpm or none")
    group.add_argument("--key-provider-id", metavar="ID", help="the provider's id, as logged")
    group.add_argument(
        "--report-data", type=hex_of(64), metavar="HEX", help="all 64 bytes of report data"
    )
    group.add_argument(
        "--allow-unpinned",
        action="store_true",
        help="accept images that no digest pins; the result says so",
    )


def add_json(parser: ArgumentParser) -> None:
    """Add `--json`."""
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object and nothing else"
    )


def hex_of(length: int) -> Callable[[str], bytes]:
    """Return an argument type: `length` bytes in hex, with or without 0x."""

    def read(text: str) -> bytes:
        try:
            value = bytes.fromhex(text.removeprefix("0x"))
        except ValueError:
            value = b""
        if len(value) != length:
            raise ArgumentTypeError(f"{length} bytes in hex are needed")
        return value

    return read


def expectations(args: Namespace) -> Expectations:
    """Return what the options demand."""
    return Expectations(
        app_id=args.app_id,
        compose_hash=args.compose_hash,
        instance_id=args.instance_id,
        os_image_hash=args.os_image_hash,
        key_provider=args.key_provider,
        key_provider_id=args.key_provider_id,
        mr_td=args.mr_td,
        rtmr0=args.rtmr0,
        rtmr1=args.rtmr1,
        rtmr2=args.rtmr2,
        report_data=args.report_data,
        allow_unpinned=args.allow_unpinned,
    )


def optional_input(name: str | None, limit: int = MAX_INPUT_BYTES) -> bytes | None:
    """Return the file's bytes, or None without a name."""
    return None if name is None else read_input(name, limit)


class Proven(Protocol):
    """What every result of a verification here says about itself."""

    @property
    def quoted(self) -> Quoted:
        """The quote it rests on."""
        ...

    @property
    def proves(self) -> tuple[Statement, ...]:
        """What holds."""
        ...

    @property
    def does_not_prove(self) -> tuple[Statement, ...]:
        """What does not follow."""
        ...


def print_proof(
    title: str, sections: Mapping[str, Mapping[str, object]], proven: Proven, *, as_json: bool
) -> int:
    """
    Print a result with both of its lists, and return the exit code.

    Without a hardware check that is 8, and `ok` is false in JSON: nobody should mistake a look at
    the upper layers for a verification.
    """
    verdict = proven.quoted.verdict
    if as_json:
        print_json(
            {
                "ok": verdict is not None,
                "hardware_checked": verdict is not None,
                **sections,
                "proves": [statement.to_json() for statement in proven.proves],
                "does_not_prove": [statement.to_json() for statement in proven.does_not_prove],
                "verdict": None if verdict is None else verdict.to_json(),
            }
        )
    else:
        print_table(title if verdict is not None else f"{title}, HARDWARE NOT CHECKED", {})
        for name, rows in sections.items():
            print_section(name, rows)
        print_statements("proven", [statement.to_json() for statement in proven.proves])
        print_statements("NOT proven", [statement.to_json() for statement in proven.does_not_prove])
    if verdict is None:
        sys.stderr.write("quotary: HARDWARE NOT CHECKED: nothing here proves a TEE.\n")
        return ExitCode.PARTIAL
    return ExitCode.OK


def print_section(name: str, rows: Mapping[str, object]) -> None:
    """Print JSON values as a table, lists on one line."""
    print_table(name, {key: _shown(value) for key, value in rows.items()})


def print_statements(title: str, statements: Sequence[Mapping[str, str]]) -> None:
    """Print statements, each a `code` with its `text`, under a title."""
    sys.stdout.write(f"{title}\n")
    for statement in statements:
        line = f"  {statement['code']:<24}  {visible(statement['text'])}"
        sys.stdout.write("\n".join(folded(line, 28, line_width())) + "\n")


def describe_workload(workload: Workload) -> dict[str, object]:
    """Return a workload as JSON values."""
    compose = workload.compose
    return {
        "app_id": workload.app_id.hex(),
        "compose_hash": workload.compose_hash.hex(),
        "instance_id": workload.instance_id.hex(),
        "os_image_hash": _hex(workload.os_image_hash),
        "os_image_hash_claimed_by_host": _hex(workload.os_image_claim),
        "key_provider": workload.key_provider.name,
        "key_provider_id": workload.key_provider.id,
        "mr_td": workload.quoted.mr_td.hex(),
        "rtmrs": [register.hex() for register in workload.quoted.rtmrs],
        "report_data": workload.quoted.report_data.hex(),
        "name": None if compose is None else compose.name,
        "images": None
        if compose is None
        else [
            {"service": image.service, "image": image.reference, "pinned": image.pinned}
            for image in compose.images
        ],
        "scripts": None if compose is None else list(compose.scripts),
        "allowed_envs": None if compose is None else list(compose.allowed_envs),
        "app_events": [
            {"event": event.name, "payload": event.payload.hex()} for event in workload.app_events
        ],
    }


def _verify(args: Namespace) -> int:
    at = read_time(args.at)
    compose = optional_input(args.app_compose, MAX_COMPOSE_BYTES)
    evidence = DstackEvidence.parse(read_input(args.file, MAX_INPUT_BYTES), compose)
    quoted = chosen_check(args, at)(evidence.quote)
    with require_extras("dstack"):
        workload = verify_dstack(evidence, quoted, expectations(args))
    return print_proof(
        "dstack guest", {"workload": describe_workload(workload)}, workload, as_json=args.json
    )


def _shown(value: object) -> object:
    if isinstance(value, list):
        return ", ".join(map(_entry, value)) or "none"
    return "none" if value is None else value


def _entry(value: Any) -> str:  # noqa: ANN401 - JSON is any of its types
    return " ".join(map(str, value.values())) if isinstance(value, dict) else str(value)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
