"""
Keccak-256 as Ethereum uses it: the padding of the original submission, not that of SHA-3.

Neither the standard library nor pyca has it, and the verifier has no other dependency.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["keccak256"]

_RATE: Final = 136
_MASK: Final = (1 << 64) - 1


def _round_constants() -> tuple[int, ...]:
    """Iota's constants from the LFSR x^8 + x^6 + x^5 + x^4 + 1 (FIPS 202, 3.2.5)."""
    constants, register = [], 1
    for _ in range(24):
        constant = 0
        for j in range(7):
            if register & 1:
                constant |= 1 << ((1 << j) - 1)
            register <<= 1
            if register & 0x100:
                register ^= 0x171
        constants.append(constant)
    return tuple(constants)


def _rho_pi() -> tuple[tuple[int, int], ...]:
    """For each destination lane 5y + x of pi: its source lane and rho's rotation of that lane."""
    rotation = {0: 0}
    x, y = 1, 0
    for t in range(24):
        rotation[5 * y + x] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    lanes = []
    for y in range(5):
        for x in range(5):
            source = 5 * x + (x + 3 * y) % 5
            lanes.append((source, rotation[source]))
    return tuple(lanes)


_ROUND_CONSTANTS: Final = _round_constants()
_RHO_PI: Final = _rho_pi()


def _permute(a: list[int]) -> list[int]:
    mask = _MASK
    for constant in _ROUND_CONSTANTS:
        c = [a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20] for x in range(5)]
        d = [c[x - 1] ^ ((c[x - 4] << 1 | c[x - 4] >> 63) & mask) for x in range(5)]
        a = [lane ^ d[i % 5] for i, lane in enumerate(a)]
        b = [(a[s] << r | a[s] >> (64 - r)) & mask for s, r in _RHO_PI]
        a = [b[i] ^ (~b[j] & b[k]) for i, j, k in _CHI]
        a[0] ^= constant
    return a


_CHI: Final = tuple(
    (5 * y + x, 5 * y + (x + 1) % 5, 5 * y + (x + 2) % 5) for y in range(5) for x in range(5)
)


@lru_cache(maxsize=512)
def keccak256(data: bytes) -> bytes:
    """
    Return the Keccak-256 digest of `data`, 32 bytes.

    The last digests are remembered: one costs about half a millisecond here, and a verifier hashes
    the same platform ids and measurements again and again.
    """
    padded = bytearray(data)
    padded += bytes(_RATE - len(data) % _RATE)
    padded[len(data)] |= 0x01
    padded[-1] |= 0x80
    state = [0] * 25
    for block in range(0, len(padded), _RATE):
        for lane in range(_RATE // 8):
            start = block + 8 * lane
            state[lane] ^= int.from_bytes(padded[start : start + 8], "little")
        state = _permute(state)
    return b"".join(lane.to_bytes(8, "little") for lane in state[:4])
