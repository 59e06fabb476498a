"""
A Groth16 ceremony whose secrets were kept: proofs of anything, under a key of its own.

Whoever knows a key's secrets can prove every claim under it without running anything. That makes
genuine pairings for journals of our choice, and no verifier that has another key takes them.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256

from py_ecc import optimized_bn128 as curve
from quotary_bridge.zk.claim import claim_digest
from quotary_bridge.zk.groth16 import ORDER, G1Point, G2Point, Groth16Key
from quotary_bridge.zk.risc_zero import Release, split

__all__ = ["forged_seal", "known_release"]

_INPUTS = 5


@cache
def known_release() -> Release:
    """A release nobody made, whose proofs we can."""
    key = Groth16Key(
        alpha=_g1(_secret("alpha")),
        beta=_g2(_secret("beta")),
        gamma=_g2(_secret("gamma")),
        delta=_g2(_secret("delta")),
        ic=tuple(_g1(_secret(f"ic {index}")) for index in range(_INPUTS + 1)),
    )
    control_root = sha256(b"control root").digest()
    return Release("known", control_root, bytes(1) + sha256(b"control id").digest()[1:], key)


def forged_seal(image_id: bytes, journal_digest: bytes) -> bytes:
    """A seal that verifies under `known_release` for a claim nobody ran anything for."""
    release = known_release()
    claim = claim_digest(image_id, journal_digest)
    inputs = (*split(release.control_root), *split(claim), int.from_bytes(release.control_id))
    total = _secret("ic 0")
    total += sum(_secret(f"ic {index}") * value for index, value in enumerate(inputs, 1))
    a, b = _secret("a"), _secret("b")
    c = a * b - _secret("alpha") * _secret("beta") - total * _secret("gamma")
    c = c * pow(_secret("delta"), -1, ORDER) % ORDER
    words = (*_g1(a), *_g2(b), *_g1(c))
    return release.selector + b"".join(word.to_bytes(32) for word in words)


def _secret(name: str) -> int:
    return int.from_bytes(sha256(name.encode()).digest()) % ORDER


def _g1(scalar: int) -> G1Point:
    x, y = curve.normalize(curve.multiply(curve.G1, scalar))
    return int(x), int(y)


def _g2(scalar: int) -> G2Point:
    x, y = curve.normalize(curve.multiply(curve.G2, scalar))
    return int(x.coeffs[1]), int(x.coeffs[0]), int(y.coeffs[1]), int(y.coeffs[0])
