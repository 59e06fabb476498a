"""Batches in the store: what a worker signed for many requests, and what came of each of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    Connection,
    RowMapping,
    bindparam,
    case,
    exists,
    func,
    insert,
    literal_column,
    select,
    text,
    update,
)

from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import Address, BlockNumber, Bytes32, ChainId, JobKey, JobKind
from quotary_bridge.store.claims import FREE, chunked
from quotary_bridge.store.jobs import KnownJobs
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.tables import batch, batch_member, job

__all__ = ["BatchRecord", "BatchState", "BatchWriter", "Commitment", "Member"]


class BatchState(StrEnum):
    """How far a batch is. It only ever moves to the right."""

    SIGNED = "signed"
    """Its worker signed it; its commitment is on the way."""

    COMMITTED = "committed"
    """Its root is in a final block."""

    ENDED = "ended"
    """Nothing can come of it any more, or all of its requests have ended."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """A batch's number at the oracle, and who is paid for it, by what kind of proof."""

    batch_id: int
    operator: Address
    kind: int


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """
    A batch; `key` is that of the errand that commits it.

    `since` is a block before which nobody can have committed it.
    """

    key: JobKey
    chain_id: ChainId
    oracle: Address
    app_id: Bytes32
    model_id: Bytes32
    worker: Address
    root: Bytes32
    since: BlockNumber
    state: BatchState = BatchState.SIGNED
    commitment: Commitment | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Member:
    """
    A request of a batch, by its place among the answers.

    `errand` is the last one that claimed its answer, `tries` how many did so before that one.
    """

    place: int
    job: JobKey
    errand: JobKey | None = None
    tries: int = 0


# Written out: a partial index is used only where the question repeats its condition.
_OPEN = text("batch.state in ('signed', 'committed')")
_OURS = (batch.c.chain_id == bindparam("chain")) & (batch.c.oracle == bindparam("oracle_"))
# All but the document, which is long.
_RECORD = [column for column in batch.c if column.name != "document"]
_BATCHES = select(*_RECORD).where(_OURS, _OPEN).order_by(batch.c.since, batch.c.key)
_PAGE = select(*_RECORD).where(batch.c.key > bindparam("after")).order_by(batch.c.key)
_BATCH = select(*_RECORD).where(batch.c.key == bindparam("the_key"))
_DOCUMENT = select(batch.c.document).where(batch.c.key == bindparam("the_key"))
_ENDED_LAST = case((batch.c.state == BatchState.ENDED.value, 1), else_=0)
_DOCUMENT_FOR = (
    select(batch.c.document)
    .join(batch_member, batch_member.c.batch_key == batch.c.key)
    .where(batch_member.c.job_key == bindparam("the_job"))
    .order_by(_ENDED_LAST, batch.c.since.desc())
    .limit(1)
)
_MEMBERS = (
    select(batch_member)
    .where(batch_member.c.batch_key == bindparam("the_key"))
    .order_by(batch_member.c.place)
)
_HELD = (
    select(batch_member.c.job_key)
    .join(batch, batch.c.key == batch_member.c.batch_key)
    .where(batch_member.c.job_key.in_(bindparam("keys", expanding=True)), _OPEN)
)
_FINISHED = select(batch.c.key).where(
    _OURS,
    _OPEN,
    ~exists()
    .where(batch_member.c.batch_key == batch.c.key, job.c.key == batch_member.c.job_key)
    .where(~job.c.terminal),
)
_CLAIM = (
    update(batch_member)
    .where(batch_member.c.batch_key == bindparam("the_key"))
    .where(batch_member.c.place == bindparam("the_place"))
)
_OPEN_COUNTS = select(batch.c.state, func.count()).where(_OPEN).group_by(batch.c.state)
_COUNTS = select(batch.c.state, func.count()).group_by(batch.c.state)
_TURN = func.row_number().over(
    partition_by=job.c.requester, order_by=(job.c.block_number, job.c.request_id)
)
_WAITING = (
    select(job)
    .where(
        job.c.chain_id == bindparam("chain"),
        job.c.oracle == bindparam("oracle_"),
        text("NOT job.terminal"),
        job.c.kind == literal_column(f"'{JobKind.ANSWER.value}'"),
        job.c.state.in_([literal_column(f"'{s}'") for s in (JobState.SEEN, JobState.DISPATCHED)]),
        FREE,
        ~exists()
        .where(batch_member.c.job_key == job.c.key, batch.c.key == batch_member.c.batch_key)
        .where(_OPEN),
    )
    # In turns, as all requests: who asks a thousand times holds up nobody's first.
    .order_by(_TURN, job.c.block_number, job.c.request_id)
    .limit(bindparam("most"))
)


def waiting(connection: Connection, wanted: dict[str, Any], known: KnownJobs) -> tuple[Job, ...]:
    """Return requests in no batch, each account's oldest first; `wanted` as `FREE` asks for it."""
    return tuple(known.read(connection, _WAITING, wanted))


def open_batches(connection: Connection, chain_id: ChainId, oracle: Address) -> list[BatchRecord]:
    """Return the batches that something can still come of, oldest first."""
    rows = connection.execute(_BATCHES, {"chain": chain_id, "oracle_": oracle}).mappings()
    return [_record(row) for row in rows]


def finished(connection: Connection, chain_id: ChainId, oracle: Address) -> set[JobKey]:
    """Return those open batches none of whose requests can still move."""
    found = connection.execute(_FINISHED, {"chain": chain_id, "oracle_": oracle})
    return {JobKey(key) for key in found.scalars()}


def page(connection: Connection, after: JobKey | None, most: int) -> list[BatchRecord]:
    """Return batches by key, behind `after`."""
    rows = connection.execute(_PAGE.limit(most), {"after": after or b""}).mappings()
    return [_record(row) for row in rows]


def document_of(connection: Connection, key: JobKey) -> str:
    """Return what the worker signed, as `PreparedBatch` reads it; raises `KeyError`."""
    found = connection.execute(_DOCUMENT, {"the_key": key}).scalar_one_or_none()
    if found is None:
        raise KeyError(key)
    return str(found)


def document_for(connection: Connection, request: JobKey) -> str | None:
    """Return the document of a batch with an answer to a request, an open one before others."""
    return connection.execute(_DOCUMENT_FOR, {"the_job": request}).scalars().first()


def members_of(connection: Connection, key: JobKey) -> list[Member]:
    """Return the requests of a batch, in the order of its answers."""
    rows = connection.execute(_MEMBERS, {"the_key": key}).mappings()
    return [_member(row) for row in rows]


def open_counts(connection: Connection) -> dict[BatchState, int]:
    """Return how many batches something can still come of, by state."""
    return {BatchState(state): count for state, count in connection.execute(_OPEN_COUNTS)}


def counts(connection: Connection) -> dict[BatchState, int]:
    """Return how many batches there ever were in each state, zero included. Reads them all."""
    found = {BatchState(state): count for state, count in connection.execute(_COUNTS)}
    return {state: found.get(state, 0) for state in BatchState}


class BatchWriter:
    """The writes about batches of one transaction: see `Store.write`."""

    def __init__(self, connection: Connection, held: Lease) -> None:
        """Write through `connection`, in whose transaction `held` was proven."""
        self._connection = connection
        self._lease = held

    def add(self, record: BatchRecord, document: str, jobs: Iterable[JobKey]) -> None:
        """Keep a batch that the store does not have yet, with its requests in their order."""
        row = {name: getattr(record, name) for name in _PLAIN}
        row |= {"state": record.state.value, "document": document, "token": self._lease.token}
        self._connection.execute(insert(batch), row)
        row = {"batch_key": record.key, "tries": 0, "token": self._lease.token}
        members = [{**row, "place": place, "job_key": key} for place, key in enumerate(jobs)]
        self._connection.execute(insert(batch_member), members)

    def holding(self, jobs: Sequence[JobKey]) -> set[JobKey]:
        """Return those of many requests, which were loaded, that an open batch holds."""
        found: set[JobKey] = set()
        for some in chunked(jobs):
            rows = self._connection.execute(_HELD, {"keys": some}).scalars()
            found.update(JobKey(key) for key in rows)
        return found

    def lock(self, key: JobKey) -> BatchRecord:
        """Return a batch as it is now; nobody else changes it before this transaction ends."""
        found = self._connection.execute(_BATCH.with_for_update(), {"the_key": key})
        return _record(found.mappings().one())

    def members(self, key: JobKey) -> list[Member]:
        """Return the requests of a batch, in the order of its answers."""
        return members_of(self._connection, key)

    def committed(self, key: JobKey, told: Commitment) -> None:
        """Note that the root of a batch is in a final block."""
        known = {"batch_id": told.batch_id, "operator": told.operator, "kind": told.kind}
        self._move(key, state=BatchState.COMMITTED.value, **known)

    def end(self, key: JobKey, reason: str) -> None:
        """Note that nothing comes of a batch any more."""
        self._move(key, state=BatchState.ENDED.value, reason=reason)

    def claimed_by(self, key: JobKey, members: Sequence[Member], errand: JobKey) -> None:
        """Note the errand that claims the answers of `members`."""
        rows = [
            {
                "the_key": key,
                "the_place": each.place,
                "errand": errand,
                "tries": each.tries + (each.errand is not None),
                "token": self._lease.token,
            }
            for each in members
        ]
        self._connection.execute(_CLAIM, rows)

    def _move(self, key: JobKey, **changes: object) -> None:
        values = {**changes, "token": self._lease.token}
        self._connection.execute(update(batch).where(batch.c.key == key).values(**values))


_PLAIN = ("key", "chain_id", "oracle", "app_id", "model_id", "worker", "root", "since")


def _record(row: RowMapping) -> BatchRecord:
    told = None
    if row["batch_id"] is not None:
        told = Commitment(row["batch_id"], Address(row["operator"]), row["kind"])
    return BatchRecord(
        key=JobKey(row["key"]),
        chain_id=ChainId(row["chain_id"]),
        oracle=Address(row["oracle"]),
        app_id=Bytes32(row["app_id"]),
        model_id=Bytes32(row["model_id"]),
        worker=Address(row["worker"]),
        root=Bytes32(row["root"]),
        since=BlockNumber(row["since"]),
        state=BatchState(row["state"]),
        commitment=told,
        reason=row["reason"],
    )


def _member(row: RowMapping) -> Member:
    errand = row["errand"]
    return Member(
        row["place"],
        JobKey(row["job_key"]),
        None if errand is None else JobKey(errand),
        row["tries"],
    )
