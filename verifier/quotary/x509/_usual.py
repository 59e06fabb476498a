"""
PCK certificates in the one form Intel issues them in, read by where their values stand.

DER fixes where a value stands by the tags and lengths before it. When all of those are the usual
ones, strict parsing would find the same fields at the same places, and only the values are left to
be judged. Any other form is left to the strict parser, which alone refuses.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from quotary._der import SEQUENCE
from quotary.x509._common import is_usual_serial, utc_seconds
from quotary.x509._fields import KeyUsage, read_common_name

__all__ = ["read_usual_pck"]

_SHORTEST: Final = 960
"""What lengths of one byte can add up to at most, so that nothing is read beyond the end."""

_SEQUENCE: Final = bytes.fromhex("3082")
_FRONT: Final = bytes.fromhex("a003020102 02")  # version 3, then a serial number
_SERIAL: Final = 9
_ALGORITHM: Final = bytes.fromhex("300a 06082a8648ce3d040302")

_VALIDITY: Final = Struct("4s 13s 2s 13s")
_VALIDITY_FORM: Final = (bytes.fromhex("301e 170d"), bytes.fromhex("170d"))

# The key, the authority's key id, and the CRL distribution points up to their content.
_KEY: Final = Struct("> 27s 64s 2s H 2s H 13s 20s s B 6s B")
_KEY_FORM: Final = (
    bytes.fromhex("3059 3013 06072a8648ce3d0201 06082a8648ce3d030107 0342 00 04"),
    bytes.fromhex("a382"),
    bytes.fromhex("3082"),
    bytes.fromhex("301f 0603551d23 0418 3016 8014"),
    bytes.fromhex("30"),
    bytes.fromhex("0603551d1f 04"),
)
_POINTS_HEADER: Final = 7

# The key's own id, usage and constraints, and the SGX extension up to its content.
_KEY_ID: Final = Struct("> 11s 20s 30s 2s H 13s H")
_KEY_ID_FORM: Final = (
    bytes.fromhex("301d 0603551d0e 0416 0414"),
    bytes.fromhex("300e 0603551d0f 0101ff 0404 030206c0 300c 0603551d13 0101ff 0402 3000"),
    bytes.fromhex("3082"),
    bytes.fromhex("06092a864886f84d010d01 0482"),
)
_SGX_HEADER: Final = 15
_KEY_BYTES: Final = 27 + 64
_USAGE: Final = KeyUsage(0xC0)

_LONG_HEADER: Final = 4
_LONG: Final = 0x100
"""The least length that takes two bytes; the least that is not short is `_TOP_BIT`."""
_TOP_BIT: Final = 0x80


def read_usual_pck(tbs: bytes, item: str) -> dict[str, object] | None:
    """Return the fields of a PCK certificate with the signed part `tbs`; None for other forms."""
    length = len(tbs)
    if (
        length < _SHORTEST
        or tbs[: _SERIAL + 1] != _SEQUENCE + (length - _LONG_HEADER).to_bytes(2) + _FRONT
    ):
        return None
    position = _SERIAL + 2 + tbs[_SERIAL + 1]
    serial = tbs[_SERIAL:position]
    issuer_at = position + len(_ALGORITHM)
    issuer = _name(tbs, issuer_at)
    validity_at = issuer_at + len(issuer)
    first, begin, second, end = _VALIDITY.unpack_from(tbs, validity_at)
    subject_at = validity_at + _VALIDITY.size
    subject = _name(tbs, subject_at)
    if (
        tbs[position:issuer_at] != _ALGORITHM
        or (first, second) != _VALIDITY_FORM
        or not issuer
        or not subject
    ):
        return None
    rest = _read_rest(tbs, subject_at + len(subject))
    not_before, not_after = utc_seconds(begin), utc_seconds(end)
    if rest is None or not is_usual_serial(serial) or not_before is None or not_after is None:
        return None
    rest["serial"] = int.from_bytes(serial[2:])
    rest["issuer"] = issuer
    rest["subject"] = subject
    rest["common_name"] = read_common_name(subject, item)
    rest["not_before"] = not_before
    rest["not_after"] = not_after
    rest["key_usage"] = _USAGE
    rest["is_ca"] = False
    rest["path_length"] = None
    return rest


def _name(tbs: bytes, position: int) -> bytes:
    """Return the name at `position`; nothing when its length takes more than one byte."""
    if tbs[position] != SEQUENCE or tbs[position + 1] >= _TOP_BIT:
        return b""
    return tbs[position : position + 2 + tbs[position + 1]]


def _read_rest(tbs: bytes, position: int) -> dict[str, object] | None:
    """Read what stands after the subject, from `position` up to the end."""
    key, public_key, a3, wrapped, seq, extensions, authority, authority_key_id, *points = (
        _KEY.unpack_from(tbs, position)
    )
    points_tag, points_length, points_form, points_content = points
    left = len(tbs) - position - _KEY_BYTES - _LONG_HEADER
    position += _KEY.size + points_content
    key_id, subject_key_id, usage, sgx, sgx_length, sgx_form, content = _KEY_ID.unpack_from(
        tbs, position
    )
    position += _KEY_ID.size
    if (
        (key, a3, seq, authority, points_tag, points_form) != _KEY_FORM
        or (key_id, usage, sgx, sgx_form) != _KEY_ID_FORM
        or (wrapped, extensions) != (left, left - _LONG_HEADER)
        or points_length != points_content + _POINTS_HEADER
        or points_length >= _TOP_BIT
        or sgx_length != content + _SGX_HEADER
        or content != len(tbs) - position
        or content < _LONG
    ):
        return None
    return {
        "public_key": public_key,
        "authority_key_id": authority_key_id,
        "subject_key_id": subject_key_id,
        "sgx_extension": tbs[position:],
    }
