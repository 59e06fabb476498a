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
_TYPE_BYTES: Final = 2
_CERTIFICATION_HEADER_BYTES: Final = 6


class CertificationType(IntEnum):
    """How the quote names the platform's PCK certificate."""

    PPID_PLAIN = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5


_OUTER_TYPES: Final = {_QE_REPORT_CERTIFICATION: "QE report certification data"}
_CERTIFICATION_TYPES: Final = {int(kind): kind for kind in CertificationType}


@dataclass(frozen=True, slots=True)
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
        signed_part = parse_signed(data)
        return _assemble(signed_part, *_signature_data(data, len(signed_part[3])))

    @property
    def compact(self) -> bytes:
        """The compact form: the signed bytes, then the signature."""
        return self.signed_bytes + self.signature


def _signature_data(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the signature data at `position`, and the length of the padding after it."""
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
    return data[start:end], len(trailing)


def _assemble(
    signed_part: tuple[QuoteHeader, BodyType, SgxReport | TdReport, bytes],
    data: bytes,
    trailing_length: int,
) -> Quote:
    """Put a quote together out of its signed part and `data`, the signature data."""
    _require_left(data, 0, _KEY.size, "quote signature and attestation key")
    signature, attestation_key = _KEY.unpack_from(data)
    position = _KEY.size
    if signed_part[0].version != FLAT_VERSION:
        _certification_type(data, position, "QE report certification data", _OUTER_TYPES)
        position += _CERTIFICATION_HEADER_BYTES
    _require_left(data, position, SGX_REPORT_BYTES, "QE report")
    qe_report = SgxReport.parse(data[position : position + SGX_REPORT_BYTES], "QE report")
    position += SGX_REPORT_BYTES
    _require_left(data, position, _VOUCHER.size, "QE report signature")
    qe_report_signature, auth_length = _VOUCHER.unpack_from(data, position)
    start, position = position + _VOUCHER.size, position + _VOUCHER.size + auth_length
    if position > len(data):
        left = len(data) - start
        raise truncated("QE authentication data", auth_length, left, Reason.QE_AUTH_LEN_INVALID)
    code = _certification_type(data, position, "certification data", _CERTIFICATION_TYPES)
    return Quote(
        *signed_part,
        signature,
        attestation_key,
        qe_report,
        qe_report_signature,
        data[start:position],
        _CERTIFICATION_TYPES[code],
        data[position + _CERTIFICATION_HEADER_BYTES :],
        trailing_length,
    )


def _certification_type(data: bytes, position: int, item: str, known: Mapping[int, object]) -> int:
    """Read type and length of certification data that is all of the rest; returns the type."""
    _require_left(data, position, _TYPE_BYTES, item)
    code = int.from_bytes(data[position : position + _TYPE_BYTES], "little")
    if code not in known:
        raise ParseError(
            Reason.CERT_DATA_TYPE_UNSUPPORTED,
            f"{item} type",
            expected=" or ".join(map(str, known)),
            found=str(code),
        )
    _require_left(data, position, _CERTIFICATION_HEADER_BYTES, item)
    start = position + _CERTIFICATION_HEADER_BYTES
    length, left = int.from_bytes(data[position + _TYPE_BYTES : start], "little"), len(data) - start
    if length != left:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            item,
            expected=f"{left} bytes, all that is left",
            found=str(length),
        )
    return code


def _require_left(data: bytes, position: int, length: int, item: str) -> None:
    left = len(data) - position
    if left < length:
        raise truncated(item, length, left, Reason.LENGTH_OUT_OF_RANGE)
