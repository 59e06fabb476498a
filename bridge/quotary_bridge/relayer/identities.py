"""Who answers where: told by the operator, said by the endpoint, or signed by it."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Sequence
from functools import partial

from quotary_bridge.model import Address
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.exchanges import Exchanges, Heard, Step
from quotary_bridge.relayer.progress import ProgressKind
from quotary_bridge.workers import Endpoint, WorkerFaultError

__all__ = ["Identities"]

IDENTIFY_SECONDS = 2.0
IDENTIFY_AGAIN_SECONDS = 10.0
"""A worker that does not say who it is may not have started yet, or be another one by now."""


class Identities:
    """
    The workers behind endpoints.

    What an endpoint says of itself is no more than a hint whom to ask: what counts is who signs.
    """

    def __init__(self) -> None:
        """Know nobody."""
        self._exchanges = Exchanges()
        self._said: dict[str, Address] = {}
        self._asked_at: dict[str, float] = {}

    def close(self) -> None:
        """Wait for nobody any more."""
        self._exchanges.close()

    def by_url(self, endpoints: Iterable[Endpoint]) -> dict[str, Address]:
        """Return the workers that are known, by their endpoints' URLs, in the order given."""
        endpoints = tuple(endpoints)
        # Whoever only says it is a worker must not stand in for one that we were told of.
        told = {endpoint.worker for endpoint in endpoints if endpoint.worker is not None}
        found: dict[str, Address] = {}
        for endpoint in endpoints:
            said = self._said.get(endpoint.url)
            worker = endpoint.worker or (None if said in told else said)
            if worker is not None:
                found[endpoint.url] = worker
        return found

    def learn(self, endpoint: Endpoint, worker: Address) -> None:
        """Note whose signature came from an endpoint."""
        self._said[endpoint.url] = worker

    def forget(self, url: str) -> None:
        """Believe an endpoint no more: it turned out to be somebody else."""
        self._said.pop(url, None)

    def identify(self, cycle: Cycle, doubted: Collection[str] = ()) -> None:
        """
        Ask endpoints that nobody is known at who they are, and those at the URLs in `doubted`.

        Waits a moment for those that were never asked before; what the others say is heard later.
        """
        now, ports = time.monotonic(), cycle.ports
        staying = [each for each, how in ports.pool.health().items() if not how.leaving]
        asked = [each for each in staying if self._is_due(each, now, doubted)]
        known = self._said.keys() | self._asked_at.keys()
        fresh = [endpoint for endpoint in asked if endpoint.url not in known]
        for endpoint in asked:
            self._asked_at[endpoint.url] = now
            ask = partial(ports.client.identify, endpoint)
            self._exchanges.start(Step.IDENTIFY, endpoint, ask)
        self._hear(cycle, 0.0)
        end = now + IDENTIFY_SECONDS
        while time.monotonic() < end and self._any_is_out(fresh):
            self._hear(cycle, end - time.monotonic())

    def _is_due(self, endpoint: Endpoint, now: float, doubted: Collection[str]) -> bool:
        sure = endpoint.url in self._said and endpoint.url not in doubted
        if endpoint.worker is not None or sure:
            return False
        asked = self._asked_at.get(endpoint.url)
        return asked is None or now - asked >= IDENTIFY_AGAIN_SECONDS

    def _any_is_out(self, endpoints: Sequence[Endpoint]) -> bool:
        return any(self._exchanges.is_out(Step.IDENTIFY, e.url, None, 0) for e in endpoints)

    def _hear(self, cycle: Cycle, seconds: float) -> None:
        for heard in self._exchanges.hear(seconds):
            self._identified(cycle, heard)

    def _identified(self, cycle: Cycle, heard: Heard) -> None:
        if isinstance(heard.outcome, str):
            self._said[heard.endpoint.url] = heard.outcome
        elif isinstance(heard.outcome, WorkerFaultError):
            fault = heard.outcome
            cycle.ports.pool.failed(heard.endpoint, fault.kind, cycle.number)
            details = {
                "worker": heard.endpoint.name,
                "reason": fault.kind,
                "detail": fault.detail,
            }
            cycle.tell(ProgressKind.WORKER_FAILED, None, **details)
        elif isinstance(heard.outcome, Exception):
            raise heard.outcome
