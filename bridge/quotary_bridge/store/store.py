"""The store: reads for everybody, writes for whoever holds the signer's lease."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any, Self

from sqlalchemy import Connection, Engine, RowMapping, Select

from quotary_bridge.lifecycle import Job, JobState
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    JobKey,
    JobKind,
    SignedResult,
    Slot,
    Timestamp,
)
from quotary_bridge.rounds import Round, RoundState
from quotary_bridge.store import batches, leases, queries, rounds
from quotary_bridge.store.availability import StoreUnavailableError, available
from quotary_bridge.store.batches import BatchRecord, BatchState, Member
from quotary_bridge.store.claims import chunked, claimant
from quotary_bridge.store.engine import READS, open_engine, open_existing
from quotary_bridge.store.jobs import KnownJobs
from quotary_bridge.store.leases import Lease
from quotary_bridge.store.location import Location
from quotary_bridge.store.overview import Overview, overview
from quotary_bridge.store.rows import result_from, slot_from
from quotary_bridge.store.values import Cursor
from quotary_bridge.store.writer import Writer

__all__ = ["LEASE_SECONDS", "ROWS_LIMIT", "Store", "StoreUnavailableError"]

LEASE_SECONDS = 60
"""How long a silent relayer keeps its signer: several cycles, and well under a deadline."""

ROWS_LIMIT = 1 << 40
"""No limit: more rows than any store holds."""

_in_state = cache(queries.in_state)
_of_keys = cache(queries.of_keys)
_page = cache(queries.page)


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
        self._known = KnownJobs()

    @classmethod
    def open(cls, where: Location, now: Callable[[], Timestamp]) -> Self:
        """Open or create the store at `where`; raises `ConfigurationError`."""
        return cls(open_engine(where), now)

    @classmethod
    def open_existing(cls, where: Location, now: Callable[[], Timestamp]) -> Self:
        """Open the store at `where` as it is, see `open_existing`; raises `ConfigurationError`."""
        return cls(open_existing(where), now)

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

    def is_draining(self, held: Lease) -> bool:
        """Whether somebody asked the holder of the lease to finish what it began."""
        with self._read() as connection:
            return leases.is_draining(connection, held)

    def drain(self, signer: Address | None = None) -> list[Lease]:
        """Ask all relayers, or that of `signer`, to finish; returns the leases they hold."""
        with self._transaction() as connection:
            return leases.drain(connection, self._now(), signer)

    def signers_at_work(self) -> set[Address]:
        """Return the accounts whose leases have not run out."""
        now = self._now()
        with self._read() as connection:
            return {held.signer for held, until, _ in leases.all_leases(connection) if until > now}

    def overview(self) -> Overview:
        """Return how far everything is; reads all rows."""
        with self._read() as connection:
            return overview(connection)

    @contextmanager
    def write(self, held: Lease) -> Iterator[Writer]:
        """
        One transaction: committed where the block ends, undone where it raises.

        Proves and prolongs the lease first; raises `LeaseHeldError` where it was lost.
        """
        with self._transaction() as connection:
            now = self._now()
            leases.renew(connection, held, now, LEASE_SECONDS)
            writer = Writer(connection, held, now, self._known)
            yield writer
            writer.flush()

    def job(self, key: JobKey) -> Job | None:
        """Return the job, or None where the request was never seen."""
        return self.jobs([key]).get(key)

    def jobs(self, keys: Sequence[JobKey], *states: JobState) -> dict[JobKey, Job]:
        """Return those of many jobs that there are, in `states` or in any, by their keys."""
        found: dict[JobKey, Job] = {}
        with self._read() as connection:
            for some in chunked(keys):
                jobs = self._known.read(connection, _of_keys(*states), {"keys": some})
                found.update((job.key, job) for job in jobs)
        return found

    def open_jobs(
        self,
        chain_id: ChainId,
        oracle: Address,
        *states: JobState,
        most: int = ROWS_LIMIT,
        without_slot: bool = False,
        kind: JobKind | None = None,
    ) -> tuple[Job, ...]:
        """Return the jobs that can still move, oldest request first, of `states` or of all."""
        query = _in_state(*states, without_slot=without_slot, kind=kind)
        return self._jobs(query, chain_id, oracle, most=most)

    def free_jobs(
        self,
        held: Lease,
        oracle: Address,
        *states: JobState,
        most: int,
        without_slot: bool = False,
        kind: JobKind | None = None,
    ) -> tuple[Job, ...]:
        """Like `open_jobs`, without those that another relayer works on whose lease holds."""
        query = _in_state(*states, without_slot=without_slot, kind=kind, free=True)
        mine = claimant(held, self._now())
        return self._jobs(query, held.chain_id, oracle, most=most, **mine)

    def recent_jobs(
        self, chain_id: ChainId, oracle: Address, after: BlockNumber
    ) -> tuple[Job, ...]:
        """Return the jobs that can still move, requested after block `after` or orphaned."""
        recent = self._jobs(queries.RECENT, chain_id, oracle, after=after)
        orphaned = self._jobs(queries.ORPHANED, chain_id, oracle)
        return (*recent, *(job for job in orphaned if job.request.block.number <= after))

    def overdue_jobs(
        self, chain_id: ChainId, oracle: Address, now: Timestamp, most: int
    ) -> tuple[Job, ...]:
        """Return jobs on their way to a delivery whose deadline was before `now`."""
        return self._jobs(queries.OVERDUE, chain_id, oracle, now=now, most=most)

    def awaiting_jobs(
        self, chain_id: ChainId, oracle: Address, after: tuple[int, Bytes32], most: int
    ) -> tuple[Job, ...]:
        """Return jobs that wait for their input, oldest first, behind `after` (block, request)."""
        block, request = after
        return self._jobs(
            queries.AWAITING, chain_id, oracle, block=block, request=request, most=most
        )

    def page(
        self,
        after: JobKey | None,
        most: int,
        state: JobState | None = None,
        *,
        answered: bool = False,
        errands: bool = False,
    ) -> tuple[Job, ...]:
        """
        Return requests' jobs of all oracles by key, behind `after`: in `state`, or with a result.

        With `errands`, return errands instead.
        """
        query = _page(state, answered=answered, errands=errands)
        with self._read() as connection:
            return tuple(self._known.read(connection, query, {"after": after or b"", "most": most}))

    def open_counts(self) -> dict[JobState, int]:
        """Return how many jobs of all oracles can still move, by state."""
        with self._read() as connection:
            return {JobState(row[0]): row[1] for row in connection.execute(queries.OPEN_COUNTS)}

    def has_open_jobs(self, chain_id: ChainId, oracle: Address) -> bool:
        """Whether any job can still move."""
        wanted = {"chain": chain_id, "oracle_": oracle}
        with self._read() as connection:
            return bool(connection.execute(queries.UNFINISHED, wanted).scalar_one())

    def counts(self, chain_id: ChainId, oracle: Address) -> dict[JobState, int]:
        """Return how many jobs there ever were in each state, zero included. Reads them all."""
        wanted = {"chain": chain_id, "oracle_": oracle}
        with self._read() as connection:
            rows = connection.execute(queries.COUNTS, wanted)
            found = {JobState(state): count for state, count in rows}
        return {state: found.get(state, 0) for state in JobState}

    def result(self, key: JobKey, ordinal: int) -> SignedResult:
        """Return a stored result; raises `KeyError` where there is none."""
        return self.results([(key, ordinal)])[0]

    def results(self, wanted: Sequence[tuple[JobKey, int]]) -> list[SignedResult]:
        """Return stored results, by job and ordinal; raises `KeyError` where one is missing."""
        found: dict[tuple[bytes, int], RowMapping] = {}
        with self._read() as connection:
            for some in chunked([key for key, _ in wanted]):
                rows = connection.execute(queries.RESULTS, {"keys": some}).mappings().all()
                found.update(((row["job_key"], row["ordinal"]), row) for row in rows)
        return [result_from(found[each]) for each in wanted]

    def answerers(self, keys: Sequence[JobKey]) -> dict[JobKey, set[Address]]:
        """Return whose answers to jobs were ever stored, by the jobs' keys."""
        found: dict[JobKey, set[Address]] = {key: set() for key in keys}
        with self._read() as connection:
            for some in chunked(keys):
                rows = connection.execute(queries.RESULTS, {"keys": some}).mappings().all()
                for row in rows:
                    found[row["job_key"]].add(result_from(row).result.worker)
        return found

    def rounds(self, keys: Sequence[JobKey]) -> dict[JobKey, list[Round]]:
        """Return every round of many jobs, oldest first, by their keys; not those without any."""
        found: dict[JobKey, list[Round]] = {}
        with self._read() as connection:
            for some in chunked(keys):
                found.update(rounds.read_rounds(connection, some))
        return found

    def open_rounds(self) -> dict[RoundState, int]:
        """Return how many rounds something can still come of, by state."""
        with self._read() as connection:
            return rounds.open_round_counts(connection)

    def rounds_of_ended_jobs(
        self, chain_id: ChainId, oracle: Address, most: int
    ) -> dict[JobKey, list[Round]]:
        """Return all rounds of jobs that can no longer move, where one of them is still open."""
        with self._read() as connection:
            keys = rounds.rounds_of_ended_jobs(connection, chain_id, oracle, most)
            return rounds.read_rounds(connection, keys)

    def waiting_for_batch(self, held: Lease, oracle: Address, most: int) -> tuple[Job, ...]:
        """Return requests of an oracle of batches that are in none and free, in fair turns."""
        wanted = {"chain": held.chain_id, "oracle_": oracle, "most": most}
        with self._read() as connection:
            return batches.waiting(connection, wanted | claimant(held, self._now()), self._known)

    def open_batches(self, chain_id: ChainId, oracle: Address) -> list[BatchRecord]:
        """Return the batches that something can still come of, oldest first."""
        with self._read() as connection:
            return batches.open_batches(connection, chain_id, oracle)

    def open_batch_counts(self) -> dict[BatchState, int]:
        """Return how many batches of all oracles something can still come of, by state."""
        with self._read() as connection:
            return batches.open_counts(connection)

    def finished_batches(self, chain_id: ChainId, oracle: Address) -> set[JobKey]:
        """Return those open batches none of whose requests can still move."""
        with self._read() as connection:
            return batches.finished(connection, chain_id, oracle)

    def batch_page(self, after: JobKey | None, most: int) -> list[BatchRecord]:
        """Return batches of all oracles by key, behind `after`."""
        with self._read() as connection:
            return batches.page(connection, after, most)

    def batch_members(self, key: JobKey) -> list[Member]:
        """Return the requests of a batch, in the order of its answers."""
        with self._read() as connection:
            return batches.members_of(connection, key)

    def batch_document(self, key: JobKey) -> str:
        """Return what the worker of a batch signed; raises `KeyError` where there is none."""
        with self._read() as connection:
            return batches.document_of(connection, key)

    def batch_document_for(self, request: JobKey) -> str | None:
        """Return the document of a batch that answers a request, an open one before others."""
        with self._read() as connection:
            return batches.document_for(connection, request)

    def slot(self, slot_id: int) -> Slot:
        """Return a nonce with all its attempts."""
        return self._slots(queries.SLOT, {"the_slot": slot_id})[0]

    def unresolved_slots(self, chain_id: ChainId, signer: Address) -> tuple[Slot, ...]:
        """Return every nonce that is not final, lowest first: what has to be followed."""
        return self._slots(queries.UNRESOLVED, {"chain": chain_id, "account": signer})

    def cursor(self, chain_id: ChainId, oracle: Address) -> Cursor | None:
        """Return how far the chain was read, or None at the very start."""
        wanted = {"chain": chain_id, "oracle_": oracle}
        with self._read() as connection:
            row = connection.execute(queries.CURSOR, wanted).mappings().one_or_none()
        if row is None:
            return None
        return Cursor(
            head=BlockRef(BlockNumber(row["head_number"]), BlockHash(row["head_hash"])),
            final=BlockRef(BlockNumber(row["final_number"]), BlockHash(row["final_hash"])),
        )

    def _jobs(
        self, query: Select[Any], chain_id: ChainId, oracle: Address, **more: int | bytes
    ) -> tuple[Job, ...]:
        wanted = {"chain": chain_id, "oracle_": oracle, **more}
        with self._read() as connection:
            return tuple(self._known.read(connection, query, wanted))

    def _slots(self, query: Select[Any], wanted: Mapping[str, Any]) -> tuple[Slot, ...]:
        attempts: defaultdict[int, list[RowMapping]] = defaultdict(list)
        with self._read() as connection:
            rows = connection.execute(query, wanted).mappings().all()
            for some in chunked([row["id"] for row in rows]):
                for row in connection.execute(queries.ATTEMPTS, {"ids": some}).mappings().all():
                    attempts[row["slot_id"]].append(row)
        return tuple(slot_from(row, attempts[row["id"]]) for row in rows)

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with available(), self._engine.connect().execution_options(**READS) as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with available(), self._engine.begin() as connection:
            yield connection
