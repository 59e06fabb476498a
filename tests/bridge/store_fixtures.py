"""Fixtures of the store's tests: each runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from quotary_bridge.store import Lease, Location, Store

from tests.bridge.postgres import PostgresServer, running_postgres
from tests.bridge.store_parts import CHAIN, SIGNER, Clock


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """One server for the whole session."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Location]:
    """An empty database of each kind."""
    if request.param == "sqlite":
        yield tmp_path / "deep" / "store.sqlite"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    fresh = server.database()
    yield fresh
    server.drop(fresh)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(database: Location, clock: Clock) -> Iterator[Store]:
    opened = Store.open(database, clock)
    yield opened
    opened.close()


@pytest.fixture
def lease(store: Store) -> Lease:
    return store.acquire(CHAIN, SIGNER, "one")
