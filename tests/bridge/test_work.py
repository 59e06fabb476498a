"""Long work: the book of tasks on both databases, and both engines over it."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from quotary import Reason as VerdictReason
from quotary import VerificationError
from quotary_bridge.errors import (
    ConfigurationError,
    EvidenceRejected,
    Reason,
    RpcUnavailable,
)
from quotary_bridge.model import Timestamp
from quotary_bridge.store import Claim, Location, PostgresUrl, Task, TaskBook, TaskState
from quotary_bridge.work import Done, Engine, Later, Outcome, engine_for

from tests.bridge.postgres import PostgresServer
from tests.bridge.store_parts import Clock
from tests.bridge.work_victim import STEPS, handlers, some_tasks

pytest_plugins = ["tests.bridge.store_fixtures"]

PATIENCE_SECONDS = 400
COUNT = Task("count", "one", {"to": 3})


@pytest.fixture(params=["sqlite-local", "postgres-local", "postgres-procrastinate"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Location]]:
    """An engine's name, and an empty database for it."""
    database, _, engine = request.param.partition("-")
    if database == "sqlite":
        yield engine, tmp_path / "work.sqlite"
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    fresh = server.database()
    yield engine, fresh
    server.drop(fresh)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def book(place: tuple[str, Location], clock: Clock) -> Iterator[TaskBook]:
    opened = TaskBook.open(place[1], clock)
    yield opened
    opened.close()


@pytest.fixture
def engine(place: tuple[str, Location], book: TaskBook) -> Engine:
    return engine_for(place[0], book, place[1], claim_seconds=10, poll_seconds=0.02)


def once(engine: Engine, handler: Callable[[Claim], Outcome]) -> int:
    """Do what is due, and come back."""
    return engine.run({"count": handler}, threading.Event(), once=True)


def test_steps_go_on_where_the_last_one_stopped(engine: Engine, book: TaskBook) -> None:
    """Each step reads what the one before wrote; the last one's result stays."""
    seen = []

    def _count(held: Claim) -> Outcome:
        seen.append((held.progress.get("step"), held.token))
        step = held.progress.get("step", 0) + 1
        return Done({"step": step}) if step == held.task.given["to"] else Later(0, {"step": step})

    assert engine.put(COUNT)
    assert once(engine, _count) == 3
    assert seen == [(None, 1), (1, 2), (2, 3)]
    report = book.report("count", "one")
    assert report is not None
    assert (report.state, report.progress) == (TaskState.DONE, {"step": 3})
    assert once(engine, _count) == 0


def test_the_same_task_is_done_once(engine: Engine) -> None:
    """Whatever a second one with its name says."""
    assert engine.put(COUNT)
    assert not engine.put(Task("count", "one", {"to": 99}))
    held = []
    assert once(engine, lambda claim: held.append(claim.task) or Done()) == 1
    assert held == [COUNT]
    assert not engine.put(COUNT)
    assert once(engine, lambda _: Done()) == 0


def test_nothing_is_done_before_its_time(engine: Engine, book: TaskBook, clock: Clock) -> None:
    """Later means later, and another kind of work is another's."""
    engine.put(COUNT)
    engine.put(Task("other", "one"))
    assert once(engine, lambda _: Later(60)) == 1
    assert once(engine, lambda _: Done()) == 0
    clock.seconds += 59
    assert once(engine, lambda _: Done()) == 0
    clock.seconds += 1
    assert once(engine, lambda _: Done()) == 1
    other = book.report("other", "one")
    assert other is not None
    assert other.state is TaskState.OPEN


def test_what_may_pass_is_tried_again_ever_more_slowly(
    engine: Engine, book: TaskBook, clock: Clock
) -> None:
    """Until the task's own limit; a step that succeeds starts the counting anew."""
    engine.put(Task("count", "one", give_up_at=clock() + 1000))

    def _fail(_: Claim) -> Outcome:
        raise RpcUnavailable(Reason.RPC_UNREACHABLE, "nobody answers")

    pauses = []
    while (report := book.report("count", "one")) and report.state is TaskState.OPEN:
        pauses.append(max(0, report.due_at - clock.seconds))
        clock.seconds = max(clock.seconds, report.due_at)
        assert once(engine, _fail) == 1
    assert pauses[:6] == [0, 2, 4, 8, 16, 32]
    assert report is not None
    assert (report.state, report.reason) == (
        TaskState.FAILED,
        "RPC_UNREACHABLE: nobody answers",
    )
    assert once(engine, _fail) == 0


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (EvidenceRejected(Reason.EVIDENCE_STALE, "too old"), "EVIDENCE_STALE: too old"),
        (VerificationError(VerdictReason.TCB_REVOKED, "tcb"), "TCB_REVOKED"),
    ],
)
def test_what_cannot_be_helped_ends_the_task(
    engine: Engine, book: TaskBook, error: Exception, reason: str
) -> None:
    """With its reason, for ever."""
    engine.put(COUNT)

    def _fail(_: Claim) -> Outcome:
        raise error

    assert once(engine, _fail) == 1
    report = book.report("count", "one")
    assert report is not None
    assert report.state is TaskState.FAILED
    assert report.reason is not None
    assert report.reason.startswith(reason)


@pytest.mark.parametrize(
    "error",
    [ConfigurationError(Reason.CONFIGURATION_INVALID, "no such file"), ZeroDivisionError("ours")],
)
def test_what_a_person_must_see_ends_the_run(
    engine: Engine, book: TaskBook, clock: Clock, error: Exception
) -> None:
    """And loses nothing: the task is done once its claim has run out."""
    engine.put(COUNT)

    def _fail(_: Claim) -> Outcome:
        raise error

    with pytest.raises(type(error)):
        once(engine, _fail)
    assert once(engine, lambda _: Done()) == 0
    clock.seconds += 10
    assert once(engine, lambda _: Done()) == 1
    report = book.report("count", "one")
    assert report is not None
    assert report.state is TaskState.DONE


def test_an_overrun_step_writes_nothing(engine: Engine, book: TaskBook, clock: Clock) -> None:
    """Stopped for longer than its claim, a process finds that another did the step."""
    engine.put(COUNT)

    first = book.claim("count", "one", 10)
    assert first is not None
    clock.seconds += 10
    second = book.claim_next(["count"], 10)
    assert second is not None
    assert second.token == first.token + 1
    assert not book.done(first, {"by": "the slow one"})
    assert not book.later(first, {}, 5)
    assert not book.fail(first, "slow")
    assert book.done(second, {"by": "the other"})
    assert not book.fail(second, "again")
    report = book.report("count", "one")
    assert report is not None
    assert (report.state, report.progress) == (TaskState.DONE, {"by": "the other"})


def test_a_stop_ends_the_run_after_the_step(engine: Engine, book: TaskBook) -> None:
    """Nobody is left behind, and what has begun is finished."""
    stop = threading.Event()
    for task in some_tasks(3):
        engine.put(task)

    def _stopping(_: Claim) -> Outcome:
        stop.set()
        return Done()

    assert engine.run({"count": _stopping}, stop) >= 1
    states = Counter(report.state for report in book.reports())
    assert states[TaskState.DONE] >= 1


def test_killed_processes_lose_nothing(place: tuple[str, Location], tmp_path: Path) -> None:
    """Two at a time, killed again and again: each task ends once, each step is done in order."""
    engine_name, where = place
    log = tmp_path / "steps.log"
    log.touch()
    tasks = some_tasks(12)
    now = lambda: Timestamp(int(time.time()))  # noqa: E731, TID251 (the edge)
    with closing(TaskBook.open(where, now)) as book:
        engine = engine_for(engine_name, book, where)
        for task in tasks:
            engine.put(task)
        kills = _kill_until_done(engine_name, where, book, log)
        reports = book.reports()
    assert kills >= 2
    assert [report.state for report in reports] == [TaskState.DONE] * len(tasks)
    assert all(report.progress == {"step": STEPS} for report in reports)
    for task in tasks:
        lines = map(str.split, log.read_text().splitlines())
        steps = [int(step) for key, step in lines if key == task.key]
        # Whoever is held up for longer than its claim may write a step after another did it, and
        # the next one: what must not be is a step before the one it builds on.
        assert list(dict.fromkeys(steps)) == list(range(1, STEPS + 1))


def _kill_until_done(engine: str, where: Location, book: TaskBook, log: Path) -> int:
    """Let two processes work and kill them, until nothing is open; returns how many died."""
    kills, ended = 0, time.monotonic() + PATIENCE_SECONDS

    def _is_done() -> bool:
        return all(report.state is not TaskState.OPEN for report in book.reports())

    while not _is_done():
        assert time.monotonic() < ended, book.reports()
        victims = [_victim(engine, where, log) for _ in range(2)]
        try:
            for victim in victims:
                assert victim.stdout is not None
                victim.stdout.readline()
            before = log.stat().st_size
            while log.stat().st_size < before + 60 and time.monotonic() < ended and not _is_done():
                time.sleep(0.01)
        finally:
            for victim in victims:
                victim.send_signal(signal.SIGKILL)
                victim.communicate()
        kills += len(victims)
    return kills


def _victim(engine: str, where: Location, log: Path) -> subprocess.Popen[bytes]:
    url = (
        where.url.render_as_string(hide_password=False)
        if isinstance(where, PostgresUrl)
        else str(where)
    )
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bridge.work_victim", engine, url, str(log)],
        stdout=subprocess.PIPE,
    )


def test_the_queue_needs_a_server(tmp_path: Path, clock: Clock) -> None:
    """The engine on PostgreSQL says so where the database is a file."""
    where = tmp_path / "work.sqlite"
    with (
        closing(TaskBook.open(where, clock)) as book,
        pytest.raises(ConfigurationError) as caught,
    ):
        engine_for("procrastinate", book, where)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_the_victims_work_is_what_is_tested(tmp_path: Path, clock: Clock) -> None:
    """Undisturbed, each step is written once."""
    where, log = tmp_path / "work.sqlite", tmp_path / "steps.log"
    with closing(TaskBook.open(where, clock)) as book:
        engine = engine_for("local", book, where)
        for task in some_tasks(2):
            engine.put(task)
        assert engine.run(handlers(str(log)), threading.Event(), once=True) == 2 * STEPS
    assert Counter(log.read_text().split()[0::2]) == {"task-000": STEPS, "task-001": STEPS}
