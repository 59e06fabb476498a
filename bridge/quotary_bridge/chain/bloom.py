"""
What a block's header says of its logs.

A header holds a filter of 2,048 bits, in which each address and each topic that a log of the block
names sets three (Yellow Paper, "Transaction Receipt"). So it shows what a block has no logs of; of
what it leaves room for there may be none all the same.
"""

from __future__ import annotations

from eth_utils.crypto import keccak

__all__ = ["bits_of"]

BLOOM_BITS = 2048


def bits_of(item: bytes) -> int:
    """Return the bits that an address or a topic sets, as a number; the filter is big-endian."""
    digest = keccak(item)
    bits = 0
    for start in (0, 2, 4):
        bits |= 1 << (int.from_bytes(digest[start : start + 2]) % BLOOM_BITS)
    return bits
