"""Where answers are kept while they can be held against their worker: port, and memory."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from typing import Final, Protocol

from quotary_enclave.worker.errors import RefusalError, WorkerReason

__all__ = ["Entries", "Memory", "full"]

_OVERHEAD: Final = 512
"""Bytes of an entry besides its content: the objects, and its place in two collections."""


class Entries(Protocol):
    """Entries by name, each with the last second (Unix time) that it is of use."""

    def get(self, name: bytes) -> bytes | None:
        """The entry called `name`, None where there is none; raises `RefusalError`."""

    def put(self, name: bytes, content: bytes, until: int, now: int) -> None:
        """
        Keep `content` as the entry called `name`, at least until `until`.

        Raises `RefusalError(OVERLOADED)` where at `now` too much is still of use: nothing that is
        may be forgotten.
        """


@dataclass(slots=True)
class Memory:
    """Entries that end with the process, `capacity` bytes in all. Not safe across threads."""

    capacity: int
    _entries: dict[bytes, bytes] = field(default_factory=dict)
    _ends: list[tuple[int, bytes]] = field(default_factory=list)
    _used: int = 0

    def get(self, name: bytes) -> bytes | None:
        """The entry called `name`, None where there is none."""
        return self._entries.get(name)

    def put(self, name: bytes, content: bytes, until: int, now: int) -> None:
        """
        Keep `content` as the entry called `name`, whose `until` never changes.

        Raises `RefusalError(OVERLOADED)`.
        """
        while self._ends and self._ends[0][0] < now:
            _, ended = heapq.heappop(self._ends)
            self._used -= _OVERHEAD + len(self._entries.pop(ended))
        before = self._entries.get(name)
        more = len(content) + _OVERHEAD if before is None else len(content) - len(before)
        if self._used + more > self.capacity:
            raise full(len(self._entries))
        if before is None:
            heapq.heappush(self._ends, (until, name))
        self._entries[name] = content
        self._used += more


def full(count: int) -> RefusalError:
    """The refusal where `count` answers leave no room for another one."""
    return RefusalError(
        WorkerReason.OVERLOADED, f"{count} answers are kept until their requests end", 503
    )
