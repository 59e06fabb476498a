"""
The book of tasks: long work without nonces, one durable step after another.

Many processes may work from one book. Whoever claims a task gets a token higher than any before and
some time; a process that overran its time, or was stopped and continued, finds its token outdated
and writes nothing. A step may therefore run twice, and its result counts once.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Self

from sqlalchemy import Connection, Engine, RowMapping, select, update

from quotary_bridge.model import Timestamp
from quotary_bridge.store.availability import available
from quotary_bridge.store.engine import READS, open_engine, open_existing
from quotary_bridge.store.location import Location
from quotary_bridge.store.tables import task
from quotary_bridge.store.upsert import upsert

__all__ = ["Claim", "Task", "TaskBook", "TaskReport", "TaskState"]

Values = Mapping[str, Any]
"""JSON values, and nothing else: what is read from a database must not run code."""

_LONGEST_REASON = 200


class TaskState(StrEnum):
    """A task is open until it is done or has failed; both are for ever."""

    OPEN = "open"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Task:
    """
    What is to be done: `kind` names the handler, `key` the work.

    The same kind and key are the same task, so putting one twice does it once. `give_up_at`, Unix
    seconds: a task that only ever meets transient failures ends then.
    """

    kind: str
    key: str
    given: Values = field(default_factory=dict)
    give_up_at: int | None = None


@dataclass(frozen=True, slots=True)
class TaskReport:
    """What the book says of a task: `due_at` in Unix seconds, `failures` in a row."""

    task: Task
    state: TaskState
    progress: Values
    failures: int
    due_at: int
    reason: str | None


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to do one step of a task, until somebody claims it with a higher token."""

    task: Task
    progress: Values
    failures: int
    token: int


class TaskBook:
    """Tasks in the bridge's own database; `now` gives Unix seconds."""

    def __init__(self, engine: Engine, now: Callable[[], Timestamp]) -> None:
        """Use an engine made by `open_engine`."""
        self._engine = engine
        self._now = now

    @classmethod
    def open(cls, where: Location, now: Callable[[], Timestamp]) -> Self:
        """Open or create the store at `where`; raises `ConfigurationError`."""
        return cls(open_engine(where), now)

    @classmethod
    def open_existing(cls, where: Location, now: Callable[[], Timestamp]) -> Self:
        """Open the store at `where` as it is, see `open_existing`; raises `ConfigurationError`."""
        return cls(open_existing(where), now)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    def now(self) -> int:
        """The time by which tasks are due, Unix seconds."""
        return self._now()

    def put(self, new: Task) -> bool:
        """Write a task down, due at once; False where it is known already, and stays as it is."""
        with self._transaction() as connection:
            added = connection.execute(
                upsert(connection, task)
                .values(
                    kind=new.kind,
                    key=new.key,
                    given=json.dumps(dict(new.given)),
                    progress="{}",
                    state=TaskState.OPEN,
                    failures=0,
                    due_at=self._now(),
                    give_up_at=new.give_up_at,
                    token=0,
                )
                .on_conflict_do_nothing()
                .returning(task.c.token)
            ).all()
        return bool(added)

    def claim(self, kind: str, key: str, seconds: int) -> Claim | None:
        """Claim this task for `seconds`; None where it is unknown, over, or not due."""
        wanted = (task.c.kind == kind) & (task.c.key == key)
        with self._transaction() as connection:
            return self._claim(connection, wanted, seconds)

    def claim_next(self, kinds: Iterable[str], seconds: int) -> Claim | None:
        """Claim for `seconds` what has been due longest; None where nothing is."""
        with self._transaction() as connection:
            return self._claim(connection, task.c.kind.in_(sorted(kinds)), seconds)

    def later(self, held: Claim, progress: Values, seconds: int, *, failed: bool = False) -> bool:
        """Do the next step in `seconds`; False where the claim was lost, and nothing is written."""
        failures = held.failures + 1 if failed else 0
        due_at = self._now() + seconds
        return self._write(
            held, progress=json.dumps(dict(progress)), failures=failures, due_at=due_at
        )

    def done(self, held: Claim, result: Values) -> bool:
        """End the task with a result; False where the claim was lost."""
        return self._write(held, progress=json.dumps(dict(result)), state=TaskState.DONE)

    def fail(self, held: Claim, reason: str) -> bool:
        """End the task without one; False where the claim was lost."""
        return self._write(held, state=TaskState.FAILED, reason=reason[:_LONGEST_REASON])

    def report(self, kind: str, key: str) -> TaskReport | None:
        """Return what is known of a task, or None."""
        wanted = (task.c.kind == kind) & (task.c.key == key)
        return next(iter(self._reports(wanted)), None)

    def reports(self) -> tuple[TaskReport, ...]:
        """Return every task, the one due first at the top."""
        return self._reports(task.c.kind == task.c.kind)

    def due(self) -> tuple[TaskReport, ...]:
        """Return the open tasks whose time has come and that nobody holds."""
        return self._reports((task.c.state == TaskState.OPEN) & (task.c.due_at <= self._now()))

    def _claim(self, connection: Connection, wanted: Any, seconds: int) -> Claim | None:  # noqa: ANN401 (SQLAlchemy's)
        now = self._now()
        row = (
            connection.execute(
                select(task)
                .where(wanted & (task.c.state == TaskState.OPEN) & (task.c.due_at <= now))
                .order_by(task.c.due_at, task.c.kind, task.c.key)
                .limit(1)
                # Another process has what is locked: it is theirs.
                .with_for_update(skip_locked=True)
            )
            .mappings()
            .one_or_none()
        )
        if row is None:
            return None
        token = row["token"] + 1
        connection.execute(update(task).where(_is(row)).values(token=token, due_at=now + seconds))
        return Claim(_task(row), json.loads(row["progress"]), row["failures"], token)

    def _write(self, held: Claim, **values: object) -> bool:
        mine = (task.c.kind == held.task.kind) & (task.c.key == held.task.key)
        newest = (task.c.token == held.token) & (task.c.state == TaskState.OPEN)
        with self._transaction() as connection:
            return (
                connection.execute(update(task).where(mine & newest).values(**values)).rowcount == 1
            )

    def _reports(self, wanted: Any) -> tuple[TaskReport, ...]:  # noqa: ANN401 (SQLAlchemy's)
        query = select(task).where(wanted).order_by(task.c.due_at, task.c.kind, task.c.key)
        with self._read() as connection:
            return tuple(_report(row) for row in connection.execute(query).mappings())

    @contextmanager
    def _read(self) -> Iterator[Connection]:
        with available(), self._engine.connect().execution_options(**READS) as connection:
            yield connection

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        with available(), self._engine.begin() as connection:
            yield connection


def _is(row: RowMapping) -> Any:  # noqa: ANN401 (SQLAlchemy's)
    return (task.c.kind == row["kind"]) & (task.c.key == row["key"])


def _task(row: RowMapping) -> Task:
    return Task(row["kind"], row["key"], json.loads(row["given"]), row["give_up_at"])


def _report(row: RowMapping) -> TaskReport:
    return TaskReport(
        _task(row),
        TaskState(row["state"]),
        json.loads(row["progress"]),
        row["failures"],
        row["due_at"],
        row["reason"],
    )
