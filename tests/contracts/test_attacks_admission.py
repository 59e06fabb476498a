"""Cases 63 to 90 and 128 to 138 of the catalogue of attacks: each is held by tests that exist."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from importlib.resources import files
from pathlib import Path

import pytest

from tests.contracts.attacks_admission import ADMISSION_ATTACKS, AdmissionAttack

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "contracts" / "src"
FORBIDDEN = ("delegatecall", "callcode", "selfdestruct", "initializer", "Initializable", "Proxy")

PACKED = {
    "dcap/PlatformRecord.sol": "a head of fixed length, then numbers of fixed width",
    "oracle/AciLib.sol": "two hashes in 64 digits each, between constants",
    "oracle/AgreementLib.sol": "one list of words",
    "registry/CohortLib.sol": "fields of fixed width, then one list of words",
    "types/Measurement.sol": "a byte, then the measurement",
    "zk/ReceiptClaim.sol": "words and constants",
    "zk/RiscZeroParameters.sol": "words and constants",
    "zk/RiscZeroStubVerifier.sol": "a selector and a word",
}
"""Where something is packed, and why no two values are packed alike."""

PAYABLE = {
    ("BatchOracle", "request"),
    ("EightBall", "ask"),
    ("GovernanceTimelock", "execute"),
    ("GovernanceTimelock", "executeBatch"),
    ("ProposalAdvisor", "ask"),
    ("ResultOracle", "request"),
}
"""All functions that take money."""


@cache
def functions(path: str) -> dict[str, str]:
    """
    The functions of a test's file, by name, each with its text; overloads share theirs.

    Of Python, its constants as well: a test may take its cases from one.
    """
    text = (ROOT / path).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    if path.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                found[node.name] = ast.get_source_segment(text, node) or ""
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
                found[node.target.id] = ast.get_source_segment(text, node) or ""
        return found
    whole = r"^    function (\w+)\((?:(?!^    function ).)*?^    }$"
    for match in re.finditer(whole, text, re.DOTALL | re.MULTILINE):
        found[match[1]] = found.get(match[1], "") + match[0]
    return found


def said_by(path: str, test: str) -> str:
    """The text of `test` and of all that it calls or takes of its file, at whatever remove."""
    known, reached, todo = functions(path), {test}, [test]
    while todo:
        called = set(re.findall(r"\b(\w+)\(|\b([A-Z_]+)\b", known[todo.pop()]))
        called = {"".join(each) for each in called} & known.keys() - reached
        reached |= called
        todo += sorted(called)
    return "\n".join(known[name] for name in sorted(reached))


def test_the_catalogue_is_whole() -> None:
    """All cases in order, each held by tests that give reasons."""
    numbers = [attack.number for attack in ADMISSION_ATTACKS]
    assert numbers == [*range(63, 91), *range(128, 139)]
    for attack in ADMISSION_ATTACKS:
        assert attack.held_by, attack.title
        assert all(attack.held_by.values()), attack.title


@pytest.mark.parametrize(
    "attack", ADMISSION_ATTACKS, ids=[f"{each.number}: {each.title}" for each in ADMISSION_ATTACKS]
)
def test_every_case_is_held_by_tests_that_assert_its_reasons(attack: AdmissionAttack) -> None:
    """Each test exists and, itself or by the helpers of its file, names each of its reasons."""
    for pointer, reasons in attack.held_by.items():
        path, _, test = pointer.partition("::")
        assert test in functions(path), pointer
        text = said_by(path, test)
        for reason in reasons:
            assert re.search(rf"(?<!\w){re.escape(reason)}(?!\w)", text), (pointer, reason)


def test_85_nothing_is_upgraded_or_initialised() -> None:
    """No delegatecall, no initializer, no proxy: what was deployed is what runs."""
    for path in SOURCES.rglob("*.sol"):
        text = path.read_text(encoding="utf-8")
        for word in FORBIDDEN:
            assert not re.search(rf"\b{word}\b", text), (path.name, word)


def test_86_packing_has_at_most_one_part_of_any_length() -> None:
    """Each file that calls encodePacked is listed with the reason why nothing can collide."""
    packing = {
        path.relative_to(SOURCES).as_posix()
        for path in SOURCES.rglob("*.sol")
        if "encodePacked" in path.read_text(encoding="utf-8")
    }
    assert packing == PACKED.keys()


def test_88_only_requests_and_the_timelock_take_money() -> None:
    """Of all functions that are payable none registers, renews, verifies or keeps collateral."""
    abis = files("quotary_bridge.chain").joinpath("abi")
    payable = {
        (path.name.removesuffix(".json"), entry["name"])
        for path in abis.iterdir()
        if path.name.endswith(".json") and path.name != "errors.json"
        for entry in json.loads(path.read_text("utf-8"))["abi"]
        if entry.get("stateMutability") == "payable" and entry["type"] == "function"
    }
    assert payable == PAYABLE
