"""
Fuzzing without any tool: seeded mutation, guided by where refusals are raised.

A refusal's reason and the line that raised it stand in for coverage: an input that is refused at a
new place is worth mutating further. Weaker than atheris, and always there.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from quotary import QuotaryError

from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target

__all__ = ["Crash", "Outcome", "fuzz"]

_FROM_SEEDS = 0.3


@dataclass(frozen=True, slots=True)
class Crash:
    """An input that broke the promise, and how."""

    data: bytes
    error: BaseException


@dataclass(slots=True)
class Outcome:
    """What came of fuzzing one target: `places` counts the different ways inputs ended."""

    executions: int = 0
    places: int = 0
    crashes: list[Crash] = field(default_factory=list)
    slowest: float = 0.0


def fuzz(
    target: Target, inputs: list[bytes], *, seed: str, more: Callable[[Outcome], bool]
) -> Outcome:
    """Feed mutants of `inputs` to `target` for as long as `more` says so; stops at 3 crashes."""
    rng = Random(f"{seed}/{target.name}")
    outcome, seen = Outcome(), set[object]()
    pool = list(inputs)
    for data in inputs:
        _feed(target, data, outcome, seen)
    while more(outcome) and len(outcome.crashes) < 3:
        base = rng.choice(inputs if rng.random() < _FROM_SEEDS else pool)
        data = mutate(rng, base, pool, target.tokens)
        if _feed(target, data, outcome, seen):
            pool.append(data)
    outcome.places = len(seen)
    return outcome


def _feed(target: Target, data: bytes, outcome: Outcome, seen: set[object]) -> bool:
    """Whether the input ended in a new way."""
    started = time.perf_counter()
    try:
        place = _place(target.check(data))
    except (SystemExit, KeyboardInterrupt):
        raise
    except BaseException as error:  # noqa: BLE001 - whatever escapes is what is looked for
        place = (type(error), str(error)[:40])
        if place not in seen:
            outcome.crashes.append(Crash(data, error))
    outcome.executions += 1
    outcome.slowest = max(outcome.slowest, time.perf_counter() - started)
    if place in seen:
        return False
    seen.add(place)
    return True


def _place(refusal: QuotaryError | None) -> object:
    if refusal is None:
        return "accepted"
    return (refusal.reason, *_lines(refusal), *_lines(refusal.__cause__))


def _lines(error: BaseException | None) -> list[tuple[str, int]]:
    trace = error.__traceback__ if error is not None else None
    lines = []
    while trace is not None:
        lines.append((trace.tb_frame.f_code.co_name, trace.tb_lineno))
        trace = trace.tb_next
    return lines[-3:]
