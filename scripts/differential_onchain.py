"""
Compare the verifier with the contracts over many mutants of genuine and simulated evidence.

Exit status 1 when the two disagree anywhere: on acceptance, on the reason, on a byte of a journal.
The report goes to build/differential-onchain.json; the same seed and genuine evidence give the
same mutants.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), *(str(ROOT / part) for part in ("verifier", "enclave", "bridge"))]

from tests.contracts.dcap.dcap_world import running_node  # noqa: E402 - after the path is set
from tests.contracts.dcap.onchain_campaign import Tally, run  # noqa: E402 - after the path is set
from tests.contracts.dcap.onchain_judge import OnChainJudge  # noqa: E402 - after the path is set
from tests.differential.bytes_of_evidence import Good  # noqa: E402 - after the path is set
from tests.differential.genuine import genuine_evidence  # noqa: E402 - after the path is set

REPORT = ROOT / "build" / "differential-onchain.json"
CHUNK = 500


def main() -> int:
    """Run the campaign that the command line asks for, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--seed", default="1")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--report", type=Path, default=REPORT)
    options = parser.parse_args()
    shared = Path(os.environ.get("QUOTARY_SHARED", ROOT.parent / "shared"))
    genuine = genuine_evidence(shared)
    if not genuine:
        print(f"no genuine evidence under {shared}: simulated evidence only", file=sys.stderr)
    started = time.monotonic()
    tally = Tally()
    with ProcessPoolExecutor(options.jobs) as pool:
        parts = [
            pool.submit(judged, options.seed, numbers, genuine)
            for numbers in _chunks(options.first, options.first + options.mutants)
        ]
        for done, part in enumerate(parts, start=1):
            result = part.result()
            tally.add(result)
            print(f"{min(done * CHUNK, options.mutants)} mutants", file=sys.stderr)
            for found in result.disagreements:
                changes = ", ".join(found.changes)
                print(f"  #{found.number} {changes}: Python {found.python}, chain {found.chain}")
    write_report(options.report, options.seed, tally, time.monotonic() - started)
    print(f"{options.mutants} mutants: {len(tally.disagreements)} disagreements {options.report}")
    return 1 if tally.disagreements else 0


def judged(seed: str, numbers: range, genuine: tuple[Good, ...]) -> Tally:
    """Judge some mutants on a node of their own."""
    with running_node() as node:
        return run(OnChainJudge(node), seed, numbers, genuine)


def write_report(path: Path, seed: str, tally: Tally, seconds: float) -> None:
    """Write all counts and disagreements as JSON."""
    report = {
        "seed": seed,
        "seconds": round(seconds, 1),
        "counts": dict(tally.counts.most_common()),
        "reasons": dict(tally.reasons.most_common()),
        "disagreements": [asdict(found) for found in tally.disagreements],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def _chunks(first: int, end: int) -> Iterator[range]:
    return (range(start, min(start + CHUNK, end)) for start in range(first, end, CHUNK))


if __name__ == "__main__":
    sys.exit(main())
