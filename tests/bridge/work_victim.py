"""A process that does long work until it is killed: its arguments are engine, database and log."""

from __future__ import annotations

import os
import sys
import threading
import time

from quotary_bridge.model import Timestamp
from quotary_bridge.store import Claim, Task, TaskBook, location
from quotary_bridge.work import Done, Handlers, Later, Outcome, engine_for

STEPS = 3


def handlers(log: str) -> Handlers:
    """Handlers that write each step into a file before anything else knows of it."""

    def count(held: Claim) -> Outcome:
        step = int(held.progress.get("step", 0)) + 1
        with open(log, "ab", buffering=0) as file:  # noqa: PTH123 (one write, unbuffered)
            file.write(f"{held.task.key} {step}\n".encode())
        return Done({"step": step}) if step == STEPS else Later(0, {"step": step})

    return {"count": count}


def main() -> None:
    """Say that we are ready, and work until the end."""
    engine_name, database, log = sys.argv[1:]
    where = location(database)
    book = TaskBook.open(where, lambda: Timestamp(int(time.time())))  # noqa: TID251 (the edge)
    engine = engine_for(engine_name, book, where, claim_seconds=1, poll_seconds=0.05)
    os.write(1, b"ready\n")
    engine.run(handlers(log), threading.Event())


if __name__ == "__main__":
    main()


def some_tasks(number: int) -> list[Task]:
    """Tasks for `handlers`."""
    return [Task("count", f"task-{index:03}") for index in range(number)]
