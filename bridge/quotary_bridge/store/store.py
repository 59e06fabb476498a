"""The store: reads for everybody, writes for whoever holds the signer's lease."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Self

from sqlalchemy import ColumnElement, Connection, Engine, RowMapping, func, select
from sqlalchemy.exc import DBAPIError, OperationalError

from quotary_bridge.errors import Reason, Transient
from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    ChainId,
    JobKey,
    SignedResult,
    Slot,
    SlotState,
    Timestamp,
)
from quotary_bridge.store import leases
from quotary_bridge.store.engine import READS, open_engine
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.location import Location
from quotary_bridge.store.rows import job_from, result_from, slot_from
from quotary_bridge.store.tables import attempt, cursor, job, result, slot
from quotary_bridge.store.writer import Cursor, Writer

__all__ = ["LEASE_SECONDS", "Store", "StoreUnavailableError"]

LEASE_SECONDS = 60
"""How long a silent relayer keeps its signer: several cycles, and well under a deadline."""

_UNRESOLVED = (SlotState.OPEN.value, SlotState.MINED.value)


class StoreUnavailableError(Transient):
    """The database is locked, full or out of reach; nothing was written, and nothing failed."""


class Store:
    """
    What the bridge remembers.

    `now` gives Unix seconds and serves leases only: every other decision is made by block. One
    instance may be used from several threads.
    """

    def __init__(self, engine: Engine, now: Callable[[], Timestamp]) -> None:
        """Use an engine made by `open_engine`."""
        self._engine = engine
        self._now = now

    @classmethod
    def open(cls, where: Location, now: Callable[[], Timestamp]) -> Self:
        """Open or create the store at `where`; raises `ConfigurationError`."""
        return cls(open_engine(where), now)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def acquire(
        self,
        chain_id: ChainId,
        signer: Address,
        holder: str,
        is_gone: Callable[[str], bool] = lambda _: False,
    ) -> Lease:
        """
        Take the signer's lease; raises `LeaseHeldError` where another holder has it.

        `is_gone` may know that a holder is no more, so that nobody waits for its lease to run out.
        """
        with self._transaction() as connection:
            return leases.acquire(
                connection,
                chain_id,
                signer,
                holder,
                now=self._now(),
                seconds=LEASE_SECONDS,
                is_gone=is_gone,
            )

    def release(self, held: Lease) -> None:
        """Give the lease back, so that the next relayer need not wait."""
        with self._transaction() as connection:
            leases.release(connection, held)

    @contextmanager
    def write(self, held: Lease) -> Iterator[Writer]:
        """
        One transaction: committed where the block ends, undone where it raises.

        Proves and prolongs the lease first; raises `LeaseHeldError` where it was lost.
        """
        with self._transaction() as connection:
            leases.renew(connection, held, self._now(), LEASE_SECONDS)
            yield Writer(connection, held)

    def job(self, key: JobKey) -> Job | None:
        """Return the job, or None where the request was never seen."""
        with self._read() as connection:
            row = connection.execute(select(job).where(job.c.key == key)).mappings().one_or_none()
        return None if row is None else job_from(row)

    def open_jobs(self, chain_id: ChainId, oracle: Address, *states: JobState) -> tuple[Job, ...]:
        """Return the jobs that can still move, oldest request first, of `states` or of all."""
        wanted = ~job.c.terminal & (job.c.chain_id == chain_id) & (job.c.oracle == oracle)
        if states:
            wanted &= job.c.state.in_([state.value for state in states])
        order = (job.c.block_number, job.c.request_id)
        with self._read() as connection:
            rows = connection.execute(select(job).where(wanted).order_by(*order)).mappings()
            return tuple(job_from(row) for row in rows)

    def counts(self, chain_id: ChainId, oracle: Address) -> dict[JobState, int]:
        """Return how many jobs are in each state, zero included."""
        query = (
            select(job.c.state, func.count())
            .where((job.c.chain_id == chain_id) & (job.c.oracle == oracle))
            .group_by(job.c.state)
        )
        with self._read() as connection:
            found = {JobState(state): count for state, count in connection.execute(query)}
        return {state: found.get(state, 0) for state in JobState}

    def result(self, key: JobKey, ordinal: int) -> SignedResult:
        """Return a stored result."""
        wanted = (result.c.job_key == key) & (result.c.ordinal == ordinal)
        with self._read() as connection:
            return result_from(connection.execute(select(result).where(wanted)).mappings().one())

    def slot(self, slot_id: int) -> Slot:
        """Return a nonce with all its attempts."""
        with self._read() as connection:
            return _slots(connection, slot.c.id == slot_id)[0]

    def unresolved_slots(self, chain_id: ChainId, signer: Address) -> tuple[Slot, ...]:
        """Return every nonce that is not final, lowest first: what has to be followed."""
        mine = (slot.c.chain_id == chain_id) & (slot.c.signer == signer)
        with self._read() as connection:
            return _slots(connection, mine & slot.c.state.in_(_UNRESOLVED))

    def cursor(self, chain_id: ChainId, oracle: Address) -> Cursor | None:
        """Return how far the chain was read, or None at the very start."""
        wanted = (cursor.c.chain_id == chain_id) & (cursor.c.oracle == oracle)
        with self._read() as connection:
            row = connection.execute(select(cursor).where(wanted)).mappings().one_or_none()
        if row is None:
            return None
        return Cursor(
            head=BlockRef(BlockNumber(row["head_number"]), BlockHash(row["head_hash"])),
            final=BlockRef(BlockNumber(row["final_number"]), BlockHash(row["final_hash"])),
        )

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with _available(), self._engine.connect().execution_options(**READS) as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with _available(), self._engine.begin() as connection:
            yield connection


@contextmanager
def _available() -> Iterator[None]:
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


def _slots(connection: Connection, wanted: ColumnElement[bool]) -> tuple[Slot, ...]:
    rows = connection.execute(select(slot).where(wanted).order_by(slot.c.nonce)).mappings().all()
    identifiers = [row["id"] for row in rows]
    query = select(attempt).where(attempt.c.slot_id.in_(identifiers)).order_by(attempt.c.ordinal)
    attempts: defaultdict[int, list[RowMapping]] = defaultdict(list)
    for row in connection.execute(query).mappings():
        attempts[row["slot_id"]].append(row)
    return tuple(slot_from(row, attempts[row["id"]]) for row in rows)
