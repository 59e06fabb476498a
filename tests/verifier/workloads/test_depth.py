"""Deep documents end in an error even where the interpreter's own limit was raised."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotary import ParseError, Reason
from quotary.workloads import parse_json
from quotary.workloads._depth import nests_deeper_than

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text('[]{}"\\x', max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('[]{}"\\x', max_size=4), inner, max_size=3)
    ),
    max_leaves=20,
)


def depth_of(value: object) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth_of, value), default=0)
    return 0


@given(JSON, st.sampled_from([None, 2]))
def test_depth_is_exact_for_json(value: object, indent: int | None) -> None:
    """Brackets inside texts are not levels."""
    text, depth = json.dumps(value, indent=indent), depth_of(value)
    assert not nests_deeper_than(text, depth)
    assert depth == 0 or nests_deeper_than(text, depth - 1)


@pytest.mark.parametrize(
    ("value", "accepted"),
    [
        ([{}] * 20_000, False),
        ([[]] * 20_000, False),
        ([{"imr": 3}] * 20_000, True),
        ("[" * 20_000, True),
        ({"code": '\\"[{' * 20_000}, True),
        ([{}] * 900, True),
    ],
    ids=["objects", "lists", "events", "a text", "code", "a few"],
)
def test_floods_of_brackets(value: object, *, accepted: bool) -> None:
    """Refused before anything is made of them; what prompts are full of is no bracket."""
    text = json.dumps(value)
    if accepted:
        assert parse_json(text, "document") == value
        return
    with pytest.raises(ParseError) as caught:
        parse_json(text, "document")
    assert caught.value.reason is Reason.JSON_INVALID


@pytest.mark.parametrize("text", ["[" * 99, '{"a":' * 99, '["]"' + "[" * 99, '["\\\\"' + "[" * 99])
def test_texts_that_are_cut_off(text: str) -> None:
    """As deep as a parser would go before it notices."""
    assert nests_deeper_than(text, 64)


@pytest.mark.parametrize("text", ['"' + '\\"' * 10**6, '"' * 10**6, "[]" * 10**6, '"\\'])
def test_time_is_linear(text: str) -> None:
    """No text is scanned twice, however its quotes are laid."""
    assert not nests_deeper_than(text, 64)


@pytest.mark.parametrize(
    "expression",
    [
        "parse_json('[' * 1000000, 'x')",
        "parse_json('{\"a\":' * 200000, 'x')",
        "AppCompose.parse(document('[' * 100000))",
        "AppCompose.parse(document('- ' * 60000))",
        "AppCompose.parse(document('{a: ' * 60000))",
    ],
)
def test_the_process_survives(expression: str) -> None:
    """py_ecc raises the recursion limit for everybody who imports it."""
    program = f"""
import json, sys
from quotary.errors import ParseError
from quotary.workloads import AppCompose, parse_json
sys.setrecursionlimit(10_000_000)
def document(text):
    return json.dumps({{"runner": "docker-compose", "docker_compose_file": text}}).encode()
try:
    {expression}
except ParseError as error:
    print(error.reason)
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.stdout.strip() in {"JSON_INVALID", "COMPOSE_INVALID"}, done.stderr[-500:]
