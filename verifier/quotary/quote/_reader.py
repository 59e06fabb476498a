"""Bounded reading of a quote's little-endian structures."""

from __future__ import annotations

from quotary.errors import ParseError, Reason

__all__ = ["Reader"]


class Reader:
    """Takes bytes from the front of `data`; running out raises `ParseError` with `reason`."""

    __slots__ = ("_data", "_position", "_reason")

    def __init__(self, data: bytes, reason: Reason) -> None:
        """Read `data` from its start."""
        self._data = data
        self._position = 0
        self._reason = reason

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return len(self._data) - self._position

    def take(self, length: int, item: str, reason: Reason | None = None) -> bytes:
        """Return the next `length` bytes."""
        start = self._position
        end = start + length
        if end > len(self._data):
            raise ParseError(
                reason or self._reason,
                item,
                expected=f"{length} bytes",
                found=f"{self.remaining} bytes",
            )
        self._position = end
        return self._data[start:end]

    def number(self, size: int, item: str) -> int:
        """Return the next `size` bytes as an unsigned little-endian integer."""
        return int.from_bytes(self.take(size, item), "little")

    def taken(self) -> bytes:
        """Return all bytes taken so far."""
        return self._data[: self._position]

    def rest(self) -> bytes:
        """Return all bytes left."""
        return self.take(self.remaining, "rest")
