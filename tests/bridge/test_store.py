"""The store: what it promises to keep, and what it refuses."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from quotary_bridge.errors import ConfigurationError, Reason, Transient
from quotary_bridge.lifecycle import (
    Dispatched,
    Enqueued,
    IllegalTransitionError,
    JobState,
    Sent,
    begin,
)
from quotary_bridge.model import (
    Address,
    AttemptKind,
    BlockHash,
    BlockNumber,
    BlockRef,
    Bytes32,
    ChainId,
    Fees,
    Inclusion,
    Nonce,
    Request,
    Result,
    SignedResult,
    SlotState,
    Timestamp,
    TransactionHash,
    Wei,
)
from quotary_bridge.store import (
    Cursor,
    Lease,
    LeaseHeldError,
    SignedTransaction,
    Store,
    StoreUnavailableError,
)
from sqlalchemy.exc import IntegrityError

CHAIN = ChainId(31337)
ORACLE = Address("0x0000000000000000000000000000000000000001")
SIGNER = Address("0x0000000000000000000000000000000000000002")
WORKER = Address("0x0000000000000000000000000000000000000003")
BLOCK = BlockRef(BlockNumber(7), BlockHash(bytes([7]) * 32))


def request_of(number: int) -> Request:
    return Request(
        chain_id=CHAIN,
        oracle=ORACLE,
        request_id=Bytes32(number.to_bytes(32)),
        app_id=Bytes32(bytes([1]) * 32),
        model_id=Bytes32(bytes([2]) * 32),
        requester=WORKER,
        input=b"a question",
        deadline=Timestamp(1_000),
        callback_gas=50_000,
        fee=Wei(2**87),
        block=BLOCK,
    )


def signed_result() -> SignedResult:
    said = Result(
        request_id=Bytes32((1).to_bytes(32)),
        app_id=Bytes32(bytes([1]) * 32),
        model_id=Bytes32(bytes([2]) * 32),
        weights_root=Bytes32(bytes([3]) * 32),
        input_commitment=Bytes32(bytes([4]) * 32),
        output_hash=Bytes32(bytes([5]) * 32),
        key_epoch=0,
        policy_version=0,
        worker=WORKER,
        units=2**64 - 1,
        nonce=2**256 - 1,
        deadline=Timestamp(1_000),
    )
    return SignedResult(said, b"an answer", bytes(65))


def transaction(number: int) -> SignedTransaction:
    digest = TransactionHash(number.to_bytes(32))
    fees = Fees(Wei(2**255), Wei(number))
    return SignedTransaction(AttemptKind.DELIVER, bytes([number]), digest, fees, 21_000)


class Clock:
    """Seconds that pass when a test says so."""

    seconds = 1_000

    def __call__(self) -> Timestamp:
        """Return the time."""
        return Timestamp(self.seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "store.sqlite"


@pytest.fixture
def store(path: Path, clock: Clock) -> Iterator[Store]:
    opened = Store.open(path, clock)
    yield opened
    opened.close()


@pytest.fixture
def lease(store: Store) -> Lease:
    return store.acquire(CHAIN, SIGNER, "one")


def queue(store: Store, lease: Lease, number: int = 1, nonce: int = 0) -> int:
    """Bring a job as far as a stored transaction, in one commit; returns the slot."""
    key = request_of(number).key
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(number)))
        writer.advance(key, Dispatched())
        writer.add_result(key, signed_result())
        slot_id = writer.open_slot(writer.next_nonce(Nonce(nonce)), key)
        writer.add_attempt(slot_id, transaction(number), BLOCK.number)
        writer.advance(key, Enqueued(slot_id))
    return slot_id


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
    store: Store, lease: Lease, path: Path, clock: Clock
) -> None:
    """Also by another process: nothing hides in memory."""
    slot_id = queue(store, lease)
    store.close()
    again = Store.open(path, clock)
    assert again.slot(slot_id).latest.raw == bytes([1])
    again.close()


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
    """The key is the same however often the event is seen."""
    queue(store, lease)
    with pytest.raises(IntegrityError), store.write(lease) as writer:
        writer.add_job(begin(replace(request_of(1), input=b"something else")))


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
    store: Store, lease: Lease, path: Path, table: str, change: str
) -> None:
    """Not even by hand: the fees of a broadcast transaction are never forgotten."""
    queue(store, lease)
    with sqlite3.connect(path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute(change.format(table))
    raw.close()


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
    with pytest.raises(LeaseHeldError), store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
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


def test_two_accounts_do_not_share_a_lease(store: Store, lease: Lease) -> None:
    """Nor do their nonces."""
    other = store.acquire(CHAIN, WORKER, "two")
    queue(store, lease)
    with store.write(other) as writer:
        assert writer.next_nonce(Nonce(0)) == 0


def test_the_database_is_set_up_to_survive_a_power_cut(store: Store) -> None:
    """WAL, full synchronisation, foreign keys, and patience with other writers."""
    with store._engine.connect() as connection:
        for pragma, expected in (
            ("journal_mode", "wal"),
            ("synchronous", 2),
            ("foreign_keys", 1),
            ("busy_timeout", 30_000),
        ):
            assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == expected


def test_only_the_owner_may_read_the_file(store: Store, path: Path) -> None:
    """Inputs and outputs are somebody's business."""
    store.counts(CHAIN, ORACLE)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_damaged_file_is_refused(path: Path, clock: Clock) -> None:
    """Before anything is decided by what it says."""
    path.parent.mkdir()
    path.write_bytes(b"not a database at all, but long enough to look like one" * 40)
    with pytest.raises(ConfigurationError) as caught:
        Store.open(path, clock)
    assert caught.value.reason is Reason.FILE_UNREADABLE


def test_a_file_with_a_damaged_page_is_refused(
    store: Store, lease: Lease, path: Path, clock: Clock
) -> None:
    """The quick check looks at every page."""
    for number in range(1, 40):
        queue(store, lease, number, nonce=number)
    store.close()
    content = bytearray(path.read_bytes())
    for page in range(2, len(content) // 4096):
        content[page * 4096 : page * 4096 + 64] = b"\xff" * 64
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        Store.open(path, clock)
    assert caught.value.reason is Reason.FILE_UNREADABLE


def test_a_file_of_another_version_is_refused(store: Store, path: Path, clock: Clock) -> None:
    """Not guessed at."""
    store.close()
    with sqlite3.connect(path) as raw:
        raw.execute("PRAGMA user_version = 99")
    raw.close()
    with pytest.raises(ConfigurationError) as caught:
        Store.open(path, clock)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def _killed_in_the_middle(path: Path, *, commit: bool) -> None:
    store = Store.open(path, Clock())
    lease = store.acquire(CHAIN, SIGNER, "one")
    if commit:
        queue(store, lease)
        os.kill(os.getpid(), signal.SIGKILL)
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
        writer.open_slot(Nonce(0), request_of(1).key)
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("commit", [True, False])
def test_a_kill_leaves_whole_transactions_only(path: Path, clock: Clock, *, commit: bool) -> None:
    """Kill -9 after the commit keeps all of it, before the commit none of it."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_killed_in_the_middle, args=(path,), kwargs={"commit": commit})
    child.start()
    child.join(30)
    assert child.exitcode == -signal.SIGKILL
    store = Store.open(path, clock)
    slots = store.unresolved_slots(CHAIN, SIGNER)
    assert [slot.latest.raw for slot in slots] == ([bytes([1])] if commit else [])
    assert (store.job(request_of(1).key) is not None) == commit
    store.close()


def test_a_lock_that_outlasts_our_patience_is_transient(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup holds the file: nothing has failed, the cycle is repeated."""
    monkeypatch.setattr("quotary_bridge.store.engine.BUSY_TIMEOUT_MILLISECONDS", 20)
    store = Store.open(path, clock)
    with sqlite3.connect(path, isolation_level=None) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError) as caught:
            store.acquire(CHAIN, SIGNER, "one")
        raw.execute("ROLLBACK")
    raw.close()
    assert isinstance(caught.value, Transient)
    assert store.acquire(CHAIN, SIGNER, "one").token == 1
    store.close()


def test_an_unwritable_path_is_a_matter_of_configuration(tmp_path: Path, clock: Clock) -> None:
    """With a remedy, not with a traceback."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError) as caught:
        Store.open(tmp_path / "file" / "store.sqlite", clock)
    assert caught.value.remedy


def test_the_slots_of_the_database_cannot_contradict_themselves(
    store: Store, lease: Lease, path: Path
) -> None:
    """A mined nonce has a transaction that was mined."""
    queue(store, lease)
    with sqlite3.connect(path) as raw, pytest.raises(sqlite3.IntegrityError):
        raw.execute("UPDATE slot SET state = 'mined'")
    raw.close()
