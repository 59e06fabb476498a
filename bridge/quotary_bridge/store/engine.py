"""
Opening the database so that a commit is a promise.

SQLite in WAL mode with `synchronous=FULL`: a commit that returned survives a crash of the process
and of the machine. Write transactions begin IMMEDIATE, so that two writers queue at the start
instead of failing in the middle.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DatabaseError

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store.tables import SCHEMA_VERSION, metadata

__all__ = ["READS", "open_engine"]

BUSY_TIMEOUT_MILLISECONDS = 30_000
"""How long a writer waits for another: longer than any backup or checkpoint of a healthy disk."""

READS = {"quotary_reads": True}
"""Execution option of connections that only read: they need not wait for the writer."""


def open_engine(path: Path) -> Engine:
    """
    Open, or create, the database file at `path`, readable by its owner only.

    Raises `ConfigurationError` where the file is damaged, cannot be opened, or was written by
    another version of the bridge.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    except OSError as error:
        raise _unusable(path, error) from error
    engine = create_engine(f"sqlite+pysqlite:///{path}")
    event.listen(engine, "connect", _configure)
    event.listen(engine, "begin", _begin)
    try:
        with engine.begin() as connection:
            _check(connection, path)
            _prepare(connection, path)
    except (DatabaseError, sqlite3.Error) as error:
        engine.dispose()
        raise _unusable(path, error) from error
    except ConfigurationError:
        engine.dispose()
        raise
    return engine


def _configure(raw: sqlite3.Connection, _record: object) -> None:
    # The driver must not begin transactions on its own: `_begin` does, and says which kind.
    raw.isolation_level = None
    for pragma in (
        f"busy_timeout={BUSY_TIMEOUT_MILLISECONDS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        raw.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("quotary_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def _check(connection: Connection, path: Path) -> None:
    found = connection.execute(text("PRAGMA quick_check(1)")).scalar_one()
    if found != "ok":
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"the store {path.name} is damaged: {found}",
            "restore a copy, or start with an empty store: the chain says what is already done",
        )


def _prepare(connection: Connection, path: Path) -> None:
    version = connection.execute(text("PRAGMA user_version")).scalar_one()
    tables = connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
    if tables == 0:
        metadata.create_all(connection)
        connection.execute(text(f"PRAGMA user_version = {SCHEMA_VERSION}"))
    elif version != SCHEMA_VERSION:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the store {path.name} has version {version}, this bridge needs {SCHEMA_VERSION}",
            "use the version of the bridge that wrote it, or another file",
        )


def _unusable(path: Path, error: Exception) -> ConfigurationError:
    return ConfigurationError(
        Reason.FILE_UNREADABLE,
        f"the store {path.name} cannot be used: {error}",
        "check the path, its permissions and the free space of its disk",
    )
