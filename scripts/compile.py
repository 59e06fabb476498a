"""
Compile contracts/src with py-solc-x, by the settings of contracts/foundry.toml.

Run as a script (`make sizes`), it says how much room each contract has left. Nothing is downloaded:
the compiler is npm's soljson behind toolchain/solc.
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import solcx

__all__ = [
    "COMPILER",
    "CONTRACTS",
    "OUTPUTS",
    "ROOT",
    "artefacts",
    "compile_contracts",
    "compile_sources",
    "contract_sources",
    "deployable",
    "standard_input",
]

ROOT = Path(__file__).resolve().parent.parent
CONTRACTS = ROOT / "contracts"
COMPILER = ROOT / "toolchain" / "solc"
KEPT = ROOT / "build" / "compiled"

# EIP-170: longer code cannot be deployed. EIP-3860: nor can it be from a longer creation code,
# which ends in the constructor's arguments.
MAX_CODE_BYTES = 24_576
MAX_CREATION_BYTES = 49_152

# What deployments and the bridge need.
OUTPUTS = (
    "abi",
    "devdoc",
    "userdoc",
    "evm.bytecode.object",
    "evm.bytecode.linkReferences",
    "evm.deployedBytecode.object",
    "evm.deployedBytecode.immutableReferences",
)


def _settings() -> dict[str, Any]:
    """The compiler settings that forge derives from foundry.toml."""
    profile = tomllib.loads((CONTRACTS / "foundry.toml").read_text())["profile"]["default"]
    return {
        "remappings": profile["remappings"],
        "optimizer": {"enabled": profile["optimizer"], "runs": profile["optimizer_runs"]},
        "metadata": {
            "bytecodeHash": profile["bytecode_hash"],
            "appendCBOR": profile["cbor_metadata"],
        },
        "evmVersion": profile["evm_version"],
        "viaIR": profile["via_ir"],
    }


def contract_sources() -> dict[str, dict[str, str]]:
    """Every file under contracts/src, as the compiler's input names it."""
    files = sorted((CONTRACTS / "src").rglob("*.sol"))
    return {path.relative_to(CONTRACTS).as_posix(): {"content": path.read_text()} for path in files}


def standard_input() -> dict[str, Any]:
    """The standard JSON input for every file under contracts/src."""
    return _input(contract_sources(), OUTPUTS)


def _input(sources: dict[str, dict[str, str]], outputs: Sequence[str]) -> dict[str, Any]:
    selection = {"*": {"*": list(outputs), "": ["ast"]}}
    return {
        "language": "Solidity",
        "sources": sources,
        "settings": {**_settings(), "outputSelection": selection},
    }


def compile_contracts() -> dict[str, Any]:
    """
    Return the compiler's standard JSON output, and keep what `artefacts` returns of it.

    Raises `solcx.exceptions.SolcError` where the sources do not compile.
    """
    given, output = compile_sources(contract_sources(), OUTPUTS)
    kept = _kept(given)
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = kept.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(_artefacts(output)), encoding="utf-8")
    draft.replace(kept)
    return output


def artefacts() -> dict[str, dict[str, Any]]:
    """
    ABI and creation code of every contract that can be deployed, by name: for tests and measuring.

    Compiling takes half a minute, so they are kept under what went into them. Raises
    `solcx.exceptions.SolcError` where the sources do not compile.
    """
    kept = _kept(standard_input())
    if not kept.is_file():
        return _artefacts(compile_contracts())
    found: dict[str, dict[str, Any]] = json.loads(kept.read_text(encoding="utf-8"))
    return found


def _kept(given: dict[str, Any]) -> Path:
    """Where the artefacts of one input are kept; libraries count by their pinned versions."""
    libraries = (ROOT / "package-lock.json").read_bytes()
    digest = sha256(json.dumps(given, sort_keys=True).encode() + libraries).hexdigest()
    return KEPT / f"{digest}.json"


def _artefacts(output: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        name: {"abi": item["abi"], "bytecode": "0x" + item["evm"]["bytecode"]["object"]}
        for name, (_, item) in deployable(output).items()
    }


def compile_sources(
    sources: dict[str, dict[str, str]], outputs: Sequence[str]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """
    Return the compiler's standard JSON input and output for `sources`.

    Raises `solcx.exceptions.SolcError` where they do not compile.
    """
    given = _input(sources, outputs)
    output: dict[str, Any] = solcx.compile_standard(
        given, solc_binary=COMPILER, base_path=CONTRACTS, allow_paths=ROOT
    )
    return given, output


def deployable(output: dict[str, Any]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Every contract of ours that can be deployed: its name to its source path and artefact."""
    found = {}
    for path, source in sorted(output["sources"].items()):
        if not path.startswith("src/"):
            continue
        for node in source["ast"]["nodes"]:
            is_contract = node["nodeType"] == "ContractDefinition"
            if is_contract and node["contractKind"] == "contract" and not node["abstract"]:
                found[node["name"]] = (path, output["contracts"][path][node["name"]])
    return found


def main() -> None:
    """Print what each deployable contract leaves of both bounds, the tightest first."""
    rows = []
    for name, (path, artefact) in deployable(compile_contracts()).items():
        evm = artefact["evm"]
        code = MAX_CODE_BYTES - len(evm["deployedBytecode"]["object"]) // 2
        creation = MAX_CREATION_BYTES - len(evm["bytecode"]["object"]) // 2
        rows.append((code, creation, name, path))
    print(f"bytes left of {MAX_CODE_BYTES:,} of code, of {MAX_CREATION_BYTES:,} of creation code")
    for code, creation, name, path in sorted(rows):
        print(f"{code:7,} {creation:7,}  {name:24} {path}")


if __name__ == "__main__":
    main()
