"""The relayer where a node's answers contradict each other, or refuse: it goes on, and says why."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from quotary_bridge.chain import Block, BlockTag, Chain, Log
from quotary_bridge.chain.faults import classify
from quotary_bridge.chain.several import SeveralNodes
from quotary_bridge.errors import Reason, RequestRefused, RpcUnavailable, Transient
from quotary_bridge.lifecycle import JobState, Orphaned, Seen, Superseded
from quotary_bridge.model import Address, ChainId, JobKey, Slot, Timestamp
from quotary_bridge.relayer import Progress, ProgressKind, RelayerConfig, run
from quotary_bridge.store import Store, tables
from quotary_bridge.workers import Endpoint
from sqlalchemy import update

from tests.bridge.relayer_town import (
    RELAYER,
    OneByOne,
    Town,
    Worker,
    address,
    client_of,
    drive,
    kinds,
    relayer_of,
    require_all_final,
    settings_of,
    through,
)
from tests.faults.odds import Manners, Odds
from tests.faults.proxy import behave, proxied

pytest_plugins = ["tests.bridge.relayer_fixtures"]

FAR_BEHIND = Manners(3, lag=100)
"""As far behind as none of the tests' blocks are known there."""


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture
def odd_url(town: Town) -> Iterator[str]:
    """A proxy before the town's node that is honest until a test says otherwise."""
    # Each test has its own: the proxy's pool would know transactions of another test's past.
    with proxied(town.node.url, FAR_BEHIND) as url:
        yield url


@pytest.fixture
def odd_town(town: Town, odd_url: str) -> Iterator[Town]:
    """A town whose relayer asks through the proxy."""
    honest = town.chain
    town.chain = Chain.at(odd_url, honest.chain_id)
    yield town
    town.chain = honest


def state_of(store: Store, key: JobKey) -> JobState:
    """Where a job is now."""
    job = store.job(key)
    assert job is not None
    return job.state


def delivered(town: Town, store: Store) -> JobKey:
    """Relay one request as far as a block, and stop."""
    key = town.ask()
    town.node.mine()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        relayer.tick()
    assert state_of(store, key) is JobState.MINED
    return key


@pytest.mark.parametrize("fault", ["stale_logs", "no_logs"])
def test_logs_that_lag_after_a_restart_do_not_stop_a_delivery(
    odd_town: Town, odd_url: str, store: Store, fault: str
) -> None:
    """The blocks are there, and their logs are not until later; the delivery stays what it is."""
    key = delivered(odd_town, store)
    with relayer_of(odd_town, store, client_of(one=Worker())) as relayer:
        behave(odd_url, "eth_getLogs", **{fault: 1})
        relayer.tick()
        assert state_of(store, key) is JobState.MINED
        behave(odd_url, "eth_getLogs")
        drive(relayer, odd_town)
    assert ProgressKind.REQUEST_ORPHANED not in kinds(odd_town)
    require_all_final(odd_town, store)


def test_a_request_whose_logs_are_missing_when_it_becomes_final_is_not_lost(
    odd_town: Town, odd_url: str, store: Store
) -> None:
    """Its block is the one it was; that a node tells nothing of it any more is no reason."""
    key, worker = odd_town.ask(), Worker(status=503)
    with relayer_of(odd_town, store, client_of(one=worker)) as relayer:
        relayer.tick()
    with relayer_of(odd_town, store, client_of(one=worker)) as relayer:
        behave(odd_url, "eth_getLogs", no_logs=1)
        for _ in range(8):
            odd_town.node.mine()
            relayer.tick()
        behave(odd_url, "eth_getLogs")
        worker.status = 200
        drive(relayer, odd_town, cycles=40)
    assert state_of(store, key) is JobState.FINAL
    require_all_final(odd_town, store)


def test_a_request_whose_logs_lag_beyond_finality_is_read_when_they_come(
    odd_town: Town, odd_url: str, store: Store
) -> None:
    """A block whose header leaves room for a request is not read before its logs were told."""
    behave(odd_url, "eth_getLogs", stale_logs=1)
    key = odd_town.ask()
    with relayer_of(odd_town, store, client_of(one=Worker())) as relayer:
        for _ in range(12):
            odd_town.node.mine()
            relayer.tick()
        told = [event for event in odd_town.events if event.kind is ProgressKind.LOGS_BEHIND]
        assert {event.details["logs_of"] for event in told} == {odd_town.deployed_at + 1}
        behave(odd_url, "eth_getLogs")
        drive(relayer, odd_town)
    assert state_of(store, key) is JobState.FINAL
    require_all_final(odd_town, store)


def test_a_delivery_that_another_release_left_adrift_is_final_all_the_same(
    town: Town, store: Store
) -> None:
    """The record says that others answered, and the nonce that we did: the chain decides."""
    key = delivered(town, store)
    job = store.job(key)
    assert job is not None
    lease = store.acquire(ChainId(town.chain.chain_id), address(town), "another release")
    with store.write(lease) as writer:
        writer.advance(key, Orphaned())
        writer.advance(key, Seen(job.request))
        writer.advance(key, Superseded("AlreadyFulfilled", job.request.block))
    store.release(lease)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    require_all_final(town, store)


def test_a_job_that_cannot_have_what_its_nonce_says_holds_up_no_other(
    town: Town, store: Store
) -> None:
    """A record that contradicts itself is a defect of one job: told in every cycle, and left."""
    town.ask(b"one")
    town.ask(b"another")
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        relayer.tick()
        town.quiet()
        with store._engine.begin() as connection:
            broken = {"state": "superseded", "sealed": True, "reason": "why", "terminal": True}
            here = town.chain.head()
            broken |= {"settled_number": here.number, "settled_hash": here.hash}
            connection.execute(update(tables.job).where(tables.job.c.key == town.key(1)), broken)
        drive(relayer, town)
    assert state_of(store, town.key(2)) is JobState.FINAL
    told = [event for event in town.events if event.kind is ProgressKind.JOB_CONTRADICTED]
    assert {event.job for event in told} == {town.key(1)}
    assert [slot.job for slot in unresolved(town, store)] == [town.key(1)]


def unresolved(town: Town, store: Store) -> tuple[Slot, ...]:
    """The nonces that are given out."""
    return store.unresolved_slots(ChainId(town.chain.chain_id), address(town))


@pytest.mark.parametrize("method", ["eth_getBlockByNumber", "eth_getLogs", "eth_call"])
def test_a_daemon_goes_on_where_its_only_node_refuses_a_question(
    odd_town: Town, odd_url: str, tmp_path: Path, method: str
) -> None:
    """What a node does not offer today it may tomorrow: told by name, and asked again."""
    stop = threading.Event()
    told: list[Progress] = []

    def _hear(progress: Progress) -> None:
        told.append(progress)
        if progress.kind is ProgressKind.NODE_REFUSED:
            behave(odd_url, method)
        if progress.kind is ProgressKind.WORKER_FAILED:
            stop.set()

    odd_town.ask()
    behave(odd_url, method, refused=1)
    config = RelayerConfig(
        chain=odd_town.chain,
        oracle=odd_town.oracle,
        signer=odd_town.node.signers[RELAYER],
        workers=[Endpoint("http://127.0.0.1:1")],
        database=tmp_path / "daemon.sqlite",
        now=lambda: Timestamp(1_000),
        settings=settings_of(odd_town, poll_seconds=0.01),
    )
    run(config, stop, listener=_hear)
    refusals = [event for event in told if event.kind is ProgressKind.NODE_REFUSED]
    assert {event.details["reason"] for event in refusals} == {Reason.REQUEST_REFUSED.value}
    assert method in str(refusals[0].details["detail"])


def test_the_next_node_is_asked_where_one_refuses(town: Town, store: Store) -> None:
    """As where one is away: a cycle is cut, and the next one is another node's."""
    town.ask()
    honest = town.chain
    with proxied(town.node.url, Manners(1, Odds(refused=1))) as refusing:
        nodes = [Chain.at(url, honest.chain_id) for url in (refusing, *[town.node.url] * 2)]
        town.chain = SeveralNodes(nodes, honest.chain_id, lambda: 0.0)
        with relayer_of(town, store, client_of(one=Worker())) as relayer:
            with pytest.raises(RequestRefused):
                relayer.tick()
            drive(relayer, town)
    town.chain = honest
    assert kinds(town).count(ProgressKind.NODE_REFUSED) == 1
    require_all_final(town, store)


def test_a_node_that_takes_no_transactions_holds_them(
    odd_town: Town, odd_url: str, store: Store
) -> None:
    """The bytes stay as they are, and go out once it does; nothing is made up in their place."""
    odd_town.ask()
    behave(odd_url, "eth_sendRawTransaction", refused=1)
    with relayer_of(odd_town, store, client_of(one=Worker()), replace_after=50) as relayer:
        for _ in range(3):
            relayer.tick()
        held = [e for e in odd_town.events if e.kind is ProgressKind.TRANSACTION_HELD]
        assert [event.details["reason"] for event in held] == ["REQUEST_REFUSED"] * 3
        behave(odd_url, "eth_sendRawTransaction")
        drive(relayer, odd_town)
    assert ProgressKind.FEES_RAISED not in kinds(odd_town)
    require_all_final(odd_town, store)


class Fussy(OneByOne):
    """A node that does not take transactions with certain bytes in them, and has no name for it."""

    unwanted: bytes

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        if self.unwanted in raw:
            raise RequestRefused(Reason.REQUEST_REFUSED, "invalid argument 0")
        return super().send_raw(raw)


def test_bytes_that_the_node_refuses_beside_others_free_their_nonce(
    town: Town, store: Store
) -> None:
    """One delivery is refused, and the job says why it waits; those with later nonces arrive."""
    bad, good = town.ask(b"one"), town.ask(b"another")
    through(town, Fussy)
    assert isinstance(town.chain, Fussy)
    town.chain.unwanted = town.terms[0].input_commitment
    with relayer_of(town, store, client_of(one=Worker()), results_per_job=1) as relayer:
        drive(relayer, town)
    failed = store.job(bad)
    assert failed is not None
    assert (failed.state, failed.reason) == (JobState.SEEN, "TransactionRefused")
    assert state_of(store, good) is JobState.FINAL


def test_an_answer_that_needs_more_gas_than_one_of_its_length_is_estimated(
    town: Town, store: Store
) -> None:
    """Zeros are cheaper to carry: what they came to is too little even to be executed."""
    worker = Worker(output=bytes(8_192))
    town.ask(b"one")
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer.tick()
        worker.output = b"\xff" * 8_192
        town.ask(b"another")
        drive(relayer, town)
    require_all_final(town, store, requests=2)


class Ranged(Chain):
    """A node whose headers leave room for everything, and that tells of ranges only."""

    def blocks(self, numbers: Sequence[int]) -> list[Block | None]:
        """Return them with full filters."""
        found = super().blocks(numbers)
        return [None if block is None else replace(block, bloom=-1) for block in found]

    def logs_of(self, blocks: Sequence[bytes], *_query: Any) -> list[Any]:
        """Refuse, in words of its own."""
        return [classify("eth_getLogs", -32000, "no filters by hash here") for _ in blocks]


def test_a_node_that_tells_of_ranges_only_is_believed(town: Town, store: Store) -> None:
    """Its headers leave room for logs that there are not: they are read all the same."""
    through(town, Ranged)
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    assert ProgressKind.LOGS_BEHIND not in kinds(town)
    require_all_final(town, store)


class Misreading(Chain):
    """A node that says a block is another one, in the logs it sends."""

    shift = 1

    def logs(self, *query: Any) -> tuple[Log, ...]:
        """Answer for another block than asked."""
        found = super().logs(*query)
        return tuple(replace(log, block_number=log.block_number + self.shift) for log in found)


@pytest.mark.parametrize("shift", [-1000, 1, 1000])
def test_logs_of_blocks_that_were_not_asked_for_are_no_answer(
    town: Town, store: Store, shift: int
) -> None:
    """Nothing is read from them, and the next cycle asks again."""
    town.ask()
    through(town, Misreading)
    assert isinstance(town.chain, Misreading)
    town.chain.shift = shift
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        with pytest.raises(Transient):
            relayer.tick()
        town.chain.shift = 0
        drive(relayer, town)
    require_all_final(town, store)


class Forgetful(Chain):
    """A node that may have forgotten every transaction of the account."""

    forgets = False

    def nonce(self, address: Address, at: BlockTag = "latest") -> int:
        """Count them, or not."""
        return 0 if self.forgets else super().nonce(address, at)


def test_a_nonce_that_is_final_is_never_given_out_again(town: Town, store: Store) -> None:
    """A node that counts too few is not believed: there is no gap where the record has a nonce."""
    through(town, Forgetful)
    town.ask(b"one")
    assert isinstance(town.chain, Forgetful)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
        town.automine(on=False)
        town.ask(b"another")
        town.node.mine()
        relayer.tick()
        town.chain.forgets = True
        relayer.tick()
        town.chain.forgets = False
        drive(relayer, town)
    require_all_final(town, store, requests=2)


def test_a_chain_id_that_is_none_is_no_answer(town: Town) -> None:
    """And no reason to end: only another chain's is."""

    class Nameless(Chain):
        def _request(self, method: str, parameters: Sequence[Any] = ()) -> Any:
            return None if method == "eth_chainId" else super()._request(method, parameters)

    with pytest.raises(RpcUnavailable) as caught:
        Nameless(town.chain.web3, town.chain.chain_id).head()
    assert caught.value.reason is Reason.RPC_BROKEN_ANSWER
