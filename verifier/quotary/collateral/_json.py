"""Strict JSON over the bytes as they were signed."""

from __future__ import annotations

import json
import re
from typing import Any, Final, NoReturn

from quotary.errors import ParseError, Reason

__all__ = [
    "MAX_DEPTH",
    "member_slices",
    "parse_object",
    "repeated_key",
    "require_shallow",
]

MAX_DEPTH: Final = 32
"""Intel's own limit; genuine documents have six levels, and the schemas accept no more."""

_SAFE_OPENINGS: Final = 1000
"""So many brackets cannot overrun the C stack of the standard library's scanner, however nested.
The interpreter's recursion limit is no such bound: callers may raise it."""

_MOST_OPENINGS: Final = 4096
"""Genuine documents have up to about 800; a flood of them takes milliseconds to refuse."""

# All but the brackets outside of texts. A text that does not end counts up to the end of the
# document, which keeps the search linear.
_NO_BRACKETS: Final = re.compile(r'(?:"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[^\[\]{}"]+)+', re.DOTALL)
_WHITE: Final = re.compile(r"[ \t\n\r]*")


def parse_object(text: str, item: str) -> dict[str, Any]:
    """
    Parse one JSON object that is all of `text`; raises `ParseError`.

    No duplicate keys, floats, NaN or infinities, no floods of brackets, nor many nested deeper than
    `MAX_DEPTH`.
    """
    require_shallow(text, item)
    try:
        value = _DECODER.decode(text)
    except ParseError as error:
        raise ParseError(error.reason, item, expected=error.expected, found=error.found) from error
    except (ValueError, RecursionError) as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="strict JSON") from error
    if not isinstance(value, dict):
        raise ParseError(Reason.JSON_INVALID, item, expected="an object")
    return value


def require_shallow(text: str, item: str) -> None:
    """Raise `ParseError` for more brackets than any document has, or too deeply nested ones."""
    openings = text.count("{") + text.count("[")
    if openings <= _SAFE_OPENINGS:
        return
    if openings > _MOST_OPENINGS:
        raise ParseError(
            Reason.JSON_INVALID,
            item,
            expected=f"at most {_MOST_OPENINGS} objects and lists",
            found=str(openings),
        )
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
        found = ascii(repeated_key(pairs))[:80]
        raise ParseError(Reason.JSON_DUPLICATE_KEY, "JSON", expected="each key once", found=found)
    return result


def repeated_key(pairs: list[tuple[str, Any]]) -> str:
    """Return the first key that was there before, in linear time; there must be one."""
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            break
        seen.add(key)
    return key


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(Reason.JSON_INVALID, "JSON", expected="no floating point", found=name[:40])


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_refuse_constant
)
