"""Batches in the store, on SQLite and PostgreSQL: what is kept, what is found, and who waits."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quotary_bridge.lifecycle import Dispatched, Errand, Failed, Sealed, begin, begin_errand
from quotary_bridge.model import Address, BlockNumber, Bytes32, JobKey, JobKind, errand_key
from quotary_bridge.store import BatchRecord, BatchState, Commitment, Lease, Store
from quotary_bridge.store.tables import batch_member, metadata
from quotary_bridge.store.tables import slot as slot_table
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from tests.bridge.store_parts import BLOCK, CHAIN, ORACLE, SIGNER, WORKER, queue, request_of

pytest_plugins = ["tests.bridge.store_fixtures"]

MEMBERS = tuple(request_of(number).key for number in (1, 2, 3))
OPERATOR = Address("0x0000000000000000000000000000000000000004")
LARGEST = 2**256 - 1


def record() -> BatchRecord:
    """A batch of three requests, the first of which its errand is about."""
    key = errand_key(MEMBERS[0], JobKind.COMMITMENT, b"a signature")
    app, model = Bytes32(bytes([1]) * 32), Bytes32(bytes([2]) * 32)
    root = Bytes32(bytes([9]) * 32)
    return BatchRecord(key, CHAIN, ORACLE, app, model, WORKER, root, BlockNumber(5))


def stored(store: Store, lease: Lease) -> BatchRecord:
    """Keep the batch, and a fourth request that is in none."""
    held = record()
    errand = begin_errand(
        request_of(1), JobKind.COMMITMENT, Errand(held.key, ORACLE, b"commit(root)")
    )
    with store.write(lease) as writer:
        for number in (1, 2, 3, 4):
            writer.add_job(begin(request_of(number)))
    with store.write(lease) as writer:
        for key in MEMBERS:
            writer.advance(key, Dispatched())
        writer.add_errands([errand])
        writer.batches().add(held, "what was signed", MEMBERS)
    return held


def waiting(store: Store, lease: Lease) -> list[JobKey]:
    return [job.key for job in store.waiting_for_batch(lease, ORACLE, 100)]


def test_a_batch_keeps_its_requests_until_it_ends(store: Store, lease: Lease) -> None:
    """From its signature through its commitment to its end, when what is left waits again."""
    held = stored(store, lease)
    assert store.open_batches(CHAIN, ORACLE) == [held]
    assert store.open_batches(CHAIN, SIGNER) == []
    assert waiting(store, lease) == [request_of(4).key]
    with store.write(lease) as writer:
        everybody = [*MEMBERS, request_of(4).key]
        assert writer.batches().holding(everybody) == set(MEMBERS)
    assert store.batch_document(held.key) == "what was signed"
    assert store.batch_document_for(MEMBERS[2]) == "what was signed"
    assert store.batch_document_for(request_of(4).key) is None
    told = Commitment(LARGEST, OPERATOR, 2)
    with store.write(lease) as writer:
        batches = writer.batches()
        assert batches.lock(held.key) == held
        batches.committed(held.key, told)
    (committed,) = store.open_batches(CHAIN, ORACLE)
    assert (committed.state, committed.commitment) == (BatchState.COMMITTED, told)
    assert store.overview().batches[BatchState.COMMITTED] == 1
    with store.write(lease) as writer:
        writer.batches().end(held.key, "BatchVoided")
    assert store.open_batches(CHAIN, ORACLE) == []
    (ended,) = store.batch_page(None, 10)
    assert (ended.state, ended.reason, ended.commitment) == (BatchState.ENDED, "BatchVoided", told)
    assert sorted(waiting(store, lease)) == sorted((*MEMBERS, request_of(4).key))


def test_claims_are_counted_and_a_batch_without_open_requests_is_finished(
    store: Store, lease: Lease
) -> None:
    """Each new errand for an answer is one more try; a batch ends with the last of its requests."""
    held = stored(store, lease)
    one, other = (errand_key(MEMBERS[0], JobKind.CLAIMS, bytes([n])) for n in (1, 2))
    with store.write(lease) as writer:
        batches = writer.batches()
        members = batches.members(held.key)
        assert [(each.job, each.errand, each.tries) for each in members] == [
            (key, None, 0) for key in MEMBERS
        ]
        batches.claimed_by(held.key, members[:2], one)
        batches.claimed_by(held.key, batches.members(held.key)[1:], other)
    found = [(each.errand, each.tries) for each in store.batch_members(held.key)]
    assert found == [(one, 0), (other, 1), (other, 0)]
    assert store.finished_batches(CHAIN, ORACLE) == set()
    for number, key in enumerate(MEMBERS):
        assert store.finished_batches(CHAIN, ORACLE) == set(), number
        with store.write(lease) as writer:
            writer.advance(key, Failed("it ended", BLOCK))
            writer.advance(key, Sealed())
    assert store.finished_batches(CHAIN, ORACLE) == {held.key}


def test_every_row_says_under_which_lease_it_was_written(store: Store, lease: Lease) -> None:
    """Whatever is written, the token is: a trace of who wrote what, also after a takeover."""
    held = stored(store, lease)
    slot = queue(store, lease, number=5)
    later = store.acquire(CHAIN, SIGNER, "one")
    assert later.token > lease.token
    with store.write(later) as writer:
        batches = writer.batches()
        batches.claimed_by(held.key, batches.members(held.key)[1:], held.key)
        writer.count_broadcast(slot)
    with store._engine.connect() as connection:
        members = select(batch_member.c.token).order_by(batch_member.c.place)
        assert connection.execute(members).scalars().all() == [lease.token] + [later.token] * 2
        assert connection.execute(select(slot_table.c.token)).scalars().all() == [later.token]


def test_no_table_of_requests_lacks_the_token() -> None:
    """Those that a relayer writes; tasks have tokens of their own."""
    assert {name for name, table in metadata.tables.items() if "token" not in table.c} == set()


def test_what_is_undone_leaves_no_batch(store: Store, lease: Lease) -> None:
    """A transaction that fails keeps neither the errand nor the members."""
    held = stored(store, lease)

    def twice() -> None:
        with store.write(lease) as writer:
            writer.batches().end(held.key, "undone")
            writer.batches().add(record(), "twice", MEMBERS)

    with pytest.raises(IntegrityError):
        twice()
    assert store.open_batches(CHAIN, ORACLE) == [held]
    assert len(store.batch_members(held.key)) == len(MEMBERS)


def test_everybody_has_a_turn_in_the_next_batch(store: Store, lease: Lease) -> None:
    """One account's hundredth request comes after everybody's first."""
    other = Address("0x0000000000000000000000000000000000000009")
    busy = [request_of(number) for number in range(1, 8)]
    late = replace(request_of(99), requester=other, block=replace(BLOCK, number=BlockNumber(9)))
    with store.write(lease) as writer:
        for request in (*busy, late):
            writer.add_job(begin(request))
    first = [job.request for job in store.waiting_for_batch(lease, ORACLE, 2)]
    assert first == [busy[0], late]
