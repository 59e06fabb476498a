"""Quotes of version 3, 4 and 5, laid out and signed from values."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from enum import Enum, IntEnum, auto
from typing import Final

from quotary_enclave.simulator.keys import ORDER, SigningKey
from quotary_enclave.simulator.reports import SgxReport, TdReport

__all__ = [
    "CHAIN_SUFFIX",
    "INTEL_VENDOR_ID",
    "QE_AUTH_DATA",
    "CertificationType",
    "Header",
    "QeSpec",
    "QuoteSpec",
    "SignatureForm",
    "Version",
    "compact",
    "off_curve",
]

INTEL_VENDOR_ID: Final = bytes.fromhex("939A7233F79C4CA9940A0DB3957F0607")

QE_AUTH_DATA: Final = bytes(range(32))
"""What Intel's quoting enclaves put into the authentication data."""

CHAIN_SUFFIX: Final = b"\x00"
"""What Intel's quoting enclaves put after the PEM chain."""

_TDX: Final = 0x81
_HEADER_LENGTH: Final = 48
_DESCRIPTOR_LENGTH: Final = 6


class Version(IntEnum):
    """Quote versions: 3 is SGX only and flat, 4 nests the QE's part, 5 describes its body."""

    V3 = 3
    V4 = 4
    V5 = 5


class CertificationType(IntEnum):
    """What tells the verifier which PCK certificate vouches for the quoting enclave."""

    PPID = 1
    PPID_RSA_2048 = 2
    PPID_RSA_3072 = 3
    PCK_LEAF = 4
    PCK_CHAIN = 5
    QE_REPORT = 6


class SignatureForm(Enum):
    """How a signature is written: genuine, equivalent, or spoiled."""

    GENUINE = auto()
    HIGH_S = auto()
    LOW_S = auto()
    FLIPPED = auto()
    ZERO_R = auto()
    ZERO_S = auto()
    R_AT_ORDER = auto()
    S_AT_ORDER = auto()

    def apply(self, raw: bytes) -> bytes:
        """`raw` (r ‖ s) in this form."""
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
        match self:
            case SignatureForm.GENUINE:
                pass
            case SignatureForm.HIGH_S:
                s = max(s, ORDER - s)
            case SignatureForm.LOW_S:
                s = min(s, ORDER - s)
            case SignatureForm.FLIPPED:
                s ^= 1
            case SignatureForm.ZERO_R:
                r = 0
            case SignatureForm.ZERO_S:
                s = 0
            case SignatureForm.R_AT_ORDER:
                r = ORDER
            case SignatureForm.S_AT_ORDER:
                s = ORDER
        return r.to_bytes(32, "big") + s.to_bytes(32, "big")


@dataclass(frozen=True, slots=True)
class Header:
    """The 48 bytes every quote begins with; `tee_type` None means the one that fits the body."""

    attestation_key_type: int = 2
    tee_type: int | None = None
    reserved: bytes = bytes(4)
    vendor_id: bytes = INTEL_VENDOR_ID
    user_data: bytes = bytes(20)

    def encode(self, version: int, natural_tee_type: int) -> bytes:
        """The header of a quote of `version` whose body belongs to `natural_tee_type`."""
        tee_type = natural_tee_type if self.tee_type is None else self.tee_type
        words = struct.pack("<HHI", version, self.attestation_key_type, tee_type)
        return words + self.reserved + self.vendor_id + self.user_data


@dataclass(frozen=True, slots=True)
class QeSpec:
    """
    The quoting enclave that vouches for an attestation key.

    `report_data` None means the digest of the key and `auth_data`, as a real one writes it.
    `attestation_key` replaces the 64 bytes the quote carries for the key.
    """

    report: SgxReport
    auth_data: bytes = QE_AUTH_DATA
    report_data: bytes | None = None
    attestation_key: bytes | None = None
    signature: SignatureForm = SignatureForm.GENUINE

    def carried_key(self, key: SigningKey) -> bytes:
        """The attestation key as the quote carries it."""
        return key.public if self.attestation_key is None else self.attestation_key

    def encode_report(self, key: SigningKey) -> bytes:
        """The QE report that binds the attestation key."""
        data = self.report_data
        if data is None:
            data = hashlib.sha256(self.carried_key(key) + self.auth_data).digest() + bytes(32)
        return replace(self.report, report_data=data).encode()


@dataclass(frozen=True, slots=True)
class QuoteSpec:
    """
    One quote. The defaults make a version 4 quote with a PEM chain (certification data type 5).

    `certification` replaces the certification data; `nested_padding` adds bytes inside the
    signature data, `padding` zero bytes after it, as the fixed buffers of real guests do.
    `body_type` and `body_size` replace what the version 5 descriptor says.
    """

    body: SgxReport | TdReport
    version: int = Version.V4
    header: Header = field(default_factory=Header)
    body_type: int | None = None
    body_size: int | None = None
    certification_type: int = CertificationType.PCK_CHAIN
    outer_type: int = CertificationType.QE_REPORT
    certification: bytes | None = None
    signature: SignatureForm = SignatureForm.GENUINE
    signature_length: int | None = None
    auth_length: int | None = None
    certification_length: int | None = None
    outer_length: int | None = None
    nested_padding: int = 0
    padding: int = 0

    def signed_bytes(self) -> bytes:
        """Header to the end of the body: what the attestation key signs."""
        body = self.body.encode()
        sgx = isinstance(self.body, SgxReport)
        header = self.header.encode(self.version, 0 if sgx else _TDX)
        if self.version < Version.V5:
            return header + body
        natural_type = 1 if isinstance(self.body, SgxReport) else self.body.body_type
        body_type = natural_type if self.body_type is None else self.body_type
        size = len(body) if self.body_size is None else self.body_size
        return header + struct.pack("<HI", body_type, size) + body

    def mint(
        self,
        qe: QeSpec,
        certification: bytes,
        *,
        attestation: SigningKey,
        pck: SigningKey,
        signer: SigningKey | None = None,
    ) -> bytes:
        """
        The whole quote, signed by `attestation`, whose key `pck` certifies through `qe`.

        `signer` signs the quote in place of the key the quote names.
        """
        signed = self.signed_bytes()
        report = qe.encode_report(attestation)
        report_signature = pck.sign_anew(report, hashlib.sha256(signed).digest())
        signature = self.signature.apply((signer or attestation).sign(signed))
        data = self._signature_data(
            signature + qe.carried_key(attestation),
            report + qe.signature.apply(report_signature),
            qe.auth_data,
            certification if self.certification is None else self.certification,
        )
        length = len(data) if self.signature_length is None else self.signature_length
        return signed + struct.pack("<I", length) + data + bytes(self.padding)

    def _signature_data(
        self, signature: bytes, report: bytes, auth_data: bytes, certification: bytes
    ) -> bytes:
        auth_length = len(auth_data) if self.auth_length is None else self.auth_length
        length = self.certification_length
        length = len(certification) if length is None else length
        inner = report + struct.pack("<H", auth_length) + auth_data
        inner += struct.pack("<HI", self.certification_type, length) + certification
        inner += bytes(self.nested_padding)
        if self.version == Version.V3:
            return signature + inner
        outer_length = len(inner) if self.outer_length is None else self.outer_length
        return signature + struct.pack("<HI", self.outer_type, outer_length) + inner


def compact(quote: bytes) -> bytes:
    """
    The compact form of a well-formed quote: header, body and signature, nothing else.

    It proves nothing by itself; it serves under an attestation key that was proven before.
    """
    version, _, tee_type = struct.unpack_from("<HHI", quote)
    if version >= Version.V5:
        (size,) = struct.unpack_from("<I", quote, _HEADER_LENGTH + 2)
        end = _HEADER_LENGTH + _DESCRIPTOR_LENGTH + size
    else:
        end = _HEADER_LENGTH + (384 if tee_type == 0 else 584)
    return quote[:end] + quote[end + 4 : end + 68]


def off_curve(key: SigningKey) -> bytes:
    """64 bytes that look like the public half of `key` but are no point of P-256."""
    return key.public[:-1] + bytes((key.public[-1] ^ 1,))
