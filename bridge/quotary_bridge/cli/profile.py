"""`quotary measurement profile, admit-profile, match`: many measurements admitted as one."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable

from quotary import Quote
from quotary.cli.output import ExitCode
from quotary.journal import measurement_id
from quotary.quote.encoding import MAX_ENCODED_BYTES, decode_quote

from quotary_bridge.admission.profile_file import (
    MAX_PROFILE_BYTES,
    parse_profile,
    profile_lines,
    profile_text,
)
from quotary_bridge.chain.contracts import Manifest, MeasurementRegistry
from quotary_bridge.chain.contracts.profiles import Profile
from quotary_bridge.cli.answer import answer, command
from quotary_bridge.cli.options import (
    Context,
    add_account_flags,
    add_chain_flags,
    add_output_flags,
    app_id,
    read_file,
)
from quotary_bridge.cli.sending import govern, send
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Bytes32

__all__ = ["register_admit", "register_match", "register_profile"]

ReadManifest = Callable[[Namespace], Manifest]


def register_profile(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `measurement profile`."""
    parser = commands.add_parser(
        "profile",
        help="show what a profile asks for, or begin one",
        description="Show a profile's id, its fields and above all its wildcards. With --of, print "
        "the profile that pins every field of a quote, to be edited.",
        epilog="example: quotary measurement profile --of quote.bin > profile.toml",
    )
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("profile", metavar="PROFILE", nargs="?", help="the profile file, TOML")
    which.add_argument("--of", metavar="QUOTE", help="a quote to begin from")
    add_output_flags(parser)
    parser.set_defaults(run=_profile)


def register_admit(
    commands: _SubParsersAction[ArgumentParser],
    add_manifest: Callable[[ArgumentParser], None],
    read_manifest: ReadManifest,
) -> None:
    """Add `measurement admit-profile`, with the flags for sources that `admit` has."""
    parser = commands.add_parser(
        "admit-profile",
        help="admit whatever a profile matches",
        description="Admit a profile for an app. Under a timelock this proposes it; the same "
        "command again, once it has waited, executes it. Exit code 8 says that it waits.",
        epilog="example: quotary measurement admit-profile profile.toml --app council "
        "--account governor --manifest manifest.json",
    )
    parser.add_argument("profile", metavar="PROFILE", help="the profile file, TOML")
    _add_app(parser)
    add_manifest(parser)
    _finish(parser)

    @command
    def run(args: Namespace) -> int:
        return _admit(args, read_manifest(args))

    parser.set_defaults(run=run)


def register_match(commands: _SubParsersAction[ArgumentParser]) -> None:
    """Add `measurement match`."""
    parser = commands.add_parser(
        "match",
        help="have a measurement admitted through an admitted profile",
        description="Show the chain that a profile matches a quote's measurement. Any account may.",
        epilog="example: quotary measurement match quote.bin --profile profile.toml --app council",
    )
    parser.add_argument("quote", metavar="QUOTE", help="a quote that carries the measurement")
    parser.add_argument("--profile", required=True, metavar="PROFILE", help="the profile, TOML")
    _add_app(parser)
    _finish(parser)
    parser.set_defaults(run=_match)


def _add_app(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--app", type=app_id, required=True, metavar="APP", help="the app's id, or its name"
    )


def _finish(parser: ArgumentParser) -> None:
    add_account_flags(parser)
    add_chain_flags(parser)
    add_output_flags(parser)


@command
def _profile(args: Namespace) -> int:
    if args.of is not None:
        quote = _quote(args.of)
        text = profile_text(quote.tee_type, quote.measurement)
        answer(args, {"profile": text}, text)
        return ExitCode.OK
    profile = _read(args.profile)
    fields = {**_fields(profile), "fields": list(profile_lines(profile))}
    lines = [f"{'profile':<14} 0x{profile.id.hex()}", *profile_lines(profile)]
    lines.append(f"{'open':<14} {', '.join(profile.open_fields) or 'nothing'}")
    answer(args, fields, "\n".join(lines))
    return ExitCode.OK


def _admit(args: Namespace, manifest: Manifest) -> int:
    profile = _read(args.profile)
    context = Context.of(args)
    registry = _registry(context)
    data = registry.admit_profile(args.app, profile, manifest)
    governed = govern(args, context, registry.address, data)
    status = "admitted" if governed.done or args.dry_run else "proposed"
    fields = {"app_id": args.app, **_fields(profile), "status": status, **governed.fields()}
    opened = ", ".join(profile.open_fields) or "nothing"
    text = f"{status}     0x{profile.id.hex()}\nopen         {opened}\n{governed.text()}"
    answer(args, fields, text)
    return ExitCode.PARTIAL if status == "proposed" else ExitCode.OK


@command
def _match(args: Namespace) -> int:
    profile, quote = _read(args.profile), _quote(args.quote)
    differs = profile.mismatch(quote.tee_type, quote.measurement)
    if differs is not None:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the profile does not match this quote: {differs} differs",
            "name the profile that matches it, or run an image that is matched",
        )
    context = Context.of(args)
    registry = _registry(context)
    data = registry.match_profile(args.app, profile, quote.measurement)
    sent = send(args, context, registry.address, data)
    found = Bytes32(measurement_id(quote.tee_type, quote.measurement))
    fields = {"app_id": args.app, "measurement_id": found, **_fields(profile), **sent.fields()}
    answer(args, fields, f"admitted     0x{found.hex()}\n{sent.text()}")
    return ExitCode.OK


def _fields(profile: Profile) -> dict[str, object]:
    return {"profile_id": profile.id, "open_fields": list(profile.open_fields)}


def _read(name: str) -> Profile:
    return parse_profile(read_file(name, MAX_PROFILE_BYTES))


def _quote(name: str) -> Quote:
    return Quote.parse(decode_quote(read_file(name, MAX_ENCODED_BYTES)))


def _registry(context: Context) -> MeasurementRegistry:
    record = context.deployment()
    return MeasurementRegistry(context.chain, record.address("MeasurementRegistry"))
