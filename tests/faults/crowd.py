"""
A crowd of workers for rounds, half of them honest: they outlive relayers, and remember.

What a worker has revealed, and to which round, is kept in files: the relayers that ask it live in
processes of their own, and die.
"""

from __future__ import annotations

import math
import os
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from quotary_bridge.model import Quorum, Result
from quotary_bridge.relayer import Relayer
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.relayer.exchanges import Step
from quotary_bridge.relayer.panel import Panel
from quotary_bridge.rounds import RoundState
from quotary_bridge.workers import Endpoint, WorkerClient

from tests.bridge.round_town import Member, endpoints_of

QUORUM = Quorum(3, 5)

MANNERS = (
    *("honest", "lies", "honest", "stalls", "honest", "swaps", "honest", "lies", "honest"),
    *("equivocates", "honest", "copies", "honest", "dead", "lies", "honest", "mute", "honest"),
)
"""
Every way to fail beside nine honest ones.

A round that fails holds at most two honest workers and uses up three others: after two of them
there are too few others left to spoil a third.
"""

WAITED_FOR = ("stalls", "mute")
STALL_SECONDS = 5.0
ROUND_SECONDS = 600.0

Reach = Callable[[str], None]


@dataclass
class Recorded(Member):
    """A worker that keeps in `folder` what it committed to, and which round it showed that to."""

    folder: Path = field(default_factory=Path)

    def keep(self, request_id: bytes, said: Result) -> Result:
        """Write down what was committed to, whole or not at all."""
        place = self._place("kept", request_id)
        fresh = place.with_suffix(f".{os.getpid()}")
        fresh.write_bytes(pickle.dumps(said))
        fresh.replace(place)
        return said

    def kept(self, request_id: bytes) -> Result | None:
        """What was committed to."""
        place = self._place("kept", request_id)
        return pickle.loads(place.read_bytes()) if place.exists() else None  # noqa: S301 (our own)

    def _place(self, what: str, request_id: bytes) -> Path:
        return self.folder / f"{what}-{self.name}-{request_id.hex()}"

    def showed(self, request_id: bytes) -> bool:
        """Whether the answer was shown to a round."""
        return self._place("shown", request_id).exists()

    def shows(self, request_id: bytes, closed: bytes) -> bool:
        """Whether the answer may be shown to this round; says so in a file where it may not."""
        place = self._place("shown", request_id)
        try:
            with place.open("x", encoding="ascii") as file:
                file.write(closed.hex())
        except FileExistsError:
            # Another process may be in the middle of writing it.
            known = place.read_text(encoding="ascii")
            if known not in ("", closed.hex()):
                (self.folder / f"asked-twice-{os.getpid()}").write_text(place.name)
                return False
        return True


class Crowd:
    """All of them, behind one client."""

    def __init__(self, folder: Path) -> None:
        """Keep what they showed in `folder`."""
        folder.mkdir(exist_ok=True)
        self._folder = folder
        seen: list[bytes] = []
        self._members = [
            Recorded(
                f"member{number}",
                manner,
                output=b"lie %d" % number if manner == "lies" else b"an answer",
                seen=seen,
                folder=folder,
                stall_seconds=STALL_SECONDS,
            )
            for number, manner in enumerate(MANNERS)
        ]

    @property
    def endpoints(self) -> list[Endpoint]:
        """Where they answer."""
        return endpoints_of(self._members)

    def client(self, reach: Reach) -> WorkerClient:
        """A client of them; `reach` is called on both sides of every exchange with one."""
        by_name = {member.name: member for member in self._members}

        def _route(question: httpx.Request) -> httpx.Response:
            step = question.url.path.rpartition("/")[2]
            reach(f"worker {step}, before")
            answer = by_name[question.url.host].answer(question)
            reach(f"worker {step}, after")
            return answer

        return WorkerClient(httpx.MockTransport(_route))

    def hasten(self, relayer: Relayer) -> None:
        """
        Have `relayer` give up whoever stalls once a round waits for nobody else.

        So nobody sits out a stalled exchange, and however busy the machine, no honest worker is
        taken for one: a round may last for `ROUND_SECONDS`.
        """
        rounds = relayer._rounds
        decide = rounds._decide
        out = rounds._floor._exchanges.is_out
        stallers = {each.address for each in self._members if each.manner in WAITED_FOR}

        def _decide(cycle: Cycle, panel: Panel) -> None:
            for key, table in rounds._tables.items():
                committing = table.held.state is RoundState.COMMITTING
                step = Step.COMMIT if committing else Step.REVEAL
                if table.waiting and all(
                    seat.worker in stallers and out(step, seat.url, key, table.held.ordinal)
                    for seat in table.waiting
                ):
                    table.since = -math.inf
            decide(cycle, panel)

        rounds._decide = _decide  # type: ignore[method-assign]

    def let_go(self) -> None:
        """End every exchange that a worker stalls."""
        for member in self._members:
            member.over.set()
            member.over = threading.Event()

    @property
    def asked_twice(self) -> list[str]:
        """The reveals that were asked for a second round of the same request."""
        return [file.read_text() for file in self._folder.glob("asked-twice-*")]
