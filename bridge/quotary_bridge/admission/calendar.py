"""The twin of `CollateralCalendar.sol`: how far registrations reach in the vendor's outage."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

__all__ = ["CALENDAR_EVENTS", "Calendar", "Window"]

Document = tuple[str, int, bytes]
Values = Mapping[str, Any]
_TCB_SIGNER = b"Intel SGX TCB Signing"
_ISSUERS = 3


@dataclass(frozen=True, slots=True)
class Window:
    """
    When a document in force was issued and its last second, Unix times.

    `id` is SHA-256 of its signed bytes, `number` that of its evaluation, or how many serials a
    revocation list has.
    """

    issued: int
    until: int
    id: bytes = bytes(32)
    number: int = 0


def _tcb_info(tee_type: int, fmspc: bytes) -> Document:
    """Return what the calendar knows a family's TCB info by."""
    return ("TCB info", tee_type, fmspc)


def _identity(tee_type: int) -> Document:
    """Return what the calendar knows a QE identity by."""
    return ("QE identity", tee_type, b"")


def _revocation_list(issuer: int) -> Document:
    """Return what the calendar knows the list of the root (0) or of an authority by."""
    return ("revocation list", issuer, b"")


@dataclass(slots=True)
class Calendar:
    """
    The windows of the documents in force, and the cap that deployment fixed, in seconds.

    `signers` are the TCB signers that the store knows, by SHA-256 of their `tbsCertificate`.
    """

    max_stretch: int
    signers: set[bytes] = field(default_factory=set)
    windows: dict[Document, Window] = field(default_factory=dict)

    def stretched(self, tee_type: int, fmspc: bytes, collateral_from: int, end: int) -> int:
        """
        Return the last second of a registration that ended at `end` (`ICollateralCalendar`).

        Decided by signed dates alone: a document of the family ended in that second, and none is
        newer than the newest behind the verdict, which was issued at `collateral_from`.
        """
        info = _tcb_info(tee_type, fmspc)
        names = (info, _identity(tee_type), *map(_revocation_list, range(_ISSUERS)))
        known = [self.windows[name] for name in names if name in self.windows]
        if info not in self.windows or any(it.issued > collateral_from for it in known):
            return end
        ended = any(window.until == end for window in known)
        return end + self.max_stretch if ended else end


def _info_stored(calendar: Calendar, values: Values) -> None:
    calendar.windows[_tcb_info(values["teeType"], values["fmspc"])] = _document(values)


def _identity_stored(calendar: Calendar, values: Values) -> None:
    calendar.windows[_identity(values["teeType"])] = _document(values)


def _document(values: Values) -> Window:
    issued, until = values["issueDate"], values["nextUpdate"]
    return Window(issued, until, values["id"], values["evaluationNumber"])


def _list_stored(calendar: Calendar, values: Values) -> None:
    name = _revocation_list(values["issuer"])
    if values["nextUpdate"] == 0:
        calendar.windows.pop(name, None)
        return
    issued, until = values["thisUpdate"], values["nextUpdate"]
    calendar.windows[name] = Window(issued, until, values["id"], values["count"])


def _certificate(calendar: Calendar, values: Values) -> None:
    if values["commonName"].rstrip(b"\0") == _TCB_SIGNER:
        calendar.signers.add(values["id"])


CALENDAR_EVENTS: Mapping[tuple[str, str], Callable[[Calendar, Values], None]] = MappingProxyType(
    {
        ("CollateralStore", "CertificateAdded"): _certificate,
        ("CollateralStore", "TcbInfoStored"): _info_stored,
        ("CollateralStore", "QeIdentityStored"): _identity_stored,
        ("CollateralStore", "RevocationListStored"): _list_stored,
    }
)
"""What each event changes, by contract and event."""
