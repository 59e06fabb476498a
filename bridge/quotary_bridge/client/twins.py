"""The two clients: one waits, the other one awaits; what they do is the same (`steps`)."""

from __future__ import annotations

from typing import ClassVar

from quotary_bridge.client import steps
from quotary_bridge.client.base import ANSWER_SECONDS, POLL_SECONDS, AsyncClient, Client
from quotary_bridge.client.steps import Answer, Asked

__all__ = ["AsyncOracleClient", "OracleClient"]


class OracleClient(Client):
    """
    Asks an oracle through a `Web3` of the caller's, whose accounts and middleware sign.

    Every method raises `OracleError` where the contract refuses, by the contract's own name for it,
    and otherwise what web3.py raises. `sender` is an account that the `Web3` can send from.

    Warning: an answer is what the newest block says. Until that block is final a reorg may take it
    away; wait for as many blocks as what you do with it is worth.
    """

    abi: ClassVar[str] = "ResultOracle"

    def answer(self, asked: Asked) -> Answer | None:
        """Return the answer, or None while there is none; raises `RequestEndedError`."""
        return self._run(steps.look(self._oracle, asked))

    def wait(
        self, asked: Asked, seconds: float = ANSWER_SECONDS, poll: float = POLL_SECONDS
    ) -> Answer:
        """Return the answer as soon as there is one; raises `NotFinal`, `RequestEndedError`."""
        return self._run(steps.wait(self._oracle, asked, seconds, poll))


class AsyncOracleClient(AsyncClient):
    """`OracleClient` for an `AsyncWeb3`: the same methods, awaited."""

    abi: ClassVar[str] = "ResultOracle"

    async def answer(self, asked: Asked) -> Answer | None:
        """Return the answer, or None while there is none; raises `RequestEndedError`."""
        return await self._run(steps.look(self._oracle, asked))

    async def wait(
        self, asked: Asked, seconds: float = ANSWER_SECONDS, poll: float = POLL_SECONDS
    ) -> Answer:
        """Return the answer as soon as there is one; raises `NotFinal`, `RequestEndedError`."""
        return await self._run(steps.wait(self._oracle, asked, seconds, poll))
