"""Workers that are slow, dead or late: who is asked next, and when."""

from __future__ import annotations

import gc
import threading

import httpx
import pytest
from quotary_bridge.lifecycle import JobState
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.store import Store
from quotary_bridge.workers import WorkerClient

from tests.bridge.relayer_town import (
    Town,
    Worker,
    client_of,
    drive,
    kinds,
    relayer_of,
    require_all_final,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]

A_LONG_TIME = 60.0


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


class Stalling:
    """Two hosts: one answers, the other one only when it is told to."""

    def __init__(self) -> None:
        """Stall."""
        self.slow, self.quick = Worker(), Worker(key=f"0x{'43' * 32}")
        self.go = threading.Event()

    def client(self) -> WorkerClient:
        """A client that reaches both."""
        return WorkerClient(httpx.MockTransport(self._route))

    def _route(self, question: httpx.Request) -> httpx.Response:
        if question.url.host == "quick":
            return self.quick.answer(question)
        self.go.wait(A_LONG_TIME)
        return self.slow.answer(question)


def test_a_worker_that_takes_long_is_hedged_by_the_next(town: Town, store: Store) -> None:
    """The first good answer counts; the stalled one is not waited for."""
    stalling = Stalling()
    town.ask()
    hosts = ("slow", "quick")
    with relayer_of(town, store, stalling.client(), *hosts, hedge_seconds=0.01) as relayer:
        drive(relayer, town)
        stalling.go.set()
    assert (stalling.quick.asked, len(town.deliveries())) == (1, 1)
    require_all_final(town, store)


def test_a_worker_that_is_not_hedged_keeps_its_time(town: Town, store: Store) -> None:
    """Nobody else is asked before the hedge is due; the cycle goes on meanwhile."""
    stalling = Stalling()
    town.ask()
    hosts = ("slow", "quick")
    with relayer_of(town, store, stalling.client(), *hosts, patience_seconds=0.05) as relayer:
        assert not relayer.tick().idle
        assert kinds(town)[-1] is ProgressKind.WORKER_ASKED
        assert stalling.quick.asked == 0
        stalling.go.set()
        for _ in range(1_000):
            relayer.tick()
            if ProgressKind.RESULT_STORED in kinds(town):
                break
        drive(relayer, town)
    assert stalling.slow.asked == 1
    require_all_final(town, store)


def test_an_answer_that_comes_after_the_request_is_gone_is_not_kept(
    town: Town, store: Store
) -> None:
    """The deadline passed while the worker was thinking."""
    stalling = Stalling()
    key = town.ask(lifetime=60)
    with relayer_of(town, store, stalling.client(), "slow", patience_seconds=0.05) as relayer:
        relayer.tick()
        town.node.advance_to(town.chain.head().timestamp + 61)
        relayer.tick()
        stalling.go.set()
        for _ in range(1_000):
            relayer.tick()
            if not relayer._dispatcher._asker.asking:
                break
    job = store.job(key)
    assert job is not None
    assert (job.state, job.result) == (JobState.SUPERSEDED, None)


def test_the_load_is_spread_over_workers(town: Town, store: Store) -> None:
    """Each is asked in its turn."""
    workers = {"one": Worker(), "two": Worker(), "three": Worker()}
    for _ in range(6):
        town.ask()
    with relayer_of(town, store, client_of(**workers), *workers) as relayer:
        drive(relayer, town, cycles=30)
    assert [worker.asked for worker in workers.values()] == [2, 2, 2]
    require_all_final(town, store, requests=6)


@pytest.mark.parametrize("closes", [True, False])
def test_no_thread_outlives_whoever_asks(
    town: Town,
    store: Store,
    closes: bool,  # noqa: FBT001 (a parameter)
) -> None:
    """Closed or forgotten: the threads that wait for questions end."""
    before = set(threading.enumerate())
    town.ask()
    relayer = relayer_of(town, store, client_of(one=Worker()), "one")
    relayer.tick()
    threads = set(threading.enumerate()) - before
    assert threads
    if closes:
        relayer.close()
    del relayer
    gc.collect()
    for thread in threads:
        thread.join(A_LONG_TIME)
        assert not thread.is_alive()
