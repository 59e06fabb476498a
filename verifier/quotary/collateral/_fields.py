"""Typed access to JSON objects under a schema: every field is read once, and none is left over."""

from __future__ import annotations

import re
import reprlib
from collections.abc import Iterator
from datetime import datetime
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeVar

from quotary.errors import ParseError, Reason

__all__ = ["Fields", "Rows", "seconds_of"]

_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_MAX_TIME: Final = 253_402_300_799
"""The last second of the year 9999, UTC: later ones cannot be written in a journal."""

_ABSENT: Final = object()

T = TypeVar("T")


@lru_cache(maxsize=1024)
def seconds_of(text: str) -> int:
    """Convert a time, or raise `ValueError`; remembered, as levels share their dates."""
    match = _TIME.fullmatch(text)
    if match is None:
        raise ValueError("a time like 2025-01-31T12:00:00Z")
    try:
        moment = datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00"))
        seconds = int(moment.timestamp())
    except ValueError as error:
        raise ValueError("a time of the calendar") from error
    if not 0 <= seconds <= _MAX_TIME:
        raise ValueError("a time of the years 1970 to 9999, in UTC")
    return seconds


class Fields:
    """One JSON object."""

    __slots__ = ("_item", "_left")

    _left: dict[str, Any]

    def __init__(self, value: object, item: str) -> None:
        """Read `value`, which must be an object, and empty it; `item` names it in errors."""
        if not isinstance(value, dict):
            raise _refusal(item, value, "an object")
        self._left = value
        self._item = item

    def __contains__(self, name: str) -> bool:
        """Whether the field is there and unread."""
        return name in self._left

    def text(self, name: str) -> str:
        """Read a text of printable ASCII."""
        value = self._left.pop(name, _ABSENT)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise self._invalid(name, value, "printable ASCII text")
        return value

    def number(self, name: str, limit: int) -> int:
        """Read an integer between 0 and `limit`; true and false are none."""
        value = self._left.pop(name, _ABSENT)
        if type(value) is not int or not 0 <= value <= limit:
            raise self._invalid(name, value, f"an integer from 0 to {limit}")
        return value

    def octets(self, name: str, length: int) -> bytes:
        """Read `length` bytes in hex of either case."""
        value = self._left.pop(name, _ABSENT)
        try:
            octets = bytes.fromhex(value)
        except (TypeError, ValueError):
            octets = b""
        # White space, which `fromhex` passes over, leaves too few bytes for the length of the text.
        if len(octets) != length or len(value) != 2 * length:
            raise self._invalid(name, value, f"{length} bytes in hex")
        return octets

    def time(self, name: str) -> int:
        """Read an RFC 3339 time that journals can state, from 1970 on; returns Unix seconds."""
        value = self._left.pop(name, _ABSENT)
        if not isinstance(value, str):
            raise self._invalid(name, value, "a time like 2025-01-31T12:00:00Z")
        try:
            return seconds_of(value)
        except ValueError as error:
            raise self._invalid(name, value, str(error)) from error

    def child(self, name: str, item: str) -> Fields:
        """Read an object."""
        value = self._left.pop(name, _ABSENT)
        if value is _ABSENT:
            raise self._invalid(name, value, "an object")
        return Fields(value, item)

    def children(self, name: str, item: str) -> Iterator[Fields]:
        """Read a list of objects one by one."""
        for value in self._list(name):
            yield Fields(value, item)

    def rows(self, name: str, item: str) -> Rows:
        """Read a list of objects of one form, not empty."""
        values = self._list(name)
        if not values:
            raise self._invalid(name, values, "a list with entries")
        return Rows(values, item)

    def finish(self) -> None:
        """Raise when a field was not read: what is not understood may matter."""
        if self._left:
            raise _unknown(self._item, next(iter(self._left)))

    def _list(self, name: str) -> list[Any]:
        value = self._left.pop(name, _ABSENT)
        if not isinstance(value, list):
            raise self._invalid(name, value, "a list")
        return value

    def _invalid(self, name: str, value: object, expected: str) -> ParseError:
        return _refusal(f"{self._item}.{name}", value, expected)


class Rows:
    """
    JSON objects of one form, read column by column: each check is made of all of them at once.

    Levels are so many, and so alike, that reading them one by one takes most of the time.
    """

    __slots__ = ("_item", "_names", "_rows")

    def __init__(self, rows: list[Any], item: str) -> None:
        """Read `rows`, which must be objects; `item` names each of them in errors."""
        if {*map(type, rows)} != {dict}:
            raise _refusal(item, _other(rows, dict), "an object")
        self._rows = rows
        self._names: set[str] = set()
        self._item = item

    def __contains__(self, name: str) -> bool:
        """Whether all have the field."""
        return all(name in row for row in self._rows)

    def texts(self, name: str) -> list[str]:
        """Read texts of printable ASCII."""
        values = self._column(name, str, "printable ASCII text")
        text = "".join(values)
        if not text.isascii() or not text.isprintable():
            raise self._invalid(name, text, "printable ASCII text")
        return values

    def numbers(self, name: str, limit: int) -> list[int]:
        """Read integers between 0 and `limit`; true and false are none."""
        expected = f"an integer from 0 to {limit}"
        values = self._column(name, int, expected)
        least, most = min(values), max(values)
        if least < 0 or most > limit:
            raise self._invalid(name, least if least < 0 else most, expected)
        return values

    def times(self, name: str) -> list[int]:
        """Read RFC 3339 times as `Fields.time` does; returns Unix seconds."""
        values = self._column(name, str, "a time like 2025-01-31T12:00:00Z")
        seconds = []
        for value in values:
            try:
                seconds.append(seconds_of(value))
            except ValueError as error:
                raise self._invalid(name, value, str(error)) from error
        return seconds

    def lists(self, name: str, *, optional: bool = False) -> list[list[Any]]:
        """Read lists of whatever; an `optional` one is empty where there is no such field."""
        if optional:
            for row in self._rows:
                if name not in row:
                    row[name] = []
        return self._column(name, list, "a list")

    def joined(self, lists: list[list[Any]]) -> Rows:
        """Read lists out of these rows as one list of objects."""
        return Rows([*chain.from_iterable(lists)], self._item)

    def children(self, name: str, item: str) -> Rows:
        """Read an object of each row."""
        return Rows(self._column(name, dict, "an object"), item)

    def finish(self) -> None:
        """Raise when a field was not read: what is not understood may matter."""
        unknown = set().union(*self._rows) - self._names
        if unknown:
            raise _unknown(self._item, min(unknown))

    def _column(self, name: str, kind: type[T], expected: str) -> list[T]:
        self._names.add(name)
        try:
            values = [*map(itemgetter(name), self._rows)]
        except KeyError:
            raise self._invalid(name, _ABSENT, expected) from None
        # By exact type: a bool is an int.
        if {*map(type, values)} != {kind}:
            raise self._invalid(name, _other(values, kind), expected)
        return values

    def _invalid(self, name: str, value: object, expected: str) -> ParseError:
        return _refusal(f"{self._item}.{name}", value, expected)


def _other(values: list[Any], kind: type[object]) -> object:
    """Return the first of `values` that is of another kind."""
    return next((value for value in values if type(value) is not kind), _ABSENT)


def _unknown(item: str, name: str) -> ParseError:
    return ParseError(
        Reason.SCHEMA_UNKNOWN_FIELD, item, expected="known fields only", found=ascii(name)[:80]
    )


def _refusal(item: str, value: object, expected: str) -> ParseError:
    if value is _ABSENT:
        expected, found = "the field", "no such field"
    else:
        found = ascii(value[:80]) if isinstance(value, str) else ascii(reprlib.repr(value))[1:-1]
    return ParseError(Reason.SCHEMA_INVALID, item, expected=expected, found=found)
