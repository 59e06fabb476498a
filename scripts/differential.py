"""
Compare the verifier with dcap-qvl over many mutants of genuine and simulated evidence.

Exit status 1 when a difference is not explained in tests/differential/known.py. The report goes to
build/differential.json; the same seed and genuine evidence give the same mutants.
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
from functools import partial
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "verifier"), str(ROOT / "enclave")]

from tests.differential.campaign import Tally, run  # noqa: E402 - after the path is set
from tests.differential.genuine import genuine_evidence  # noqa: E402 - after the path is set
from tests.differential.known import KNOWN  # noqa: E402 - after the path is set

REPORT = ROOT / "build" / "differential.json"
CHUNK = 500


def main() -> int:
    """Run the campaign that the command line asks for, and write the report."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("--mutants", type=int, default=100_000)
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
    work = partial(run, options.seed, genuine=genuine)
    with ProcessPoolExecutor(options.jobs) as pool:
        for part in pool.map(work, _chunks(options.mutants)):
            tally.add(part)
            if sys.stderr.isatty():
                print(f"\r{tally.mutants}/{options.mutants}", end="", file=sys.stderr)
    write_report(options.report, options.seed, tally, time.monotonic() - started)
    return summarise(tally, options.report)


def write_report(path: Path, seed: str, tally: Tally, seconds: float) -> None:
    """Write all counts and findings as JSON."""
    why = {known.name: f"{known.why} [{known.spec}]" for known in KNOWN}
    report = {
        "seed": seed,
        "mutants": tally.mutants,
        "seconds": round(seconds, 1),
        "agreed": dict(sorted(tally.agreed.items())),
        "known": {
            name: {"count": count, "why": why.get(name.split(", behind")[0], "see normal_form.py")}
            for name, count in tally.known.most_common()
        },
        "consistent_with_ourselves": tally.consistent,
        "our_reasons": dict(tally.reasons.most_common()),
        "findings": [asdict(finding) for finding in tally.findings],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


def summarise(tally: Tally, path: Path) -> int:
    """Say what came of it; returns the exit status."""
    agreed, known, found = tally.agreed.total(), tally.known.total(), len(tally.findings)
    print(f"{tally.mutants} mutants: {agreed} agree, {known} known differences, {found} findings")
    print(f"{tally.consistent} of them were put to all our entry points, which agree")
    for finding in tally.findings[:20]:
        changes = ", ".join(finding.changes)
        print(f"  #{finding.number} ({changes}): we {finding.ours}, the peer {finding.theirs}")
    print(f"report: {path}")
    return 1 if found else 0


def _chunks(count: int) -> Iterator[range]:
    return (range(start, min(start + CHUNK, count)) for start in range(0, count, CHUNK))


if __name__ == "__main__":
    sys.exit(main())
