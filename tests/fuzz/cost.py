"""What garbage costs: time and memory to refuse it, over corpus, mutants and bombs."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from dataclasses import dataclass
from random import Random

from tests.fuzz.bombs import BOMB_BYTES, bombs
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import corpus

__all__ = ["Cost", "garbage", "measure", "peak_memory"]

_REPEATS = 3


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of refusing one input each: microseconds, bytes at the peak."""

    inputs: int
    median_us: float
    p99_us: float
    max_us: float
    max_bytes: int
    peak_bytes: int


def garbage(target: Target, count: int, seed: str = "cost") -> list[bytes]:
    """Inputs of at most 32 KiB that the target refuses: `count` mutants, and the bombs."""
    rng = Random(f"{seed}/{target.name}")
    inputs = corpus(target)
    mutants = (mutate(rng, rng.choice(inputs), inputs, target.tokens) for _ in range(count))
    short = (data for data in (*mutants, *bombs(target.name)) if len(data) <= BOMB_BYTES)
    return [data for data in short if target.check(data) is not None]


def measure(target: Target, count: int) -> Cost:
    """Measure the target: the fastest of three runs per input in CPU time, the peak over all."""
    inputs = garbage(target, count)
    times = sorted(_seconds(target, data) * 1e6 for data in inputs)
    return Cost(
        inputs=len(inputs),
        median_us=round(statistics.median(times), 1),
        p99_us=round(times[len(times) * 99 // 100], 1),
        max_us=round(times[-1], 1),
        max_bytes=max(map(len, inputs)),
        peak_bytes=max(peak_memory(target, data) for data in inputs),
    )


def peak_memory(target: Target, data: bytes) -> int:
    """The most bytes that Python had allocated at once while the target looked at `data`."""
    tracemalloc.start()
    try:
        target.check(data)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def _seconds(target: Target, data: bytes) -> float:
    best = float("inf")
    for _ in range(_REPEATS):
        started = time.process_time()
        target.check(data)
        best = min(best, time.process_time() - started)
    return best
