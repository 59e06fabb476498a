"""Several relayers on one store and one oracle: each job is asked for once and delivered once."""

from __future__ import annotations

import threading
import time

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.errors import Transient
from quotary_bridge.lifecycle import Dispatched, JobState, begin
from quotary_bridge.model import Address, ChainId, Timestamp
from quotary_bridge.relayer import Relayer
from quotary_bridge.store import Lease, Location, Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import Town, Worker, client_of, require_all_final, settings_of
from tests.bridge.store_parts import CHAIN, ORACLE, Clock, OpenStore, request_of

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

ACCOUNTS = (2, 3, 4)
REQUESTS = 24
PATIENCE_SECONDS = 300
SIGNERS = tuple(Address(f"0x{number:040x}") for number in (2, 3))

Pair = tuple[Store, Store, Lease, Lease]


class Member:
    """One of several relayers, in a thread, with its own store, node and worker."""

    def __init__(self, town: Town, store: Store, account: int) -> None:
        """Use one account of the town's."""
        self.worker = Worker()
        self.store = store
        self.sent: list[object] = []
        self._relayer = Relayer(
            Chain.at(town.node.url, town.node.chain_id),
            town.oracle,
            self.store,
            town.node.signers[account],
            [Endpoint("http://one")],
            settings=settings_of(town, in_flight=2, patience_seconds=0.2),
            client=client_of(one=self.worker),
            holder=f"relayer {account}",
        )
        self.failure: BaseException | None = None
        self.thread = threading.Thread(target=self._run)

    def begin(self) -> None:
        """Take what one relayer takes at a time, before anybody else comes."""
        self._relayer.tick()

    def _run(self) -> None:
        try:
            with self._relayer:
                self._relay()
        except BaseException as error:  # noqa: BLE001 (shown by the test's own thread)
            self.failure = error

    def _relay(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while time.monotonic() < end:
            try:
                if self._relayer.tick().idle:
                    return
            except Transient:
                continue
        raise TimeoutError("the relayers did not finish")


def test_each_request_is_asked_for_once_and_answered_once(
    town: Town, database: Location, open_store: OpenStore
) -> None:
    """Three relayers with an account each, at once, on one store; blocks come all the time."""
    for number in range(REQUESTS):
        town.ask(b"question %d" % number)
    stores = [open_store(database, lambda: Timestamp(1_000)) for _ in ACCOUNTS]
    members = [Member(town, *each) for each in zip(stores, ACCOUNTS, strict=True)]
    # One after the other: whoever is first could be done before another thread has begun.
    for member in members:
        member.begin()
    for member in members:
        member.thread.start()
    while any(member.thread.is_alive() for member in members):
        town.node.mine()
        time.sleep(0.1)
    assert [member.failure for member in members] == [None] * len(members)
    assert sum(member.worker.asked for member in members) == REQUESTS
    assert all(member.worker.asked for member in members)
    store = stores[0]
    require_all_final(town, store, requests=REQUESTS)
    chain_id = ChainId(town.chain.chain_id)
    for account in ACCOUNTS:
        assert store.unresolved_slots(chain_id, town.node.signers[account].address) == ()


@pytest.fixture
def pair(database: Location, clock: Clock, open_store: OpenStore) -> Pair:
    """Two relayers with accounts of their own, and five jobs that nobody has."""
    stores = [open_store(database, clock) for _ in SIGNERS]
    held = [
        store.acquire(CHAIN, signer, f"relayer {signer}")
        for store, signer in zip(stores, SIGNERS, strict=True)
    ]
    with stores[0].write(held[0]) as writer:
        for number in range(5):
            writer.add_job(begin(request_of(number)))
    return stores[0], stores[1], held[0], held[1]


def test_what_one_has_taken_the_other_leaves_alone(pair: Pair, clock: Clock) -> None:
    """As long as the lease holds, and no longer; nothing has to be given back."""
    one, other, mine, theirs = pair
    keys = [request_of(number).key for number in range(3)]
    with one.write(mine) as writer:
        assert writer.claim(keys) == frozenset(keys)
        for key in keys:
            writer.advance(key, Dispatched())
    assert len(other.free_jobs(theirs, ORACLE, most=9)) == 2
    assert len(one.free_jobs(mine, ORACLE, most=9)) == 5
    with other.write(theirs) as writer:
        assert writer.claim(keys) == frozenset()
    clock.seconds += 61
    with other.write(theirs) as writer:
        assert writer.claim(keys[:1]) == frozenset(keys[:1])
    assert [job.key for job in one.free_jobs(mine, ORACLE, JobState.DISPATCHED, most=9)] != keys
    # Whoever begins anew has no claim of before any more, and neither has anybody else of them.
    again = one.acquire(CHAIN, SIGNERS[0], f"relayer {SIGNERS[0]}")
    assert again.token == mine.token + 1
    assert len(other.free_jobs(theirs, ORACLE, most=9)) == 5


def test_rows_being_taken_are_passed_over_not_waited_for(pair: Pair, database: Location) -> None:
    """On PostgreSQL two relayers claim at the same moment; SQLite lets one in at a time."""
    one, other, mine, theirs = pair
    if not hasattr(database, "url"):
        pytest.skip("SQLite has one writer at a time")
    keys = [request_of(number).key for number in range(5)]
    # One thread: whoever waited for the other would do so until the database refuses to go on.
    with one.write(mine) as first:
        assert first.claim(keys[:3]) == frozenset(keys[:3])
        with other.write(theirs) as second:
            assert second.claim(keys) == frozenset(keys[3:])


def test_two_that_read_the_same_block_make_one_job(pair: Pair) -> None:
    """Whoever comes second finds it there."""
    one, other, mine, theirs = pair
    job = begin(request_of(9))
    for store, held in ((one, mine), (other, theirs)):
        with store.write(held) as writer:
            writer.add_job(job)
    assert one.job(job.key) == job
