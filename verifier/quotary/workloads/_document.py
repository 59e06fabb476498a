"""
JSON documents of other people's protocols: strict syntax, typed access, unknown fields ignored.

Unlike Intel's collateral these documents grow fields; a signature or a hash covers all of them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from quotary.collateral._json import repeated_key
from quotary.errors import ParseError, Reason
from quotary.workloads._depth import FEW_OPENINGS, nests_deeper_than, openings

__all__ = [
    "MAX_DOCUMENT_BYTES",
    "Document",
    "parse_json",
    "read_hex",
]

MAX_DOCUMENT_BYTES: Final = 8 * 1024 * 1024
"""Genuine reports stay below 2 MB even with GPU evidence of eight devices."""
_MAX_DEPTH: Final = 64
"""Genuine documents nest below ten levels; bounds every later recursion over them."""
_HEX: Final = re.compile(r"(?:[0-9a-fA-F]{2})*+")  # possessive: nothing is kept to go back to
_SHOWN: Final = 80
_CHARACTERS_PER_OPENING: Final = 8
"""The most crowded genuine documents, event logs, have a hundred; a flood costs milliseconds."""


def parse_json(data: bytes | str, item: str) -> Any:  # noqa: ANN401 - JSON is any of its types
    """
    Parse strict JSON: UTF-8, each key once, no NaN, bounded size and depth.

    Raises `ParseError`.
    """
    if len(data) > MAX_DOCUMENT_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            item,
            expected=f"at most {MAX_DOCUMENT_BYTES} bytes",
            found=str(len(data)),
        )
    try:
        text = data if isinstance(data, str) else data.decode("utf-8")
    except ValueError as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="UTF-8") from error
    _require_sparse(text, item)
    if nests_deeper_than(text, _MAX_DEPTH):
        raise ParseError(Reason.JSON_INVALID, item, expected=f"at most {_MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except ParseError as error:
        raise ParseError(error.reason, item, expected=error.expected, found=error.found) from error
    except ValueError as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="strict JSON") from error
    return value


def _require_sparse(text: str, item: str) -> None:
    opened = openings(text)
    if opened > FEW_OPENINGS and opened * _CHARACTERS_PER_OPENING > len(text):
        raise ParseError(
            Reason.JSON_INVALID,
            item,
            expected=f"at most one bracket in {_CHARACTERS_PER_OPENING} characters",
            found=f"{opened} in {len(text)}",
        )


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        found = ascii(repeated_key(pairs))[:_SHOWN]
        raise ParseError(Reason.JSON_DUPLICATE_KEY, "JSON", expected="each key once", found=found)
    return result


def _refuse_constant(name: str) -> NoReturn:
    raise ParseError(Reason.JSON_INVALID, "JSON", expected="finite numbers", found=name)


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_refuse_constant)


def read_hex(value: object, item: str, length: int | None = None) -> bytes:
    """Return the bytes of a hex text of either case, without `0x`; raises `ParseError`."""
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise ParseError(Reason.SCHEMA_INVALID, item, expected="hex", found=_shown(value))
    if length is not None and len(value) != 2 * length:
        raise ParseError(
            Reason.SCHEMA_INVALID, item, expected=f"{length} bytes in hex", found=_shown(value)
        )
    return bytes.fromhex(value)


def _shown(value: object) -> str:
    return ascii(value)[:_SHOWN]


class Document:
    """One JSON object and its name in errors. Every reader raises `ParseError` for another type."""

    __slots__ = ("_item", "_values")

    def __init__(self, value: object, item: str) -> None:
        """Read `value`, which must be an object."""
        if not isinstance(value, dict):
            raise ParseError(
                Reason.SCHEMA_INVALID, item, expected="an object", found=type(value).__name__
            )
        self._values: dict[str, Any] = value
        self._item = item

    @classmethod
    def parse(cls, data: bytes | str, item: str) -> Document:
        """Parse a JSON object."""
        return cls(parse_json(data, item), item)

    @property
    def values(self) -> Mapping[str, Any]:
        """The object as it was sent."""
        return self._values

    def has(self, name: str) -> bool:
        """Whether the field is there and not null."""
        return self._values.get(name) is not None

    def text(self, name: str) -> str:
        """A text."""
        value = self._values.get(name)
        if not isinstance(value, str):
            raise self.invalid(name, "a text")
        return value

    def text_or_none(self, name: str) -> str | None:
        """A text, or None where the field is absent or null."""
        return self.text(name) if self.has(name) else None

    def octets(self, name: str, length: int | None = None) -> bytes:
        """Bytes in hex."""
        return read_hex(self._values.get(name), f"{self._item}.{name}", length)

    def number(self, name: str, limit: int) -> int:
        """An integer between 0 and `limit`; true and false are none."""
        value = self._values.get(name)
        if type(value) is not int or not 0 <= value <= limit:
            raise self.invalid(name, f"an integer from 0 to {limit}")
        return value

    def flag(self, name: str) -> bool:
        """True or false."""
        value = self._values.get(name)
        if not isinstance(value, bool):
            raise self.invalid(name, "true or false")
        return value

    def sequence(self, name: str) -> list[Any]:
        """A list."""
        value = self._values.get(name)
        if not isinstance(value, list):
            raise self.invalid(name, "a list")
        return value

    def inner(self, name: str) -> Document:
        """An object."""
        return Document(self._values.get(name), f"{self._item}.{name}")

    def embedded(self, name: str) -> Any:  # noqa: ANN401 - JSON is any of its types
        """A value that some versions send as JSON and some as JSON inside a text."""
        value = self._values.get(name)
        return parse_json(value, f"{self._item}.{name}") if isinstance(value, str) else value

    def invalid(self, name: str, expected: str) -> ParseError:
        """The error to raise for a field that is not what it must be."""
        return ParseError(
            Reason.SCHEMA_INVALID,
            f"{self._item}.{name}",
            expected=expected,
            found=_shown(self._values.get(name)),
        )
