"""docs/collateral.md shows commands and code that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from quotary.cli.main import _parser
from quotary.errors import Reason

PAGE = (Path(__file__).parents[3] / "docs" / "collateral.md").read_text(encoding="utf-8")
COMMANDS = re.findall(r"^quotary (collateral .+)$", PAGE, re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_parse(command: str) -> None:
    """Each command shown is one the parser takes."""
    arguments = shlex.split(command)
    assert _parser(arguments).parse_args(arguments).command == "collateral"


def test_every_command_is_shown() -> None:
    """No command is left undocumented."""
    assert {command.split()[1] for command in COMMANDS} == {
        *("fetch", "show", "age", "watch", "push", "fmspcs", "evaluations"),
    }


def test_code_runs() -> None:
    """The example in Python defines what it says."""
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, object] = {}
    exec(compile(code, "docs/collateral.md", "exec"), names)  # noqa: S102 - our own page
    assert callable(names["collateral_for"])


def test_reasons_exist() -> None:
    """Every reason the page names is in the catalogue."""
    named = set(re.findall(r"`([A-Z]+_[A-Z_]+)`", PAGE))
    assert {name for name in named if not name.startswith("QUOTARY_")} <= set(Reason)
    assert "COLLATERAL_ROLLBACK" in named
