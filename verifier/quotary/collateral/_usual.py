"""
TCB info and QE identity in the one form Intel writes them in, read by regular expressions.

The usual form has all keys in Intel's order, no white space and nothing escaped, so that no key can
stand twice and nothing is left over. Its values are judged here as strict reading judges them.
Whatever does not fit, or would be refused, is left to strict reading, which alone refuses.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import itemgetter
from types import MappingProxyType
from typing import Final

from quotary.collateral._fields import seconds_of
from quotary.tcb import (
    COMPONENT_COUNT,
    IsvLevel,
    PlatformSvn,
    TcbLevel,
    TcbStatus,
    TdxModuleIdentity,
    TeeType,
)

__all__ = [
    "ISV_STATUSES",
    "MAX_ADVISORIES",
    "MAX_ADVISORY",
    "PLATFORM_STATUSES",
    "read_usual_qe_identity",
    "read_usual_tcb_info",
]

MAX_ADVISORY: Final = 32
"""Journals and contracts keep an advisory id in one word."""
MAX_ADVISORIES: Final = 128
"""Genuine levels name up to 28. Those of three levels fit the bound of a journal."""

PLATFORM_STATUSES: Final = {
    status.value: status
    for status in TcbStatus
    if status
    not in (TcbStatus.TD_RELAUNCH_ADVISED, TcbStatus.TD_RELAUNCH_ADVISED_CONFIGURATION_NEEDED)
}
ISV_STATUSES: Final = {
    status.value: status
    for status in (TcbStatus.UP_TO_DATE, TcbStatus.OUT_OF_DATE, TcbStatus.REVOKED)
}

_PRINTABLE: Final = r"[ !#-\[\]-~]"
"""Printable ASCII, which needs no escape in JSON."""
_VERSION: Final = 3
_NUMBER: Final = "(0|[1-9][0-9]{0,9})"
_TIME: Final = '"([0-9TZ:-]{20})"'
_MOST_CHARACTERS: Final = 32 * 1024
"""Genuine TCB infos have up to 20 kB. So long a usual document cannot have too many brackets."""
_VERSIONS: Final = {str(number): number for number in range(0x100)}
"""The versions of components, as JSON writes them."""
_new: Final = tuple.__new__
_MAX_ISV_SVN: Final = 0xFFFF
_ABOVE: Final = PlatformSvn((0x100,), 0)
"""Above the floors of all levels."""


def _hex(length: int) -> str:
    return f'"([0-9A-Fa-f]{{{2 * length}}})"'


_ID: Final = f'"{_PRINTABLE}{{1,{MAX_ADVISORY}}}"'
_JUDGEMENT: Final = (
    rf'"tcbDate":{_TIME},"tcbStatus":"([A-Za-z]+)"'
    rf'(?:,"advisoryIDs":\[({_ID}(?:,{_ID}){{0,{MAX_ADVISORIES - 1}}})\])?'
)
# Choices that start with different characters are decided at once; optional parts are not.
_COMPONENT: Final = (
    rf'\{{"svn":([0-9]{{1,3}})(?:\}}|,"category":"{_PRINTABLE}*"(?:\}}|,"type":"{_PRINTABLE}*"\}}))'
)
_COMPONENTS: Final = rf"\[{','.join([_COMPONENT] * COMPONENT_COUNT)}\]"
_SGX_LEVEL: Final = re.compile(
    rf'\{{"tcb":\{{"sgxtcbcomponents":{_COMPONENTS},"pcesvn":{_NUMBER}\}},{_JUDGEMENT}\}}'
)
_TDX_LEVEL: Final = re.compile(
    rf'\{{"tcb":\{{"sgxtcbcomponents":{_COMPONENTS},"pcesvn":{_NUMBER},'
    rf'"tdxtcbcomponents":{_COMPONENTS}\}},{_JUDGEMENT}\}}'
)
_ISV_LEVEL: Final = re.compile(rf'\{{"tcb":\{{"isvsvn":{_NUMBER}\}},{_JUDGEMENT}\}}([,\]])')
_TCB_INFO: Final = re.compile(
    rf'\{{"id":"(SGX|TDX)","version":{_VERSION},"issueDate":{_TIME},"nextUpdate":{_TIME},'
    rf'"fmspc":{_hex(6)},"pceId":{_hex(2)},"tcbType":0,"tcbEvaluationDataNumber":{_NUMBER},'
)
_MODULE_FIELDS: Final = f'"mrsigner":{_hex(48)},"attributes":{_hex(8)},"attributesMask":{_hex(8)}'
_MODULE: Final = re.compile(rf'"tdxModule":\{{{_MODULE_FIELDS}\}},("tdxModuleIdentities":\[)?')
_IDENTITY: Final = re.compile(rf'\{{"id":"TDX_([0-9A-F]{{2}})",{_MODULE_FIELDS},"tcbLevels":\[')
_LEVELS: Final = '"tcbLevels":['
_BETWEEN: Final = '","'
"""What stands between two ids, and in none of them: no id has quotation marks."""
_QE_IDENTITY: Final = re.compile(
    rf'\{{"id":"(QE|TD_QE)","version":2,"issueDate":{_TIME},"nextUpdate":{_TIME},'
    rf'"tcbEvaluationDataNumber":{_NUMBER},"miscselect":{_hex(4)},"miscselectMask":{_hex(4)},'
    rf'"attributes":{_hex(16)},"attributesMask":{_hex(16)},"mrsigner":{_hex(32)},'
    rf'"isvprodid":{_NUMBER},"tcbLevels":\['
)


_TcbInfo = tuple[
    TeeType,
    int,
    int,
    int,
    bytes,
    bytes,
    int,
    tuple[TcbLevel, ...],
    Mapping[int, TdxModuleIdentity],
]
_QeIdentity = tuple[
    TeeType, int, int, int, int, int, bytes, bytes, bytes, int, tuple[IsvLevel, ...]
]


def read_usual_tcb_info(text: str) -> _TcbInfo | None:
    """Return the fields of the TCB info, version 3, that `text` is; None for any other form."""
    front = _TCB_INFO.match(text)
    if front is None or len(text) > _MOST_CHARACTERS:
        return None
    kind, issue_date, next_update, fmspc, pce_id, number = front.groups()
    position = front.end()
    identities: dict[int, TdxModuleIdentity] = {}
    try:
        if kind == "TDX":
            position = _read_modules(text, position, identities)
        if not text.startswith(_LEVELS, position):
            return None
        pattern = _SGX_LEVEL if kind == "SGX" else _TDX_LEVEL
        return (
            TeeType[kind],
            _VERSION,
            seconds_of(issue_date),
            seconds_of(next_update),
            bytes.fromhex(fmspc),
            bytes.fromhex(pce_id),
            _number(number, 0xFFFFFFFF),
            _platform_levels(pattern, text[position + len(_LEVELS) :]),
            MappingProxyType(identities),
        )
    except (KeyError, ValueError):
        return None


def read_usual_qe_identity(text: str) -> _QeIdentity | None:
    """Return the fields of the QE identity that `text` is; None for any other form."""
    front = _QE_IDENTITY.match(text)
    if front is None or len(text) > _MOST_CHARACTERS:
        return None
    kind, issue_date, next_update, number, misc, misc_mask, *octets, product = front.groups()
    try:
        levels, end = _isv_levels(text, front.end())
        if text[end:] != "}":
            return None
        attributes, attributes_mask, mr_signer = map(bytes.fromhex, octets)
        return (
            TeeType.SGX if kind == "QE" else TeeType.TDX,
            seconds_of(issue_date),
            seconds_of(next_update),
            _number(number, 0xFFFFFFFF),
            int.from_bytes(bytes.fromhex(misc), "little"),
            int.from_bytes(bytes.fromhex(misc_mask), "little"),
            attributes,
            attributes_mask,
            mr_signer,
            _number(product, 0xFFFF),
            levels,
        )
    except (KeyError, ValueError):
        return None


def _platform_levels(pattern: re.Pattern[str], text: str) -> tuple[TcbLevel, ...]:
    """Read levels that are all of `text`, up to the end of the document; or raise."""
    parts = pattern.split(text)
    stride = pattern.groups + 1
    between = parts[::stride]
    if between[0] or between.pop() != "]}" or (len(between) > 1 and {*between[1:]} != {","}):
        raise ValueError("something else than levels")
    levels, last = [], _ABOVE
    for start in range(1, len(parts) - 1, stride):
        pce, end = start + COMPONENT_COUNT, start + stride - 4
        # All sixteen are looked up by one call; what is no version raises `KeyError`.
        components = itemgetter(*parts[start:pce])(_VERSIONS)
        tdx_components = itemgetter(*parts[pce + 1 : end])(_VERSIONS) if end > pce + 1 else ()
        date, status, ids = parts[end : end + 3]
        floor = _new(PlatformSvn, (components, _number(parts[pce], 0xFFFF), tdx_components))
        if floor >= last:
            raise ValueError("levels that are not in descending order, each once")
        advisories = tuple(ids[1:-1].split(_BETWEEN)) if ids else ()
        level = floor, PLATFORM_STATUSES[status], seconds_of(date), advisories
        levels.append(_new(TcbLevel, level))
        last = floor
    return tuple(levels)


def _read_modules(text: str, position: int, identities: dict[int, TdxModuleIdentity]) -> int:
    """Read the TDX modules at `position` into `identities`; returns where they end, or raises."""
    module = _MODULE.match(text, position)
    if module is None:
        raise ValueError("something else than a TDX module")
    signer, attributes, mask, further = module.groups()
    identities[0] = _identity(signer, attributes, mask, ())
    position = module.end()
    separator = "," if further else "]"
    while separator == ",":
        entry = _IDENTITY.match(text, position)
        if entry is None:
            raise ValueError("something else than an identity")
        name, signer, attributes, mask = entry.groups()
        version = int(name, 16)
        if version in identities:
            raise ValueError("an identity that is there already")
        levels, position = _isv_levels(text, entry.end())
        identities[version] = _identity(signer, attributes, mask, levels)
        end = text[position : position + 2]
        separator = end[1:]
        position += 2
        if end[:1] != "}" or separator not in (",", "]"):
            raise ValueError("something else than the end of an identity")
    if further:
        if text[position : position + 1] != ",":
            raise ValueError("something else than the end of the identities")
        position += 1
    return position


def _identity(
    signer: str, attributes: str, mask: str, levels: tuple[IsvLevel, ...]
) -> TdxModuleIdentity:
    return TdxModuleIdentity(
        bytes.fromhex(signer), bytes.fromhex(attributes), bytes.fromhex(mask), levels
    )


def _isv_levels(text: str, position: int) -> tuple[tuple[IsvLevel, ...], int]:
    """Read levels at `position`, up to the bracket that ends their list; or raise."""
    levels: list[IsvLevel] = []
    last, separator = _MAX_ISV_SVN + 1, ","
    while separator == ",":
        match = _ISV_LEVEL.match(text, position)
        if match is None:
            raise ValueError("something else than a level")
        number, date, status, ids, separator = match.groups()
        isv_svn = int(number)
        if isv_svn >= last:
            raise ValueError("levels that are not in descending order, each once")
        advisories = tuple(ids[1:-1].split(_BETWEEN)) if ids else ()
        level = isv_svn, ISV_STATUSES[status], seconds_of(date), advisories
        levels.append(_new(IsvLevel, level))
        last, position = isv_svn, match.end()
    return tuple(levels), position


def _number(text: str, limit: int) -> int:
    number = int(text)
    if number > limit:
        raise ValueError("a number that is too large")
    return number
