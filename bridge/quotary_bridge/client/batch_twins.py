"""The two clients of the oracle of batches; what they do is the same (`batch_steps`)."""

from __future__ import annotations

from typing import ClassVar

from quotary_bridge.chain.contracts import BatchCommitted
from quotary_bridge.client import batch_steps
from quotary_bridge.client.base import (
    ANSWER_SECONDS,
    MINED_SECONDS,
    POLL_SECONDS,
    AsyncClient,
    Client,
)
from quotary_bridge.client.batch_steps import ClaimedResult
from quotary_bridge.client.steps import Asked
from quotary_bridge.model import Address, BlockNumber, Bytes32
from quotary_bridge.workers import PreparedBatch

__all__ = ["AsyncBatchClient", "BatchClient"]

GENESIS = BlockNumber(0)


class BatchClient(Client):
    """
    Asks an oracle of batches, and claims answers, through a `Web3` of the caller's.

    A request is answered by the batch: claiming its answer takes the document that its worker
    signed (`PreparedBatch.from_json`, which checks the signature and the root), and a transaction
    that anybody may send. Every method raises what those of `OracleClient` do, and its warning
    holds here, too: a commitment or an answer is what the newest block says.
    """

    abi: ClassVar[str] = "BatchOracle"

    def answer(self, asked: Asked) -> ClaimedResult | None:
        """Return the answer, or None while nobody claimed it; raises `RequestEndedError`."""
        return self._run(batch_steps.look(self._oracle, asked))

    def wait(
        self, asked: Asked, seconds: float = ANSWER_SECONDS, poll: float = POLL_SECONDS
    ) -> ClaimedResult:
        """Return the answer as soon as it is claimed; raises `NotFinal`, `RequestEndedError`."""
        return self._run(batch_steps.wait(self._oracle, asked, seconds, poll))

    def committed(
        self, document: PreparedBatch, since: BlockNumber = GENESIS
    ) -> BatchCommitted | None:
        """Return how the batch was committed, None where it is not open; reads from `since` on."""
        return self._run(batch_steps.committed(self._oracle, document, since))

    def commit(
        self, document: PreparedBatch, sender: Address, seconds: float = MINED_SECONDS
    ) -> BatchCommitted:
        """
        Commit the batch's root, wait until that is mined, and return how it was committed.

        Warning: the contract takes a root as often as it is brought; ask `committed` first.
        """
        return self._run(batch_steps.commit(self._oracle, document, sender, seconds))

    def claim(
        self,
        document: PreparedBatch,
        request_id: Bytes32,
        sender: Address,
        since: BlockNumber = GENESIS,
        seconds: float = MINED_SECONDS,
    ) -> ClaimedResult:
        """End a request with its answer in a committed batch; raises `BatchUnusableError`."""
        work = batch_steps.claim(self._oracle, document, request_id, sender, since, seconds)
        return self._run(work)


class AsyncBatchClient(AsyncClient):
    """`BatchClient` for an `AsyncWeb3`: the same methods, awaited."""

    abi: ClassVar[str] = "BatchOracle"

    async def answer(self, asked: Asked) -> ClaimedResult | None:
        """Return the answer, or None while nobody claimed it; raises `RequestEndedError`."""
        return await self._run(batch_steps.look(self._oracle, asked))

    async def wait(
        self, asked: Asked, seconds: float = ANSWER_SECONDS, poll: float = POLL_SECONDS
    ) -> ClaimedResult:
        """Return the answer as soon as it is claimed; raises `NotFinal`, `RequestEndedError`."""
        return await self._run(batch_steps.wait(self._oracle, asked, seconds, poll))

    async def committed(
        self, document: PreparedBatch, since: BlockNumber = GENESIS
    ) -> BatchCommitted | None:
        """Return how the batch was committed, None where it is not open; reads from `since` on."""
        return await self._run(batch_steps.committed(self._oracle, document, since))

    async def commit(
        self, document: PreparedBatch, sender: Address, seconds: float = MINED_SECONDS
    ) -> BatchCommitted:
        """
        Commit the batch's root, wait until that is mined, and return how it was committed.

        Warning: the contract takes a root as often as it is brought; ask `committed` first.
        """
        return await self._run(batch_steps.commit(self._oracle, document, sender, seconds))

    async def claim(
        self,
        document: PreparedBatch,
        request_id: Bytes32,
        sender: Address,
        since: BlockNumber = GENESIS,
        seconds: float = MINED_SECONDS,
    ) -> ClaimedResult:
        """End a request with its answer in a committed batch; raises `BatchUnusableError`."""
        work = batch_steps.claim(self._oracle, document, request_id, sender, since, seconds)
        return await self._run(work)
