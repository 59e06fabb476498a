"""Strict JSON over the bytes as they were signed, and typed access to its fields."""

from __future__ import annotations

import json
import re
import reprlib
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, NoReturn

from quotary.errors import ParseError, Reason

__all__ = ["MAX_DEPTH", "Fields", "member_slices", "parse_object"]

MAX_DEPTH: Final = 32
"""Intel's own limit; genuine documents have six levels, and the schemas accept no more."""

_SAFE_OPENINGS: Final = 1000
"""So many brackets cannot overrun the C stack of the standard library's scanner, however nested.
The interpreter's recursion limit is no such bound: callers may raise it."""

# All but the brackets outside of texts. A text that does not end counts up to the end of the
# document, which keeps the search linear.
_NO_BRACKETS: Final = re.compile(r'(?:"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^\[\]{}"]+)+', re.DOTALL)
_WHITE: Final = re.compile(r"[ \t\n\r]*")
_TIME: Final = re.compile(
    r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)", re.ASCII
)
_MAX_TIME: Final = 253_402_300_799
"""The last second of the year 9999, UTC: later ones cannot be written in a journal."""


def parse_object(text: str, item: str) -> dict[str, Any]:
    """
    Parse one JSON object that is all of `text`; raises `ParseError`.

    No duplicate keys, floats, NaN or infinities; floods of brackets nest at most `MAX_DEPTH` deep.
    """
    _require_shallow(text, item)
    try:
        value = _DECODER.decode(text)
    except ParseError as error:
        raise ParseError(error.reason, item, expected=error.expected, found=error.found) from error
    except (ValueError, RecursionError) as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="strict JSON") from error
    if not isinstance(value, dict):
        raise ParseError(Reason.JSON_INVALID, item, expected="an object")
    return value


def _require_shallow(text: str, item: str) -> None:
    """Raise `ParseError` when there are brackets enough to be dangerous, and they nest too deep."""
    if text.count("{") + text.count("[") <= _SAFE_OPENINGS:
        return
    brackets = _NO_BRACKETS.sub("", text)
    for _ in range(MAX_DEPTH):
        if not brackets:
            return
        brackets = brackets.replace("{}", "").replace("[]", "")
    if brackets:
        raise ParseError(
            Reason.JSON_INVALID, item, expected=f"balanced brackets, {MAX_DEPTH} levels at most"
        )


def member_slices(text: str, item: str) -> dict[str, str]:
    """
    Return the members of the JSON object `text`, each value as the very text it was sent as.

    Signatures are over these characters, so they are sliced, never written anew.
    """
    parse_object(text, item)
    members = {}
    position = _skip(text, _skip(text, 0) + 1)
    while text[position] != "}":
        key, position = _DECODER.raw_decode(text, position)
        position = _skip(text, _skip(text, position) + 1)
        _, end = _DECODER.raw_decode(text, position)
        members[key] = text[position:end]
        position = _skip(text, end)
        if text[position] == ",":
            position = _skip(text, position + 1)
    return members


def _skip(text: str, position: int) -> int:
    match = _WHITE.match(text, position)
    return position if match is None else match.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for index, key in enumerate(keys) if key in keys[:index])
        raise ParseError(
            Reason.JSON_DUPLICATE_KEY, "JSON", expected="each key once", found=ascii(twice)[:80]
        )
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(Reason.JSON_INVALID, "JSON", expected="no floating point", found=name[:40])


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_refuse_constant
)


@lru_cache(maxsize=1024)
def _seconds(text: str) -> int | None:
    """Convert a time, None when it has another form; remembered, as levels share their dates."""
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    moment = datetime.fromisoformat(match[1] + match[2].replace("Z", "+00:00"))
    return int(moment.timestamp())


class Fields:
    """One JSON object under a schema: each field is read once, what is left over is refused."""

    __slots__ = ("_item", "_left")

    def __init__(self, value: object, item: str) -> None:
        """Read `value`, which must be an object; `item` names it in errors."""
        if not isinstance(value, dict):
            raise ParseError(Reason.SCHEMA_INVALID, item, expected="an object", found=_shown(value))
        self._left = dict(value)
        self._item = item

    def __contains__(self, name: str) -> bool:
        """Whether the field is there and unread."""
        return name in self._left

    def text(self, name: str) -> str:
        """Read a text of printable ASCII."""
        value = self._take(name)
        if not isinstance(value, str) or not value.isascii() or not value.isprintable():
            raise self._invalid(name, "printable ASCII text", value)
        return value

    def number(self, name: str, limit: int) -> int:
        """Read an integer between 0 and `limit`; true and false are none."""
        value = self._take(name)
        if type(value) is not int or not 0 <= value <= limit:
            raise self._invalid(name, f"an integer from 0 to {limit}", value)
        return value

    def octets(self, name: str, length: int) -> bytes:
        """Read `length` bytes in hex of either case."""
        value = self._take(name)
        digits = value if isinstance(value, str) else ""
        try:
            octets = bytes.fromhex(digits)
        except ValueError:
            octets = b""
        # White space, which `fromhex` passes over, leaves too few bytes for the length of the text.
        if len(octets) != length or len(digits) != 2 * length:
            raise self._invalid(name, f"{length} bytes in hex", value)
        return octets

    def time(self, name: str) -> int:
        """Read an RFC 3339 time that journals can state, from 1970 on; returns Unix seconds."""
        value = self._take(name)
        try:
            seconds = _seconds(value) if isinstance(value, str) else None
        except ValueError as error:
            raise self._invalid(name, "a time of the calendar", value) from error
        if seconds is None:
            raise self._invalid(name, "a time like 2025-01-31T12:00:00Z", value)
        if not 0 <= seconds <= _MAX_TIME:
            raise self._invalid(name, "a time of the years 1970 to 9999, in UTC", value)
        return seconds

    def sequence(self, name: str, *, empty: bool = False) -> list[Any]:
        """Read a list, not empty unless `empty`."""
        value = self._take(name)
        if not isinstance(value, list) or not (value or empty):
            raise self._invalid(name, "a list" if empty else "a list with entries", value)
        return value

    def value(self, name: str) -> object:
        """Read a field of any form."""
        return self._take(name)

    def finish(self) -> None:
        """Raise when a field was not read: what is not understood may matter."""
        if self._left:
            raise ParseError(
                Reason.SCHEMA_UNKNOWN_FIELD,
                self._item,
                expected="known fields only",
                found=ascii(next(iter(self._left)))[:80],
            )

    def _take(self, name: str) -> object:
        try:
            return self._left.pop(name)
        except KeyError:
            raise ParseError(
                Reason.SCHEMA_INVALID,
                f"{self._item}.{name}",
                expected="the field",
                found="no such field",
            ) from None

    def _invalid(self, name: str, expected: str, value: object) -> ParseError:
        item = f"{self._item}.{name}"
        return ParseError(Reason.SCHEMA_INVALID, item, expected=expected, found=_shown(value))


def _shown(value: object) -> str:
    """Return the beginning of a value, however large it is, in printable ASCII."""
    return ascii(value[:80]) if isinstance(value, str) else ascii(reprlib.repr(value))[1:-1]
