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


def _rho_pi() -> tuple[tuple[int, int, int, int], ...]:
    """For each lane 5y + x of pi: its source, the source's column, and rho's shifts of it."""
    rotation = {0: 0}
    x, y = 1, 0
    for t in range(24):
        rotation[5 * y + x] = (t + 1) * (t + 2) // 2 % 64
        x, y = y, (2 * x + 3 * y) % 5
    lanes = []
    for y in range(5):
        for x in range(5):
            source = 5 * x + (x + 3 * y) % 5
            left = rotation[source]
            lanes.append((source, source % 5, left, 64 - left))
    return tuple(lanes)


_ROUND_CONSTANTS: Final = _round_constants()
_RHO_PI: Final = _rho_pi()


def _permute(a: list[int]) -> list[int]:
    mask = _MASK
    for constant in _ROUND_CONSTANTS:
        c0 = a[0] ^ a[5] ^ a[10] ^ a[15] ^ a[20]
        c1 = a[1] ^ a[6] ^ a[11] ^ a[16] ^ a[21]
        c2 = a[2] ^ a[7] ^ a[12] ^ a[17] ^ a[22]
        c3 = a[3] ^ a[8] ^ a[13] ^ a[18] ^ a[23]
        c4 = a[4] ^ a[9] ^ a[14] ^ a[19] ^ a[24]
        d = (
            c4 ^ (c1 << 1 & mask | c1 >> 63),
            c0 ^ (c2 << 1 & mask | c2 >> 63),
            c1 ^ (c3 << 1 & mask | c3 >> 63),
            c2 ^ (c4 << 1 & mask | c4 >> 63),
            c3 ^ (c0 << 1 & mask | c0 >> 63),
        )
        b = [
            (lane := a[source] ^ d[column]) << left & mask | lane >> right
            for source, column, left, right in _RHO_PI
        ]
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
