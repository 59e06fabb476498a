"""ECDSA on P-256 with SHA-256, the only algorithm in Intel's chain of trust, computed by pyca."""

from __future__ import annotations

from hashlib import sha256
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
    "require_signature",
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
_HEADERS: Final = (b"", *[b"\x02\x20"] * 127, *[b"\x02\x21\0"] * 127, b"")
"""
What stands before an integer of 32 bytes in DER, by the first of them; nothing for 0x00, as the
integer takes less, and for 0xff, as it may be the order.
"""
_PAIRS: Final = tuple(bytes([0x30, length]) for length in range(72))
"""What stands before a pair of integers, by the length of both."""


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
    r, s = raw[:32], raw[32:]
    if len(raw) != _RAW_BYTES:
        raise _out_of_range(item)
    r_header, s_header = _HEADERS[r[0]], _HEADERS[s[0]]
    if r_header and s_header:
        body = r_header + r + s_header + s
    # Numbers of one length are in order when their bytes are.
    elif _ZERO < r < _ORDER and _ZERO < s < _ORDER:
        body = _der_integer(r) + _der_integer(s)
    else:
        raise _out_of_range(item)
    return _PAIRS[len(body)] + body


def require_signature(
    key: PublicKey,
    der_signature: bytes,
    message: bytes,
    *,
    reason: Reason,
    item: str,
    error: type[QuotaryError] = VerificationError,
) -> None:
    """Raise `error` for `reason` unless `key` made `der_signature` over `message`."""
    digest = sha256(message).digest()
    require_digest_signature(key, der_signature, digest, reason=reason, item=item, error=error)


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
