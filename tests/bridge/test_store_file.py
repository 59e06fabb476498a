"""The store's file: whole transactions, found damage, and who may look."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from quotary_bridge.errors import ConfigurationError, Reason, Transient
from quotary_bridge.lifecycle import (
    begin,
)
from quotary_bridge.model import (
    Nonce,
)
from quotary_bridge.store import (
    Lease,
    Store,
    StoreUnavailableError,
)

from tests.bridge.store_parts import (
    CHAIN,
    ORACLE,
    SIGNER,
    Clock,
    OpenStore,
    queue,
    request_of,
)


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
    with closing(sqlite3.connect(path)) as raw, raw:
        raw.execute("UPDATE alembic_version SET version_num = '9999'")
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
def test_a_kill_leaves_whole_transactions_only(
    path: Path, clock: Clock, open_store: OpenStore, *, commit: bool
) -> None:
    """Kill -9 after the commit keeps all of it, before the commit none of it."""
    context = multiprocessing.get_context("fork")
    child = context.Process(target=_killed_in_the_middle, args=(path,), kwargs={"commit": commit})
    child.start()
    child.join(300)
    assert child.exitcode == -signal.SIGKILL
    store = open_store(path, clock)
    slots = store.unresolved_slots(CHAIN, SIGNER)
    assert [slot.latest.raw for slot in slots] == ([bytes([1])] if commit else [])
    assert (store.job(request_of(1).key) is not None) == commit


def test_a_lock_that_outlasts_our_patience_is_transient(
    path: Path, clock: Clock, open_store: OpenStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A backup holds the file: nothing has failed, the cycle is repeated."""
    monkeypatch.setattr("quotary_bridge.store.engine.BUSY_TIMEOUT_MILLISECONDS", 20)
    store = open_store(path, clock)
    with closing(sqlite3.connect(path, isolation_level=None)) as raw:
        raw.execute("BEGIN EXCLUSIVE")
        with pytest.raises(StoreUnavailableError) as caught:
            store.acquire(CHAIN, SIGNER, "one")
        raw.execute("ROLLBACK")
    assert isinstance(caught.value, Transient)
    assert store.acquire(CHAIN, SIGNER, "one").token == 1


def test_an_unwritable_path_is_a_matter_of_configuration(tmp_path: Path, clock: Clock) -> None:
    """With a remedy, not with a traceback."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigurationError) as caught:
        Store.open(tmp_path / "file" / "store.sqlite", clock)
    assert caught.value.reason is Reason.FILE_UNREADABLE
    assert caught.value.remedy
