"""INSERT … ON CONFLICT, which both databases know and SQLAlchemy offers per dialect."""

from __future__ import annotations

from functools import cache

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

__all__ = ["adding", "upsert"]


def upsert(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return an insert that may say what happens where the row exists."""
    return _insert(connection.dialect.name, table)


@cache
def adding(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    """Return the insert that leaves a row as it is where it exists; the same one every time."""
    return _insert(dialect, table).on_conflict_do_nothing()


def _insert(dialect: str, table: Table) -> sqlite.Insert | postgresql.Insert:
    return postgresql.insert(table) if dialect == "postgresql" else sqlite.insert(table)
