"""Registering a worker that lies, drips, or is no worker at all."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from eth_utils.crypto import keccak
from quotary import QuotaryError, RawCollateral, TrustRoot, strict
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import Binding
from quotary_bridge.errors import (
    BridgeError,
    ConfigurationError,
    EvidenceRejected,
    Reason,
    RpcUnavailable,
)
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import (
    ANSWER_BYTES_LIMIT,
    Application,
    Registration,
    ask_for_quote,
    verify_registration,
)
from quotary_enclave.simulator import Simulator, TdReport, sample_td

AT = datetime(2026, 11, 20, tzinfo=UTC)
WORKER = Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8")
KEY = b"\x07" * 32
APPLICATION = Application(
    registry=Address("0x5FbDB2315678afecb367f032d93F642f64180aa3"),
    app_id=Bytes32(keccak(text="app")),
    operator=Address("0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"),
)

Reply = Callable[[dict[str, Any]], tuple[int, bytes]]


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that hang up, which is what some tests are about."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


class Impostor:
    """An HTTP server in a worker's place."""

    def __init__(self) -> None:
        """Listen at once."""
        self.reply: Reply = lambda _: (200, b"{}")
        self.asked: list[tuple[str, dict[str, Any]]] = []
        impostor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                impostor.asked.append((self.path, body))
                status, answer = impostor.reply(body)
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("Location", "http://169.254.169.254/")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *arguments: object) -> None:
                """Say nothing."""

        self._server = QuietServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def impostor() -> Iterator[Impostor]:
    server = Impostor()
    yield server
    server.close()


def answer(**changes: object) -> bytes:
    """A worker's answer, or one that differs in a field."""
    document: dict[str, object] = {
        "worker": WORKER,
        "quote": "0x00",
        "binding": {"encryptionKey": "0x" + KEY.hex(), "registry": "0x" + "66" * 20},
    }
    return json.dumps({**document, **changes}).encode()


def test_asks_for_this_chain_registry_app_operator_and_block(
    impostor: Impostor, anvil: AnvilNode
) -> None:
    """The binding is rebuilt from what was asked: a worker's own version of it is not read."""
    impostor.reply = lambda _: (200, answer())
    anvil.mine(2)
    found = ask_for_quote(impostor.url, APPLICATION, anvil.chain)
    ((path, asked),) = impostor.asked
    block = anvil.chain.block(asked["challengeBlock"])
    assert path == "/v1/quotary/register"
    assert asked["chainId"] == anvil.chain_id
    assert found.binding == Binding(
        version=1,
        chain_id=anvil.chain_id,
        registry=APPLICATION.registry,
        app_id=APPLICATION.app_id,
        operator=APPLICATION.operator,
        encryption_key=Bytes32(KEY),
        challenge_block=block.number,
        challenge=Bytes32(bytes.fromhex(asked["challenge"][2:])),
    )
    registry = bytes(12) + bytes.fromhex(APPLICATION.registry[2:])
    chain_id = anvil.chain_id.to_bytes(32, "big")
    assert found.binding.challenge == keccak(chain_id + registry + block.hash)
    assert found.report_data[:20] == bytes.fromhex(WORKER[2:])
    assert found.report_data[52:] == bytes(12)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        answer(worker=None),
        answer(worker="0x12"),
        answer(quote="zz"),
        answer(quote=7),
        answer(binding=None),
        answer(binding={"encryptionKey": "0x12"}),
        b" " * (ANSWER_BYTES_LIMIT + 1),
    ],
)
def test_nonsense_in_place_of_a_quote(impostor: Impostor, anvil: AnvilNode, body: bytes) -> None:
    """Whatever comes back, it is one of our errors, and it is bounded."""
    impostor.reply = lambda _: (200, body)
    with pytest.raises(RpcUnavailable) as caught:
        ask_for_quote(impostor.url, APPLICATION, anvil.chain)
    assert caught.value.reason is Reason.WORKER_UNREACHABLE


def test_a_refusal_is_told_in_the_workers_words_and_harmless(
    impostor: Impostor, anvil: AnvilNode
) -> None:
    """The message is shown, shortened, and cannot steer a terminal."""
    text = "chain 5 is not served \x1b[2J" + "A" * 10_000
    impostor.reply = lambda _: (403, json.dumps({"error": {"message": text}}).encode())
    with pytest.raises(ConfigurationError) as caught:
        ask_for_quote(impostor.url, APPLICATION, anvil.chain)
    assert caught.value.reason is Reason.WORKER_REFUSED
    assert "chain 5 is not served" in caught.value.message
    assert "\x1b" not in caught.value.message
    assert len(caught.value.message) < 500


@pytest.mark.parametrize("status", [301, 307])
def test_a_redirect_is_not_followed(impostor: Impostor, anvil: AnvilNode, status: int) -> None:
    """A worker cannot send us to another address inside our own network."""
    impostor.reply = lambda _: (status, b"{}")
    with pytest.raises(BridgeError):
        ask_for_quote(impostor.url, APPLICATION, anvil.chain)
    assert len(impostor.asked) == 1


def test_a_silent_worker_costs_its_timeout(impostor: Impostor, anvil: AnvilNode) -> None:
    """A worker that never answers does not hold the command."""
    release = threading.Event()

    def wait(_: dict[str, Any]) -> tuple[int, bytes]:
        release.wait(10)
        return 200, b"{}"

    impostor.reply = wait
    try:
        with pytest.raises(RpcUnavailable):
            ask_for_quote(impostor.url, APPLICATION, anvil.chain, timeout_seconds=0.3)
    finally:
        release.set()


def judged(bound: bytes, expected: bytes) -> object:
    """The verdict on a simulated quote that binds `bound` where `expected` was asked for."""
    simulator = Simulator(AT, seed=b"registration")
    platform = simulator.platform()
    base: TdReport = replace(sample_td(simulator), report_data=bound)
    collateral = RawCollateral.from_json(json.dumps(simulator.collateral(platform, "tdx")))
    binding = Binding(
        1, 1, APPLICATION.registry, APPLICATION.app_id, WORKER, Bytes32(KEY), 1, Bytes32(KEY)
    )
    return verify_registration(
        Registration(WORKER, platform.quote(base), binding, expected),
        collateral,
        policy=strict(),
        at=AT,
        root=TrustRoot.from_certificate(simulator.root_der),
    )


def test_a_quote_that_binds_what_was_asked_is_taken() -> None:
    """The one good case beside the bad ones below."""
    assert judged(b"\1" * 64, b"\1" * 64)


@pytest.mark.parametrize("position", [0, 19, 20, 51, 52, 63])
def test_a_genuine_quote_for_somebody_else_is_rejected(position: int) -> None:
    """Any byte that differs, of address, binding or tail, is another registration."""
    other = bytearray(b"\1" * 64)
    other[position] ^= 1
    with pytest.raises(EvidenceRejected) as caught:
        judged(bytes(other), b"\1" * 64)
    assert caught.value.reason is Reason.BINDING_MISMATCH


def test_a_simulated_quote_is_nothing_under_intels_root() -> None:
    """The default root is Intel's, and the simulator's evidence does not lead there."""
    simulator = Simulator(AT, seed=b"registration")
    platform = simulator.platform()
    collateral = RawCollateral.from_json(json.dumps(simulator.collateral(platform, "tdx")))
    quote = platform.quote(replace(sample_td(simulator), report_data=b"\1" * 64))
    binding = Binding(
        1, 1, APPLICATION.registry, APPLICATION.app_id, WORKER, Bytes32(KEY), 1, Bytes32(KEY)
    )
    registration = Registration(WORKER, quote, binding, b"\1" * 64)
    with pytest.raises(QuotaryError):
        verify_registration(registration, collateral, policy=strict(), at=AT)
