"""
The engine on PostgreSQL: procrastinate hands out the steps (docs/adr says why this one).

Its queue holds names of tasks only. What a lost, repeated or delayed entry can do is little: a step
is done by whoever claims it in the book, and a sweep wakes what nobody did in time.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.store import PostgresUrl, StoreUnavailableError, Task, TaskBook, TaskState
from quotary_bridge.work.step import CLAIM_SECONDS, Handlers, do_step

try:
    import psycopg
    from procrastinate import App, PsycopgConnector
    from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
    from procrastinate.jobs import Status
except ModuleNotFoundError as error:
    raise ConfigurationError(
        Reason.TOOL_MISSING,
        "the engine procrastinate is not installed",
        "pip install 'quotary[procrastinate]', or use the engine local",
    ) from error

__all__ = ["ProcrastinateEngine"]

_STEP = "quotary.step"
HEARTBEAT_SECONDS = 10
"""How often a process says that it lives; one silent for three times as long is dead."""


class ProcrastinateEngine:
    """Entries in procrastinate's tables, in the very database that the book is in."""

    def __init__(
        self,
        book: TaskBook,
        where: PostgresUrl,
        *,
        claim_seconds: int = CLAIM_SECONDS,
        poll_seconds: float = 1.0,
    ) -> None:
        """Work from `book`, which is at `where`; entries that were not told of are polled for."""
        self._book = book
        self._claim_seconds = claim_seconds
        url = where.url.set(drivername="postgresql")
        self._conninfo = url.render_as_string(hide_password=False)
        self._poll_seconds = poll_seconds

    def put(self, task: Task) -> bool:
        """Write the task down, and queue its first step."""
        added = self._book.put(task)
        if added:
            with _translated():
                asyncio.run(self._put(task))
        return added

    def run(self, handlers: Handlers, stop: threading.Event, *, once: bool = False) -> int:
        """Do the queued steps of our kinds, and wake what nobody did in time."""
        with _translated():
            return asyncio.run(self._run(handlers, stop, once=once))

    async def _put(self, task: Task) -> None:
        async with self._app().open_async() as app:
            await _make_tables(app)
            await _wake(app, task, 0)

    async def _run(self, handlers: Handlers, stop: threading.Event, *, once: bool) -> int:
        app = self._app()
        shift = _Shift(self._book, app, handlers, self._claim_seconds)
        app.task(name=_STEP)(shift.step)
        async with app.open_async():
            await _make_tables(app)
            await shift.sweep()
            worker = asyncio.create_task(self._work(app, handlers, wait=not once))
            watch = asyncio.create_task(shift.watch(worker, stop))
            await asyncio.gather(worker, return_exceptions=True)
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)
        shift.raise_failure()
        if not worker.cancelled():
            worker.result()
        return shift.steps

    async def _work(self, app: App, handlers: Handlers, *, wait: bool) -> None:
        await app.run_worker_async(
            queues=sorted(handlers),
            wait=wait,
            # The book keeps what was done; the queue keeps nothing.
            delete_jobs="always",
            fetch_job_polling_interval=self._poll_seconds,
            update_heartbeat_interval=HEARTBEAT_SECONDS,
            stalled_worker_timeout=3 * HEARTBEAT_SECONDS,
            install_signal_handlers=False,
        )

    def _app(self) -> App:
        return App(connector=PsycopgConnector(conninfo=self._conninfo, max_size=4))


class _Shift:
    """One run of the engine: its handlers, how many steps it did, and what ended it."""

    def __init__(self, book: TaskBook, app: App, handlers: Handlers, claim_seconds: int) -> None:
        self.steps = 0
        self._claim_seconds = claim_seconds
        self._book = book
        self._app = app
        self._handlers = handlers
        self._failure: BaseException | None = None

    async def step(self, kind: str, key: str) -> None:
        """Do one step, and queue the next; an entry of what is over, or another's, is dropped."""
        try:
            held = await asyncio.to_thread(self._book.claim, kind, key, self._claim_seconds)
            if held is None:
                return
            await asyncio.to_thread(do_step, self._book, self._handlers, held)
            self.steps += 1
            report = await asyncio.to_thread(self._book.report, kind, key)
        except Exception as error:  # noqa: BLE001 (procrastinate would only log it; it ends the run)
            self._failure = error
            return
        if report is not None and report.state is TaskState.OPEN:
            await _wake(self._app, report.task, report.due_at - self._book.now())

    async def sweep(self) -> None:
        """Clear the entries of dead processes, and wake whatever is due: its entry may be lost."""
        manager = self._app.job_manager
        for job in await manager.get_stalled_jobs(seconds_since_heartbeat=3 * HEARTBEAT_SECONDS):
            await manager.finish_job(job, status=Status.FAILED, delete_job=True)
        for report in await asyncio.to_thread(self._book.due):
            await _wake(self._app, report.task, 0)

    async def watch(self, worker: asyncio.Task[None], stop: threading.Event) -> None:
        """End the worker where `stop` is set or a step ended badly; sweep now and then."""
        loop = asyncio.get_running_loop()
        swept = loop.time()
        while not stop.is_set() and self._failure is None:
            await asyncio.sleep(0.05)
            if loop.time() - swept >= min(self._claim_seconds, HEARTBEAT_SECONDS):
                await self.sweep()
                swept = loop.time()
        worker.cancel()

    def raise_failure(self) -> None:
        """Raise what ended the run, if a step did."""
        if self._failure is not None:
            raise self._failure


async def _wake(app: App, task: Task, seconds: int) -> None:
    """Queue a task: one entry for now and one for later are enough, the book says what to do."""
    when = "later" if seconds > 0 else "now"
    entry = app.configure_task(
        _STEP,
        queue=task.kind,
        queueing_lock=f"{when} {task.kind}/{task.key}",
        schedule_in={"seconds": max(0, seconds)},
        allow_unknown=True,
    )
    with suppress(AlreadyEnqueued):
        await entry.defer_async(kind=task.kind, key=task.key)


async def _make_tables(app: App) -> None:
    if await app.check_connection_async():
        return
    try:
        await app.schema_manager.apply_schema_async()
    except ConnectorException:
        # Another process that started at the same moment made them.
        if not await app.check_connection_async():
            raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (ConnectorException, psycopg.OperationalError) as error:
        raise StoreUnavailableError(
            Reason.FILE_UNREADABLE,
            f"the queue cannot be reached now ({type(error).__name__})",
            "see whether the database server runs",
        ) from error
