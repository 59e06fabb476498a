"""Random kills, reorgs, drops and fee jumps: nothing lost, nothing doubled."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest
from quotary_bridge.chain import Chain
from quotary_bridge.chain.interface import interface
from quotary_bridge.errors import Transient
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import ChainId, Timestamp
from quotary_bridge.store import Store

from tests.bridge.relayer_town import Town, Worker, client_of, drive, relayer_of
from tests.bridge.store_parts import OpenStore

pytest_plugins = ["tests.bridge.relayer_fixtures"]

SEED = 20_261_122
REQUESTS = 20
KILLS = 25
RELAYER = 2


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def _relay(town: Town, path: Path) -> None:
    town.chain = Chain.at(town.node.url, town.node.chain_id)
    store = Store.open(path, lambda: Timestamp(1_000))
    relayer = relayer_of(town, store, client_of(one=Worker()), in_flight=4)
    while True:
        try:
            relayer.tick()
        except Transient:
            time.sleep(0.005)


def _disturb(town: Town, chance: random.Random) -> None:
    what = chance.random()
    if what < 0.2:
        town.chain.rpc("anvil_dropAllTransactions")
    elif what < 0.4:
        town.chain.rpc("anvil_reorg", [chance.randint(1, 3), []])
    elif what < 0.5:
        town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(chance.choice([1, 5, 20]) * 10**9)])
    town.node.mine()


def _ask_again_where_a_reorg_forgot(town: Town) -> None:
    """A requester, too, sends its transaction again."""
    for raw in town.requests:
        try:
            town.chain.send_raw(raw)
        except Exception:  # noqa: BLE001, S112 (mined already, or priced out for now)
            continue


def test_kills_and_reorgs_lose_and_double_nothing(
    town: Town, tmp_path: Path, open_store: OpenStore
) -> None:
    """Each request is answered once, and each nonce carries one transaction that did something."""
    chance = random.Random(SEED)
    path = tmp_path / "store.sqlite"
    context = multiprocessing.get_context("fork")
    town.node.mine(5)
    for number in range(REQUESTS):
        town.ask(f"question {number}".encode())
    town.automine(on=False)
    for _ in range(KILLS):
        child = context.Process(target=_relay, args=(town, path))
        child.start()
        for _ in range(chance.randint(1, 3)):
            time.sleep(chance.uniform(0.0, 0.25))
            _disturb(town, chance)
        assert child.pid is not None
        os.kill(child.pid, signal.SIGKILL)
        child.join(300)
    town.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])
    town.node.mine()
    _ask_again_where_a_reorg_forgot(town)
    town.node.mine(2)
    store = open_store(path, lambda: Timestamp(1_000))
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town, cycles=80)
    _require_exactly_once(town, store)


def _require_exactly_once(town: Town, store: Store) -> None:
    answered = town.deliveries()
    assert len(answered) == len(set(answered)) == REQUESTS
    chain_id, signer = ChainId(town.chain.chain_id), town.node.signers[RELAYER].address
    counts = store.counts(chain_id, town.oracle)
    assert counts[JobState.FINAL] == REQUESTS
    assert sum(counts.values()) == REQUESTS
    assert store.unresolved_slots(chain_id, signer) == ()
    mined = _transactions_of(town, signer)
    succeeded = [entry for entry in mined if entry[1]]
    fulfilled = [data for data, ok in mined if ok and data.startswith(_selector())]
    assert len(fulfilled) == REQUESTS
    assert len(mined) == len(succeeded), "a delivery reverted: a nonce was spent twice on one job"


def _selector() -> str:
    return f"0x{interface('ResultOracle').function('fulfill').selector.hex()}"


def _transactions_of(town: Town, sender: str) -> list[tuple[str, bool]]:
    found = []
    for number in range(town.deployed_at, town.chain.head().number + 1):
        block = town.chain.rpc("eth_getBlockByNumber", [hex(number), True])
        assert isinstance(block, dict)
        for transaction in block["transactions"]:
            if transaction["from"].lower() == sender.lower():
                receipt = town.chain.receipt(bytes.fromhex(transaction["hash"][2:]))
                assert receipt is not None
                found.append((transaction["input"], receipt.succeeded))
    return found
