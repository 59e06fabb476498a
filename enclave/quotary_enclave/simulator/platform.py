"""Simulated machines: what Intel would know of them, and the quotes they give."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from quotary_enclave.simulator.crl import CrlSpec
from quotary_enclave.simulator.documents import (
    IsvLevel,
    ModuleIdentity,
    QeIdentitySpec,
    TcbInfoSpec,
    TcbLevelSpec,
)
from quotary_enclave.simulator.pck_extension import PckExtension
from quotary_enclave.simulator.pki import PCK_CRL_URL, CertificateSpec, Pki, Role
from quotary_enclave.simulator.quotes import (
    CHAIN_SUFFIX,
    QE_AUTH_DATA,
    CertificationType,
    Header,
    QeSpec,
    QuoteSpec,
    Version,
)
from quotary_enclave.simulator.reports import SgxReport, TdReport
from quotary_enclave.simulator.scenario import CollateralSpec, Scenario

__all__ = ["AttestationKey", "Platform", "pck_certificate"]

QE_ISV_SVN = 10
"""The version of the simulated quoting enclaves, which the default QE identity calls current."""

_QE_FLAGS = 0x15  # INIT, MODE64BIT, PROVISION_KEY
_ENCRYPTED_PPID_OCTETS = {2: 256, 3: 384}


@dataclass(frozen=True, slots=True)
class AttestationKey:
    """A key a quoting enclave made, with the report that vouches for it."""

    label: str
    tdx: bool
    qe: QeSpec


@dataclass(frozen=True, slots=True)
class Platform:
    """One machine with its PCK certificate; made by `Simulator.platform`."""

    at: datetime
    pki: Pki
    _chain: list[bytes] = field(default_factory=list, repr=False, compare=False)

    @property
    def ca(self) -> Role:
        """The CA of the platform's PCK certificate."""
        return self.pki.specs[Role.PCK].issuer

    @property
    def pck(self) -> PckExtension:
        """What the PCK certificate says."""
        extension = self.pki.specs[Role.PCK].pck
        if extension is None:
            raise ValueError("a platform's PCK certificate always has the SGX extension")
        return extension

    @property
    def pck_serial(self) -> int:
        """The serial number of the PCK certificate, for revoking it."""
        return self.pki.serial(Role.PCK)

    @property
    def pck_chain_pem(self) -> str:
        """Leaf, CA and root as PEM."""
        return self.pki.pem(Role.PCK, self.ca, Role.ROOT)

    def attestation_key(
        self,
        label: str = "0",
        *,
        tdx: bool = True,
        isv_svn: int = QE_ISV_SVN,
        auth_data: bytes = QE_AUTH_DATA,
    ) -> AttestationKey:
        """The attestation key called `label` of this platform's QE (or TD QE, for `tdx`)."""
        kind = "td-qe" if tdx else "qe"
        report = SgxReport(
            cpu_svn=self.pki.keys.octets(f"{self.pki.pck_label}/cpusvn", 16),
            mr_enclave=self.pki.keys.octets(f"{kind}/{isv_svn}", 32),
            mr_signer=qe_signer(tdx=tdx),
            flags=_QE_FLAGS,
            isv_prod_id=2 if tdx else 1,
            isv_svn=isv_svn,
        )
        qe = QeSpec(report=report, auth_data=auth_data)
        return AttestationKey(f"{self.pki.pck_label}/{kind}/{label}", tdx, qe)

    def quote(
        self,
        body: SgxReport | TdReport,
        *,
        version: int | None = None,
        attestation_key: AttestationKey | None = None,
        certification_type: int = CertificationType.PCK_CHAIN,
        padding: int = 0,
    ) -> bytes:
        """
        A quote over `body`, certified with certification data of the given type (1 to 5).

        The version defaults to what quoting enclaves write: 3 for SGX, 4 for a TD 1.0 report, 5
        for newer ones. Equal arguments give equal bytes; the QE report is signed anew per body.
        """
        key = attestation_key or self.attestation_key(tdx=isinstance(body, TdReport))
        spec = self._quote_spec(body, key, version, certification_type, padding)
        return spec.mint(
            key.qe,
            self._certification(certification_type),
            attestation=self.pki.keys.key(key.label),
            pck=self.pki.key(Role.PCK),
        )

    def scenario(
        self,
        body: SgxReport | TdReport,
        *,
        version: int | None = None,
        attestation_key: AttestationKey | None = None,
        certification_type: int = CertificationType.PCK_CHAIN,
        padding: int = 0,
    ) -> Scenario:
        """The values behind `quote` and the platform's collateral, to be deviated from."""
        tdx = isinstance(body, TdReport)
        key = attestation_key or self.attestation_key(tdx=tdx)
        collateral = self.collateral_spec(tdx=tdx)
        chain = (Role.PCK, self.ca, Role.ROOT)
        if certification_type != CertificationType.PCK_CHAIN:
            collateral = replace(collateral, pck_certificate_chain=chain)
        plain = certification_type < CertificationType.PCK_LEAF
        return Scenario(
            at=self.at,
            seed=self.pki.keys.seed,
            certificates=self.pki.specs,
            quote=self._quote_spec(body, key, version, certification_type, padding),
            qe=key.qe,
            certification=self._certification(certification_type) if plain else None,
            collateral=collateral,
            pck_chain=chain,
            pck_label=self.pki.pck_label,
            attestation_label=key.label,
        )

    def collateral_spec(self, *, tdx: bool) -> CollateralSpec:
        """The collateral under which this platform is up to date, issued five days before."""
        issued = self.at - timedelta(days=5)
        due = issued + timedelta(days=30)
        date = (self.at - timedelta(days=100)).strftime("%Y-%m-%dT00:00:00Z")
        old = (self.at - timedelta(days=600)).strftime("%Y-%m-%dT00:00:00Z")
        return CollateralSpec(
            tcb_info=TcbInfoSpec(
                fmspc=self.pck.fmspc,
                pce_id=self.pck.pce_id,
                levels=self._levels(date, old),
                issue_date=issued,
                next_update=due,
                tdx=tdx,
                module_identities=(_module(date, old),),
            ),
            qe_identity=QeIdentitySpec(
                id="TD_QE" if tdx else "QE",
                mr_signer=qe_signer(tdx=tdx),
                isv_prod_id=2 if tdx else 1,
                issue_date=issued,
                next_update=due,
                levels=(IsvLevel(QE_ISV_SVN, date=date), IsvLevel(4, "OutOfDate", old)),
            ),
            root_crl=CrlSpec(Role.ROOT, issued, issued + timedelta(days=365)),
            pck_crl=CrlSpec(self.ca, issued, due),
            pck_crl_chain=(self.ca, Role.ROOT),
        )

    def _levels(self, date: str, old: str) -> tuple[TcbLevelSpec, ...]:
        tdx = (5, 0, 4) + (0,) * 13
        floor = tuple(min(svn, 1) for svn in self.pck.components)
        return (
            TcbLevelSpec(self.pck.components, self.pck.pce_svn, tdx, date=date),
            TcbLevelSpec(floor, 5, (0,) * 16, "OutOfDate", old, ("INTEL-SA-00837",)),
        )

    def _quote_spec(
        self,
        body: SgxReport | TdReport,
        key: AttestationKey,
        version: int | None,
        certification_type: int,
        padding: int,
    ) -> QuoteSpec:
        if version is None:
            version = _natural_version(body)
        svns = struct.pack("<HH", key.qe.report.isv_svn, self.pck.pce_svn)
        qe_id = self.pki.keys.octets(f"{self.pki.pck_label}/qe-id", 16)
        header = Header(
            reserved=svns if version == Version.V3 else bytes(4), user_data=qe_id + bytes(4)
        )
        return QuoteSpec(
            body=body,
            version=version,
            header=header,
            certification_type=certification_type,
            padding=padding,
        )

    def _certification(self, kind: int) -> bytes:
        """Certification data of type `kind`; the PEM chain ends with a NUL, as Intel's do."""
        if kind == CertificationType.PCK_LEAF:
            return self.pki.pem(Role.PCK).encode()
        if kind >= CertificationType.PCK_CHAIN:
            if not self._chain:
                self._chain.append(self.pck_chain_pem.encode() + CHAIN_SUFFIX)
            return self._chain[0]
        ppid = self.pck.ppid
        if kind in _ENCRYPTED_PPID_OCTETS:
            # Only Intel could decrypt it, so bytes that look random are as good as the real thing.
            label = f"{self.pki.pck_label}/encrypted-ppid"
            ppid = self.pki.keys.octets(label, _ENCRYPTED_PPID_OCTETS[kind])
        cpu_svn = self.pck.cpu_svn or bytes(self.pck.components)
        return ppid + cpu_svn + struct.pack("<H", self.pck.pce_svn) + self.pck.pce_id


def pck_certificate(ca: Role, extension: PckExtension, at: datetime) -> CertificateSpec:
    """A PCK leaf issued half a year before `at` for seven years."""
    issued = at.replace(microsecond=0) - timedelta(days=180)
    return CertificateSpec(
        common_name="Intel SGX PCK Certificate",
        issuer=ca,
        not_before=issued,
        not_after=issued + timedelta(days=7 * 365),
        ca=False,
        crl_url=PCK_CRL_URL.format("platform" if ca is Role.PLATFORM_CA else "processor"),
        pck=extension,
    )


def _natural_version(body: SgxReport | TdReport) -> Version:
    if isinstance(body, SgxReport):
        return Version.V3
    return Version.V4 if body.tee_tcb_svn2 is None else Version.V5


def qe_signer(*, tdx: bool) -> bytes:
    """MRSIGNER of the simulated quoting enclaves."""
    name = b"quotary simulation td-qe" if tdx else b"quotary simulation qe"
    return hashlib.sha256(name).digest()


def _module(date: str, old: str) -> ModuleIdentity:
    levels = (IsvLevel(5, date=date), IsvLevel(3, "OutOfDate", old, ("INTEL-SA-01036",)))
    return ModuleIdentity(levels=levels)
