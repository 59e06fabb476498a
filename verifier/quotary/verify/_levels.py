"""The TCB of platform, TDX module and quoting enclave, put together."""

from __future__ import annotations

from quotary.collateral import TcbInfo
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

__all__ = ["appraise_tcb", "require_intel_module"]


def require_intel_module(report: TdReport, tcb_info: TcbInfo) -> None:
    """
    Raise `VerificationError` unless signer and attributes of the TDX module are Intel's.

    The version the TD was launched on names the identity. Attributes must agree inside the mask and
    be zero outside of it.
    """
    identity = _module_identity(report.tee_tcb_svn, tcb_info)
    if report.mr_signer_seam != identity.signer:
        raise VerificationError(
            Reason.TDX_MODULE_SIGNER_MISMATCH,
            "TDX module signer",
            expected=identity.signer.hex(),
            found=report.mr_signer_seam.hex(),
        )
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
    enclave = match_isv_level(
        qe_svn, collateral.qe_identity.levels, reason=Reason.QE_TCB_NO_MATCH, item="QE ISVSVN"
    )
    if report is None:
        platform = PlatformSvn(identity.components, identity.pce_svn)
        return _accept(match_level(platform, collateral.tcb_info.levels), None, enclave)
    launch = _appraise_td(identity, report.tee_tcb_svn, enclave, collateral.tcb_info)
    if report.tee_tcb_svn2 is None:
        return launch
    current = _appraise_td(identity, report.tee_tcb_svn2, enclave, collateral.tcb_info)
    return relaunch(launch, current)


def _appraise_td(
    identity: PckIdentity, tee_tcb_svn: bytes, enclave: IsvLevel, tcb_info: TcbInfo
) -> Outcome:
    module = None
    if tee_tcb_svn[1] > 0:
        module = match_isv_level(
            tee_tcb_svn[0],
            _module_identity(tee_tcb_svn, tcb_info).levels,
            reason=Reason.TDX_MODULE_TCB_NO_MATCH,
            item="TDX module ISVSVN",
        )
    platform = PlatformSvn(identity.components, identity.pce_svn, tuple(tee_tcb_svn))
    level = match_level(platform, tcb_info.levels, first_tdx_component(tee_tcb_svn))
    return _accept(level, module, enclave)


def _accept(level: TcbLevel, module: IsvLevel | None, enclave: IsvLevel) -> Outcome:
    outcome = converge(level, module, enclave)
    if outcome.status is TcbStatus.REVOKED:
        raise VerificationError(
            Reason.TCB_REVOKED,
            "TCB",
            expected="a TCB level that is not revoked",
            found=f"platform {level.status}, quoting enclave {enclave.status}"
            + (f", TDX module {module.status}" if module is not None else ""),
        )
    return outcome


def _module_identity(tee_tcb_svn: bytes, tcb_info: TcbInfo) -> TdxModuleIdentity:
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
