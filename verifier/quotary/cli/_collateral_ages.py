"""How long each document of some collateral is still good."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from quotary.cli.output import shown_time, visible
from quotary.collateral import RawCollateral
from quotary.errors import CollateralError, QuotaryError
from quotary.trust import Collateral, TrustRoot, Window, unix_seconds
from quotary.verify.expired import latest_collateral

__all__ = ["Ages", "ages_of", "print_ages", "verified_when_current"]

_DAY: Final = 86400
_HOUR: Final = 3600
_ITEM_WIDTH: Final = 25
_DATE_WIDTH: Final = 18


@dataclass(frozen=True, slots=True)
class Ages:
    """The windows of one collateral as seen from one time, Unix seconds."""

    title: str
    at: int
    evaluation_numbers: tuple[int, int]
    crl_numbers: tuple[int, int]
    revoked: tuple[int, int]
    windows: tuple[Window, ...]

    def stale(self, warn: timedelta = timedelta()) -> bool:
        """Whether any document is not valid, or will not be after `warn`."""
        return any(self.is_stale(window, warn) for window in self.windows)

    def is_stale(self, window: Window, warn: timedelta) -> bool:
        """Whether one document is not valid, or will not be after `warn`."""
        return self.at < window.start or self.at + warn.total_seconds() > window.end

    def to_json(self, warn: timedelta = timedelta()) -> dict[str, object]:
        """The same for programs; times in Unix seconds."""
        return {
            "title": self.title,
            "at": self.at,
            "stale": self.stale(warn),
            "valid_from": max(window.start for window in self.windows),
            "valid_until": min(window.end for window in self.windows),
            "tcb_info_evaluation_number": self.evaluation_numbers[0],
            "qe_identity_evaluation_number": self.evaluation_numbers[1],
            "root_ca_crl_number": self.crl_numbers[0],
            "pck_crl_number": self.crl_numbers[1],
            "root_ca_crl_revoked": self.revoked[0],
            "pck_crl_revoked": self.revoked[1],
            "documents": [
                {
                    "item": window.item,
                    "issued": window.start,
                    "next_update": window.end,
                    "seconds_left": window.end - self.at,
                    "stale": self.is_stale(window, warn),
                }
                for window in self.windows
            ],
        }


def ages_of(title: str, collateral: Collateral, at: datetime) -> Ages:
    """Look at verified collateral from the time `at`."""
    return Ages(
        title=title,
        at=unix_seconds(at),
        evaluation_numbers=(
            collateral.tcb_info.evaluation_number,
            collateral.qe_identity.evaluation_number,
        ),
        crl_numbers=(collateral.root_crl.number, collateral.pck_crl.number),
        revoked=(len(collateral.root_crl.revoked), len(collateral.pck_crl.revoked)),
        windows=collateral.windows,
    )


def print_ages(ages: Ages, warn: timedelta = timedelta()) -> None:
    """Print a table for people."""
    numbers = "/".join(dict.fromkeys(map(str, ages.evaluation_numbers)))
    lines = [f"{ages.title}: TCB evaluation {numbers}"]
    heads = f"{'issued, UTC':<{_DATE_WIDTH}}{'next update':<{_DATE_WIDTH}}"
    lines.append(f"  {'document':<{_ITEM_WIDTH}}{heads}left")
    for window in ages.windows:
        left = _left(window.end - ages.at)
        if ages.is_stale(window, warn):
            left = f"STALE {left}"
        dates = f"{_minute(window.start):<{_DATE_WIDTH}}{_minute(window.end):<{_DATE_WIDTH}}"
        lines.append(f"  {window.item:<{_ITEM_WIDTH}}{dates}{left}")
    sys.stdout.write("".join(visible(line) + "\n" for line in lines))


def verified_when_current(raw: RawCollateral, root: TrustRoot, at: datetime) -> Collateral:
    """
    Verify collateral at `at` or, when it is stale then, at a time when it was not.

    Genuine but old collateral can still be talked about. Raises what `Collateral.verify` raises
    when no such time exists.
    """
    try:
        return Collateral.verify(raw, root, at=at)
    except CollateralError as stale:
        try:
            return latest_collateral(raw, root)
        except QuotaryError:
            raise stale from None


def _minute(seconds: int) -> str:
    return shown_time(seconds)[:16].replace("T", " ")


def _left(seconds: int) -> str:
    if seconds < 0:
        return f"over for {_left(-seconds)}"
    days, rest = divmod(seconds, _DAY)
    return f"{days} d {rest // _HOUR} h" if days else f"{rest // _HOUR} h {rest % _HOUR // 60} min"
