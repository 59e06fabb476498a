"""The store's revisions: what they make, what they take over, and what they refuse."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store import Lease, Location, Store, migrate
from quotary_bridge.store.tables import metadata

from tests.bridge.store_parts import CHAIN, SIGNER, Clock, queue, request_of

pytest_plugins = ["tests.bridge.store_fixtures"]


def test_the_revisions_make_exactly_the_tables_that_the_code_uses(store: Store) -> None:
    """Columns, types, keys and indexes."""
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def test_the_newest_revision_is_the_one_the_code_asks_for() -> None:
    """A revision that nobody applies would be found out by users."""
    config = Config()
    config.set_main_option("script_location", str(migrate._SCRIPTS))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.NEWEST]


def test_a_store_of_the_first_version_is_taken_over(
    database: Location, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It kept no books; its rows stay as they are."""
    with monkeypatch.context() as first:
        first.setattr(migrate, "NEWEST", "0001")
        old = Store.open(database, clock)
        slot = queue(old, old.acquire(CHAIN, SIGNER, "one"))
        with old._engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE alembic_version")
        old.close()
    store = Store.open(database, clock)
    assert store.slot(slot).job == request_of(1).key
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == migrate.NEWEST
        assert compare_metadata(context, metadata) == []
    store.close()


def test_a_newer_store_is_refused(store: Store, database: Location, clock: Clock) -> None:
    """Not guessed at, and not touched."""
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(ConfigurationError) as caught:
        Store.open(database, clock)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_relayers_that_start_at_once_take_turns(database: Location, clock: Clock) -> None:
    """The second finds the tables made."""
    failures: list[Exception] = []

    def _open() -> None:
        try:
            Store.open(database, clock).close()
        except Exception as error:  # noqa: BLE001 (told to the test's thread)
            failures.append(error)

    threads = [threading.Thread(target=_open) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_cycle_asks_no_question_that_reads_finished_rows(store: Store, lease: Lease) -> None:
    """What is open is found by an index that holds nothing else."""
    queue(store, lease)
    asked = (
        "SELECT * FROM job WHERE NOT terminal AND chain_id = 1 AND oracle = 'x'",
        "SELECT * FROM slot WHERE chain_id = 1 AND signer = 'x' AND state IN ('open', 'mined')",
    )
    sqlite = store._engine.dialect.name == "sqlite"
    with store._engine.begin() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for question, index in zip(asked, ("job_unfinished", "slot_unresolved"), strict=True):
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            plan = str(connection.exec_driver_sql(explain + question).fetchall())
            assert index in plan


def test_migrations_are_shipped_with_the_package() -> None:
    """They are Python modules below the package, so every build of a wheel takes them along."""
    names = sorted(path.name for path in Path(migrate._SCRIPTS, "versions").glob("r*.py"))
    assert names[0].startswith("r0001")
    assert len(names) == int(migrate.NEWEST)
