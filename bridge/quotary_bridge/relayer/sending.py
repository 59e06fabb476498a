"""
Sending beside storing: while a lot goes out, the next is answered, tried out, signed and committed.

1. what is sent are attempts, which nobody has before the commit that holds them has ended;
2. one thread asks the node, in the order in which it was told to;
3. after an exchange that failed nothing more goes out: the outbox is as it was, and tries again;
4. what became of attempts is written by the relayer's own thread, while others still go out;
5. the thread never outlives the block that began it: no later step, and no other relayer, finds it
   still sending.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from quotary_bridge.chain import Chain
from quotary_bridge.errors import BridgeError
from quotary_bridge.model import Attempt, Slot

__all__ = ["Given", "Sending"]

_Found = TypeVar("_Found")

Given = tuple[Slot, Attempt]
"""A transaction to send, and the nonce that it is for."""


class Sending:
    """
    Attempts on their way to one node; use it as a context manager, whose end waits for the thread.

    Where the block raises, what has not gone out yet stays at home.
    """

    def __init__(self, chain: Chain) -> None:
        """Begin with nothing to send, and no thread."""
        self._chain = chain
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sending")
        self._outcomes: list[tuple[Given, BridgeError | None]] = []
        self._told = 0
        self._failure: Exception | None = None

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Wait until everything went out, or, after an error, for what is going out just now."""
        self._thread.shutdown(wait=True, cancel_futures=kind is not None)

    def give(self, attempts: Sequence[Given]) -> None:
        """Have committed attempts sent, after those given before."""
        if attempts:
            self._thread.submit(self._send, attempts)

    def ask(self, question: Callable[[], _Found]) -> Future[_Found]:
        """Have the node asked something in the same thread, after what it was told before."""
        return self._thread.submit(question)

    @property
    def outcomes(self) -> Sequence[tuple[Given, BridgeError | None]]:
        """What `Chain.send_many` returned of each attempt that went out so far."""
        return self._outcomes

    def news(self) -> Sequence[tuple[Given, BridgeError | None]]:
        """Return the `outcomes` since this was last asked."""
        news = self._outcomes[self._told :]
        self._told += len(news)
        return news

    def require_complete(self) -> None:
        """Raise what kept attempts from going out, where something did; call after the end."""
        if self._failure is not None:
            raise self._failure

    def _send(self, attempts: Sequence[Given]) -> None:
        if self._failure is not None:
            return
        try:
            outcomes = self._chain.send_many([attempt.raw for _, attempt in attempts])
        except Exception as failure:  # noqa: BLE001 (raised in the relayer's own thread)
            self._failure = failure
        else:
            self._outcomes.extend(zip(attempts, outcomes, strict=True))
