"""
Measure what the entry points of registries and oracles cost and merge it into build/bench/gas.json.

    scripts/bench_gas_registry.py

The numbers are those of contracts/test/Gas.t.sol and OracleGas.t.sol: execution on cold storage,
and for transactions their base fee and calldata, too. Results are called back to a consumer that
does nothing; requester, app and operators were seen before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SNAPSHOT = ROOT / "contracts" / "snapshots" / "Gas.json"
ORACLE_SNAPSHOT = SNAPSHOT.with_name("Oracle.json")
REPORT = ROOT / "build" / "bench" / "gas.json"

KEYS = {
    "require_active": "requireActive",
    "require_active_anew": "requireActive, found anew",
    "register_committee": "register, 3 committee signatures",
    "register_committee_first": "register, 3 committee signatures, first of its cohort",
    "admit": "admit",
    "revoke": "revoke",
    "publish_policy": "publish a policy",
    "request": "request",
    "result_q1": "result of one worker, with callback",
    "result_q1_by_use": "result of one worker paid by use, with callback",
    "result_q3": "result of 3 of 3 workers, with callback",
    "result_q3_of_5": "result of 3 of 5 workers, with callback",
    "result_q16": "result of 16 of 16 workers, with callback",
    "batch_commit": "commit a batch",
    "claim": "claim, path of 10",
}
"""Key of the report, and the snapshot it comes from."""

BATCH = 1000
"""Results in the batch whose commitment `batch_per_result` divides."""


def merged(report: dict[str, object], snapshot: dict[str, str]) -> dict[str, object]:
    """Return the report with the registries' numbers in place of older ones."""
    return {**report, **{key: int(snapshot[name]) for key, name in KEYS.items()}}


def main() -> int:
    """Run the gas tests, which fail where a price is not the committed one; write the report."""
    command = [
        str(ROOT / "toolchain" / "forge"),
        *("test", "--root", str(ROOT / "contracts"), "--match-contract", "GasTest"),
    ]
    ran = subprocess.run(command, check=False, env=os.environ, stdout=subprocess.DEVNULL)
    if ran.returncode != 0:
        print("bench_gas_registry: the gas tests failed: run them to see why", file=sys.stderr)
        return 1
    report = json.loads(REPORT.read_text()) if REPORT.exists() else {}
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    snapshots = json.loads(SNAPSHOT.read_text())
    # "request" is measured for newcomers, too: the report means those who come again.
    snapshots |= json.loads(ORACLE_SNAPSHOT.read_text())
    numbers = merged(report, snapshots)
    numbers["batch_per_result"] = -(-int(snapshots["commit a batch"]) // BATCH)
    REPORT.write_text(json.dumps(numbers, indent=2, sort_keys=True) + "\n")
    for key in (*KEYS, "batch_per_result"):
        print(f"{key:24} {numbers[key]:>9,} gas")
    return 0


if __name__ == "__main__":
    sys.exit(main())
