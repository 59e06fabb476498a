"""Step 10 in detail: which level each part reaches, and what it lacks for the others."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import Final

from quotary.quote import TdReport
from quotary.tcb import (
    COMPONENT_COUNT,
    IsvLevel,
    PlatformSvn,
    TcbLevel,
    TcbStatus,
    converge,
    first_tdx_component,
    match_level,
)
from quotary.verify._documents import shown_time
from quotary.verify._facts import Detail, Facts, MissingFactError, Need, Shortfall
from quotary.verify._levels import (
    match_enclave,
    match_module,
    module_identity,
    require_not_revoked,
)

__all__ = ["LEVEL_DETAILS", "platform_shortfalls"]

_LAUNCH: Final = "launch"
_NOW: Final = "now"


def platform_shortfalls(
    platform: PlatformSvn,
    levels: Iterable[TcbLevel],
    first_tdx: int = 0,
    names: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> tuple[Shortfall, ...]:
    """
    Return what `platform` lacks for every status above the one it reaches.

    Of several levels with one status, the one that lacks least is told. `names` are what the TCB
    info calls the SGX and the TDX components.
    """
    nearest: dict[TcbStatus, Shortfall] = {}
    for level in levels:
        needs = _needs(platform, level.floor, first_tdx, names)
        if not needs:
            break
        known = nearest.get(level.status)
        if known is None or _distance(needs) < _distance(known.needs):
            nearest[level.status] = Shortfall(level.status.value, level.date, needs)
    return tuple(nearest.values())


def _distance(needs: tuple[Need, ...]) -> tuple[int, int]:
    return len(needs), sum(need.needs - need.has for need in needs)


def _needs(
    platform: PlatformSvn,
    floor: PlatformSvn,
    first_tdx: int,
    names: tuple[tuple[str, ...], tuple[str, ...]],
) -> tuple[Need, ...]:
    sgx_names, tdx_names = names
    pairs = [
        (_component("SGX", i, sgx_names), platform.components[i], floor.components[i])
        for i in range(COMPONENT_COUNT)
    ]
    pairs.append(("PCE SVN", platform.pce, floor.pce))
    pairs += [
        (_component("TDX", i, tdx_names), have, need)
        for i, (have, need) in enumerate(
            zip(platform.tdx_components, floor.tdx_components, strict=False)
        )
        if i >= first_tdx
    ]
    return tuple(Need(name, have, need) for name, have, need in pairs if have < need)


def _component(kind: str, index: int, names: tuple[str, ...]) -> str:
    name = names[index] if index < len(names) else ""
    return f"{kind} component {index + 1}" + (f" ({name})" if name else "")


def _component_names(facts: Facts) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What Intel calls the components, for people; empty when only proven collateral is at hand."""
    try:
        level = json.loads(facts.raw.tcb_info)["tcbLevels"][0]["tcb"]
    except MissingFactError:
        return (), ()
    found = []
    for key in ("sgxtcbcomponents", "tdxtcbcomponents"):
        parts = level.get(key, ())
        found.append(
            tuple(
                ": ".join(str(part[name]) for name in ("category", "type") if part.get(name))
                for part in parts
            )
        )
    return found[0], found[1]


def _isv_shortfalls(item: str, svn: int, levels: Iterable[IsvLevel]) -> tuple[Shortfall, ...]:
    nearest: dict[TcbStatus, Shortfall] = {}
    for level in levels:
        if svn >= level.isv_svn:
            break
        need = Need(item, svn, level.isv_svn)
        nearest[level.status] = Shortfall(level.status.value, level.date, (need,))
    return tuple(nearest.values())


def _td(facts: Facts) -> TdReport | None:
    return facts.td_report


def _svn(facts: Facts, moment: str) -> bytes:
    """Return the TEE TCB SVN at launch or now, of zeros for SGX."""
    if facts.collateral.tcb_info.tee_type is not facts.quote.tee_type:
        raise MissingFactError("TCB info of the quote's TEE type")
    report = _td(facts)
    if report is None:
        return bytes(COMPONENT_COUNT)
    return (report.tee_tcb_svn2 or report.tee_tcb_svn) if moment == _NOW else report.tee_tcb_svn


def _platform_svn(facts: Facts, moment: str) -> PlatformSvn:
    identity = facts.platform.identity
    svn = _svn(facts, moment)
    tdx = () if _td(facts) is None else tuple(svn)
    return PlatformSvn(identity.components, identity.pce_svn, tdx)


def _first(facts: Facts, moment: str) -> int:
    return 0 if _td(facts) is None else first_tdx_component(_svn(facts, moment))


def _shown(level: TcbLevel | IsvLevel) -> str:
    text = f"{level.status.value}, TCB date {shown_time(level.date)[:10]}"
    return text + (f", {', '.join(level.advisories)}" if level.advisories else "")


def _enclave(facts: Facts) -> str:
    level = match_enclave(facts.quote.qe_report.isv_svn, facts.collateral.qe_identity)
    facts.keep("the quoting enclave's level", level)
    return _shown(level)


def _enclave_shortfalls(facts: Facts) -> tuple[Shortfall, ...]:
    svn = facts.quote.qe_report.isv_svn
    return _isv_shortfalls("QE ISVSVN", svn, facts.collateral.qe_identity.levels)


def _module(moment: str, facts: Facts) -> str:
    level = match_module(_svn(facts, moment), facts.collateral.tcb_info)
    if level is None:
        return "a module without a version: all components are compared"
    facts.keep(f"the module's level ({moment})", level)
    return _shown(level)


def _module_shortfalls(moment: str, facts: Facts) -> tuple[Shortfall, ...]:
    svn = _svn(facts, moment)
    identities = facts.collateral.tcb_info.module_identities
    if svn[1] == 0 or svn[1] not in identities:
        return ()
    levels = module_identity(svn, facts.collateral.tcb_info).levels
    return _isv_shortfalls("TDX module ISVSVN", svn[0], levels)


def _platform(moment: str, facts: Facts) -> str:
    level = match_level(
        _platform_svn(facts, moment), facts.collateral.tcb_info.levels, _first(facts, moment)
    )
    facts.keep(f"the platform's level ({moment})", level)
    return _shown(level)


def _platform_shortfalls(moment: str, facts: Facts) -> tuple[Shortfall, ...]:
    return platform_shortfalls(
        _platform_svn(facts, moment),
        facts.collateral.tcb_info.levels,
        _first(facts, moment),
        _component_names(facts),
    )


def _stands(moment: str, facts: Facts) -> str:
    level = facts.level(f"the platform's level ({moment})")
    enclave = facts.isv_level("the quoting enclave's level")
    module = None
    if _svn(facts, moment)[1] > 0:
        module = facts.isv_level(f"the module's level ({moment})")
    outcome = converge(level, module, enclave)
    if moment == _LAUNCH:
        facts.outcome = outcome
    require_not_revoked(outcome, level, module, enclave)
    return outcome.status.value


def _not_a_td(facts: Facts) -> str | None:
    return "only TDs have a module" if _td(facts) is None else None


def _not_relaunchable(facts: Facts) -> str | None:
    report = _td(facts)
    if report is None or report.tee_tcb_svn2 is None:
        return "only TD reports from 1.5 on tell what runs now"
    return None


LEVEL_DETAILS: Final = (
    Detail("the quoting enclave reaches a level", _enclave, (34,), shortfalls=_enclave_shortfalls),
    Detail(
        "the TDX module reaches a level",
        partial(_module, _LAUNCH),
        (34, 36),
        _not_a_td,
        partial(_module_shortfalls, _LAUNCH),
    ),
    Detail(
        "the platform reaches a level",
        partial(_platform, _LAUNCH),
        (29, 32, 33, 35),
        shortfalls=partial(_platform_shortfalls, _LAUNCH),
    ),
    Detail("the levels do not converge to Revoked", partial(_stands, _LAUNCH), (41, 42)),
    Detail(
        "the TDX module that runs now reaches a level",
        partial(_module, _NOW),
        (37,),
        _not_relaunchable,
        partial(_module_shortfalls, _NOW),
    ),
    Detail(
        "the platform as it runs now reaches a level",
        partial(_platform, _NOW),
        (37,),
        _not_relaunchable,
        partial(_platform_shortfalls, _NOW),
    ),
    Detail(
        "what runs now does not converge to Revoked",
        partial(_stands, _NOW),
        (37, 42),
        _not_relaunchable,
    ),
)
"""In the order in which verification asks."""
