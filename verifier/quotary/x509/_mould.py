"""
PCK certificates that differ from one parsed before only where platforms differ.

DER fixes where a value stands by the tags and lengths before it. So when the signed part of a
certificate equals that of one parsed strictly in every byte but the contents of six values, strict
parsing would find the same fields at the same places: it is enough to judge those six.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Final

from quotary.x509._common import split_serial, utc_seconds

__all__ = ["cast_again", "forget_moulds", "learn_mould"]

_MOST_MOULDS: Final = 32
"""Genuine ones: two authorities, times a few lengths of serial numbers and key identifiers."""

_SERIAL_LENGTH: Final = 10
_SERIAL: Final = _SERIAL_LENGTH + 1
_FRONT: Final = bytes.fromhex("3082")
_ALGORITHM_BYTES: Final = 12
_VALIDITY: Final = bytes.fromhex("301e170d")
_TIME_BYTES: Final = 13
_KEY_HEADER_BYTES: Final = 27
_KEY_BYTES: Final = 64
_ID_HEADER: Final = b"\x04"


@dataclass(frozen=True, slots=True)
class _Mould:
    """A signed part with zeros for the six values, where those stand, and what the rest says."""

    blank: bytes
    holes: tuple[slice, slice, slice, slice, slice, slice]
    rest: Mapping[str, object]


_MOULDS: Final[dict[tuple[int, int], _Mould]] = {}
"""By the length of the signed part and of its serial number: the mould learned last."""

_LOCK: Final = Lock()


def cast_again(tbs: bytes, item: str) -> dict[str, object] | None:
    """Return the fields of a certificate with the signed part `tbs`, None if no mould fits."""
    if len(tbs) <= _SERIAL:
        return None
    mould = _MOULDS.get((len(tbs), tbs[_SERIAL_LENGTH]))
    if mould is None:
        return None
    serial, begin, end, key, key_id, extension = mould.holes
    if _blank(tbs, mould.holes) != mould.blank:
        return None
    number, left = split_serial(tbs[_SERIAL - 2 : serial.stop], item)
    not_before, not_after = utc_seconds(tbs[begin]), utc_seconds(tbs[end])
    if left or not_before is None or not_after is None:
        return None
    return {
        **mould.rest,
        "serial": number,
        "not_before": not_before,
        "not_after": not_after,
        "public_key": tbs[key],
        "subject_key_id": tbs[key_id],
        "sgx_extension": tbs[extension],
    }


def learn_mould(tbs: bytes, fields: Mapping[str, object]) -> None:
    """Learn from a certificate that was parsed strictly; passes over one of an unusual form."""
    issuer, subject = fields["issuer"], fields["subject"]
    key_id, extension = fields["subject_key_id"], fields["sgx_extension"]
    if not (
        isinstance(issuer, bytes)
        and isinstance(subject, bytes)
        and isinstance(key_id, bytes)
        and isinstance(extension, bytes)
    ):
        return
    serial = slice(_SERIAL, _SERIAL + tbs[_SERIAL_LENGTH])
    validity = serial.stop + _ALGORITHM_BYTES + len(issuer)
    begin = validity + len(_VALIDITY)
    end = begin + _TIME_BYTES + 2
    key = end + _TIME_BYTES + len(subject) + _KEY_HEADER_BYTES
    key_id_value = _ID_HEADER + bytes([len(key_id)]) + key_id
    if (
        tbs[:2] != _FRONT
        or tbs[validity:begin] != _VALIDITY
        or tbs[end - 2 : end] != _VALIDITY[2:]
        or tbs[key : key + _KEY_BYTES] != fields["public_key"]
        or tbs.count(key_id_value) != 1
        or tbs.count(extension) != 1
    ):
        return
    key_id_start, extension_start = tbs.index(key_id_value) + 2, tbs.index(extension)
    holes = (
        serial,
        slice(begin, begin + _TIME_BYTES),
        slice(end, end + _TIME_BYTES),
        slice(key, key + _KEY_BYTES),
        slice(key_id_start, key_id_start + len(key_id)),
        slice(extension_start, extension_start + len(extension)),
    )
    with _LOCK:
        if len(_MOULDS) >= _MOST_MOULDS:
            _MOULDS.clear()
        _MOULDS[len(tbs), tbs[_SERIAL_LENGTH]] = _Mould(_blank(tbs, holes), holes, dict(fields))


def forget_moulds() -> None:
    """Forget everything."""
    with _LOCK:
        _MOULDS.clear()


def _blank(tbs: bytes, holes: tuple[slice, ...]) -> bytes:
    """Return `tbs` with zeros in the `holes`, which keeps every tag and every length."""
    blank = bytearray(tbs)
    for hole in holes:
        blank[hole] = bytes(hole.stop - hole.start)
    return bytes(blank)
