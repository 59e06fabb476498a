"""`quotary completion`: shell completion, generated from the very parser that reads commands."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final

from quotary.cli.output import ExitCode

__all__ = ["completion_script", "register"]

_SHELLS: Final = ("bash", "zsh", "fish")
_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:+-]*")


def register(
    subparsers: _SubParsersAction[ArgumentParser], whole: Callable[[], ArgumentParser]
) -> None:
    """Add the command; `whole` returns the parser of all commands, once it is asked for."""
    parser = subparsers.add_parser(
        "completion",
        help="print a completion script for your shell",
        description="Print a completion script for your shell.",
        epilog='example: eval "$(quotary completion bash)"',
    )
    parser.add_argument("shell", choices=_SHELLS, help="bash, zsh or fish")

    def run(args: Namespace) -> int:
        sys.stdout.write(completion_script(whole(), args.shell))
        return ExitCode.OK

    parser.set_defaults(run=run)


def completion_script(parser: ArgumentParser, shell: str) -> str:
    """Return the script for one of bash, zsh and fish; raises `ValueError` for other shells."""
    words = dict(_commands(parser, ()))
    if shell == "fish":
        return _fish(words)
    if shell not in _SHELLS:
        raise ValueError(f"no completion for {shell!r}")
    head = "autoload -U +X bashcompinit && bashcompinit\n" if shell == "zsh" else ""
    return head + _bash(words)


@dataclass
class _Words:
    """What may follow a command: words, options, and the values of options that take one."""

    words: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    values: dict[str, list[str]] = field(default_factory=dict)


def _commands(
    parser: ArgumentParser, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], _Words]]:
    """Yield every command's path, and what may follow it."""
    found = _Words()
    children: dict[str, ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001  # argparse offers no other way to look inside
        if isinstance(action, _SubParsersAction):
            children |= action.choices
            continue
        choices = [str(choice) for choice in action.choices or () if _SAFE.fullmatch(str(choice))]
        names = [name for name in action.option_strings if _SAFE.fullmatch(name.lstrip("-"))]
        long = [name for name in names if name.startswith("--")]
        found.options += long
        if not action.option_strings:
            found.words += choices
        elif action.nargs != 0:
            found.values |= dict.fromkeys(long, choices)
    children = {name: child for name, child in children.items() if _SAFE.fullmatch(name)}
    found.words += children
    yield path, found
    for name, child in children.items():
        yield from _commands(child, (*path, name))


def _bash(commands: dict[tuple[str, ...], _Words]) -> str:
    cases = "".join(
        f'    "{" ".join(path)}") words="{" ".join(following.words)}"'
        f' options="{" ".join(following.options)}" ;;\n'
        for path, following in commands.items()
    )
    known = " ".join(f'"{" ".join(path)}"' for path in commands if path)
    return (
        "_quotary() {\n"
        '  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"\n'
        '  local path="" word words options known\n'
        f"  local -a commands=({known})\n"
        '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do\n'
        '    for known in "${commands[@]}"; do\n'
        '      if [[ "${path:+$path }$word" == "$known" ]]; then path="$known"; break; fi\n'
        "    done\n"
        "  done\n"
        '  case "$path" in\n'
        f"{cases}"
        '    *) words="" options="" ;;\n'
        "  esac\n"
        '  if [[ "$current" == -* ]]; then words="$options"; fi\n'
        '  case "$path $previous" in\n'
        f"{''.join(_bash_values(commands))}"
        "  esac\n"
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))\n'
        "}\n"
        "complete -o default -F _quotary quotary\n"
    )


def _bash_values(commands: dict[tuple[str, ...], _Words]) -> Iterator[str]:
    """Yield what follows options: their choices, or nothing, which lets the shell name files."""
    for path, following in commands.items():
        place = " ".join(path)
        for option, choices in following.values.items():
            yield f'    "{place} {option}") words="{" ".join(choices)}" ;;\n'


def _fish(commands: dict[tuple[str, ...], _Words]) -> str:
    known = " ".join(f"'{' '.join(path)}'" for path in commands if path)
    lines = [
        "function __quotary_path",
        "    set -l path",
        "    for word in (commandline -opc)[2..-1]",
        "        switch (string join ' ' $path $word)",
        f"            case {known}",
        "                set -a path $word",
        "        end",
        "    end",
        "    string join ' ' $path",
        "end",
    ]
    for path, following in commands.items():
        condition = f"test (__quotary_path | string collect -a) = '{' '.join(path)}'"
        start = f'complete -c quotary -n "{condition}"'
        lines += [f"{start} -f -a {word}" for word in following.words]
        for option in following.options:
            value = ""
            if option in following.values:
                choices = " ".join(following.values[option])
                value = f" -x -a '{choices}'" if choices else " -r -F"
            lines.append(f"{start} -l {option[2:]}{value}")
    return "\n".join(lines) + "\n"
