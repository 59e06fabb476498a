"""
Failpoints: every commit and every exchange with the node, before and after, by name.

The names come from the code that is running: who commits or asks, and what. So no point can be
forgotten, and the code under test knows nothing of them.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from quotary_bridge.chain import Chain
from quotary_bridge.chain.wire import Call, Wire
from quotary_bridge.store import Store
from sqlalchemy import Connection
from web3 import Web3

_OWN = ("quotary_bridge.relayer", "quotary_bridge.intake")
_SHARED = frozenset({"rounds._store"})
"""What several steps commit through: the point is named after the step."""

ANYWHERE = 0.3
"""The share of kills that fall at any point, however often it is passed."""

GRAVE = ("commit", "eth_sendRawTransaction")
GRAVE_WEIGHT = 8
"""Commits and broadcasts are where a wrong order would show: they are killed that much more."""

BATCHES = "batch"
BATCHES_WEIGHT = 2
"""What is done about a batch comes by once for many requests: it has its turn before the rest."""

RARE = 0.2
"""A point is rare that fewer lives than this share come by..."""

FEW = 0.01
"""... and is waited for until this share has died there."""

UNTOUCHED_FIRST = 0.5
"""The share of lives that are meant for nothing but points that nobody died at yet."""

SELDOM: Mapping[str, str] = MappingProxyType(
    {
        "settle._applied commit": "a job is settled by something else than its own delivery, where"
        " a reorg undoes an answer and with it what was known of it",
        "settle._review eth_getBlockByNumber": "the block of a job that was settled so is looked"
        " up",
        "request_log.scan_each eth_getLogs": "the logs of a block are told apart from others', as"
        " what the node says of them does not fit together",
        "simulate._tried eth_call": "one life tries two deliveries of one shape, which those of"
        " batches hardly ever are",
    }
)
"""What so few lives come by that a campaign need not have died there, and when they do."""

SCOUTS = 2
"""So many lives go first and as far as any, to find what points there are."""


@dataclass(frozen=True, slots=True)
class Doom:
    """
    Where a process dies: at the `occurrence`-th point whose name is one of `names`.

    At the `latest`-th point of any name it dies in any case, those of other threads not counted:
    how many questions workers are asked beside it says nothing of how far a relayer has come.
    """

    latest: int
    occurrence: int = 1
    names: frozenset[str] = frozenset()


class Aim:
    """
    Chooses where lives end: by a seed and by what earlier lives came by, and by nothing else.

    One that `covers` sends scouts first; then whoever passes a point that nobody died at yet dies
    there, and every other life is meant for nothing else while there is such a point. Of the rest,
    some end anywhere; of most, every point has its turn, grave ones first and more. Whoever passes
    a point on the way that few lives come by, and few have died at, dies there: unless it is meant
    for a point of batches, which few would reach then, and none twice.
    """

    def __init__(self, seed: int, longest: int, *, covers: bool = False) -> None:
        """`longest` is how many points a life passes at most."""
        self._chance = random.Random(seed)
        self._longest = longest
        self._covers = covers
        self._meant: Counter[str] = Counter()
        self._lives = 0
        self.passed: Counter[str] = Counter()
        self.died: Counter[str] = Counter()
        self.came: Counter[str] = Counter()
        """How many lives came by each point."""

    @property
    def untouched(self) -> frozenset[str]:
        """The points that lives passed and none died at."""
        return frozenset(name for name in self.passed if not self.died[name])

    def next(self, *, at_untouched: bool = False) -> Doom:
        """Where the next life ends; `at_untouched`, where none has died yet, or at the latest."""
        if self._covers and self._lives < SCOUTS:
            return Doom(self._longest)
        untouched = self.untouched if self._covers else frozenset()
        if untouched and (at_untouched or self._chance.random() < UNTOUCHED_FIRST):
            return Doom(self._longest, 1, untouched)
        names = sorted(self.passed)
        if not names or self._chance.random() < ANYWHERE:
            return Doom(self._chance.randint(1, self._longest), 1, untouched)
        # By half a turn more than it had, so that a short campaign has come by what is grave.
        turns = {name: (self._meant[name] + 0.5) / _weight(name) for name in names}
        first = min(turns.values())
        meant = self._chance.choice([name for name in names if turns[name] == first])
        self._meant[meant] += 1
        if meant.startswith(BATCHES):
            return Doom(self._longest, 1, untouched | {meant})
        rare = {
            name
            for name in names
            if self.passed[name] < RARE * self._lives and self.died[name] < FEW * self._lives
        }
        often = 1 if untouched else self._chance.choice((1, 1, 1, 2))
        return Doom(self._longest, often, untouched | rare | {meant})

    def learn(self, passed: Sequence[str]) -> None:
        """Take in which points a life passed; it died at the last one."""
        self._lives += 1
        self.passed.update(passed)
        self.came.update(set(passed))
        self.died[passed[-1]] += 1


def seldom(name: str) -> bool:
    """Whether a campaign need not have died at this point."""
    return name.rpartition(",")[0] in SELDOM


def _weight(name: str) -> int:
    grave = GRAVE_WEIGHT if any(what in name for what in GRAVE) else 1
    return grave * BATCHES_WEIGHT if name.startswith(BATCHES) else grave


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
        self._chosen = 0
        # What is sent and what is stored meanwhile pass their points in two threads.
        self._turn = threading.RLock()

    def reach(self, name: str) -> None:
        """Be at the point called `name`; may not return."""
        with self._turn:
            self._passed += 1
            self.pass_by(name)
            self._disturb()

    def pass_by(self, name: str) -> None:
        """The same in a thread beside the relayer's, where the world does not change."""
        with self._turn:
            os.write(self._trace, f"{name}\n".encode())
            if self._doom is None:
                return
            self._chosen += name in self._doom.names
            if self._passed >= self._doom.latest or self._chosen >= self._doom.occurrence:
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


def pointed_chain(web3: Web3, chain_id: int, points: Points) -> Chain:
    """Return the chain behind a line, with a point on both sides of every exchange."""
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
