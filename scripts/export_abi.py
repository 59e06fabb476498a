"""
Write what the bridge package ships of the contracts, or check that it is up to date.

    scripts/export_abi.py            write bridge/quotary_bridge/chain/abi/
    scripts/export_abi.py --check    exit 1 where the committed files differ
    scripts/export_abi.py --print    print all files as one JSON object: `quotary deploy verify`

Each deployable contract gets one file: ABI, bytecode, immutables by name, compiler and settings.
`errors.json` maps the selector of every custom error to what it means and what to do about it.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import solcx.wrapper
from compile import COMPILER, ROOT, compile_contracts, deployable, standard_input

ABI_FOLDER = ROOT / "bridge" / "quotary_bridge" / "chain" / "abi"


def exported_files(output: dict[str, Any]) -> dict[str, str]:
    """Every file of the folder, by name."""
    contracts = deployable(output)
    names = _immutable_names(output)
    compiler = _compiler()
    files = {}
    for name, (path, artefact) in contracts.items():
        files[f"{name}.json"] = _dump(_contract(name, path, artefact, names, compiler))
    files["errors.json"] = _dump(_errors(output, contracts))
    return files


def _dump(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def _compiler() -> dict[str, Any]:
    settings = {**standard_input()["settings"]}
    del settings["outputSelection"]
    version = solcx.wrapper.get_version_str_from_solc_binary(COMPILER)
    return {"name": "solc", "version": version, "settings": settings}


def _contract(
    name: str,
    path: str,
    artefact: dict[str, Any],
    names: dict[str, str],
    compiler: dict[str, Any],
) -> dict[str, Any]:
    evm = artefact["evm"]
    if evm["bytecode"]["linkReferences"]:
        raise SystemExit(f"export_abi: {name} must be linked; libraries are to be internal")
    immutables: dict[str, list[dict[str, int]]] = {}
    for identifier, places in evm["deployedBytecode"]["immutableReferences"].items():
        immutables.setdefault(names[identifier], []).extend(places)
    return {
        "contractName": name,
        "sourceName": path,
        "abi": artefact["abi"],
        "bytecode": "0x" + evm["bytecode"]["object"],
        "deployedBytecode": "0x" + evm["deployedBytecode"]["object"],
        "immutableReferences": {
            key: sorted(places, key=lambda place: place["start"])
            for key, places in sorted(immutables.items())
        },
        "compiler": compiler,
    }


def _nodes(tree: object) -> Iterator[dict[str, Any]]:
    """Every node of a syntax tree."""
    if isinstance(tree, dict):
        if "nodeType" in tree:
            yield tree
        for child in tree.values():
            yield from _nodes(child)
    elif isinstance(tree, list):
        for child in tree:
            yield from _nodes(child)


def _immutable_names(output: dict[str, Any]) -> dict[str, str]:
    return {
        str(node["id"]): node["name"]
        for source in output["sources"].values()
        for node in _nodes(source["ast"])
        if node["nodeType"] == "VariableDeclaration" and node.get("mutability") == "immutable"
    }


def _errors(
    output: dict[str, Any], contracts: dict[str, tuple[str, dict[str, Any]]]
) -> dict[str, Any]:
    """Every error of ours, and those of libraries that a contract of ours can revert with."""
    reachable = {
        _signature(item)
        for _, artefact in contracts.values()
        for item in artefact["abi"]
        if item["type"] == "error"
    }
    found: dict[str, Any] = {}
    for path, source in sorted(output["sources"].items()):
        for contract in source["ast"]["nodes"]:
            if contract["nodeType"] != "ContractDefinition":
                continue
            abi = output["contracts"][path][contract["name"]]["abi"]
            items = {item["name"]: item for item in abi if item["type"] == "error"}
            for node in contract["nodes"]:
                if node["nodeType"] != "ErrorDefinition":
                    continue
                item = items[node["name"]]
                if path.startswith("src/") or _signature(item) in reachable:
                    entry = _error(item, contract["name"], node)
                    # The first to declare an error, by path, explains it.
                    found.setdefault("0x" + node["errorSelector"], entry)
    return dict(sorted(found.items(), key=lambda pair: (pair[1]["contract"], pair[1]["name"])))


def _signature(item: dict[str, Any]) -> str:
    return f"{item['name']}({','.join(entry['type'] for entry in item['inputs'])})"


def _error(item: dict[str, Any], contract: str, node: dict[str, Any]) -> dict[str, Any]:
    tags = _tags((node.get("documentation") or {}).get("text", ""))
    return {
        "name": item["name"],
        "signature": _signature(item),
        "contract": contract,
        "inputs": [{"name": entry["name"], "type": entry["type"]} for entry in item["inputs"]],
        "cause": tags.get("notice") or tags.get("dev", ""),
        "remedy": tags.get("custom:remedy", ""),
    }


def _tags(text: str) -> dict[str, str]:
    """A NatSpec comment's text by tag, each on one line."""
    tags: dict[str, list[str]] = {}
    tag = "notice"
    for word in text.split():
        if word.startswith("@"):
            tag = word[1:]
            tags[tag] = []
        else:
            tags.setdefault(tag, []).append(word)
    return {name: " ".join(words) for name, words in tags.items()}


def differences(files: dict[str, str], folder: Path) -> list[str]:
    """Say of each JSON file in `folder` that is not as in `files` what is wrong with it."""
    present = {path.name: path.read_text() for path in folder.glob("*.json")}
    problems = [f"{name} is missing" for name in sorted(files.keys() - present.keys())]
    problems += [f"{name} belongs to no contract" for name in sorted(present.keys() - files.keys())]
    problems += [
        f"{name} differs from what the sources compile to"
        for name in sorted(files.keys() & present.keys())
        if files[name] != present[name]
    ]
    return problems


def _write(files: dict[str, str], folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob("*.json"):
        if path.name not in files:
            path.unlink()
    for name, text in files.items():
        (folder / name).write_text(text)


def main() -> int:
    """Return the exit code: 0 where the files are written or up to date, 1 where they differ."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="compare only; exit 1 on differences")
    what.add_argument("--print", action="store_true", help="print them; write nothing")
    options = parser.parse_args()
    check = options.check
    files = exported_files(compile_contracts())
    if options.print:
        print(json.dumps({name: json.loads(text) for name, text in files.items()}))
        return 0
    where = ABI_FOLDER.relative_to(ROOT)
    if not check:
        _write(files, ABI_FOLDER)
        print(f"export_abi: wrote {len(files)} files to {where}")
        return 0
    problems = differences(files, ABI_FOLDER)
    for problem in problems:
        print(f"export_abi: {where}/{problem}", file=sys.stderr)
    if problems:
        print("export_abi: run `scripts/export_abi.py` and commit the result", file=sys.stderr)
        return 1
    print(f"export_abi: {len(files)} files in {where} match the sources")
    return 0


if __name__ == "__main__":
    sys.exit(main())
