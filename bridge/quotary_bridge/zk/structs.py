"""RISC Zero's tagged struct hashing, which names claims, keys and parameters alike."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

__all__ = ["DIGEST_BYTES", "ZERO_DIGEST", "tagged_list", "tagged_struct"]

DIGEST_BYTES = 32
ZERO_DIGEST = bytes(DIGEST_BYTES)


def tagged_struct(tag: str, children: Sequence[bytes], words: Sequence[int] = ()) -> bytes:
    """
    Return `sha256(sha256(tag) ‖ child digests ‖ words ‖ number of children)`.

    Words are 32-bit and the number is a 16-bit little-endian integer (risc0-binfmt).
    """
    parts = [sha256(tag.encode()).digest(), *children]
    parts += [word.to_bytes(4, "little") for word in words]
    parts.append(len(children).to_bytes(2, "little"))
    return sha256(b"".join(parts)).digest()


def tagged_list(tag: str, items: Sequence[bytes]) -> bytes:
    """Return the digest of a list: each head hashed with its tail, the empty list being zero."""
    digest = ZERO_DIGEST
    for item in reversed(items):
        digest = tagged_struct(tag, (item, digest))
    return digest
