"""`quotary measurement`: which images an app's results may come from."""

from __future__ import annotations

import json
import re
from argparse import ArgumentParser, Namespace, _SubParsersAction

from quotary import Quote
from quotary.cli.output import ExitCode
from quotary.journal import measurement_id
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote

from quotary_bridge.chain.contracts import (
    Event,
    Manifest,
    MeasurementAdmitted,
    MeasurementMatched,
    MeasurementRegistry,
    MeasurementRevoked,
    ProfileAdmitted,
    decode_event,
    topics_of,
)
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    app_id,
    read_file,
)
from quotary_bridge.cli.profile import register_admit, register_match, register_profile
from quotary_bridge.cli.sending import govern, send
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Bytes32

__all__ = ["register"]

_ID = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_COMMIT = re.compile(r"(?:0x)?([0-9a-fA-F]{40}|[0-9a-fA-F]{64})")
_DIGEST = re.compile(r"(?:0x|sha256:)?([0-9a-fA-F]{64})")
_MANIFEST_BYTES_LIMIT = 64 * 1024


def register(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Add the command."""
    measurement = subparsers.add_parser(
        "measurement", help="admit, revoke and list an app's measurements"
    )
    commands = measurement.add_subparsers(dest="measurement_command", required=True)
    _add_admit(commands)
    register_profile(commands)
    register_admit(commands, _add_source, _manifest)
    register_match(commands)
    revoke = commands.add_parser(
        "revoke",
        help="revoke a measurement, for ever",
        epilog="example: quotary measurement revoke 0x12… --app council --account guardian",
    )
    _add_measurement(revoke)
    revoke.add_argument("--ban", action="store_true", help="even if it was never admitted")
    _finish(revoke, _revoke, sends=True)
    listing = commands.add_parser(
        "list",
        help="list what was admitted and revoked",
        epilog="example: quotary measurement list --app council",
    )
    listing.add_argument("--app", type=app_id, metavar="APP", help="only this app's")
    _finish(listing, _list, sends=False)


def _add_admit(commands: _SubParsersAction[ArgumentParser]) -> None:
    parser = commands.add_parser(
        "admit",
        help="admit a measurement",
        description="Admit a measurement for an app. Under a timelock this proposes it; the same "
        "command again, once it has waited, executes it. Exit code 8 says that it waits.",
        epilog="example: quotary measurement admit quote.bin --app council --account governor "
        "--source-uri https://example.org/repo --source-commit 1a2b… --build-digest sha256:…",
    )
    _add_measurement(parser)
    _add_source(parser)
    _finish(parser, _admit, sends=True)


def _add_source(parser: ArgumentParser) -> None:
    source = parser.add_argument_group("where the image comes from")
    source.add_argument(
        "--manifest", metavar="FILE", help="JSON: source_{uri,commit}, build_digest"
    )
    source.add_argument("--source-uri", metavar="URI", help="where the source is")
    source.add_argument("--source-commit", metavar="HEX", help="git commit, SHA-1 or SHA-256")
    source.add_argument("--build-digest", metavar="DIGEST", help="sha256 of the built image")


def _add_measurement(parser: ArgumentParser) -> None:
    parser.add_argument(
        "measurement", metavar="ID|FILE", help="a measurement's id, or a quote that carries it"
    )
    parser.add_argument(
        "--app", type=app_id, required=True, metavar="APP", help="the app's id, or its name"
    )


def _finish(parser: ArgumentParser, run: object, *, sends: bool) -> None:
    if sends:
        add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)
    parser.set_defaults(run=run)


@command
def _admit(args: Namespace) -> int:
    found = _measurement(args.measurement)
    manifest = _manifest(args)
    context = Context.of(args)
    registry = _registry(context)
    data = registry.admit(args.app, found, manifest)
    governed = govern(args, context, registry.address, data)
    status = "admitted" if governed.done or args.dry_run else "proposed"
    fields = {
        "app_id": args.app,
        "measurement_id": found,
        "status": status,
        **governed.fields(),
    }
    answer(args, fields, f"{status}     0x{found.hex()}\n{governed.text()}")
    return ExitCode.PARTIAL if status == "proposed" else ExitCode.OK


@command
def _revoke(args: Namespace) -> int:
    found = _measurement(args.measurement)
    context = Context.of(args)
    registry = _registry(context)
    write = registry.ban if args.ban else registry.revoke
    sent = send(args, context, registry.address, write(args.app, found))
    fields = {"app_id": args.app, "measurement_id": found, **sent.fields()}
    answer(args, fields, f"revoked      0x{found.hex()}\n{sent.text()}")
    return ExitCode.OK


@command
def _list(args: Namespace) -> int:
    context = Context.of(args)
    record = context.deployment()
    registry = _registry(context)
    topics = topics_of(
        "MeasurementAdmitted", "ProfileAdmitted", "MeasurementMatched", "MeasurementRevoked"
    )
    logs = context.chain.all_logs(
        [registry.address],
        record.contracts["MeasurementRegistry"].block,
        context.chain.head().number,
        [topics],
    )
    found: dict[tuple[bytes, bytes], dict[str, object]] = {}
    for log in logs:
        _tell(found, decode_event(log))
    found = {key: _settled(found, *key) for key in found if args.app in (None, key[0])}
    rows = [
        {"app_id": app, "measurement_id": item, **entry} for (app, item), entry in found.items()
    ]
    lines = [
        f"{row['status']:<9} app 0x{app.hex()}\n          id  0x{item.hex()}\n"
        f"          {_origin(row)}"
        for ((app, item), row) in zip(found, rows, strict=True)
    ]
    answer(args, {"measurements": rows}, "\n".join(lines) or "nothing was admitted yet")
    return ExitCode.OK


def _tell(found: dict[tuple[bytes, bytes], dict[str, object]], event: Event | None) -> None:
    """Take one more event in, of whichever app."""
    match event:
        case MeasurementAdmitted(app, item, manifest):
            entry = found.setdefault((app, item), {})
            entry.update(source_uri=manifest.source_uri, source_commit=manifest.source_commit)
        case ProfileAdmitted(app, item, profile, manifest):
            entry = found.setdefault((app, item), {})
            entry.update(source_uri=manifest.source_uri, source_commit=manifest.source_commit)
            entry["open_fields"] = list(profile.open_fields)
        case MeasurementMatched(app, item, profile_id):
            entry = found.setdefault((app, item), {"source_uri": ""})
            entry["profile_id"] = profile_id
        case MeasurementRevoked(app, item):
            found.setdefault((app, item), {"source_uri": ""})["status"] = "revoked"


def _settled(
    found: dict[tuple[bytes, bytes], dict[str, object]], app: bytes, item: bytes
) -> dict[str, object]:
    """Return an entry with its status: what came by a profile goes with it."""
    entry = found[app, item]
    profile = entry.get("profile_id")
    through = found[app, profile] if isinstance(profile, bytes) else {}
    return {"status": through.get("status", "admitted"), **entry}


def _origin(row: dict[str, object]) -> str:
    if isinstance(profile := row.get("profile_id"), bytes):
        return f"through profile 0x{profile.hex()}"
    opened = row.get("open_fields")
    told = f"profile, open: {', '.join(map(str, opened))}; " if isinstance(opened, list) else ""
    return f"{told}{row['source_uri']}"


def _registry(context: Context) -> MeasurementRegistry:
    record = context.deployment()
    return MeasurementRegistry(context.chain, record.address("MeasurementRegistry"))


def _measurement(text: str) -> Bytes32:
    if _ID.fullmatch(text):
        return Bytes32(bytes.fromhex(text.removeprefix("0x")))
    quote = Quote.parse(decode_quote(read_file(text, MAX_ENCODED_BYTES)))
    return Bytes32(measurement_id(quote.tee_type, quote.measurement))


def _manifest(args: Namespace) -> Manifest:
    document: dict[str, object] = {}
    if args.manifest is not None:
        try:
            document = dict(json.loads(read_file(args.manifest, _MANIFEST_BYTES_LIMIT)))
        except (ValueError, TypeError):
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID, f"{args.manifest} is no JSON object", "see --help"
            ) from None
    uri = str(args.source_uri or document.get("source_uri") or "")
    commit = _COMMIT.fullmatch(str(args.source_commit or document.get("source_commit") or ""))
    digest = _DIGEST.fullmatch(str(args.build_digest or document.get("build_digest") or ""))
    if not uri or commit is None or digest is None:
        raise ConfigurationError(
            Reason.CONFIGURATION_MISSING,
            "an image is admitted with its source: URI, git commit and build digest",
            "give --source-uri, --source-commit and --build-digest, or --manifest",
        )
    return Manifest(
        source_commit=Bytes32(bytes.fromhex(commit[1]).ljust(32, b"\0")),
        build_digest=Bytes32(bytes.fromhex(digest[1])),
        source_uri=uri,
    )
