"""
Mutations that know a little of what they mutate: bytes, DER elements, JSON values, words.

Deterministic: the same generator and input give the same mutant.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

__all__ = ["mutate"]

_ODD_VALUES: tuple[object, ...] = (
    *(None, True, False, 0, -1, 1, 255, 256, 65536, 1 << 64, 10**400, 0.5, 1e308),
    *("", "0", "00", "\0", "\ud800", "é", "a" * 1000, [], {}, [[]], {"": ""}, [None] * 20),
)
_WORDS = (
    b"\0",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\0\0\0\0",
    b"\xff\xff\xff\xff",
    b"\x01\0",
    b" ",
    b"\n",
)
_MAX_LENGTH = 64 * 1024
_MAX_DEPTH = 12


def mutate(rng: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    """A neighbour of `data`; `others` are inputs to cross with, `tokens` words to insert."""
    for _ in range(rng.choice((1, 1, 2, 3, 5))):
        data = _once(rng, data, others, tokens)
    return data[:_MAX_LENGTH]


def _once(rng: Random, data: bytes, others: Sequence[bytes], tokens: Sequence[bytes]) -> bytes:
    choice = rng.random()
    if choice < 0.35:
        if data[:1] in (b"{", b"["):
            return _json(rng, data)
        if data[:1] == b"\x30":
            return _der(rng, data)
    if choice < 0.45 and others:
        return _cross(rng, data, rng.choice(others))
    if choice < 0.6:
        word = rng.choice((*_WORDS, *tokens))
        at = rng.randrange(len(data) + 1)
        return data[:at] + word + data[at + rng.choice((0, len(word))) :]
    return _bytes(rng, data)


def _bytes(rng: Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    length = min(rng.choice((1, 1, 2, 4, 8, 32, 256)), len(data) - at)
    before, middle, after = data[:at], data[at : at + length], data[at + length :]
    match rng.randrange(6):
        case 0 if middle:
            middle = bytes((middle[0] ^ 1 << rng.randrange(8),)) + middle[1:]
        case 1:
            middle = b""
        case 2:
            middle *= 2
        case 3:
            middle = rng.randbytes(length)
        case 4:
            word = int.from_bytes(middle, "little") + rng.choice((-1, 1, 16))
            middle = (word % (1 << 8 * length)).to_bytes(length, "little")
        case _:
            middle = after = b""
    return before + middle + after


def _cross(rng: Random, data: bytes, other: bytes) -> bytes:
    here, there = rng.randrange(len(data) + 1), rng.randrange(len(other) + 1)
    return data[:here] + other[there:]


def _json(rng: Random, data: bytes) -> bytes:
    """Change one value somewhere inside, also inside a JSON text that is a value."""
    try:
        value = json.loads(data)
        return json.dumps(_changed(rng, value, _MAX_DEPTH)).encode()
    except (ValueError, RecursionError):
        return _bytes(rng, data)


def _changed(rng: Random, value: Any, depth: int) -> Any:
    if depth == 0 or not value or rng.random() < 0.12:
        return rng.choice(_ODD_VALUES)
    match value:
        case dict():
            return _changed_object(rng, value, depth)
        case list():
            return _changed_list(rng, value, depth)
        case str():
            return _changed_text(rng, value, depth)
        case int():
            return value + rng.choice((-1, 1, 256, 1 << 32, -(1 << 40)))
    return rng.choice(_ODD_VALUES)


def _changed_list(rng: Random, value: list[Any], depth: int) -> list[Any]:
    at = rng.randrange(len(value))
    match rng.randrange(4):
        case 0:
            return value[:at] + value[at + 1 :]
        case 1:
            return value[: at + 1] + value[at:]
        case _:
            return [*value[:at], _changed(rng, value[at], depth - 1), *value[at + 1 :]]


def _changed_object(rng: Random, value: dict[str, Any], depth: int) -> dict[str, Any]:
    key = rng.choice(list(value))
    match rng.randrange(6):
        case 0:
            return {name: each for name, each in value.items() if name != key}
        case 1:
            return {**value, rng.choice(("surprise", "", key.upper(), "\0")): value[key]}
        case _:
            return {**value, key: _changed(rng, value[key], depth - 1)}


def _changed_text(rng: Random, text: str, depth: int) -> str:
    if text[0] in "{[" and rng.random() < 0.7:
        try:
            return json.dumps(_changed(rng, json.loads(text), depth - 1))
        except (ValueError, RecursionError):
            return text[1:]
    return _bytes(rng, text.encode("utf-8", "surrogatepass")).decode("utf-8", "replace")


def _der(rng: Random, data: bytes) -> bytes:
    """Change one element and make the lengths around it right again."""
    try:
        return _rebuilt(rng, data, _MAX_DEPTH)
    except (IndexError, ValueError, OverflowError):
        return _bytes(rng, data)


def _rebuilt(rng: Random, data: bytes, depth: int) -> bytes:
    elements = _elements(data)
    at = rng.randrange(len(elements))
    tag, content = elements[at]
    constructed = bool(tag & 0x20) and content
    if constructed and depth and rng.random() < 0.85:
        elements[at] = (tag, _rebuilt(rng, content, depth - 1))
    else:
        match rng.randrange(6):
            case 0:
                del elements[at]
            case 1:
                elements.insert(at, elements[at])
            case 2:
                elements[at] = (rng.randrange(256), content)
            case 3:
                elements[at] = (tag, rng.randbytes(rng.choice((0, 1, 2, 8, 20, 21, 40))))
            case _:
                elements[at] = (tag, _bytes(rng, content))
    return b"".join(_encoded(tag, content) for tag, content in elements)


def _elements(data: bytes) -> list[tuple[int, bytes]]:
    elements = []
    while data:
        length, start = data[1], 2
        if length & 0x80:
            start += length & 0x7F
            length = int.from_bytes(data[2:start])
        if start + length > len(data):
            raise ValueError("an element that ends outside")
        elements.append((data[0], data[start : start + length]))
        data = data[start + length :]
    return elements


def _encoded(tag: int, content: bytes) -> bytes:
    length = len(content)
    if length < 0x80:
        return bytes((tag, length)) + content
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size) + content
