"""Mutants of bytes: evidence that was good until something happened to it on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.differential.judges import Case

__all__ = ["Good", "mutate_bytes", "mutate_evidence"]

_COLLATERAL_WEIGHT = 0.45
_WHOLE_TEXT_WEIGHT = 0.1
_INTERESTING = (b"\0", b"\xff", b"\x7f", b"\x80", b" ", b"\n", b'"', b"0", b"30", b"-----")


@dataclass(frozen=True, slots=True)
class Good:
    """Evidence to start from; `origin` is genuine or simulated."""

    origin: str
    name: str
    quote: bytes
    collateral: dict[str, str]
    root_der: bytes
    at: int


def mutate_evidence(rng: Random, good: Good) -> Case:
    """Change the quote's bytes, or the text of one part of the collateral."""
    quote, collateral = good.quote, json.dumps(good.collateral)
    if rng.random() >= _COLLATERAL_WEIGHT:
        quote, what = _mutate_some(rng, quote)
        changes = tuple(f"quote: {each}" for each in what)
    elif rng.random() < _WHOLE_TEXT_WEIGHT:
        content, what = _mutate_some(rng, collateral.encode())
        collateral = content.decode("utf-8", "replace")
        changes = tuple(f"collateral: {each}" for each in what)
    else:
        part = rng.choice(sorted(good.collateral))
        content, what = _mutate_some(rng, good.collateral[part].encode())
        parts = {**good.collateral, part: content.decode("utf-8", "replace")}
        collateral = json.dumps(parts)
        changes = tuple(f"{part}: {each}" for each in what)
    return Case(
        category=f"bytes of {good.origin} evidence",
        changes=(good.name, *changes),
        quote=quote,
        collateral=collateral,
        root_der=good.root_der,
        at=good.at,
    )


def _mutate_some(rng: Random, data: bytes) -> tuple[bytes, list[str]]:
    what = []
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        data, name = mutate_bytes(rng, data)
        what.append(name)
    return data, what


def mutate_bytes(rng: Random, data: bytes) -> tuple[bytes, str]:
    """`data` with one change, and the change's name with the place."""
    change = rng.choice(_CHANGES)
    position = rng.randrange(len(data) + 1)
    return change(rng, data, position), f"{change.__name__.strip('_')} at {position}"


def _flip(rng: Random, data: bytes, at: int) -> bytes:
    if at == len(data):
        return data
    return data[:at] + bytes((data[at] ^ 1 << rng.randrange(8),)) + data[at + 1 :]


def _overwrite(rng: Random, data: bytes, at: int) -> bytes:
    new = rng.choice((rng.randbytes(rng.choice((1, 2, 4, 16))), rng.choice(_INTERESTING)))
    return data[:at] + new + data[at + len(new) :]


def _insert(rng: Random, data: bytes, at: int) -> bytes:
    return data[:at] + rng.choice((rng.randbytes(1), rng.choice(_INTERESTING))) + data[at:]


def _delete(rng: Random, data: bytes, at: int) -> bytes:
    return data[:at] + data[at + rng.choice((1, 1, 2, 16, 64)) :]


def _repeat(rng: Random, data: bytes, at: int) -> bytes:
    return data[:at] + data[at : at + rng.choice((1, 4, 64, 600))] + data[at:]


def _exchange(rng: Random, data: bytes, at: int) -> bytes:
    length = rng.choice((1, 2, 16, 64))
    return (
        data[:at]
        + data[at + length : at + 2 * length]
        + data[at : at + length]
        + data[at + 2 * length :]
    )


def _cut(_: Random, data: bytes, at: int) -> bytes:
    return data[:at]


def _extend(rng: Random, data: bytes, _: int) -> bytes:
    return data + rng.choice((bytes(rng.randrange(1, 100)), rng.randbytes(4), b"\n", b"A"))


def _adjust(rng: Random, data: bytes, at: int) -> bytes:
    """Make a little-endian word slightly larger or smaller, as lengths and versions are."""
    width = rng.choice((1, 2, 4))
    word = int.from_bytes(data[at : at + width], "little") + rng.choice((-1, 1, -16, 16, 256))
    return data[:at] + (word % (1 << 8 * width)).to_bytes(width, "little") + data[at + width :]


_CHANGES: tuple[Callable[[Random, bytes, int], bytes], ...] = (
    _flip,
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _insert,
    _delete,
    _repeat,
    _exchange,
    _cut,
    _extend,
    _adjust,
)
