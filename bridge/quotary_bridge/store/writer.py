"""
One write transaction: everything between its begin and its commit happens, or nothing does.

Rows are kept in memory and written in bulk, each statement once for all its rows: what is asked of
the writer meanwhile is answered from both. The order of the statements follows the foreign keys.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import (
    Connection,
    Insert,
    Update,
    bindparam,
    func,
    insert,
    literal_column,
    select,
    update,
)

from quotary_bridge.lifecycle import Event, Job, ResultStored, advance
from quotary_bridge.model import (
    Address,
    BlockNumber,
    ChainId,
    Inclusion,
    JobKey,
    Nonce,
    SignedResult,
    Slot,
    SlotState,
    Timestamp,
)
from quotary_bridge.rounds import Round
from quotary_bridge.store import changes
from quotary_bridge.store.batches import BatchWriter
from quotary_bridge.store.bulk import write_rows
from quotary_bridge.store.claims import chunked, claim
from quotary_bridge.store.jobs import KnownJobs
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.rounds import put_rounds, read_rounds
from quotary_bridge.store.rows import job_row, result_row
from quotary_bridge.store.tables import attempt, cursor, job, result, slot
from quotary_bridge.store.upsert import adding, upsert
from quotary_bridge.store.values import Cursor, SignedTransaction

__all__ = ["Writer"]


# Locked in the order of the keys, so that no two relayers wait for each other.
_JOBS = (
    select(job)
    .where(job.c.key.in_(bindparam("keys", expanding=True)))
    .order_by(job.c.key)
    .with_for_update()
)
_LAST_RESULTS = (
    select(result.c.job_key, func.max(result.c.ordinal))
    .where(result.c.job_key.in_(bindparam("keys", expanding=True)))
    .group_by(result.c.job_key)
)
_ATTEMPTS = (
    select(attempt.c.slot_id, func.count())
    .where(attempt.c.slot_id.in_(bindparam("ids", expanding=True)))
    .group_by(attempt.c.slot_id)
)
_NONCES = select(slot.c.nonce).where(
    (slot.c.chain_id == bindparam("chain"))
    & (slot.c.signer == bindparam("account"))
    & (slot.c.nonce >= bindparam("least"))
)
_OPEN_SLOTS = insert(slot)
_OPENED = select(slot.c.nonce, slot.c.id).where(
    (slot.c.chain_id == bindparam("chain"))
    & (slot.c.signer == bindparam("account"))
    & slot.c.nonce.in_(bindparam("nonces", expanding=True))
)
_THE_SLOT = (
    (slot.c.id == bindparam("the_slot"))
    & (slot.c.chain_id == bindparam("the_chain"))
    & (slot.c.signer == bindparam("the_signer"))
)
_COUNT_BROADCAST = (
    update(slot).where(_THE_SLOT).values(broadcasts=slot.c.broadcasts + literal_column("1"))
)
_RESOLVE_SLOT = update(slot).where(_THE_SLOT)
_ADD_RESULT, _ADD_ATTEMPT = insert(result), insert(attempt)
_MOVE_JOB = update(job).where(job.c.key == bindparam("the_key"))


class Writer:
    """
    The writes of one transaction under a lease that was proven at its beginning.

    Every row carries the lease's token, so that a trace of who wrote what remains. What a database
    refuses is raised by `flush`, which the store calls before it commits.
    """

    def __init__(
        self, connection: Connection, held: Lease, now: Timestamp, known: KnownJobs
    ) -> None:
        """Write through `connection`, in whose transaction `held` was proven at `now`."""
        self._connection = connection
        self._known = known
        self._lease = held
        self._now = now
        self.slot_changes: list[changes.SlotChange] = []
        self._jobs: dict[JobKey, Job] = {}
        self._stored: dict[JobKey, Job] = {}
        self._fresh: list[JobKey] = []
        self._results: list[dict[str, Any]] = []
        self._attempts: list[dict[str, Any]] = []
        self._broadcasts: list[dict[str, Any]] = []
        self._resolved: list[dict[str, Any]] = []
        self._ordinals: dict[int, int] = {}

    def add_job(self, fresh: Job) -> None:
        """Keep a job that the store does not have yet."""
        self._jobs[fresh.key] = fresh
        self._fresh.append(fresh.key)

    def add_errands(self, fresh: Iterable[Job]) -> list[Job]:
        """Keep those errands that the store does not have yet, and return them."""
        wanted = {each.key: each for each in fresh}
        # The requests' own jobs first: who else adds the same errands waits for them.
        self.load({each.request.key for each in wanted.values()})
        self.load(wanted)
        added = [each for key, each in wanted.items() if key not in self._jobs]
        for each in added:
            self.add_job(each)
        return added

    def rounds(self, keys: Sequence[JobKey]) -> dict[JobKey, list[Round]]:
        """
        Return every round of jobs, oldest first, as `Store.rounds` does.

        Nobody else changes them before this transaction ends, where the jobs were loaded.
        """
        found: dict[JobKey, list[Round]] = {}
        for some in chunked(keys):
            found.update(read_rounds(self._connection, some))
        return found

    def put_rounds(self, held: Iterable[Round]) -> None:
        """Write rounds as they are now."""
        self.flush()
        put_rounds(self._connection, held, self._lease.token)

    def batches(self) -> BatchWriter:
        """Write about batches, now that everything kept so far is written."""
        self.flush()
        return BatchWriter(self._connection, self._lease)

    def load(self, keys: Iterable[JobKey]) -> None:
        """Read many jobs at once, before they are asked for one by one."""
        # Locked until the commit: what is decided from them must still be so when it is written.
        for some in chunked(sorted({key for key in keys if key not in self._jobs})):
            for found in self._known.read(self._connection, _JOBS, {"keys": some}):
                self._jobs[found.key] = self._stored[found.key] = found

    def claim(self, keys: Iterable[JobKey]) -> frozenset[JobKey]:
        """Take those of many jobs that no other relayer works on; returns which."""
        return claim(self._connection, self._lease, keys, self._now)

    def job(self, key: JobKey) -> Job:
        """Return the job as this transaction sees it; raises `KeyError` where there is none."""
        if key not in self._jobs:
            self.load([key])
        return self._jobs[key]

    def still(self, job: Job) -> bool:
        """Whether `job`, read before this transaction, is what the store still holds."""
        return self.job(job.key) == job

    def advance(self, key: JobKey, event: Event) -> Job:
        """
        Move the job, as it is stored now, by `event`, and return what it became.

        Raises `IllegalTransitionError`, and then the whole transaction is undone.
        """
        after = advance(self.job(key), event)
        self._jobs[key] = after
        return after

    def add_results(self, found: Sequence[tuple[JobKey, SignedResult]]) -> None:
        """Keep checked results, at most one of a job, and make each the one in use."""
        self.flush()
        keys = [key for key, _ in found]
        self.load(keys)
        last: dict[bytes, int] = {}
        for some in chunked(keys):
            rows = self._connection.execute(_LAST_RESULTS, {"keys": some}).all()
            last.update((key, ordinal) for key, ordinal in rows)
        for key, signed in found:
            ordinal = last.get(key, 0) + 1
            row = {"job_key": key, "ordinal": ordinal, "token": self._lease.token}
            self._results.append({**row, **result_row(signed)})
            self.advance(key, ResultStored(ordinal))

    def add_result(self, key: JobKey, signed: SignedResult) -> Job:
        """Keep a checked result and make it the one in use."""
        self.add_results([(key, signed)])
        return self.job(key)

    def free_nonces(self, mined: Nonce) -> Iterator[Nonce]:
        """
        Yield the nonces from `mined` (the account's nonce on the chain) on that are not given out.

        The lowest first, so that a gap is filled before anything is queued behind it.
        """
        wanted = {"chain": self._lease.chain_id, "account": self._lease.signer, "least": mined}
        given_out = set(self._connection.execute(_NONCES, wanted).scalars().all())
        nonce = mined
        while True:
            if nonce not in given_out:
                yield nonce
            nonce = Nonce(nonce + 1)

    def next_nonce(self, mined: Nonce) -> Nonce:
        """Return the first of `free_nonces`."""
        return next(self.free_nonces(mined))

    def open_slots(self, purposes: Sequence[tuple[Nonce, JobKey | None]]) -> list[int]:
        """Give nonces out, each to a job or (None) to close a gap; returns the slots' ids."""
        if not purposes:
            return []
        self.flush()
        rows = [
            {
                "chain_id": self._lease.chain_id,
                "signer": self._lease.signer,
                "nonce": nonce,
                "job_key": key,
                "state": SlotState.OPEN.value,
                "broadcasts": 0,
                "token": self._lease.token,
            }
            for nonce, key in purposes
        ]
        write_rows(self._connection, _OPEN_SLOTS, rows)
        ids = self._opened([nonce for nonce, _ in purposes])
        opened = [ids[nonce] for nonce, _ in purposes]
        self._ordinals.update(dict.fromkeys(opened, 0))
        for slot_id, (nonce, key) in zip(opened, purposes, strict=True):
            self.slot_changes.append(changes.opened(slot_id, nonce, key))
        return opened

    def _opened(self, nonces: Sequence[Nonce]) -> dict[Nonce, int]:
        """Return the ids of slots by their nonces, which no other slot of the account has."""
        ids: dict[Nonce, int] = {}
        account = {"chain": self._lease.chain_id, "account": self._lease.signer}
        for some in chunked(nonces):
            found = self._connection.execute(_OPENED, {"nonces": some, **account}).all()
            ids.update((Nonce(nonce), slot_id) for nonce, slot_id in found)
        return ids

    def open_slot(self, nonce: Nonce, key: JobKey | None) -> int:
        """Give one nonce out, to a job or (None) to close a gap; returns the slot's id."""
        return self.open_slots([(nonce, key)])[0]

    def add_attempts(
        self, signed: Sequence[tuple[int, SignedTransaction]], at: BlockNumber
    ) -> None:
        """Keep signed bytes, each as the newest attempt of a slot; `at` is the pinned block."""
        unknown = {slot_id for slot_id, _ in signed} - set(self._ordinals)
        for some in chunked(sorted(unknown)):
            self._ordinals.update(dict.fromkeys(some, 0))
            found = self._connection.execute(_ATTEMPTS, {"ids": some})
            self._ordinals.update((slot_id, attempts) for slot_id, attempts in found)
        for slot_id, transaction in signed:
            row = {
                "slot_id": slot_id,
                "ordinal": self._ordinals[slot_id],
                "kind": transaction.kind.value,
                "raw": transaction.raw,
                "hash": transaction.hash,
                "max_fee": str(transaction.fees.max_fee),
                "max_priority_fee": str(transaction.fees.max_priority_fee),
                "gas": transaction.gas,
                "signed_at": at,
                "token": self._lease.token,
            }
            self._attempts.append(row)
            self.slot_changes.append(changes.attempted(row))
            self._ordinals[slot_id] += 1

    def add_attempt(self, slot_id: int, signed: SignedTransaction, at: BlockNumber) -> None:
        """Keep signed bytes as the newest attempt of one slot; `at` is the pinned block."""
        self.add_attempts([(slot_id, signed)], at)

    def count_broadcast(self, slot_id: int) -> None:
        """Note that the latest attempt was taken by a node."""
        self._broadcasts.append({**self._of_slot(slot_id), "token": self._lease.token})
        self.slot_changes.append(changes.broadcast(slot_id))

    def resolve_slot(self, held: Slot, state: SlotState, inclusion: Inclusion | None) -> None:
        """Note what became of a nonce; a reorg moves it back to `OPEN` with no inclusion."""
        self.slot_changes.append(changes.resolved(held.id, state, inclusion))
        self._resolved.append(
            {
                **self._of_slot(held.id),
                "state": state.value,
                "mined_hash": None if inclusion is None else inclusion.transaction,
                "mined_block_number": None if inclusion is None else inclusion.block.number,
                "mined_block_hash": None if inclusion is None else inclusion.block.hash,
                "mined_succeeded": None if inclusion is None else inclusion.succeeded,
            }
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

    def flush(self) -> None:
        """Write everything that was kept so far; raises what the database refuses."""
        token = self._lease.token
        if self._fresh:
            rows = [{**job_row(self._jobs[key]), "token": token} for key in self._fresh]
            # Two relayers read the same block: whoever comes second finds the job there.
            write_rows(self._connection, adding(self._connection.dialect.name, job), rows)
            self._stored.update((key, self._jobs[key]) for key in self._fresh)
            self._fresh = []
        self._results = self._executed(_ADD_RESULT, self._results)
        self._attempts = self._executed(_ADD_ATTEMPT, self._attempts)
        self._broadcasts = self._executed(_COUNT_BROADCAST, self._broadcasts)
        self._resolved = self._executed(_RESOLVE_SLOT, self._resolved)
        self._flush_jobs()

    def _flush_jobs(self) -> None:
        """
        Write what the jobs became, those that changed in the same columns together.

        Only what changed: an index of open jobs is touched where its columns are written, changed
        or not, and a question is long.
        """
        changed: defaultdict[tuple[str, ...], list[dict[str, Any]]] = defaultdict(list)
        for key, before in self._stored.items():
            after = self._jobs[key]
            if after == before:
                continue
            row = changes.of_job(before, after)
            changed[tuple(row)].append({**row, "the_key": key, "token": self._lease.token})
            self._stored[key] = after
        for rows in changed.values():
            write_rows(self._connection, _MOVE_JOB, rows)

    def _executed(
        self, statement: Insert | Update, rows: list[dict[str, Any]]
    ) -> list[dict[str, Any]]:
        """Execute `statement` for all rows, where there are any; returns no rows."""
        write_rows(self._connection, statement, rows)
        return []

    def _of_slot(self, slot_id: int) -> dict[str, Any]:
        return {
            "the_slot": slot_id,
            "the_chain": self._lease.chain_id,
            "the_signer": self._lease.signer,
            "token": self._lease.token,
        }
