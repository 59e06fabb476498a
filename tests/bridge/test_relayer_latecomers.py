"""Who reveals once a quorum has agreed is heard all the same: a lie convicts whenever it comes."""

from __future__ import annotations

import time

import pytest
from quotary_bridge.chain.contracts import ResultOracle
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import JobKind
from quotary_bridge.relayer import Relayer, table
from quotary_bridge.rounds import Faulted, RoundState, advance_round
from quotary_bridge.store import Store

from tests.bridge.relayer_town import Town, drive, require_all_final
from tests.bridge.round_town import (
    PATIENCE_SECONDS,
    Member,
    ask_several,
    conductor,
    cycle_until,
    members,
)
from tests.bridge.test_relayer_rounds import end, errands, states

pytest_plugins = ["tests.bridge.relayer_fixtures"]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    """A quorum waits for nobody: whoever has not revealed by then is late."""
    monkeypatch.setattr(table, "GRACE_SECONDS", 0.0)


def town_of_three(town: Town, store: Store, manner: str) -> tuple[list[Member], Relayer]:
    workers = members("honest", manner, "honest")
    return workers, conductor(town, store, workers)


def test_a_lie_after_the_answer_is_final_is_reported(town: Town, store: Store) -> None:
    """The request is long answered and its round reported: the liar is put on probation."""
    key = ask_several(town)
    workers, relayer = town_of_three(town, store, "tarries")
    drive(relayer, town, 30)
    require_all_final(town, store)
    assert states(store, key) == [RoundState.REPORTED]
    assert errands(store, JobKind.DISSENT) == []
    workers[1].over.set()
    cycle_until(relayer, town, lambda: errands(store, JobKind.DISSENT) != [])
    drive(relayer, town, 30)
    end(relayer, workers)
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]
    oracle = ResultOracle(town.chain, town.oracle)
    assert oracle.probation_of(workers[1].address) > town.chain.head().timestamp
    (held,) = store.rounds([key])[key]
    seat = held.seat_of(workers[1].address)
    assert seat is not None
    assert (seat.signed is None, seat.fault) == (False, None)


def test_a_lie_between_agreement_and_delivery_is_reported_with_the_others(
    town: Town, store: Store
) -> None:
    """It is kept with the round, and reported when that is."""
    key = ask_several(town)
    workers, relayer = town_of_three(town, store, "tarries")
    relayer.tick()
    assert states(store, key) == [RoundState.AGREED]
    workers[1].over.set()

    def _kept() -> bool:
        (held,) = store.rounds([key])[key]
        return len(held.answers) == 3

    end_at = time.monotonic() + PATIENCE_SECONDS
    while not _kept():
        assert time.monotonic() < end_at
        relayer.tick()
    assert errands(store, JobKind.DISSENT) == []
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]


def test_what_another_relayer_put_on_record_stands(town: Town, store: Store) -> None:
    """It was first to hear, or to give up; whoever hears it as well has nothing to add."""
    key = ask_several(town)
    workers, relayer = town_of_three(town, store, "tarries")
    relayer.tick()
    (held,) = store.rounds([key])[key]
    assert relayer._lanes is not None
    with store.write(relayer._lanes.first.lease) as writer:
        writer.put_rounds([advance_round(held, Faulted(workers[1].address, "WorkerTimeout"))])
    workers[1].over.set()
    cycle_until(relayer, town, lambda: not relayer._rounds._latecomers._tables)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    seat = store.rounds([key])[key][0].seat_of(workers[1].address)
    assert seat is not None
    assert (seat.signed, seat.fault) == (None, "WorkerTimeout")


def test_who_is_late_and_honest_is_left_alone(town: Town, store: Store) -> None:
    """It is on record, and that is all."""
    key = ask_several(town)
    workers, relayer = town_of_three(town, store, "tarries")
    workers[1].output = workers[0].output
    drive(relayer, town, 30)
    workers[1].over.set()
    cycle_until(relayer, town, lambda: len(store.rounds([key])[key][0].answers) == 3)
    drive(relayer, town, 5)
    end(relayer, workers)
    require_all_final(town, store)
    assert errands(store, JobKind.DISSENT) == []


def test_what_comes_late_and_is_not_what_was_committed_to_counts_as_well(
    town: Town, store: Store
) -> None:
    """Nobody is asked twice any more: what was signed the only time convicts."""
    key = ask_several(town)
    workers, relayer = town_of_three(town, store, "tarries")
    drive(relayer, town, 30)
    workers[1].output = b"a lie of another kind"
    workers[1].manner = "swaps"
    workers[1].over.set()
    cycle_until(relayer, town, lambda: errands(store, JobKind.DISSENT) != [])
    drive(relayer, town, 30)
    end(relayer, workers)
    assert errands(store, JobKind.DISSENT) == [(JobState.FINAL, None)]
    seat = store.rounds([key])[key][0].seat_of(workers[1].address)
    assert seat is not None
    assert seat.fault == "NotCommitted"
    assert workers[1].revealed == 1
