"""Running a relayer until it is told to stop."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType
from typing import Any, Protocol

import structlog
from structlog.typing import FilteringBoundLogger

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.errors import BridgeError, Fatal
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, Timestamp
from quotary_bridge.relayer.progress import Listener, Progress
from quotary_bridge.relayer.relayer import Relayer, TickReport
from quotary_bridge.relayer.settings import RelayerSettings
from quotary_bridge.store import InputFolder, Location, Store
from quotary_bridge.workers import Endpoint

__all__ = ["Observer", "RelayerConfig", "RunReport", "memory_at_rest", "run", "stop_on_signals"]

ONCE_SECONDS = 600.0
"""How long a single cycle waits for workers: there is no later one that could hear them."""

LOOK_SECONDS = 0.25
"""How often a relayer that has something in flight looks for the next block: one small question."""

_FAILURES_BEFORE_LONGEST_PAUSE = 5


@dataclass(frozen=True, slots=True)
class RelayerConfig:
    """
    Everything a relayer needs; `lanes` are accounts that deliver beside `signer`, `batches` is the
    oracle whose requests are answered many at a time, `inputs` is where those are that the chain
    has not, `roster` says before every cycle who the workers are from then on: see `Relayer`.

    `database` is the SQLite file, or where PostgreSQL is. `now` gives Unix seconds and serves the
    lease only.
    """

    chain: Chain
    oracle: Address
    signer: Signer
    workers: Sequence[Endpoint]
    database: Location
    now: Callable[[], Timestamp]
    settings: RelayerSettings = field(default_factory=RelayerSettings)
    holder: str | None = None
    witnesses: Sequence[Chain] = ()
    lanes: Sequence[Signer] = ()
    batches: Address | None = None
    inputs: InputFolder | None = None
    roster: Callable[[], Sequence[Endpoint] | None] = lambda: None


class Observer(Protocol):
    """Somebody who looks on while a relayer runs, in its thread."""

    def started(self, store: Store, relayer: Relayer) -> None:
        """Hear that it begins; both are valid until `stopped`."""

    def cycled(self, report: TickReport | None, seconds: float) -> None:
        """Hear of one cycle, None where it failed."""

    def stopped(self) -> None:
        """Hear that it has ended."""


@dataclass(frozen=True, slots=True)
class RunReport:
    """The last whole cycle, None where there was none, and how many jobs are in each state."""

    last: TickReport | None
    jobs: dict[JobState, int]


def run(
    config: RelayerConfig,
    stop: threading.Event,
    *,
    once: bool = False,
    dry_run: bool = False,
    listener: Listener | None = None,
    observer: Observer | None = None,
) -> RunReport:
    """
    Relay until `stop` is set, and return what came of it.

    A cycle that has begun is finished before it stops. What fails is logged and repeated after a
    pause that grows, unless it is `Fatal`, which is raised; with `once` there is one cycle, and
    what it raises is raised.
    `dry_run` reads, asks and simulates against a store that is thrown away; it sends nothing.
    """
    log: FilteringBoundLogger = structlog.get_logger("quotary.relayer")
    with _store(config, dry_run=dry_run) as store:
        relayer = Relayer(
            config.chain,
            config.oracle,
            store,
            config.signer,
            config.workers,
            settings=replace(config.settings, patience_seconds=ONCE_SECONDS)
            if once
            else config.settings,
            listener=_logged(log, listener),
            holder=config.holder,
            dry_run=dry_run,
            witnesses=config.witnesses,
            lanes=config.lanes,
            batches=config.batches,
            inputs=config.inputs,
            roster=config.roster,
        )
        with relayer, _observed(observer, store, relayer):
            if once:
                return RunReport(relayer.tick(), relayer.counts())
            with memory_at_rest():
                last = _loop(relayer, stop, config.settings.poll_seconds, log, observer)
            return RunReport(last, relayer.counts())


@contextmanager
def memory_at_rest() -> Iterator[None]:
    """
    Have what is in memory already passed over where Python looks for garbage.

    It stays as long as the process, and one look at all of it takes as long as relaying a hundred
    results. What is made from now on is looked at as ever.
    """
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def stop_on_signals(stop: threading.Event) -> Iterator[None]:
    """Set `stop` on SIGINT and SIGTERM; a second one does what it did before. Main thread only."""
    before: dict[signal.Signals, Any] = {}

    def _stop(number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(number, before[signal.Signals(number)])

    for number in (signal.SIGINT, signal.SIGTERM):
        before[number] = signal.signal(number, _stop)
    try:
        yield
    finally:
        for number, action in before.items():
            signal.signal(number, action)


def _loop(
    relayer: Relayer,
    stop: threading.Event,
    poll_seconds: float,
    log: FilteringBoundLogger,
    observer: Observer | None,
) -> TickReport | None:
    report, failures = None, 0
    while not stop.is_set():
        began, ended = time.monotonic(), None
        try:
            ended = report = relayer.tick()
            failures = 0
        except Fatal:
            raise
        except BridgeError as error:
            # Also what can never help to repeat with this node: there may be another tomorrow.
            failures += 1
            log.warning("cycle_failed", reason=error.reason.value, detail=str(error))
        if observer is not None:
            observer.cycled(ended, time.monotonic() - began)
        if ended is not None and ended.drained:
            log.info("drained")
            break
        pause = poll_seconds * 2 ** min(failures, _FAILURES_BEFORE_LONGEST_PAUSE)
        _rest(relayer, ended, stop, pause)
    log.info("stopped")
    return report


def _rest(relayer: Relayer, ended: TickReport | None, stop: threading.Event, pause: float) -> None:
    """Rest for `pause` seconds; where something waits for a block, only until there is one."""
    end = time.monotonic() + pause
    while ended is not None and ended.waits and not stop.is_set():
        try:
            if relayer.has_newer_block(ended):
                return
        except BridgeError:
            # The next cycle meets it too, and says so.
            break
        left = end - time.monotonic()
        if left <= LOOK_SECONDS:
            break
        stop.wait(LOOK_SECONDS)
    stop.wait(max(0.0, end - time.monotonic()))


@contextmanager
def _observed(observer: Observer | None, store: Store, relayer: Relayer) -> Iterator[None]:
    if observer is None:
        yield
        return
    observer.started(store, relayer)
    try:
        yield
    finally:
        observer.stopped()


@contextmanager
def _store(config: RelayerConfig, *, dry_run: bool) -> Iterator[Store]:
    with TemporaryDirectory(prefix="quotary-dry-run-") as folder:
        path = Path(folder) / "store.sqlite" if dry_run else config.database
        store = Store.open(path, config.now)
        try:
            yield store
        finally:
            store.close()


def _logged(log: FilteringBoundLogger, listener: Listener | None) -> Listener:
    def _tell(progress: Progress) -> None:
        job = {} if progress.job is None else {"job": f"0x{progress.job.hex()}"}
        details: Mapping[str, object] = {**job, **progress.details}
        log.info(progress.kind.value, block=progress.block, **details)
        if listener is not None:
            listener(progress)

    return _tell
