"""Contracts that are called back, through the relayer: a poisonous one hurts itself alone."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from quotary_bridge.chain.contracts import CallbackStatus, RequestStatus, ResultOracle
from quotary_bridge.chain.contracts.base import Contract
from quotary_bridge.chain.interface import error_catalogue, interface
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Address, Bytes32, ChainId, job_key
from quotary_bridge.store import Store

from tests.bridge.relayer_town import APP, FEE, MODEL, Town, Worker, client_of, drive, relayer_of

pytest_plugins = ["tests.bridge.relayer_fixtures"]

_HUNDRED_KB = "620186a0"
_POISONS = {
    "reverts": "5f5ffd",
    "burns all its gas": "5b5f56",
    "returns a bomb": f"{_HUNDRED_KB}5ff3",
    "reverts with a bomb": f"{_HUNDRED_KB}5ffd",
    "destroys itself": "5fff",
}
"""Code that consumers turn into, once they have asked."""

_RETURNS = ("returns a bomb", "destroys itself")
"""Whose callback did not fail: it returned."""


class EightBall(Contract):
    """The example, which keeps the last answer."""

    abi_name = "EightBall"


@dataclass(frozen=True)
class Consumer:
    """A contract that asked, and the id of what it asked."""

    account: Address
    request_id: Bytes32


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def consumer_of(town: Town, number: int) -> Consumer:
    """Deploy the example and have it ask, as anybody's contract does."""
    sender = town.sender(1)
    ball = interface("EightBall")
    created = sender.send(sender.request(None, ball.encode_creation([town.oracle])))
    assert created.contract_address is not None
    account = Address(created.contract_address)
    asking = ball.encode_call("ask", [APP, MODEL, b"question %d" % number])
    receipt = sender.send(sender.request(account, asking, FEE))
    topic = interface("ResultOracle").event("RequestCreated").topic
    (asked,) = [log for log in receipt.logs if log.topics[0] == topic]
    return Consumer(account, Bytes32(asked.topics[1]))


def code_that_comes_back(oracle: Address) -> str:
    """Code that withdraws from the oracle whose callback it is in, and fails as that does."""
    selector = interface("ResultOracle").function("withdraw").selector.hex()
    calls = f"63{selector}60e01b5f52306024525f5f60445f5f73{oracle[2:].lower()}5af1"
    return f"{calls}503d5f5f3e3d5ffd"


def test_poisonous_consumers_hold_up_nobody(town: Town, store: Store) -> None:
    """All that asked are answered and final, the calm one was told, and the workers are paid."""
    poisons = {**_POISONS, "comes back in": code_that_comes_back(town.oracle)}
    asked = {name: consumer_of(town, number) for number, name in enumerate([*poisons, "calm"])}
    for name, code in poisons.items():
        town.chain.rpc("anvil_setCode", [asked[name].account, f"0x{code}"])
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        drive(relayer, town)
    assert sorted(town.deliveries()) == sorted(each.request_id for each in asked.values())
    oracle, chain_id = ResultOracle(town.chain, town.oracle), ChainId(town.chain.chain_id)
    for name, consumer in asked.items():
        job = store.job(job_key(chain_id, town.oracle, consumer.request_id))
        assert job is not None
        assert job.state is JobState.FINAL, name
        state = oracle.state_of(consumer.request_id)
        assert state.status is RequestStatus.FULFILLED
        told = name in (*_RETURNS, "calm")
        assert state.callback is (CallbackStatus.SUCCEEDED if told else CallbackStatus.FAILED), name
    assert EightBall(town.chain, asked["calm"].account).read("answer") == b"an answer"
    assert refusal(town, asked["comes back in"]) == "ReentrancyGuardReentrantCall"


def refusal(town: Town, consumer: Consumer) -> str:
    """Why its callback failed, by the name of the contracts' error."""
    failed = interface("ResultOracle").event("CallbackFailed")
    logs = town.chain.logs([town.oracle], 0, town.chain.head().number, [failed.topic])
    (log,) = [log for log in logs if log.topics[1] == consumer.request_id]
    return error_catalogue()[log.data[:4]].entry.name
