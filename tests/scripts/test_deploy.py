"""Deploying from a checkout is the command and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from quotary_bridge.anvil import AnvilNode

ROOT = Path(__file__).resolve().parents[2]


def deploy(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the script as an operator does, away from the checkout."""
    line = [sys.executable, str(ROOT / "scripts" / "deploy.py"), *arguments, "--json"]
    return subprocess.run(
        line, cwd=folder, capture_output=True, text=True, check=False, timeout=600
    )


def test_the_script_plans_and_sends_nothing(tmp_path: Path) -> None:
    """Every address is known beforehand, from a script as from the command."""
    with AnvilNode() as node:
        head = node.chain.head().hash
        chain = ("--rpc-url", node.url, "--deployments", "records")
        planned = deploy("plan", *chain, "--from", node.signers[0].address, folder=tmp_path)
        assert planned.returncode == 0, planned.stderr
        contracts = json.loads(planned.stdout)["contracts"]
        assert {"WorkerRegistry", "ResultOracle", "CollateralStore"} <= contracts.keys()
        assert not any(contract["standing"] for contract in contracts.values())
        assert node.chain.head().hash == head
    assert list(tmp_path.iterdir()) == []


def test_the_script_ends_as_the_command_does(tmp_path: Path) -> None:
    """Exit codes and reasons are the command's."""
    nobody = deploy("plan", "--rpc-url", "http://127.0.0.1:9", folder=tmp_path)
    assert (nobody.returncode, json.loads(nobody.stdout)["reason"]) == (3, "RPC_UNREACHABLE")
    assert deploy("undo", folder=tmp_path).returncode == 2
