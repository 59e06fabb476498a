"""
Quotes: versions 3, 4 and 5 of Intel's ECDSA format, parsed strictly and judged by nobody here.

Layouts follow Intel's DCAP headers (`sgx_quote_3.h`, `sgx_quote_4.h`, `sgx_quote_5.h`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
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
from quotary.quote._reader import Reader
from quotary.quote._signed import (
    FLAT_VERSION,
    MAX_QUOTE_BYTES,
    SIGNATURE_BYTES,
    BodyType,
    CompactQuote,
    QuoteHeader,
    SignedReport,
    bounded,
    parse_signed,
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

_NESTED_CERTIFICATION: Final = 6
_KEY_BYTES: Final = 64


class CertificationType(IntEnum):
    """How the quote names the platform's PCK certificate."""

    PPID_PLAIN = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5


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
        reader = Reader(bounded(data), Reason.QUOTE_TRUNCATED)
        signed_part = parse_signed(reader)
        signature_data, trailing_length = _signature_data(reader)
        return _assemble(signed_part, signature_data, trailing_length)

    @property
    def compact(self) -> bytes:
        """The compact form: the signed bytes, then the signature."""
        return self.signed_bytes + self.signature


def _signature_data(reader: Reader) -> tuple[bytes, int]:
    length = reader.number(4, "signature data length")
    if length > MAX_QUOTE_BYTES:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            "signature data length",
            expected=f"at most {MAX_QUOTE_BYTES}",
            found=str(length),
        )
    signature_data = reader.take(length, "signature data")
    trailing = reader.rest()
    if trailing.strip(b"\0"):
        raise ParseError(
            Reason.QUOTE_TRAILING_BYTES,
            "bytes after the signature data",
            expected="none, or zeros",
            found=f"{len(trailing)} bytes",
        )
    return signature_data, len(trailing)


def _assemble(
    signed_part: tuple[QuoteHeader, BodyType, SgxReport | TdReport, bytes],
    signature_data: bytes,
    trailing_length: int,
) -> Quote:
    header, body_type, body, signed = signed_part
    reader = Reader(signature_data, Reason.LENGTH_OUT_OF_RANGE)
    signature = reader.take(SIGNATURE_BYTES, "quote signature")
    attestation_key = reader.take(_KEY_BYTES, "attestation key")
    if header.version != FLAT_VERSION:
        _enter_nested(reader)
    qe_report = SgxReport.parse(reader.take(SGX_REPORT_BYTES, "QE report"), "QE report")
    qe_report_signature = reader.take(SIGNATURE_BYTES, "QE report signature")
    auth_length = reader.number(2, "QE authentication data length")
    auth = reader.take(auth_length, "QE authentication data", Reason.QE_AUTH_LEN_INVALID)
    code = reader.number(2, "certification data type")
    certification_type = _CERTIFICATION_TYPES.get(code)
    if certification_type is None:
        raise ParseError(
            Reason.CERT_DATA_TYPE_UNSUPPORTED,
            "certification data type",
            expected="1 to 5",
            found=str(code),
        )
    _require_rest(reader, "certification data")
    return Quote(
        header=header,
        body_type=body_type,
        body=body,
        signed_bytes=signed,
        signature=signature,
        attestation_key=attestation_key,
        qe_report=qe_report,
        qe_report_signature=qe_report_signature,
        qe_auth_data=auth,
        certification_type=certification_type,
        certification_data=reader.rest(),
        trailing_length=trailing_length,
    )


def _enter_nested(reader: Reader) -> None:
    code = reader.number(2, "certification data type")
    if code != _NESTED_CERTIFICATION:
        raise ParseError(
            Reason.CERT_DATA_TYPE_UNSUPPORTED,
            "certification data type",
            expected="6 (QE report certification data)",
            found=str(code),
        )
    _require_rest(reader, "QE report certification data")


def _require_rest(reader: Reader, item: str) -> None:
    length = reader.number(4, item)
    if length != reader.remaining:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            item,
            expected=f"{reader.remaining} bytes, all that is left",
            found=str(length),
        )
