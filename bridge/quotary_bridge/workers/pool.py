"""The workers we know, and which of them to ask next."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from threading import Lock

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import BlockNumber
from quotary_bridge.workers.client import Endpoint

__all__ = ["Health", "WorkerPool"]

REST_BLOCKS_LIMIT = 64
"""The longest rest of a failing worker: it must come back soon after it was repaired."""

LEAVING_SECONDS = 600.0
"""How long a worker that was taken out is known: a round and its exchanges are over by then."""

_GENESIS = BlockNumber(0)


@dataclass(frozen=True, slots=True)
class Health:
    """
    How an endpoint did lately: failures in a row, and until which block it is left alone.

    `leaving`: it was taken out, and is asked for what it began only.
    """

    failures: int = 0
    rests_until: BlockNumber = _GENESIS
    last_fault: str = ""
    leaving: bool = False


class WorkerPool:
    """
    Endpoints in the order in which they should be asked.

    A failure doubles an endpoint's rest, counted in blocks; a success ends it. Resting endpoints
    come last but are not left out: when all are resting, one of them is still the best chance.
    """

    def __init__(
        self, endpoints: Sequence[Endpoint], seconds: Callable[[], float] = time.monotonic
    ) -> None:
        """
        Raise `ConfigurationError` where two endpoints have the same URL.

        `seconds` is a clock that never goes back, for those that were taken out.
        """
        _require_once(endpoints)
        self._health = {endpoint: Health() for endpoint in endpoints}
        self._left_at: dict[Endpoint, float] = {}
        self._seconds = seconds
        self._lock = Lock()
        self._turn = 0

    def replace(self, endpoints: Sequence[Endpoint]) -> None:
        """
        Ask `endpoints` from now on: new ones begin well rested, others stay as they are.

        Those that are not among them are asked nothing new; a seat in a round, or a question that
        is out, they keep. Raises `ConfigurationError` where two have the same URL.
        """
        _require_once(endpoints)
        urls = {endpoint.url for endpoint in endpoints}
        with self._lock:
            now, before = self._seconds(), self._health
            left_at = {
                each: self._left_at.get(each, now) for each in before if each.url not in urls
            }
            self._left_at = {each: at for each, at in left_at.items() if now - at < LEAVING_SECONDS}
            self._health = {
                each: replace(before.get(each, Health()), leaving=False) for each in endpoints
            } | {each: replace(before[each], leaving=True) for each in self._left_at}

    def candidates(self, block: BlockNumber) -> tuple[Endpoint, ...]:
        """Return all endpoints, healthy ones first, in turn, so that load spreads."""
        with self._lock:
            everyone = [item for item in self._health.items() if not item[1].leaving]
            start = self._turn % max(1, len(everyone))
            self._turn += 1
        turned = everyone[start:] + everyone[:start]
        awake = [item for item in turned if item[1].rests_until <= block]
        resting = [item for item in turned if item[1].rests_until > block]
        resting.sort(key=lambda item: item[1].rests_until)
        return tuple(endpoint for endpoint, _ in (*awake, *resting))

    def succeeded(self, endpoint: Endpoint) -> None:
        """Note an answer that passed every check."""
        with self._lock:
            if endpoint in self._health:
                self._health[endpoint] = Health(leaving=self._health[endpoint].leaving)

    def failed(self, endpoint: Endpoint, fault: str, block: BlockNumber) -> None:
        """Note that no answer came, or one that was rejected; `fault` is the stable reason."""
        with self._lock:
            before = self._health.get(endpoint)
            if before is None:
                return
            rest = min(REST_BLOCKS_LIMIT, 1 << min(before.failures, 6))
            self._health[endpoint] = replace(
                before,
                failures=before.failures + 1,
                rests_until=BlockNumber(block + rest),
                last_fault=fault,
            )

    def health(self) -> dict[Endpoint, Health]:
        """Return how every endpoint does, those too that were taken out a short while ago."""
        with self._lock:
            end = self._seconds() - LEAVING_SECONDS
            gone = {each for each, left_at in self._left_at.items() if left_at <= end}
            return {each: how for each, how in self._health.items() if each not in gone}


def _require_once(endpoints: Sequence[Endpoint]) -> None:
    if len({endpoint.url for endpoint in endpoints}) != len(endpoints):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID, "a worker's URL is given twice", "give every worker once"
        )
