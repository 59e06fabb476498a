"""`quotary request`: workers by name, late ones, and callbacks that failed."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import request
from quotary_bridge.errors import Reason
from quotary_bridge.model import Address
from quotary_bridge.store import Store

from tests.bridge.relayer_town import APP, MODEL, Town, Worker, client_of, drive, relayer_of
from tests.bridge.test_cli import Command, runner

pytest_plugins = ["tests.bridge.relayer_fixtures"]

ANYBODY, SOMEBODY_ELSE, DELEGATING = 5, 7, 4
WHAT = ("--app", f"0x{APP.hex()}", "--model", f"0x{MODEL.hex()}")
REVERTS = "0x5f5ffd"
WORKERS = [Worker(key=f"0x{number:064x}").address for number in (1, 2, 3)]


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((request,), capsys, monkeypatch)


@pytest.fixture
def flags(town: Town, tmp_path: Path) -> tuple[object, ...]:
    """The chain, and a record that names the oracle."""
    chain = town.node.chain
    record = Deployment(chain.chain_id, chain.block(0).hash, town.node.signers[0].address, {})
    deployed = Deployed(
        *("ResultOracle", town.oracle, {}, bytes(32), bytes(32), None, town.deployed_at),
        keccak(chain.code(town.oracle)),
    )
    record.with_contract("ResultOracle", deployed).save(tmp_path / "records")
    return ("--rpc-url", town.node.url, "--deployments", tmp_path / "records", "--json")


def account(number: int) -> tuple[str, str]:
    return ("--private-key", WELL_KNOWN_KEYS[number])


def test_a_request_may_name_its_workers_for_a_time(
    quotary: Command, flags: tuple[object, ...]
) -> None:
    """In any order; and what makes no sense is refused before anything is paid."""
    ask = ("request", "ask", "anybody?", *WHAT, *account(ANYBODY), *flags)
    named = [each for worker in reversed(WORKERS) for each in ("--worker", worker)]
    asked = quotary(*ask, "--quorum", "2/3", *named, "--reserved-for", "60")
    assert asked.code == 0, asked
    shown = quotary("request", "status", asked.json["request_id"], *flags).json
    assert shown["workers"] == sorted(WORKERS, key=lambda each: int(each, 16))
    assert shown["deadline"] - shown["reserved_until"] == 3600 - 60
    half = quotary(*ask, "--worker", WORKERS[0], "--expires-in", "1000").json["request_id"]
    shown = quotary("request", "status", half, *flags).json
    assert shown["deadline"] - shown["reserved_until"] == 500
    for wrong in (
        ("--reserved-for", "60"),
        ("--worker", WORKERS[0], "--reserved-for", "3600"),
        ("--worker", WORKERS[0], "--worker", WORKERS[1]),
        ("--worker", WORKERS[0], "--worker", WORKERS[0], "--quorum", "2/2"),
    ):
        ran = quotary(*ask, *wrong)
        assert (ran.code, ran.json["reason"]) == (6, Reason.CONFIGURATION_INVALID)


def test_a_request_whose_workers_are_late_is_opened_by_anybody(
    quotary: Command, town: Town, flags: tuple[object, ...]
) -> None:
    """Not before their time is over, and once; whoever sends it is credited a hundredth."""
    asked = quotary(
        *("request", "ask", "anybody?", *WHAT, "--worker", WORKERS[0], "--reserved-for", "60"),
        *("--fee", "3gwei", *account(ANYBODY), *flags),
    )
    request_id = asked.json["request_id"]
    reassign = ("request", "reassign", request_id, *account(SOMEBODY_ELSE), *flags)
    early = quotary(*reassign)
    assert (early.code, early.json["error"]["name"]) == (4, "StillReserved")
    town.node.advance_to(town.chain.head().timestamp + 61)
    opened = quotary(*reassign)
    assert (opened.code, opened.json["reward"]) == (0, "30000000")
    assert quotary("request", "status", request_id, *flags).json["reassigned"] is True
    assert "opened to all" in quotary("request", "status", request_id, *flags[:-1]).out
    again = quotary(*reassign)
    assert (again.code, again.json["error"]["name"]) == (4, "NothingToReassign")
    unknown = quotary("request", "reassign", "0x" + "11" * 32, *account(SOMEBODY_ELSE), *flags)
    assert (unknown.code, unknown.json["reason"]) == (6, Reason.CONFIGURATION_INVALID)


def ball(town: Town) -> Address:
    """A contract that asks, and keeps the answers that it is called back with."""
    sender = town.sender(0)
    creation = interface("EightBall").encode_creation([town.oracle])
    receipt = sender.send(sender.request(None, creation))
    assert receipt.contract_address is not None
    return Address(receipt.contract_address)


def ask_by(sender: Sender, requester: Address) -> str:
    """Have `requester`, a ball, ask; returns the request's id."""
    call = interface("EightBall").encode_call("ask", [APP, MODEL, b"anybody?"])
    created = interface("ResultOracle").event("RequestCreated").topic
    receipt = sender.send(sender.request(requester, call))
    return next(f"0x{log.topics[1].hex()}" for log in receipt.logs if log.topics[0] == created)


def answered(town: Town, store: Store) -> None:
    with relayer_of(town, store, client_of(one=Worker()), finality_depth=1) as relayer:
        drive(relayer, town)
    assert len(town.deliveries()) == 1


def kept(town: Town, requester: Address) -> bytes:
    """The answer that a ball was called back with."""
    abi = interface("EightBall")
    call = TransactionRequest(requester, requester, abi.encode_call("answer", []))
    (found,) = abi.decode_result("answer", town.chain.call(call))
    return bytes(found)


def test_a_callback_that_failed_is_repeated_by_the_requester_alone(
    quotary: Command, town: Town, flags: tuple[object, ...], sqlite_store: Store
) -> None:
    """A contract makes the call that is shown; it was tried out as if it came from there."""
    requester = ball(town)
    code = f"0x{town.chain.code(requester).hex()}"
    request_id = ask_by(town.sender(1), requester)
    retry = ("request", "retry-callback", request_id)
    early = quotary(*retry, "--unsigned", *flags)
    assert (early.code, early.json["reason"]) == (6, Reason.CONFIGURATION_INVALID)
    town.chain.rpc("anvil_setCode", [requester, REVERTS])
    answered(town, sqlite_store)
    assert quotary("request", "status", request_id, *flags).json["callback"] == "failed"
    broken = quotary(*retry, "--unsigned", *flags)
    assert (broken.code, broken.json["error"]["name"]) == (4, "CallbackReverted")
    town.chain.rpc("anvil_setCode", [requester, code])
    stranger = quotary(*retry, *account(SOMEBODY_ELSE), *flags)
    assert (stranger.code, stranger.json["error"]["name"]) == (4, "NotTheRequester")
    shown = quotary(*retry, "--unsigned", *flags)
    assert (shown.code, shown.json["to"], shown.json["sent"]) == (0, town.oracle, False)
    town.chain.rpc("anvil_setBalance", [requester, hex(10**18)])
    town.chain.rpc("anvil_impersonateAccount", [requester])
    call = {"from": requester, "to": shown.json["to"], "data": shown.json["data"]}
    town.chain.rpc("eth_sendTransaction", [call])
    town.chain.rpc("anvil_stopImpersonatingAccount", [requester])
    town.quiet()
    assert kept(town, requester) == b"an answer"
    assert quotary("request", "status", request_id, *flags).json["callback"] == "succeeded"
    again = quotary(*retry, "--unsigned", *flags)
    assert (again.code, again.json["error"]["name"]) == (4, "NothingToRetry")


def test_whoever_missed_that_its_request_was_refunded_hears_of_it_again(
    quotary: Command, town: Town, flags: tuple[object, ...]
) -> None:
    """The callback of an end without an answer is repeated as that of an answer is."""
    requester = ball(town)
    code = f"0x{town.chain.code(requester).hex()}"
    request_id = ask_by(town.sender(1), requester)
    town.chain.rpc("anvil_setCode", [requester, REVERTS])
    town.node.advance_to(town.chain.head().timestamp + 3601)
    assert quotary("request", "refund", request_id, *account(ANYBODY), *flags).code == 0
    assert quotary("request", "status", request_id, *flags).json["callback"] == "failed"
    retry = ("request", "retry-callback", request_id, "--unsigned", *flags)
    broken = quotary(*retry)
    assert (broken.code, broken.json["error"]["name"]) == (4, "CallbackReverted")
    town.chain.rpc("anvil_setCode", [requester, code])
    shown = quotary(*retry)
    assert (shown.code, shown.json["sent"]) == (0, False)


def test_an_account_that_is_a_requester_sends_the_retry_itself(
    quotary: Command, town: Town, flags: tuple[object, ...], sqlite_store: Store
) -> None:
    """An account that delegates to a contract's code (EIP-7702) is called back, and signs too."""
    delegate, owner = ball(town), town.node.signers[DELEGATING].address
    designator = f"0xef0100{delegate[2:].lower()}"
    town.chain.rpc("anvil_setCode", [owner, designator])
    request_id = ask_by(town.sender(DELEGATING), owner)
    town.chain.rpc("anvil_setCode", [delegate, REVERTS])
    answered(town, sqlite_store)
    broken = town.node.chain.code(delegate)
    assert broken == bytes.fromhex(REVERTS[2:])
    repaired = ball(town)
    town.chain.rpc("anvil_setCode", [owner, f"0xef0100{repaired[2:].lower()}"])
    sent = quotary("request", "retry-callback", request_id, *account(DELEGATING), *flags)
    assert (sent.code, sent.json["sent"]) == (0, True), sent
    assert kept(town, owner) == b"an answer"
