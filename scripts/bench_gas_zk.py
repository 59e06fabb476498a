"""
Measure what proofs cost on chain, and add it to `build/bench/gas.json`.

    scripts/bench_gas_zk.py [--check]     exit 1 where a price is above its budget

Each figure is the gas of a whole transaction on a node of our own, at the time of a genuine quote
whose collateral is stored. Seals are made under a Groth16 key whose secrets are known
(`tests/contracts/zk_trapdoor.py`): verifying them is the same work as verifying a prover's.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from quotary import INTEL_ROOT, Verdict  # noqa: E402 (the root is on the path from here)
from quotary_bridge.anvil import AnvilNode  # noqa: E402
from quotary_bridge.zk import GuestInput, execute, stub_seal  # noqa: E402

from tests.contracts.zk_registering import registered_by_proof  # noqa: E402
from tests.contracts.zk_trapdoor import forged_seal  # noqa: E402
from tests.contracts.zk_vectors import risc_zero_vectors  # noqa: E402
from tests.contracts.zk_world import IMAGE, Paths, deploy_release  # noqa: E402
from tests.verifier.genuine import pick  # noqa: E402

GENESIS = 1_600_000_000
RESULTS = ROOT / "build" / "bench" / "gas.json"
BUDGETS = {"zk_groth16": 255_000, "zk_verify": 290_000, "register_zk": 340_000}
"""The most each may cost; RISC Zero's own verifier takes 250,140 where ours may take 255,000."""


def measure(shared: Path) -> dict[str, int]:
    """Return the gas of each step by name."""
    found: dict[str, int] = {}
    case = pick(shared, "tdx")
    at = int(case.at.timestamp())
    given = GuestInput(case.quote, case.raw, at, INTEL_ROOT.certificate.der)
    journal = execute(given.encode())
    verdict = Verdict.from_journal(journal)
    seal = forged_seal(IMAGE, verdict.journal_digest)
    with AnvilNode(timestamp=GENESIS) as node:
        paths = Paths.deploy(node)
        paths.freeze(at)
        paths.push(case.raw)
        found["zk_verify_before_assembly"] = paths.gas(paths.zk, journal, seal)
        paths.assemble(verdict.tee_type, case.raw)
        found["zk_verify"] = paths.gas(paths.zk, journal, seal)
        digest = sha256(journal).digest()
        found["zk_verify_stub"] = paths.gas(paths.stub, journal, stub_seal(IMAGE, digest))
        found["zk_groth16_through_router"] = paths.gas(paths.receipts, seal, IMAGE, digest)
        found["zk_groth16"] = max(
            deploy_release(node, vector.release).send(
                "verify", vector.seal, vector.image_id, vector.journal_digest
            )
            for vector in risc_zero_vectors(shared)
        )
    with tempfile.TemporaryDirectory() as folder:
        registered = registered_by_proof(Path(folder))
        found["register_zk_first"] = registered.first_gas
        found["register_zk"] = registered.gas
    return found


def main() -> int:
    """Measure, merge into the results, and say what is above its budget."""
    parser = argparse.ArgumentParser(description="What proofs cost on chain.")
    parser.add_argument("--check", action="store_true", help="exit 1 above a budget")
    args = parser.parse_args()
    shared = Path(os.environ.get("QUOTARY_SHARED", ROOT.parent / "shared"))
    found = measure(shared)
    known = json.loads(RESULTS.read_text()) if RESULTS.is_file() else {}
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({**known, **found}, indent=1, sort_keys=True) + "\n")
    above = False
    for name, gas in found.items():
        budget = BUDGETS.get(name)
        over = budget is not None and gas > budget
        above = above or over
        note = "" if budget is None else f"  budget {budget:,}{'  ABOVE' if over else ''}"
        print(f"{name:28} {gas:9,}{note}")
    return 1 if above and args.check else 0


if __name__ == "__main__":
    sys.exit(main())
