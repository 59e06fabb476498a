"""
One account that asks a hundred times as much does not hold up another beyond a stated bound.

The bound is counted in requests served before, not in seconds: docs/relaying.md, "Fair turns".
"""

from __future__ import annotations

import pytest
from quotary_bridge.relayer import dispatch
from quotary_bridge.store import Store

from tests.bridge import fair_town
from tests.bridge.fair_town import ask_modestly, bound, serve
from tests.bridge.relayer_town import Town, Worker, client_of, relayer_of

pytest_plugins = ["tests.bridge.relayer_fixtures"]

LOAD = 100
IN_FLIGHT = 2
SHORT_LOAD = 16


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def flood(town: Town) -> None:
    """The greedy account asks a hundred times before anybody else does."""
    for number in range(LOAD):
        town.ask(b"much %d" % number)


def test_whoever_asks_little_waits_for_one_of_the_others_a_turn(town: Town, store: Store) -> None:
    """A hundred requests stand before it when the relayer sees all of them at once."""
    flood(town)
    (wanted,) = ask_modestly(town)
    with relayer_of(town, store, client_of(one=Worker()), in_flight=IN_FLIGHT) as relayer:
        (served,) = serve(relayer, town, [wanted])
    assert served.before <= 1, "one of the other account, and no more"
    assert bound(IN_FLIGHT) < LOAD // 4, "the bound would hold of any order"


def test_what_was_begun_before_is_all_that_is_added(town: Town, store: Store) -> None:
    """It asks while the relayer is at work on the hundred."""
    flood(town)
    with relayer_of(town, store, client_of(one=Worker()), in_flight=IN_FLIGHT) as relayer:
        for _ in range(3):
            relayer.tick()
            town.node.mine()
        (wanted,) = ask_modestly(town)
        (served,) = serve(relayer, town, [wanted])
    assert served.before <= bound(IN_FLIGHT)


def test_every_request_of_its_own_is_a_turn(town: Town, store: Store) -> None:
    """The third of an account's requests waits for three of the other's."""
    flood(town)
    wanted = ask_modestly(town, 3)
    with relayer_of(town, store, client_of(one=Worker()), in_flight=IN_FLIGHT) as relayer:
        served = serve(relayer, town, wanted)
    for turn, each in enumerate(served, 1):
        assert each.before <= bound(IN_FLIGHT, turn)
    assert served[-1].before < LOAD // 4


def test_places_that_become_free_one_by_one_go_around(town: Town, store: Store) -> None:
    """
    Nobody who asked first has all of them, one after the other.

    Each cycle has room for one, the greedy account's requests are all older, and each is its
    account's oldest by then.
    """
    for number in range(SHORT_LOAD):
        town.ask(b"much %d" % number)
    wanted = ask_modestly(town, 2)
    with relayer_of(town, store, client_of(one=Worker()), in_flight=1) as relayer:
        served = serve(relayer, town, wanted)
    for turn, each in enumerate(served, 1):
        assert each.before <= bound(1, turn)
    assert bound(1, 2) < SHORT_LOAD, "the bound would hold of any order"


def test_the_bound_is_stated_of_the_relayer_as_it_is() -> None:
    """What the stated bound counts as begun is what the relayer begins."""
    assert dispatch.TAKEN_PER_NONCE == fair_town.TAKEN_PER_NONCE
