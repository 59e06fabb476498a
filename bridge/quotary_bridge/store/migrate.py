"""
Bringing the tables up to date, one revision after another, in the transaction of the caller.

A store of a newer bridge is refused, not guessed at. Two bridges that start at once on one server
take turns.
"""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["bring_up_to_date", "require_newest"]

NEWEST = "0010"
"""The revision this bridge works with; a test holds it equal to the newest migration."""

_FIRST = "0001"
_SCRIPTS = Path(__file__).with_name("migrations")
_BOOKKEEPING = "alembic_version"

# Any number that no other program on the server takes a lock on: the ASCII codes of "quotary".
_LOCK = 0x71756F74617279


def bring_up_to_date(connection: Connection, name: str) -> None:
    """Run what is missing; raises `ConfigurationError` where the store called `name` is newer."""
    if connection.dialect.name == "postgresql":
        # A revision of a large store takes its time.
        connection.execute(
            text(
                "SELECT set_config(name, '0', true) FROM pg_settings "
                "WHERE name = 'transaction_timeout'"
            )
        )
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
    found = _revision(connection)
    if found == NEWEST:
        return
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the store {name} has revision {found}, this bridge knows up to {NEWEST}",
            "use the version of the bridge that wrote it, or another store",
        )
    if found is None and inspect(connection).has_table("job"):
        # Stores of the first version kept no books, and are what the first revision makes.
        command.stamp(config, _FIRST)
    command.upgrade(config, NEWEST)


def require_newest(connection: Connection, name: str) -> None:
    """Raise `ConfigurationError` where the store called `name` has any other revision than ours."""
    found = _revision(connection)
    if found == NEWEST:
        return
    has = "no revision at all" if found is None else f"revision {found}"
    raise ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"the store {name} has {has}, this bridge works with {NEWEST}",
        "look at it with the version of the bridge that wrote it; `quotary relay run` brings an "
        "older one up to date",
    )


def _revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table(_BOOKKEEPING):
        return None
    found = connection.execute(text(f"SELECT version_num FROM {_BOOKKEEPING}"))  # noqa: S608 (ours)
    revision: str | None = found.scalar_one_or_none()
    return revision
