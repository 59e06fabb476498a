"""Faults in TCB info and QE identity: their form, their window, and what they say."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from quotary_enclave.simulator.documents import Edit, IsvLevel
from quotary_enclave.simulator.faults.deviations import collateral, qe_identity, tcb_info
from quotary_enclave.simulator.faults.fault import Deviation, Fault, sgx, tdx
from quotary_enclave.simulator.pki import Role
from quotary_enclave.simulator.quotes import SignatureForm
from quotary_enclave.simulator.scenario import Scenario

__all__ = ["DOCUMENT_FAULTS", "DOCUMENT_VARIATIONS"]

_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)
_DOCUMENTS: Final = (
    ("tcb-info", "tcb_info", "TCB_INFO_SIGNATURE_INVALID"),
    ("qe-identity", "qe_identity", "QE_IDENTITY_SIGNATURE_INVALID"),
)
_DEEP: Final = '{"a":' * 64 + "1" + "}" * 64


def _edited(part: str, *edits: Edit, **changes: object) -> Deviation:
    change = tcb_info if part == "tcb_info" else qe_identity
    return change(*edits, **changes)


def _ending(part: str, distance: timedelta, base: Scenario) -> Scenario:
    window = {"issue_date": base.at - _DAY, "next_update": base.at + distance}
    return _edited(part, **window)(base)


def _beginning(part: str, distance: timedelta, base: Scenario) -> Scenario:
    window = {"issue_date": base.at + distance, "next_update": base.at + _DAY}
    return _edited(part, **window)(base)


def _altered_after_signing(part: str, old: str, new: str, base: Scenario) -> Scenario:
    spec = base.collateral.tcb_info if part == "tcb_info" else base.collateral.qe_identity
    text = spec.text()
    if old not in text:
        raise ValueError(f"nothing to alter: {old!r}")
    return base.with_collateral(replaced=((part, text.replace(old, new, 1)),))


def _of_other_tee(base: Scenario) -> Scenario:
    return base.with_tcb_info(tdx=not base.tdx)


def _qe_of_other_tee(base: Scenario) -> Scenario:
    return base.with_qe_identity(id="QE" if base.tdx else "TD_QE")


def _counted(field: str, count: int) -> Deviation:
    """The first level's list of components with `count` entries."""
    entries = [{"svn": 0}] * count
    return tcb_info(Edit(("tcbLevels", 0, "tcb", field), entries))


def _doubled(base: Scenario) -> Scenario:
    levels = base.collateral.tcb_info.levels
    other = replace(levels[0], status="OutOfDate", date="2020-01-01T00:00:00Z")
    return base.with_tcb_info(levels=(*levels, other))


def _qe_level_doubled(base: Scenario) -> Scenario:
    newest, *others = base.collateral.qe_identity.levels
    return base.with_qe_identity(levels=(newest, replace(newest, status="OutOfDate"), *others))


def _module_doubled(base: Scenario) -> Scenario:
    (module,) = base.collateral.tcb_info.module_identities
    return base.with_tcb_info(module_identities=(module, module))


def _module_level_doubled(base: Scenario) -> Scenario:
    (module,) = base.collateral.tcb_info.module_identities
    newest, *others = module.levels
    levels = (newest, replace(newest, status="OutOfDate"), *others)
    return base.with_tcb_info(module_identities=(replace(module, levels=levels),))


def _backwards(base: Scenario) -> Scenario:
    return base.with_tcb_info(levels=tuple(reversed(base.collateral.tcb_info.levels)))


def _qe_backwards(base: Scenario) -> Scenario:
    return base.with_qe_identity(levels=tuple(reversed(base.collateral.qe_identity.levels)))


def _modules_backwards(base: Scenario) -> Scenario:
    (module,) = base.collateral.tcb_info.module_identities
    turned = replace(module, levels=tuple(reversed(module.levels)))
    return base.with_tcb_info(module_identities=(turned,))


def _lower_case(base: Scenario) -> Scenario:
    fmspc = base.collateral.tcb_info.fmspc.hex()
    return base.with_tcb_info(replacements=((f'"{fmspc.upper()}"', f'"{fmspc}"'),))


def _both_documents() -> Iterator[Fault]:
    for name, part, forged in _DOCUMENTS:
        edited = partial(_edited, part)
        signature = f"{part}_signature"
        spoiled = {f"{part}_signature": SignatureForm.FLIPPED}
        yield Fault(f"{name}-signature", collateral(**spoiled), forged)
        zeroed = {f"{part}_signature": SignatureForm.ZERO_R}
        yield Fault(f"{name}-signature-zero", collateral(**zeroed), "SIGNATURE_INVALID")
        signer = {f"{part}_signer": Role.STRANGER}
        yield Fault(f"{name}-signer", collateral(**signer), forged)
        swapped = partial(_altered_after_signing, part, '"UpToDate"', '"OutOfDate"')
        yield Fault(f"{name}-altered", swapped, forged)
        spaced = partial(_altered_after_signing, part, '":', '": ')
        yield Fault(f"{name}-reformatted", spaced, forged)
        yield Fault(f"{name}-expired", partial(_ending, part, -_SECOND), "COLLATERAL_EXPIRED")
        early = partial(_beginning, part, _SECOND)
        yield Fault(f"{name}-early", early, "COLLATERAL_NOT_YET_VALID")
        for key in (part, signature, f"{part}_issuer_chain"):
            absent = collateral(missing=frozenset({key}))
            yield Fault(f"{name}-missing-{key}", absent, "COLLATERAL_INCOMPLETE")
        for version in (1, 4):
            other = edited(Edit(("version",), version))
            yield Fault(f"{name}-version-{version}", other, "COLLATERAL_VERSION_UNSUPPORTED")
        yield from _spelling(name, edited)


def _spelling(name: str, edited: partial[Deviation]) -> Iterator[Fault]:
    """Faults of JSON and schema, signed as they stand."""
    schema, broken = "SCHEMA_INVALID", "JSON_INVALID"
    repeated = ('"tcbStatus":', '"tcbStatus":"Revoked","tcbStatus":')
    yield Fault(f"{name}-key-twice", edited(replacements=(repeated,)), "JSON_DUPLICATE_KEY")
    number = '"tcbEvaluationDataNumber":'
    for label, value in (("nan", "NaN"), ("infinity", "Infinity"), ("number-float", "17.5")):
        swapped = edited(replacements=((f"{number}17", f"{number}{value}"),))
        yield Fault(f"{name}-{label}", swapped, broken)
    for label, value in (("true", "true"), ("negative", "-1"), ("text", '"17"'), ("deep", _DEEP)):
        swapped = edited(replacements=((f"{number}17", f"{number}{value}"),))
        yield Fault(f"{name}-number-{label}", swapped, schema)
    extra = edited(Edit(("surprise",), 1))
    yield Fault(f"{name}-unknown-field", extra, "SCHEMA_UNKNOWN_FIELD")
    for key in ("issueDate", "nextUpdate", "tcbEvaluationDataNumber", "tcbLevels"):
        yield Fault(f"{name}-without-{key}", edited(Edit((key,), removes=True)), schema)
    dated = edited(Edit(("nextUpdate",), "next year"))
    yield Fault(f"{name}-date", dated, schema)
    yield Fault(f"{name}-no-levels", edited(levels=()), schema)
    status = edited(Edit(("tcbLevels", 0, "tcbStatus"), "Splendid"))
    yield Fault(f"{name}-status-unknown", status, "TCB_STATUS_UNKNOWN")


def _tcb_info() -> Iterator[Fault]:
    count = "TCB_COMPONENTS_COUNT"
    yield Fault("tcb-info-fmspc", tcb_info(fmspc=bytes(6)), "FMSPC_MISMATCH")
    yield Fault("tcb-info-pce-id", tcb_info(pce_id=b"\1\0"), "PCEID_MISMATCH")
    yield Fault("tcb-info-of-other-tee", _of_other_tee, "COLLATERAL_TYPE_MISMATCH")
    other = tcb_info(Edit(("tcbType",), 1))
    yield Fault("tcb-info-type", other, "COLLATERAL_VERSION_UNSUPPORTED")
    for length in (0, 15, 17):
        short = _counted("sgxtcbcomponents", length)
        yield Fault(f"tcb-info-{length}-sgx-components", short, count)
        short = _counted("tdxtcbcomponents", length)
        yield Fault(f"tcb-info-{length}-tdx-components", short, count, tdx)
    absent = tcb_info(Edit(("tcbLevels", 0, "tcb", "tdxtcbcomponents"), removes=True))
    yield Fault("tcb-info-no-tdx-components", absent, "TCB_INFO_INCOMPLETE", tdx)
    absent = tcb_info(Edit(("tdxModule",), removes=True))
    yield Fault("tcb-info-no-tdx-module", absent, "TCB_INFO_INCOMPLETE", tdx)
    surplus = tcb_info(Edit(("tdxModule",), {}))
    yield Fault("tcb-info-sgx-with-module", surplus, "SCHEMA_UNKNOWN_FIELD", sgx)
    yield Fault("tcb-info-level-twice", _doubled, "TCB_LEVEL_DUPLICATE")
    yield Fault("tcb-info-module-twice", _module_doubled, "TCB_LEVEL_DUPLICATE", tdx)
    yield Fault("tcb-info-module-level-twice", _module_level_doubled, "TCB_LEVEL_DUPLICATE", tdx)
    svn = ("tcbLevels", 0, "tcb", "sgxtcbcomponents", 0, "svn")
    for value in (256, -1, True):
        wrong = tcb_info(Edit(svn, value))
        yield Fault(f"tcb-info-svn-{value}".lower(), wrong, "SCHEMA_INVALID")


def _qe_identity() -> Iterator[Fault]:
    yield Fault("qe-identity-of-other-tee", _qe_of_other_tee, "COLLATERAL_TYPE_MISMATCH")
    yield Fault("qe-identity-qve", qe_identity(id="QVE"), "COLLATERAL_TYPE_MISMATCH")
    for field, length in (("mrsigner", 62), ("attributes", 30), ("miscselect", 6)):
        short = qe_identity(Edit((field,), "0" * length))
        yield Fault(f"qe-identity-{field}-length", short, "SCHEMA_INVALID")
    yield Fault("qe-identity-level-twice", _qe_level_doubled, "TCB_LEVEL_DUPLICATE")
    level = IsvLevel(1, "SWHardeningNeeded")
    unusual = qe_identity(levels=(level,))
    yield Fault("qe-identity-status-of-platforms", unusual, "TCB_STATUS_UNKNOWN")


def _variations() -> Iterator[Fault]:
    for name, part, _ in _DOCUMENTS:
        yield Fault(f"{name}-ends-now", partial(_ending, part, timedelta()), None)
        yield Fault(f"{name}-begins-now", partial(_beginning, part, timedelta()), None)
        high = {f"{part}_signature": SignatureForm.HIGH_S}
        yield Fault(f"{name}-high-s", collateral(**high), None)
    yield Fault("tcb-levels-backwards", _backwards, None)
    yield Fault("qe-levels-backwards", _qe_backwards, None)
    yield Fault("module-levels-backwards", _modules_backwards, None, tdx)
    yield Fault("fmspc-lower-case", _lower_case, None)
    yield Fault("tcb-info-version-2", tcb_info(version=2), None, sgx)


DOCUMENT_FAULTS: Final = (*_both_documents(), *_tcb_info(), *_qe_identity())
DOCUMENT_VARIATIONS: Final = tuple(_variations())
