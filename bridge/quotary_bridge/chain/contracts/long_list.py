"""
Taking a revocation list apart that is too long for one transaction.

The store puts it together again, byte for byte, and verifies the issuer's signature over the whole.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

__all__ = ["MAX_ENTRIES", "LongList"]

MAX_ENTRIES = 1_200
"""Longer lists go in parts: what one account's code can keep (EIP-170)."""

_SERIAL_BYTES = 20
_SERIALS_PER_PART = 1_228
_MAX_PARTS = 12
_LONG_FORM = 0x80


@dataclass(frozen=True, slots=True)
class LongList:
    """
    A list in pieces.

    `parts` are its serial numbers, ascending, 20 bytes each; `frame` is its DER less its entries,
    which belong at `cut`; `forms` are what follows serial numbers, each once with its length in
    front; `order` says of each entry which serial number and which form it has, two bytes each.
    """

    parts: tuple[bytes, ...]
    frame: bytes
    cut: int
    forms: bytes
    order: bytes

    @classmethod
    def of(cls, der: bytes) -> Self:
        """
        Take a list apart that is known to be well formed.

        Its parts are cut where serial numbers differ in their first bits, so that a list that
        follows shares those parts to which no serial number was added.
        """
        start, stop = _entries_of(der)
        entries = [_entry(der, element) for element in _elements(der, start, stop)]
        serials = sorted({serial for serial, _ in entries})
        forms = sorted({form for _, form in entries})
        places = {serial: place for place, serial in enumerate(serials)}
        shapes = {form: place for place, form in enumerate(forms)}
        return cls(
            parts=tuple(
                b"".join(serial.to_bytes(_SERIAL_BYTES) for serial in part)
                for part in _parts(serials)
            ),
            frame=der[:start] + der[stop:],
            cut=start,
            forms=b"".join(bytes((len(form),)) + form for form in forms),
            order=b"".join(
                places[serial].to_bytes(2) + shapes[form].to_bytes(2) for serial, form in entries
            ),
        )


def _parts(serials: Sequence[int]) -> list[Sequence[int]]:
    found = list(_halved(serials, 0, 8 * _SERIAL_BYTES))
    if len(found) <= _MAX_PARTS:
        return found
    return [
        serials[start : start + _SERIALS_PER_PART]
        for start in range(0, len(serials), _SERIALS_PER_PART)
    ]


def _halved(serials: Sequence[int], low: int, bits: int) -> Iterator[Sequence[int]]:
    """Cut ascending numbers of `[low, low + 2^bits)` in halves of that range until they fit."""
    if len(serials) <= _SERIALS_PER_PART:
        if serials:
            yield serials
        return
    middle = low + (1 << (bits - 1))
    cut = bisect_left(serials, middle)
    yield from _halved(serials[:cut], low, bits - 1)
    yield from _halved(serials[cut:], middle, bits - 1)


def _entry(der: bytes, element: tuple[int, int]) -> tuple[int, bytes]:
    """Serial number and form of one entry."""
    start, stop = element
    first, behind = _content(der, start)
    return int.from_bytes(der[first:behind]), der[behind:stop]


def _entries_of(der: bytes) -> tuple[int, int]:
    """Where the content of `revokedCertificates` is."""
    outer, _ = _content(der, 0)
    body, end = _content(der, outer)
    # Version, algorithm, issuer, thisUpdate, nextUpdate; then the entries (RFC 5280, 5.1).
    fields = list(_elements(der, body, end))
    return fields[5]


def _elements(der: bytes, position: int, end: int) -> Iterator[tuple[int, int]]:
    """The contents of the elements that follow each other."""
    while position < end:
        start, position = _content(der, position)
        yield start, position


def _content(der: bytes, position: int) -> tuple[int, int]:
    """Where the content of the element at `position` begins and ends."""
    length, start = der[position + 1], position + 2
    if length >= _LONG_FORM:
        size = length - _LONG_FORM
        length, start = int.from_bytes(der[start : start + size]), start + size
    return start, start + length
