"""The workers we know, and which of them to ask next."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from threading import Lock

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import BlockNumber
from quotary_bridge.workers.client import Endpoint

__all__ = ["Health", "WorkerPool"]

REST_BLOCKS_LIMIT = 64
"""The longest rest of a failing worker: it must come back soon after it was repaired."""

_GENESIS = BlockNumber(0)


@dataclass(frozen=True, slots=True)
class Health:
    """How an endpoint did lately: failures in a row, and until which block it is left alone."""

    failures: int = 0
    rests_until: BlockNumber = _GENESIS
    last_fault: str = ""


class WorkerPool:
    """
    Endpoints in the order in which they should be asked.

    A failure doubles an endpoint's rest, counted in blocks; a success ends it. Resting endpoints
    come last but are not left out: when all are resting, one of them is still the best chance.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        """Raise `ConfigurationError` where two endpoints have the same URL."""
        self._health = {endpoint: Health() for endpoint in endpoints}
        if len({endpoint.url for endpoint in endpoints}) != len(endpoints):
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                "a worker's URL is given twice",
                "give every worker once",
            )
        self._lock = Lock()
        self._turn = 0

    def candidates(self, block: BlockNumber) -> tuple[Endpoint, ...]:
        """Return all endpoints, healthy ones first, in turn, so that load spreads."""
        with self._lock:
            everyone = list(self._health.items())
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
            self._health[endpoint] = Health()

    def failed(self, endpoint: Endpoint, fault: str, block: BlockNumber) -> None:
        """Note that no answer came, or one that was rejected; `fault` is the stable reason."""
        with self._lock:
            before = self._health[endpoint]
            rest = min(REST_BLOCKS_LIMIT, 1 << min(before.failures, 6))
            self._health[endpoint] = replace(
                before,
                failures=before.failures + 1,
                rests_until=BlockNumber(block + rest),
                last_fault=fault,
            )

    def health(self) -> dict[Endpoint, Health]:
        """Return how every endpoint does."""
        with self._lock:
            return dict(self._health)
