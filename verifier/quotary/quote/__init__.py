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
from quotary.tcb import TeeType

__all__ = [
    "INTEL_QE_VENDOR_ID",
    "MAX_QUOTE_BYTES",
    "BodyType",
    "CertificationType",
    "Quote",
    "QuoteHeader",
    "SgxFlags",
    "SgxReport",
    "TdAttributes",
    "TdMigration",
    "TdReport",
]

MAX_QUOTE_BYTES: Final = 32 * 1024
"""Genuine quotes have about 5 kB, and up to 8 kB with the padding of fixed buffers."""

INTEL_QE_VENDOR_ID: Final = bytes.fromhex("939a7233f79c4ca9940a0db3957f0607")

_ECDSA_P256: Final = 2
_FLAT_VERSION: Final = 3
"""SGX only; the signature data is not nested and the header carries two SVNs."""

_DESCRIBED_VERSION: Final = 5
"""The body is preceded by its type and size."""

_HEADER_BYTES: Final = 48
_WIRE_TEE_TYPES: Final = {0x00: TeeType.SGX, 0x81: TeeType.TDX}
_NESTED_CERTIFICATION: Final = 6


class BodyType(IntEnum):
    """The report bodies a quote can carry, as version 5 numbers them."""

    SGX = 1
    TD_10 = 2
    TD_15 = 3
    TD_15EX = 4


_BODIES: Final = {
    BodyType.SGX: (SGX_REPORT_BYTES, TeeType.SGX),
    BodyType.TD_10: (584, TeeType.TDX),
    BodyType.TD_15: (648, TeeType.TDX),
    BodyType.TD_15EX: (885, TeeType.TDX),
}


class CertificationType(IntEnum):
    """How the quote names the platform's PCK certificate."""

    PPID_PLAIN = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5


@dataclass(frozen=True, slots=True)
class QuoteHeader:
    """
    The first 48 bytes. Only `tee_type` and the format fields matter to verification.

    `qe_svn` and `pce_svn` are version 3's, None later; `user_data` starts with the QE id the PCS
    knows the platform by. None of them is a trustworthy statement about the platform.
    """

    version: int
    attestation_key_type: int
    tee_type: TeeType
    qe_svn: int | None
    pce_svn: int | None
    qe_vendor_id: bytes
    user_data: bytes


@dataclass(frozen=True, slots=True)
class Quote:
    """
    A quote taken apart. Parsing proves nothing: see `quotary.verify`.

    `signed_bytes` is what the attestation key signed: header up to the end of the body.
    """

    header: QuoteHeader
    body_type: BodyType
    body: SgxReport | TdReport
    signed_bytes: bytes
    signature: bytes
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
        if len(data) > MAX_QUOTE_BYTES:
            raise ParseError(
                Reason.INPUT_TOO_LARGE,
                "quote",
                expected=f"at most {MAX_QUOTE_BYTES} bytes",
                found=str(len(data)),
            )
        data = bytes(data)
        reader = Reader(data, Reason.QUOTE_TRUNCATED)
        header = _parse_header(reader)
        body_type = _body_type(header, reader)
        size, _ = _BODIES[body_type]
        body_bytes = reader.take(size, "report body")
        body: SgxReport | TdReport
        if body_type is BodyType.SGX:
            body = SgxReport.parse(body_bytes, "enclave report")
        else:
            body = TdReport.parse(body_bytes)
        signed = data[: len(data) - reader.remaining]
        signature_data, trailing_length = _signature_data(reader)
        return _assemble((header, body_type, body, signed), signature_data, trailing_length)

    @property
    def version(self) -> int:
        """3, 4 or 5."""
        return self.header.version

    @property
    def tee_type(self) -> TeeType:
        """The kind of TEE that made the quote."""
        return self.header.tee_type

    @property
    def report_data(self) -> bytes:
        """The 64 bytes the workload chose."""
        return self.body.report_data

    @property
    def measurement(self) -> bytes:
        """The part of the report that says which code runs and how it is configured."""
        return self.body.measurement


def _parse_header(reader: Reader) -> QuoteHeader:
    version = reader.number(2, "version")
    key_type = reader.number(2, "attestation key type")
    tee_code = reader.number(4, "TEE type")
    svns = reader.take(4, "header")
    vendor_id = reader.take(16, "QE vendor id")
    user_data = reader.take(20, "user data")
    if version not in (_FLAT_VERSION, 4, _DESCRIBED_VERSION):
        raise ParseError(
            Reason.UNSUPPORTED_QUOTE_VERSION, "version", expected="3, 4 or 5", found=str(version)
        )
    if key_type != _ECDSA_P256:
        raise ParseError(
            Reason.UNSUPPORTED_ATT_KEY_TYPE,
            "attestation key type",
            expected="2 (ECDSA P-256)",
            found=str(key_type),
        )
    tee_type = _WIRE_TEE_TYPES.get(tee_code)
    if version == _FLAT_VERSION and tee_code != 0:
        raise ParseError(
            Reason.TEE_TYPE_VERSION_MISMATCH,
            "TEE type",
            expected="0x00 in version 3",
            found=f"{tee_code:#04x}",
        )
    if tee_type is None:
        raise ParseError(
            Reason.UNSUPPORTED_TEE_TYPE,
            "TEE type",
            expected="0x00 (SGX) or 0x81 (TDX)",
            found=f"{tee_code:#04x}",
        )
    if version != _FLAT_VERSION and any(svns):
        raise ParseError(Reason.RESERVED_NONZERO, "header", expected="zero at offset 8")
    return QuoteHeader(
        version=version,
        attestation_key_type=key_type,
        tee_type=tee_type,
        qe_svn=int.from_bytes(svns[:2], "little") if version == _FLAT_VERSION else None,
        pce_svn=int.from_bytes(svns[2:], "little") if version == _FLAT_VERSION else None,
        qe_vendor_id=vendor_id,
        user_data=user_data,
    )


def _body_type(header: QuoteHeader, reader: Reader) -> BodyType:
    if header.version != _DESCRIBED_VERSION:
        return BodyType.SGX if header.tee_type is TeeType.SGX else BodyType.TD_10
    code = reader.number(2, "body type")
    size = reader.number(4, "body size")
    if not BodyType.SGX <= code <= BodyType.TD_15EX:
        raise ParseError(
            Reason.BODY_TYPE_UNSUPPORTED, "body type", expected="1 to 4", found=str(code)
        )
    body_type = BodyType(code)
    expected, tee_type = _BODIES[body_type]
    if size != expected:
        raise ParseError(
            Reason.BODY_SIZE_MISMATCH, "body size", expected=str(expected), found=str(size)
        )
    if header.tee_type is not tee_type:
        raise ParseError(
            Reason.TEE_TYPE_VERSION_MISMATCH,
            "body type",
            expected=f"a body of {header.tee_type.name}",
            found=body_type.name,
        )
    return body_type


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
    if any(trailing):
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
    signature = reader.take(64, "quote signature")
    attestation_key = reader.take(64, "attestation key")
    if header.version != _FLAT_VERSION:
        _enter_nested(reader)
    qe_report = SgxReport.parse(reader.take(SGX_REPORT_BYTES, "QE report"), "QE report")
    qe_report_signature = reader.take(64, "QE report signature")
    auth_length = reader.number(2, "QE authentication data length")
    auth = reader.take(auth_length, "QE authentication data", Reason.QE_AUTH_LEN_INVALID)
    code = reader.number(2, "certification data type")
    if not CertificationType.PPID_PLAIN <= code <= CertificationType.PCK_CHAIN:
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
        certification_type=CertificationType(code),
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
