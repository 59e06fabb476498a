"""The relayer where its database does not take what it writes: told, waited for, nothing lost."""

from __future__ import annotations

import ctypes
import os
import sqlite3
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import ChainId, Timestamp
from quotary_bridge.store import Store, StoreUnavailableError
from sqlalchemy import event

from tests.bridge.relayer_town import (
    Town,
    Worker,
    address,
    client_of,
    drive,
    relayer_of,
    require_all_final,
)
from tests.bridge.store_parts import OpenStore

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

NOBODY = 65_534
REFUSED, TAKEN = 3, 4
MEBIBYTE = 2**20
INPUT_BYTES = 8_000


def nothing_was_sent(town: Town, store: Store) -> bool:
    """Whether no nonce was given out and nothing was delivered."""
    slots = store.unresolved_slots(ChainId(town.chain.chain_id), address(town))
    return slots == () and town.deliveries() == []


def test_a_lock_shorter_than_the_timeout_is_waited_for(town: Town, sqlite_store: Store) -> None:
    """Somebody else writes when the relayer wants to; it goes on when they have done."""
    town.ask()
    path = sqlite_store._engine.url.database
    wanted = threading.Event()

    def _wants(*asked: object) -> None:
        if "BEGIN IMMEDIATE" in str(asked[2]):
            wanted.set()

    event.listen(sqlite_store._engine, "before_cursor_execute", _wants)
    with (
        relayer_of(town, sqlite_store, client_of(one=Worker())) as relayer,
        closing(sqlite3.connect(str(path), isolation_level=None, check_same_thread=False)) as lock,
    ):
        lock.execute("BEGIN IMMEDIATE")
        wanted.clear()

        def _let_go() -> None:
            wanted.wait(60)
            lock.execute("ROLLBACK")

        other = threading.Thread(target=_let_go)
        other.start()
        relayer.tick()
        other.join()
        assert wanted.is_set()
        drive(relayer, town)
    require_all_final(town, sqlite_store)


def test_a_lock_longer_than_the_timeout_is_told_and_loses_nothing(
    town: Town, tmp_path: Path, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every cycle meanwhile fails, as what passes; nothing is sent that is not stored."""
    monkeypatch.setattr("quotary_bridge.store.engine.BUSY_TIMEOUT_MILLISECONDS", 20)
    path = tmp_path / "store.sqlite"
    store = open_store(path, lambda: Timestamp(1_000))
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        with closing(sqlite3.connect(path, isolation_level=None)) as lock:
            lock.execute("BEGIN IMMEDIATE")
            for _ in range(3):
                with pytest.raises(StoreUnavailableError) as caught:
                    relayer.tick()
                assert caught.value.reason is Reason.FILE_UNREADABLE
        assert nothing_was_sent(town, store)
        drive(relayer, town)
    require_all_final(town, store)


def test_a_database_that_turns_read_only_is_told_and_loses_nothing(
    town: Town, sqlite_store: Store
) -> None:
    """As a file system does that was mounted anew after an error; then it may be written again."""
    town.ask()
    with relayer_of(town, sqlite_store, client_of(one=Worker())) as relayer:
        writes_only_when(sqlite_store, allowed=False)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                relayer.tick()
        assert nothing_was_sent(town, sqlite_store)
        writes_only_when(sqlite_store, allowed=True)
        drive(relayer, town)
    require_all_final(town, sqlite_store)


def writes_only_when(store: Store, *, allowed: bool) -> None:
    """Have every write refused as `attempt to write a readonly database`, or none."""
    # Not as part of a transaction: that of a writer could not begin.
    with closing(store._engine.raw_connection()) as connection:
        connection.cursor().execute(f"PRAGMA query_only = {'OFF' if allowed else 'ON'}")


def test_a_file_that_may_not_be_written_is_refused_at_the_start(town: Town) -> None:
    """Mode 0444 in a folder of mode 0555, as somebody whom modes bind; with 0644 it goes on."""
    town.ask()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        path = place / "store.sqlite"
        with closing(Store.open(path, lambda: Timestamp(1_000))):
            pass
        path.chmod(0o444)
        place.chmod(0o555)
        assert opened_by_nobody(path) == REFUSED
        place.chmod(0o777)
        path.chmod(0o666)
        for left in place.iterdir():
            left.chmod(stat.S_IMODE(left.stat().st_mode) | 0o666)
        assert opened_by_nobody(path) == TAKEN
        with (
            closing(Store.open(path, lambda: Timestamp(1_000))) as store,
            relayer_of(town, store, client_of(one=Worker())) as relayer,
        ):
            drive(relayer, town)
            require_all_final(town, store)


def opened_by_nobody(path: Path) -> int:
    """How a process without privileges ends that opens the store."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            Store.open(path, lambda: Timestamp(1_000)).close()
            code = TAKEN
        except ConfigurationError:
            code = REFUSED
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def test_a_full_file_system_loses_nothing_and_is_ridden_out(town: Town, tmp_path: Path) -> None:
    """A real one of a mebibyte, filled by what comes in; somebody enlarges it, and it goes on."""
    place = tmp_path / "small"
    place.mkdir()
    with (
        mounted(place, MEBIBYTE),
        closing(Store.open(place / "store.sqlite", lambda: Timestamp(1_000))) as store,
        relayer_of(town, store, client_of(one=Worker())) as relayer,
    ):
        (place / "ballast").write_bytes(b"")
        fill(place / "ballast")
        town.ask(b"x" * INPUT_BYTES)
        for _ in range(3):
            with pytest.raises(StoreUnavailableError):
                relayer.tick()
        assert nothing_was_sent(town, store)
        mount(place, 64 * MEBIBYTE, again=True)
        drive(relayer, town)
        require_all_final(town, store)


def fill(file: Path) -> None:
    """Write until the file system takes no more."""
    with file.open("ab", buffering=0) as ballast:
        try:
            while True:
                ballast.write(bytes(1024))
        except OSError:
            return


@contextmanager
def mounted(place: Path, size: int) -> Iterator[None]:
    """Have a file system of `size` bytes at `place`; skips where nobody may mount one."""
    if mount(place, size) != 0:
        pytest.skip("nobody may mount a file system here: the limit of pages is tried instead")
    try:
        yield
    finally:
        ctypes.CDLL(None).umount2(bytes(place), 2)


def mount(place: Path, size: int, *, again: bool = False) -> int:
    """Mount one in memory, or give the one that is there another size; 0 where that went well."""
    remount = 32 if again else 0
    options = f"size={size}".encode()
    return int(ctypes.CDLL(None).mount(b"tmpfs", bytes(place), b"tmpfs", remount, options))
