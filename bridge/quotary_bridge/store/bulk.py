"""
One statement for many rows, at the price of the driver alone.

SQLAlchemy looks at every value of every row again, which takes longer than writing it. Rows that
are written in bulk hold what both drivers take as it is: the statement is compiled once, and the
rows go through.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Dialect, Insert, Update
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["write_rows"]

STATEMENTS_REMEMBERED = 64


def write_rows(
    connection: Connection, statement: Insert | Update, rows: Sequence[dict[str, Any]]
) -> None:
    """
    Execute `statement` for each of `rows`; all have the same names, two of them at least.

    Warning: no value is converted. They are bytes, text, integers, truth values or None; an amount
    is decimal text. All parameters of the statement stand in the rows, and it is made only once.
    """
    if not rows:
        return
    compiled = _compiled(connection.dialect, statement, tuple(rows[0]))
    parameters: Sequence[Any] = rows
    if compiled.positiontup is not None:
        parameters = list(map(itemgetter(*compiled.positiontup), rows))
    connection.exec_driver_sql(compiled.string, parameters)


@lru_cache(STATEMENTS_REMEMBERED)
def _compiled(dialect: Dialect, statement: Insert | Update, names: tuple[str, ...]) -> SQLCompiler:
    compiled = statement.compile(dialect=dialect, column_keys=names)
    if not isinstance(compiled, SQLCompiler):
        raise TypeError("not a statement that writes rows")
    return compiled
