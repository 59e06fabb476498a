"""One write transaction: everything between its begin and its commit happens, or nothing does."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from quotary_bridge.lifecycle import Event, Job, ResultStored, advance
from quotary_bridge.model import (
    Address,
    AttemptKind,
    BlockNumber,
    BlockRef,
    ChainId,
    Fees,
    Inclusion,
    JobKey,
    Nonce,
    SignedResult,
    Slot,
    SlotState,
    TransactionHash,
)
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.rows import job_from, job_row, result_row
from quotary_bridge.store.tables import attempt, cursor, job, result, slot
from quotary_bridge.store.upsert import upsert

__all__ = ["Cursor", "SignedTransaction", "Writer"]


@dataclass(frozen=True, slots=True)
class Cursor:
    """
    How far the chain was read.

    Everything up to `final` was read and can no longer change; `head` is the newest block read.
    """

    head: BlockRef
    final: BlockRef


@dataclass(frozen=True, slots=True)
class SignedTransaction:
    """Signed bytes that may not be sent yet: only what the store gives back as an attempt may."""

    kind: AttemptKind
    raw: bytes
    hash: TransactionHash
    fees: Fees
    gas: int


class Writer:
    """
    The writes of one transaction under a lease that was proven at its beginning.

    Every row carries the lease's token, so that a trace of who wrote what remains.
    """

    def __init__(self, connection: Connection, held: Lease) -> None:
        """Write through `connection`, in whose transaction `held` was proven."""
        self._connection = connection
        self._lease = held

    def add_job(self, fresh: Job) -> None:
        """Keep a job that the store does not have yet."""
        self._connection.execute(insert(job).values(**job_row(fresh), token=self._lease.token))

    def job(self, key: JobKey) -> Job:
        """Return the job as this transaction sees it."""
        # Locked until the commit: what is decided from it must still be so when it is written.
        query = select(job).where(job.c.key == key).with_for_update()
        return job_from(self._connection.execute(query).mappings().one())

    def advance(self, key: JobKey, event: Event) -> Job:
        """
        Move the job, as it is stored now, by `event`, and return what it became.

        Raises `IllegalTransitionError`, and then the whole transaction is undone.
        """
        before = self.job(key)
        after = advance(before, event)
        if after != before:
            stored = job_row(before)
            values = {
                name: value for name, value in job_row(after).items() if value != stored[name]
            }
            self._connection.execute(
                update(job).where(job.c.key == key).values(**values, token=self._lease.token)
            )
        return after

    def add_result(self, key: JobKey, signed: SignedResult) -> Job:
        """Keep a checked result and make it the one in use."""
        used = select(func.coalesce(func.max(result.c.ordinal), 0)).where(result.c.job_key == key)
        ordinal = self._connection.execute(used).scalar_one() + 1
        self._connection.execute(
            insert(result).values(
                job_key=key, ordinal=ordinal, token=self._lease.token, **result_row(signed)
            )
        )
        return self.advance(key, ResultStored(ordinal))

    def next_nonce(self, mined: Nonce) -> Nonce:
        """
        Return the lowest nonce from `mined` (the account's nonce on the chain) on not given out.

        The lowest, so that a gap is filled before anything is queued behind it.
        """
        given_out = set(
            self._connection.execute(
                select(slot.c.nonce).where(self._mine() & (slot.c.nonce >= mined))
            ).scalars()
        )
        nonce = mined
        while nonce in given_out:
            nonce = Nonce(nonce + 1)
        return nonce

    def open_slot(self, nonce: Nonce, key: JobKey | None) -> int:
        """Give `nonce` out, to a job or (None) to close a gap; returns the slot's id."""
        row = {
            "chain_id": self._lease.chain_id,
            "signer": self._lease.signer,
            "nonce": nonce,
            "job_key": key,
            "state": SlotState.OPEN.value,
            "broadcasts": 0,
            "token": self._lease.token,
        }
        opened = insert(slot).values(**row).returning(slot.c.id)
        return int(self._connection.execute(opened).scalar_one())

    def add_attempt(self, slot_id: int, signed: SignedTransaction, at: BlockNumber) -> None:
        """Keep signed bytes as the newest attempt of a nonce; `at` is the pinned block."""
        used = select(func.count()).where(attempt.c.slot_id == slot_id)
        self._connection.execute(
            insert(attempt).values(
                slot_id=slot_id,
                ordinal=self._connection.execute(used).scalar_one(),
                kind=signed.kind.value,
                raw=signed.raw,
                hash=signed.hash,
                max_fee=signed.fees.max_fee,
                max_priority_fee=signed.fees.max_priority_fee,
                gas=signed.gas,
                signed_at=at,
                token=self._lease.token,
            )
        )

    def count_broadcast(self, slot_id: int) -> None:
        """Note that the latest attempt was taken by a node."""
        self._update_slot(slot_id, broadcasts=slot.c.broadcasts + 1)

    def resolve_slot(self, held: Slot, state: SlotState, inclusion: Inclusion | None) -> None:
        """Note what became of a nonce; a reorg moves it back to `OPEN` with no inclusion."""
        self._update_slot(
            held.id,
            state=state.value,
            mined_hash=None if inclusion is None else inclusion.transaction,
            mined_block_number=None if inclusion is None else inclusion.block.number,
            mined_block_hash=None if inclusion is None else inclusion.block.hash,
            mined_succeeded=None if inclusion is None else inclusion.succeeded,
        )

    def move_cursor(self, chain_id: ChainId, oracle: Address, to: Cursor) -> None:
        """Note how far the chain was read."""
        values = {
            "head_number": to.head.number,
            "head_hash": to.head.hash,
            "final_number": to.final.number,
            "final_hash": to.final.hash,
            "token": self._lease.token,
        }
        self._connection.execute(
            upsert(self._connection, cursor)
            .values(chain_id=chain_id, oracle=oracle, **values)
            .on_conflict_do_update(index_elements=["chain_id", "oracle"], set_=values)
        )

    def _update_slot(self, slot_id: int, **values: object) -> None:
        self._connection.execute(
            update(slot)
            .where((slot.c.id == slot_id) & self._mine())
            .values(**values, token=self._lease.token)
        )

    def _mine(self) -> ColumnElement[bool]:
        return (slot.c.chain_id == self._lease.chain_id) & (slot.c.signer == self._lease.signer)
