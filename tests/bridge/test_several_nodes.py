"""Several nodes of one chain: who is asked, who is believed, and who stops the relayer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest
from quotary_bridge.chain import Block, BlockTag, Chain
from quotary_bridge.chain.several import SeveralNodes
from quotary_bridge.errors import Reason, RequestRefused, RpcUnavailable, Transient, WrongChain
from quotary_bridge.lifecycle import JobState
from quotary_bridge.relayer import ProgressKind, Relayer
from quotary_bridge.store import Store

from tests.bridge.relayer_town import (
    Town,
    Worker,
    client_of,
    drive,
    kinds,
    relayer_of,
    require_all_final,
)
from tests.faults.odds import Manners, Odds
from tests.faults.proxy import proxied

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

NOBODY = "http://127.0.0.1:1"
DROPS_ALL = Manners(1, Odds(drop_question=1.0))
OTHER_CHAIN = Manners(1, Odds(wrong_chain=1.0))


@pytest.fixture(autouse=True)
def honest_in_the_end(town: Town) -> Iterator[None]:
    yield
    town.chain = town.node.chain


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


class Clock:
    """Seconds that pass when a test says so."""

    seconds = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.seconds


class Elsewhere(Chain):
    """A node on a branch of its own."""

    def block(self, at: BlockTag = "latest") -> Block:
        """Answer with another hash."""
        return replace(super().block(at), hash=bytes(32))


class Refusing(Chain):
    """A node that does not offer blocks."""

    def block(self, at: BlockTag = "latest") -> Block:
        """Refuse."""
        raise RequestRefused(Reason.REQUEST_REFUSED, f"no block {at} here")


def through(town: Town, clock: Clock, *nodes: str | Chain) -> SeveralNodes:
    """Make the town's relayer ask `nodes`, the first one first."""
    made = [node if isinstance(node, Chain) else Chain.at(node, 31337) for node in nodes]
    town.chain = SeveralNodes(made, 31337, clock)
    return town.chain


def patiently(relayer: Relayer, town: Town, cycles: int = 20) -> int:
    """Like `drive`, beyond what is transient; returns how many cycles failed."""
    failed = 0
    for _ in range(cycles):
        try:
            if relayer.tick().idle:
                return failed
        except Transient:
            failed += 1
        town.node.mine()
    return failed


def test_the_next_node_is_asked_where_one_is_away(
    town: Town, store: Store, stack: ExitStack
) -> None:
    """One cycle fails for every node that is away, and two that are left agree on what is final."""
    town.ask()
    broken = stack.enter_context(proxied(town.node.url, DROPS_ALL))
    several = through(town, Clock(), NOBODY, broken, town.node.url, town.node.url)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        assert patiently(relayer, town) == 2
        assert several.endpoint == town.node.url
    town.chain = town.node.chain
    require_all_final(town, store)


def test_a_node_that_dies_in_the_middle_loses_and_doubles_nothing(
    town: Town, store: Store, stack: ExitStack
) -> None:
    """Every method of the preferred node fails now and then; the cycle is cut, and begun anew."""
    for number in range(6):
        town.ask(b"question %d" % number)
    bad = stack.enter_context(
        proxied(town.node.url, Manners(7, Odds(drop_question=0.05, drop_answer=0.05)))
    )
    through(town, Clock(), bad, town.node.url, town.node.url)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        patiently(relayer, town, cycles=40)
    town.chain = town.node.chain
    require_all_final(town, store, requests=6)


def test_a_node_set_aside_is_asked_again_when_its_time_is_over(town: Town) -> None:
    """Twice as long with every failure in a row; one good cycle forgets them all."""
    clock = Clock()
    several = through(town, clock, "http://127.0.0.1:1", town.node.url)
    chosen = []
    for second in (0, 0, 1, 1, 2, 3, 3):
        clock.seconds = second
        several.choose()
        chosen.append(several.endpoint == NOBODY)
        if chosen[-1]:
            several.set_aside()
    assert chosen == [True, False, True, False, False, True, False]


def test_where_all_are_set_aside_the_one_that_is_ready_first_is_asked(town: Town) -> None:
    """To ask nobody would help nobody."""
    several = through(town, Clock(), NOBODY, town.node.url)
    for _ in range(2):
        several.choose()
        several.set_aside()
    several.choose()
    assert several.endpoint == NOBODY


def test_a_node_of_another_chain_stops_the_relayer(
    town: Town, store: Store, stack: ExitStack
) -> None:
    """Also where it is only the second choice: it is a mistake, and no failure."""
    town.ask()
    stranger = stack.enter_context(proxied(town.node.url, OTHER_CHAIN))
    through(town, Clock(), NOBODY, stranger)
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        with pytest.raises(RpcUnavailable):
            relayer.tick()
        with pytest.raises(WrongChain):
            relayer.tick()


@pytest.mark.parametrize(
    ("others", "final"),
    [
        (["honest"], True),
        (["away"], False),
        (["refuses"], False),
        (["elsewhere"], False),
        (["away", "honest"], True),
        (["away", "away"], False),
        (["elsewhere", "honest"], False),
        (["honest", "honest"], True),
    ],
)
def test_what_is_final_is_agreed_by_two_and_denied_by_none(
    town: Town, store: Store, others: list[str], *, final: bool
) -> None:
    """The answer is delivered all the same; only what is for good waits."""
    key = town.ask()
    node = town.node.url
    moods: dict[str, str | Chain] = {
        "honest": node,
        "away": NOBODY,
        "refuses": Refusing(Chain.at(node).web3, 31337),
        "elsewhere": Elsewhere(Chain.at(node).web3, 31337),
    }
    through(town, Clock(), node, *(moods[other] for other in others))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    job = store.job(key)
    assert job is not None
    assert job.state is (JobState.FINAL if final else JobState.MINED)
    assert (ProgressKind.FINALITY_UNCONFIRMED in kinds(town)) is not final
    town.chain = town.node.chain
    assert len(town.deliveries()) == 1


def test_a_node_that_lags_is_set_aside(town: Town, store: Store, stack: ExitStack) -> None:
    """Nothing is taken back for it: the next cycle asks another one."""
    town.ask()
    lagging = stack.enter_context(proxied(town.node.url, Manners(5, Odds(stale_head=0.7), lag=4)))
    clock = Clock()
    several = through(town, clock, lagging, town.node.url, town.node.url)
    asked = set()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        for _ in range(20):
            skipped = relayer.tick().skipped
            asked.add((skipped, several.endpoint))
            clock.seconds += 0.5 if skipped else 2.0
            town.node.mine()
    assert asked == {(True, lagging), (False, lagging), (False, town.node.url)}
    town.chain = town.node.chain
    require_all_final(town, store)


def test_the_first_that_answers_tells_the_chain(town: Town) -> None:
    """The daemon starts without its preferred node; with none at all it says so."""
    several = SeveralNodes.among([NOBODY, town.node.url])
    assert several.chain_id == 31337
    with pytest.raises(RpcUnavailable) as caught:
        SeveralNodes.among([NOBODY, NOBODY])
    assert caught.value.reason is Reason.RPC_UNREACHABLE
    with pytest.raises(WrongChain):
        SeveralNodes.among([NOBODY, town.node.url], 1)
