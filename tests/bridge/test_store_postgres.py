"""What only PostgreSQL can do to the store: other machines, lost connections, passwords."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.lifecycle import begin
from quotary_bridge.model import Nonce
from quotary_bridge.observe import without_secrets
from quotary_bridge.store import (
    LeaseHeldError,
    PostgresUrl,
    Store,
    StoreUnavailableError,
    location,
)

from tests.bridge.postgres import PostgresServer
from tests.bridge.store_parts import CHAIN, SIGNER, Clock, OpenStore, request_of

pytest_plugins = ["tests.bridge.store_fixtures"]

CANARY = "canary-5f1d"


@pytest.fixture
def shared_database(postgres: PostgresServer) -> Iterator[PostgresUrl]:
    fresh = postgres.database()
    yield fresh
    postgres.drop(fresh)


def test_of_many_machines_one_gets_the_lease(
    shared_database: PostgresUrl, open_store: OpenStore
) -> None:
    """The row is made once, and the others find it held."""
    stores = [open_store(shared_database, Clock()) for _ in range(6)]
    won: list[int] = []
    refused: list[LeaseHeldError] = []

    def _acquire(number: int) -> None:
        try:
            won.append(stores[number].acquire(CHAIN, SIGNER, f"machine {number}").token)
        except LeaseHeldError as error:
            refused.append(error)

    threads = [threading.Thread(target=_acquire, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert won == [1]
    assert len(refused) == 5


def test_nobody_takes_over_in_the_middle_of_a_transaction(
    shared_database: PostgresUrl, open_store: OpenStore
) -> None:
    """Who wants the lease waits for the writer's commit; the writer's next proof fails."""
    clock = Clock()
    first, second = (open_store(shared_database, clock) for _ in range(2))
    held = first.acquire(CHAIN, SIGNER, "one")
    began, token = threading.Event(), []

    def _take_over() -> None:
        began.set()
        token.append(second.acquire(CHAIN, SIGNER, "one").token)

    thread = threading.Thread(target=_take_over)
    with first.write(held) as writer:
        thread.start()
        assert began.wait(300)
        thread.join(0.2)
        assert token == []
        writer.add_job(begin(request_of(1)))
        assert writer.next_nonce(Nonce(4)) == 4
    thread.join(300)
    assert token == [held.token + 1]
    assert second.job(request_of(1).key) is not None
    with pytest.raises(LeaseHeldError), first.write(held):
        pass


def test_a_restart_of_the_server_is_transient(
    postgres: PostgresServer, shared_database: PostgresUrl, open_store: OpenStore
) -> None:
    """What was open is undone, and the next transaction finds a new connection."""
    store = open_store(shared_database, Clock())
    held = store.acquire(CHAIN, SIGNER, "one")

    def _cut_off_in_the_middle() -> None:
        with store.write(held) as writer:
            writer.add_job(begin(request_of(1)))
            postgres.cut_off(shared_database)
            writer.add_job(begin(request_of(2)))

    with pytest.raises(StoreUnavailableError):
        _cut_off_in_the_middle()
    assert store.job(request_of(1).key) is None
    with store.write(held) as writer:
        writer.add_job(begin(request_of(1)))
    postgres.cut_off(shared_database)
    assert store.job(request_of(1).key) is not None


def test_a_stopped_machine_does_not_hold_its_locks_for_ever(
    shared_database: PostgresUrl, open_store: OpenStore
) -> None:
    """The server ends a transaction that nothing is heard from."""
    store = open_store(shared_database, Clock())
    with store._transaction() as connection:
        timeouts = ("idle_in_transaction_session_timeout", "transaction_timeout", "lock_timeout")
        for name in timeouts:
            shown = connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            assert shown == "30s"
        assert connection.exec_driver_sql("SHOW synchronous_commit").scalar_one() == "on"


def test_a_password_in_the_url_is_nowhere_to_be_read() -> None:
    """Not in a representation, not in an error, not in a log."""
    secret = f"postgresql://relayer:{CANARY}@127.0.0.1:1/quotary?application_name={CANARY}"
    place = location(secret)
    assert isinstance(place, PostgresUrl)
    assert CANARY not in f"{place!r} {place}"
    with pytest.raises(ConfigurationError) as caught:
        Store.open(place, Clock())
    assert CANARY not in str(caught.value)
    event = without_secrets(None, "info", {"event": f"cannot reach {secret}"})
    assert CANARY not in str(event)


@pytest.mark.parametrize(
    "text", [f"mysql://x:{CANARY}@y/z", f"postgresql://x:{CANARY}@host:port/z", "sqlite:///file"]
)
def test_what_is_neither_file_nor_postgresql_is_refused(text: str) -> None:
    """With a remedy, and without repeating what may be a secret."""
    with pytest.raises(ConfigurationError) as caught:
        location(text)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID
    assert CANARY not in str(caught.value)


def test_everything_else_is_a_file() -> None:
    """As before."""
    assert location("folder/quotary.sqlite") == Path("folder/quotary.sqlite")
