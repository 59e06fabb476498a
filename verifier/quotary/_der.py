"""
A minimal reader for strict DER.

What is not the one canonical encoding is refused: indefinite or longer-than-needed lengths, padded
integers, multi-byte tags, bytes left over. Slices of the original bytes are kept, never re-encoded,
because signatures are over the bytes as they were sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from quotary.errors import ParseError, Reason

__all__ = [
    "BIT_STRING",
    "BOOLEAN",
    "ENUMERATED",
    "GENERALIZED_TIME",
    "INTEGER",
    "OBJECT_ID",
    "OCTET_STRING",
    "PRINTABLE_STRING",
    "SEQUENCE",
    "SET",
    "UTC_TIME",
    "UTF8_STRING",
    "DerReader",
]

BOOLEAN: Final = 0x01
INTEGER: Final = 0x02
BIT_STRING: Final = 0x03
OCTET_STRING: Final = 0x04
OBJECT_ID: Final = 0x06
ENUMERATED: Final = 0x0A
UTF8_STRING: Final = 0x0C
PRINTABLE_STRING: Final = 0x13
UTC_TIME: Final = 0x17
GENERALIZED_TIME: Final = 0x18
SEQUENCE: Final = 0x30
SET: Final = 0x31

_TOP_BIT: Final = 0x80
_ALL_BITS: Final = 0xFF
_MAX_LENGTH_BYTES: Final = 3


class DerReader:
    """Reads elements from the front of `data`; raises `ParseError` on anything else."""

    __slots__ = ("_data", "_end", "_item", "_position")

    def __init__(self, data: bytes, item: str, start: int = 0, end: int | None = None) -> None:
        """Read `data[start:end]`; `item` names it in errors."""
        self._data = data
        self._item = item
        self._position = start
        self._end = len(data) if end is None else end

    @property
    def at_end(self) -> bool:
        """Whether all bytes were read."""
        return self._position == self._end

    def next_tag(self) -> int:
        """Return the next element's tag without reading it; -1 at the end."""
        return -1 if self._position == self._end else self._data[self._position]

    def enter(self, tag: int) -> DerReader:
        """Read one element with `tag` and return a reader of its content."""
        start = self._element(tag)
        return DerReader(self._data, self._item, start, self._position)

    def content(self, tag: int) -> bytes:
        """Read one element with `tag` and return its content."""
        start = self._element(tag)
        return self._data[start : self._position]

    def whole(self, tag: int) -> bytes:
        """Read one element with `tag` and return it with tag and length."""
        first = self._position
        self._element(tag)
        return self._data[first : self._position]

    def each(self, tag: int) -> Iterator[bytes]:
        """Read elements with `tag` until the end, and yield the content of each."""
        data, end = self._data, self._end
        while (position := self._position) < end:
            start = position + 2
            # The short form of a length, by far the most frequent, is read in place.
            if start <= end and data[position] == tag and data[position + 1] < _TOP_BIT:
                self._position = start + data[position + 1]
                if self._position > end:
                    self._position = position
                    raise self._bad("an element that ends inside its parent")
                yield data[start : self._position]
            else:
                yield self.content(tag)

    def rest(self) -> bytes:
        """Return all bytes left."""
        start, self._position = self._position, self._end
        return self._data[start : self._end]

    def integer(self, tag: int = INTEGER) -> int:
        """Read one minimally encoded integer, of either sign."""
        content = self.content(tag)
        if not content:
            raise self._bad("an integer with content")
        if len(content) > 1 and (
            (content[0] == 0x00 and not content[1] & _TOP_BIT)
            or (content[0] == _ALL_BITS and content[1] & _TOP_BIT)
        ):
            raise self._bad("a minimal integer")
        return int.from_bytes(content, signed=True)

    def boolean(self) -> bool:
        """Read one boolean: 0x00 or 0xFF."""
        content = self.content(BOOLEAN)
        if content not in (b"\x00", b"\xff"):
            raise self._bad("a boolean of 0x00 or 0xff")
        return content == b"\xff"

    def bits(self) -> bytes:
        """Read one bit string of whole bytes."""
        content = self.content(BIT_STRING)
        if content[:1] != b"\x00":
            raise self._bad("a bit string of whole bytes")
        return content[1:]

    def finish(self) -> None:
        """Raise unless all bytes were read."""
        if self._position != self._end:
            raise self._bad("nothing more")

    def _element(self, tag: int) -> int:
        """Pass over one element and return where its content starts."""
        data, position, limit = self._data, self._position, self._end
        start = position + 2
        if start > limit or data[position] != tag:
            raise self._bad(f"tag {tag:#04x}")
        length = data[position + 1]
        if length >= _TOP_BIT:
            size = length ^ _TOP_BIT
            if not 1 <= size <= _MAX_LENGTH_BYTES or start + size > limit:
                raise self._bad("a definite length of at most three bytes")
            length = int.from_bytes(data[start : start + size])
            if length < _TOP_BIT or length >> (8 * (size - 1)) == 0:
                raise self._bad("the shortest form of a length")
            start += size
        end = start + length
        if end > limit:
            raise self._bad("an element that ends inside its parent")
        self._position = end
        return start

    def _bad(self, expected: str) -> ParseError:
        return ParseError(
            Reason.DER_NONCANONICAL,
            self._item,
            expected=f"{expected} at offset {self._position}",
        )
