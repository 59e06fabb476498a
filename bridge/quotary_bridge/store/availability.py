"""What a database that is locked, full or out of reach raises here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, OperationalError

from quotary_bridge.errors import Reason, Transient

__all__ = ["StoreUnavailableError", "available"]


class StoreUnavailableError(Transient):
    """The database is locked, full or out of reach; nothing was written, and nothing failed."""


@contextmanager
def available() -> Iterator[None]:
    """Raise `StoreUnavailableError` for what may pass; anything else is a fault of ours."""
    try:
        yield
    except DBAPIError as error:
        if not (isinstance(error, OperationalError) or error.connection_invalidated):
            raise
        raise StoreUnavailableError(
            Reason.FILE_UNREADABLE,
            f"the store cannot be read or written now: {error.orig}",
            "look for another program that locks it, for free space on its disk, and whether its "
            "server runs",
        ) from error
