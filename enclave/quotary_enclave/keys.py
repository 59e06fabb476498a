"""
The worker's identity: private keys that are born inside the TEE and never leave it.

Every key has one role and its own HKDF label under one seed, so no key can stand in for another
and nothing about one follows from another. The seed is 32 random bytes made at start, and leaves
the TEE's memory sealed only (`worker.vault`); a fixed seed exists for the simulator alone.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from eth_keys.datatypes import PublicKey, Signature
from eth_utils.crypto import keccak

__all__ = ["Address", "Ed25519Signer", "KeyRole", "Secp256k1Signer", "WorkerKeys"]

Address = NewType("Address", str)
"""An Ethereum address with its EIP-55 checksum."""

SEED_BYTES = 32

_SECP256K1_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141

_DETERMINISTIC = ec.ECDSA(Prehashed(SHA256()), deterministic_signing=True)


class KeyRole(StrEnum):
    """What a key may do; also its HKDF label. A new role is a new label, never a changed one."""

    RESULT = "quotary/1 result secp256k1"
    CHAT = "quotary/1 chat ed25519"
    RECEIPT = "quotary/1 aci receipt ed25519"
    RECEIPT_EVM = "quotary/1 aci receipt secp256k1"
    ENCRYPTION = "quotary/1 encryption x25519"


@dataclass(frozen=True, slots=True, repr=False)
class Secp256k1Signer:
    """Signs for the EVM: every signature is `r || s || v`, 65 bytes, low s, v 27 or 28."""

    _key: ec.EllipticCurvePrivateKey

    @property
    def address(self) -> Address:
        """The address a contract recovers from this key's signatures."""
        return Address(PublicKey(self.public_key[1:]).to_checksum_address())

    @property
    def public_key(self) -> bytes:
        """The uncompressed point: 0x04, then x and y; 65 bytes."""
        return self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)

    def sign_digest(self, digest: bytes) -> bytes:
        """
        Sign 32 bytes as they are: the caller has separated their domain (EIP-712).

        OpenSSL signs, in constant time, with the nonce of RFC 6979: equal digests give equal
        bytes. Python sees public values only.
        """
        der = self._key.sign(digest, _DETERMINISTIC)
        r, s = decode_dss_signature(der)
        s = min(s, _SECP256K1_ORDER - s)
        even = Signature(vrs=(0, r, s)).recover_public_key_from_msg_hash(digest)
        v = 0 if even.to_bytes() == self.public_key[1:] else 1
        return r.to_bytes(32, "big") + s.to_bytes(32, "big") + bytes([27 + v])

    def sign_text(self, text: bytes) -> bytes:
        """Sign a message as wallets do (EIP-191, version 0x45)."""
        prefix = b"\x19Ethereum Signed Message:\n" + str(len(text)).encode()
        return self.sign_digest(keccak(prefix + text))

    def __repr__(self) -> str:
        """The address, never the key."""
        return f"Secp256k1Signer({self.address})"


@dataclass(frozen=True, slots=True, repr=False)
class Ed25519Signer:
    """Signs as RFC 8032 has it: 64 bytes."""

    _key: Ed25519PrivateKey

    @property
    def public_key(self) -> bytes:
        """The 32 bytes of the public key."""
        return self._key.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Sign `message`."""
        return self._key.sign(message)

    def __repr__(self) -> str:
        """The public key, never the private one."""
        return f"Ed25519Signer({self.public_key.hex()})"


class WorkerKeys:
    """
    All keys of one worker.

    `repr` shows the address only, and the object refuses to be pickled: no log and no crash
    report can carry a private key by accident.
    """

    __slots__ = ("_encryption", "chat", "receipt", "receipt_evm", "result")

    result: Secp256k1Signer
    """Signs results (EIP-712) and first-generation chat texts (EIP-191); the worker's address."""
    chat: Ed25519Signer
    """Signs first-generation chat texts for callers who ask for Ed25519."""
    receipt: Ed25519Signer
    """Signs ACI receipts, and nothing else (ACI section 3.1)."""
    receipt_evm: Secp256k1Signer
    """Signs ACI receipts that a contract is to check, and nothing else."""

    def __init__(self, seed: bytes) -> None:
        """Derive every key from `seed`, which must be `SEED_BYTES` long."""
        if len(seed) != SEED_BYTES:
            raise ValueError(f"a seed is {SEED_BYTES} bytes, not {len(seed)}")
        self.result = _secp256k1(seed, KeyRole.RESULT)
        self.chat = _ed25519(seed, KeyRole.CHAT)
        self.receipt = _ed25519(seed, KeyRole.RECEIPT)
        self.receipt_evm = _secp256k1(seed, KeyRole.RECEIPT_EVM)
        self._encryption = X25519PrivateKey.from_private_bytes(
            _derive(seed, KeyRole.ENCRYPTION, 32)
        )

    @classmethod
    def generate(cls) -> WorkerKeys:
        """New keys out of the operating system's randomness, which in a TEE is the CPU's own."""
        return cls(secrets.token_bytes(SEED_BYTES))

    @property
    def encryption_public_key(self) -> bytes:
        """The X25519 public key that sealed inputs are encrypted to; 32 bytes."""
        return self._encryption.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        """The address, never a key."""
        return f"WorkerKeys({self.result.address})"

    def __reduce__(self) -> str:
        """Raise `TypeError`: a pickle would carry the keys out of the TEE."""
        raise TypeError("private keys are not pickled")


def _derive(seed: bytes, role: KeyRole, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=None, info=role.encode()).derive(seed)


def _secp256k1(seed: bytes, role: KeyRole) -> Secp256k1Signer:
    # 48 bytes reduced into 1..n-1: the bias is below 2^-128 (FIPS 186-5, appendix A.2.1).
    wide = int.from_bytes(_derive(seed, role, 48), "big")
    scalar = wide % (_SECP256K1_ORDER - 1) + 1
    return Secp256k1Signer(ec.derive_private_key(scalar, ec.SECP256K1()))


def _ed25519(seed: bytes, role: KeyRole) -> Ed25519Signer:
    return Ed25519Signer(Ed25519PrivateKey.from_private_bytes(_derive(seed, role, 32)))
