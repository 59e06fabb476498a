"""What `--help` says: of every command something, and examples that can be typed."""

from __future__ import annotations

import shlex
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator

import pytest
from quotary.cli import main
from quotary.cli.main import _parser


def commands(
    parser: ArgumentParser, path: tuple[str, ...] = ()
) -> Iterator[tuple[tuple[str, ...], ArgumentParser]]:
    """Every command there is."""
    yield path, parser
    for action in parser._actions:
        if isinstance(action, _SubParsersAction):
            for name, child in action.choices.items():
                yield from commands(child, (*path, name))


@pytest.fixture(autouse=True)
def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal of 80 columns."""
    monkeypatch.setenv("COLUMNS", "80")


def test_every_command_says_what_it_does() -> None:
    """A description, an example, and a line for each option, in 80 columns."""
    for path, parser in commands(_parser([])):
        assert parser.description, path
        _, _, below_usage = parser.format_help().partition("\n\n")
        group = any(isinstance(action, _SubParsersAction) for action in parser._actions)
        assert group or "\nexample" in below_usage, path
        assert max(map(len, below_usage.splitlines())) <= 80, path
        for action in parser._actions:
            assert action.help or isinstance(action, _SubParsersAction), (path, action.dest)


def test_examples_are_shown_as_they_are_typed(capsys: pytest.CaptureFixture[str]) -> None:
    """One below the other, each parses as it stands."""
    assert main(["aci", "verify", "--help"]) == 0
    _, _, examples = capsys.readouterr().out.partition("examples:\n")
    lines = examples.replace("\\\n", " ").splitlines()
    assert len(lines) == 2
    for line in lines:
        program, *arguments = shlex.split(line.replace("HEX", "00" * 32))
        assert program == "quotary"
        assert _parser(arguments).parse_args(arguments).run
