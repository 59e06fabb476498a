"""The entry point: one parser, the built-in commands, and those other packages add."""

from __future__ import annotations

import os
import re
import sys
from argparse import ArgumentParser, HelpFormatter, Namespace, _SubParsersAction
from collections.abc import Iterator, Sequence
from importlib.metadata import EntryPoint, PackageNotFoundError, entry_points, version
from typing import Any, Final, NoReturn

from quotary.cli import aci, chat, collateral, completion, policy, quote, workload
from quotary.cli.output import CommandError, ExitCode, exit_code_of, print_failure
from quotary.errors import QuotaryError

__all__ = ["COMMANDS_GROUP", "main"]

COMMANDS_GROUP: Final = "quotary.commands"
"""Entry points of this group are commands: name of the command, callable `register`. Those of the
group `quotary.commands.collateral` are commands of `quotary collateral`."""

_INTERRUPTED: Final = 130
_WORD: Final = re.compile(r"(?:'[^']*'|\S)+")
_EXTRAS: Final = {"quotary_bridge": "bridge", "quotary_enclave": "enclave"}
_BUILT_IN: Final = frozenset({"aci", "chat", "collateral", "policy", "quote", "workload"})


def main(argv: Sequence[str] | None = None) -> int:
    """
    Run one command and return its exit code; never lets an exception out.

    0 ok, 1 evidence rejected, 2 usage, 3 network, 4 reverted, 5 not final in time, 6 configuration,
    7 stale collateral, 8 partly done.
    """
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        parsed = _parser(arguments).parse_args(arguments)
        code: int = parsed.run(parsed)
        sys.stdout.flush()
    except (QuotaryError, CommandError) as error:
        print_failure(error, as_json=as_json)
        return exit_code_of(error)
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else ExitCode.OK
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output left; Python must not complain again while it shuts down.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:  # noqa: BLE001  # the last resort: a sentence, not a stack trace
        failure = _unforeseen(error, _wanted(arguments)[0])
        print_failure(failure, as_json=as_json)
        return failure.code
    return code


class _Help(HelpFormatter):
    """Shows examples as they are typed: one below the other, folded where a shell goes on."""

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        head, colon, commands = text.partition(": ")
        if not head.startswith("example"):
            return super()._fill_text(text, width, indent)
        lines = [line for command in commands.split("; ") for line in _folded(command, width)]
        return "\n".join((head + colon.strip(), *lines))


def _folded(command: str, width: int) -> Iterator[str]:
    """Yield the lines of a command; quoted words stay whole, and only the first is not indented."""
    line = " "
    for word in _WORD.findall(command):
        if len(line) + len(word) + 3 > width:
            yield f"{line} \\"
            line = "     "
        line += f" {word}"
    yield line


class _Parser(ArgumentParser):
    """A parser whose complaints are errors like all others."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - those of argparse
        super().__init__(*args, **({"formatter_class": _Help} | options))

    def error(self, message: str) -> NoReturn:
        raise CommandError(
            ExitCode.USAGE, "USAGE", self.prog, found=message, remedy=f"See {self.prog} --help."
        )


def _parser(arguments: Sequence[str]) -> ArgumentParser:
    parser: ArgumentParser = _Parser(
        prog="quotary",
        description="A notary for TEE quotes.",
        epilog="exit codes: 0 ok, 1 evidence rejected, 2 usage, 3 network, 4 reverted, "
        "5 not final in time, 6 configuration, 7 stale collateral, 8 partly done",
    )
    parser.add_argument("--version", action="version", version=f"quotary {_version()}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for command in (quote, workload, chat, aci):
        command.register(commands)
    extensible = {
        "policy": policy.register(commands),
        "collateral": collateral.register(commands),
    }
    completion.register(commands, lambda: parser)
    wanted, then = _wanted(arguments)
    if wanted not in _BUILT_IN:
        _register_others(commands, COMMANDS_GROUP, wanted)
    for group, its_commands in extensible.items():
        asked = wanted == group and (then not in its_commands.choices or _on_chain(arguments))
        if asked or wanted in (None, "completion"):
            _register_others(its_commands, f"{COMMANDS_GROUP}.{group}", then)
    _describe(parser)
    return parser


def _on_chain(arguments: Sequence[str]) -> bool:
    """Whether a command that works offline too is meant for a chain, or may be: asked for help."""
    return any(argument.partition("=")[0] in ("--app", "-h", "--help") for argument in arguments)


def _describe(parser: ArgumentParser) -> None:
    """Give commands without a description the line that lists them."""
    for action in parser._actions:  # noqa: SLF001  # argparse offers no other way to look inside
        if isinstance(action, _SubParsersAction):
            lines = {choice.dest: choice.help for choice in action._choices_actions}  # noqa: SLF001
            for name, child in action.choices.items():
                line = lines.get(name) or ""
                child.description = child.description or f"{line[:1].upper()}{line[1:]}."
                _describe(child)


def _register_others(
    commands: _SubParsersAction[ArgumentParser], group: str, wanted: str | None
) -> None:
    """Add other packages' commands; all of them for help, else only the one asked for."""
    found = sorted(entry_points(group=group), key=lambda entry: entry.name)
    names = {entry.name for entry in found}
    for entry in found:
        if wanted in names and entry.name != wanted:
            continue
        try:
            register = entry.load()
        except ModuleNotFoundError as error:
            _register_missing(commands, entry, error.name or "a package")
        else:
            register(commands)


def _register_missing(
    commands: _SubParsersAction[ArgumentParser], entry: EntryPoint, module: str
) -> None:
    """Add a command that says which extra it needs."""
    extra = _extra_behind(entry)
    if entry.name in commands.choices:
        return  # it would have added to a command of ours, which does without
    parser = commands.add_parser(
        entry.name, help=f"needs the extra '{extra}'", add_help=False, prefix_chars="\0"
    )

    def run(_: Namespace) -> int:
        raise _missing_extra(parser.prog, extra, module)

    parser.add_argument("rest", nargs="*")
    parser.set_defaults(run=run)


def _extra_of(command: str) -> str:
    """Return the extra that a command of ours or of another package needs."""
    entry = next(iter(entry_points(group=COMMANDS_GROUP, name=command)), None)
    return "fetch" if entry is None else _extra_behind(entry)


def _extra_behind(entry: EntryPoint) -> str:
    """Return the extra that brings an entry point: the demonstration needs everything there is."""
    if entry.name == "demo":
        return entry.name
    return _EXTRAS.get(entry.module.partition(".")[0], "bridge")


def _missing_extra(program: str, extra: str, module: str | None) -> CommandError:
    return CommandError(
        ExitCode.CONFIGURATION,
        "EXTRA_MISSING",
        program,
        found=f"{module or 'a package'} is not installed",
        remedy=f"Install it with: pip install 'quotary[{extra}]'.",
    )


def _version() -> str:
    try:
        return version("quotary")
    except PackageNotFoundError:
        return "(not installed)"


def _wanted(arguments: Sequence[str]) -> tuple[str | None, str | None]:
    """Return the command asked for, and the word that follows it."""
    words = [argument for argument in arguments if not argument.startswith("-")]
    return (*words, None, None)[0], (*words, None, None)[1]


def _unforeseen(error: Exception, command: str | None) -> CommandError:
    if isinstance(error, ModuleNotFoundError) and command is not None:
        return _missing_extra(f"quotary {command}", _extra_of(command), error.name)
    return CommandError(
        ExitCode.REJECTED,
        "INTERNAL_ERROR",
        type(error).__name__,
        found=str(error)[:200],
        remedy="This is a defect of quotary: please report it.",
    )
