"""Deploying by a multisig: batches that fit a transaction each, written again until all is done."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Receipt
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.deploy import (
    Blueprint,
    Ledger,
    Parameters,
    TimelockTerms,
    check_deployment,
    draft,
    entry_states,
    write_batches,
)
from quotary_bridge.deploy.create2 import FACTORY
from quotary_bridge.deploy.parameters import SHORTEST_DELAY
from quotary_bridge.deploy.unsigned import BATCH_GAS, Draft
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.model import Address

from tests.bridge.deploy_parts import OPENED, parameters

SAFE = Address("0x5AfE00000000000000000000000000000000c0De")


def safe(node: AnvilNode) -> Address:
    """An account without a key that can act on this node, as a multisig acts on any."""
    address = Address(node.chain.web3.to_checksum_address(SAFE.lower()))
    node.chain.rpc("anvil_impersonateAccount", [address])
    node.chain.rpc("anvil_setBalance", [address, hex(10**20)])
    return address


def governed(node: AnvilNode, account: Address, delay: int = SHORTEST_DELAY) -> Parameters:
    """Parameters under a timelock that `account` proposes to."""
    return replace(parameters(node), governor=TimelockTerms((account,), (), delay))


def execute(node: AnvilNode, account: Address, path: Path) -> list[int]:
    """Make every call of a written batch, and return the gas of each."""
    document = json.loads(path.read_text())
    assert document["version"] == "1.0"
    assert document["chainId"] == str(node.chain_id)
    used = []
    for call in document["transactions"]:
        assert set(call) == {"to", "value", "data", "contractMethod", "contractInputsValues"}
        request = {key: call[key] for key in ("to", "data")}
        request |= {"from": account, "gas": hex(2**24), "value": hex(int(call["value"]))}
        hashed = node.chain.rpc("eth_sendTransaction", [request])
        receipt = _mined(node, bytes.fromhex(str(hashed)[2:]))
        assert receipt.succeeded, call["to"]
        used.append(receipt.gas_used)
    return used


def _mined(node: AnvilNode, transaction: bytes) -> Receipt:
    """The receipt, as soon as the node has it."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        receipt = node.chain.receipt(transaction)
        if receipt is not None:
            return receipt
        time.sleep(0.01)
    raise AssertionError("not mined")


def written(node: AnvilNode, folder: Path, wanted: Parameters, account: Address) -> Written:
    """Draft what comes next and write it."""
    found = draft(Ledger(node.chain, folder / "records"), wanted, account)
    return found, write_batches(found, folder / "batches", 1_800_000_000)


Written = tuple[Draft, Sequence[Path]]


def test_a_multisig_deploys_by_batches(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Create and propose; wait for the delay; execute; nothing is left to do."""
    account = safe(snapshot)
    wanted = governed(snapshot, account)
    found, paths = written(snapshot, tmp_path, wanted, account)
    creations = Blueprint.of(wanted).creations
    labels = [call.label for batch in found.batches for call in batch]
    assert labels == [f"create {item.name}" for item in creations] + [
        f"propose {label}" for label in OPENED
    ]
    assert len(paths) == len(found.batches) > 1
    for batch, path in zip(found.batches, paths, strict=True):
        used = execute(snapshot, account, path)
        assert all(gas <= call.gas for gas, call in zip(used, batch, strict=True))
        assert sum(call.gas for call in batch) <= BATCH_GAS

    waiting, none = written(snapshot, tmp_path, wanted, account)
    assert len(none) == 0
    assert len(waiting.remaining) == len(OPENED)
    assert all("can be executed from Unix time" in line for line in waiting.remaining)
    assert not list((tmp_path / "batches").iterdir())
    record = Deployment.load(tmp_path / "records", snapshot.chain_id)
    assert set(entry_states(snapshot.chain, record).values()) == {"unknown"}
    check_deployment(snapshot.chain, record)

    snapshot.chain.rpc("evm_increaseTime", [SHORTEST_DELAY])
    snapshot.mine()
    ready, paths = written(snapshot, tmp_path, wanted, account)
    assert [call.label for call in ready.batches[0]] == [f"execute {label}" for label in OPENED]
    execute(snapshot, account, paths[0])
    done, paths = written(snapshot, tmp_path, wanted, account)
    assert (done.batches, done.remaining, tuple(paths)) == ((), (), ())
    assert set(entry_states(snapshot.chain, record).values()) == {"active"}
    check_deployment(snapshot.chain, record)


def test_an_interrupted_multisig_goes_on(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Only the first batch was executed: the next draft has the rest, and the block is found."""
    account = safe(snapshot)
    wanted = governed(snapshot, account)
    found, paths = written(snapshot, tmp_path, wanted, account)
    snapshot.mine(3)
    execute(snapshot, account, paths[0])
    rest, paths = written(snapshot, tmp_path, wanted, account)
    assert [call.label for batch in rest.batches for call in batch] == [
        call.label for batch in found.batches[1:] for call in batch
    ]
    standing = rest.deployment.contracts
    assert len(standing) == len(found.batches[0])
    for item in standing.values():
        assert snapshot.chain.code(item.address, item.block)
        assert not snapshot.chain.code(item.address, item.block - 1)


def test_who_may_not_propose_is_told_who_may(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Creating takes no privilege; proposing does."""
    account = safe(snapshot)
    proposer = snapshot.signers[6].address
    found, _ = written(snapshot, tmp_path, governed(snapshot, proposer), account)
    assert all(call.to == FACTORY for batch in found.batches for call in batch)
    assert len(found.remaining) == len(OPENED)
    assert all(f"is for {proposer} to propose" in line for line in found.remaining)


def test_an_account_that_governs_opens_at_once(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Development chains only: no timelock, nothing waits."""
    account = safe(snapshot)
    wanted = replace(parameters(snapshot), governor=account)
    found, paths = written(snapshot, tmp_path, wanted, account)
    for path in paths:
        execute(snapshot, account, path)
    assert found.remaining == ()
    done, _ = written(snapshot, tmp_path, wanted, account)
    assert (done.batches, done.remaining) == ((), ())


def test_no_batches_for_a_chain_without_the_deployer(tmp_path: Path) -> None:
    """Nothing that a multisig signs would do anything there."""
    with AnvilNode(create2_deployer=False) as node, pytest.raises(ConfigurationError) as caught:
        written(node, tmp_path, parameters(node), SAFE)
    assert FACTORY in caught.value.message
