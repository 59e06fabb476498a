"""The store's revisions: what they make, what they take over, and what they refuse."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import BlockNumber, Timestamp
from quotary_bridge.store import BatchRecord, Lease, Location, Store, migrate
from quotary_bridge.store.tables import metadata
from sqlalchemy import event

from tests.bridge.store_parts import CHAIN, ORACLE, SIGNER, Clock, OpenStore, queue, request_of

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


# What the later revisions made, undone: the tables as the first version had them.
BACK_TO_THE_FIRST = (
    "DROP TABLE batch_member",
    "DROP TABLE batch",
    "DROP TABLE seat",
    "DROP TABLE round",
    "ALTER TABLE result DROP COLUMN call",
    "ALTER TABLE job DROP COLUMN claimant",
    "ALTER TABLE job DROP COLUMN claim_token",
    "ALTER TABLE job DROP COLUMN call",
    "ALTER TABLE job DROP COLUMN target",
    "ALTER TABLE job DROP COLUMN kind",
    "ALTER TABLE lease DROP COLUMN draining",
    "ALTER TABLE job DROP COLUMN terms",
    "DROP TABLE task",
    "DROP INDEX job_unfinished_by_state",
    "DROP INDEX job_unfinished_by_deadline",
    "DROP INDEX job_unfinished",
    "DROP INDEX slot_unresolved",
    "CREATE INDEX job_open ON job (chain_id, oracle, terminal, state)",
    "DROP TABLE alembic_version",
)


def test_a_store_of_the_first_version_is_taken_over(
    database: Location, clock: Clock, open_store: OpenStore
) -> None:
    """It kept no books; its rows stay as they are."""
    old = open_store(database, clock)
    slot = queue(old, old.acquire(CHAIN, SIGNER, "one"))
    with old._engine.begin() as connection:
        for statement in BACK_TO_THE_FIRST:
            connection.exec_driver_sql(statement)
    old.close()
    store = open_store(database, clock)
    assert store.slot(slot).job == request_of(1).key
    with store._engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert context.get_current_revision() == migrate.NEWEST
        assert compare_metadata(context, metadata) == []


def test_members_of_batches_from_before_bear_the_token_of_their_batch(
    database: Location, clock: Clock, open_store: OpenStore
) -> None:
    """Revision 10 finds out who wrote them."""
    old = open_store(database, clock)
    old.acquire(CHAIN, SIGNER, "one")
    # The second lease of the account has another token than the first one of a store.
    lease = old.acquire(CHAIN, SIGNER, "one")
    queue(old, lease)
    key = request_of(1).key
    row = BatchRecord(
        *(key, CHAIN, ORACLE, *(request_of(1).app_id,) * 2),
        *(SIGNER, request_of(1).app_id, BlockNumber(5)),
    )
    with old.write(lease) as writer:
        writer.batches().add(row, "signed", [key])
    with old._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE batch_member DROP COLUMN token")
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0009'")
    old.close()
    store = open_store(database, clock)
    with store._engine.connect() as connection:
        found = connection.exec_driver_sql("SELECT token FROM batch_member").scalars().all()
    assert found == [lease.token] == [2]


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


def asked_by_a_cycle(store: Store) -> list[tuple[str, Any]]:
    """Every question that a cycle asks again and again, as the database gets it."""
    asked: list[tuple[str, Any]] = []

    def _note(_c: object, _d: object, statement: str, parameters: object, *_: object) -> None:
        if statement.startswith("SELECT") and "FROM" in statement:
            asked.append((statement, parameters))

    event.listen(store._engine, "before_cursor_execute", _note)
    for states in ((JobState.SEEN,), (JobState.FAILED, JobState.SUPERSEDED)):
        store.open_jobs(CHAIN, ORACLE, *states, most=9)
    store.open_jobs(CHAIN, ORACLE, JobState.SIGNED, most=9, without_slot=True)
    store.recent_jobs(CHAIN, ORACLE, BlockNumber(3))
    store.overdue_jobs(CHAIN, ORACLE, Timestamp(9), 9)
    store.has_open_jobs(CHAIN, ORACLE)
    store.unresolved_slots(CHAIN, SIGNER)
    store.jobs([request_of(1).key])
    event.remove(store._engine, "before_cursor_execute", _note)
    return asked


def test_no_question_of_a_cycle_reads_finished_rows(store: Store, lease: Lease) -> None:
    """Each is answered by an index that holds open rows only, or by the key."""
    queue(store, lease)
    asked = asked_by_a_cycle(store)
    assert len(asked) >= 9
    sqlite = store._engine.dialect.name == "sqlite"
    with store._engine.begin() as connection:
        if not sqlite:
            connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        for question, parameters in asked:
            explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
            plan = str(connection.exec_driver_sql(explain + question, parameters).fetchall())
            used = ("job_unfinished", "slot_unresolved", "pkey", "autoindex", "slot_id=?")
            assert any(name in plan for name in used), (question, plan)


def test_migrations_are_shipped_with_the_package() -> None:
    """They are Python modules below the package, so every build of a wheel takes them along."""
    names = sorted(path.name for path in Path(migrate._SCRIPTS, "versions").glob("r*.py"))
    assert names[0].startswith("r0001")
    assert len(names) == int(migrate.NEWEST)
