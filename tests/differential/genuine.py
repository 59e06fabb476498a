"""Genuine evidence to start from, where the machine has it."""

from __future__ import annotations

import json
from pathlib import Path

from quotary import INTEL_ROOT

from tests.differential.bytes_of_evidence import Good
from tests.verifier.genuine import genuine_cases

__all__ = ["genuine_evidence"]

_PER_BODY = 6


def genuine_evidence(shared: Path) -> tuple[Good, ...]:
    """Quotes of every body that both judges accept; empty where there is no shared evidence."""
    if not (shared / "vectors" / "manifest.json").is_file():
        return ()
    found: dict[tuple[str, str], Good] = {}
    for case in genuine_cases(shared):
        if "status" not in case.expected:
            continue
        body = case.item["body"]
        if sum(1 for kind, _ in found if kind == body) >= _PER_BODY:
            continue
        found[body, case.quote_path.name] = Good(
            origin="genuine",
            name=case.quote_path.stem,
            quote=case.quote,
            collateral=json.loads(case.collateral_path.read_bytes()),
            root_der=INTEL_ROOT.certificate.der,
            at=int(case.at.timestamp()),
        )
    return tuple(found.values())
