"""Batches whose commitments a node tells late, or long after: found by content, read once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, JobKind
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.store import BatchState, Store

from tests.bridge.batch_street import FINALITY, Street

pytest_plugins = ["tests.bridge.batch_fixtures", "tests.bridge.relayer_fixtures"]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


class Reader(Chain):
    """A node that may know blocks and not what they logged; remembers what it was asked for."""

    silent = False
    asked: list[tuple[int, int]]

    def logs(self, addresses: Sequence[Address], first: int, last: int, *topics: Any) -> Any:
        """Answer, or say that there is nothing."""
        told = super().logs(addresses, first, last, *topics)
        if len(topics[0]) > 1:
            self.asked.append((first, last))
        return () if self.silent else told


def reader_of(street: Street) -> Reader:
    """The street's node."""
    honest = street.town.node.chain
    reader = Reader(honest.web3, honest.chain_id)
    reader.asked = []
    return reader


def test_a_commitment_whose_logs_are_missing_is_waited_for(street: Street, store: Store) -> None:
    """It is final, so it is there: nothing is answered, or committed, a second time."""
    street.town.ask(2)
    reader = reader_of(street)
    with street.relayer(store, chain=reader) as relayer:
        relayer.tick()
        street.town.quiet()
        reader.silent = True
        for _ in range(2 * FINALITY):
            relayer.tick()
            street.town.node.mine()
        errands = store.page(None, 100, errands=True)
        assert [(job.kind, job.state) for job in errands] == [(JobKind.COMMITMENT, JobState.FINAL)]
        reader.silent = False
        street.drive(relayer)
    assert [told.details["reason"] for told in street.told(ProgressKind.BATCH_ENDED)] == [
        "AllRequestsEnded"
    ]
    (held,) = store.batch_page(None, 100)
    assert held.state is BatchState.ENDED
    assert len(street.commitments()) == 1
    assert set(street.statuses()) == {RequestStatus.FULFILLED}


def test_what_is_final_is_searched_for_commitments_once(street: Street, store: Store) -> None:
    """However long a batch waits to be committed, a cycle reads the blocks that may change."""
    street.town.ask(2)
    reader = reader_of(street)
    chain = street.town.node.chain
    with street.relayer(store, chain=reader, replace_after=500) as relayer:
        chain.rpc("evm_setAutomine", [False])
        relayer.tick()
        for _ in range(20):
            # What was sent never comes into a block.
            chain.rpc("anvil_dropAllTransactions")
            street.town.node.mine()
            relayer.tick()
        assert len(reader.asked) == 20
        assert max(last - first for first, last in reader.asked[1:]) <= FINALITY
        street.drive(relayer)
    assert set(street.statuses()) == {RequestStatus.FULFILLED}
