"""TCB info and QE identity: the documents Intel signs, parsed under their schemas."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from quotary.collateral._json import Fields, parse_object
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

__all__ = ["MAX_DOCUMENT_BYTES", "QeIdentity", "TcbInfo", "read_object"]

MAX_DOCUMENT_BYTES: Final = 256 * 1024
"""Genuine TCB infos have up to about 20 kB."""

_FLAT_VERSION: Final = 2
"""TCB info before TDX: SGX only, without an id, components as flat fields."""

_TCB_INFO_VERSIONS: Final = (_FLAT_VERSION, 3)
_QE_IDENTITY_VERSION: Final = 2
_MODULE_NAME: Final = re.compile(r"TDX_([0-9A-F]{2})", re.ASCII | re.IGNORECASE)
_MAX_COMPONENT: Final = 0xFF
_MAX_ADVISORY: Final = 32
"""Journals and contracts keep an advisory id in one word."""
_MAX_ADVISORIES: Final = 128
"""Genuine levels name up to 28. Those of three levels fit the bound of a journal."""

_PLATFORM_STATUSES: Final = {
    status.value: status
    for status in TcbStatus
    if status
    not in (TcbStatus.TD_RELAUNCH_ADVISED, TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)
}
_ISV_STATUSES: Final = {
    status.value: status
    for status in (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED)
}
_TEE_TYPES: Final = {"SGX": TeeType.SGX, "TDX": TeeType.TDX}
_QE_TYPES: Final = {"QE": TeeType.SGX, "TD_QE": TeeType.TDX}


@dataclass(frozen=True, slots=True)
class TcbInfo:
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
        fields = Fields(read_object(document, "tcb_info"), "tcb_info")
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
        levels = [_platform_level(item, version, tee_type) for item in fields.sequence("tcbLevels")]
        identities = _module_identities(fields) if tee_type is TeeType.TDX else {}
        fields.finish()
        return cls(
            tee_type=tee_type,
            version=version,
            issue_date=issue_date,
            next_update=next_update,
            fmspc=fmspc,
            pce_id=pce_id,
            evaluation_number=number,
            levels=_descending_platform(levels),
            module_identities=MappingProxyType(identities),
        )


@dataclass(frozen=True, slots=True)
class QeIdentity:
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
        fields = Fields(read_object(document, "qe_identity"), "qe_identity")
        version = fields.number("version", 0xFFFF)
        if version != _QE_IDENTITY_VERSION:
            raise _unsupported("qe_identity.version", "2", version)
        name = fields.text("id")
        if name not in _QE_TYPES:
            raise _mistyped("qe_identity.id", "QE or TD_QE", name)
        identity = cls(
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
            levels=_isv_levels(fields.sequence("tcbLevels"), "qe_identity.tcbLevels"),
        )
        fields.finish()
        return identity


def read_object(document: bytes, item: str) -> dict[str, object]:
    """Return the JSON object that is all of a signed document; raises `ParseError`."""
    if len(document) > MAX_DOCUMENT_BYTES:
        raise ParseError(
            Reason.INPUT_TOO_LARGE,
            item,
            expected=f"at most {MAX_DOCUMENT_BYTES} bytes",
            found=str(len(document)),
        )
    try:
        text = document.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ParseError(Reason.JSON_INVALID, item, expected="UTF-8") from error
    return parse_object(text, item)


def _platform_level(value: object, version: int, tee_type: TeeType) -> TcbLevel:
    item = "tcb_info.tcbLevels"
    fields = Fields(value, item)
    tcb = Fields(fields.value("tcb"), f"{item}.tcb")
    if version == _FLAT_VERSION:
        components = tuple(
            tcb.number(f"sgxtcbcomp{i:02d}svn", _MAX_COMPONENT)
            for i in range(1, COMPONENT_COUNT + 1)
        )
    else:
        components = _components(tcb.sequence("sgxtcbcomponents", empty=True))
    tdx_components: tuple[int, ...] = ()
    if tee_type is TeeType.TDX:
        if "tdxtcbcomponents" not in tcb:
            raise ParseError(Reason.TCB_INFO_INCOMPLETE, item, expected="tdxtcbcomponents")
        tdx_components = _components(tcb.sequence("tdxtcbcomponents", empty=True))
    floor = PlatformSvn(components, tcb.number("pcesvn", 0xFFFF), tdx_components)
    tcb.finish()
    level = TcbLevel(
        floor,
        _status(fields, _PLATFORM_STATUSES, item),
        fields.time("tcbDate"),
        _advisories(fields, item),
    )
    fields.finish()
    return level


def _components(values: list[Any]) -> tuple[int, ...]:
    item = "tcb_info.tcbLevels.tcb"
    if len(values) != COMPONENT_COUNT:
        raise ParseError(
            Reason.TCB_COMPONENTS_COUNT,
            item,
            expected=str(COMPONENT_COUNT),
            found=str(len(values)),
        )
    # Category and type describe a component to people; Intel's matching rules ignore them.
    try:
        components = tuple([value["svn"] for value in values])
    except (KeyError, TypeError):
        components = ()
    if set(map(type, components)) != {int} or not (
        min(components) >= 0 and max(components) <= _MAX_COMPONENT
    ):
        raise ParseError(Reason.SCHEMA_INVALID, f"{item}.svn", expected="an integer up to 255")
    return components


def _module_identities(fields: Fields) -> dict[int, TdxModuleIdentity]:
    if "tdxModule" not in fields:
        raise ParseError(Reason.TCB_INFO_INCOMPLETE, "tcb_info", expected="tdxModule")
    module = Fields(fields.value("tdxModule"), "tcb_info.tdxModule")
    identities = {0: _module_identity(module, ())}
    module.finish()
    if "tdxModuleIdentities" not in fields:
        return identities
    item = "tcb_info.tdxModuleIdentities"
    for value in fields.sequence("tdxModuleIdentities", empty=True):
        entry = Fields(value, item)
        version = _module_version(entry.text("id"))
        levels = _isv_levels(entry.sequence("tcbLevels"), f"{item}.tcbLevels")
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


def _isv_levels(values: list[object], item: str) -> tuple[IsvLevel, ...]:
    levels: dict[int, IsvLevel] = {}
    for value in values:
        fields = Fields(value, item)
        tcb = Fields(fields.value("tcb"), f"{item}.tcb")
        isv_svn = tcb.number("isvsvn", 0xFFFF)
        tcb.finish()
        if isv_svn in levels:
            raise ParseError(Reason.TCB_LEVEL_DUPLICATE, item, found=f"isvsvn {isv_svn}")
        levels[isv_svn] = IsvLevel(
            isv_svn,
            _status(fields, _ISV_STATUSES, item),
            fields.time("tcbDate"),
            _advisories(fields, item),
        )
        fields.finish()
    return tuple(levels[isv_svn] for isv_svn in sorted(levels, reverse=True))


def _descending_platform(levels: list[TcbLevel]) -> tuple[TcbLevel, ...]:
    floors = {level.floor for level in levels}
    if len(floors) != len(levels):
        raise ParseError(Reason.TCB_LEVEL_DUPLICATE, "tcb_info.tcbLevels", expected="each TCB once")
    return tuple(
        sorted(
            levels,
            key=lambda level: (
                level.floor.components,
                level.floor.pce,
                level.floor.tdx_components,
            ),
            reverse=True,
        )
    )


def _status(fields: Fields, known: Mapping[str, TcbStatus], item: str) -> TcbStatus:
    name = fields.text("tcbStatus")
    if name not in known:
        raise ParseError(
            Reason.TCB_STATUS_UNKNOWN, item, expected=", ".join(known), found=name[:80]
        )
    return known[name]


def _advisories(fields: Fields, item: str) -> tuple[str, ...]:
    if "advisoryIDs" not in fields:
        return ()
    advisories = fields.sequence("advisoryIDs", empty=True)
    if len(advisories) > _MAX_ADVISORIES:
        raise ParseError(
            Reason.SCHEMA_INVALID,
            f"{item}.advisoryIDs",
            expected=f"at most {_MAX_ADVISORIES} ids",
            found=str(len(advisories)),
        )
    for advisory in advisories:
        if (
            not isinstance(advisory, str)
            or not 0 < len(advisory) <= _MAX_ADVISORY
            or not (advisory.isascii() and advisory.isprintable())
        ):
            raise ParseError(
                Reason.SCHEMA_INVALID,
                f"{item}.advisoryIDs",
                expected=f"ASCII ids of at most {_MAX_ADVISORY} characters",
            )
    return tuple(advisories)


def _unsupported(item: str, expected: str, found: int) -> ParseError:
    return ParseError(
        Reason.COLLATERAL_VERSION_UNSUPPORTED, item, expected=expected, found=str(found)
    )


def _mistyped(item: str, expected: str, found: str) -> ParseError:
    return ParseError(Reason.COLLATERAL_TYPE_MISMATCH, item, expected=expected, found=found[:80])
