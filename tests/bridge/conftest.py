"""A real Anvil for the tests that need a chain, and a node that says whatever a test wants."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import structlog
from quotary_bridge.anvil import AnvilNode, find_anvil
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.store import Store

from tests.bridge.store_parts import OpenStore

REDIRECTS = (301, 302, 307, 308)

Answer = Callable[[str, list[Any]], tuple[int, bytes]]


@pytest.fixture(scope="session")
def anvil() -> Iterator[AnvilNode]:
    """One Anvil for the whole session; tests that disturb it take a `snapshot`."""
    try:
        find_anvil()
    except ConfigurationError as error:
        pytest.skip(str(error))
    with AnvilNode() as node:
        yield node


@pytest.fixture
def snapshot(anvil: AnvilNode) -> Iterator[AnvilNode]:
    """The session's Anvil, put back afterwards."""
    state = anvil.chain.rpc("evm_snapshot")
    yield anvil
    anvil.chain.rpc("evm_revert", [state])


@pytest.fixture(autouse=True)
def quiet_logs() -> Iterator[None]:
    """Whatever a test configures, the next one starts without."""
    yield
    structlog.reset_defaults()


@pytest.fixture
def open_store() -> Iterator[OpenStore]:
    """Open stores that are closed when the test ends, however it ends."""
    with ExitStack() as opened:
        yield lambda where, now: opened.enter_context(closing(Store.open(where, now)))


class QuietServer(ThreadingHTTPServer):
    """Says nothing of clients that hang up, which is what some tests are about."""

    def handle_error(self, *_: object) -> None:
        """Say nothing."""


class ScriptedNode:
    """A JSON-RPC server on a loopback port that answers as the test's script says."""

    def __init__(self, chain_id: int = 31337) -> None:
        """Listen at once."""
        self.chain_id = chain_id
        self.script: dict[str, Any] = {}
        self.raw: Answer | None = None
        self.page: bytes | None = None
        self.asked_as: Any = None
        node = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                status, answer = node.answer(body)
                self.send_response(status)
                if status in REDIRECTS:
                    self.send_header("Location", node.url)
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

    def answer(self, body: dict[str, Any]) -> tuple[int, bytes]:
        """Status and body for one request."""
        method, self.asked_as = body["method"], body["id"]
        if self.page is not None:
            return 200, self.page
        if self.raw is not None and method != "eth_chainId":
            return self.raw(method, body["params"])
        said = {"eth_chainId": hex(self.chain_id), **self.script}.get(method)
        head = {"jsonrpc": "2.0", "id": body["id"]}
        if isinstance(said, dict) and "code" in said:
            return 200, json.dumps({**head, "error": said}).encode()
        return 200, json.dumps({**head, "result": said}).encode()

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def scripted() -> Iterator[ScriptedNode]:
    node = ScriptedNode()
    yield node
    node.close()
