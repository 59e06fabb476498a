"""What all clients can do: ask, read and send; one waits, the other one awaits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any, ClassVar, TypeVar

from web3 import AsyncWeb3, Web3

from quotary_bridge.chain.contracts import RequestParams
from quotary_bridge.client import steps
from quotary_bridge.client.steps import NOW, SLEEP, Asked, Oracle, Step, Steps
from quotary_bridge.model import Address

__all__ = ["ANSWER_SECONDS", "MINED_SECONDS", "POLL_SECONDS", "AsyncClient", "Client"]

MINED_SECONDS = 120.0
ANSWER_SECONDS = 600.0
POLL_SECONDS = 1.0

_T = TypeVar("_T")


class Client:
    """Carries out steps with a `Web3`."""

    abi: ClassVar[str]

    def __init__(self, web3: Web3, oracle: Address) -> None:
        """Ask nothing yet."""
        self._web3 = web3
        self._oracle = Oracle(oracle, self.abi)

    def ask(self, params: RequestParams, sender: Address, seconds: float = MINED_SECONDS) -> Asked:
        """Make a request, wait until it is mined, and return its id."""
        return self._run(steps.ask(self._oracle, params, sender, seconds))

    def read(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 (only the ABI knows)
        """Return what a view of the oracle returns."""
        return self._run(steps.read(self._oracle, function, arguments))

    def send(
        self,
        function: str,
        *arguments: object,
        sender: Address,
        value: int = 0,
        seconds: float = MINED_SECONDS,
    ) -> Mapping[str, Any]:
        """Call a function of the oracle in a transaction; returns its receipt."""
        return self._run(steps.send(self._oracle, function, arguments, sender, value, seconds))

    def _run(self, work: Steps[_T]) -> _T:
        try:
            step = next(work)
            while True:
                try:
                    outcome = self._done(step)
                except Exception as error:  # noqa: BLE001 (the steps know what to make of it)
                    step = work.throw(error)
                else:
                    step = work.send(outcome)
        except StopIteration as end:
            found: _T = end.value
            return found

    def _done(self, step: Step) -> object:
        if step.method == SLEEP:
            time.sleep(*step.arguments)
            return None
        if step.method == NOW:
            return time.monotonic()
        return getattr(self._web3.eth, step.method)(*step.arguments)


class AsyncClient:
    """`Client` for an `AsyncWeb3`."""

    abi: ClassVar[str]

    def __init__(self, web3: AsyncWeb3[Any], oracle: Address) -> None:
        """Ask nothing yet."""
        self._web3 = web3
        self._oracle = Oracle(oracle, self.abi)

    async def ask(
        self, params: RequestParams, sender: Address, seconds: float = MINED_SECONDS
    ) -> Asked:
        """Make a request, wait until it is mined, and return its id."""
        return await self._run(steps.ask(self._oracle, params, sender, seconds))

    async def read(self, function: str, *arguments: object) -> Any:  # noqa: ANN401 (as above)
        """Return what a view of the oracle returns."""
        return await self._run(steps.read(self._oracle, function, arguments))

    async def send(
        self,
        function: str,
        *arguments: object,
        sender: Address,
        value: int = 0,
        seconds: float = MINED_SECONDS,
    ) -> Mapping[str, Any]:
        """Call a function of the oracle in a transaction; returns its receipt."""
        return await self._run(
            steps.send(self._oracle, function, arguments, sender, value, seconds)
        )

    async def _run(self, work: Steps[_T]) -> _T:
        try:
            step = next(work)
            while True:
                try:
                    outcome = await self._done(step)
                except Exception as error:  # noqa: BLE001 (the steps know what to make of it)
                    step = work.throw(error)
                else:
                    step = work.send(outcome)
        except StopIteration as end:
            found: _T = end.value
            return found

    async def _done(self, step: Step) -> object:
        if step.method == SLEEP:
            await asyncio.sleep(*step.arguments)
            return None
        if step.method == NOW:
            return time.monotonic()
        return await getattr(self._web3.eth, step.method)(*step.arguments)
