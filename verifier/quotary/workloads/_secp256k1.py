"""
Recover the signer of a secp256k1 signature, as Ethereum's ecrecover does.

pyca verifies on this curve but does not recover. The arithmetic below finds the one candidate key
(SEC 1, 4.1.6) from public values only, so it need not run in constant time, and pyca verifies the
signature under that key before anyone sees it: a slip here can refuse, never accept.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256K1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quotary._keccak import keccak256
from quotary.errors import Reason, VerificationError

__all__ = ["address_of", "compressed", "personal_digest", "recover"]

_P: Final = 2**256 - 2**32 - 977
_N: Final = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
_G: Final = (
    0x79BE667E_F9DCBBAC_55A06295_CE870B07_029BFCDB_2DCE28D9_59F2815B_16F81798,
    0x483ADA77_26A3C465_5DA4FBFC_0E1108A8_FD17B448_A6855419_9C47D08F_FB10D4B8,
)
_SIGNATURE_BYTES: Final = 65
_V: Final = (27, 28)

_Point = tuple[int, int] | None
_Jacobian = tuple[int, int, int]


def personal_digest(text: bytes) -> bytes:
    """Return the digest wallets sign for `text` (EIP-191, version 0x45)."""
    return keccak256(b"\x19Ethereum Signed Message:\n" + str(len(text)).encode() + text)


def address_of(public_key: bytes) -> bytes:
    """Return the Ethereum address, 20 bytes, of an uncompressed public key (0x04, x, y)."""
    return keccak256(public_key[1:])[12:]


def compressed(public_key: bytes) -> bytes:
    """Return the compressed form, 33 bytes, of an uncompressed public key."""
    return bytes([2 + public_key[-1] % 2]) + public_key[1:33]


def recover(digest: bytes, signature: bytes, item: str) -> bytes:
    """
    Return the uncompressed public key (0x04, x, y) that signed `digest`.

    `signature` is r ‖ s ‖ v with low s and v 27 or 28: one encoding per signature (EIP-2). Raises
    `VerificationError`.
    """
    if len(signature) != _SIGNATURE_BYTES or signature[-1] not in _V:
        raise VerificationError(
            Reason.SIGNATURE_INVALID, item, expected="65 bytes r, s, v with v 27 or 28"
        )
    r, s = int.from_bytes(signature[:32]), int.from_bytes(signature[32:64])
    if not (0 < r < _N and 0 < s <= _N // 2):
        raise VerificationError(
            Reason.SIGNATURE_INVALID, item, expected="r and s in range, s in the lower half"
        )
    y = _lift(r, odd=signature[-1] == _V[1])
    if y is None:
        raise _unsigned(item)
    inverse = pow(r, -1, _N)
    point = _weigh(-int.from_bytes(digest) * inverse % _N, s * inverse % _N, (r, y))
    if point is None:
        raise _unsigned(item)
    encoded = b"\x04" + point[0].to_bytes(32) + point[1].to_bytes(32)
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), encoded)
        key.verify(encode_dss_signature(r, s), digest, ECDSA(Prehashed(SHA256())))
    except (ValueError, InvalidSignature) as error:
        raise _unsigned(item) from error
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def _unsigned(item: str) -> VerificationError:
    return VerificationError(
        Reason.MESSAGE_SIGNATURE_INVALID, item, expected="a signature some key has made"
    )


def _lift(x: int, *, odd: bool) -> int | None:
    """The y of the curve point over `x`; r + n is never tried, as ecrecover never does."""
    square = (pow(x, 3, _P) + 7) % _P
    y = pow(square, (_P + 1) // 4, _P)
    if y * y % _P != square:
        return None
    return y if y % 2 == odd else _P - y


def _weigh(g: int, weight: int, point: tuple[int, int]) -> _Point:
    """
    Return g·G + weight·point, both sums in one pass over the bits of the scalars.

    The running sum is kept as x/z², y/z³ (Jacobian coordinates; infinity is z = 0), so that only
    the last step divides: an inversion takes as long as a hundred multiplications.
    """
    addends = _G, point, _affine(_add((*_G, 1), point))
    total = (0, 1, 0)
    for bit in reversed(range(_N.bit_length())):
        total = _double(total)
        choice = (g >> bit & 1) + 2 * (weight >> bit & 1)
        addend = addends[choice - 1] if choice else None
        if addend is not None:
            total = _add(total, addend)
    return _affine(total)


def _double(point: _Jacobian) -> _Jacobian:
    x, y, z = point
    square = y * y % _P
    s, m = 4 * x * square, 3 * x * x % _P
    doubled = (m * m - 2 * s) % _P
    return doubled, (m * (s - doubled) - 8 * square * square) % _P, 2 * y * z % _P


def _add(point: _Jacobian, other: tuple[int, int]) -> _Jacobian:
    x, y, z = point
    if z == 0:
        return *other, 1
    square = z * z % _P
    h = (other[0] * square - x) % _P
    slope = (other[1] * square * z - y) % _P
    if h == 0:
        return _double(point) if slope == 0 else (0, 1, 0)
    hh = h * h % _P
    cube, v = h * hh % _P, x * hh % _P
    added = (slope * slope - cube - 2 * v) % _P
    return added, (slope * (v - added) - y * cube) % _P, z * h % _P


def _affine(point: _Jacobian) -> _Point:
    x, y, z = point
    if z == 0:
        return None
    inverse = pow(z, -1, _P)
    square = inverse * inverse % _P
    return x * square % _P, y * square * inverse % _P
