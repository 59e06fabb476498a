"""
Strangers' bytes: only our errors come out, at a bounded price.

`make fuzz` runs for minutes; here every input ever kept is replayed, and every target gets a short
run: guided by coverage where atheris is installed, by our own engine everywhere.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest
from quotary import ParseError, Reason

from tests.fuzz import engine, guided
from tests.fuzz.bombs import BOMB_BYTES, bombs
from tests.fuzz.cost import garbage, measure, peak_memory
from tests.fuzz.evidence_targets import EVIDENCE_TARGETS
from tests.fuzz.mutation import mutate
from tests.fuzz.target import Target
from tests.fuzz.targets import CORPUS, REGRESSIONS, TARGETS, corpus, regressions

EXECUTIONS = 400
PEAK = 1 << 20
"""For inputs up to the length of the longest quote."""
PEAK_PER_BYTE = 64
"""For longer ones."""

every_target = pytest.mark.parametrize("target", TARGETS.values(), ids=list(TARGETS))


@every_target
def test_kept_inputs_raise_only_our_errors(target: Target) -> None:
    """Seeds, the corpus of earlier runs, and every regression."""
    for data in (*corpus(target), *(data for _, data in regressions(target))):
        target.check(data)


@every_target
def test_mutants_raise_only_our_errors(target: Target, tmp_path: Path) -> None:
    """A seeded run of the plain engine, the same on every machine; then a guided one if it can."""
    outcome = engine.fuzz(
        target, corpus(target), seed="pytest", more=lambda so_far: so_far.executions < EXECUTIONS
    )
    assert outcome.crashes == []
    assert outcome.executions >= EXECUTIONS
    assert outcome.places > 1
    if guided.available():
        session = guided.fuzz(target.name, corpus(target), tmp_path, seconds=1, seed=1)
        assert [path.name for path in session.crashes if "slow-unit" not in path.name] == []
        assert session.executions > 0


@every_target
def test_bombs_are_refused_in_bounded_memory(target: Target) -> None:
    """No input makes Python allocate more than a small multiple of its length."""
    for data in bombs(target.name):
        target.check(data)
        allowed = PEAK if len(data) <= BOMB_BYTES else PEAK_PER_BYTE * len(data)
        assert peak_memory(target, data) <= allowed


@pytest.mark.parametrize("target", EVIDENCE_TARGETS, ids=lambda target: target.name)
def test_good_seeds_reach_the_end(target: Target) -> None:
    """At least one seed per target is accepted, or the fuzzer would only see the front door."""
    assert any(target.check(data) is None for data in target.seeds())


def test_the_cost_of_garbage_is_measured() -> None:
    """Over inputs that are refused, bombs among them."""
    target = TARGETS["pem"]
    cost = measure(target, 20)
    assert cost.inputs > 20
    assert 0 < cost.median_us <= cost.p99_us <= cost.max_us
    assert all(target.check(data) is not None for data in garbage(target, 20))


def test_the_engine_notices_what_escapes() -> None:
    """Its teeth: a target that breaks the promise for one byte is caught, once per way."""

    def fragile(data: bytes) -> None:
        if data[:1] == b"Q":
            raise KeyError("escaped")
        raise ParseError(Reason.JSON_INVALID, "test")

    target = Target("fragile", fragile, lambda: [b"Quote", b"R"])
    outcome = engine.fuzz(
        target, [b"Quote", b"R"], seed="teeth", more=lambda so_far: so_far.executions < 50
    )
    assert [type(crash.error) for crash in outcome.crashes] == [KeyError]
    assert outcome.crashes[0].data[:1] == b"Q"


def test_runs_are_repeatable() -> None:
    """The same seed, the same mutants."""
    target = TARGETS["tcb-info"]
    inputs = corpus(target)
    first, second = (
        [mutate(Random(seed), inputs[0], inputs, target.tokens) for seed in range(50)]
        for _ in range(2)
    )
    assert first == second
    assert len(set(first)) > 25


def test_kept_files_belong_to_targets() -> None:
    """No corpus or regression is orphaned, and both stay small."""
    files = [path for folder in (CORPUS, REGRESSIONS) for path in folder.rglob("*")]
    kept = [path for path in files if path.is_file()]
    assert {path.parent.name for path in kept} <= set(TARGETS)
    assert len(kept) < 300
    assert sum(path.stat().st_size for path in kept) < 1 << 20
