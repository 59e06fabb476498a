"""
Prometheus metrics: every label is one of a few values that are known beforehand.

A label that anybody outside could choose would let them fill a monitoring system's memory.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, Wei
from quotary_bridge.rounds import RoundState
from quotary_bridge.store import BatchState

__all__ = ["CONTENT_TYPE", "Metrics"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

CYCLE_SECONDS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0)
OUTCOMES = ("done", "failed", "skipped")
READINGS = ("head", "final")
OPEN_BATCHES = (BatchState.SIGNED, BatchState.COMMITTED)


class Metrics:
    """The figures of one relayer; safe to use from several threads."""

    def __init__(self, kinds: Iterable[str], seconds: Callable[[], float] = time.monotonic) -> None:
        """
        `kinds` are all the things that can happen: each is there from the start, at zero.

        `seconds` is a clock that never goes back, for how long nothing moved.
        """
        self._clock = seconds
        self._moved = dict.fromkeys(READINGS, (-1, seconds()))
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
        self._block = self._gauge("block", "The newest block read")
        self._final = self._gauge("final_block", "The newest block read that cannot change")
        self._still = self._gauge(
            "seconds_without_progress", "Since such a block was last a newer one", "of"
        )
        self._open = self._gauge("open_jobs", "Jobs that can still move", "state")
        self._rounds = self._gauge(
            "open_rounds", "Rounds of several workers that something can still come of", "state"
        )
        self._batches = self._gauge(
            "open_batches", "Batches that something can still come of", "state"
        )
        self._balance = self._gauge("balance_wei", "What an account that delivers owns", "account")
        self._oldest = self._gauge(
            "oldest_request_seconds", "Since the oldest request on its way was made"
        )
        self._set({}, {}, {})

    def event(self, kind: str) -> None:
        """Count one thing that happened; raises `ValueError` for what was not announced."""
        if kind not in self._kinds:
            raise ValueError(f"{kind} is no kind of event")
        self._events.labels(kind).inc()

    def cycle(
        self, outcome: str, seconds: float, block: int | None, final: int | None = None
    ) -> None:
        """Count one cycle, whose pinned block was `block`, and what was `final` at its end."""
        if outcome not in OUTCOMES:
            raise ValueError(f"{outcome} is no outcome")
        self._cycles.labels(outcome).inc()
        self._seconds.observe(seconds)
        for name, gauge, number in (("head", self._block, block), ("final", self._final, final)):
            if number is not None:
                gauge.set(number)
                if number > self._moved[name][0]:
                    self._moved[name] = (number, self._clock())

    def vitals(self, balances: Mapping[Address, Wei], oldest_seconds: int) -> None:
        """Note what the accounts own, wei, and how long ago the oldest open request was made."""
        for account, balance in balances.items():
            self._balance.labels(account).set(balance)
        self._oldest.set(oldest_seconds)

    def exposition(
        self,
        open_jobs: Mapping[JobState, int],
        open_rounds: Mapping[RoundState, int],
        open_batches: Mapping[BatchState, int],
    ) -> bytes:
        """Return the text that Prometheus reads, with jobs, rounds and batches as they are now."""
        self._set(open_jobs, open_rounds, open_batches)
        return generate_latest(self._registry)

    def _set(
        self,
        jobs: Mapping[JobState, int],
        rounds: Mapping[RoundState, int],
        batches: Mapping[BatchState, int],
    ) -> None:
        now = self._clock()
        for name in READINGS:
            self._still.labels(name).set(now - self._moved[name][1])
        for held in OPEN_BATCHES:
            self._batches.labels(held.value).set(batches.get(held, 0))
        for state in JobState:
            self._open.labels(state.value).set(jobs.get(state, 0))
        for stage in RoundState:
            self._rounds.labels(stage.value).set(rounds.get(stage, 0))

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"quotary_{name}", text, labels, registry=self._registry)

    def _counter(self, name: str, text: str, label: str, values: Iterable[str]) -> Counter:
        counter = Counter(f"quotary_{name}_total", text, [label], registry=self._registry)
        for value in values:
            counter.labels(value)
        return counter
