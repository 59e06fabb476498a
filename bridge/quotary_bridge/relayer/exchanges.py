"""Exchanges with workers of rounds: each in a thread, all heard in the relayer's own."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import StrEnum
from queue import Empty, SimpleQueue

from quotary_bridge.model import Address, Bytes32, JobKey, SignedResult
from quotary_bridge.workers import Endpoint

__all__ = ["Ask", "Exchanges", "Heard", "Outcome", "Step"]

THREADS = 32
"""Two full rounds. A worker that stalls holds one until its time is over."""

Outcome = Address | tuple[Address, Bytes32] | SignedResult | Exception
"""Who a worker is, what it committed to, what it revealed, or why there is none of it."""

Ask = Callable[[], Outcome]


class Step(StrEnum):
    """What a worker is asked for."""

    IDENTIFY = "identify"
    COMMIT = "commit"
    REVEAL = "reveal"


@dataclass(frozen=True, slots=True)
class Heard:
    """What came of one exchange; `job` and `round` tell for what it was."""

    step: Step
    endpoint: Endpoint
    outcome: Outcome
    job: JobKey | None = None
    round: int = 0
    worker: Address | None = None


_Name = tuple[Step, str, JobKey | None, int]


@dataclass(slots=True)
class Exchanges:
    """Exchanges that are out, by step, endpoint, job and round: each once at a time."""

    _out: set[_Name] = field(default_factory=set)
    _heard: SimpleQueue[Heard] = field(default_factory=SimpleQueue)
    _threads: ThreadPoolExecutor | None = None

    def start(
        self,
        step: Step,
        endpoint: Endpoint,
        ask: Ask,
        *,
        job: JobKey | None = None,
        round_: int = 0,
        worker: Address | None = None,
    ) -> bool:
        """Begin an exchange; returns False where the same one is out already."""
        name = (step, endpoint.url, job, round_)
        if name in self._out:
            return False
        if self._threads is None:
            self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="round")
        self._out.add(name)

        def _exchange() -> None:
            try:
                outcome = ask()
            except Exception as fault:  # noqa: BLE001 (judged, or raised, in the relayer's thread)
                outcome = fault
            self._heard.put(Heard(step, endpoint, outcome, job, round_, worker))

        self._threads.submit(_exchange)
        return True

    def is_out(self, step: Step, url: str, job: JobKey | None, round_: int) -> bool:
        """Whether such an exchange is out."""
        return (step, url, job, round_) in self._out

    @property
    def idle(self) -> bool:
        """Whether nothing is out."""
        return not self._out

    def hear(self, seconds: float) -> list[Heard]:
        """Return everything that came, waiting up to `seconds` for the first."""
        found: list[Heard] = []
        try:
            found.append(self._heard.get(timeout=max(0.0, seconds)))
            while True:
                found.append(self._heard.get_nowait())
        except Empty:
            pass
        for each in found:
            self._out.discard((each.step, each.endpoint.url, each.job, each.round))
        return found

    def close(self) -> None:
        """Ask nobody any more, and wait for nobody."""
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
