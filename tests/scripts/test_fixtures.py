"""Fixtures that modules share by `pytest_plugins` are everybody's: each name is given once."""

from __future__ import annotations

import ast
from collections import defaultdict
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def fixtures_in(source: str) -> set[str]:
    """The names of the fixtures that a module defines at its top."""
    functions = (item for item in ast.parse(source).body if isinstance(item, ast.FunctionDef))
    return {
        function.name
        for function in functions
        if any("pytest.fixture" in ast.unparse(given) for given in function.decorator_list)
    }


def test_no_two_plugins_name_one_fixture() -> None:
    """Whichever was collected last would be used by all: other tests than in a run of one file."""
    givers = defaultdict(list)
    for path in sorted(TESTS.rglob("*_fixtures.py")):
        for name in fixtures_in(path.read_text(encoding="utf-8")):
            givers[name].append(path.name)
    assert "town" in givers
    assert not {name: paths for name, paths in givers.items() if len(paths) > 1}


def test_only_such_modules_are_plugins() -> None:
    """By their names, or the test above would not find them."""
    for path in sorted(TESTS.rglob("test_*.py")):
        for item in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(item, ast.Assign) and ast.unparse(item.targets[0]) == "pytest_plugins":
                plugins = ast.literal_eval(item.value)
                assert all(plugin.endswith("_fixtures") for plugin in plugins), path
