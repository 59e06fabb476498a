"""
A certificate hierarchy shaped like Intel's, under a root that is plainly not Intel's.

Common names are Intel's, because verifiers read roles from them; the organisation says that the
certificates are simulated, and the root's key differs with every seed.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import NameOID

from quotary_enclave.simulator import der
from quotary_enclave.simulator.keys import SeededKeys, SigningKey
from quotary_enclave.simulator.pck_extension import PCK_EXTENSION_OID, PckExtension

__all__ = ["CertificateSpec", "Patch", "Pki", "Role", "intel_like_certificates", "resigned"]

ORGANIZATION: Final = "Quotary Simulation"
ROOT_CRL_URL: Final = "https://simulation.invalid/IntelSGXRootCA.der"
PCK_CRL_URL: Final = "https://simulation.invalid/sgx/certification/v4/pckcrl?ca={}&encoding=der"

_PEM_LINE: Final = 64

Patch = tuple[bytes, bytes]
"""Bytes to find and the bytes, as many, to put there before signing."""


class Role(StrEnum):
    """The places in the hierarchy. STRANGER is a self-signed root nobody has pinned."""

    ROOT = "root"
    PLATFORM_CA = "platform-ca"
    PROCESSOR_CA = "processor-ca"
    TCB_SIGNING = "tcb-signing"
    PCK = "pck"
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True)
class CertificateSpec:
    """
    One certificate as values, so that a test can ask for any deviation and still get it signed.

    `signer` is whose key signs when that is not the issuer's, `issuer_name` the common name written
    for the issuer when it is not the issuer's own, `identified_issuer` whose key the authority key
    identifier names. `ca` and `path_length` make the basic
    constraints, `signs_certificates` the key usage. `omitted` names extensions to leave out.
    `patches` edit the encoded certificate before the signature, for what no builder would write.
    """

    common_name: str
    issuer: Role
    not_before: datetime
    not_after: datetime
    ca: bool
    path_length: int | None = None
    serial: int | None = None
    signer: Role | None = None
    issuer_name: str | None = None
    identified_issuer: Role | None = None
    organization: str = ORGANIZATION
    signs_certificates: bool | None = None
    crl_url: str = ROOT_CRL_URL
    pck: PckExtension | None = None
    omitted: frozenset[x509.ObjectIdentifier] = frozenset()
    patches: tuple[Patch, ...] = ()

    @property
    def name(self) -> x509.Name:
        """The subject, attributes in Intel's order."""
        return self.name_of(self.common_name)

    def name_of(self, common_name: str) -> x509.Name:
        """The name of another certificate of the same organisation."""
        return x509.Name(
            [
                x509.NameAttribute(NameOID.COMMON_NAME, common_name),
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self.organization),
                x509.NameAttribute(NameOID.LOCALITY_NAME, "Santa Clara"),
                x509.NameAttribute(NameOID.STATE_OR_PROVINCE_NAME, "CA"),
                x509.NameAttribute(NameOID.COUNTRY_NAME, "US"),
            ]
        )


def intel_like_certificates(at: datetime) -> dict[Role, CertificateSpec]:
    """The certificates above a PCK leaf, valid around `at` for about as long as Intel's."""
    start = at.replace(month=1, day=1, hour=10, minute=45, second=10, microsecond=0)
    issued = start.replace(year=at.year - 8)
    root = CertificateSpec(
        common_name="Intel SGX Root CA",
        issuer=Role.ROOT,
        not_before=issued,
        not_after=datetime(at.year + 23, 12, 31, 23, 59, 59, tzinfo=UTC),
        ca=True,
        path_length=1,
    )
    authority = replace(root, not_after=start.replace(year=at.year + 7), path_length=0)
    signing = CertificateSpec(
        common_name="Intel SGX TCB Signing",
        issuer=Role.ROOT,
        not_before=start.replace(year=at.year - 1),
        not_after=start.replace(year=at.year + 6),
        ca=False,
    )
    return {
        Role.ROOT: root,
        Role.PLATFORM_CA: replace(authority, common_name="Intel SGX PCK Platform CA"),
        Role.PROCESSOR_CA: replace(authority, common_name="Intel SGX PCK Processor CA"),
        Role.TCB_SIGNING: signing,
        Role.STRANGER: replace(root, issuer=Role.STRANGER),
    }


@dataclass(frozen=True, slots=True)
class Pki:
    """
    The certificates and keys of one simulation, made when first asked for.

    `pck_label` names the platform whose leaf has the role PCK, so that platforms differ in key.
    """

    keys: SeededKeys
    specs: Mapping[Role, CertificateSpec]
    pck_label: str = "pck"
    _issued: dict[Role, bytes] = field(default_factory=dict, repr=False, compare=False)

    def key(self, role: Role) -> SigningKey:
        """The signing key of `role`."""
        return self.keys.key(self._label(role))

    def serial(self, role: Role) -> int:
        """The serial number of the certificate of `role`."""
        given = self.specs[role].serial
        return self.keys.serial(self._label(role)) if given is None else given

    def name(self, role: Role) -> x509.Name:
        """The subject of `role`."""
        return self.specs[role].name

    def key_identifier(self, role: Role) -> x509.SubjectKeyIdentifier:
        """The subject key identifier of `role`."""
        return x509.SubjectKeyIdentifier.from_public_key(self.key(role).private.public_key())

    def certificate(self, role: Role) -> bytes:
        """The certificate of `role`, DER; made once."""
        if role not in self._issued:
            self._issued[role] = self._issue(role)
        return self._issued[role]

    def pem(self, *roles: Role) -> str:
        """The certificates of `roles`, in that order, as one PEM text."""
        return "".join(_armoured(self.certificate(role)) for role in roles)

    def _label(self, role: Role) -> str:
        return self.pck_label if role is Role.PCK else role.value

    def _issue(self, role: Role) -> bytes:
        spec = self.specs[role]
        issuer = spec.name_of(spec.issuer_name) if spec.issuer_name else self.name(spec.issuer)
        builder = (
            x509.CertificateBuilder()
            .subject_name(spec.name)
            .issuer_name(issuer)
            .public_key(self.key(role).private.public_key())
            .serial_number(self.serial(role))
            .not_valid_before(spec.not_before)
            .not_valid_after(spec.not_after)
        )
        for extension, critical in self._extensions(role):
            if extension.oid not in spec.omitted:
                builder = builder.add_extension(extension, critical=critical)
        signer = self.key(spec.signer or spec.issuer)
        certificate = builder.sign(signer.private, hashes.SHA256(), ecdsa_deterministic=True)
        if not spec.patches:
            return certificate.public_bytes(serialization.Encoding.DER)
        return resigned(certificate.tbs_certificate_bytes, spec.patches, signer)

    def _extensions(self, role: Role) -> list[tuple[x509.ExtensionType, bool]]:
        """Intel's extensions, in Intel's order, each with whether it is critical."""
        spec = self.specs[role]
        issuer = self.key_identifier(spec.identified_issuer or spec.issuer)
        authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer)
        url = x509.UniformResourceIdentifier(spec.crl_url)
        points = x509.CRLDistributionPoints([x509.DistributionPoint([url], None, None, None)])
        signs = spec.ca if spec.signs_certificates is None else spec.signs_certificates
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (authority, False),
            (points, False),
            (self.key_identifier(role), False),
            (_key_usage(signs_certificates=signs), True),
            (x509.BasicConstraints(spec.ca, spec.path_length), True),
        ]
        if spec.pck is not None:
            oid = x509.ObjectIdentifier(PCK_EXTENSION_OID)
            extensions.append((x509.UnrecognizedExtension(oid, spec.pck.encode()), False))
        return extensions


def resigned(body: bytes, patches: tuple[Patch, ...], signer: SigningKey) -> bytes:
    """
    A certificate or CRL: `body` with `patches` applied, signed with ecdsa-with-SHA256, as DER.

    Raises `ValueError` when a patch does not find its bytes or would change a length.
    """
    for old, new in patches:
        if len(old) != len(new) or old not in body:
            raise ValueError(f"patch {old.hex()} -> {new.hex()} does not fit")
        body = body.replace(old, new, 1)
    algorithm = der.sequence(der.object_id("1.2.840.10045.4.3.2"))
    raw = signer.sign(body)
    numbers = (int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    signature = der.sequence(*(der.integer(number) for number in numbers))
    return der.sequence(body, algorithm, der.tlv(0x03, b"\x00" + signature))


def _armoured(certificate: bytes) -> str:
    text = base64.b64encode(certificate).decode()
    lines = (text[at : at + _PEM_LINE] for at in range(0, len(text), _PEM_LINE))
    return "\n".join(("-----BEGIN CERTIFICATE-----", *lines, "-----END CERTIFICATE-----", ""))


def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=not signs_certificates,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )
