"""
Questions that are out: who was asked for which job, since when, and who is next.

Exchanges run in threads; everything else happens in the thread of the relayer, which hears one
answer after the other. It checks them too: a check waits for nothing, and threads that compute at
the same time only take Python's interpreter from each other. A question that takes long is hedged:
the next worker is asked as well, and the first good answer counts.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Thread
from weakref import finalize

from quotary_bridge.lifecycle import Job
from quotary_bridge.model import JobKey, Request, SignedResult, Timestamp
from quotary_bridge.relayer.cycle import Ports
from quotary_bridge.workers import Endpoint, WorkerClient, check_result

__all__ = ["Answer", "Asker", "Asking"]


@dataclass(eq=False, slots=True)
class Asking:
    """
    One job that workers are asked for: `endpoints` in the order of asking, `out` unanswered.

    `request` is the job's, with its input where the chain has none.
    """

    job: Job
    request: Request
    endpoints: Sequence[Endpoint]
    asked: int = 0
    out: int = 0
    queued: bool = False
    hedge_at: float = 0.0

    @property
    def spent(self) -> bool:
        """Whether nobody is left to ask."""
        return self.asked == len(self.endpoints)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one worker came to."""

    asking: Asking
    endpoint: Endpoint
    outcome: SignedResult | Exception

    def result(self, at: Timestamp) -> SignedResult:
        """
        Return the result, checked at the chain's time `at`.

        Raises `WorkerFaultError` or `ResultRejectedError`.
        """
        if isinstance(self.outcome, Exception):
            raise self.outcome
        check_result(self.asking.request, self.outcome, at, self.endpoint.worker)
        return self.outcome


_Question = tuple[WorkerClient, Asking, Endpoint]


@dataclass(slots=True, weakref_slot=True)
class Asker:
    """Asks a few workers at a time; `asking` are the jobs that wait for an answer."""

    asking: dict[JobKey, Asking] = field(default_factory=dict)
    _waiting: deque[Asking] = field(default_factory=deque)
    _running: set[Asking] = field(default_factory=set)
    _out: int = 0
    _answers: SimpleQueue[Answer] = field(default_factory=SimpleQueue)
    _heard: deque[Answer] = field(default_factory=deque)
    _questions: SimpleQueue[_Question | None] = field(default_factory=SimpleQueue)
    _threads: int = 0

    def ask(self, asking: Asking) -> None:
        """Ask the first worker for a job, as soon as there is room."""
        self.asking[asking.job.key] = asking
        asking.queued = True
        self._waiting.append(asking)

    def next_answer(self, ports: Ports, end: float) -> Answer | None:
        """
        Return the next answer, or None where another question was due first, or `end` came.

        `end` is a time of `time.monotonic`.
        """
        if not self._heard:
            self._hear(ports, end)
        if not self._heard:
            return None
        answer = self._heard.popleft()
        answer.asking.out -= 1
        if not answer.asking.out:
            self._running.discard(answer.asking)
        return answer

    def succeeded(self, answer: Answer) -> bool:
        """Note a good answer; returns whether it is the first one of its job."""
        self._running.discard(answer.asking)
        return self._end(answer.asking)

    def failed(self, answer: Answer) -> bool:
        """Note a bad answer, and have the next worker asked; returns whether there is none."""
        asking = answer.asking
        if self.asking.get(asking.job.key) is not asking or asking.out:
            return False
        if asking.spent:
            return self._end(asking)
        self._next_turn(asking)
        return False

    def forget(self, answer: Answer) -> None:
        """Give the job of an answer up that could not be judged: it is asked for anew."""
        self._running.discard(answer.asking)
        self._end(answer.asking)

    def close(self) -> None:
        """Ask nobody any more, and wait for nobody."""
        with suppress(Empty):
            while True:
                self._questions.get_nowait()
        self._questions.put(None)
        self._questions, self._threads = SimpleQueue(), 0

    def _hear(self, ports: Ports, end: float) -> None:
        """Wait for an answer, and take all that came; the next are asked while these are judged."""
        self._fill(ports)
        now = time.monotonic()
        hedges = [asking for asking in self._running if not (asking.spent or asking.queued)]
        until = min((asking.hedge_at for asking in hedges), default=end)
        try:
            self._heard.append(self._answers.get(timeout=max(0.0, min(until, end) - now)))
            while True:
                self._heard.append(self._answers.get_nowait())
        except Empty:
            now = time.monotonic()
        self._out -= len(self._heard)
        if not self._heard:
            for asking in hedges:
                if asking.hedge_at <= now:
                    self._next_turn(asking)
        self._fill(ports)

    def _next_turn(self, asking: Asking) -> None:
        if not asking.queued:
            asking.queued = True
            self._waiting.appendleft(asking)

    def _end(self, asking: Asking) -> bool:
        if self.asking.get(asking.job.key) is not asking:
            return False
        del self.asking[asking.job.key]
        return True

    def _fill(self, ports: Ports) -> None:
        """Begin as many exchanges as there is room for; hedges have room of their own."""
        width = ports.settings.concurrent_workers
        while self._waiting and self._out < (2 * width if self._waiting[0].out else width):
            asking = self._waiting.popleft()
            asking.queued = False
            if self.asking.get(asking.job.key) is not asking:
                continue
            if asking.spent:
                self._end(asking)
                continue
            endpoint = asking.endpoints[asking.asked]
            asking.asked += 1
            asking.out += 1
            asking.hedge_at = time.monotonic() + ports.settings.hedge_seconds
            self._out += 1
            self._running.add(asking)
            self._questions.put((ports.client, asking, endpoint))
            if self._threads < self._out:
                self._start_thread()

    def _start_thread(self) -> None:
        if not self._threads:
            # Whoever forgets to close must not leave threads behind.
            finalize(self, self._questions.put, None)
        # A daemon: what a worker that stalls holds up is not the end of the relayer.
        thread = Thread(
            target=_exchanges, args=(self._questions, self._answers), name="dispatch", daemon=True
        )
        thread.start()
        self._threads += 1


def _exchanges(questions: SimpleQueue[_Question | None], answers: SimpleQueue[Answer]) -> None:
    """Ask one question after the other; a None ends this thread, and then the others."""
    while (question := questions.get()) is not None:
        client, asking, endpoint = question
        try:
            outcome: SignedResult | Exception = client.ask(endpoint, asking.request)
        except Exception as fault:  # noqa: BLE001 (judged, or raised, in the relayer's thread)
            outcome = fault
        answers.put(Answer(asking, endpoint, outcome))
    questions.put(None)
