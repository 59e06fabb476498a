"""Deploying through deaths: whatever is killed, and when, costs only another run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import count, cycle
from pathlib import Path
from typing import Any

import pytest
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain
from quotary_bridge.chain.deployment import Deployment, record_path
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.chain.transport import JsonRpcProvider
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.deploy import Blueprint, Deployer, Outcome, Parameters, check_deployment
from quotary_bridge.errors import ContractError
from web3 import Web3

from tests.bridge.deploy_parts import OPENED, deployer, parameters

RUNS_LIMIT = 400


class DeathError(BaseException):
    """The process dies here: no handler of errors may notice."""


class MortalProvider(JsonRpcProvider):
    """Dies at the nth exchange that asks for `method` (any, by default): before it, or after."""

    def __init__(self, url: str, last: int, *, after: bool, method: str | None = None) -> None:
        """Die at exchange number `last`."""
        super().__init__(url, 30)
        self.left, self.after, self.method = last, after, method

    def _exchange(self, body: Any) -> object:
        if self.method is None or (isinstance(body, dict) and body["method"] == self.method):
            self.left -= 1
        if self.left == 0 and not self.after:
            raise DeathError
        answer = super()._exchange(body)
        if self.left == 0:
            self.left = -1
            raise DeathError
        return answer


def run_until_death(
    node: AnvilNode, folder: Path, wanted: Parameters, provider: MortalProvider
) -> Outcome | None:
    """One run of the program, None where it died."""
    chain = Chain(Web3(provider), node.chain_id)
    sender = Sender(chain, node.signers[0], timeout_seconds=300)
    try:
        return Deployer(sender, folder).run(wanted)
    except DeathError:
        return None


def require_whole(node: AnvilNode, folder: Path, wanted: Parameters, first_nonce: int) -> None:
    """Everything stands, as planned, and nothing was done twice."""
    record = Deployment.load(folder, node.chain_id)
    assert {name: item.address for name, item in record.contracts.items()} == record.planned
    assert record.pending is None
    check_deployment(node.chain, record)
    sent = node.chain.nonce(node.signers[0].address) - first_nonce
    assert sent == len(Blueprint.of(wanted).creations) + len(OPENED)
    again = deployer(node, folder).run(wanted)
    assert (again.created, again.opened, again.remaining) == ((), (), ())


def test_every_transaction_may_be_the_last_thing_done(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Killed before and after each broadcast, run after run."""
    wanted = parameters(snapshot)
    nonce = snapshot.chain.nonce(snapshot.signers[0].address)
    deaths = 0
    for after in cycle((False, True)):
        provider = MortalProvider(snapshot.url, 1, after=after, method="eth_sendRawTransaction")
        if run_until_death(snapshot, tmp_path, wanted, provider) is not None:
            break
        deaths += 1
        assert deaths < RUNS_LIMIT
    assert deaths >= 2 * (len(Blueprint.of(wanted).creations) + len(OPENED))
    require_whole(snapshot, tmp_path, wanted, nonce)


@pytest.mark.parametrize("after", [False, True])
def test_every_question_may_be_the_last_thing_asked(
    snapshot: AnvilNode, tmp_path: Path, *, after: bool
) -> None:
    """Each run lives one exchange longer than the one before it, until one finishes."""
    wanted = parameters(snapshot)
    nonce = snapshot.chain.nonce(snapshot.signers[0].address)
    for last in count(1):
        provider = MortalProvider(snapshot.url, last, after=after)
        if run_until_death(snapshot, tmp_path, wanted, provider) is not None:
            break
        assert last < RUNS_LIMIT
    require_whole(snapshot, tmp_path, wanted, nonce)


def test_a_killed_process_is_finished_by_the_next(snapshot: AnvilNode, tmp_path: Path) -> None:
    """SIGKILL, as soon as some of it stands."""
    command = [
        *(sys.executable, "-m", "quotary", "deploy", "--rpc-url", snapshot.url),
        *("--deployments", str(tmp_path), "--private-key", WELL_KNOWN_KEYS[0], "--json"),
    ]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ETH_")}
    path = record_path(tmp_path, snapshot.chain_id)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, env=clean) as process:
        while process.poll() is None:
            if path.exists() and len(json.loads(path.read_text())["contracts"]) > 2:
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.01)
    finished = subprocess.run(command, capture_output=True, text=True, env=clean, check=False)
    assert finished.returncode == 0, finished.stderr
    check_deployment(snapshot.chain, Deployment.load(tmp_path, snapshot.chain_id))


def test_a_stranger_may_be_faster(snapshot: AnvilNode, tmp_path: Path) -> None:
    """The same code at the same address, whoever sent it: it is taken as it stands."""
    wanted = parameters(snapshot)
    stranger = deployer(snapshot, tmp_path / "stranger", account=7)
    assert len(stranger.run(wanted).remaining) == len(OPENED)
    before = snapshot.chain.head().number
    snapshot.mine(5)
    outcome = deployer(snapshot, tmp_path).run(wanted)
    assert outcome.created == ()
    assert outcome.opened == OPENED
    theirs = Deployment.load(tmp_path / "stranger", snapshot.chain_id).contracts
    for name, item in outcome.deployment.contracts.items():
        assert item.transaction is None
        assert item.block == theirs[name].block <= before
    check_deployment(snapshot.chain, outcome.deployment)


def test_a_lost_block_is_made_up_for(snapshot: AnvilNode, tmp_path: Path) -> None:
    """After a reorganisation what is gone is created again, where it was."""
    wanted = parameters(snapshot)
    state = snapshot.chain.rpc("evm_snapshot")
    run_until_death(
        snapshot,
        tmp_path,
        wanted,
        MortalProvider(snapshot.url, 4, after=True, method="eth_sendRawTransaction"),
    )
    run_until_death(
        snapshot,
        tmp_path,
        wanted,
        MortalProvider(snapshot.url, 4, after=True, method="eth_sendRawTransaction"),
    )
    assert len(Deployment.load(tmp_path, snapshot.chain_id).contracts) > 4
    snapshot.chain.rpc("evm_revert", [state])
    outcome = deployer(snapshot, tmp_path).run(wanted)
    assert set(outcome.created) == set(outcome.deployment.planned)
    check_deployment(snapshot.chain, outcome.deployment)


def test_a_bare_chain_gets_its_deterministic_deployer(tmp_path: Path) -> None:
    """Installed by the transaction its authors signed; addresses are those of any other chain."""
    with AnvilNode(create2_deployer=False) as node:
        wanted = parameters(node)
        outcome = deployer(node, tmp_path).run(wanted)
        assert outcome.deployment.planned == Blueprint.of(wanted).addresses
        check_deployment(node.chain, outcome.deployment)


def test_a_spoiled_log_is_named(snapshot: AnvilNode, tmp_path: Path) -> None:
    """Whoever takes a seat of our log first spoils the deployment; another salt is another one."""
    wanted = parameters(snapshot)
    first = MortalProvider(snapshot.url, 1, after=True, method="eth_sendRawTransaction")
    run_until_death(snapshot, tmp_path, wanted, first)
    sender = Sender(snapshot.chain, snapshot.signers[8], timeout_seconds=300)
    log = Blueprint.of(wanted).addresses["ChangeLog"]
    sender.send(sender.request(log, interface("ChangeLog").encode_call("enrol", [])))
    with pytest.raises(ContractError) as caught:
        deployer(snapshot, tmp_path).run(wanted)
    assert caught.value.name == "NoSeatLeft"
    other = deployer(snapshot, tmp_path / "other").run(replace(wanted, salt="again"))
    assert not set(other.deployment.planned.values()) & set(Blueprint.of(wanted).addresses.values())
