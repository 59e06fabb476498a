"""TCB info and QE identity: the documents Intel signs, parsed under their schemas."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from itertools import repeat
from operator import attrgetter, gt
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from quotary.collateral._fields import Fields, Rows
from quotary.collateral._json import parse_object
from quotary.collateral._usual import (
    ISV_STATUSES,
    MAX_ADVISORIES,
    MAX_ADVISORY,
    PLATFORM_STATUSES,
    read_usual_qe_identity,
    read_usual_tcb_info,
)
from quotary.errors import ParseError, Reason
from quotary.tcb import (
    COMPONENT_COUNT,
    IsvLevel,
    PlatformSvn,
    TcbLevel,
    TcbStatus,
    TdxModuleIdentity,
    TeeType,
)

__all__ = ["MAX_DOCUMENT_BYTES", "QeIdentity", "TcbInfo", "read_text"]

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""Genuine TCB infos have up to about 20 kB."""

_FLAT_VERSION: Final = 2
"""TCB info before TDX: SGX only, without an id, components as flat fields."""

_TCB_INFO_VERSIONS: Final = (_FLAT_VERSION, 3)
_QE_IDENTITY_VERSION: Final = 2
_MODULE_NAME: Final = re.compile(r"TDX_([0-9A-F]{2})", re.ASCII | re.IGNORECASE)
_MAX_COMPONENT: Final = 0xFF
_FLOOR: Final = attrgetter("floor")
_ISV_SVN: Final = attrgetter("isv_svn")
_LEVELS: Final = "tcb_info.tcbLevels"
_TCB: Final = "tcb_info.tcbLevels.tcb"
_TEE_TYPES: Final = {"SGX": TeeType.SGX, "TDX": TeeType.TDX}
_QE_TYPES: Final = {"QE": TeeType.SGX, "TD_QE": TeeType.TDX}


class TcbInfo(NamedTuple):
    """
    What Intel says of one platform family's TCB levels. Times are Unix seconds.

    Levels are in descending order. `module_identities` maps a TDX module's major version to its
    identity; key 0 is the identity of modules without a version.
    """

    tee_type: TeeType
    version: int
    issue_date: int
    next_update: int
    fmspc: bytes
    pce_id: bytes
    evaluation_number: int
    levels: tuple[TcbLevel, ...]
    module_identities: Mapping[int, TdxModuleIdentity]

    @classmethod
    def parse(cls, document: bytes) -> TcbInfo:
        """Parse the signed JSON object, version 2 (SGX only) or 3. Raises `ParseError`."""
        text = read_text(document, "tcb_info")
        usual = read_usual_tcb_info(text)
        if usual is not None:
            return tuple.__new__(cls, usual)
        return _read_tcb_info(Fields(parse_object(text, "tcb_info"), "tcb_info"))


class QeIdentity(NamedTuple):
    """What Intel says of its quoting enclave. Levels are in descending order."""

    tee_type: TeeType
    issue_date: int
    next_update: int
    evaluation_number: int
    misc_select: int
    misc_select_mask: int
    attributes: bytes
    attributes_mask: bytes
    mr_signer: bytes
    isv_prod_id: int
    levels: tuple[IsvLevel, ...]

    @classmethod
    def parse(cls, document: bytes) -> QeIdentity:
        """Parse the signed JSON object, version 2. Raises `ParseError`."""
        text = read_text(document, "qe_identity")
        usual = read_usual_qe_identity(text)
        if usual is not None:
            return tuple.__new__(cls, usual)
        return _read_qe_identity(Fields(parse_object(text, "qe_identity"), "qe_identity"))


def read_text(document: bytes, item: str) -> str:
    """Return the text of a signed document; raises `ParseError` when too long or not UTF-8."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            item,
            expected=f"at most {MAX_DOCUMENT_BYTES} bytes",
            found=str(len(document)),
        )
    try:
        return document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="UTF-8") from error


def _read_tcb_info(fields: Fields) -> TcbInfo:
    version = fields.number("version", 0xFFFF)
    if version not in _TCB_INFO_VERSIONS:
        raise _unsupported("tcb_info.version", "2 or 3", version)
    name = "SGX" if version == _FLAT_VERSION else fields.text("id")
    if name not in _TEE_TYPES:
        raise _mistyped("tcb_info.id", "SGX or TDX", name)
    tee_type = _TEE_TYPES[name]
    issue_date, next_update = fields.time("issueDate"), fields.time("nextUpdate")
    fmspc, pce_id = fields.octets("fmspc", 6), fields.octets("pceId", 2)
    tcb_type = fields.number("tcbType", 0xFFFF)
    if tcb_type != 0:
        raise _unsupported("tcb_info.tcbType", "0", tcb_type)
    number = fields.number("tcbEvaluationDataNumber", 0xFFFFFFFF)
    levels = _platform_levels(fields.rows("tcbLevels", _LEVELS), version, tee_type)
    identities = _module_identities(fields) if tee_type is TeeType.TDX else {}
    fields.finish()
    return TcbInfo(
        tee_type=tee_type,
        version=version,
        issue_date=issue_date,
        next_update=next_update,
        fmspc=fmspc,
        pce_id=pce_id,
        evaluation_number=number,
        levels=levels,
        module_identities=MappingProxyType(identities),
    )


def _read_qe_identity(fields: Fields) -> QeIdentity:
    version = fields.number("version", 0xFFFF)
    if version != _QE_IDENTITY_VERSION:
        raise _unsupported("qe_identity.version", "2", version)
    name = fields.text("id")
    if name not in _QE_TYPES:
        raise _mistyped("qe_identity.id", "QE or TD_QE", name)
    identity = QeIdentity(
        tee_type=_QE_TYPES[name],
        issue_date=fields.time("issueDate"),
        next_update=fields.time("nextUpdate"),
        evaluation_number=fields.number("tcbEvaluationDataNumber", 0xFFFFFFFF),
        misc_select=int.from_bytes(fields.octets("miscselect", 4), "little"),
        misc_select_mask=int.from_bytes(fields.octets("miscselectMask", 4), "little"),
        attributes=fields.octets("attributes", 16),
        attributes_mask=fields.octets("attributesMask", 16),
        mr_signer=fields.octets("mrsigner", 32),
        isv_prod_id=fields.number("isvprodid", 0xFFFF),
        levels=_isv_levels(fields, "qe_identity.tcbLevels"),
    )
    fields.finish()
    return identity


def _platform_levels(rows: Rows, version: int, tee_type: TeeType) -> tuple[TcbLevel, ...]:
    tcb = rows.children("tcb", _TCB)
    if version == _FLAT_VERSION:
        names = [f"sgxtcbcomp{number:02d}svn" for number in range(1, COMPONENT_COUNT + 1)]
        components = [*zip(*(tcb.numbers(name, _MAX_COMPONENT) for name in names), strict=True)]
    else:
        components = _components(tcb, "sgxtcbcomponents")
    tdx_components: Iterable[tuple[int, ...]] = repeat((), len(components))
    if tee_type is TeeType.TDX:
        if "tdxtcbcomponents" not in tcb:
            raise ParseError(Reason.TCB_INFO_INCOMPLETE, _LEVELS, expected="tdxtcbcomponents")
        tdx_components = _components(tcb, "tdxtcbcomponents")
    floors = map(PlatformSvn, components, tcb.numbers("pcesvn", 0xFFFF), tdx_components)
    tcb.finish()
    levels = [*map(TcbLevel, floors, *_judgements(rows, PLATFORM_STATUSES, _LEVELS))]
    rows.finish()
    return _descending_platform(levels)


def _components(tcb: Rows, name: str) -> list[tuple[int, ...]]:
    lists = tcb.lists(name)
    for components in lists:
        if len(components) != COMPONENT_COUNT:
            raise ParseError(
                Reason.TCB_COMPONENTS_COUNT,
                _TCB,
                expected=str(COMPONENT_COUNT),
                found=str(len(components)),
            )
    # Category and type describe a component to people; Intel's matching rules ignore them.
    svns = tcb.joined(lists).numbers("svn", _MAX_COMPONENT)
    return [*zip(*[iter(svns)] * COMPONENT_COUNT, strict=True)]


def _judgements(
    rows: Rows, known: Mapping[str, TcbStatus], item: str
) -> tuple[list[TcbStatus], list[int], list[tuple[str, ...]]]:
    """Read what Intel says of each level: its status, date and advisories."""
    names = rows.texts("tcbStatus")
    unknown = [name for name in names if name not in known]
    if unknown:
        raise ParseError(
            Reason.TCB_STATUS_UNKNOWN, item, expected=", ".join(known), found=unknown[0][:80]
        )
    dates = rows.times("tcbDate")
    advisories = [_advisories(ids, item) for ids in rows.lists("advisoryIDs", optional=True)]
    return [known[name] for name in names], dates, advisories


def _module_identities(fields: Fields) -> dict[int, TdxModuleIdentity]:
    if "tdxModule" not in fields:
        raise ParseError(Reason.TCB_INFO_INCOMPLETE, "tcb_info", expected="tdxModule")
    module = fields.child("tdxModule", "tcb_info.tdxModule")
    identities = {0: _module_identity(module, ())}
    module.finish()
    if "tdxModuleIdentities" not in fields:
        return identities
    item = "tcb_info.tdxModuleIdentities"
    for entry in fields.children("tdxModuleIdentities", item):
        version = _module_version(entry.text("id"))
        levels = _isv_levels(entry, f"{item}.tcbLevels")
        identity = _module_identity(entry, levels)
        entry.finish()
        if version in identities:
            raise ParseError(Reason.TCB_LEVEL_DUPLICATE, item, found=f"TDX_{version:02X}")
        identities[version] = identity
    return identities


def _module_identity(fields: Fields, levels: tuple[IsvLevel, ...]) -> TdxModuleIdentity:
    return TdxModuleIdentity(
        signer=fields.octets("mrsigner", 48),
        attributes=fields.octets("attributes", 8),
        attributes_mask=fields.octets("attributesMask", 8),
        levels=levels,
    )


def _module_version(name: str) -> int:
    match = _MODULE_NAME.fullmatch(name)
    version = int(match[1], 16) if match else 0
    if version == 0:
        raise ParseError(
            Reason.SCHEMA_INVALID, "tcb_info.tdxModuleIdentities.id", expected="TDX_01 to TDX_FF"
        )
    return version


def _isv_levels(parent: Fields, item: str) -> tuple[IsvLevel, ...]:
    rows = parent.rows("tcbLevels", item)
    tcb = rows.children("tcb", f"{item}.tcb")
    versions = tcb.numbers("isvsvn", 0xFFFF)
    tcb.finish()
    if len({*versions}) != len(versions):
        twice = next(each for index, each in enumerate(versions) if each in versions[:index])
        raise ParseError(Reason.TCB_LEVEL_DUPLICATE, item, found=f"isvsvn {twice}")
    levels = [*map(IsvLevel, versions, *_judgements(rows, ISV_STATUSES, item))]
    rows.finish()
    return tuple(sorted(levels, key=_ISV_SVN, reverse=True))


def _descending_platform(levels: list[TcbLevel]) -> tuple[TcbLevel, ...]:
    levels.sort(key=_FLOOR, reverse=True)
    floors = [level.floor for level in levels]
    if not all(map(gt, floors, floors[1:])):
        raise ParseError(Reason.TCB_LEVEL_DUPLICATE, "tcb_info.tcbLevels", expected="each TCB once")
    return tuple(levels)


def _advisories(advisories: list[Any], item: str) -> tuple[str, ...]:
    if len(advisories) > MAX_ADVISORIES:
        raise ParseError(
            Reason.SCHEMA_INVALID,
            f"{item}.advisoryIDs",
            expected=f"at most {MAX_ADVISORIES} ids",
            found=str(len(advisories)),
        )
    if advisories and not _are_ids(advisories):
        raise ParseError(
            Reason.SCHEMA_INVALID,
            f"{item}.advisoryIDs",
            expected=f"ASCII ids of at most {MAX_ADVISORY} characters",
        )
    return tuple(advisories)


def _are_ids(values: list[Any]) -> bool:
    """Whether all are texts that journals can state, judged together: levels name up to 28."""
    if {*map(type, values)} != {str}:
        return False
    text, lengths = "".join(values), [*map(len, values)]
    return (
        text.isascii() and text.isprintable() and min(lengths) > 0 and max(lengths) <= MAX_ADVISORY
    )


def _unsupported(item: str, expected: str, found: int) -> ParseError:
    return ParseError(
        Reason.COLLATERAL_VERSION_UNSUPPORTED, item, expected=expected, found=str(found)
    )


def _mistyped(item: str, expected: str, found: str) -> ParseError:
    return ParseError(Reason.COLLATERAL_TYPE_MISMATCH, item, expected=expected, found=found[:80])
