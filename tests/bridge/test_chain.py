"""The port to a chain: what it parses, and which error stands for which failure."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain, TransactionRequest
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.chain.faults import TABLE, classify
from quotary_bridge.chain.interface import Entry, KnownError, error_catalogue
from quotary_bridge.chain.records import block_from, log_from, receipt_from
from quotary_bridge.chain.reverts import decode_revert, revert_data
from quotary_bridge.chain.sender import Sender
from quotary_bridge.errors import (
    BlockNotFound,
    BridgeError,
    ConfigurationError,
    ContractError,
    FeeTooLow,
    InsufficientFunds,
    NonceUsed,
    NotFinal,
    Permanent,
    Reason,
    RequestRefused,
    RpcUnavailable,
    TransactionRefused,
    Transient,
    WrongChain,
)
from quotary_bridge.model import Address

BLOCKS_THAT_ANVIL_SPILLS = 600
"""It holds the states of five hundred in memory, and writes the rest to a disk by default."""

NOBODY = Address("0x000000000000000000000000000000000000dEaD")
# PUSH1 0 PUSH1 0 REVERT; and one that copies its own tail and reverts with it.
REVERTS_WITH_NOTHING = bytes.fromhex("60006000fd")


def reverting(data: bytes) -> bytes:
    """Init code that reverts with `data`."""
    return bytes.fromhex(f"60{len(data):02x}600c60003960{len(data):02x}6000fd") + data


def test_reads_a_block_by_number_and_tag(anvil: AnvilNode) -> None:
    """Blocks come parsed, and the genesis block is nobody's child."""
    genesis = anvil.chain.block(0)
    assert genesis.number == 0
    assert genesis.parent_hash == bytes(32)
    assert anvil.chain.block("latest") == anvil.chain.head()


def test_a_block_that_is_not_there_is_transient(anvil: AnvilNode) -> None:
    """A height the node has not reached yet may come."""
    with pytest.raises(BlockNotFound) as caught:
        anvil.chain.block(10**9)
    assert caught.value.reason is Reason.BLOCK_NOT_FOUND


def test_sends_and_waits(snapshot: AnvilNode) -> None:
    """A transfer is simulated, mined, and moves the money."""
    signer = snapshot.signers[1]
    sender = Sender(snapshot.chain, signer, timeout_seconds=300)
    receipt = sender.send(sender.request(NOBODY, b"", 7))
    assert receipt.succeeded
    assert snapshot.chain.balance(NOBODY) == 7
    assert snapshot.chain.knows(receipt.transaction_hash)
    assert snapshot.chain.receipt(receipt.transaction_hash) == receipt


def test_sending_the_same_bytes_twice_before_mining_succeeds(snapshot: AnvilNode) -> None:
    """The pool's "already known" is a success: that is what a resend after a crash needs."""
    chain = snapshot.chain
    chain.rpc("evm_setAutomine", [False])
    try:
        sender = Sender(chain, snapshot.signers[2], timeout_seconds=0.3)
        signed = sender.sign(sender.request(NOBODY, b"", 1))
        assert chain.send_raw(signed.raw) == signed.hash
        assert chain.send_raw(signed.raw) == signed.hash
        with pytest.raises(NotFinal) as caught:
            sender.wait(signed.hash, sender.request(NOBODY, b"", 1))
        assert caught.value.reason is Reason.NOT_MINED_IN_TIME
        snapshot.mine()
        assert chain.receipt(signed.hash) is not None
        with pytest.raises(NonceUsed):
            chain.send_raw(signed.raw)
    finally:
        chain.rpc("evm_setAutomine", [True])


def test_waits_for_the_depth_asked_for(snapshot: AnvilNode) -> None:
    """One block is not three, and the error says which block holds the transaction."""
    sender = Sender(snapshot.chain, snapshot.signers[3], timeout_seconds=0.3, confirmations=3)
    request = sender.request(NOBODY, b"", 1)
    signed = sender.sign(request)
    snapshot.chain.send_raw(signed.raw)
    with pytest.raises(NotFinal) as caught:
        sender.wait(signed.hash, request)
    assert caught.value.reason is Reason.NOT_FINAL_IN_TIME
    snapshot.mine(2)
    assert sender.wait(signed.hash, request).succeeded


def test_an_account_without_money_is_told_so(anvil: AnvilNode) -> None:
    """The remedy is to pay in, not to debug."""
    poor = Signer.from_key("0x" + "42" * 32, 31337)
    sender = Sender(anvil.chain, poor, timeout_seconds=1)
    with pytest.raises(InsufficientFunds) as caught:
        sender.send(sender.request(NOBODY, b""))
    assert poor.address in caught.value.message
    assert "send some" in caught.value.remedy


def test_a_wrong_chain_is_fatal_before_anything_else(anvil: AnvilNode) -> None:
    """Neither reads nor sends reach a node of another chain."""
    with pytest.raises(WrongChain):
        Chain.connect(anvil.url, 1)
    with pytest.raises(WrongChain):
        Chain.at(anvil.url, 1).head()
    with pytest.raises(WrongChain):
        Chain.at(anvil.url, 1).send_raw(b"\x02")


def test_nobody_at_the_address_is_transient_and_shows_no_key() -> None:
    """RPC URLs carry access keys in their path: errors show host and port only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://user:canary-secret@127.0.0.1:{port}/v2/canary-secret"
    chain = Chain.at(url, 1, timeout_seconds=1)
    with pytest.raises(RpcUnavailable) as caught:
        chain.head()
    assert caught.value.reason is Reason.RPC_UNREACHABLE
    seen = f"{caught.value!r}{caught.value}{chain!r}{caught.value.__cause__!r}"
    assert "canary-secret" not in seen


@pytest.mark.parametrize(
    "url", ["", "localhost:8545", "ftp://h/", "http://", "http://h:x", "http://[::1", "/geth.ipc"]
)
def test_what_is_no_url_is_refused(url: str) -> None:
    """A typing error is named before any connection is tried."""
    with pytest.raises(ConfigurationError):
        Chain.at(url)


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (429, b"slow down", Reason.RPC_RATE_LIMITED),
        (500, b"oops", Reason.RPC_INTERNAL),
        (401, b"no", Reason.RPC_INTERNAL),
        (200, b'{"jsonrpc":"2.0","id":1,"res', Reason.RPC_BROKEN_ANSWER),
        (200, b"<html>", Reason.RPC_BROKEN_ANSWER),
        (200, b"[]", Reason.RPC_BROKEN_ANSWER),
        (200, b'{"jsonrpc":"2.0","id":1}', Reason.RPC_BROKEN_ANSWER),
        (200, b'{"jsonrpc":"2.0","id":1,"result":"latest"}', Reason.RPC_BROKEN_ANSWER),
        (200, b'{"jsonrpc":"2.0","id":1,"result":17}', Reason.RPC_BROKEN_ANSWER),
        (200, b"\xff\xfe", Reason.RPC_BROKEN_ANSWER),
        (200, b"[" * 100_000, Reason.RPC_BROKEN_ANSWER),
    ],
)
def test_broken_answers_are_transient(
    scripted: Any, status: int, body: bytes, reason: Reason
) -> None:
    """Whatever a proxy in between sends, it is one of our errors and never final."""
    scripted.raw = lambda _method, _parameters: (status, body)
    with pytest.raises(RpcUnavailable) as caught:
        Chain.at(scripted.url, 31337).nonce(NOBODY)
    assert caught.value.reason is reason


def test_a_proxy_of_the_environment_does_not_hide_a_local_node(
    scripted: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many machines name a proxy for everything; a local chain is not behind it."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert Chain.connect(scripted.url, 31337).chain_id == 31337


def test_a_redirect_is_not_followed(scripted: Any) -> None:
    """A node cannot send our requests to another address."""
    asked: list[str] = []

    def answer(method: str, _parameters: list[Any]) -> tuple[int, bytes]:
        asked.append(method)
        return 307, b"{}"

    scripted.raw = answer
    with pytest.raises(RpcUnavailable):
        Chain.at(scripted.url, 31337).nonce(NOBODY)
    assert len(asked) == 1


def test_a_silent_node_times_out() -> None:
    """A node that accepts and never answers costs the timeout, not for ever."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(RpcUnavailable) as caught:
            Chain.at(url, 1, timeout_seconds=0.3).head()
    assert caught.value.reason is Reason.RPC_TIMEOUT


def test_a_node_that_confirms_another_transaction_is_not_believed(scripted: Any) -> None:
    """The hash is ours to compute, not the node's to say."""
    scripted.script["eth_sendRawTransaction"] = "0x" + "11" * 32
    with pytest.raises(RpcUnavailable) as caught:
        Chain.at(scripted.url, 31337).send_raw(b"\x02\x01")
    assert caught.value.reason is Reason.RPC_BROKEN_ANSWER


def test_a_chain_that_changes_its_id_is_noticed_before_the_next_send(scripted: Any) -> None:
    """A load balancer that leads elsewhere must not get our transactions."""
    chain = Chain.connect(scripted.url, 31337)
    scripted.chain_id = 1
    with pytest.raises(WrongChain) as caught:
        chain.send_raw(b"\x02\x01")
    assert caught.value.reason is Reason.WRONG_CHAIN


@pytest.mark.parametrize("first", ["quotary_bridge", "eth_account", "web3"])
def test_deep_json_cannot_kill_the_process(first: str) -> None:
    """A library of ours raises the recursion limit; 100 kB of brackets must still be an error."""
    program = (
        f"import {first}, quotary_bridge, json\n"
        "try:\n    json.loads('[' * 100_000)\n"
        "except RecursionError:\n    print('survived')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert done.stdout == "survived\n", done.stderr[-300:]


# The words of geth, reth, erigon, nethermind, besu and anvil for the same things.
@pytest.mark.parametrize(
    ("message", "family", "reason"),
    [
        ("nonce too low: next nonce 5, tx nonce 4", NonceUsed, Reason.NONCE_USED),
        ("OldNonce, Current nonce: 6, nonce of rejected tx: 5", NonceUsed, Reason.NONCE_USED),
        ("NONCE_TOO_LOW", NonceUsed, Reason.NONCE_USED),
        ("replacement transaction underpriced", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
        ("ReplacementNotAllowed", FeeTooLow, Reason.REPLACEMENT_UNDERPRICED),
        ("transaction underpriced: tip needed 1", FeeTooLow, Reason.FEE_TOO_LOW),
        ("max fee per gas less than block base fee", FeeTooLow, Reason.FEE_TOO_LOW),
        ("txpool is full", Transient, Reason.POOL_FULL),
        ("address already reserved", Transient, Reason.ACCOUNT_LIMIT),
        (
            "insufficient funds for gas * price + value",
            InsufficientFunds,
            Reason.INSUFFICIENT_FUNDS,
        ),
        (
            "Insufficient funds for gas * price + value",
            InsufficientFunds,
            Reason.INSUFFICIENT_FUNDS,
        ),
        ("Upfront cost exceeds account balance", InsufficientFunds, Reason.INSUFFICIENT_FUNDS),
        ("intrinsic gas too low", TransactionRefused, Reason.TRANSACTION_REFUSED),
        ("exceeds block gas limit", TransactionRefused, Reason.TRANSACTION_REFUSED),
        ("header not found", BlockNotFound, Reason.BLOCK_NOT_FOUND),
        ("the method does not exist", RpcUnavailable, Reason.RPC_INTERNAL),
    ],
)
def test_the_words_of_every_client_mean_one_thing(
    message: str, family: type[BridgeError], reason: Reason
) -> None:
    """The table knows the strings; what it does not know is never taken for final."""
    found = classify("eth_sendRawTransaction", -32000, message)
    assert isinstance(found, family)
    assert found.reason is reason


def test_codes_decide_where_words_do_not() -> None:
    """JSON-RPC's own codes are the second belt."""
    assert isinstance(classify("x", -32601, "nope"), RequestRefused)
    assert classify("x", -32005, "nope").reason is Reason.RPC_RATE_LIMITED


def test_no_rule_hides_another() -> None:
    """A narrower phrase behind a wider one would never be reached."""
    for index, rule in enumerate(TABLE):
        for earlier in TABLE[:index]:
            assert earlier.phrase not in rule.phrase, (earlier.phrase, rule.phrase)


def test_a_hostile_message_is_cut() -> None:
    """A node's megabyte must not fill the log."""
    assert len(str(classify("x", 1, "A" * 10**6))) < 500


def test_a_revert_without_data_says_so(anvil: AnvilNode) -> None:
    """An empty revert is an error with a remedy, not an empty string."""
    request = TransactionRequest(anvil.signers[0].address, None, REVERTS_WITH_NOTHING)
    with pytest.raises(ContractError) as caught:
        anvil.chain.call(request)
    assert caught.value.name == "EmptyRevert"


def test_a_call_that_runs_out_of_gas_is_at_fault_itself(anvil: AnvilNode) -> None:
    """Taken for a failure of the node, it would be repeated for ever."""
    # An endless loop: JUMPDEST PUSH0 JUMP.
    anvil.chain.rpc("anvil_setCode", [f"0x{'00' * 18}10af", "0x5b5f56"])
    endless = Address(anvil.chain.web3.to_checksum_address(f"0x{'00' * 18}10af"))
    call = TransactionRequest(sender=anvil.signers[0].address, to=endless, gas=50_000)
    for outcome in (*anvil.chain.calls([call], "latest"), *anvil.chain.estimates([call], "latest")):
        assert isinstance(outcome, ContractError)
        assert outcome.name == "OutOfGas"


def test_a_revert_with_a_string_is_read(anvil: AnvilNode) -> None:
    """`Error(string)` comes out in words, through a real node."""
    text = bytes.fromhex("08c379a0") + (32).to_bytes(32, "big") + (5).to_bytes(32, "big")
    data = text + b"sorry".ljust(32, b"\0")
    with pytest.raises(ContractError) as caught:
        anvil.chain.simulate(TransactionRequest(anvil.signers[0].address, None, reverting(data)))
    assert caught.value.name == "Error"
    assert caught.value.values == {"message": "sorry"}


def test_a_panic_is_explained() -> None:
    """`Panic(0x11)` is arithmetic, and says so."""
    found = decode_revert(bytes.fromhex("4e487b71") + (0x11).to_bytes(32, "big"))
    assert found.values == {"code": "0x11", "meaning": "arithmetic out of range"}


def test_an_unknown_selector_keeps_its_bytes() -> None:
    """What no ABI knows is shown as it is."""
    found = decode_revert(bytes.fromhex("deadbeef01"))
    assert found.name == "UnknownError"
    assert found.values["selector"] == bytes.fromhex("deadbeef")


WRAPPED = Entry("error", "Wrapped", ({"name": "reason", "type": "bytes"},), ())
CATALOGUE = {**error_catalogue(), WRAPPED.selector: KnownError(WRAPPED, "A call failed.", "Look.")}


def wrapped(data: bytes) -> bytes:
    return WRAPPED.selector + encode(["bytes"], [data])


def test_the_error_inside_an_error_is_named() -> None:
    """A wrapper's own remedy gives way to that of the cause."""
    unknown = next(key for key, known in CATALOGUE.items() if known.entry.name == "WorkerUnknown")
    worker = bytes(12) + b"\x11" * 20
    found = decode_revert(wrapped(unknown + worker), CATALOGUE)
    assert found.name == "Wrapped"
    assert found.inner is not None
    assert found.inner.name == "WorkerUnknown"
    assert found.remedy == found.inner.remedy
    assert "WorkerUnknown" in found.message


def test_errors_inside_errors_come_to_an_end() -> None:
    """Hostile depth is cut, not followed."""
    data = bytes.fromhex("4e487b71") + (1).to_bytes(32, "big")
    for _ in range(50):
        data = wrapped(data)
    found, depth = decode_revert(data, CATALOGUE), 0
    while found.inner is not None:
        found, depth = found.inner, depth + 1
    assert depth == 4


def test_every_error_of_ours_has_words() -> None:
    """A custom error comes out with its cause and with what to do; only libraries' lack words."""
    silent = {known.entry.name for known in error_catalogue().values() if not known.remedy}
    assert len(error_catalogue()) > 50
    assert silent <= {
        "AccessControlBadConfirmation",
        "AccessControlUnauthorizedAccount",
        "FailedCall",
        "InsufficientBalance",
        "InvalidShortString",
        "ReentrancyGuardReentrantCall",
        "SafeERC20FailedOperation",
        "StringTooLong",
        "TimelockInsufficientDelay",
        "TimelockInvalidOperationLength",
        "TimelockUnauthorizedCaller",
        "TimelockUnexecutedPredecessor",
        "TimelockUnexpectedOperationState",
    }
    for known in error_catalogue().values():
        assert known.entry.signature.startswith(f"{known.entry.name}(")
        assert known.cause or known.entry.name in silent


@pytest.mark.parametrize("limit", [1, 7, 64])
def test_logs_come_in_as_many_questions_as_the_node_wants(scripted: Any, limit: int) -> None:
    """A provider's range limit costs more questions, and loses no block nor asks one twice."""
    asked: list[int] = []

    def answer(method: str, parameters: list[Any]) -> tuple[int, bytes]:
        assert method == "eth_getLogs"
        first, last = (int(parameters[0][key], 16) for key in ("fromBlock", "toBlock"))
        if last - first + 1 > limit:
            said: dict[str, Any] = {"error": {"code": -32602, "message": "block range too wide"}}
        else:
            asked.extend(range(first, last + 1))
            said = {"result": []}
        return 200, json.dumps({"jsonrpc": "2.0", "id": scripted.asked_as, **said}).encode()

    scripted.raw = answer
    assert Chain.at(scripted.url, 31337).all_logs([NOBODY], 5, 70) == ()
    assert asked == list(range(5, 71))


@pytest.mark.parametrize("length", range(0, 70, 3))
def test_truncated_revert_data_never_raises(length: int) -> None:
    """Decoding hostile bytes returns an error, it does not raise one."""
    data = (bytes.fromhex("08c379a0") + b"\xff" * 70)[:length]
    assert isinstance(decode_revert(data), ContractError)


@pytest.mark.parametrize(
    ("code", "message", "data", "expected"),
    [
        (3, "execution reverted", "0xdeadbeef", bytes.fromhex("deadbeef")),
        (-32015, "VM execution error.", "Reverted 0xdeadbeef", bytes.fromhex("deadbeef")),
        (-32000, "execution reverted", None, b""),
        (-32000, "execution reverted", {"data": "0xdeadbeef"}, bytes.fromhex("deadbeef")),
        (-32000, "nonce too low", None, None),
        (-32000, "nonce too low", "0xdeadbeef", None),
    ],
)
def test_finds_revert_data_wherever_a_client_puts_it(
    code: int, message: str, data: object, expected: bytes | None
) -> None:
    """geth, nethermind and proxies each have their own place for it."""
    assert revert_data(code, message, data) == expected


@pytest.mark.parametrize("parse", [block_from, log_from, receipt_from])
@pytest.mark.parametrize("broken", [{}, {"number": 1}, {"address": "0x1"}, {"logs": None}])
def test_broken_records_are_transient(parse: Any, broken: dict[str, Any]) -> None:
    """A parser raises our error for a broken answer, and no other."""
    with pytest.raises(RpcUnavailable):
        parse(broken)


def test_the_families_are_disjoint() -> None:
    """Nothing is both worth repeating and not."""
    assert not issubclass(ContractError, Transient)
    assert not issubclass(RpcUnavailable, Permanent)


def test_anvil_stops_with_its_block() -> None:
    """No process of ours outlives its `with`, and the genesis time is the one asked for."""
    with AnvilNode(timestamp=1_700_000_000) as node:
        chain = node.chain
        assert chain.head().timestamp == 1_700_000_000
        node.advance_to(1_700_000_500)
        assert chain.head().timestamp == 1_700_000_500
        assert node.pid is not None
    assert node.pid is None
    with pytest.raises(RpcUnavailable):
        chain.head()


@pytest.mark.parametrize("states_kept", [None, 100])
def test_a_killed_anvil_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, states_kept: int | None
) -> None:
    """Neither in its user's home nor in the folder it was given, however many blocks it made."""
    home, given = tmp_path / "home", tmp_path / "given"
    for folder in (home, given):
        folder.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr(tempfile, "tempdir", str(given))
    with AnvilNode(states_kept=states_kept) as node:
        node.mine(BLOCKS_THAT_ANVIL_SPILLS)
        assert any(given.rglob("*.json")) is (states_kept is None)
        oldest = BLOCKS_THAT_ANVIL_SPILLS - states_kept if states_kept else 1
        assert node.chain.balance(NOBODY, oldest) == 0
        assert node.pid is not None
        os.kill(node.pid, signal.SIGKILL)
    assert [*home.rglob("*"), *given.rglob("*")] == []


def test_a_port_that_somebody_else_took_costs_another_attempt(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A port found free may be taken a moment later: another is tried, if none was asked for."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = other.getsockname()[1]
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            free = probe.getsockname()[1]
        ports = iter([taken, free])
        monkeypatch.setattr("quotary_bridge.anvil._free_port", lambda: next(ports))
        with AnvilNode() as node:
            assert node.url.endswith(f":{free}")
        with pytest.raises(RpcUnavailable) as caught:
            AnvilNode(port=taken).start()
        assert "in use" in caught.value.message


def test_a_machine_without_anvil_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """The variable that names a wrong program is the first suspect."""
    monkeypatch.setenv("FOUNDRY_ANVIL", str(tmp_path / "none"))
    with pytest.raises(ConfigurationError) as caught:
        AnvilNode().start()
    assert caught.value.reason is Reason.TOOL_MISSING
