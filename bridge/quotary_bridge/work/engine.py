"""The port, and the engine that needs nothing but the book."""

from __future__ import annotations

import threading
from typing import Protocol

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store import Location, PostgresUrl, Task, TaskBook
from quotary_bridge.work.step import CLAIM_SECONDS, Handlers, do_step

__all__ = ["ENGINES", "Engine", "LocalEngine", "engine_for"]

ENGINES = ("local", "procrastinate")


class Engine(Protocol):
    """Whoever decides which process does the next step of a task, and when."""

    def put(self, task: Task) -> bool:
        """Have `task` done; False where it is known already. On disk when this returns."""
        ...

    def run(self, handlers: Handlers, stop: threading.Event, *, once: bool = False) -> int:
        """
        Do what is due of the kinds in `handlers` until `stop` is set; return the number of steps.

        With `once` it returns as soon as nothing is due. A step that has begun is finished first.
        Several processes may run at once. Raises what only a person can put right.
        """
        ...


class LocalEngine:
    """Asks the book, every now and then, what is due."""

    def __init__(
        self, book: TaskBook, *, claim_seconds: int = CLAIM_SECONDS, poll_seconds: float = 1.0
    ) -> None:
        """Work from `book`; a step not done in `claim_seconds` is another's to do."""
        self._book = book
        self._claim_seconds = claim_seconds
        self._poll_seconds = poll_seconds

    def put(self, task: Task) -> bool:
        """Write the task down."""
        return self._book.put(task)

    def run(self, handlers: Handlers, stop: threading.Event, *, once: bool = False) -> int:
        """Do what is due, the longest waiting first."""
        steps = 0
        while not stop.is_set():
            held = self._book.claim_next(handlers, self._claim_seconds)
            if held is not None:
                do_step(self._book, handlers, held)
                steps += 1
            elif once:
                break
            else:
                stop.wait(self._poll_seconds)
        return steps


def engine_for(
    name: str,
    book: TaskBook,
    where: Location,
    *,
    claim_seconds: int = CLAIM_SECONDS,
    poll_seconds: float = 1.0,
) -> Engine:
    """Return the engine called `name`, one of `ENGINES`; raises `ConfigurationError`."""
    if name == "local":
        return LocalEngine(book, claim_seconds=claim_seconds, poll_seconds=poll_seconds)
    if not isinstance(where, PostgresUrl):
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            f"the engine {name} needs PostgreSQL, and the database is a file",
            "give --database postgresql://USER@HOST/NAME, or use --engine local",
        )
    from quotary_bridge.work.procrastinate import ProcrastinateEngine  # noqa: PLC0415 (an extra)

    return ProcrastinateEngine(book, where, claim_seconds=claim_seconds, poll_seconds=poll_seconds)
