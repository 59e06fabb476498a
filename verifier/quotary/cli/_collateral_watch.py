"""Keeping filed collateral fresh, in rounds."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import FrameType
from typing import NoReturn

from quotary.cli.inputs import read_time
from quotary.cli.output import ExitCode, print_failure, print_json, visible
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.fetch import CollateralCache, CollateralClient, PlatformKey, UpdateChannel

__all__ = ["Watch"]

_Entry = tuple[PlatformKey, UpdateChannel]


@dataclass
class Watch:
    """
    Refreshes one entry of the cache, or all of them, before they end.

    A failure is told and tried again in the next round: a service that is down for a while does no
    harm as long as what is filed holds.
    """

    cache: CollateralCache
    client_for: Callable[[UpdateChannel], CollateralClient]
    given: _Entry | None
    margin: timedelta
    as_json: bool
    _clients: dict[UpdateChannel, CollateralClient] = field(default_factory=dict)

    def run(self, *, every: float) -> int:
        """Do one round after another until SIGTERM, which is a clean end."""
        with _ending_on_sigterm():
            while True:
                self.round(read_time(None))
                time.sleep(every)

    def round(self, at: datetime) -> int:
        """
        Look at every entry once.

        Returns 0 when all are fresh; 7 when one is stale and could not be replaced, or when nothing
        is filed; else 3 when no refresh succeeded that was needed, or 8 when some did not.
        """
        entries = list(self.cache.entries()) if self.given is None else [self.given]
        refreshed = failed = stale = 0
        for key, channel in entries:
            client = self._client(channel)
            try:
                fetched = client.current(key, at=at, margin=self.margin)
            except (QuotaryError, OSError) as error:
                failed += 1
                usable = self.cache.fresh(key, channel, at=at, margin=timedelta()) is not None
                stale += not usable
                self._tell(key, channel, "failed" if usable else "stale", error=error)
            else:
                refreshed += not fetched.from_cache
                state = "fresh" if fetched.from_cache else "refreshed"
                self._tell(key, channel, state, until=fetched.collateral.valid_until)
        if not entries:
            empty = CollateralError(
                Reason.CACHE_EMPTY, "cache", expected="entries to keep fresh", found="none"
            )
            print_failure(empty, as_json=self.as_json)
        if stale or not entries:
            return ExitCode.STALE
        if failed:
            return ExitCode.PARTIAL if refreshed else ExitCode.NETWORK
        return ExitCode.OK

    def _client(self, channel: UpdateChannel) -> CollateralClient:
        if channel not in self._clients:
            self._clients[channel] = self.client_for(channel)
        return self._clients[channel]

    def _tell(
        self,
        key: PlatformKey,
        channel: UpdateChannel,
        state: str,
        *,
        until: int | None = None,
        error: Exception | None = None,
    ) -> None:
        if self.as_json:
            print_json(
                {
                    "ok": error is None,
                    "tee": key.tee,
                    "fmspc": key.fmspc.hex(),
                    "ca": key.ca.value,
                    "channel": channel.name,
                    "state": state,
                    "valid_until": until,
                    "reason": _reason(error),
                }
            )
        else:
            end = (
                "" if until is None else f", good until {datetime.fromtimestamp(until, UTC):%F %T}"
            )
            why = "" if error is None else f": {error}"
            sys.stdout.write(visible(f"{key} ({channel.name}): {state}{end}{why}") + "\n")
        # Whoever reads a log wants to see the round when it happens.
        sys.stdout.flush()


def _reason(error: Exception | None) -> str | None:
    if error is None:
        return None
    return str(error.reason) if isinstance(error, QuotaryError) else type(error).__name__


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Leave whatever is going on with exit code 0 when SIGTERM comes; no file is left half done."""

    def end(number: int, frame: FrameType | None) -> NoReturn:
        del number, frame
        raise SystemExit(ExitCode.OK)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
