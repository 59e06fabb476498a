"""
Private-key custody by a dstack KMS: the signature chain in a report's evidence.

The chain: the key derived for the purpose is signed by the app's key, and the app's key, together
with the measured app id, by the root of the KMS. It covers the derived secp256k1 key; that the
published Ed25519 key comes from the same secret is the measured code's word.
Source: Dstack-TEE/dstack, KMS; Dstack-TEE/private-ai-gateway, crates/aci-verifier.
"""

from __future__ import annotations

from typing import Final

from cryptography.hazmat.primitives.asymmetric.ec import SECP256K1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from quotary._keccak import keccak256
from quotary.errors import Reason, VerificationError
from quotary.workloads._document import Document, read_hex
from quotary.workloads._secp256k1 import compressed, recover
from quotary.workloads.aci.keyset import Keyset

__all__ = ["require_kms_custody"]

_PROVIDER: Final = "dstack-kms"
_PURPOSE: Final = "aci.receipt.ed25519.v1"
_CHAIN: Final = 2


def require_kms_custody(
    evidence: Document, keyset: Keyset, app_id: bytes, roots: frozenset[bytes]
) -> None:
    """
    Check that one of `roots` released the receipt key to the app.

    `roots` are compressed secp256k1 public keys, 33 bytes. Raises `VerificationError`
    (CUSTODY_UNPROVEN) or `ParseError`.
    """
    if not evidence.has("key_custody"):
        raise _unproven("key_custody", "evidence", "none")
    custody = evidence.inner("key_custody")
    if custody.values.get("provider") != _PROVIDER:
        raise _unproven("provider", _PROVIDER, ascii(custody.values.get("provider"))[:80])
    entry = _receipt_entry(custody)
    if entry.octets("public_key") not in {key.public_key for key in keyset.receipt_keys}:
        raise _unproven("public_key", "a receipt key of the keyset", None)
    if entry.text("purpose") != _PURPOSE:
        raise _unproven("purpose", _PURPOSE, ascii(entry.text("purpose"))[:80])
    chain = entry.sequence("signature_chain")
    if len(chain) != _CHAIN:
        raise _unproven("signature_chain", f"{_CHAIN} signatures", str(len(chain)))
    derived = _compressed_key(entry.octets("kms_public_key"))
    purpose_signature, app_signature = (
        _with_ethereum_v(read_hex(link, "signature_chain")) for link in chain
    )
    message = f"{_PURPOSE}:{derived.hex()}".encode()
    app_key = compressed(recover(keccak256(message), purpose_signature, "signature_chain[0]"))
    issued = b"dstack-kms-issued:" + app_id + app_key
    root = compressed(recover(keccak256(issued), app_signature, "signature_chain[1]"))
    if root not in roots:
        raise _unproven("KMS root", "an accepted root", root.hex())


def _receipt_entry(custody: Document) -> Document:
    for index, entry in enumerate(custody.sequence("keys")):
        fields = Document(entry, f"key_custody.keys[{index}]")
        if fields.values.get("role") == "receipt":
            return fields
    raise _unproven("keys", "one of role receipt", "none")


def _compressed_key(point: bytes) -> bytes:
    try:
        key = EllipticCurvePublicKey.from_encoded_point(SECP256K1(), point)
    except ValueError as error:
        raise _unproven("kms_public_key", "a secp256k1 point", point.hex()[:140]) from error
    return key.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)


def _with_ethereum_v(signature: bytes) -> bytes:
    """The KMS writes the recovery id as 0 or 1, Ethereum as 27 or 28."""
    if signature[-1:] in (b"\x00", b"\x01"):
        return signature[:-1] + bytes([27 + signature[-1]])
    return signature


def _unproven(item: str, expected: str, found: str | None) -> VerificationError:
    return VerificationError(Reason.CUSTODY_UNPROVEN, item, expected=expected, found=found)
