"""
The stub prover: seals that prove nothing, for development.

It runs no guest. Its seals carry RISC Zero's mock selector, which no verifier but the stub takes,
and a router deployed without `allowStub` refuses the stub for ever.
"""

from __future__ import annotations

from quotary_bridge.zk.claim import claim_digest

__all__ = ["STUB_SELECTOR", "stub_seal"]

STUB_SELECTOR = bytes.fromhex("ffffffff")


def stub_seal(image_id: bytes, journal_digest: bytes) -> bytes:
    """
    Return `selector ‖ claim digest`, RISC Zero's mock seal (docs/formats.md, "Proof kinds").

    Warning: anybody can make one. Raises `ValueError` unless both arguments are 32 bytes.
    """
    return STUB_SELECTOR + claim_digest(image_id, journal_digest)
