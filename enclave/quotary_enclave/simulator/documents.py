"""The two JSON documents of DCAP collateral, TCB info and QE identity, as values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

__all__ = [
    "QE_ATTRIBUTES",
    "Edit",
    "IsvLevel",
    "ModuleIdentity",
    "QeIdentitySpec",
    "TcbInfoSpec",
    "TcbLevelSpec",
]

QE_ATTRIBUTES: Final = "11000000000000000000000000000000"
QE_ATTRIBUTES_MASK: Final = "FBFFFFFFFFFFFFFF0000000000000000"
DEFAULT_DATE: Final = "2025-08-13T00:00:00Z"

SGX_ONLY_VERSION: Final = 2
"""The old TCB info version: no id, a field per component, SGX only."""

_SGX_LABELS: Final = (
    {"category": "BIOS", "type": "Early Microcode Update"},
    {"category": "OS/VMM", "type": "SGX Late Microcode Update"},
    {"category": "OS/VMM", "type": "TXT SINIT"},
    {"category": "BIOS"},
)
_TDX_LABELS: Final = (
    {"category": "OS/VMM", "type": "TDX Module"},
    {"category": "OS/VMM", "type": "TDX Module"},
    {"category": "OS/VMM", "type": "TDX Late Microcode Update"},
)

Document = dict[str, object]


@dataclass(frozen=True, slots=True)
class Edit:
    """
    A change of one field before the document is signed.

    `path` walks objects by key and arrays by index. Without a `value` the field is removed.
    """

    path: tuple[str | int, ...]
    value: object = None
    removes: bool = False

    def apply(self, document: Document) -> None:
        """Change `document` in place; raises `KeyError` or `IndexError` for a wrong path."""
        target: object = document
        for step in self.path[:-1]:
            target = target[step]  # type: ignore[index]
        last = self.path[-1]
        if self.removes:
            del target[last]  # type: ignore[attr-defined]
        else:
            target[last] = self.value  # type: ignore[index]


@dataclass(frozen=True, slots=True)
class TcbLevelSpec:
    """One level of TCB info; `tdx_components` is left out of SGX documents."""

    components: tuple[int, ...]
    pce_svn: int
    tdx_components: tuple[int, ...] = (0,) * 16
    status: str = "UpToDate"
    date: str = DEFAULT_DATE
    advisories: tuple[str, ...] = ()

    def document(self, *, tdx: bool, version: int) -> Document:
        """The level as JSON."""
        tcb: Document = {}
        if version == SGX_ONLY_VERSION:
            for number, svn in enumerate(self.components, start=1):
                tcb[f"sgxtcbcomp{number:02}svn"] = svn
        else:
            tcb["sgxtcbcomponents"] = _components(self.components, _SGX_LABELS)
        tcb["pcesvn"] = self.pce_svn
        if tdx:
            tcb["tdxtcbcomponents"] = _components(self.tdx_components, _TDX_LABELS)
        return {"tcb": tcb} | _judgement(self.date, self.status, self.advisories)


@dataclass(frozen=True, slots=True)
class IsvLevel:
    """One level of a QE identity or of a TDX module identity."""

    isv_svn: int
    status: str = "UpToDate"
    date: str = DEFAULT_DATE
    advisories: tuple[str, ...] = ()

    def document(self) -> Document:
        """The level as JSON."""
        judgement = _judgement(self.date, self.status, self.advisories)
        return {"tcb": {"isvsvn": self.isv_svn}} | judgement


@dataclass(frozen=True, slots=True)
class ModuleIdentity:
    """One TDX module: who signed it, and which of its versions are good."""

    id: str = "TDX_01"
    signer: bytes = bytes(48)
    attributes: bytes = bytes(8)
    attributes_mask: bytes = b"\xff" * 8
    levels: tuple[IsvLevel, ...] = (
        IsvLevel(5),
        IsvLevel(3, "OutOfDate", "2024-03-13T00:00:00Z", ("INTEL-SA-01036",)),
    )

    def document(self) -> Document:
        """The identity as JSON."""
        levels = [level.document() for level in self.levels]
        return {"id": self.id} | self.fields() | {"tcbLevels": levels}

    def fields(self) -> Document:
        """Signer and attributes, as they also stand in `tdxModule`."""
        return {
            "mrsigner": self.signer.hex().upper(),
            "attributes": self.attributes.hex().upper(),
            "attributesMask": self.attributes_mask.hex().upper(),
        }


@dataclass(frozen=True, slots=True)
class TcbInfoSpec:
    """A TCB info document: version 3, or the old version 2 that exists for SGX only."""

    fmspc: bytes
    levels: tuple[TcbLevelSpec, ...]
    issue_date: datetime
    next_update: datetime
    tdx: bool
    pce_id: bytes = bytes(2)
    version: int = 3
    evaluation_number: int = 17
    module: ModuleIdentity = ModuleIdentity()
    module_identities: tuple[ModuleIdentity, ...] = (ModuleIdentity(),)
    edits: tuple[Edit, ...] = ()
    replacements: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """The document as it is signed: compact JSON in Intel's field order."""
        document: Document = {}
        if self.version != SGX_ONLY_VERSION:
            document["id"] = "TDX" if self.tdx else "SGX"
        document |= {"version": self.version} | _window(self.issue_date, self.next_update)
        document |= {"fmspc": self.fmspc.hex().upper(), "pceId": self.pce_id.hex().upper()}
        document |= {"tcbType": 0, "tcbEvaluationDataNumber": self.evaluation_number}
        if self.tdx:
            document["tdxModule"] = self.module.fields()
            if self.module_identities:
                identities = [identity.document() for identity in self.module_identities]
                document["tdxModuleIdentities"] = identities
        document["tcbLevels"] = [
            level.document(tdx=self.tdx, version=self.version) for level in self.levels
        ]
        return _written(document, self.edits, self.replacements)


@dataclass(frozen=True, slots=True)
class QeIdentitySpec:
    """The identity of a quoting enclave: `QE` with product 1 for SGX, `TD_QE` with 2 for TDX."""

    id: str
    mr_signer: bytes
    isv_prod_id: int
    issue_date: datetime
    next_update: datetime
    levels: tuple[IsvLevel, ...]
    version: int = 2
    evaluation_number: int = 17
    misc_select: str = "00000000"
    misc_select_mask: str = "FFFFFFFF"
    attributes: str = QE_ATTRIBUTES
    attributes_mask: str = QE_ATTRIBUTES_MASK
    edits: tuple[Edit, ...] = ()
    replacements: tuple[tuple[str, str], ...] = ()

    def text(self) -> str:
        """The document as it is signed: compact JSON in Intel's field order."""
        document: Document = {"id": self.id, "version": self.version}
        document |= _window(self.issue_date, self.next_update)
        document |= {
            "tcbEvaluationDataNumber": self.evaluation_number,
            "miscselect": self.misc_select,
            "miscselectMask": self.misc_select_mask,
            "attributes": self.attributes,
            "attributesMask": self.attributes_mask,
            "mrsigner": self.mr_signer.hex().upper(),
            "isvprodid": self.isv_prod_id,
            "tcbLevels": [level.document() for level in self.levels],
        }
        return _written(document, self.edits, self.replacements)


def _written(
    document: Document, edits: tuple[Edit, ...], replacements: tuple[tuple[str, str], ...]
) -> str:
    for edit in edits:
        edit.apply(document)
    text = json.dumps(document, separators=(",", ":"))
    for old, new in replacements:
        if old not in text:
            raise ValueError(f"nothing to replace: {old!r}")
        text = text.replace(old, new, 1)
    return text


def _window(issue_date: datetime, next_update: datetime) -> Document:
    form = "%Y-%m-%dT%H:%M:%SZ"
    return {"issueDate": issue_date.strftime(form), "nextUpdate": next_update.strftime(form)}


def _judgement(date: str, status: str, advisories: tuple[str, ...]) -> Document:
    judgement: Document = {"tcbDate": date, "tcbStatus": status}
    return judgement | ({"advisoryIDs": list(advisories)} if advisories else {})


def _components(
    components: tuple[int, ...], labels: tuple[Mapping[str, str], ...]
) -> list[Document]:
    unlabelled: list[Mapping[str, str]] = [{}] * max(0, len(components) - len(labels))
    return [
        {"svn": svn, **label}
        for svn, label in zip(components, [*labels, *unlabelled], strict=False)
    ]
