"""A bounded memory of what was proven, by the exact bytes it was proven of."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

__all__ = ["Memory"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Memory(Generic[K, V]):
    """
    The `capacity` values used last, each under a key that determines it.

    Safe for threads. What it forgets is proven again; a capacity of zero remembers nothing. Put
    nothing in that was not proven, and nothing whose proof needs more than the key and the owner.
    """

    __slots__ = ("_capacity", "_entries", "_lock")

    def __init__(self, capacity: int) -> None:
        """Remember nothing yet; raises `ValueError` for a negative `capacity`."""
        if capacity < 0:
            raise ValueError("a memory cannot have a negative capacity")
        self._capacity = capacity
        self._entries: OrderedDict[K, V] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """How many values are remembered."""
        return len(self._entries)

    @property
    def capacity(self) -> int:
        """How many values are remembered at most."""
        return self._capacity

    def recall(self, key: K) -> V | None:
        """Return what is remembered under `key`, or None."""
        value = self._entries.get(key)
        if value is not None:
            # Each call is atomic by itself; the lock would take longer than both.
            try:  # noqa: SIM105 - `suppress` takes as long again
                self._entries.move_to_end(key)
            except KeyError:  # another thread forgot it in between
                pass
        return value

    def remember(self, key: K, value: V) -> None:
        """Remember `value`, and forget what was not used for longest when there is no room."""
        if self._capacity == 0:
            return
        with self._lock:
            self._entries[key] = value
            self._entries.move_to_end(key)
            if len(self._entries) > self._capacity:
                self._entries.popitem(last=False)

    def forget(self) -> None:
        """Forget everything."""
        with self._lock:
            self._entries.clear()
