"""What collateral is wanted for: a platform family, or what a quote says of its platform."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Self

from quotary.errors import CollateralError, ParseError, Reason
from quotary.quote import CertificationType, Quote
from quotary.tcb import TeeType
from quotary.x509 import Certificate, PckIdentity, split_pem

__all__ = ["FMSPC_BYTES", "PckCa", "PckLeaf", "PckRequest", "PlatformKey", "Target", "target_of"]

FMSPC_BYTES: Final = 6
_QE_ID_BYTES: Final = 16
_ENCRYPTED_PPID_BYTES: Final = {
    CertificationType.PPID_RSA_2048: 256,
    CertificationType.PPID_RSA_3072: 384,
}
_CPU_SVN_BYTES: Final = 16
_SVN_BYTES: Final = 2
_PEM_END: Final = b"-----END CERTIFICATE-----"
_PADDING: Final = b"\0 \t\r\n"
"""Quoting enclaves end PEM with a NUL."""


class PckCa(StrEnum):
    """The authority that issued a platform's PCK certificate, as services name it."""

    PLATFORM = "platform"
    PROCESSOR = "processor"


_CA_NAMES: Final = {
    b"Intel SGX PCK Platform CA": PckCa.PLATFORM,
    b"Intel SGX PCK Processor CA": PckCa.PROCESSOR,
}


@dataclass(frozen=True, slots=True)
class PlatformKey:
    """What collateral is filed under: platforms with equal keys share it."""

    tee_type: TeeType
    fmspc: bytes
    ca: PckCa

    def __post_init__(self) -> None:
        """Refuse an FMSPC of another length with `ValueError`."""
        if len(self.fmspc) != FMSPC_BYTES:
            raise ValueError(f"an FMSPC has {FMSPC_BYTES} bytes, not {len(self.fmspc)}")

    @property
    def tee(self) -> str:
        """The TEE type as services spell it."""
        return self.tee_type.name.lower()

    def __str__(self) -> str:
        """For people: `tdx 90c06f000000 platform`."""
        return f"{self.tee} {self.fmspc.hex()} {self.ca}"


@dataclass(frozen=True, slots=True)
class PckLeaf:
    """A platform that sent its PCK certificate without the authorities above it (type 4)."""

    tee_type: TeeType
    pem: bytes

    @classmethod
    def of_chain(cls, tee_type: TeeType, chain: bytes) -> Self:
        """Take the leaf off a chain of PEM certificates, leaf first."""
        leaf, end, _ = chain.partition(_PEM_END)
        return cls(tee_type, leaf + end)

    @property
    def key(self) -> PlatformKey:
        """What the certificate, believed or not, says to ask for. Raises `ParseError`."""
        return key_of_leaf(self.tee_type, split_pem(self.pem, "PCK certificate", 1)[0])

    def chain(self, authorities: bytes) -> bytes:
        """Return the leaf with the PEM of `authorities` after it."""
        return self.pem.rstrip(_PADDING) + b"\n" + authorities


@dataclass(frozen=True, slots=True)
class PckRequest:
    """A platform known by its encrypted PPID only (certification data types 2 and 3)."""

    tee_type: TeeType
    qe_id: bytes
    encrypted_ppid: bytes
    cpu_svn: bytes
    pce_svn: bytes
    pce_id: bytes


Target = PlatformKey | PckLeaf | PckRequest


def target_of(quote: Quote) -> Target:
    """
    Return what to ask for to verify `quote`. Nothing in the quote is believed, only asked about.

    Raises `ParseError` for a PCK chain that is none, and `CollateralError` for type 1 certification
    data: no service answers to a plain PPID.
    """
    data = quote.certification_data
    match quote.certification_type:
        case CertificationType.PCK_CHAIN:
            return key_of_leaf(quote.tee_type, split_pem(data, "PCK chain", 3)[0])
        case CertificationType.PCK_LEAF:
            return PckLeaf(quote.tee_type, data)
        case CertificationType.PPID_PLAIN:
            raise CollateralError(
                Reason.CERT_DATA_TYPE_UNSUPPORTED,
                "certification data type",
                expected="2 to 5",
                found="1 (plain PPID)",
            )
        case kind:
            return _pck_request(quote, _ENCRYPTED_PPID_BYTES[kind])


def key_of_leaf(tee_type: TeeType, der: bytes) -> PlatformKey:
    """Return what a PCK certificate, believed or not, says to ask for. Raises `ParseError`."""
    leaf = Certificate.parse(der, "PCK certificate")
    if leaf.sgx_extension is None:
        raise ParseError(Reason.PCK_EXT_INVALID, "PCK certificate", expected="the SGX extension")
    cas = [ca for name, ca in _CA_NAMES.items() if name in leaf.issuer]
    if len(cas) != 1:
        raise ParseError(
            Reason.ISSUER_ROLE,
            "PCK certificate",
            expected=" or ".join(name.decode() for name in _CA_NAMES),
        )
    return PlatformKey(tee_type, PckIdentity.parse(leaf.sgx_extension).fmspc, cas[0])


def _pck_request(quote: Quote, ppid_bytes: int) -> PckRequest:
    data = quote.certification_data
    expected = ppid_bytes + _CPU_SVN_BYTES + 2 * _SVN_BYTES
    if len(data) != expected:
        raise ParseError(
            Reason.LENGTH_OUT_OF_RANGE,
            "certification data",
            expected=f"{expected} bytes",
            found=str(len(data)),
        )
    cpu_svn_end = ppid_bytes + _CPU_SVN_BYTES
    return PckRequest(
        tee_type=quote.tee_type,
        qe_id=quote.header.user_data[:_QE_ID_BYTES],
        encrypted_ppid=data[:ppid_bytes],
        cpu_svn=data[ppid_bytes:cpu_svn_end],
        pce_svn=data[cpu_svn_end : cpu_svn_end + _SVN_BYTES],
        pce_id=data[cpu_svn_end + _SVN_BYTES :],
    )
