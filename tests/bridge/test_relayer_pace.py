"""When the next cycle begins: at the next block where one is waited for, else after a rest."""

from __future__ import annotations

import threading

import pytest
import structlog
from quotary_bridge.chain import Block
from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable
from quotary_bridge.relayer import TickReport
from quotary_bridge.relayer.daemon import LOOK_SECONDS, _loop
from quotary_bridge.relayer.settings import IN_FLIGHT, RelayerSettings
from quotary_bridge.store import Store

from tests.bridge.relayer_town import Town, Worker, client_of, relayer_of

pytest_plugins = ["tests.bridge.relayer_fixtures"]

POLL_SECONDS = 900.0


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


class Rests(threading.Event):
    """A stop that is set where a relayer rests longer than to look for a block."""

    def __init__(self) -> None:
        """Begin unset."""
        super().__init__()
        self.longest = 0.0

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for nothing."""
        self.longest = max(self.longest, timeout or 0.0)
        if self.longest > LOOK_SECONDS:
            self.set()
        return self.is_set()


class Watched:
    """Counts cycles."""

    def __init__(self) -> None:
        """Begin with none."""
        self.reports: list[TickReport] = []

    def started(self, *_: object) -> None:
        """Nothing to see yet."""

    def cycled(self, report: TickReport | None, _seconds: float) -> None:
        """Count one."""
        assert report is not None
        self.reports.append(report)

    def stopped(self) -> None:
        """Nothing to see any more."""


def relayed(
    town: Town,
    store: Store,
    stop: threading.Event,
    in_flight: int = IN_FLIGHT,
    watched: Watched | None = None,
) -> list[TickReport]:
    watched = watched or Watched()
    with relayer_of(town, store, client_of(one=Worker()), in_flight=in_flight) as relayer:
        _loop(relayer, stop, POLL_SECONDS, structlog.get_logger("test"), watched)
    return watched.reports


def test_what_waits_for_a_nonce_goes_out_with_the_next_block(town: Town, store: Store) -> None:
    """Three answers, one nonce at a time: no rest before the last one is in a block."""
    for _ in range(3):
        town.ask()
    stop = Rests()
    reports = relayed(town, store, stop, in_flight=1)
    assert len(town.deliveries()) == 3
    assert [report.waits for report in reports] == [True, True, True, False]
    assert stop.longest == pytest.approx(POLL_SECONDS, rel=0.5)


def test_a_relayer_looks_until_the_block_is_there(town: Town, store: Store) -> None:
    """A pool that nobody takes from for a while: small questions, no cycles."""
    town.ask()
    town.automine(on=False)
    looks = 0

    class Looking(Rests):
        def wait(self, timeout: float | None = None) -> bool:
            nonlocal looks
            looks += 1
            if looks == 3:
                town.node.mine()
            return super().wait(timeout)

    reports = relayed(town, store, Looking())
    assert [report.waits for report in reports] == [True, False]
    assert looks >= 3


def test_a_node_that_fails_meanwhile_is_left_to_the_next_cycle(town: Town, store: Store) -> None:
    """The rest is as long as ever."""
    town.ask()
    town.automine(on=False)

    def _head() -> Block:
        raise RpcUnavailable(Reason.RPC_TIMEOUT, "no answer")

    class Failing(Watched):
        def cycled(self, report: TickReport | None, seconds: float) -> None:
            super().cycled(report, seconds)
            town.chain.head = _head  # type: ignore[method-assign]

    stop = Rests()
    assert len(relayed(town, store, stop, IN_FLIGHT, Failing())) == 1
    assert stop.longest == pytest.approx(POLL_SECONDS, rel=0.5)


@pytest.mark.parametrize("poll", [-1.0, float("nan")])
def test_a_rest_that_is_no_time_is_refused(poll: float) -> None:
    """Before the first cycle, not after it."""
    with pytest.raises(ConfigurationError):
        RelayerSettings(poll_seconds=poll)
