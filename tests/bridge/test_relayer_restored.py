"""A record that was put back from a copy: what happened since, the chain has to tell."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import ChainId, Timestamp
from quotary_bridge.store import Store

from tests.bridge.relayer_town import (
    Town,
    Worker,
    address,
    client_of,
    drive,
    relayer_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]

STEPS = 4
LATER = Timestamp(100_000)
"""Long after every lease of the copies has run out."""


def copied(source: Path, target: Path) -> None:
    """What a backup takes: everything that is committed."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        old.backup(new)


@pytest.fixture
def copies(town: Town, tmp_path: Path) -> list[Path]:
    """Copies of a record before each of the first cycles, and then everything was delivered."""
    path, found = tmp_path / "store.sqlite", list[Path]()
    town.ask()
    with closing(Store.open(path, lambda: Timestamp(1_000))) as store:
        with relayer_of(town, store, client_of(one=Worker())) as relayer:
            for number in range(STEPS):
                if number == 1:
                    town.ask(b"another question")
                found.append(tmp_path / f"copy{number}.sqlite")
                copied(path, found[-1])
                relayer.tick()
                town.node.mine()
            drive(relayer, town)
        assert store.counts(ChainId(town.chain.chain_id), town.oracle)[JobState.FINAL] == 2
    return found


def test_a_record_from_yesterday_doubles_nothing(town: Town, copies: list[Path]) -> None:
    """Whatever it was copied before: what is answered stays answered once, and work goes on."""
    assert len(town.deliveries()) == 2
    for number, copy in enumerate(copies):
        with closing(Store.open(copy, lambda: LATER)) as store:
            with relayer_of(town, store, client_of(one=Worker())) as relayer:
                drive(relayer, town, 30)
                town.ask(b"a question for copy %d" % number)
                drive(relayer, town, 30)
            delivered = town.deliveries()
            assert len(delivered) == len(set(delivered)) == 3 + number
            assert store.unresolved_slots(ChainId(town.chain.chain_id), address(town)) == ()
            assert not store.has_open_jobs(ChainId(town.chain.chain_id), town.oracle)
