"""Genuine quotes and the collateral that fits them, out of the folder of shared evidence."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from quotary import Collateral, RawCollateral

__all__ = ["Case", "collateral_of", "genuine_cases", "genuine_items", "pick"]


@dataclass(frozen=True)
class Case:
    """One quote, one collateral, one time, and what dcap-qvl 0.7.0 says of them."""

    quote_path: Path
    collateral_path: Path
    at: datetime
    item: dict[str, Any]
    expected: dict[str, Any]

    @property
    def quote(self) -> bytes:
        """The raw quote."""
        return self.quote_path.read_bytes()

    @property
    def raw(self) -> RawCollateral:
        """The collateral, parsed."""
        return RawCollateral.from_json(self.collateral_path.read_bytes())


def genuine_items(shared: Path) -> list[dict[str, Any]]:
    """All SGX and TDX quotes of the manifest."""
    manifest = json.loads((shared / "vectors" / "manifest.json").read_text(encoding="utf-8"))
    return [item for item in manifest["items"] if item["kind"] in ("sgx", "tdx")]


def genuine_cases(shared: Path) -> list[Case]:
    """Every quote with every collateral that fits it."""
    vectors = shared / "vectors"
    return [
        Case(
            vectors / item["file"],
            vectors / expected["collateral"],
            datetime.fromtimestamp(expected["at"], UTC),
            item,
            expected,
        )
        for item in genuine_items(shared)
        for expected in item.get("expected", ())
    ]


def pick(shared: Path, body: str, status: str = "UpToDate") -> Case:
    """The first case whose quote has this body and whose expected status is this."""
    return next(
        case
        for case in genuine_cases(shared)
        if case.item["body"] == body and case.expected.get("status") == status
    )


@cache
def collateral_of(path: Path, at: datetime) -> Collateral:
    """Verified collateral, remembered: many quotes share one."""
    return Collateral.verify(RawCollateral.from_json(path.read_bytes()), at=at)
