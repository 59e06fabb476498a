"""More nodes than one: what counts as final when they disagree."""

from __future__ import annotations

from dataclasses import replace

import pytest
from quotary_bridge.chain import Block, Chain
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.errors import Reason, RequestRefused, RpcUnavailable, WrongChain
from quotary_bridge.lifecycle import JobState
from quotary_bridge.relayer import ProgressKind, Relayer
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    RELAYER,
    Town,
    Worker,
    client_of,
    drive,
    require_all_final,
    settings_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]


class Witness(Chain):
    """Another node: honest, away, on a branch of its own, or of few words."""

    mood = "honest"

    def block(self, at: BlockTag = "latest") -> Block:
        """Answer as its mood is."""
        if self.mood == "away":
            raise RpcUnavailable(Reason.RPC_UNREACHABLE, "nobody answers")
        if self.mood == "refuses":
            raise RequestRefused(Reason.REQUEST_REFUSED, "the method is not available")
        found = super().block(at)
        return replace(found, hash=bytes(32)) if self.mood == "elsewhere" else found


def witnessed(town: Town, store: Store, *witnesses: Chain) -> Relayer:
    """A relayer that asks one worker and believes one node no more than others."""
    return Relayer(
        town.chain,
        town.oracle,
        store,
        town.node.signers[RELAYER],
        [Endpoint("http://one")],
        settings=settings_of(town),
        listener=town.events.append,
        client=client_of(one=Worker()),
        holder="a test",
        witnesses=witnesses,
    )


@pytest.mark.parametrize("mood", ["away", "elsewhere", "refuses"])
def test_nothing_is_final_that_a_witness_does_not_confirm(
    town: Town, store: Store, mood: str
) -> None:
    """The answer is delivered all the same; only what is for good waits."""
    key = town.ask()
    honest, other = (Witness(town.chain.web3, town.chain.chain_id) for _ in range(2))
    other.mood = mood
    with witnessed(town, store, honest, other) as relayer:
        drive(relayer, town)
        job = store.job(key)
        assert job is not None
        assert job.state is JobState.MINED
        assert len(town.deliveries()) == 1
        kinds = {event.kind for event in town.events}
        assert ProgressKind.FINALITY_UNCONFIRMED in kinds
        other.mood = "honest"
        drive(relayer, town)
    require_all_final(town, store)


def test_a_witness_of_another_chain_stops_the_relayer(town: Town, store: Store) -> None:
    """It is a mistake in the configuration, and no disagreement."""
    town.ask()
    town.node.mine(6)
    stranger = Chain(town.chain.web3, town.chain.chain_id + 1)
    with witnessed(town, store, stranger) as relayer:
        relayer.tick()
        with pytest.raises(WrongChain):
            relayer.tick()
