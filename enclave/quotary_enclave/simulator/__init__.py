"""
A TEE simulator that needs no TEE: full-fidelity Intel DCAP evidence under a test root.

    sim = Simulator(at=datetime(2026, 11, 1, tzinfo=UTC), seed=b"demo")
    platform = sim.platform(components=(4,) * 16)
    quote = platform.quote(TdReport(mr_td=..., report_data=...))
    collateral = sim.collateral(platform, "tdx")

Nothing minted here can pass for Intel's: see `Simulator`.
"""

from __future__ import annotations

from quotary_enclave.simulator.crl import CrlSpec
from quotary_enclave.simulator.documents import (
    Edit,
    IsvLevel,
    ModuleIdentity,
    QeIdentitySpec,
    TcbInfoSpec,
    TcbLevelSpec,
)
from quotary_enclave.simulator.keys import SeededKeys, SigningKey
from quotary_enclave.simulator.pck_extension import PckExtension
from quotary_enclave.simulator.pki import CertificateSpec, Pki, Role
from quotary_enclave.simulator.platform import AttestationKey, Platform
from quotary_enclave.simulator.quotes import (
    CertificationType,
    Header,
    QeSpec,
    QuoteSpec,
    SignatureForm,
    Version,
    compact,
)
from quotary_enclave.simulator.reports import SgxReport, TdReport
from quotary_enclave.simulator.samples import sample_enclave, sample_td, samples
from quotary_enclave.simulator.scenario import CollateralSpec, Evidence, Scenario
from quotary_enclave.simulator.simulator import Simulator

__all__ = [
    "AttestationKey",
    "CertificateSpec",
    "CertificationType",
    "CollateralSpec",
    "CrlSpec",
    "Edit",
    "Evidence",
    "Header",
    "IsvLevel",
    "ModuleIdentity",
    "PckExtension",
    "Pki",
    "Platform",
    "QeIdentitySpec",
    "QeSpec",
    "QuoteSpec",
    "Role",
    "Scenario",
    "SeededKeys",
    "SgxReport",
    "SignatureForm",
    "SigningKey",
    "Simulator",
    "TcbInfoSpec",
    "TcbLevelSpec",
    "TdReport",
    "Version",
    "compact",
    "sample_enclave",
    "sample_td",
    "samples",
]
