"""
Opening the database so that a commit is a promise.

SQLite in WAL mode with `synchronous=FULL`: a commit that returned survives a crash of the process
and of the machine. Write transactions begin IMMEDIATE, so that two writers queue at the start
instead of failing in the middle. PostgreSQL with `synchronous_commit=on`: writers of one signer
queue at the row of its lease.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError, NoSuchModuleError

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store.location import Location, PostgresUrl
from quotary_bridge.store.migrate import bring_up_to_date, require_newest

__all__ = ["READS", "open_engine", "open_existing"]

BUSY_TIMEOUT_MILLISECONDS = 30_000
"""How long a writer waits for another: longer than any backup or checkpoint of a healthy disk."""

CONNECT_TIMEOUT_SECONDS = 10
"""How long a database server may take to accept us."""

_KNOWS_WHOLE_TRANSACTIONS = 170_000

READS = {"quotary_reads": True}
"""Execution option of connections that only read: they need not wait for the writer."""


def open_engine(where: Location) -> Engine:
    """
    Open, or create, the database at `where`, and bring its tables up to date.

    A file is readable by its owner only. Raises `ConfigurationError` where the database is
    damaged, cannot be opened, or was written by a newer version of the bridge.
    """
    engine = _postgres(where) if isinstance(where, PostgresUrl) else _sqlite(where)
    name = str(where) if isinstance(where, PostgresUrl) else where.name
    with _usable(engine, name), engine.begin() as connection:
        if isinstance(where, Path):
            _check(connection, name)
        bring_up_to_date(connection, name)
    return engine


def open_existing(where: Location) -> Engine:
    """
    Open the database at `where` as it is: nothing is made, checked or brought up to date.

    For whoever looks at a record while relayers work with it: this reads two rows and waits for no
    writer. Raises `ConfigurationError` where there is no record, where it cannot be opened, and
    where its revision is not exactly the one that this bridge works with.
    """
    name = str(where) if isinstance(where, PostgresUrl) else where.name
    if isinstance(where, Path) and not where.is_file():
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"there is no record {where}",
            "name the one that a relayer writes, with --database",
        )
    engine = _postgres(where) if isinstance(where, PostgresUrl) else _sqlite_engine(where)
    with _usable(engine, name), engine.connect().execution_options(**READS) as connection:
        require_newest(connection, name)
    return engine


@contextmanager
def _usable(engine: Engine, name: str) -> Iterator[None]:
    """Let go of an engine that proves to be of no use, and say why as `ConfigurationError`."""
    try:
        yield
    except (DatabaseError, sqlite3.Error) as error:
        engine.dispose()
        raise _unusable(name, getattr(error, "orig", error)) from error
    except ConfigurationError:
        engine.dispose()
        raise


def _sqlite(path: Path) -> Engine:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise _unusable(path.name, error) from error
    engine = _sqlite_engine(path)
    # What the file keeps, and not the connection: set by whoever may also make it.
    event.listen(engine, "connect", lambda raw, _record: raw.execute("PRAGMA journal_mode=WAL"))
    return engine


def _sqlite_engine(path: Path) -> Engine:
    engine = create_engine(f"sqlite+pysqlite:///{path}")
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _postgres(where: PostgresUrl) -> Engine:
    try:
        engine = create_engine(
            where.url,
            # A connection that a restarted server closed is replaced before it is used.
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS},
        )
    except (ModuleNotFoundError, NoSuchModuleError) as error:
        raise ConfigurationError(
            Reason.TOOL_MISSING,
            "PostgreSQL needs a driver that is not installed",
            "pip install 'quotary[postgres]'",
        ) from error
    event.listen(engine, "begin", _begin_postgres)
    return engine


def _configure_sqlite(raw: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions on its own: `_begin_sqlite` does, and says which kind.
    raw.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        raw.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get("quotary_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _begin_postgres(connection: Connection) -> None:
    # Set in every transaction: a pooler between us and the server may change the session. One that
    # a stopped machine left open must not hold its locks for ever: the server's timer for idle ones
    # does not run after rows that were sent as a pipeline, that for whole ones (17 and later) does.
    connection.exec_driver_sql(
        "SELECT set_config('synchronous_commit', 'on', true), "
        f"set_config('lock_timeout', '{BUSY_TIMEOUT_MILLISECONDS}', true), "
        f"set_config('idle_in_transaction_session_timeout', '{BUSY_TIMEOUT_MILLISECONDS}', true), "
        f"CASE WHEN current_setting('server_version_num')::int >= {_KNOWS_WHOLE_TRANSACTIONS} "
        f"THEN set_config('transaction_timeout', '{BUSY_TIMEOUT_MILLISECONDS}', true) END"
    )


def _check(connection: Connection, name: str) -> None:
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"the store {name} is damaged: {found}",
            "restore a copy, or start with an empty store: the chain says what is already done",
        )


def _unusable(name: str, error: object) -> ConfigurationError:
    return ConfigurationError(
        Reason.FILE_UNREADABLE,
        f"the store {name} cannot be used: {error}",
        "check where it is, who may open it, and the free space of its disk",
    )
