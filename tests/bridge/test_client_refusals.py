"""The SDK before nodes that say no in their own ways, or take their time."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from eth_abi.abi import encode
from quotary_bridge.chain.interface import error_catalogue
from quotary_bridge.client import Asked, AsyncOracleClient, OracleClient, OracleError, errors, steps
from quotary_bridge.errors import NotFinal
from quotary_bridge.model import Address, BlockNumber, Bytes32
from web3 import AsyncWeb3, HTTPProvider, Web3
from web3.exceptions import Web3Exception
from web3.providers import AsyncHTTPProvider

from tests.bridge.conftest import ScriptedNode

ORACLE = Address("0x0000000000000000000000000000000000000001")
SENDER = Address("0x0000000000000000000000000000000000000002")
ASKED = Asked(Bytes32(bytes(32)), bytes(32), BlockNumber(1))

(SELECTOR,) = (
    at for at, known in error_catalogue().items() if known.entry.name == "AlreadyRefunded"
)
CUSTOM = f"0x{SELECTOR.hex()}{'00' * 31}07"
WORDS = f"0x08c379a0{encode(['string'], ['not now']).hex()}"

REFUSALS: list[tuple[dict[str, Any], str]] = [
    ({"code": 3, "message": "execution reverted", "data": CUSTOM}, "AlreadyRefunded"),
    ({"code": -32000, "message": "Execution reverted", "data": CUSTOM}, "AlreadyRefunded"),
    (
        {"code": -32015, "message": "VM execution error.", "data": f"Reverted {CUSTOM}"},
        "AlreadyRefunded",
    ),
    ({"code": -32000, "message": "reverted", "data": {"data": CUSTOM}}, "AlreadyRefunded"),
    ({"code": 3, "message": "execution reverted: not now", "data": WORDS}, "Error"),
    ({"code": -32000, "message": "Execution reverted", "data": WORDS}, "Error"),
    ({"code": -32000, "message": "execution reverted"}, "EmptyRevert"),
    ({"code": -32000, "message": "execution reverted", "data": None}, "EmptyRevert"),
]
NO_REFUSALS: list[dict[str, Any]] = [
    {"code": -32000, "message": "header not found"},
    {"code": -32000, "message": "header not found", "data": None},
    {"code": -32005, "message": "limit exceeded", "data": {"see": "https://node.example"}},
]


def read(node: ScriptedNode, *, waiting: bool) -> object:
    """Ask a view through either client."""
    if not waiting:
        return OracleClient(Web3(HTTPProvider(node.url)), ORACLE).read("WORKERS")

    async def _read() -> object:
        provider = AsyncHTTPProvider(node.url)
        try:
            return await AsyncOracleClient(AsyncWeb3(provider), ORACLE).read("WORKERS")
        finally:
            await provider.disconnect()

    return asyncio.run(_read())


@pytest.mark.parametrize("waiting", [False, True], ids=["sync", "async"])
@pytest.mark.filterwarnings("ignore:Could not decode revert reason:RuntimeWarning")
def test_a_refusal_is_typed_however_the_node_words_it(
    scripted: ScriptedNode, *, waiting: bool
) -> None:
    """Web3 takes some of these for errors of the node; what the contract said is in there."""
    for said, name in REFUSALS:
        scripted.script["eth_call"] = said
        with pytest.raises(OracleError) as caught:
            read(scripted, waiting=waiting)
        assert caught.value.name == name, said
        if name == "AlreadyRefunded":
            assert type(caught.value) is errors.AlreadyRefunded


def test_what_no_contract_said_is_no_refusal(scripted: ScriptedNode) -> None:
    """It stays the error of Web3 that it was."""
    for said in NO_REFUSALS:
        scripted.script["eth_call"] = said
        with pytest.raises(Web3Exception):
            read(scripted, waiting=False)


def test_a_refusal_between_trying_and_sending_is_typed(scripted: ScriptedNode) -> None:
    """Somebody was faster: the node refuses to sign what passed a moment ago."""
    refused = {"code": 3, "message": "execution reverted", "data": CUSTOM}
    block = {"number": "0x1", "baseFeePerGas": "0x1", "gasLimit": "0x1c9c380", "timestamp": "0x1"}
    scripted.script |= {"eth_getBlockByNumber": block, "eth_maxPriorityFeePerGas": "0x1"}
    scripted.script |= {
        "eth_call": "0x",
        "eth_estimateGas": refused,
        "eth_sendTransaction": refused,
    }
    client = OracleClient(Web3(HTTPProvider(scripted.url)), ORACLE)
    with pytest.raises(errors.AlreadyRefunded):
        client.send("withdraw", SENDER, SENDER, sender=SENDER)


def test_a_slow_node_does_not_make_waiting_longer() -> None:
    """Three answers of four seconds each are more than ten seconds, however short the rests."""
    now, looks = 0.0, 0

    def _look() -> steps.Steps[None]:
        nonlocal looks
        looks += 1
        yield steps.Step("get_logs")

    work = steps.await_(_look, ASKED, 10.0, 0.5)

    def _run_out() -> None:
        nonlocal now
        step = next(work)
        while True:
            if step.method == steps.SLEEP:
                now += step.arguments[0]
            elif step.method == "get_logs":
                now += 4.0
            step = work.send(now if step.method == steps.NOW else None)

    with pytest.raises(NotFinal):
        _run_out()
    assert (looks, now) == (3, 13.0)


def test_waiting_ends_by_a_clock_that_runs(scripted: ScriptedNode) -> None:
    """The clients' own: no time at all is one look."""
    scripted.script["eth_getLogs"] = []
    began = time.monotonic()
    client = OracleClient(Web3(HTTPProvider(scripted.url)), ORACLE)
    with pytest.raises(NotFinal):
        client.wait(ASKED, 0.01, 0.001)
    assert time.monotonic() - began >= 0.01
