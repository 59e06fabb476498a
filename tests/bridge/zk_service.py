"""A prover service on the loopback that speaks the Bonsai protocol, and fails on demand."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

__all__ = ["API_KEY", "Service", "bincode_receipt", "serving"]

API_KEY = "key-of-the-tests"

Fault = Callable[[BaseHTTPRequestHandler], None]
"""What happens instead of the answer."""


@dataclass
class Service:
    """
    The service's state, and what is to go wrong.

    `faults` maps "METHOD /path-prefix" to what the next requests of that kind meet, one each.
    """

    prove: Callable[[bytes, bytes], bytes]
    polls: int = 1
    outcome: str = "SUCCEEDED"
    url: str = ""
    images: dict[str, bytes] = field(default_factory=dict)
    inputs: dict[str, bytes] = field(default_factory=dict)
    sessions: dict[str, tuple[str, str]] = field(default_factory=dict)
    snarks: dict[str, str] = field(default_factory=dict)
    asked: dict[str, int] = field(default_factory=dict)
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)

    def answer(  # noqa: PLR0911 (one for each request of the protocol)
        self, method: str, path: str, body: bytes
    ) -> tuple[int, bytes]:
        """The status and body the protocol asks for."""
        parts = path.strip("/").split("/")
        match (method, *parts):
            case ("GET", "images", "upload", image):
                if image in self.images:
                    return 204, b""
                return _document({"url": f"{self.url}/put/images/{image}"})
            case ("GET", "inputs", "upload"):
                name = f"input-{len(self.inputs)}"
                self.inputs[name] = b""
                return _document({"url": f"{self.url}/put/inputs/{name}", "uuid": name})
            case ("PUT", "put", kind, name):
                (self.images if kind == "images" else self.inputs)[name] = body
                return 200, b""
            case ("POST", "sessions", "create"):
                asked = json.loads(body)
                name = f"session-{len(self.sessions)}"
                self.sessions[name] = (asked["img"], asked["input"])
                return _document({"uuid": name})
            case ("POST", "snark", "create"):
                name = f"snark-{len(self.snarks)}"
                self.snarks[name] = json.loads(body)["session_id"]
                return _document({"uuid": name})
            case ("GET", kind, "status", name):
                return self._status(kind, name)
            case ("GET", "get", snark):
                image, given = self.sessions[self.snarks[snark]]
                return 200, self.prove(bytes.fromhex(image), self.inputs[given])
            case _:
                return 404, b"no such thing"

    def _status(self, kind: str, name: str) -> tuple[int, bytes]:
        self.asked[name] = self.asked.get(name, 0) + 1
        if self.asked[name] <= self.polls:
            return _document({"status": "RUNNING", "state": "ProveSegments: 1/2"})
        if kind == "snark":
            return _document({"status": "SUCCEEDED", "output": f"{self.url}/get/{name}"})
        detail = None if self.outcome == "SUCCEEDED" else "out of cycles"
        return _document({"status": self.outcome, "receipt_url": "unused", "error_msg": detail})

    def count(self, prefix: str) -> int:
        """How many requests of a kind there were."""
        return sum(f"{method} {path}".startswith(prefix) for method, path, _ in self.requests)


@contextmanager
def serving(service: Service) -> Iterator[Service]:
    """Serve until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(service))
    server.daemon_threads = True
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def bincode_receipt(seal: bytes, journal: bytes, parameters: bytes, variant: int = 2) -> bytes:
    """A receipt in the form of `risc0_zkvm::Receipt`, its claim pruned."""
    return b"".join(
        (
            variant.to_bytes(4, "little"),
            len(seal).to_bytes(8, "little") + seal,
            (1).to_bytes(4, "little") + bytes(32),
            parameters,
            len(journal).to_bytes(8, "little") + journal,
            parameters,
        )
    )


def status(code: int, text: bytes = b"") -> Fault:
    """Answer with this status."""
    return lambda handler: _send(handler, code, text)


def body(text: bytes) -> Fault:
    """Answer 200 with this body."""
    return lambda handler: _send(handler, 200, text)


def hang_up(handler: BaseHTTPRequestHandler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True


def drip(handler: BaseHTTPRequestHandler) -> None:
    """Send a byte now and then, for ever."""
    handler.send_response(200)
    handler.send_header("content-length", "1000")
    handler.end_headers()
    for _ in range(100):
        time.sleep(0.05)
        try:
            handler.wfile.write(b"{")
            handler.wfile.flush()
        except OSError:
            return


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            given = self.rfile.read(length)
            service.requests.append((self.command, self.path, self.headers.get("x-api-key")))
            for prefix, faults in service.faults.items():
                if faults and f"{self.command} {self.path}".startswith(prefix):
                    faults.pop(0)(self)
                    return
            _send(self, *service.answer(self.command, self.path, given))

        do_GET = do_PUT = do_POST = _serve  # noqa: N815 (http.server's names)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


def _send(handler: BaseHTTPRequestHandler, code: int, text: bytes) -> None:
    try:
        handler.send_response(code)
        handler.send_header("content-length", str(len(text)))
        handler.end_headers()
        handler.wfile.write(text)
    except OSError:
        # Who asked hung up first.
        handler.close_connection = True


def _document(values: dict[str, object]) -> tuple[int, bytes]:
    return 200, json.dumps(values).encode()
