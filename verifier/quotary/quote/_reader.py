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
        if length > self.remaining:
            raise ParseError(
                reason or self._reason,
                item,
                expected=f"{length} bytes",
                found=f"{self.remaining} bytes",
            )
        start = self._position
        self._position = start + length
        return self._data[start : start + length]

    def number(self, size: int, item: str) -> int:
        """Return the next `size` bytes as an unsigned little-endian integer."""
        return int.from_bytes(self.take(size, item), "little")

    def rest(self) -> bytes:
        """Return all bytes left."""
        return self.take(self.remaining, "rest")
