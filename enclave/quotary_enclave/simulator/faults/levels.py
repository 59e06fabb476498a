"""Genuine evidence of platforms that are not in order: TCB levels, TDX modules, relaunches."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Final

from quotary_enclave.simulator.documents import IsvLevel, ModuleIdentity, TcbLevelSpec
from quotary_enclave.simulator.faults.deviations import body, pck, qe_identity, tcb_info
from quotary_enclave.simulator.faults.fault import Fault, td15, tdx
from quotary_enclave.simulator.scenario import Scenario

__all__ = ["LEVEL_FAULTS", "LEVEL_VARIATIONS", "relaunch"]

_NOT_ALLOWED: Final = "TCB_STATUS_NOT_ALLOWED"
_REFUSED_STATUSES: Final = (
    "OutOfDate",
    "ConfigurationNeeded",
    "OutOfDateConfigurationNeeded",
    "SWHardeningNeeded",
    "ConfigurationAndSWHardeningNeeded",
)
_CURRENT: Final = bytes((5, 1, 4)) + bytes(13)
_VERSION_0: Final = bytes((5, 0, 4)) + bytes(13)
_OLD_MICROCODE: Final = bytes((5, 1, 1)) + bytes(13)
_OLD_MODULE: Final = bytes((3, 1, 4)) + bytes(13)


def _platform_status(status: str, base: Scenario) -> Scenario:
    levels = base.collateral.tcb_info.levels
    return base.with_tcb_info(levels=(replace(levels[0], status=status), *levels[1:]))


def _out_of_reach(base: Scenario) -> Scenario:
    level = TcbLevelSpec((255,) * 16, 65535)
    return base.with_tcb_info(levels=(level,))


def _crossing(base: Scenario) -> Scenario:
    """Levels that a platform tops in order but not in every component."""
    first, second, *rest = base.pck.components
    needed = (max(first - 1, 0), second + 1, *rest)
    level = replace(base.collateral.tcb_info.levels[0], components=needed)
    return base.with_tcb_info(levels=(level,))


def _pce_behind(base: Scenario) -> Scenario:
    level = replace(base.collateral.tcb_info.levels[0], pce_svn=base.pck.pce_svn + 1)
    return base.with_tcb_info(levels=(level,))


def _module(base: Scenario) -> ModuleIdentity:
    (identity,) = base.collateral.tcb_info.module_identities
    return identity


def _module_level(level: IsvLevel, base: Scenario) -> Scenario:
    identity = replace(_module(base), levels=(level,))
    return base.with_tcb_info(module_identities=(identity,))


def _lower_case_identity(base: Scenario) -> Scenario:
    identity = replace(_module(base), id="tdx_01")
    return base.with_tcb_info(module_identities=(identity,))


def relaunch(launch: bytes, current: bytes, base: Scenario) -> Scenario:
    """A TD started under `launch` (TEE TCB SVN) on a platform that is at `current` now."""
    return base.with_body(tee_tcb_svn=launch, tee_tcb_svn2=current)


def _current_revoked(base: Scenario) -> Scenario:
    newest = base.collateral.tcb_info.levels[0]
    revoked = replace(newest, tdx_components=(5, 0, 4, *(0,) * 13), status="Revoked")
    fine = replace(newest, tdx_components=(5, 0, 1, *(0,) * 13))
    moved = base.with_tcb_info(levels=(revoked, fine))
    return relaunch(_OLD_MICROCODE, _CURRENT, moved)


def _current_unknown(base: Scenario) -> Scenario:
    needed = replace(base.collateral.tcb_info.levels[0], tdx_components=(5, 0, 1, *(0,) * 13))
    return relaunch(_CURRENT, bytes(16), base.with_tcb_info(levels=(needed,)))


def _platform() -> Iterator[Fault]:
    yield Fault("platform-revoked", partial(_platform_status, "Revoked"), "TCB_REVOKED")
    for status in _REFUSED_STATUSES:
        yield Fault(f"platform-{status}", partial(_platform_status, status), _NOT_ALLOWED)
    yield Fault("platform-outdated", pck(components=(1,) * 8 + (0,) * 8), _NOT_ALLOWED)
    yield Fault("platform-ancient", pck(components=(0,) * 16), "TCB_NO_MATCH")
    yield Fault("level-out-of-reach", _out_of_reach, "TCB_NO_MATCH")
    yield Fault("level-crossing", _crossing, "TCB_NO_MATCH")
    yield Fault("level-pce-behind", _pce_behind, "TCB_NO_MATCH")
    yield Fault("qe-revoked", qe_identity(levels=(IsvLevel(1, "Revoked"),)), "TCB_REVOKED")
    yield Fault("qe-out-of-reach", qe_identity(levels=(IsvLevel(99),)), "QE_TCB_NO_MATCH")
    outdated = body(tee_tcb_svn=_OLD_MICROCODE)
    yield Fault("microcode-outdated", outdated, _NOT_ALLOWED, _td10)


def _td10(base: Scenario) -> bool:
    return tdx(base) and not td15(base)


def _modules() -> Iterator[Fault]:
    unknown = "TDX_MODULE_UNKNOWN"
    yield Fault("modules-none", tcb_info(module_identities=()), unknown, tdx)
    other = (ModuleIdentity(id="TDX_03"),)
    yield Fault("modules-other", tcb_info(module_identities=other), unknown, tdx)
    signer = body(mr_signer_seam=b"\1" * 48)
    yield Fault("module-signer", signer, "TDX_MODULE_SIGNER_MISMATCH", tdx)
    marked = body(seam_attributes=b"\1" + bytes(7))
    yield Fault("module-attributes", marked, "TDX_MODULE_ATTRIBUTES_MISMATCH", tdx)
    far, revoked = IsvLevel(99), IsvLevel(1, "Revoked")
    no_match = "TDX_MODULE_TCB_NO_MATCH"
    yield Fault("module-out-of-reach", partial(_module_level, far), no_match, tdx)
    yield Fault("module-revoked", partial(_module_level, revoked), "TCB_REVOKED", tdx)
    outdated = IsvLevel(1, "OutOfDate")
    yield Fault("module-outdated", partial(_module_level, outdated), _NOT_ALLOWED, tdx)


def _first_modules() -> Iterator[Fault]:
    """Modules of version 0 have no identity: `tdxModule` speaks for them."""
    signed = body(tee_tcb_svn=_VERSION_0, mr_signer_seam=b"\1" * 48)
    yield Fault("first-module-signer", signed, "TDX_MODULE_SIGNER_MISMATCH", _td10)
    marked = body(tee_tcb_svn=_VERSION_0, seam_attributes=b"\1" + bytes(7))
    yield Fault("first-module-attributes", marked, "TDX_MODULE_ATTRIBUTES_MISMATCH", _td10)
    behind = body(tee_tcb_svn=bytes((4, 0, 4)) + bytes(13))
    yield Fault("first-module-outdated", behind, _NOT_ALLOWED, _td10)


def _relaunches() -> Iterator[Fault]:
    advised = partial(relaunch, _OLD_MICROCODE, _CURRENT)
    yield Fault("relaunch-advised", advised, _NOT_ALLOWED, td15)
    module = partial(relaunch, _OLD_MODULE, _CURRENT)
    yield Fault("relaunch-advised-for-module", module, _NOT_ALLOWED, td15)
    yield Fault("relaunch-current-revoked", _current_revoked, "TCB_REVOKED", td15)
    yield Fault("relaunch-current-unknown", _current_unknown, "TCB_NO_MATCH", td15)


def _variations() -> Iterator[Fault]:
    yield Fault("platform-ahead", pck(components=(255,) * 16, pce_svn=65535), None)
    newer = body(tee_tcb_svn=bytes((9, 1, 9)) + bytes(13))
    yield Fault("module-ahead", newer, None, tdx)
    yield Fault("first-module", body(tee_tcb_svn=_VERSION_0), None, _td10)
    yield Fault("module-id-lower-case", _lower_case_identity, None, tdx)
    downgraded = partial(relaunch, _CURRENT, _OLD_MICROCODE)
    yield Fault("relaunch-launched-current", downgraded, None, td15)


LEVEL_FAULTS: Final = (*_platform(), *_modules(), *_first_modules(), *_relaunches())
LEVEL_VARIATIONS: Final = tuple(_variations())
