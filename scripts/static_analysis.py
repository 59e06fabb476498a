"""
Run Slither over contracts/src and fail on every finding that nobody answered for.

A finding is answered by a fix, by `slither-disable-next-line` in the source with its reason, or,
for a whole detector, by `ACCEPTED` here. The compiler's input is ours and not forge's: forge names
library files by two paths, Slither mixes the two syntax trees and leaves most contracts unread.
That it did read shows in two things: it reports no error, and it finds the flaw of `PLANTED`.

Run by `make slither`, which installs Slither apart from everything else. See docs/analysis.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from compile import CONTRACTS, OUTPUTS, ROOT, compile_sources, contract_sources

SLITHER = ROOT / "build" / "analysis" / "bin" / "slither"
FOLDER = ROOT / "build" / "slither"

ACCEPTED = {
    "assembly": "kept to leaf libraries, each held to a plain twin by tests",
    "incorrect-equality": "meant for balances; here ids, states and 'not yet' are compared, and the"
    " one balance that is must be exact (Escrow)",
    "naming-convention": "immutables are written in capitals here, after Morpho",
    "timestamp": "windows are judged by the block's time: a validator's seconds do not matter",
    "too-many-digits": "masks and curve constants are what they are",
    "uninitialized-local": "the language sets every local to zero, and the code means it",
}
"""Detectors that are not asked, and why."""

# `(, kind) = …`: the author wrote the hole, and chose what to leave.
WRITTEN_HOLE = "ignores return value by ("

PLANTED = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.30;
import {Governed} from "src/registry/Governed.sol";
contract Planted is Governed {
    mapping(address account => uint256) public owed;
    constructor(address governor) Governed(governor, governor) {}
    function take() external {
        (bool sent,) = msg.sender.call{value: owed[msg.sender]}("");
        require(sent);
        owed[msg.sender] = 0;
    }
}
"""
PLANTED_CHECK = "reentrancy-eth"


def main() -> int:
    """Print what is open; 0 where that is nothing, 1 otherwise, 2 where Slither is half blind."""
    results = analyse(compiled())
    planted = [item for item in results if "Planted.sol" in item["first_markdown_element"]]
    if PLANTED_CHECK not in [item["check"] for item in planted]:
        print("slither: it misses the planted flaw: it reads less than it says", file=sys.stderr)
        return 2
    open_ones = [
        item for item in results if item not in planted and WRITTEN_HOLE not in item["description"]
    ]
    for item in open_ones:
        print(f"{item['impact']}: {item['check']}: {item['description'].strip()}\n")
    print(f"slither: {len(open_ones)} findings are open", file=sys.stderr)
    return 1 if open_ones else 0


def compiled() -> Path:
    """Compile contracts/src and the planted contract; returns the folder that Slither reads."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    planted = FOLDER / "Planted.sol"
    planted.write_text(PLANTED, encoding="utf-8")
    name = os.path.relpath(planted, CONTRACTS)
    sources = {**contract_sources(), name: {"content": PLANTED}}
    given, output = compile_sources(sources, (*OUTPUTS, "evm.bytecode", "evm.deployedBytecode"))
    info = {"input": given, "output": output, "solcVersion": "0.8.30"}
    builds = FOLDER / "build-info"
    builds.mkdir(exist_ok=True)
    (builds / "contracts.json").write_text(json.dumps(info), encoding="utf-8")
    return builds


def analyse(builds: Path) -> list[dict[str, Any]]:
    """
    What Slither finds outside the libraries.

    Raises `SystemExit` where it fails, or says that it could not read something.
    """
    report = FOLDER / "report.json"
    report.unlink(missing_ok=True)
    command = [
        *(SLITHER, ".", "--ignore-compile", "--foundry-build-info-directory", builds),
        *("--filter-paths", "node_modules", "--exclude", ",".join(ACCEPTED)),
        *("--json", report, "--no-fail-pedantic"),
    ]
    path = f"{ROOT / 'toolchain'}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [str(part) for part in command],
        cwd=CONTRACTS,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    if done.returncode or errors or not report.is_file():
        said = "\n".join(errors or done.stderr.splitlines()[-8:])
        raise SystemExit(f"slither: it did not read everything\n{said}")
    results: list[dict[str, Any]] = json.loads(report.read_text(encoding="utf-8"))["results"].get(
        "detectors", []
    )
    return results


if __name__ == "__main__":
    sys.exit(main())
