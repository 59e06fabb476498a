"""`quotary completion`: shell completion, generated from the very parser that reads commands."""

from __future__ import annotations

import re
import sys
from argparse import ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Callable, Iterator
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


def _commands(
    parser: ArgumentParser, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield every command's path, and the words that may follow it."""
    words = [option for option in parser._option_string_actions if option.startswith("--")]  # noqa: SLF001
    children: dict[str, ArgumentParser] = {}
    for action in parser._actions:  # noqa: SLF001  # argparse offers no other way to look inside
        if isinstance(action, _SubParsersAction):
            children |= action.choices
        elif not action.option_strings and action.choices:
            words += map(str, action.choices)
    words += children
    yield path, [word for word in words if _SAFE.fullmatch(word.lstrip("-"))]
    for name, child in children.items():
        if _SAFE.fullmatch(name):
            yield from _commands(child, (*path, name))


def _bash(words: dict[tuple[str, ...], list[str]]) -> str:
    cases = "".join(
        f'    "{" ".join(path)}") words="{" ".join(following)}" ;;\n'
        for path, following in words.items()
    )
    known = " ".join(f'"{" ".join(path)}"' for path in words if path)
    return (
        "_quotary() {\n"
        '  local current="${COMP_WORDS[COMP_CWORD]}" path="" word words known\n'
        f"  local -a commands=({known})\n"
        '  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do\n'
        '    for known in "${commands[@]}"; do\n'
        '      if [[ "${path:+$path }$word" == "$known" ]]; then path="$known"; break; fi\n'
        "    done\n"
        "  done\n"
        '  case "$path" in\n'
        f"{cases}"
        '    *) words="" ;;\n'
        "  esac\n"
        '  COMPREPLY=($(compgen -W "$words" -- "$current"))\n'
        "}\n"
        "complete -o default -F _quotary quotary\n"
    )


def _fish(words: dict[tuple[str, ...], list[str]]) -> str:
    known = " ".join(f"'{' '.join(path)}'" for path in words if path)
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
    for path, following in words.items():
        condition = f"test (__quotary_path | string collect -a) = '{' '.join(path)}'"
        for word in following:
            what = f"-l {word[2:]}" if word.startswith("--") else f"-f -a {word}"
            lines.append(f'complete -c quotary -n "{condition}" {what}')
    return "\n".join(lines) + "\n"
