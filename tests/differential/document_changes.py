"""Random changes of TCB info, QE identity and how the collateral is put together."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any

from quotary_enclave.simulator import (
    Edit,
    IsvLevel,
    ModuleIdentity,
    Role,
    Scenario,
    SignatureForm,
    TcbLevelSpec,
)

from tests.differential.certificate_changes import moment
from tests.differential.quote_changes import Change, random_svn

__all__ = ["DOCUMENT_CHANGES"]

_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
    "Revoked",
)
_ISV_STATUSES = ("UpToDate", "UpToDate", "OutOfDate", "OutOfDate", "Revoked")
_ODD_STATUSES = ("TDRelaunchAdvised", "SWHardeningNeeded", "Splendid", "uptodate", "")
_DATES = ("2026-07-24T00:00:00Z", "2024-01-01T00:00:00Z", "2018-01-04T00:00:00Z")
_ODD_DATES = ("1969-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "soon")
_VALUES: tuple[object, ...] = (None, True, -1, 0, 1, 1.5, 1 << 40, "", "text", "00", [], {}, [0])


def _odd(rng: Random, usual: tuple[str, ...], odd: tuple[str, ...]) -> str:
    return rng.choice(odd if rng.random() < 0.03 else usual)


def _advisories(rng: Random) -> tuple[str, ...]:
    return tuple(f"INTEL-SA-{rng.randrange(5):05}" for _ in range(rng.choice((0, 0, 1, 2, 3))))


def _isv_level(rng: Random) -> IsvLevel:
    return IsvLevel(
        rng.randrange(14),
        _odd(rng, _ISV_STATUSES, _ODD_STATUSES),
        _odd(rng, _DATES, _ODD_DATES),
        _advisories(rng),
    )


def _isv_levels(rng: Random) -> tuple[IsvLevel, ...]:
    """Levels, mostly in the order of Intel's documents, which the peer relies on."""
    levels = [_isv_level(rng) for _ in range(rng.choice((1, 2, 2, 3, 4)))]
    if rng.random() < 0.85:
        unique = {level.isv_svn: level for level in levels}
        levels = [unique[svn] for svn in sorted(unique, reverse=True)]
    return tuple(levels)


def _platform_level(rng: Random, base: Scenario) -> TcbLevelSpec:
    newest = base.collateral.tcb_info.levels[0]
    body = base.quote.body
    launched = bytes(getattr(body, "tee_tcb_svn", None) or bytes(16))
    return TcbLevelSpec(
        components=tuple(max(0, svn - rng.choice((0, 0, 0, 1))) for svn in newest.components),
        pce_svn=rng.choice((5, 10, 11, 11, 12)),
        tdx_components=tuple(random_svn(rng, launched)) if rng.random() < 0.5 else (0,) * 16,
        status=_odd(rng, _STATUSES, _ODD_STATUSES),
        date=_odd(rng, _DATES, _ODD_DATES),
        advisories=_advisories(rng),
    )


def platform_levels(rng: Random, base: Scenario) -> Scenario:
    """A random table of platform levels, in random order."""
    levels = [_platform_level(rng, base) for _ in range(rng.choice((1, 2, 3, 5)))]
    if rng.random() < 0.7:
        levels.append(replace(levels[0], components=(0,) * 16, pce_svn=0, tdx_components=(0,) * 16))
    rng.shuffle(levels)
    return base.with_tcb_info(levels=tuple(levels))


def platform_status(rng: Random, base: Scenario) -> Scenario:
    """Another status and advisories for the levels there are."""
    levels = tuple(
        replace(level, status=rng.choice(_STATUSES), advisories=_advisories(rng))
        for level in base.collateral.tcb_info.levels
    )
    return base.with_tcb_info(levels=levels)


def qe_levels(rng: Random, base: Scenario) -> Scenario:
    """A random table of QE levels."""
    return base.with_qe_identity(levels=_isv_levels(rng))


def modules(rng: Random, base: Scenario) -> Scenario:
    """Random TDX module identities."""
    if not base.tdx:
        return base
    identities = []
    for _ in range(rng.choice((0, 1, 1, 2, 3))):
        mask = rng.choice((b"\xff" * 8, bytes(8), b"\xfe" + b"\xff" * 7))
        name = rng.choice(("TDX_01", "TDX_01", "TDX_02", "TDX_03", "tdx_01", "TDX_1", "TDX_00"))
        identities.append(
            ModuleIdentity(
                id=name,
                signer=rng.choice((bytes(48), bytes(48), rng.randbytes(48))),
                attributes=rng.choice((bytes(8), bytes(8), b"\1" + bytes(7))),
                attributes_mask=mask,
                levels=_isv_levels(rng),
            )
        )
    return base.with_tcb_info(module_identities=tuple(identities))


def heads(rng: Random, base: Scenario) -> Scenario:
    """Versions, numbers, platform family and window of one document."""
    start = base.at + moment(rng)
    tcb_info: tuple[dict[str, Any], ...] = (
        {"version": rng.choice((1, 2, 3, 3, 4, 5))},
        {"evaluation_number": rng.choice((0, 1, 16, 18, 0xFFFFFFFF, 1 << 32))},
        {"fmspc": rng.choice((bytes(6), rng.randbytes(6)))},
        {"pce_id": rng.choice((bytes(2), rng.randbytes(2)))},
        {"issue_date": start, "next_update": start + timedelta(days=500)},
        {"issue_date": base.at - timedelta(days=500), "next_update": base.at + moment(rng)},
        {"tdx": not base.tdx},
    )
    identity: tuple[dict[str, Any], ...] = (
        {"id": rng.choice(("QE", "TD_QE", "QVE", "qe"))},
        {"version": rng.choice((1, 2, 3))},
        {"evaluation_number": rng.choice((0, 1, 16, 18, 0xFFFFFFFF))},
        {"isv_prod_id": rng.choice((0, 1, 2, 65535, 65536))},
        {"mr_signer": rng.randbytes(rng.choice((32, 32, 31)))},
        {"misc_select": "00000001", "misc_select_mask": rng.choice(("00000000", "FFFFFFFF"))},
        {"attributes_mask": rng.choice(("00" * 16, "FF" * 16, "FFFFFFFFFFFFFFFF" + "00" * 8))},
        {"attributes": rng.choice(("13" + "00" * 15, "15" + "00" * 15, "11" + "00" * 14))},
        {"issue_date": start, "next_update": start + timedelta(days=500)},
        {"issue_date": base.at - timedelta(days=500), "next_update": base.at + moment(rng)},
    )
    if rng.random() < 0.5:
        return base.with_tcb_info(**rng.choice(tcb_info))
    return base.with_qe_identity(**rng.choice(identity))


def edits(rng: Random, base: Scenario) -> Scenario:
    """One field of a document removed, added or given another value."""
    paths: list[tuple[str | int, ...]] = [
        ("id",),
        ("version",),
        ("issueDate",),
        ("nextUpdate",),
        ("tcbEvaluationDataNumber",),
        ("tcbLevels",),
        ("tcbLevels", 0, "tcb"),
        ("tcbLevels", 0, "tcbDate"),
        ("tcbLevels", 0, "tcbStatus"),
        ("tcbLevels", 0, "advisoryIDs"),
        ("surprise",),
    ]
    of_tcb_info = rng.random() < 0.5
    if of_tcb_info:
        paths += [("fmspc",), ("pceId",), ("tcbType",), ("tdxModule",), ("tdxModuleIdentities",)]
        paths += [("tcbLevels", 0, "tcb", name) for name in ("pcesvn", "sgxtcbcomponents")]
        paths += [("tcbLevels", 0, "tcb", "sgxtcbcomponents", 3, "svn")]
    else:
        paths += [("mrsigner",), ("isvprodid",), ("miscselect",), ("attributesMask",)]
        paths += [("tcbLevels", 0, "tcb", "isvsvn")]
    path = rng.choice(paths)
    edit = Edit(path, removes=True) if rng.random() < 0.3 else Edit(path, rng.choice(_VALUES))
    return base.with_tcb_info(edit) if of_tcb_info else base.with_qe_identity(edit)


def spelling(rng: Random, base: Scenario) -> Scenario:
    """JSON that says the same, or nearly, in other characters; signed as it stands."""
    replacement = rng.choice(
        (
            ('"version":', '"version" :'),
            ('"version":', '\n\t"version": '),
            ('"issueDate"', '"issue\\u0044ate"'),
            ('"UpToDate"', '"\\u0055pToDate"'),
            ('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":17.0'),
            ('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":1.7e1'),
            ('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":017'),
            ('"tcbEvaluationDataNumber":17', '"tcbEvaluationDataNumber":17,"version":3'),
            ('T00:00:00Z"', 'T00:00:00.5Z"'),
            ('T00:00:00Z"', 'T00:00:00+00:00"'),
            ('T00:00:00Z"', 'T02:00:00+02:00"'),
            ('T00:00:00Z"', 'T24:00:00Z"'),
            ('T00:00:00Z"', 'T00:00:60Z"'),
            ('T00:00:00Z"', ' 00:00:00Z"'),
            ('T00:00:00Z"', 't00:00:00z"'),
        )
    )
    try:
        if rng.random() < 0.5:
            changed = base.with_tcb_info(replacements=(replacement,))
            changed.collateral.tcb_info.text()
        else:
            changed = base.with_qe_identity(replacements=(replacement,))
            changed.collateral.qe_identity.text()
    except ValueError:
        return base
    return changed


def assembly(rng: Random, base: Scenario) -> Scenario:
    """Signatures, signers, chains and parts of the collateral."""
    part = rng.choice(("tcb_info", "qe_identity"))
    chains: tuple[tuple[Role, ...], ...] = (
        (Role.TCB_SIGNING,),
        (Role.ROOT, Role.TCB_SIGNING),
        (Role.TCB_SIGNING, Role.ROOT, base.ca),
        (base.ca, Role.ROOT),
        (Role.TCB_SIGNING, Role.STRANGER),
    )
    changes: tuple[dict[str, Any], ...] = (
        {f"{part}_signature": rng.choice(list(SignatureForm))},
        {f"{part}_signer": rng.choice(list(Role))},
        {f"{part}_chain": rng.choice(chains)},
        {"pck_crl_chain": rng.choice(((base.ca,), (Role.ROOT,), (base.ca, Role.STRANGER), ()))},
        {"pck_certificate_chain": (Role.PCK, base.ca, Role.ROOT)},
        {"pck_certificate_chain": rng.choice(((Role.PCK,), (base.ca, Role.ROOT)))},
        {"missing": frozenset({rng.choice(("pck_crl", "root_ca_crl", "tcb_info_signature"))})},
        {"replaced": ((rng.choice(("pck_crl", "root_ca_crl")), rng.choice(("", "3000", "xx"))),)},
    )
    return base.with_collateral(**rng.choice(changes))


DOCUMENT_CHANGES: tuple[Change, ...] = (
    platform_levels,
    platform_levels,
    platform_levels,
    platform_status,
    platform_status,
    qe_levels,
    qe_levels,
    modules,
    modules,
    heads,
    heads,
    edits,
    spelling,
    assembly,
)
