"""A writer for the few DER types the SGX certificate extension is made of (X.690)."""

from __future__ import annotations

from typing import Final

__all__ = ["boolean", "enumerated", "integer", "object_id", "octets", "sequence", "tlv"]


_LONG_LENGTH: Final = 0x80
"""Lengths from here on are preceded by the number of their octets."""


def tlv(tag: int, content: bytes) -> bytes:
    """One element: tag, minimal definite length, content."""
    size = len(content)
    if size < _LONG_LENGTH:
        return bytes((tag, size)) + content
    length = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes((tag, _LONG_LENGTH | len(length))) + length + content


def sequence(*elements: bytes) -> bytes:
    """A SEQUENCE of elements that are already encoded."""
    return tlv(0x30, b"".join(elements))


def octets(content: bytes) -> bytes:
    """An OCTET STRING."""
    return tlv(0x04, content)


def integer(value: int) -> bytes:
    """An INTEGER in the fewest two's complement octets."""
    return tlv(0x02, _twos_complement(value))


def enumerated(value: int) -> bytes:
    """An ENUMERATED value."""
    return tlv(0x0A, _twos_complement(value))


def boolean(*, value: bool) -> bytes:
    """A BOOLEAN; DER knows only 0xFF for true."""
    return tlv(0x01, b"\xff" if value else b"\x00")


def object_id(dotted: str) -> bytes:
    """An OBJECT IDENTIFIER from its dotted form."""
    first, second, *rest = (int(arc) for arc in dotted.split("."))
    return tlv(0x06, b"".join(_base128(arc) for arc in (40 * first + second, *rest)))


def _twos_complement(value: int) -> bytes:
    magnitude = value if value >= 0 else ~value
    return value.to_bytes(magnitude.bit_length() // 8 + 1, "big", signed=True)


def _base128(arc: int) -> bytes:
    groups = [arc & 0x7F]
    while arc := arc >> 7:
        groups.append(0x80 | (arc & 0x7F))
    return bytes(reversed(groups))
