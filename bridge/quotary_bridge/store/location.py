"""Where the store is: a file of this machine, or a PostgreSQL server shared by many."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from quotary_bridge.errors import ConfigurationError, Reason

__all__ = ["Location", "PostgresUrl", "location"]

_SCHEMES = ("postgresql://", "postgres://", "postgresql+psycopg://")
_DRIVER = "postgresql+psycopg"


@dataclass(frozen=True, slots=True)
class PostgresUrl:
    """A PostgreSQL database; the URL may hold a password, so it stays out of every text."""

    url: URL = field(repr=False)

    def __str__(self) -> str:
        """Host and database, nothing else."""
        return f"postgresql://{self.url.host or 'localhost'}/{self.url.database or ''}"


Location = Path | PostgresUrl


def location(text: str) -> Location:
    """
    Return what `text` names: a `postgresql://` URL, or else a file.

    Raises `ConfigurationError` where it looks like a URL and is none that we know.
    """
    if not text.startswith(_SCHEMES):
        if "://" in text:
            raise _no_url()
        return Path(text)
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        # The cause may quote the whole URL, which may hold a password: it is not kept.
        raise _no_url() from None
    return PostgresUrl(url.set(drivername=_DRIVER))


def _no_url() -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        "the database is neither a file nor a PostgreSQL URL",
        "give --database FILE or postgresql://USER@HOST/NAME, the password in PGPASSWORD",
    )
