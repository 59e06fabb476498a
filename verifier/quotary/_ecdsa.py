"""ECDSA on P-256 with SHA-256, the only algorithm in Intel's chain of trust, computed by pyca."""

from __future__ import annotations

from typing import Final, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from quotary.errors import QuotaryError, Reason, VerificationError

__all__ = [
    "PublicKey",
    "load_key",
    "require_digest_signature",
    "signature_to_der",
]

PublicKey = EllipticCurvePublicKey

_P256_KEY: Final = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d030107034200 04")
"""What stands before x ‖ y in the DER of a key, which takes less to load than the bare point."""

_ALGORITHM: Final = ECDSA(Prehashed(SHA256()))
_RAW_BYTES: Final = 64
_ZERO: Final = bytes(32)
_ORDER: Final = bytes.fromhex("FFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551")
_TOP_BIT: Final = 0x80
_KINDS: Final = (None, *[0] * 127, *[1] * 127, None)
"""
How an integer of 32 bytes is written in DER, by the first of them: 1 with a zero before it. None
for 0x00, as the integer takes less, and for 0xff, as it may be the order.
"""
_FRAMES: Final = (
    (b"\x30\x44\x02\x20", b"\x30\x45\x02\x20"),
    (b"\x30\x45\x02\x21\0", b"\x30\x46\x02\x21\0"),
)
"""What stands before r, by the kinds of r and s."""
_HEADERS: Final = (b"\x02\x20", b"\x02\x21\0")
"""What stands before s, by its kind."""


def load_key(point: bytes, item: str) -> PublicKey:
    """Load x ‖ y, 64 bytes; raises `VerificationError` when that is no point of the curve."""
    try:
        key = load_der_public_key(_P256_KEY + point)
    except ValueError as error:
        raise VerificationError(
            Reason.PUBKEY_NOT_ON_CURVE, item, expected="a point on P-256", found=point.hex()
        ) from error
    return cast("PublicKey", key)


def signature_to_der(raw: bytes, item: str) -> bytes:
    """
    Encode r ‖ s, 64 bytes, as DER; raises `VerificationError` for other lengths and ranges.

    High s is valid: Intel's signatures are not normalised, so no signature may serve as an id.
    """
    if len(raw) != _RAW_BYTES:
        raise _out_of_range(item)
    first, second = _KINDS[raw[0]], _KINDS[raw[32]]
    if first is not None and second is not None:
        return _FRAMES[first][second] + raw[:32] + _HEADERS[second] + raw[32:]
    r, s = raw[:32], raw[32:]
    # Numbers of one length are in order when their bytes are.
    if not (_ZERO < r < _ORDER and _ZERO < s < _ORDER):
        raise _out_of_range(item)
    body = _der_integer(r) + _der_integer(s)
    return b"\x30%c" % len(body) + body


def require_digest_signature(
    key: PublicKey,
    der_signature: bytes,
    digest: bytes,
    *,
    reason: Reason,
    item: str,
    error: type[QuotaryError] = VerificationError,
) -> None:
    """Raise `error` for `reason` unless `key` signed the message with this SHA-256 `digest`."""
    try:
        key.verify(der_signature, digest, _ALGORITHM)
    except InvalidSignature:
        raise error(reason, item, expected="a signature by the key above it") from None


def _out_of_range(item: str) -> VerificationError:
    return VerificationError(
        Reason.SIGNATURE_INVALID,
        item,
        expected="64 bytes, r and s between 1 and the order of P-256",
    )


def _der_integer(number: bytes) -> bytes:
    content = number.lstrip(b"\0")
    if content[0] >= _TOP_BIT:
        content = b"\0" + content
    return b"\x02%c" % len(content) + content
