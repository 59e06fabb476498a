"""Reading jobs again: what they ask is kept by their block, how far they are is always read."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quotary_bridge.lifecycle import Dispatched, Errand, JobState, Seen, begin, begin_errand
from quotary_bridge.model import BlockHash, BlockNumber, BlockRef, JobKey, JobKind
from quotary_bridge.store import Lease, Location, Store, jobs

from tests.bridge.store_parts import CHAIN, ORACLE, Clock, OpenStore, request_of

pytest_plugins = ["tests.bridge.store_fixtures"]

ELSEWHERE = BlockRef(BlockNumber(12), BlockHash(bytes([12]) * 32))


def test_a_request_that_moved_is_read_anew(
    store: Store, lease: Lease, database: Location, clock: Clock, open_store: OpenStore
) -> None:
    """Whoever had read it before it moved, and not only who moved it."""
    request = request_of(1)
    moved = replace(request, block=ELSEWHERE, input=b"another question")
    reader = open_store(database, clock)
    with store.write(lease) as writer:
        writer.add_job(begin(request))
    assert reader.job(request.key) == begin(request)
    with store.write(lease) as writer:
        writer.advance(request.key, Seen(moved))
    assert reader.job(request.key) == begin(moved)
    assert store.open_jobs(CHAIN, ORACLE) == (begin(moved),)


def test_how_far_a_job_is_is_read_every_time(
    store: Store, lease: Lease, database: Location, clock: Clock, open_store: OpenStore
) -> None:
    """Also where another process moved it on."""
    request = request_of(1)
    reader = open_store(database, clock)
    with store.write(lease) as writer:
        writer.add_job(begin(request))
    assert reader.open_jobs(CHAIN, ORACLE, JobState.SEEN) == (begin(request),)
    with store.write(lease) as writer:
        asked = writer.advance(request.key, Dispatched())
    assert reader.job(request.key) == asked
    assert reader.open_jobs(CHAIN, ORACLE, JobState.SEEN) == ()


def test_errands_keep_their_call(store: Store, lease: Lease) -> None:
    """An errand is about a request in the same block, and is not taken for it."""
    request = request_of(1)
    errand = Errand(JobKey(bytes([9]) * 32), ORACLE, b"a call")
    brought = begin_errand(request, JobKind.REFUND, errand)
    with store.write(lease) as writer:
        writer.add_job(begin(request))
        writer.add_job(brought)
    for _ in range(2):
        assert store.jobs([request.key, errand.key]) == {
            request.key: begin(request),
            errand.key: brought,
        }


def test_more_jobs_than_are_remembered(
    store: Store, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was forgotten is read again, in the same order."""
    monkeypatch.setattr(jobs, "JOBS_REMEMBERED", 3)
    wanted = [begin(request_of(number)) for number in range(1, 9)]
    with store.write(lease) as writer:
        for job in wanted:
            writer.add_job(job)
    expected = tuple(sorted(wanted, key=lambda job: job.request.request_id))
    for _ in range(3):
        assert store.open_jobs(CHAIN, ORACLE) == expected
