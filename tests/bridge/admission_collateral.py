"""Collateral on the chain of a random history: a vendor that renews when it likes."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from random import Random
from typing import Any

from quotary import RawCollateral
from quotary_bridge.chain.contracts import CollateralStore
from quotary_bridge.collateral import steps
from quotary_enclave.simulator import Simulator

__all__ = ["Vendor", "Window"]

DAY = 86_400
Window = tuple[int, int]


@dataclass
class Vendor:
    """
    Signs documents for platform families, under the root of `deploy_parts`.

    `windows` holds when each document in force was issued and ends, by name or by FMSPC: Unix
    times.
    """

    store: CollateralStore
    send: Callable[[bytes], bool]
    random: Random
    windows: dict[str | bytes, Window] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Set up the hierarchy: certificates last for years."""
        self.simulator = Simulator(datetime(2026, 1, 1, tzinfo=UTC), seed=b"a root of our own")
        self.machine = self.simulator.platform("0")

    def renew(self, fmspc: bytes, now: int) -> bool:
        """Sign new documents, some or all of them, and have somebody bring them."""
        wanted = self._wanted(fmspc, now)
        raw = RawCollateral.from_json(json.dumps(self._mint(fmspc, wanted)))
        brought = False
        for step in steps(self.store, raw, assemble=False):
            if step.needed:
                assert self.send(step.data), step.name
                brought = True
        self.windows = wanted
        return brought

    def window_of(self, fmspc: bytes) -> Window | None:
        """Return what a verdict by the documents in force spans; None where one is missing."""
        if fmspc not in self.windows:
            return None
        names = (fmspc, "identity", "list", "root list")
        issued, ends = zip(*(self.windows[name] for name in names), strict=True)
        return max(issued), min(ends)

    def _wanted(self, fmspc: bytes, now: int) -> dict[str | bytes, Window]:
        dice, found = self.random, dict(self.windows)
        for name in (fmspc, "identity", "list", "root list"):
            held = found.get(name, (0, 0))
            # What has ended is renewed, or the set would be worth nothing; the rest as it comes.
            if held[1] <= now + DAY or dice.random() < 0.3:
                life = 300 if name == "root list" else dice.choice([2, 4, 6, 9])
                issued = max(held[0] + 1, now - dice.randrange(1, 3600))
                found[name] = (issued, issued + life * DAY)
        return found

    def _mint(self, fmspc: bytes, wanted: dict[str | bytes, Window]) -> dict[str, str]:
        spec = self.machine.collateral_spec(tdx=True)
        dates = {name: tuple(map(_time, window)) for name, window in wanted.items()}

        def dated(document: Any, name: str | bytes, *fields: str) -> Any:
            return replace(document, **dict(zip(fields, dates[name], strict=True)))

        signed, listed = ("issue_date", "next_update"), ("this_update", "next_update")
        return self.simulator.collateral(
            self.machine,
            "tdx",
            tcb_info=replace(dated(spec.tcb_info, fmspc, *signed), fmspc=fmspc),
            qe_identity=dated(spec.qe_identity, "identity", *signed),
            pck_crl=dated(spec.pck_crl, "list", *listed),
            root_crl=dated(spec.root_crl, "root list", *listed),
        )


def _time(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
