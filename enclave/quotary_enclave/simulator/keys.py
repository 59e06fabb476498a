"""Every secret of a simulation, derived from one seed: the same seed mints the same evidence."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

__all__ = ["ORDER", "SeededKeys", "SigningKey"]

ORDER: Final = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of the P-256 group."""

_SCALAR_OCTETS: Final = 48
"""128 bits more than the order has, so that reducing leaves no bias (FIPS 186-5, A.2.1)."""

_SERIAL_BITS: Final = 159
"""The most a positive serial number may have in 20 octets (RFC 5280, 4.1.2.2)."""

_ECDSA: Final = ec.ECDSA(hashes.SHA256(), deterministic_signing=True)


class SigningKey:
    """A P-256 key that signs the way quotes and collateral JSON carry signatures: raw `r ‖ s`."""

    __slots__ = ("_scalar", "private", "public")

    def __init__(self, scalar: int) -> None:
        """The key whose private number is `scalar`."""
        self._scalar = scalar
        self.private = ec.derive_private_key(scalar, ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.public = _field(numbers.x) + _field(numbers.y)
        """`x ‖ y`, 64 bytes."""

    def sign(self, message: bytes) -> bytes:
        """The deterministic signature of `message` (RFC 6979), 64 bytes."""
        r, s = decode_dss_signature(self.private.sign(message, _ECDSA))
        return _field(r) + _field(s)

    def sign_anew(self, message: bytes, occasion: bytes) -> bytes:
        """
        A signature of `message` that differs for every `occasion`, 64 bytes.

        A platform signs its QE report again for every quote, so the same report comes with many
        signatures. The nonce is derived, which keeps a simulation reproducible.
        """
        digest = hashlib.sha256(message).digest()
        secret = _field(self._scalar) + digest + occasion
        nonce = _scalar(secret, b"nonce")
        point = ec.derive_private_key(nonce, ec.SECP256R1()).public_key().public_numbers()
        r = point.x % ORDER
        s = pow(nonce, -1, ORDER) * (int.from_bytes(digest, "big") + r * self._scalar) % ORDER
        return _field(r) + _field(s)


class SeededKeys:
    """Keys, serial numbers and identifiers, each named by a label and derived from one seed."""

    __slots__ = ("seed",)

    def __init__(self, seed: bytes) -> None:
        """Everything follows from `seed`, which may have any length."""
        self.seed = seed

    def key(self, label: str) -> SigningKey:
        """The signing key called `label`."""
        return _derived_key(self.seed, label)

    def octets(self, label: str, length: int) -> bytes:
        """`length` bytes that look random and belong to `label`."""
        return _expand(self.seed, b"octets " + label.encode(), length)

    def serial(self, label: str) -> int:
        """A positive certificate serial number of at most 20 octets."""
        number = int.from_bytes(_expand(self.seed, b"serial " + label.encode(), 20), "big")
        return (number >> (160 - _SERIAL_BITS)) or 1


@cache
def _derived_key(seed: bytes, label: str) -> SigningKey:
    return SigningKey(_scalar(seed, b"key " + label.encode()))


def _scalar(secret: bytes, info: bytes) -> int:
    wide = int.from_bytes(_expand(secret, info, _SCALAR_OCTETS), "big")
    return wide % (ORDER - 1) + 1


def _expand(secret: bytes, info: bytes, length: int) -> bytes:
    return HKDF(hashes.SHA256(), length, salt=b"quotary simulation", info=info).derive(secret)


def _field(number: int) -> bytes:
    return number.to_bytes(32, "big")
