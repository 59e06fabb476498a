"""
Quotes: versions 3, 4 and 5 of Intel's ECDSA format, parsed strictly and judged by nobody here.

Layouts follow Intel's DCAP headers (`sgx_quote_3.h`, `sgx_quote_4.h`, `sgx_quote_5.h`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final

from quotary.errors import ParseError, Reason
from quotary.quote._body import (
    SGX_REPORT_BYTES,
    SgxFlags,
    SgxReport,
    TdAttributes,
    TdMigration,
    TdReport,
)
from quotary.quote._signed import (
    FLAT_VERSION,
    MAX_QUOTE_BYTES,
    BodyType,
    CompactQuote,
    QuoteHeader,
    SignedReport,
    bounded,
    parse_signed,
    truncated,
)

__all__ = [
    "INTEL_QE_VENDOR_ID",
    "MAX_QUOTE_BYTES",
    "BodyType",
    "CertificationType",
    "CompactQuote",
    "Quote",
    "QuoteHeader",
    "SgxFlags",
    "SgxReport",
    "SignedReport",
    "TdAttributes",
    "TdMigration",
    "TdReport",
]

INTEL_QE_VENDOR_ID: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

_QE_REPORT_CERTIFICATION: Final = 6
_LENGTH_BYTES: Final = 4

_KEY: Final = Struct("<64s 64s")
_VOUCHER: Final = Struct("<64s H")
_CERTIFICATION: Final = Struct("<H I")
_TYPE_BYTES: Final = 2
_QE_REPORT: Final = "QE report"

# All up to the length of the authentication data: in version 3, and inside of certification data.
_FLAT: Final = Struct("<I 64s 64s 384s 64s H")
_NESTED: Final = Struct("<I 64s 64s H I 384s 64s H")
_BEFORE_QE_REPORT: Final = _KEY.size + _CERTIFICATION.size


class CertificationType(IntEnum):
    """How the quote names the platform's PCK certificate."""

    PPID_PLAIN = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5


_OUTER_TYPES: Final = {_QE_REPORT_CERTIFICATION: None}
_CERTIFICATION_TYPES: Final = {int(kind): kind for kind in CertificationType}


@dataclass(frozen=True)
class Quote(SignedReport):
    """
    A raw quote taken apart. Parsing proves nothing: see `quotary.verify`.

    To what every form of a quote has it adds what certifies the attestation key.
    """

    attestation_key: bytes
    qe_report: SgxReport
    qe_report_signature: bytes
    qe_auth_data: bytes
    certification_type: CertificationType
    certification_data: bytes
    trailing_length: int

    @classmethod
    def parse(cls, data: bytes) -> Quote:
        """
        Parse a raw quote. Raises `ParseError`, and nothing else, for whatever is not one.

        Every nested length is exact. After the signature data only zero padding may follow, as
        quoting services with fixed buffers add it; its length is kept in `trailing_length`.
        """
        data = bounded(data)
        header, body_type, body, signed_bytes = parse_signed(data)
        start, version = len(signed_bytes), header.version
        rest = _read_usual(data, start, version) or _read_any(data, start, version)
        quote = object.__new__(cls)
        # All at once: one by one, as a frozen dataclass does it, takes three times the time.
        quote.__dict__.update(
            header=header,
            body_type=body_type,
            body=body,
            signed_bytes=signed_bytes,
            signature=rest[0],
            attestation_key=rest[1],
            qe_report=rest[2],
            qe_report_signature=rest[3],
            qe_auth_data=rest[4],
            certification_type=rest[5],
            certification_data=data[rest[6] : rest[7]],
            trailing_length=len(data) - rest[7],
        )
        return quote

    @property
    def compact(self) -> bytes:
        """The compact form: the signed bytes, then the signature."""
        return self.signed_bytes + self.signature


_Rest = tuple[bytes, bytes, SgxReport, bytes, bytes, CertificationType, int, int]
"""Signature, key, QE report, its signature, auth data, type; start and end of certification data"""


def _read_usual(data: bytes, position: int, version: int) -> _Rest | None:
    """
    Read the signature data at `position`, whose lengths must all be exact; None for any other.

    Which fault to name, and in which order they are looked for, is left to `_read_any`.
    """
    nested = version != FLAT_VERSION
    layout = _NESTED if nested else _FLAT
    auth_start = position + layout.size
    total = len(data)
    if auth_start > total:
        return None
    if nested:
        length, signature, key, outer, outer_length, report, report_signature, auth_length = (
            layout.unpack_from(data, position)
        )
        if outer != _QE_REPORT_CERTIFICATION or outer_length != length - _BEFORE_QE_REPORT:
            return None
    else:
        length, signature, key, report, report_signature, auth_length = layout.unpack_from(
            data, position
        )
    end, auth_end = position + _LENGTH_BYTES + length, auth_start + auth_length
    start = auth_end + _CERTIFICATION.size
    if start > end or end > total:
        return None
    code, inner = _CERTIFICATION.unpack_from(data, auth_end)
    kind = _CERTIFICATION_TYPES.get(code)
    if kind is None or inner != end - start or (end != total and data[end:].strip(b"\0")):
        return None
    qe_report = SgxReport.parse(report, _QE_REPORT)
    auth_data = data[auth_start:auth_end]
    return signature, key, qe_report, report_signature, auth_data, kind, start, end


def _read_any(data: bytes, position: int, version: int) -> _Rest:
    """The same one by one, raising `ParseError` for the first fault."""
    position, end = _signature_data(data, position)
    if end - position < _KEY.size:
        raise _too_short("quote signature and attestation key", _KEY.size, end - position)
    signature, attestation_key = _KEY.unpack_from(data, position)
    position += _KEY.size
    if version != FLAT_VERSION:
        item = "QE report certification data"
        _certification_type(data, position, end, item, _OUTER_TYPES)
        position += _CERTIFICATION.size
    if end - position < SGX_REPORT_BYTES:
        raise _too_short(_QE_REPORT, SGX_REPORT_BYTES, end - position)
    qe_report = SgxReport.parse(data[position : position + SGX_REPORT_BYTES], _QE_REPORT)
    position += SGX_REPORT_BYTES
    if end - position < _VOUCHER.size:
        raise _too_short("QE report signature", _VOUCHER.size, end - position)
    report_signature, auth_length = _VOUCHER.unpack_from(data, position)
    position += _VOUCHER.size
    auth_data = data[position : position + auth_length]
    if end - position < auth_length:
        raise truncated(
            "QE authentication data", auth_length, end - position, Reason.QE_AUTH_LEN_INVALID
        )
    position += auth_length
    code = _certification_type(data, position, end, "certification data", _CERTIFICATION_TYPES)
    kind, position = _CERTIFICATION_TYPES[code], position + _CERTIFICATION.size
    return signature, attestation_key, qe_report, report_signature, auth_data, kind, position, end


def _signature_data(data: bytes, position: int) -> tuple[int, int]:
    """Return where the signature data starts and ends whose length stands at `position`."""
    start = position + _LENGTH_BYTES
    if start > len(data):
        raise truncated("signature data length", _LENGTH_BYTES, len(data) - position)
    length = int.from_bytes(data[position:start], "little")
    if length > MAX_QUOTE_BYTES:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            "signature data length",
            expected=f"at most {MAX_QUOTE_BYTES}",
            found=str(length),
        )
    end = start + length
    if end > len(data):
        raise truncated("signature data", length, len(data) - start)
    trailing = data[end:]
    if trailing.strip(b"\0"):
        raise ParseError(
            Reason.QUOTE_TRAILING_BYTES,
            "bytes after the signature data",
            expected="none, or zeros",
            found=f"{len(trailing)} bytes",
        )
    return start, end


def _certification_type(
    data: bytes, position: int, end: int, item: str, known: Mapping[int, object]
) -> int:
    """Read type and length of certification data that is all up to `end`; returns the type."""
    left = end - position - _CERTIFICATION.size
    if left < 0:
        raise _short_certification(data[position:end], item, known)
    code: int
    code, length = _CERTIFICATION.unpack_from(data, position)
    if code not in known:
        raise _unsupported(item, known, code)
    if length != left:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            item,
            expected=f"{left} bytes, all that is left",
            found=str(length),
        )
    return code


def _short_certification(data: bytes, item: str, known: Mapping[int, object]) -> ParseError:
    """Return the refusal of certification data too short for type and length."""
    if len(data) < _TYPE_BYTES:
        return _too_short(item, _TYPE_BYTES, len(data))
    code = int.from_bytes(data[:_TYPE_BYTES], "little")
    if code not in known:
        return _unsupported(item, known, code)
    return _too_short(item, _CERTIFICATION.size, len(data))


def _unsupported(item: str, known: Mapping[int, object], code: int) -> ParseError:
    return ParseError(
        Reason.CERT_DATA_TYPE_UNSUPPORTED,
        f"{item} type",
        expected=" or ".join(map(str, known)),
        found=str(code),
    )


def _too_short(item: str, length: int, left: int) -> ParseError:
    return truncated(item, length, left, Reason.LENGTH_OUT_OF_RANGE)
