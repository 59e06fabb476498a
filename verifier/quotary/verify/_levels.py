"""The TCB of platform, TDX module and quoting enclave, put together."""

from __future__ import annotations

from quotary.collateral import QeIdentity, TcbInfo
from quotary.errors import Reason, VerificationError
from quotary.quote import TdReport
from quotary.tcb import (
    IsvLevel,
    Outcome,
    PlatformSvn,
    TcbLevel,
    TcbStatus,
    TdxModuleIdentity,
    converge,
    first_tdx_component,
    match_isv_level,
    match_level,
    relaunch,
)
from quotary.trust import Collateral
from quotary.x509 import PckIdentity

__all__ = [
    "appraise_tcb",
    "match_enclave",
    "match_module",
    "module_identity",
    "require_module_attributes",
    "require_module_signer",
    "require_not_revoked",
]


def require_module_signer(report: TdReport, tcb_info: TcbInfo) -> None:
    """
    Raise `VerificationError` unless Intel's key signed the TDX module.

    The version the TD was launched on names the identity.
    """
    identity = module_identity(report.tee_tcb_svn, tcb_info)
    if report.mr_signer_seam != identity.signer:
        raise VerificationError(
            Reason.TDX_MODULE_SIGNER_MISMATCH,
            "TDX module signer",
            expected=identity.signer.hex(),
            found=report.mr_signer_seam.hex(),
        )


def require_module_attributes(report: TdReport, tcb_info: TcbInfo) -> None:
    """Raise `VerificationError` unless attributes agree in the mask and are zero outside of it."""
    identity = module_identity(report.tee_tcb_svn, tcb_info)
    found = int.from_bytes(report.seam_attributes)
    mask = int.from_bytes(identity.attributes_mask)
    expected = int.from_bytes(identity.attributes) & mask
    if found != expected:
        raise VerificationError(
            Reason.TDX_MODULE_ATTRIBUTES_MISMATCH,
            "TDX module attributes",
            expected=f"{expected:016x}",
            found=report.seam_attributes.hex(),
        )


def appraise_tcb(
    identity: PckIdentity, report: TdReport | None, qe_svn: int, collateral: Collateral
) -> Outcome:
    """
    Return status, date and advisories; raises `VerificationError` when nothing matches or revoked.

    A TD 1.5 is judged twice, as launched and as it runs after a TD-preserving update of the module.
    """
    enclave = match_enclave(qe_svn, collateral.qe_identity)
    if report is None:
        platform = PlatformSvn(identity.components, identity.pce_svn)
        return _accept(match_level(platform, collateral.tcb_info.levels), None, enclave)
    launch = _appraise_td(identity, report.tee_tcb_svn, enclave, collateral.tcb_info)
    # A TD that runs on what it was launched on needs no second judgement, which would be the same.
    if report.tee_tcb_svn2 in (None, report.tee_tcb_svn):
        return launch
    current = _appraise_td(identity, report.tee_tcb_svn2, enclave, collateral.tcb_info)
    return relaunch(launch, current)


def _appraise_td(
    identity: PckIdentity, tee_tcb_svn: bytes, enclave: IsvLevel, tcb_info: TcbInfo
) -> Outcome:
    module = match_module(tee_tcb_svn, tcb_info)
    platform = PlatformSvn(identity.components, identity.pce_svn, tuple(tee_tcb_svn))
    level = match_level(platform, tcb_info.levels, first_tdx_component(tee_tcb_svn))
    return _accept(level, module, enclave)


def match_enclave(qe_svn: int, identity: QeIdentity) -> IsvLevel:
    """Return the level the quoting enclave reaches; raises `VerificationError` when none is."""
    return match_isv_level(qe_svn, identity.levels, reason=Reason.QE_TCB_NO_MATCH, item="QE ISVSVN")


def match_module(tee_tcb_svn: bytes, tcb_info: TcbInfo) -> IsvLevel | None:
    """
    Return the level the TDX module reaches, None for modules before versions.

    Raises `VerificationError` when none is reached, or the version is unknown.
    """
    if tee_tcb_svn[1] == 0:
        return None
    return match_isv_level(
        tee_tcb_svn[0],
        module_identity(tee_tcb_svn, tcb_info).levels,
        reason=Reason.TDX_MODULE_TCB_NO_MATCH,
        item="TDX module ISVSVN",
    )


def _accept(level: TcbLevel, module: IsvLevel | None, enclave: IsvLevel) -> Outcome:
    outcome = converge(level, module, enclave)
    require_not_revoked(outcome, level, module, enclave)
    return outcome


def require_not_revoked(
    outcome: Outcome, level: TcbLevel, module: IsvLevel | None, enclave: IsvLevel
) -> None:
    """Raise `VerificationError` when the parts' levels converged to `Revoked`."""
    if outcome.status is TcbStatus.REVOKED:
        raise VerificationError(
            Reason.TCB_REVOKED,
            "TCB",
            expected="a TCB level that is not revoked",
            found=f"platform {level.status}, quoting enclave {enclave.status}"
            + (f", TDX module {module.status}" if module is not None else ""),
        )


def module_identity(tee_tcb_svn: bytes, tcb_info: TcbInfo) -> TdxModuleIdentity:
    """Return the identity of the module's version; raises `VerificationError` when unknown."""
    version = tee_tcb_svn[1]
    try:
        return tcb_info.module_identities[version]
    except KeyError:
        raise VerificationError(
            Reason.TDX_MODULE_UNKNOWN,
            "TDX module version",
            expected="a version the TCB info identifies",
            found=f"TDX_{version:02X}",
        ) from None
