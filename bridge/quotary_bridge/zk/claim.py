"""
RISC Zero's claim digests: what a receipt says happened, as one hash.

Structs are hashed as `sha256(sha256(tag) ‖ child digests ‖ words ‖ number of children)`, words as
32-bit and the number as 16-bit little-endian integers (risc0-binfmt, "tagged struct").
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

__all__ = ["claim_digest"]

_DIGEST_BYTES = 32
_ZERO = bytes(_DIGEST_BYTES)
# ExitCode::Halted(0): the system's part is 0 for "halted", the user's part is the guest's code.
_HALTED_WITH_ZERO = (0, 0)


def claim_digest(image_id: bytes, journal_digest: bytes) -> bytes:
    """
    Return the digest of the claim that `image_id` halted with code 0 and wrote that journal.

    No input, no assumptions. Raises `ValueError` unless both arguments are 32 bytes.
    """
    if len(image_id) != _DIGEST_BYTES or len(journal_digest) != _DIGEST_BYTES:
        raise ValueError("image id and journal digest are 32 bytes each")
    output = _tagged("risc0.Output", (journal_digest, _ZERO))
    halted_state = _tagged("risc0.SystemState", (_ZERO,), (0,))
    return _tagged("risc0.ReceiptClaim", (_ZERO, image_id, halted_state, output), _HALTED_WITH_ZERO)


def _tagged(tag: str, children: Sequence[bytes], words: Sequence[int] = ()) -> bytes:
    parts = [sha256(tag.encode()).digest(), *children]
    parts += [word.to_bytes(4, "little") for word in words]
    parts.append(len(children).to_bytes(2, "little"))
    return sha256(b"".join(parts)).digest()
