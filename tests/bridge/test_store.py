"""The store: what it promises to keep, and what it refuses, on both databases."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quotary_bridge.errors import Reason
from quotary_bridge.lifecycle import (
    Dispatched,
    IllegalTransitionError,
    JobState,
    Sent,
    begin,
)
from quotary_bridge.model import (
    Address,
    BlockHash,
    BlockNumber,
    BlockRef,
    Fees,
    Inclusion,
    Nonce,
    Request,
    SlotState,
    TransactionHash,
    Wei,
)
from quotary_bridge.store import (
    Cursor,
    Lease,
    LeaseHeldError,
    Location,
    Store,
)
from sqlalchemy.exc import IntegrityError

from tests.bridge.store_parts import (
    BLOCK,
    CHAIN,
    ORACLE,
    SIGNER,
    WORKER,
    Clock,
    OpenStore,
    queue,
    request_of,
    signed_result,
    transaction,
)

pytest_plugins = ["tests.bridge.store_fixtures"]


def test_what_was_written_is_read_back_equal(store: Store, lease: Lease) -> None:
    """Every field, the largest numbers included."""
    slot_id = queue(store, lease)
    job = store.job(request_of(1).key)
    assert job is not None
    assert job.request == request_of(1)
    assert (job.state, job.result, job.slot) == (JobState.QUEUED, 1, slot_id)
    assert store.result(job.key, 1) == signed_result()
    slot = store.slot(slot_id)
    assert (slot.nonce, slot.state, slot.job) == (0, SlotState.OPEN, job.key)
    (attempt,) = slot.attempts
    assert (attempt.raw, attempt.hash) == (bytes([1]), (1).to_bytes(32))
    assert attempt.fees == Fees(Wei(2**255), Wei(1))


def test_what_was_committed_is_there_after_reopening(
    store: Store, lease: Lease, database: Location, clock: Clock, open_store: OpenStore
) -> None:
    """Also by another process: nothing hides in memory."""
    slot_id = queue(store, lease)
    store.close()
    again = open_store(database, clock)
    assert again.slot(slot_id).latest.raw == bytes([1])


def test_a_failed_transaction_leaves_nothing(store: Store, lease: Lease) -> None:
    """Nonce, bytes and state are kept together, or not at all."""
    key = request_of(1).key

    def _write() -> None:
        with store.write(lease) as writer:
            writer.add_job(begin(request_of(1)))
            slot_id = writer.open_slot(Nonce(0), key)
            writer.add_attempt(slot_id, transaction(1), BLOCK.number)
            writer.advance(key, Sent())

    with pytest.raises(IllegalTransitionError):
        _write()
    assert store.job(key) is None
    assert store.unresolved_slots(CHAIN, SIGNER) == ()


def test_a_job_cannot_be_added_twice(store: Store, lease: Lease) -> None:
    """The key is the same however often the event is seen, and by whom: the first one stays."""
    queue(store, lease)
    before = store.job(request_of(1).key)
    with store.write(lease) as writer:
        writer.add_job(begin(replace(request_of(1), input=b"something else")))
    assert store.job(request_of(1).key) == before


def test_a_job_cannot_have_two_nonces_in_flight(store: Store, lease: Lease) -> None:
    """The database refuses it, whatever the code above it thinks."""
    queue(store, lease)
    with pytest.raises(IntegrityError), store.write(lease) as writer:
        writer.open_slot(Nonce(1), request_of(1).key)


def test_a_nonce_cannot_be_given_out_twice(store: Store, lease: Lease) -> None:
    """One nonce, one purpose."""
    queue(store, lease)
    with pytest.raises(IntegrityError), store.write(lease) as writer:
        writer.open_slot(Nonce(0), None)


def test_the_lowest_free_nonce_is_given_out(store: Store, lease: Lease) -> None:
    """Gaps are filled first; what the chain has used is never given out."""
    with store.write(lease) as writer:
        writer.open_slot(Nonce(5), None)
        writer.open_slot(Nonce(7), None)
        assert writer.next_nonce(Nonce(5)) == 6
        assert writer.next_nonce(Nonce(7)) == 8
        assert writer.next_nonce(Nonce(20)) == 20


@pytest.mark.parametrize("table", ["attempt", "result"])
@pytest.mark.parametrize("change", ["UPDATE {} SET token = 9", "DELETE FROM {}"])
def test_signed_bytes_and_results_are_only_ever_added(
    store: Store, lease: Lease, table: str, change: str
) -> None:
    """Not even by hand: the fees of a broadcast transaction are never forgotten."""
    queue(store, lease)
    with pytest.raises(IntegrityError), store._engine.begin() as connection:
        connection.exec_driver_sql(change.format(table))


def test_a_replacement_is_another_attempt_of_the_same_nonce(store: Store, lease: Lease) -> None:
    """The first one stays: it may still be mined."""
    slot_id = queue(store, lease)
    with store.write(lease) as writer:
        writer.add_attempt(slot_id, transaction(2), BLOCK.number)
    slot = store.slot(slot_id)
    assert [attempt.ordinal for attempt in slot.attempts] == [0, 1]
    assert slot.latest.raw == bytes([2])


def test_a_nonce_moves_to_mined_and_back(store: Store, lease: Lease) -> None:
    """A reorg leaves no trace of a block that is gone."""
    slot_id = queue(store, lease)
    inclusion = Inclusion(TransactionHash((1).to_bytes(32)), BLOCK, succeeded=True)
    with store.write(lease) as writer:
        writer.resolve_slot(store.slot(slot_id), SlotState.MINED, inclusion)
    assert store.slot(slot_id).inclusion == inclusion
    with store.write(lease) as writer:
        writer.resolve_slot(store.slot(slot_id), SlotState.OPEN, None)
    assert store.slot(slot_id).inclusion is None


def test_the_cursor_is_one_per_oracle(store: Store, lease: Lease) -> None:
    """The last one written counts."""
    assert store.cursor(CHAIN, ORACLE) is None
    for number in (3, 4):
        here = BlockRef(BlockNumber(number), BlockHash(bytes([number]) * 32))
        with store.write(lease) as writer:
            writer.move_cursor(CHAIN, ORACLE, Cursor(here, BLOCK))
    found = store.cursor(CHAIN, ORACLE)
    assert found is not None
    assert found.head.number == 4
    assert found.final == BLOCK


def test_a_lease_is_refused_while_another_holds_it(
    store: Store, lease: Lease, clock: Clock
) -> None:
    """Until it runs out; the token then grows."""
    with pytest.raises(LeaseHeldError) as caught:
        store.acquire(CHAIN, SIGNER, "two")
    assert caught.value.reason is Reason.SIGNER_LEASE_HELD
    clock.seconds += 60
    assert store.acquire(CHAIN, SIGNER, "two").token == lease.token + 1


def test_a_relayer_that_lost_its_lease_writes_nothing(
    store: Store, lease: Lease, clock: Clock
) -> None:
    """A zombie that wakes up finds its token outdated inside the same transaction."""
    clock.seconds += 60
    store.acquire(CHAIN, SIGNER, "two")
    with pytest.raises(LeaseHeldError) as caught, store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
    assert caught.value.reason is Reason.SIGNER_LEASE_HELD
    assert store.job(request_of(1).key) is None


def test_writing_prolongs_the_lease(store: Store, lease: Lease, clock: Clock) -> None:
    """A relayer that works needs no other heartbeat."""
    clock.seconds += 59
    with store.write(lease):
        pass
    clock.seconds += 59
    with pytest.raises(LeaseHeldError):
        store.acquire(CHAIN, SIGNER, "two")


def test_a_released_lease_is_free_at_once(store: Store, lease: Lease) -> None:
    """A clean stop costs the next relayer no time."""
    store.release(lease)
    assert store.acquire(CHAIN, SIGNER, "two").token == lease.token + 1


def test_what_an_account_has_under_way_are_turns_that_it_had(store: Store, lease: Lease) -> None:
    """Of two that wait, the one with less under way comes first, however late it asked."""
    other = Address("0x0000000000000000000000000000000000000009")
    later = BlockRef(BlockNumber(9), BLOCK.hash)
    queue(store, lease, 1)
    late = [replace(request_of(n), requester=other, block=later) for n in (8, 9)]
    with store.write(lease) as writer:
        for request in (request_of(2), request_of(3), *late):
            writer.add_job(begin(request))

    def waiting(most: int) -> list[Request]:
        return [job.request for job in store.free_jobs(lease, ORACLE, JobState.SEEN, most=most)]

    assert waiting(1) == [late[0]]
    assert waiting(9) == [late[0], request_of(2), late[1], request_of(3)]
    with store.write(lease) as writer:
        writer.advance(request_of(2).key, Dispatched())
    assert waiting(9) == [*late, request_of(3)]


def test_two_accounts_do_not_share_a_lease(store: Store, lease: Lease) -> None:
    """Nor do their nonces."""
    other = store.acquire(CHAIN, WORKER, "two")
    queue(store, lease)
    with store.write(other) as writer:
        assert writer.next_nonce(Nonce(0)) == 0


def test_the_slots_of_the_database_cannot_contradict_themselves(store: Store, lease: Lease) -> None:
    """A mined nonce has a transaction that was mined."""
    queue(store, lease)
    with pytest.raises(IntegrityError), store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE slot SET state = 'mined'")
