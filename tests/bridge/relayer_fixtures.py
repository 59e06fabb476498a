"""Fixtures of the relayer's tests: one node a session, one past a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.model import Address, Timestamp
from quotary_bridge.store import Store

from tests.bridge.model_parts import deploy_models
from tests.bridge.relayer_town import EVERYTHING, OPEN_GATE, Town


@pytest.fixture(scope="session")
def relayer_node() -> Iterator[AnvilNode]:
    """One Anvil for the whole session."""
    with AnvilNode() as running:
        yield running


@pytest.fixture(scope="session")
def oracle_town(relayer_node: AnvilNode) -> Town:
    """The oracle behind a gate that admits everybody."""
    return new_town(relayer_node)


def new_town(node: AnvilNode) -> Town:
    """Deploy the oracle behind a gate that admits everybody."""
    chain = node.chain
    gate = Address(chain.web3.to_checksum_address(f"0x{'00' * 18}9a7e"))
    models = deploy_models(node, gate)
    chain.rpc("anvil_setCode", [gate, OPEN_GATE])
    sender = Sender(chain, node.signers[0], timeout_seconds=300)
    creation = interface("ResultOracle").encode_creation([gate, models, *EVERYTHING])
    receipt = sender.send(sender.request(None, creation))
    assert receipt.contract_address is not None
    return Town(node, chain, Address(receipt.contract_address), gate, receipt.block_number)


@pytest.fixture
def town(oracle_town: Town) -> Iterator[Town]:
    """The town as it was on its first day; each test gets its own past."""
    snapshot = oracle_town.chain.rpc("evm_snapshot")
    relayer = oracle_town.node.signers[2].address
    nonce = oracle_town.chain.nonce(relayer)
    chain = oracle_town.node.chain
    fresh = replace(oracle_town, chain=chain, nonce_before=nonce, requests=[], terms=[], events=[])
    with ExitStack() as fresh.afterwards:
        yield fresh
    fresh.automine(on=True)
    fresh.chain.rpc("anvil_dropAllTransactions")
    assert oracle_town.chain.rpc("evm_revert", [snapshot])
    # A snapshot does not hold the next block's base fee.
    oracle_town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])


@pytest.fixture
def sqlite_store(tmp_path: Path) -> Iterator[Store]:
    """An empty store whose clock stands still."""
    opened = Store.open(tmp_path / "store.sqlite", lambda: Timestamp(1_000))
    yield opened
    opened.close()
