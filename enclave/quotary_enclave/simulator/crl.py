"""Revocation lists as values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from quotary_enclave.simulator import der
from quotary_enclave.simulator.pki import Patch, Pki, Role, resigned

__all__ = ["CrlSpec"]

_LONG_LENGTH: Final = 0x80
_NEXT_UPDATE_TIME_OCTETS: Final = 15
"""A UTCTime: tag, length and `YYMMDDhhmmssZ`."""


@dataclass(frozen=True, slots=True)
class CrlSpec:
    """
    One revocation list.

    `issuer` gives the issuer's name and key identifier, `signer` the key when it is another one.
    `revokes` are serial numbers, `revoked_roles` certificates of the same hierarchy.
    """

    issuer: Role
    this_update: datetime
    next_update: datetime
    signer: Role | None = None
    number: int | None = 1
    identifies_authority: bool = True
    identified_authority: Role | None = None
    has_next_update: bool = True
    revokes: tuple[int, ...] = ()
    revoked_roles: tuple[Role, ...] = ()
    patches: tuple[Patch, ...] = ()

    def mint(self, pki: Pki) -> bytes:
        """The signed list, DER."""
        signer = pki.key(self.signer or self.issuer)
        builder = self._builder(pki)
        signed = builder.sign(signer.private, hashes.SHA256(), ecdsa_deterministic=True)
        if self.has_next_update and not self.patches:
            return signed.public_bytes(serialization.Encoding.DER)
        body = signed.tbs_certlist_bytes
        if not self.has_next_update:
            body = _without_next_update(body, self.this_update)
        return resigned(body, self.patches, signer)

    def _builder(self, pki: Pki) -> x509.CertificateRevocationListBuilder:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(pki.name(self.issuer))
            .last_update(self.this_update)
            .next_update(self.next_update)
        )
        serials = (*self.revokes, *(pki.serial(role) for role in self.revoked_roles))
        for serial in serials:
            builder = builder.add_revoked_certificate(self._entry(serial))
        if self.number is not None:
            builder = builder.add_extension(x509.CRLNumber(self.number), critical=False)
        if self.identifies_authority:
            identifier = pki.key_identifier(self.identified_authority or self.issuer)
            authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
            builder = builder.add_extension(authority, critical=False)
        return builder

    def _entry(self, serial: int) -> x509.RevokedCertificate:
        reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
        return (
            x509.RevokedCertificateBuilder()
            .serial_number(serial)
            .revocation_date(self.this_update - timedelta(days=1))
            .add_extension(reason, critical=False)
            .build()
        )


def _without_next_update(body: bytes, this_update: datetime) -> bytes:
    """`body` (a TBSCertList) without nextUpdate, which no builder leaves out."""
    stamp = b"\x17\x0d" + this_update.strftime("%y%m%d%H%M%SZ").encode()
    end = body.index(stamp) + len(stamp)
    header = len(body) - _content_length(body)
    content = body[header:end] + body[end + _NEXT_UPDATE_TIME_OCTETS :]
    return der.sequence(content)


def _content_length(element: bytes) -> int:
    first = element[1]
    if first < _LONG_LENGTH:
        return first
    return int.from_bytes(element[2 : 2 + (first & ~_LONG_LENGTH)], "big")
