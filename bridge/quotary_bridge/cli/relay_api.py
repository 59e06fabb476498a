"""`quotary relay run --listen`: what the API shows of the relayer that runs beside it."""

from __future__ import annotations

import time
from pathlib import Path

import structlog

from quotary_bridge.errors import BridgeError, ConfigurationError, Reason
from quotary_bridge.http import Listening, Metrics, Server, View, create_app
from quotary_bridge.relayer import Progress, ProgressKind, Relayer, TickReport
from quotary_bridge.store import Store

__all__ = ["Api", "token_from"]

READY_SECONDS = 120.0
"""A relayer whose last whole cycle is older than that is not ready, whatever it waits for."""

LOOK_SECONDS = 30.0
"""How old balances and ages may be: a few small questions, and no alert is in more of a hurry."""


class Api:
    """Serves what a relayer does: an observer of `run`, and a listener."""

    def __init__(self, where: Listening) -> None:
        """Serve nothing before the relayer starts."""
        self._where = where
        self._metrics = Metrics(kind.value for kind in ProgressKind)
        self._last: float | None = None
        self._look_at = 0.0
        self._relayer: Relayer | None = None
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens; empty where it does not."""
        return "" if self._server is None else self._server.url

    def heard(self, progress: Progress) -> None:
        """Count what happened."""
        self._metrics.event(progress.kind.value)

    def started(self, store: Store, relayer: Relayer) -> None:
        """Begin to serve."""
        view = View(
            store=store,
            metrics=self._metrics,
            workers=relayer.pool.health,
            ready=self._is_ready,
            open_jobs=store.open_counts,
            inputs=relayer.inputs,
        )
        self._relayer = relayer
        self._server = Server(create_app(view, self._where.token), self._where)
        self._server.__enter__()
        structlog.get_logger("quotary.api").info("listening", url=self._server.url)

    def cycled(self, report: TickReport | None, seconds: float) -> None:
        """Count a cycle."""
        if report is None:
            self._metrics.cycle("failed", seconds, None)
            return
        if not report.skipped:
            self._last = time.monotonic()
        outcome = "skipped" if report.skipped else "done"
        self._metrics.cycle(outcome, seconds, report.block, report.final)
        self._look()

    def stopped(self) -> None:
        """Serve no more."""
        if self._server is not None:
            self._server.__exit__(None, None, None)
            self._server = None
        self._relayer = None

    def _look(self) -> None:
        """Ask for balances and the oldest request's age, now and then."""
        now = time.monotonic()
        if self._relayer is None or now < self._look_at:
            return
        self._look_at = now + LOOK_SECONDS
        try:
            found = self._relayer.vitals()
        except BridgeError as error:
            # What is wrong with the node or the record the next cycle meets, too.
            structlog.get_logger("quotary.api").info("vitals_unknown", reason=error.reason.value)
            return
        self._metrics.vitals(found.balances, found.oldest_seconds)

    def _is_ready(self) -> bool:
        return self._last is not None and time.monotonic() - self._last < READY_SECONDS


def token_from(path: str | None) -> str | None:
    """Return the first line of the token's file; raises `ConfigurationError`."""
    if path is None:
        return None
    try:
        lines = Path(path).read_text(encoding="ascii").splitlines()
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE, f"the token file {path} cannot be read", "name a readable file"
        ) from error
    return lines[0].strip() if lines else ""
