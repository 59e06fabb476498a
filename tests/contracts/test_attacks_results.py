"""Cases 114 to 127 and 159 to 200 of the catalogue of attacks: each is held by tests that exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.contracts.attacks_admission import AdmissionAttack as Attack
from tests.contracts.attacks_relaying import RELAYING_ATTACKS
from tests.contracts.attacks_results import RESULT_ATTACKS
from tests.contracts.test_attacks_admission import ROOT, functions, said_by

ATTACKS = (*RESULT_ATTACKS, *RELAYING_ATTACKS)
PACKAGES = ("verifier/quotary", "bridge/quotary_bridge", "enclave/quotary_enclave")
UNSAFE = ("pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "jsonpickle")


def terms_of(path: str, test: str) -> str:
    """The cases that a test of Python is run with."""
    if not path.endswith(".py"):
        return ""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return "\n".join(
        ast.unparse(term)
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == test
        for term in node.decorator_list
    )


def test_the_catalogue_is_whole() -> None:
    """All cases in order, each held by a test; without a reason only where it is said why."""
    numbers = [attack.number for attack in ATTACKS]
    assert numbers == [*range(114, 128), *range(159, 201)]
    for attack in ATTACKS:
        assert attack.held_by, attack.title
        assert attack.why or any(attack.held_by.values()), attack.title


@pytest.mark.parametrize(
    "attack", ATTACKS, ids=[f"{each.number}: {each.title}" for each in ATTACKS]
)
def test_every_case_is_held_by_tests_that_assert_its_reasons(attack: Attack) -> None:
    """Each test exists and, itself or by the helpers of its file, names each of its reasons."""
    for pointer, reasons in attack.held_by.items():
        path, _, test = pointer.partition("::")
        assert test in functions(path), pointer
        text = f"{said_by(path, test)}\n{terms_of(path, test)}"
        for reason in reasons:
            assert re.search(rf"(?<!\w){re.escape(reason)}(?!\w)", text), (pointer, reason)


def test_194_nothing_is_pickled() -> None:
    """No module that is shipped imports pickle, or anything that reads objects as it does."""
    imports = re.compile(rf"^\s*(?:import|from)\s+(?:{'|'.join(UNSAFE)})\b", re.MULTILINE)
    assert imports.search("    from pickle import loads")
    for package in PACKAGES:
        for path in (ROOT / package).rglob("*.py"):
            assert not imports.search(path.read_text(encoding="utf-8")), path


def test_197_tokens_are_compared_in_constant_time() -> None:
    """Who asks is let in by compare_digest, and by no comparison of strings."""
    guarded = {"bridge/quotary_bridge/http/app.py", "enclave/quotary_enclave/worker/ledger.py"}
    secret = re.compile("token|credential|bearer", re.IGNORECASE)
    for name in guarded:
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                assert not secret.search(ast.unparse(node)), name
        assert "hmac.compare_digest" in ast.unparse(tree)
