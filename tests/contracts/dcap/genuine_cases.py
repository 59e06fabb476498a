"""Genuine quotes with the collateral that fits them, and the time to judge them at."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from quotary import RawCollateral

__all__ = ["genuine_cases"]


def genuine_cases(
    shared: Path, *, accepted: bool = False
) -> Iterator[tuple[bytes, RawCollateral, datetime]]:
    """
    Every SGX and TDX quote of the manifest with every collateral that fits it.

    With `accepted` only those that are said to have a status.
    """
    vectors = shared / "vectors"
    manifest = json.loads((vectors / "manifest.json").read_text(encoding="utf-8"))
    for item in manifest["items"]:
        if item["kind"] not in ("sgx", "tdx"):
            continue
        for expected in item.get("expected", ()):
            if accepted and "status" not in expected:
                continue
            yield (
                (vectors / item["file"]).read_bytes(),
                RawCollateral.from_json((vectors / expected["collateral"]).read_bytes()),
                datetime.fromtimestamp(expected["at"], UTC),
            )
