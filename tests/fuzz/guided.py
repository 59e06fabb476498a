"""
Coverage-guided fuzzing with atheris, one process per target: libFuzzer ends the process it runs in.

Run as a program it is such a process. atheris is optional: `available` says whether it is there.
"""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Final

__all__ = ["Session", "available", "fuzz", "minimise"]

ROOT: Final = Path(__file__).resolve().parent.parent.parent
MAX_LENGTH: Final = 48 * 1024
"""A little above the largest quote, so that the bound is crossed, too."""
TIMEOUT_SECONDS: Final = 10
MEMORY_MEBIBYTES: Final = 1024
_ITSELF: Final = "QUOTARY_FUZZ_PROGRAM"
_GRACE_SECONDS: Final = 120
_STRUCTURED_SHARE: Final = 0.4
_EXECUTED: Final = re.compile(r"stat::number_of_executed_units:\s*(\d+)")
_COVERED: Final = re.compile(r"\bcov: (\d+)")


@dataclass(frozen=True, slots=True)
class Session:
    """What came of one guided run; `crashes` are the files libFuzzer left."""

    executions: int
    coverage: int
    crashes: tuple[Path, ...]
    log: str


def available() -> bool:
    """Whether atheris can be imported."""
    return importlib.util.find_spec("atheris") is not None


def fuzz(name: str, inputs: list[bytes], folder: Path, *, seconds: int, seed: int) -> Session:
    """Fuzz the target `name` from `inputs` for `seconds`; what is found stays under `folder`."""
    corpus, crashes = folder / "corpus", folder / "crashes"
    for place in (corpus, crashes):
        place.mkdir(parents=True, exist_ok=True)
    for data in inputs:
        (corpus / sha256(data).hexdigest()[:16]).write_bytes(data)
    before = set(crashes.iterdir())
    log = _child(
        *(name, f"-max_total_time={seconds}", f"-seed={seed}", f"-artifact_prefix={crashes}/"),
        str(corpus),
        wait=seconds + _GRACE_SECONDS,
    )
    executed, covered = _EXECUTED.findall(log), _COVERED.findall(log)
    found = tuple(sorted(set(crashes.iterdir()) - before))
    if not found and not executed:
        raise RuntimeError(f"atheris did not run {name}: {log[-2000:]}")
    return Session(
        executions=int(executed[-1]) if executed else 0,
        coverage=int(covered[-1]) if covered else 0,
        crashes=found,
        log=log,
    )


def minimise(name: str, source: Path, into: Path) -> None:
    """Copy to the folder `into` the smallest inputs of `source` that cover as much as all do."""
    into.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        # libFuzzer merges in a child that it starts by its own name.
        itself = Path(folder) / "target"
        itself.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{__file__}" {name} "$@"\n')
        itself.chmod(0o700)
        _child(name, "-merge=1", str(into), str(source), wait=600, itself=str(itself))


def _child(name: str, *arguments: str, wait: int, itself: str = __file__) -> str:
    limits = (
        f"-max_len={MAX_LENGTH}",
        f"-timeout={TIMEOUT_SECONDS}",
        f"-rss_limit_mb={MEMORY_MEBIBYTES}",
        "-print_final_stats=1",
    )
    process = subprocess.run(
        [sys.executable, __file__, name, *limits, *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=wait,
        check=False,
        env={**os.environ, _ITSELF: itself},
    )
    return process.stderr


def main() -> None:
    """Fuzz one target until libFuzzer ends the process, the only one that needs atheris."""
    import atheris  # type: ignore[import-not-found,import-untyped,unused-ignore] # noqa: PLC0415

    sys.path[:0] = [str(ROOT), str(ROOT / "verifier"), str(ROOT / "enclave")]
    with atheris.instrument_imports(include=["quotary"], exclude=["quotary_enclave"]):
        from tests.fuzz.targets import TARGETS  # noqa: PLC0415 - instrumented on import
    from tests.fuzz.mutation import mutate  # noqa: PLC0415 - after the path is set

    name, *arguments = sys.argv[1:]
    target = TARGETS[name]
    seeds = list(target.seeds())

    def mutant(data: bytes, max_size: int, seed: int) -> bytes:
        rng = Random(seed)
        if rng.random() < _STRUCTURED_SHARE:
            return mutate(rng, data, seeds, target.tokens)[:max_size]
        return bytes(atheris.Mutate(data, max_size))

    atheris.Setup(
        [os.environ.get(_ITSELF, __file__), *arguments], target.check, custom_mutator=mutant
    )
    atheris.Fuzz()


if __name__ == "__main__":
    main()
