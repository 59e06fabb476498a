"""
Prove what contracts/test/symbolic says of the contracts, with Halmos.

Every claim must hold on all paths, without a loop cut short, but for those of `ReachProof`, which
must be refuted: each says that something never happens that does, so that no proof holds merely
because nothing was reached. Run by `make halmos`; see docs/analysis.md.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
HALMOS = ROOT / "build" / "analysis" / "bin" / "halmos"
FOLDER = ROOT / "build" / "halmos"
FALSE_CLAIMS = "ReachProof"
PASSED, REFUTED = 0, 1
"""Halmos's exit codes of one claim; others are timeouts and paths it could not follow."""

PATIENCE_SECONDS = 900
"""All claims take half a minute; one that the solver cannot decide would take for ever."""

LOOP_BOUND = 40
"""Above the longest loop of a proof, 32 digits or components."""


def main() -> int:
    """Print each claim that is not as it should be; 0 where there is none, 1 otherwise."""
    claims = prove()
    wrong = [said for contract, claim in claims if (said := fault(contract, claim))]
    for line in wrong:
        print(line)
    refuted = sum(contract.endswith(FALSE_CLAIMS) for contract, _ in claims)
    print(
        f"halmos: {len(claims) - refuted} claims to prove, {refuted} to refute; "
        f"{len(wrong)} are not as they should be",
        file=sys.stderr,
    )
    return 1 if wrong or not refuted or refuted == len(claims) else 0


def fault(contract: str, claim: dict[str, Any]) -> str:
    """What is wrong with a claim's result; empty where nothing is."""
    expected = REFUTED if contract.endswith(FALSE_CLAIMS) else PASSED
    name = f"{contract}.{claim['name']}"
    if claim["exitcode"] != expected:
        models = json.dumps(claim["models"] or [])
        return f"{name}: ended with {claim['exitcode']}, not {expected}: {models}"
    if claim["num_bounded_loops"]:
        return f"{name}: {claim['num_bounded_loops']} loops were cut short"
    return ""


def prove() -> list[tuple[str, dict[str, Any]]]:
    """Every claim's contract and result; raises `SystemExit` where Halmos gives none."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    report = FOLDER / "report.json"
    report.unlink(missing_ok=True)
    path = f"{ROOT / 'toolchain'}{os.pathsep}{os.environ['PATH']}"
    command = [
        *(str(HALMOS), "--root", "contracts", "--forge-build-out", "../build/halmos/out"),
        *("--no-status", "--loop", str(LOOP_BOUND), "--json-output", str(report)),
        *("--default-array-lengths", "1", "--default-bytes-lengths", "32"),
    ]
    try:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, "PATH": path, "FOUNDRY_PROFILE": "symbolic"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise SystemExit(f"halmos: no answer after {PATIENCE_SECONDS} seconds") from error
    if not report.is_file():
        raise SystemExit("halmos: it gave no result\n" + done.stdout[-2000:])
    results: dict[str, list[dict[str, Any]]] = json.loads(report.read_text("utf-8"))["test_results"]
    return [(contract, claim) for contract, claims in results.items() for claim in claims]


if __name__ == "__main__":
    sys.exit(main())
