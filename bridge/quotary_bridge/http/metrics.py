"""
Prometheus metrics: every label is one of a few values that are known beforehand.

A label that anybody outside could choose would let them fill a monitoring system's memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from quotary_bridge.lifecycle import JobState
from quotary_bridge.rounds import RoundState

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CYCLE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
OUTCOMES = ("done", "failed", "skipped")


class Metrics:
    """The figures of one relayer; safe to use from several threads."""

    def __init__(self, kinds: Iterable[str]) -> None:
        """`kinds` are all the things that can happen: each is there from the start, at zero."""
        self._registry = CollectorRegistry()
        self._kinds = frozenset(kinds)
        self._events = self._counter("events", "Things that happened", "kind", sorted(self._kinds))
        self._cycles = self._counter("cycles", "Cycles, by how they ended", "outcome", OUTCOMES)
        self._seconds = Histogram(
            "quotary_cycle_seconds",
            "How long cycles take",
            buckets=CYCLE_SECONDS,
            registry=self._registry,
        )
        self._block = Gauge("quotary_block", "The newest block read", registry=self._registry)
        self._open = Gauge(
            "quotary_open_jobs", "Jobs that can still move", ["state"], registry=self._registry
        )
        self._rounds = Gauge(
            "quotary_open_rounds",
            "Rounds of several workers that something can still come of",
            ["state"],
            registry=self._registry,
        )
        self._set({}, {})

    def event(self, kind: str) -> None:
        """Count one thing that happened; raises `ValueError` for what was not announced."""
        if kind not in self._kinds:
            raise ValueError(f"{kind} is no kind of event")
        self._events.labels(kind).inc()

    def cycle(self, outcome: str, seconds: float, block: int | None) -> None:
        """Count one cycle, whose pinned block was `block` where it had one."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome} is no outcome")
        self._cycles.labels(outcome).inc()
        self._seconds.observe(seconds)
        if block is not None:
            self._block.set(block)

    def exposition(
        self, open_jobs: Mapping[JobState, int], open_rounds: Mapping[RoundState, int]
    ) -> bytes:
        """Return the text that Prometheus reads, with jobs and rounds as they are now."""
        self._set(open_jobs, open_rounds)
        return generate_latest(self._registry)

    def _set(self, jobs: Mapping[JobState, int], rounds: Mapping[RoundState, int]) -> None:
        for state in JobState:
            self._open.labels(state.value).set(jobs.get(state, 0))
        for stage in RoundState:
            self._rounds.labels(stage.value).set(rounds.get(stage, 0))

    def _counter(self, name: str, text: str, label: str, values: Iterable[str]) -> Counter:
        counter = Counter(f"quotary_{name}_total", text, [label], registry=self._registry)
        for value in values:
            counter.labels(value)
        return counter
