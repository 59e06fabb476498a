"""
Values of fixed size as the ABI encodes them: one 32-byte word each.

The general encoder of `eth_abi` looks every type up and checks every value; what is only ever
words, and was checked where it came in, needs neither. A test holds both equal.
"""

from __future__ import annotations

from collections.abc import Iterator

__all__ = ["WORD_BYTES", "encode_words", "split_words"]

WORD_BYTES = 32


def encode_words(*values: bytes | int | str) -> bytes:
    """
    Return `values` as words: 32 bytes as they are, an unsigned integer, or an address in hex.

    Raises `ValueError` or `OverflowError` for what fits no word.
    """
    return b"".join([_word(value) for value in values])


def split_words(encoded: bytes) -> Iterator[bytes]:
    """Yield the words of `encoded`, whose length must be a multiple of 32."""
    if len(encoded) % WORD_BYTES:
        raise ValueError(f"{len(encoded)} bytes are no words")
    for start in range(0, len(encoded), WORD_BYTES):
        yield encoded[start : start + WORD_BYTES]


def _word(value: bytes | int | str) -> bytes:
    # Most are bytes.
    if isinstance(value, bytes):
        return _sized(value, WORD_BYTES)
    if isinstance(value, int):
        return value.to_bytes(WORD_BYTES)
    return bytes(12) + _sized(bytes.fromhex(value[2:]), 20)


def _sized(value: bytes, size: int) -> bytes:
    if len(value) != size:
        raise ValueError(f"{len(value)} bytes where {size} belong")
    return value
