"""Rounds and errands in the store, on both databases, and errands in the state machine."""

from __future__ import annotations

import pytest
from quotary_bridge.lifecycle import (
    Dispatched,
    Enqueued,
    Errand,
    Finalised,
    IllegalTransitionError,
    Included,
    Job,
    JobState,
    Released,
    Reopened,
    Reorged,
    Retried,
    Sent,
    Superseded,
    advance,
    begin,
    begin_errand,
)
from quotary_bridge.model import BlockNumber, JobKind, Timestamp, errand_key
from quotary_bridge.rounds import (
    Abandoned,
    Closed,
    Committed,
    Faulted,
    Revealed,
    Round,
    RoundState,
    Seat,
    commitment_of,
)
from quotary_bridge.store import Lease, Store

from tests.bridge.store_parts import BLOCK, CHAIN, ORACLE, SIGNER, WORKER, request_of, signed_result
from tests.bridge.test_rounds_machine import played

pytest_plugins = ["tests.bridge.store_fixtures"]

KEY = request_of(1).key


def errand_of(kind: JobKind = JobKind.DISSENT, subject: bytes = b"") -> Job:
    errand = Errand(errand_key(KEY, kind, subject), ORACLE, b"the call")
    return begin_errand(request_of(1), kind, errand)


def test_an_errand_lives_as_a_delivery_does() -> None:
    """From its call to the chain, back by a reorg, out of a used-up nonce, and to the end."""
    job = errand_of()
    for event, state in (
        (Enqueued(4), JobState.QUEUED),
        (Sent(), JobState.BROADCAST),
        (Included(succeeded=True), JobState.MINED),
        (Reorged(), JobState.BROADCAST),
        (Released(), JobState.SIGNED),
        (Retried("Reverted"), JobState.SIGNED),
        (Superseded("NoDissent", BLOCK), JobState.SUPERSEDED),
        (Reopened(), JobState.SIGNED),
        (Enqueued(5), JobState.QUEUED),
        (Included(succeeded=True), JobState.MINED),
        (Finalised(), JobState.FINAL),
    ):
        job = advance(job, event)
        assert job.state is state, event
    assert job.terminal
    assert job.retries == 1


def test_nobody_is_asked_for_an_errand() -> None:
    """It has its call already."""
    with pytest.raises(IllegalTransitionError):
        advance(errand_of(), Dispatched())


def test_errands_are_told_apart_by_what_they_are_about() -> None:
    """Kind and subject make the key: the same errand twice is one job."""
    assert errand_of().key == errand_of().key
    others = [
        errand_of(),
        errand_of(JobKind.DISPUTE),
        errand_of(subject=b"one"),
        begin(request_of(1)),
    ]
    assert len({job.key for job in others}) == 4


def test_an_errand_is_kept_once_with_its_call(store: Store, lease: Lease) -> None:
    """Adding it again changes nothing, and it is no request to whoever lists requests."""
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
        assert writer.add_errands([errand_of(), errand_of()]) == [errand_of()]
    with store.write(lease) as writer:
        assert writer.add_errands([errand_of(), errand_of(JobKind.REFUND)]) == [
            errand_of(JobKind.REFUND)
        ]
    assert store.job(errand_of().key) == errand_of()
    assert [job.kind for job in store.page(None, 9)] == [JobKind.ANSWER]
    assert len(store.page(None, 9, errands=True)) == 2
    # A reorg of the request's block, and its deadline, are the request's own affair.
    recent = store.recent_jobs(CHAIN, ORACLE, BlockNumber(0))
    assert [job.key for job in recent] == [KEY]
    overdue = store.overdue_jobs(CHAIN, ORACLE, Timestamp(2_000), 9)
    assert [job.key for job in overdue] == [KEY]


def test_a_round_is_read_as_it_was_written(store: Store, lease: Lease) -> None:
    """Seats in their order, every step of each, and what a liar had signed."""
    signed = signed_result()
    other = Seat(SIGNER, "http://other")
    held = Round(KEY, 1, (Seat(WORKER, "http://one"), other, Seat(ORACLE, "http://third")))
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
        writer.put_rounds([held])
    assert store.rounds([KEY]) == {KEY: [held]}
    commitment = commitment_of(signed.result)
    for event in (
        Committed(WORKER, commitment),
        Faulted(ORACLE, "Unreachable"),
        Closed(),
        Revealed(WORKER, signed),
        Faulted(SIGNER, "NotCommitted", signed),
        Abandoned(),
    ):
        held = played(held, event)
        with store.write(lease) as writer:
            writer.put_rounds([held])
            assert writer.rounds([KEY]) == {KEY: [held]}
        assert store.rounds([KEY]) == {KEY: [held]}
    assert store.overview().rounds[RoundState.ABANDONED] == 1
    assert store.open_rounds() == {}


def test_rounds_of_jobs_that_ended_are_found(store: Store, lease: Lease) -> None:
    """Only where something is still open, and only once the job can no longer move."""
    rounds = [Round(KEY, 1, (), RoundState.DISPUTED), Round(KEY, 2, (), RoundState.AGREED)]
    with store.write(lease) as writer:
        writer.add_job(begin(request_of(1)))
        writer.put_rounds(rounds)
    assert store.rounds_of_ended_jobs(CHAIN, ORACLE, 9) == {}
    assert store.open_rounds() == {RoundState.AGREED: 1}
    with store._engine.begin() as connection:
        connection.exec_driver_sql("UPDATE job SET terminal = true")
    assert store.rounds_of_ended_jobs(CHAIN, ORACLE, 9) == {KEY: rounds}
