"""The twin of `CollateralCalendar.sol`: how far registrations reach in the vendor's outage."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Calendar", "Window", "identity", "revocation_list", "tcb_info"]

Document = tuple[str, int, bytes]
_ISSUERS = 3


@dataclass(frozen=True, slots=True)
class Window:
    """When a document in force was issued and its last second, Unix times."""

    issued: int
    until: int


def tcb_info(tee_type: int, fmspc: bytes) -> Document:
    """Return what the calendar knows a family's TCB info by."""
    return ("TCB info", tee_type, fmspc)


def identity(tee_type: int) -> Document:
    """Return what the calendar knows a QE identity by."""
    return ("QE identity", tee_type, b"")


def revocation_list(issuer: int) -> Document:
    """Return what the calendar knows the list of the root (0) or of an authority by."""
    return ("revocation list", issuer, b"")


@dataclass(slots=True)
class Calendar:
    """The windows of the documents in force, and the cap that deployment fixed, in seconds."""

    max_stretch: int
    windows: dict[Document, Window] = field(default_factory=dict)

    def stretched(self, tee_type: int, fmspc: bytes, collateral_from: int, end: int) -> int:
        """
        Return the last second of a registration that ended at `end` (`ICollateralCalendar`).

        Decided by signed dates alone: a document of the family ended in that second, and none is
        newer than the newest behind the verdict, which was issued at `collateral_from`.
        """
        info = tcb_info(tee_type, fmspc)
        names = (info, identity(tee_type), *map(revocation_list, range(_ISSUERS)))
        known = [self.windows[name] for name in names if name in self.windows]
        if info not in self.windows or any(it.issued > collateral_from for it in known):
            return end
        ended = any(window.until == end for window in known)
        return end + self.max_stretch if ended else end
