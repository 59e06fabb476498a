"""Looking at a record that relayers work with: it waits for nobody, and changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store import Lease, Location, PostgresUrl, Store, TaskBook, migrate
from sqlalchemy import text

from tests.bridge.store_parts import CHAIN, ORACLE, Clock, queue, request_of

pytest_plugins = ["tests.bridge.store_fixtures"]


@contextmanager
def starting_relayer(store: Store) -> Iterator[None]:
    """What another relayer holds while it checks the record and brings it up to date."""
    with store._engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({migrate._LOCK})")
            connection.exec_driver_sql(
                "LOCK TABLE job, alembic_version IN SHARE ROW EXCLUSIVE MODE"
            )
        yield


def test_looking_waits_for_no_writer(
    store: Store,
    lease: Lease,
    database: Location,
    clock: Clock,
) -> None:
    """Neither one in the middle of a commit nor one that starts; what is committed is there."""
    queue(store, lease)
    for writer in (store.write(lease), starting_relayer(store)):
        with writer, closing(Store.open_existing(database, clock)) as looking:
            assert looking.job(request_of(1).key) is not None
            assert looking.overview().signers[0].signer == lease.signer
            assert looking.signers_at_work() == {lease.signer}
            assert looking.batch_document_for(request_of(1).key) is None
        with starting_relayer(store), closing(TaskBook.open_existing(database, clock)) as book:
            assert book.reports() == ()


def test_who_looks_holds_up_no_writer(
    store: Store, lease: Lease, database: Location, clock: Clock
) -> None:
    """A person reads the whole record while the relayer goes on, and sees it as it was."""
    with closing(Store.open_existing(database, clock)) as looking, looking._read() as reading:
        reading.exec_driver_sql("SELECT count(*) FROM job").scalar_one()
        queue(store, lease)
        assert store.has_open_jobs(CHAIN, ORACLE)


@pytest.mark.parametrize("revision", ["0001", "9999", None])
def test_a_record_of_another_revision_is_refused_as_it_is(
    store: Store, database: Location, clock: Clock, revision: str | None
) -> None:
    """Older or newer: a relayer of that version may be at work with it."""
    with store._engine.begin() as connection:
        if revision is None:
            connection.exec_driver_sql("DROP TABLE alembic_version")
        else:
            connection.execute(
                text("UPDATE alembic_version SET version_num = :it"), {"it": revision}
            )
    for opening in (Store.open_existing, TaskBook.open_existing):
        with pytest.raises(ConfigurationError) as caught:
            opening(database, clock)
        assert caught.value.reason is Reason.CONFIGURATION_INVALID
        assert migrate.NEWEST in str(caught.value)
    with store._engine.connect() as connection:
        assert migrate._revision(connection) == revision


def test_a_record_that_is_not_there_is_not_made(database: Location, clock: Clock) -> None:
    """A file is not created, and an empty database gets no tables."""
    with pytest.raises(ConfigurationError) as caught:
        Store.open_existing(database, clock)
    if isinstance(database, PostgresUrl):
        assert caught.value.reason is Reason.CONFIGURATION_INVALID
        return
    assert caught.value.reason is Reason.FILE_UNREADABLE
    assert not database.parent.exists()


def test_what_is_no_record_is_named(tmp_path: Path, clock: Clock) -> None:
    """Another program's file, which stays as it is."""
    path = tmp_path / "notes.txt"
    content = b"not a database at all, but long enough to look like one" * 40
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        Store.open_existing(path, clock)
    assert caught.value.reason is Reason.FILE_UNREADABLE
    assert path.read_bytes() == content
