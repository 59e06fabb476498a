"""Facts about TCB info and QE identity, read with `json`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any, Final

from tests.differential.facts import Facts

__all__ = ["DocumentFacts"]

_ISV: Final = {"UpToDate", "OutOfDate", "Revoked"}
_PLATFORM: Final = _ISV | {
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDateConfigurationNeeded",
}
_MODULE: Final = re.compile(r"TDX_(?!00)[0-9A-F]{2}", re.IGNORECASE)
_OCTETS: Final = {
    "fmspc": 6,
    "pceId": 2,
    "miscselect": 4,
    "miscselectMask": 4,
    "attributes": 16,
    "attributesMask": 16,
    "mrsigner": 32,
}
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_LEVEL: Final = {"tcb", "tcbDate", "tcbStatus", "advisoryIDs"}
_HEAD: Final = {
    *("id", "version", "issueDate", "nextUpdate", "tcbEvaluationDataNumber", "tcbLevels"),
}
_TCB_INFO: Final = _HEAD | {"fmspc", "pceId", "tcbType"}
_TDX: Final = {"tdxModule", "tdxModuleIdentities"}
_IDENTITY: Final = _HEAD | {
    *("miscselect", "miscselectMask", "attributes", "attributesMask", "mrsigner", "isvprodid"),
}


class DocumentFacts:
    """Facts about both documents of one case."""

    def __init__(self, facts: Facts) -> None:
        """Read both; what cannot be read has no facts."""
        self._facts = facts
        self._tcb_info = facts.document("tcb_info")
        self._identity = facts.document("qe_identity")

    @property
    def other_pce(self) -> bool:
        """Whether TCB info is of another PCE than the PCK certificate."""
        return str(self._tcb_info.get("pceId")).lower() != self._facts.pce_id.hex()

    @property
    def level_repeated(self) -> bool:
        """Whether one table judges the same TCB twice, or a module is identified twice."""
        tables = [_tcbs(table) for table in self._tables()]
        names = [str(module.get("id")).upper() for module in self._modules()]
        return any(len(set(table)) != len(table) for table in (*tables, names))

    def exceeds_mask(self, field: str) -> bool:
        """Whether the identity's value has bits outside of its mask."""
        value = int(self._identity[field], 16)
        return value & int(self._identity[f"{field}Mask"], 16) != value

    @property
    def other_version(self) -> bool:
        """Whether a document is of another version or type than Intel's library knows."""
        return (
            self._tcb_info.get("version") not in (2, 3)
            or self._tcb_info.get("tcbType") != 0
            or self._identity.get("version") != 2
        )

    @property
    def status_misplaced(self) -> bool:
        """Whether a level has a status its table does not allow."""
        platform = self._tcb_info.get("tcbLevels") or []
        others = [level for table in self._isv_tables() for level in table]
        return any(level.get("tcbStatus") not in _PLATFORM for level in platform) or any(
            level.get("tcbStatus") not in _ISV for level in others
        )

    @property
    def miscounted(self) -> bool:
        """Whether a level lists more or fewer than sixteen components."""
        return any(
            len(components) != 16
            for level in self._tcb_info.get("tcbLevels") or []
            for components in level["tcb"].values()
            if isinstance(components, list)
        )

    @property
    def tdx_components_missing(self) -> bool:
        """Whether a level of TCB info for TDX has no TDX components."""
        levels = self._tcb_info.get("tcbLevels") or []
        return self._tcb_info.get("id") == "TDX" and any(
            "tdxtcbcomponents" not in level["tcb"] for level in levels
        )

    @property
    def surprising(self) -> bool:
        """Whether a document, level or module has a field that is not in Intel's schema."""
        known = _TCB_INFO | (_TDX if self._tcb_info.get("id") == "TDX" else set())
        unknown = set(self._tcb_info) - known or set(self._identity) - _IDENTITY
        return bool(unknown) or any(
            set(level) - _LEVEL for table in self._tables() for level in table
        )

    @property
    def has_floating_point(self) -> bool:
        """Whether a number in a document is no integer."""
        found: list[str] = []
        for name in ("tcb_info", "qe_identity"):
            json.loads(self._facts.parts[name], parse_float=found.append)
        return bool(found)

    @property
    def out_of_schema(self) -> bool:
        """Whether a date, id, version number or advisory list is not of Intel's form."""
        return any(self._problems())

    def _problems(self) -> Iterator[bool]:
        for document in (self._tcb_info, self._identity):
            for name in ("issueDate", "nextUpdate"):
                yield not _is_time(document.get(name))
            yield not _is_number(document.get("version"), 0xFFFF)
            yield not _is_number(document.get("tcbEvaluationDataNumber"), 0xFFFFFFFF)
            yield not document.get("tcbLevels")
            for name, octets in _OCTETS.items():
                yield name in document and not _is_hex(document[name], octets)
        yield not _is_number(self._tcb_info.get("tcbType"), 0xFFFF)
        yield not _is_number(self._identity.get("isvprodid"), 0xFFFF)
        yield _OCTETS.keys() - self._tcb_info.keys() - self._identity.keys() != set()
        for module in self._modules():
            yield _MODULE.fullmatch(str(module.get("id"))) is None
            yield not module.get("tcbLevels")
        for table in self._tables():
            for level in table:
                yield from _level_problems(level)

    def _modules(self) -> list[dict[str, Any]]:
        return list(self._tcb_info.get("tdxModuleIdentities") or [])

    def _isv_tables(self) -> list[list[dict[str, Any]]]:
        modules = [module.get("tcbLevels") or [] for module in self._modules()]
        return [self._identity.get("tcbLevels") or [], *modules]

    def _tables(self) -> list[list[dict[str, Any]]]:
        return [self._tcb_info.get("tcbLevels") or [], *self._isv_tables()]


def _level_problems(level: dict[str, Any]) -> Iterator[bool]:
    advisories = level.get("advisoryIDs", [])
    yield not _is_time(level.get("tcbDate"))
    yield not isinstance(advisories, list)
    yield not all(isinstance(each, str) and 0 < len(each) <= 32 for each in advisories or [])
    tcb = level.get("tcb")
    yield not isinstance(tcb, dict)
    for name, value in (tcb or {}).items():
        if isinstance(value, list):
            yield not all(_is_number(component.get("svn"), 0xFF) for component in value)
        else:
            yield not _is_number(value, 0xFF if name.startswith("sgx") else 0xFFFF)


def _is_number(value: object, limit: int) -> bool:
    return type(value) is int and 0 <= value <= limit


def _is_hex(value: object, octets: int) -> bool:
    return (
        isinstance(value, str) and re.fullmatch(rf"[0-9A-Fa-f]{{{2 * octets}}}", value) is not None
    )


def _tcbs(table: list[dict[str, Any]]) -> list[str]:
    tcbs = []
    for level in table:
        tcb = json.loads(json.dumps(level.get("tcb")))
        for components in tcb.values() if isinstance(tcb, dict) else ():
            for component in components if isinstance(components, list) else ():
                component.pop("category", None)
                component.pop("type", None)
        tcbs.append(json.dumps(tcb, sort_keys=True))
    return tcbs


def _is_time(value: object) -> bool:
    if not isinstance(value, str) or _TIME.fullmatch(value) is None:
        return False
    try:
        return datetime.fromisoformat(value).timestamp() >= 0
    except (ValueError, OverflowError):
        return False
