"""Fixtures of a relayer that answers by the batch: one chain a session, one past a test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.bridge.batch_street import RELAYER, Street
from tests.bridge.batch_town import LIFETIME, batch_town


@pytest.fixture(scope="session")
def street_of_batches() -> Iterator[Street]:
    """One chain for the whole session."""
    with batch_town() as town:
        yield Street(town)


@pytest.fixture
def street(street_of_batches: Street) -> Iterator[Street]:
    """The street on its first day."""
    chain = street_of_batches.town.node.chain
    state = chain.rpc("evm_snapshot")
    account = street_of_batches.town.node.signers[RELAYER].address
    deadline = chain.head().timestamp + LIFETIME
    town = replace(street_of_batches.town, made=[], deadline=deadline)
    yield Street(town, nonce_before=chain.nonce(account))
    chain.rpc("evm_setAutomine", [True])
    chain.rpc("anvil_dropAllTransactions")
    assert chain.rpc("evm_revert", [state])
