"""What the bridge package ships of the contracts is what the sources compile to."""

from __future__ import annotations

import importlib
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from eth_hash.auto import keccak
from quotary_bridge.deploy.sources import compile_sources

ROOT = Path(__file__).resolve().parents[2]
ABI = ROOT / "bridge" / "quotary_bridge" / "chain" / "abi"
FORGE_OUT = ROOT / "contracts" / "out"


def _documents() -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in ABI.glob("*.json") if path.stem != "errors"]


def _errors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ABI / "errors.json").read_text())
    return found


def test_the_committed_files_are_up_to_date() -> None:
    """Compiled as `quotary deploy verify` does it; `make check` compares the files' very text."""
    committed = {path.stem: json.loads(path.read_text()) for path in ABI.glob("*.json")}
    assert compile_sources(ROOT) == committed


def test_check_names_every_kind_of_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A check that cannot fail is none."""
    monkeypatch.syspath_prepend(ROOT / "scripts")
    export_abi = importlib.import_module("export_abi")
    files = {"Same.json": "{}", "Changed.json": "{}", "Missing.json": "{}"}
    for name in ("Same", "Changed", "Extra"):
        (tmp_path / f"{name}.json").write_text("{}" if name != "Changed" else "[]")
    assert export_abi.differences(files, tmp_path) == [
        "Missing.json is missing",
        "Extra.json belongs to no contract",
        "Changed.json differs from what the sources compile to",
    ]


def test_forge_and_py_solc_x_compile_to_the_same_bytecode() -> None:
    """One set of settings serves both, so that what is tested is what is deployed."""
    command = [ROOT / "toolchain" / "forge", "build", "--root", ROOT / "contracts"]
    subprocess.run(command, capture_output=True, check=True)
    for document in _documents():
        name = document["contractName"]
        artefact = FORGE_OUT / f"{name}.sol" / f"{name}.json"
        assert json.loads(artefact.read_text())["bytecode"]["object"] == document["bytecode"], name


def test_every_error_is_catalogued_under_its_selector() -> None:
    """Whatever a contract can revert with, the catalogue knows."""
    errors = _errors()
    for document in _documents():
        for item in document["abi"]:
            if item["type"] != "error":
                continue
            signature = f"{item['name']}({','.join(entry['type'] for entry in item['inputs'])})"
            selector = "0x" + keccak(signature.encode())[:4].hex()
            assert errors[selector]["signature"] == signature


def test_every_error_of_ours_says_its_cause_and_its_remedy() -> None:
    """An error without a remedy is half an error; libraries explain theirs as they like."""
    sources = {path.stem for path in (ROOT / "contracts" / "src").rglob("*.sol")}
    ours = {"MeasurementLib"} | sources
    silent = [
        error["name"]
        for error in _errors().values()
        if error["contract"] in ours and not (error["cause"] and error["remedy"])
    ]
    assert silent == []


# EIP-170 and EIP-3860. Creation code ends in the arguments: the longest are a root certificate and
# seven verifier parameters, below 1 KiB.
MAX_CODE, MAX_CREATION, ARGUMENTS = 24_576, 49_152, 1_024


def test_no_contract_is_too_large_to_deploy() -> None:
    """Neither its code nor what creates it, arguments and all; `make sizes` prints the margins."""
    documents = _documents()
    assert len(documents) > 20
    for document in documents:
        code = len(document["deployedBytecode"]) // 2 - 1
        creation = len(document["bytecode"]) // 2 - 1
        assert 0 < code <= MAX_CODE, f"{document['contractName']}: {code} bytes of code"
        assert code < creation <= MAX_CREATION - ARGUMENTS, (
            f"{document['contractName']}: {creation} bytes of creation code"
        )
