"""Stopped and continued twins, and clocks that jump: one writer, whatever the clock says."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.model import Timestamp
from quotary_bridge.relayer import Relayer
from quotary_bridge.store import LeaseHeldError, Location, Store, StoreUnavailableError, engine
from quotary_bridge.workers import Endpoint
from sqlalchemy import Connection

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
)
from tests.bridge.store_parts import OpenStore

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

FENCED_OFF = 42
LEASE_IS_OVER = 61
SERVER_PATIENCE_MILLISECONDS = 2_000
PATIENCE_SECONDS = 300


class StopsBeforeSending(OneByOne):
    """A machine that freezes, once, between the commit and the broadcast."""

    thawed = False

    def send_raw(self, raw: bytes) -> bytes:
        """Freeze, and broadcast when somebody thaws it."""
        if not self.thawed:
            self.thawed = True
            os.kill(os.getpid(), signal.SIGSTOP)
        return super().send_raw(raw)


class StopsInTheMiddle(Store):
    """A machine that freezes inside of the transaction that gives a nonce out."""

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with super()._transaction() as connection:
            yield connection
            if _is_called_by("_store"):
                os.kill(os.getpid(), signal.SIGSTOP)


def _is_called_by(function: str) -> bool:
    frame: Any = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == function:
            return True
        frame = frame.f_back
    return False


@dataclass(frozen=True)
class Freeze:
    """Where the first of the twins freezes."""

    chain: type[Chain] = OneByOne
    store: type[Store] = Store


def _first(freeze: Freeze, town: Town, where: Location) -> NoReturn:
    """Relay until somebody else has the account; ends with `FENCED_OFF` then."""
    chain = freeze.chain(Chain.at(town.node.url).web3, town.node.chain_id)
    store = freeze.store.open(where, lambda: Timestamp(1_000))
    relayer = Relayer(
        chain,
        town.oracle,
        store,
        town.node.signers[RELAYER],
        [Endpoint("http://one")],
        settings=settings_of(town),
        client=client_of(one=Worker()),
        holder="the first",
    )
    try:
        for _ in range(3):
            try:
                relayer.tick()
            except StoreUnavailableError:
                continue
    except LeaseHeldError:
        os._exit(FENCED_OFF)
    os._exit(0)


@pytest.mark.parametrize(
    "freeze",
    [Freeze(chain=StopsBeforeSending), Freeze(store=StopsInTheMiddle)],
    ids=["before sending", "in a transaction"],
)
def test_a_frozen_twin_that_wakes_up_doubles_nothing(
    town: Town,
    database: Location,
    open_store: OpenStore,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    *,
    freeze: Freeze,
) -> None:
    """SIGSTOP, a take-over that brings everything to its end, SIGCONT: the first is fenced off."""
    if freeze.store is StopsInTheMiddle and isinstance(database, Path):
        pytest.skip("nobody passes a frozen writer of a file: see the next test")
    # The server ends what a frozen machine left open; half a minute is too long for a test.
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MILLISECONDS", SERVER_PATIENCE_MILLISECONDS)
    for number in range(3):
        town.ask(b"question %d" % number)
    twin = frozen(freeze, town, database)
    request.addfinalizer(twin.kill)
    store = open_store(database, lambda: Timestamp(1_000 + LEASE_IS_OVER))
    with relayer_of(town, store, client_of(one=Worker())) as second:
        second._holder = "the second"
        patiently(second.tick)
        patiently(lambda: drive(second, town))
        os.kill(twin.pid or 0, signal.SIGCONT)
        twin.join(PATIENCE_SECONDS)
        assert twin.exitcode == FENCED_OFF
        patiently(lambda: drive(second, town))
    require_all_final(town, store, requests=3)
    assert town.chain.nonce(address(town)) == town.nonce_before + 3


def test_a_frozen_writer_of_a_file_is_waited_for(
    town: Town,
    tmp_path: Path,
    open_store: OpenStore,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Whoever wants the file meanwhile is told so, and loses nothing; then both go on."""
    monkeypatch.setattr(engine, "BUSY_TIMEOUT_MILLISECONDS", 200)
    town.ask()
    where = tmp_path / "store.sqlite"
    store = open_store(where, lambda: Timestamp(1_000 + LEASE_IS_OVER))
    twin = frozen(Freeze(store=StopsInTheMiddle), town, where)
    request.addfinalizer(twin.kill)
    with relayer_of(town, store, client_of(one=Worker())) as second:
        second._holder = "the second"
        with pytest.raises(StoreUnavailableError):
            second.tick()
        os.kill(twin.pid or 0, signal.SIGCONT)
        twin.join(PATIENCE_SECONDS)
        assert twin.exitcode == 0
        drive(second, town)
    require_all_final(town, store)
    assert town.chain.nonce(address(town)) == town.nonce_before + 1


def frozen(freeze: Freeze, town: Town, where: Location) -> multiprocessing.context.ForkProcess:
    """Start the first twin, and return when it is frozen."""
    twin = multiprocessing.get_context("fork").Process(target=_first, args=(freeze, town, where))
    twin.start()
    _, status = os.waitpid(twin.pid or 0, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return twin


def patiently(step: Callable[[], object]) -> None:
    """Repeat what the store cannot do yet."""
    end = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            step()
        except StoreUnavailableError:
            assert time.monotonic() < end
        else:
            return


@pytest.mark.parametrize("jump", [3_600, -3_600, 10**9, -900])
def test_a_clock_that_jumps_disturbs_nobody(
    town: Town, database: Location, open_store: OpenStore, jump: int
) -> None:
    """It serves the lease alone: a relayer on its own notices nothing."""
    now = [1_000]
    for number in range(4):
        town.ask(b"question %d" % number)
    store = open_store(database, lambda: Timestamp(now[0]))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        for turn in range(14):
            now[0] = 1_000 + jump * (turn % 2)
            if relayer.tick().idle:
                break
            town.node.mine()
    require_all_final(town, store, requests=4)
    assert town.chain.nonce(address(town)) == town.nonce_before + 4


def test_a_clock_ahead_takes_over_too_early_and_doubles_nothing(
    town: Town, database: Location, open_store: OpenStore
) -> None:
    """The lease of a living relayer looks run out: it is fenced off, at its next write."""
    for number in range(4):
        town.ask(b"question %d" % number)
    stores = [open_store(database, lambda at=at: Timestamp(at)) for at in (1_000, 5_000)]
    first, second = (relayer_of(town, store, client_of(one=Worker())) for store in stores)
    second._holder = "a clock ahead"
    first.tick()
    second.tick()
    town.node.mine()
    with pytest.raises(LeaseHeldError):
        first.tick()
    drive(second, town)
    second.close()
    require_all_final(town, stores[1], requests=4)
    assert town.chain.nonce(address(town)) == town.nonce_before + 4
