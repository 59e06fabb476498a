"""
Fuzz every parser of the verifier: only its own errors may come out.

With atheris installed (requirements/fuzz.in) the fuzzing is guided by coverage, without it by a
mutation engine of our own. What breaks the promise becomes a file under tests/fuzz/regressions and
exit status 1. `--measure` writes what refusing garbage costs to build/bench/garbage.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "verifier"), str(ROOT / "enclave")]

from tests.fuzz import engine, guided  # noqa: E402 - after the path is set
from tests.fuzz.cost import measure  # noqa: E402 - after the path is set
from tests.fuzz.targets import CORPUS, REGRESSIONS, TARGETS, corpus  # noqa: E402 - likewise

WORK = ROOT / "build" / "fuzz"
GARBAGE = ROOT / "build" / "bench" / "garbage.json"
KEPT_PER_TARGET = 12
KEPT_BYTES = 4096
MEASURED_MUTANTS = 400


def main() -> int:
    """Do what the command line asks for."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").strip().splitlines()[0])
    parser.add_argument("targets", nargs="*", metavar="target", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="in total, over all targets")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="at the same time")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--engine", choices=("auto", "guided", "plain"), default="auto")
    parser.add_argument("--keep", action="store_true", help="add the best inputs to the corpus")
    parser.add_argument("--measure", action="store_true", help="measure refusals instead")
    options = parser.parse_args()
    unknown = set(options.targets) - set(TARGETS)
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    names = options.targets or list(TARGETS)
    if options.measure:
        return write_costs(names)
    is_guided = guided.available() if options.engine == "auto" else options.engine == "guided"
    # The guided engine has a process for each target; the plain one is this process.
    jobs = max(1, options.jobs) if is_guided else 1
    seconds = max(1, options.seconds * jobs // len(names))
    print(f"{len(names)} targets, {seconds} s each, {'atheris' if is_guided else 'plain'} engine")
    run = run_guided if is_guided else run_plain
    with ThreadPoolExecutor(jobs) as pool:
        found = sum(pool.map(partial(run, seconds=seconds, seed=options.seed), names))
    if options.keep and is_guided:
        for name in names:
            keep(name)
    print("nothing escaped" if not found else f"{found} inputs escaped: {REGRESSIONS}")
    return 1 if found else 0


def run_guided(name: str, seconds: int, seed: int) -> int:
    """Fuzz with atheris; returns how many inputs broke the promise."""
    inputs = corpus(TARGETS[name])
    session = guided.fuzz(name, inputs, WORK / name, seconds=seconds, seed=seed)
    crashes = [path for path in session.crashes if not path.name.startswith("slow-unit")]
    executed, covered = session.executions, session.coverage
    print(f"{name:18} {executed:>9} inputs, coverage {covered:>4}, {len(crashes)} escaped")
    if crashes:
        print(session.log[-3000:])
    return save(name, (path.read_bytes() for path in crashes))


def run_plain(name: str, seconds: int, seed: int) -> int:
    """Fuzz with our own engine; returns how many inputs broke the promise."""
    end = time.monotonic() + seconds
    target = TARGETS[name]
    outcome = engine.fuzz(
        target, corpus(target), seed=str(seed), more=lambda _: time.monotonic() < end
    )
    print(
        f"{name:18} {outcome.executions:>9} inputs, places {outcome.places:>4},"
        f" {len(outcome.crashes)} escaped, slowest {outcome.slowest * 1e3:.1f} ms"
    )
    for crash in outcome.crashes:
        print(f"  {crash.error!r}")
    return save(name, (crash.data for crash in outcome.crashes))


def save(name: str, inputs: Iterable[bytes]) -> int:
    """Make regressions of `inputs`; returns how many there were."""
    return len([_write(REGRESSIONS / name, data) for data in inputs])


def _write(folder: Path, data: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / sha256(data).hexdigest()[:16]
    path.write_bytes(data)
    return path


def keep(name: str) -> None:
    """Replace the corpus of one target by the small inputs that cover most."""
    found = WORK / name / "corpus"
    with tempfile.TemporaryDirectory() as folder:
        guided.minimise(name, found, Path(folder))
        paths = sorted(Path(folder).iterdir(), key=lambda path: path.stat().st_size)
        short = [path for path in paths if path.stat().st_size <= KEPT_BYTES]
        step = max(1, len(short) // KEPT_PER_TARGET)
        if not short:
            return
        shutil.rmtree(CORPUS / name, ignore_errors=True)
        for path in short[::step][:KEPT_PER_TARGET]:
            _write(CORPUS / name, path.read_bytes())


def write_costs(names: list[str]) -> int:
    """Measure the targets and write build/bench/garbage.json."""
    costs = {}
    for name in names:
        cost = measure(TARGETS[name], MEASURED_MUTANTS)
        costs[name] = asdict(cost)
        print(
            f"{name:18} {cost.inputs:>4} refused: median {cost.median_us:>8.1f} us,"
            f" p99 {cost.p99_us:>8.1f} us, max {cost.max_us:>8.1f} us,"
            f" peak {cost.peak_bytes / 1024:>7.0f} KiB"
        )
    GARBAGE.parent.mkdir(parents=True, exist_ok=True)
    report = {"python": platform.python_version(), "machine": platform.machine(), "targets": costs}
    GARBAGE.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    print(f"report: {GARBAGE}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
