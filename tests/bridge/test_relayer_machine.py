"""The relayer where its own machine fails it: kills, zombies, and what its store gives away."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.model import (
    Address,
    ChainId,
    Timestamp,
)
from quotary_bridge.relayer import Relayer
from quotary_bridge.relayer.holder import is_gone, own_holder
from quotary_bridge.store import LeaseHeldError, Store, StoreUnavailableError
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    RELAYER,
    OneByOne,
    Town,
    Worker,
    address,
    client_of,
    drive,
    relayer_of,
    require_all_final,
    settings_of,
    slot_of,
)
from tests.bridge.store_parts import OpenStore

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]


class DiesBeforeSending(OneByOne):
    """The machine loses power after the commit and before the broadcast."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        os.kill(os.getpid(), signal.SIGKILL)
        return raw


class DiesAfterSending(OneByOne):
    """The machine loses power after the broadcast and before anything is noted."""

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or not."""
        super().send_raw(raw)
        os.kill(os.getpid(), signal.SIGKILL)
        return raw


def _doomed(kind: type[Chain], town: Town, path: Path) -> None:
    chain = kind(Chain.at(town.node.url).web3, town.node.chain_id)
    store = Store.open(path, lambda: Timestamp(1_000))
    Relayer(
        chain,
        town.oracle,
        store,
        town.node.signers[RELAYER],
        [Endpoint("http://one")],
        settings=settings_of(town),
        client=client_of(one=Worker()),
        holder="a test",
    ).tick()


@pytest.mark.parametrize("kind", [DiesBeforeSending, DiesAfterSending])
@pytest.mark.parametrize("mined", [True, False])
def test_a_kill_around_the_broadcast_loses_and_doubles_nothing(
    town: Town, tmp_path: Path, open_store: OpenStore, kind: type[Chain], *, mined: bool
) -> None:
    """Kill -9 between commit and send, or between send and record: the same bytes go out again."""
    town.ask()
    town.automine(on=mined)
    path = tmp_path / "store.sqlite"
    child = multiprocessing.get_context("fork").Process(target=_doomed, args=(kind, town, path))
    child.start()
    child.join(300)
    assert child.exitcode == -signal.SIGKILL
    store = open_store(path, lambda: Timestamp(1_000))
    stored = slot_of(town, store).latest.hash
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        relayer.tick()
        slot = slot_of(town, store)
        assert [attempt.hash for attempt in slot.attempts] == [stored]
        assert town.chain.knows(stored)
        drive(relayer, town)
    assert worker.asked == 0
    require_all_final(town, store)
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


def test_two_relayers_cannot_share_an_account(town: Town, store: Store) -> None:
    """The second is refused; after a take-over the first writes nothing any more."""
    town.ask()
    now = [1_000]
    store._now = lambda: Timestamp(now[0])
    second: Callable[[], Relayer] = lambda: relayer_of(  # noqa: E731 (made twice)
        town, store, client_of(one=Worker())
    )
    first, other = second(), second()
    other._holder = "another machine"
    first.tick()
    with pytest.raises(LeaseHeldError):
        other.tick()
    now[0] += 61
    other.tick()
    town.node.mine()
    with pytest.raises(LeaseHeldError):
        first.tick()
    drive(other, town)
    require_all_final(town, store)


def test_no_key_ever_enters_the_database(town: Town, tmp_path: Path, open_store: OpenStore) -> None:
    """The store may be copied, backed up and looked into."""
    path = tmp_path / "store.sqlite"
    store = open_store(path, lambda: Timestamp(1_000))
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    store.close()
    key = bytes(town.node.signers[RELAYER]._account.key)
    written = b"".join(file.read_bytes() for file in tmp_path.glob("store.sqlite*"))
    assert len(written) > 0
    assert key not in written
    assert key.hex().encode() not in written


def _holds_and_dies(path: Path) -> None:
    store = Store.open(path, lambda: Timestamp(1_000))
    store.acquire(ChainId(31337), Address(f"0x{'22' * 20}"), own_holder())
    os.kill(os.getpid(), signal.SIGKILL)


def test_nobody_waits_for_the_lease_of_a_process_that_is_gone(
    tmp_path: Path, open_store: OpenStore
) -> None:
    """A restart after kill -9 goes on at once; a living process keeps its lease."""
    path = tmp_path / "store.sqlite"
    child = multiprocessing.get_context("fork").Process(target=_holds_and_dies, args=(path,))
    child.start()
    child.join(300)
    store = open_store(path, lambda: Timestamp(1_000))
    signer = Address(f"0x{'22' * 20}")
    with pytest.raises(LeaseHeldError):
        store.acquire(ChainId(31337), signer, own_holder())
    assert store.acquire(ChainId(31337), signer, own_holder(), is_gone).token == 2
    with pytest.raises(LeaseHeldError):
        store.acquire(ChainId(31337), signer, "elsewhere:1", is_gone)


def disk_pages(store: Store, limit: int) -> int:
    """Let the database grow to `limit` pages and no further; returns how many it has."""
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {limit}")
        return int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())


def test_a_full_disk_loses_nothing_and_is_ridden_out(town: Town, sqlite_store: Store) -> None:
    """Nothing is half written and nothing is sent that is not stored; with room it goes on."""
    for number in range(8):
        town.ask(bytes([number]) * 8_000)
    pages = disk_pages(sqlite_store, 1 << 20)
    with relayer_of(town, sqlite_store, client_of(one=Worker())) as relayer:
        disk_pages(sqlite_store, pages)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                relayer.tick()
        assert sqlite_store.unresolved_slots(ChainId(town.chain.chain_id), address(town)) == ()
        assert town.deliveries() == []
        disk_pages(sqlite_store, 1 << 20)
        drive(relayer, town)
    require_all_final(town, sqlite_store, requests=8)
