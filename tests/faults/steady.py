"""
One relayer that nothing happens to, for many cycles: what it needs, and how long answers take.

Lives in a campaign are too short to show a leak, and what is killed all the time is no measure of
how fast a relayer is that is not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from quotary_bridge.chain.contracts import ONE_WORKER
from quotary_bridge.model import Timestamp
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, RelayerSettings
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import Worker, client_of
from tests.faults.world import RELAYER, World, world

FINALITY_DEPTH = 6
WARM_UP_SHARE = 0.25
"""Caches fill, and statements are compiled, for so much of the time."""


def steady(cycles: int, folder: Path) -> Mapping[str, float]:
    """
    Have a relayer answer one request a block for so many blocks.

    Returns `rss_warm` and `rss_end` (bytes), after a quarter of the cycles and at the end, and how
    many blocks requests took from theirs to the one that found their answers final: `blocks_median`
    and `blocks_p99`, where `FINALITY_DEPTH` is the least there can be.
    """
    made: dict[bytes, int] = {}
    taken: list[int] = []

    def _hear(progress: Progress) -> None:
        if progress.job is None:
            return
        if progress.kind is ProgressKind.REQUEST_SEEN:
            made[progress.job] = int(progress.details["made_at"])
        elif progress.kind is ProgressKind.FINAL:
            taken.append(progress.block - made.pop(progress.job))

    with world(strict=True, quorum=ONE_WORKER) as place:
        store = Store.open(folder / "steady.sqlite", lambda: Timestamp(1_000))
        relayer = _relayer(place, store, _hear)
        warm = 0
        for cycle in range(cycles):
            place.ask()
            # What asked is mined for good: what the harness kept of it is no memory of a relayer's.
            place.requests[-1], place.terms[-1] = b"", place.terms[0]
            place.node.mine()
            relayer.tick()
            if cycle == int(cycles * WARM_UP_SHARE):
                warm = _rss()
        end = _rss()
        relayer.close()
        store.close()
    taken.sort()
    return {
        "cycles": cycles,
        "rss_warm": warm,
        "rss_end": end,
        "finals": len(taken),
        "blocks_median": taken[len(taken) // 2],
        "blocks_p99": taken[len(taken) * 99 // 100],
    }


def _relayer(place: World, store: Store, listener: object) -> Relayer:
    return Relayer(
        place.node.chain,
        place.results,
        store,
        place.signers[RELAYER],
        [Endpoint("http://one")],
        settings=RelayerSettings(
            finality_depth=FINALITY_DEPTH,
            start_block=place.deployed_at,
            patience_seconds=60.0,
        ),
        listener=listener,  # type: ignore[arg-type]
        client=client_of(one=Worker()),
        holder="a steady one",
    )


def _rss() -> int:
    """How much memory this process occupies, in bytes."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
