"""What every form of a quote has: header, body, and the attestation key's signature over both."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple, Self

from quotary.errors import ParseError, Reason
from quotary.quote._body import SGX_REPORT_BYTES, SgxReport, TdReport
from quotary.tcb import TeeType

__all__ = [
    "FLAT_VERSION",
    "MAX_QUOTE_BYTES",
    "SIGNATURE_BYTES",
    "BodyType",
    "CompactQuote",
    "QuoteHeader",
    "SignedReport",
    "bounded",
    "parse_signed",
    "truncated",
]

MAX_QUOTE_BYTES: Final = 32 * 1024
"""Genuine quotes have about 5 kB, and up to 8 kB with the padding of fixed buffers."""

SIGNATURE_BYTES: Final = 64
_ECDSA_P256: Final = 2
FLAT_VERSION: Final = 3
"""SGX only; the signature data is not nested and the header carries two SVNs."""

_DESCRIBED_VERSION: Final = 5
"""The body is preceded by its type and size."""

_FORM: Final = Struct("<H H I")
_HEADER: Final = Struct("<8s 4s 16s 20s")
_DESCRIPTION: Final = Struct("<H I")
_VERSIONS: Final = frozenset({FLAT_VERSION, 4, _DESCRIBED_VERSION})
_SVNS: Final = Struct("<H H")
_NO_SVNS: Final = bytes(4)
_WIRE_TEE_TYPES: Final = {0x00: TeeType.SGX, 0x81: TeeType.TDX}
_FORMS: Final = {
    _FORM.pack(version, _ECDSA_P256, code): (version, tee_type)
    for version in _VERSIONS
    for code, tee_type in _WIRE_TEE_TYPES.items()
    if version != FLAT_VERSION or tee_type is TeeType.SGX
}
"""Version and TEE type by the first eight bytes of the headers there are."""


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
_BODY_TYPES: Final = {int(kind): kind for kind in BodyType}
_DESCRIPTIONS: Final = {
    (_DESCRIPTION.pack(body_type, length), tee_type): body_type
    for body_type, (length, tee_type) in _BODIES.items()
}


class QuoteHeader(NamedTuple):
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


@dataclass(frozen=True)
class SignedReport:
    """
    What the attestation key signed, and its signature, r ‖ s.

    `signed_bytes` are the bytes from the header up to the end of the body.
    """

    header: QuoteHeader
    body_type: BodyType
    body: SgxReport | TdReport
    signed_bytes: bytes
    signature: bytes

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


@dataclass(frozen=True)
class CompactQuote(SignedReport):
    """
    A quote without its certification data: the signed bytes, then the signature.

    It means nothing without the proven attestation key it is judged under: see
    `quotary.verify_compact`.
    """

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse a compact quote that is all of `data`. Raises `ParseError`, and nothing else."""
        data = bounded(data)
        header, body_type, body, signed = parse_signed(data)
        left = len(data) - len(signed) - SIGNATURE_BYTES
        if left < 0:
            raise truncated("quote signature", SIGNATURE_BYTES, left + SIGNATURE_BYTES)
        if left:
            raise ParseError(
                Reason.QUOTE_TRAILING_BYTES,
                "bytes after the signature",
                expected="none",
                found=f"{left} bytes",
            )
        quote = object.__new__(cls)
        # All at once: one by one, as a frozen dataclass does it, takes three times the time.
        quote.__dict__.update(
            header=header,
            body_type=body_type,
            body=body,
            signed_bytes=signed,
            signature=data[-SIGNATURE_BYTES:],
        )
        return quote


def bounded(data: bytes) -> bytes:
    """Return `data` as `bytes`; raises `ParseError` when it is longer than any quote."""
    if len(data) > MAX_QUOTE_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            "quote",
            expected=f"at most {MAX_QUOTE_BYTES} bytes",
            found=str(len(data)),
        )
    return bytes(data)


def truncated(item: str, length: int, left: int, reason: Reason | None = None) -> ParseError:
    """Return the refusal of an `item` of `length` bytes where only `left` are."""
    return ParseError(
        reason or Reason.QUOTE_TRUNCATED, item, expected=f"{length} bytes", found=f"{left} bytes"
    )


def parse_signed(data: bytes) -> tuple[QuoteHeader, BodyType, SgxReport | TdReport, bytes]:
    """Read header and body from the start of a quote; returns the bytes of both last."""
    if len(data) < _HEADER.size:
        raise truncated("header", _HEADER.size, len(data))
    form, svns, vendor_id, user_data = _HEADER.unpack_from(data)
    if form not in _FORMS:
        raise _unknown_form(form)
    version, tee_type = _FORMS[form]
    qe_svn = pce_svn = None
    if version == FLAT_VERSION:
        qe_svn, pce_svn = _SVNS.unpack(svns)
    elif svns != _NO_SVNS:
        raise ParseError(
            Reason.RESERVED_NONZERO, "header", expected="zero at offset 8", found=svns.hex()
        )
    start = _HEADER.size
    if version == _DESCRIBED_VERSION:
        body_type = _described_body(tee_type, data)
        start += _DESCRIPTION.size
    else:
        body_type = BodyType.SGX if tee_type is TeeType.SGX else BodyType.TD_10
    end = start + _BODIES[body_type][0]
    if end > len(data):
        raise truncated("report body", end - start, len(data) - start)
    body: SgxReport | TdReport
    if tee_type is TeeType.SGX:
        body = SgxReport.parse(data[start:end], "enclave report")
    else:
        body = TdReport.parse(data[start:end])
    header = tuple.__new__(
        QuoteHeader, (version, _ECDSA_P256, tee_type, qe_svn, pce_svn, vendor_id, user_data)
    )
    return header, body_type, body, data[:end]


def _unknown_form(form: bytes) -> ParseError:
    """Return the refusal of a header that starts with other bytes than `_FORMS` knows."""
    version, key_type, tee_code = _FORM.unpack(form)
    if version not in _VERSIONS:
        return ParseError(
            Reason.UNSUPPORTED_QUOTE_VERSION, "version", expected="3, 4 or 5", found=str(version)
        )
    if key_type != _ECDSA_P256:
        return ParseError(
            Reason.UNSUPPORTED_ATT_KEY_TYPE,
            "attestation key type",
            expected="2 (ECDSA P-256)",
            found=str(key_type),
        )
    if version == FLAT_VERSION:
        return ParseError(
            Reason.TEE_TYPE_VERSION_MISMATCH,
            "TEE type",
            expected="0x00 in version 3",
            found=f"{tee_code:#04x}",
        )
    return ParseError(
        Reason.UNSUPPORTED_TEE_TYPE,
        "TEE type",
        expected="0x00 (SGX) or 0x81 (TDX)",
        found=f"{tee_code:#04x}",
    )


def _described_body(tee_type: TeeType, data: bytes) -> BodyType:
    start = _HEADER.size
    description = data[start : start + _DESCRIPTION.size]
    known = _DESCRIPTIONS.get((description, tee_type))
    if known is not None:
        return known
    if len(description) < _DESCRIPTION.size:
        raise truncated("body type and size", _DESCRIPTION.size, len(description))
    code, size = _DESCRIPTION.unpack(description)
    body_type = _BODY_TYPES.get(code)
    if body_type is None:
        raise ParseError(
            Reason.BODY_TYPE_UNSUPPORTED, "body type", expected="1 to 4", found=str(code)
        )
    expected = _BODIES[body_type][0]
    if size != expected:
        raise ParseError(
            Reason.BODY_SIZE_MISMATCH, "body size", expected=str(expected), found=str(size)
        )
    raise ParseError(
        Reason.TEE_TYPE_VERSION_MISMATCH,
        "body type",
        expected=f"a body of {tee_type.name}",
        found=body_type.name,
    )
