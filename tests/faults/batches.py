"""
What is different where answers come by the batch: who answers, who claims, and what must be true.

A contract takes a root as often as it is brought, and gives it a new number every time: that one is
committed once is the relayer's own doing, whatever the contract refuses.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import httpx
from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import BatchCommitted, BatchOracle
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import ChainId
from quotary_bridge.relayer.batches import claims
from quotary_bridge.store import BatchState, Store
from quotary_bridge.workers import PreparedBatch, WorkerClient

from tests.bridge.batch_town import served, transport_of
from tests.faults.crowd import Reach
from tests.faults.world import World

PAGE = 100_000
"""More batches and requests than any campaign has."""

_ANSWERED = "AlreadyFulfilled"


class BatchWorker:
    """The real worker, which outlives relayers."""

    def __init__(self) -> None:
        """Start it; whoever is forked from this process has one alike, with the same key."""
        self._transport = transport_of(served())

    def client(self, reach: Reach) -> WorkerClient:
        """A client of it; `reach` is called on both sides of every exchange."""
        return WorkerClient(_Reached(self._transport, reach))


@dataclass(frozen=True, slots=True)
class _Reached(httpx.BaseTransport):
    """A transport with a point on both sides of every exchange."""

    below: httpx.BaseTransport
    reach: Reach

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Carry one question to the worker and its answer back."""
        step = request.url.path.rpartition("/")[2]
        self.reach(f"worker {step}, before")
        answer = self.below.handle_request(request)
        self.reach(f"worker {step}, after")
        return answer


def claim_committed(world: World, store: Store, chain: Chain) -> None:
    """Claim every answer of the batches that `store` knows to be committed, one by one."""
    oracle = BatchOracle(chain, world.oracle)
    known = {told.batch_id: told for told in committed(world, chain)}
    for held in store.open_batches(ChainId(world.chain_id), world.oracle):
        if held.commitment is None:
            continue
        prepared = PreparedBatch.from_json(store.batch_document(held.key))
        for piece in claims(oracle, prepared, known[held.commitment.batch_id]):
            for answer in piece:
                world.claim(chain, answer)


def committed(world: World, chain: Chain) -> list[BatchCommitted]:
    """Every batch that the chain has."""
    topic = interface("BatchOracle").event("BatchCommitted").topic
    logs = chain.logs([world.oracle], 0, chain.head().number, [topic])
    return [told for told in map(BatchCommitted.of, logs) if told is not None]


def unkept(world: World, store: Store) -> list[str]:
    """Return which promises about batches were broken, in words."""
    found = Counter(told.root for told in committed(world, world.node.chain))
    kept = {held.root: held for held in store.batch_page(None, PAGE)}
    open_ = [held for held in kept.values() if held.state is not BatchState.ENDED]
    reasons = Counter(job.reason for job in store.page(None, PAGE)) - Counter({_ANSWERED: PAGE})
    twice = [root for root, count in found.items() if count > 1]
    strange, idle = found.keys() - kept.keys(), kept.keys() - found.keys()
    return [
        *([f"(j) {len(twice)} of {len(found)} roots committed more than once"] if twice else []),
        *([f"(j) {len(strange)} roots of batches nobody knows"] if strange else []),
        *([f"(j) {len(idle)} of {len(kept)} batches never committed"] if idle else []),
        *([f"(j) {len(open_)} of {len(kept)} batches not at an end"] if open_ else []),
        *([f"(j) requests ended by {dict(reasons)}"] if reasons else []),
    ]
