"""
A scenario: one quote and its collateral as values, minted when asked for.

Everything is decided before anything is signed. A test that wants a deviation changes a value, and
the certificates, lists, documents and quotes that follow from it are signed over what deviates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from quotary_enclave.simulator.crl import CrlSpec
from quotary_enclave.simulator.documents import Edit, QeIdentitySpec, TcbInfoSpec
from quotary_enclave.simulator.keys import SeededKeys
from quotary_enclave.simulator.pck_extension import PckExtension
from quotary_enclave.simulator.pki import CertificateSpec, Pki, Role
from quotary_enclave.simulator.quotes import (
    CHAIN_SUFFIX,
    CertificationType,
    QeSpec,
    QuoteSpec,
    SignatureForm,
)

__all__ = ["CollateralSpec", "Evidence", "FieldValue", "Scenario"]

FieldValue = Any
"""A new value for a field; `dataclasses.replace` refuses names that are no fields."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a verifier is given: a quote, its collateral, the root to trust and the time."""

    quote: bytes
    collateral: dict[str, str]
    root_der: bytes
    at: datetime


@dataclass(frozen=True, slots=True)
class CollateralSpec:
    """
    The collateral of one platform, part by part, with who signs each part.

    `replaced` swaps whole parts after signing, `missing` names parts to leave out.
    `pck_certificate_chain` adds the chain that certification data other than PEM chains lack.
    """

    tcb_info: TcbInfoSpec
    qe_identity: QeIdentitySpec
    root_crl: CrlSpec
    pck_crl: CrlSpec
    pck_crl_chain: tuple[Role, ...]
    tcb_info_chain: tuple[Role, ...] = (Role.TCB_SIGNING, Role.ROOT)
    qe_identity_chain: tuple[Role, ...] = (Role.TCB_SIGNING, Role.ROOT)
    tcb_info_signer: Role = Role.TCB_SIGNING
    qe_identity_signer: Role = Role.TCB_SIGNING
    tcb_info_signature: SignatureForm = SignatureForm.GENUINE
    qe_identity_signature: SignatureForm = SignatureForm.GENUINE
    pck_certificate_chain: tuple[Role, ...] = ()
    replaced: tuple[tuple[str, str], ...] = ()
    missing: frozenset[str] = frozenset()

    def mint(self, pki: Pki) -> dict[str, str]:
        """The collateral in the JSON form that PCCS clients exchange."""
        tcb_info, qe_identity = self.tcb_info.text(), self.qe_identity.text()
        tcb_signature = pki.key(self.tcb_info_signer).sign(tcb_info.encode())
        qe_signature = pki.key(self.qe_identity_signer).sign(qe_identity.encode())
        collateral = {
            "pck_crl": self.pck_crl.mint(pki).hex(),
            "pck_crl_issuer_chain": pki.pem(*self.pck_crl_chain),
            "qe_identity": qe_identity,
            "qe_identity_issuer_chain": pki.pem(*self.qe_identity_chain),
            "qe_identity_signature": self.qe_identity_signature.apply(qe_signature).hex(),
            "root_ca_crl": self.root_crl.mint(pki).hex(),
            "tcb_info": tcb_info,
            "tcb_info_issuer_chain": pki.pem(*self.tcb_info_chain),
            "tcb_info_signature": self.tcb_info_signature.apply(tcb_signature).hex(),
        }
        if self.pck_certificate_chain:
            collateral["pck_certificate_chain"] = pki.pem(*self.pck_certificate_chain)
        collateral |= dict(self.replaced)
        return {name: part for name, part in collateral.items() if name not in self.missing}


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    Everything one minting needs.

    `chain_suffix` follows the PEM chain in the quote; Intel's enclaves put a NUL there.
    `quote_signer` and `qe_signer` name keys that sign in place of the attestation key and the
    PCK. `finish` edits the bytes of the finished quote.
    """

    at: datetime
    seed: bytes
    certificates: Mapping[Role, CertificateSpec]
    quote: QuoteSpec
    qe: QeSpec
    certification: bytes | None
    collateral: CollateralSpec
    pck_chain: tuple[Role, ...]
    pck_label: str
    attestation_label: str
    chain_suffix: bytes = CHAIN_SUFFIX
    quote_signer: str | None = None
    qe_signer: Role = Role.PCK
    finish: Callable[[bytes], bytes] | None = None

    @property
    def ca(self) -> Role:
        """The certificate authority of the platform."""
        return self.certificates[Role.PCK].issuer

    @property
    def tdx(self) -> bool:
        """Whether the quote is about a TD."""
        return self.collateral.tcb_info.tdx

    @property
    def pck(self) -> PckExtension:
        """What the PCK certificate says about the platform."""
        extension = self.certificates[Role.PCK].pck
        if extension is None:
            raise ValueError("this scenario's PCK certificate has no SGX extension")
        return extension

    def mint(self) -> Evidence:
        """The evidence, signed throughout; equal scenarios mint equal bytes."""
        pki = Pki(SeededKeys(self.seed), self.certificates, self.pck_label)
        quote = self.quote.mint(
            self.qe,
            self._certification(pki),
            attestation=pki.keys.key(self.attestation_label),
            pck=pki.key(self.qe_signer),
            signer=pki.keys.key(self.quote_signer) if self.quote_signer else None,
        )
        return Evidence(
            quote=self.finish(quote) if self.finish else quote,
            collateral=self.collateral.mint(pki),
            root_der=pki.certificate(Role.ROOT),
            at=self.at,
        )

    def _certification(self, pki: Pki) -> bytes:
        if self.certification is not None:
            return self.certification
        if self.quote.certification_type == CertificationType.PCK_LEAF:
            return pki.pem(Role.PCK).encode()
        return pki.pem(*self.pck_chain).encode() + self.chain_suffix

    def with_certificate(self, role: Role, **changes: FieldValue) -> Self:
        """The scenario with another certificate for `role`."""
        changed = replace(self.certificates[role], **changes)
        return replace(self, certificates={**self.certificates, role: changed})

    def with_pck(self, **changes: FieldValue) -> Self:
        """The scenario with another SGX extension in the PCK certificate."""
        return self.with_certificate(Role.PCK, pck=replace(self.pck, **changes))

    def with_quote(self, **changes: FieldValue) -> Self:
        """The scenario with another quote."""
        return replace(self, quote=replace(self.quote, **changes))

    def with_header(self, **changes: FieldValue) -> Self:
        """The scenario with another quote header."""
        return self.with_quote(header=replace(self.quote.header, **changes))

    def with_body(self, **changes: FieldValue) -> Self:
        """The scenario with another report body."""
        return self.with_quote(body=replace(self.quote.body, **changes))

    def with_qe(self, **changes: FieldValue) -> Self:
        """The scenario with another quoting enclave."""
        return replace(self, qe=replace(self.qe, **changes))

    def with_qe_report(self, **changes: FieldValue) -> Self:
        """The scenario with another QE report."""
        return self.with_qe(report=replace(self.qe.report, **changes))

    def with_collateral(self, **changes: FieldValue) -> Self:
        """The scenario with other collateral."""
        return replace(self, collateral=replace(self.collateral, **changes))

    def with_tcb_info(self, *edits: Edit, **changes: FieldValue) -> Self:
        """The scenario with another TCB info document."""
        spec = self.collateral.tcb_info
        return self.with_collateral(
            tcb_info=replace(spec, **changes, edits=(*spec.edits, *edits)),
        )

    def with_qe_identity(self, *edits: Edit, **changes: FieldValue) -> Self:
        """The scenario with another QE identity document."""
        spec = self.collateral.qe_identity
        return self.with_collateral(
            qe_identity=replace(spec, **changes, edits=(*spec.edits, *edits)),
        )

    def with_root_crl(self, **changes: FieldValue) -> Self:
        """The scenario with another revocation list of the root."""
        return self.with_collateral(root_crl=replace(self.collateral.root_crl, **changes))

    def with_pck_crl(self, **changes: FieldValue) -> Self:
        """The scenario with another revocation list of the platform's CA."""
        return self.with_collateral(pck_crl=replace(self.collateral.pck_crl, **changes))
