"""Workers that come and go while a relayer runs: from a file, without a restart."""

from __future__ import annotations

from pathlib import Path

import pytest
from quotary.cli.output import ExitCode
from quotary_bridge.chain.contracts import Quorum
from quotary_bridge.cli import relay
from quotary_bridge.cli.relay_workers import WorkersFile
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import BlockNumber
from quotary_bridge.relayer import Progress, ProgressKind
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint, WorkerPool
from quotary_bridge.workers.pool import LEAVING_SECONDS
from structlog.testing import capture_logs

from tests.bridge.relayer_town import Town, Worker, client_of, drive, relayer_of
from tests.bridge.round_town import ask_several, conductor, endpoints_of, members
from tests.bridge.test_cli import runner

pytest_plugins = ["tests.bridge.relayer_fixtures"]

ONE, TWO, THREE = (Endpoint(f"http://{name}") for name in ("one", "two", "three"))
NOW = BlockNumber(1)


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "workers"


def write(path: Path, text: str) -> None:
    """As an editor does: a new file in the place of the old one."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)


def test_who_is_taken_out_is_known_until_what_it_began_is_over() -> None:
    """It is asked nothing new, what it did is still noted, and its place may be taken anew."""
    now = [0.0]
    pool = WorkerPool([ONE, TWO], lambda: now[0])
    pool.failed(TWO, "Unreachable", NOW)
    pool.replace([TWO, THREE])
    assert set(pool.candidates(NOW)) == {TWO, THREE}
    assert pool.health()[TWO].failures == 1
    pool.failed(ONE, "Unreachable", NOW)
    assert (pool.health()[ONE].failures, pool.health()[ONE].leaving) == (1, True)
    pool.succeeded(ONE)
    assert pool.health()[ONE].leaving
    now[0] = LEAVING_SECONDS
    assert set(pool.health()) == {TWO, THREE}
    pool.replace([TWO])
    pool.failed(ONE, "Unreachable", NOW)
    pool.succeeded(ONE)
    assert set(pool.health()) == {TWO, THREE}
    pool.replace([TWO, THREE])
    assert not pool.health()[THREE].leaving
    with pytest.raises(ConfigurationError):
        pool.replace([ONE, ONE])
    assert set(pool.candidates(NOW)) == {TWO, THREE}


def test_a_file_names_one_worker_a_line(path: Path) -> None:
    """Beside those of the command line; what stands behind a hash is for people."""
    known = "0x00000000000000000000000000000000000000A1"
    path.write_text(f"# ours\nhttp://two   # the fast one\n\nhttp://three={known}\n")
    file = WorkersFile(path, [ONE])
    assert file.workers == (ONE, TWO, Endpoint("http://three", known))  # type: ignore[arg-type]
    assert file() is None


def test_a_file_that_changes_is_read_again(path: Path) -> None:
    """Once for each change, and said so."""
    path.write_text("http://one\nhttp://two\n")
    file = WorkersFile(path, [])
    write(path, "http://two\nhttp://three\n")
    with capture_logs() as logs:
        assert file() == (TWO, THREE)
        assert file() is None
    (told,) = logs
    assert (told["event"], told["added"], told["removed"]) == (
        "workers_changed",
        ["three"],
        ["one"],
    )


@pytest.mark.parametrize("text", ["", "# nobody\n", "http://one\nhttp://one\n", "one\n", None])
def test_a_file_that_serves_nothing_changes_nothing(path: Path, text: str | None) -> None:
    """It may just be being written. At the start it is refused."""
    path.write_text("http://one\n")
    file = WorkersFile(path, [])
    if text is None:
        path.unlink()
    else:
        write(path, text)
    with capture_logs() as logs:
        assert file() is None
        assert file() is None
    assert [line["event"] for line in logs] == ["workers_unchanged"]
    assert file.workers == (ONE,)
    with pytest.raises(ConfigurationError):
        WorkersFile(path, [])
    write(path, "http://two\n")
    assert file() == (TWO,)


def test_a_relayer_asks_whoever_is_in_the_file_now(town: Town, store: Store, path: Path) -> None:
    """From the next cycle on."""
    one, two = Worker(), Worker()
    path.write_text("http://one\n")
    with relayer_of(town, store, client_of(one=one, two=two)) as relayer:
        relayer._roster = WorkersFile(path, [])
        for asked, left in (((1, 0), "http://two"), ((1, 1), "http://one"), ((2, 1), "http://one")):
            town.ask()
            drive(relayer, town)
            assert (one.asked, two.asked) == asked
            write(path, f"{left}\n")
    assert len(town.deliveries()) == 3


def test_who_is_taken_out_in_the_middle_of_a_round_still_reveals(town: Town, store: Store) -> None:
    """All three are needed, and one of them is to be seated no more."""
    key = ask_several(town, Quorum(3, 3))
    workers = members("honest", "honest", "honest")

    def _listen(progress: Progress) -> None:
        town.events.append(progress)
        if progress.kind is ProgressKind.ROUND_CLOSED:
            relayer.pool.replace(endpoints_of(workers[1:]))

    relayer = conductor(town, store, workers, listener=_listen)
    with relayer:
        drive(relayer, town)
    job = store.job(key)
    assert job is not None
    assert job.state is JobState.FINAL
    assert workers[0].revealed == 1
    assert relayer.pool.health()[endpoints_of(workers)[0]].leaving


def test_a_relayer_needs_workers(
    path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By name, or in a file that names some; before any node is asked."""
    quotary = runner((relay,), capsys, monkeypatch)
    ran = quotary("relay", "run", "--once", "--json")
    assert (ran.code, ran.json["reason"]) == (
        ExitCode.CONFIGURATION,
        Reason.CONFIGURATION_MISSING,
    )
    path.write_text("\n")
    ran = quotary("relay", "run", "--once", "--workers", path, "--json")
    assert (ran.code, ran.json["reason"]) == (
        ExitCode.CONFIGURATION,
        Reason.CONFIGURATION_INVALID,
    )
