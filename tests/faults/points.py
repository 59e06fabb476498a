"""
Failpoints: every commit and every exchange with the node, before and after, by name.

The names come from the code that is running: who commits or asks, and what. So no point can be
forgotten, and the code under test knows nothing of them.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from quotary_bridge.chain import Chain
from quotary_bridge.chain.transport import JsonRpcProvider
from quotary_bridge.chain.wire import Call, Wire
from quotary_bridge.store import Store
from sqlalchemy import Connection
from web3 import Web3

_OWN = ("quotary_bridge.relayer", "quotary_bridge.intake")
_SHARED = frozenset({"rounds._store"})
"""What several steps commit through: the point is named after the step."""


@dataclass(frozen=True, slots=True)
class Doom:
    """Where a process dies: at the `occurrence`-th point called `name`, or of any name."""

    occurrence: int
    name: str | None = None


class Points:
    """
    The points one process passes; each is written to `trace` as it is reached.

    `disturb` is called at every point, so that the world may change between any two steps.
    """

    def __init__(self, doom: Doom | None, trace: int, disturb: Callable[[], None]) -> None:
        """Die where `doom` says."""
        self._doom = doom
        self._trace = trace
        self._disturb = disturb
        self._passed = 0
        # What is sent and what is stored meanwhile pass their points in two threads.
        self._turn = threading.RLock()

    def reach(self, name: str) -> None:
        """Be at the point called `name`; may not return."""
        with self._turn:
            self.pass_by(name)
            self._disturb()

    def pass_by(self, name: str) -> None:
        """The same in a thread beside the relayer's, where the world does not change."""
        with self._turn:
            os.write(self._trace, f"{name}\n".encode())
            if self._doom is not None and self._doom.name in (None, name):
                self._passed += 1
                if self._passed == self._doom.occurrence:
                    os.kill(os.getpid(), signal.SIGKILL)


class PointedStore(Store):
    """A store with a point on both sides of every commit."""

    points: Points

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        name = f"{_caller()} commit"
        with super()._transaction() as connection:
            yield connection
            self.points.reach(f"{name}, before")
        self.points.reach(f"{name}, after")


class PointedWire(Wire):
    """A line with a point on both sides of every exchange."""

    points: Points

    def answer(self, method: str, parameters: Sequence[Any]) -> Mapping[str, Any]:
        """Ask one question."""
        with self._around(method):
            return super().answer(method, parameters)

    def answers(self, calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        """Ask many questions."""
        if not calls:
            return []
        with self._around(calls[0][0]):
            return super().answers(calls)

    @contextmanager
    def _around(self, method: str) -> Iterator[None]:
        name = f"{_caller()} {method}"
        self.points.reach(f"{name}, before")
        yield
        self.points.reach(f"{name}, after")


def pointed_chain(url: str, chain_id: int, points: Points) -> Chain:
    """Return the chain at `url`, with a point on both sides of every exchange."""
    web3 = Web3(JsonRpcProvider(url, 10))
    chain = Chain(web3, chain_id)
    wire = PointedWire(web3)
    wire.points = points
    chain._wire = wire
    return chain


def _caller() -> str:
    """The step of the relayer that is at work, as module and function."""
    frame = sys._getframe(1)
    found = "start"
    while frame.f_back is not None:
        frame = frame.f_back
        module = frame.f_globals.get("__name__", "")
        if module.startswith(_OWN) and not module.endswith(".cycle"):
            name = f"{module.rpartition('.')[2]}.{frame.f_code.co_name}"
            if name not in _SHARED:
                return name
    return found
