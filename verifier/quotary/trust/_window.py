"""Validity windows, and the sentence that names the one a time falls out of."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import Enum
from typing import NamedTuple

from quotary.errors import QuotaryError, Reason

__all__ = ["Window", "WindowKind", "require_within"]


class WindowKind(Enum):
    """What is valid for a while: the reason when it is over, and the one when it is yet to come."""

    CERTIFICATE = (Reason.CERT_EXPIRED, Reason.CERT_NOT_YET_VALID)
    REVOCATION_LIST = (Reason.CRL_EXPIRED, Reason.CRL_NOT_YET_VALID)
    DOCUMENT = (Reason.COLLATERAL_EXPIRED, Reason.COLLATERAL_NOT_YET_VALID)


class Window(NamedTuple):
    """The time one item is valid in, Unix seconds, inclusive at both ends."""

    item: str
    kind: WindowKind
    start: int
    end: int


def require_within(windows: tuple[Window, ...], at: int, error: type[QuotaryError]) -> None:
    """Raise `error` naming the first window that `at` is not in."""
    for window in windows:
        expired, not_yet_valid = window.kind.value
        if at > window.end:
            raise error(
                expired, window.item, expected=f"at most {_shown(window.end)}", found=_shown(at)
            )
        if at < window.start:
            raise error(
                not_yet_valid,
                window.item,
                expected=f"at least {_shown(window.start)}",
                found=_shown(at),
            )


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
