"""A collateral service for tests: speaks the PCS version 4 and PCCS protocol, and can misbehave."""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from base64 import b64decode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

Collateral = dict[str, str]
Fault = Callable[["Answer", BaseHTTPRequestHandler], bool]
"""Changes the answer, or sends something itself and returns True."""


@dataclass
class Answer:
    """What the service is about to send."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Service:
    """
    What the service knows, what it was asked, and which faults it has left.

    `channels` maps an update channel's name to the collateral of each (tee, fmspc); `faults` maps
    the end of a path to the faults its next answers have, None being a good one. `pccs` answers as
    Intel's caching service does: CRLs in hex, TCB info under the older header.
    """

    pccs: bool = False
    channels: dict[str, dict[tuple[str, str], Collateral]] = field(default_factory=dict)
    pck_chains: dict[str, tuple[str, str]] = field(default_factory=dict)
    evaluations: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    fmspcs: list[dict[str, str]] = field(default_factory=list)
    faults: dict[str, list[Fault | None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    request_headers: list[dict[str, str]] = field(default_factory=list)
    url: str = ""

    def publish(self, collateral: Collateral, channel: str = "standard") -> None:
        """Serve `collateral` on a channel, and under its evaluation number."""
        info = json.loads(collateral["tcb_info"])
        key = (info.get("id", "SGX").lower(), info["fmspc"].upper())
        for name in (channel, str(info["tcbEvaluationDataNumber"])):
            self.channels.setdefault(name, {})[key] = collateral

    def fail(self, path_end: str, *faults: Fault | None) -> None:
        """Give the next answers for paths with this end these faults."""
        self.faults.setdefault(path_end, []).extend(faults)

    def answer(self, target: str) -> Answer:
        """The answer a service without faults gives."""
        parts = urlsplit(target)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path == "/IntelSGXRootCA.der" and not self.pccs:
            return Answer(200, bytes.fromhex(self._any()["root_ca_crl"]))
        match = re.fullmatch(r"/(sgx|tdx)/certification/v4/(.+)", parts.path)
        if match is None:
            return Answer(404)
        tee, document = match[1], match[2]
        answers: dict[str, Callable[[], Answer]] = {
            "pckcrl": lambda: self._pck_crl(query),
            "pckcert": lambda: self._pck_certificate(query),
            "tcbevaluationdatanumbers": lambda: self._evaluations(tee),
            "fmspcs": lambda: self._fmspcs(query.get("platform", "all")),
        }
        if self.pccs:
            answers["rootcacrl"] = lambda: Answer(200, self._any()["root_ca_crl"].encode())
        return answers.get(document, lambda: self._signed(tee, document, query))()

    def _signed(self, tee: str, document: str, query: dict[str, str]) -> Answer:
        channel = query.get("update") or query.get("tcbEvaluationDataNumber")
        if channel is None or {"update", "tcbEvaluationDataNumber"} <= set(query):
            return Answer(400)
        known = self.channels.get(channel, {})
        if document == "tcb":
            collateral = known.get((tee, query["fmspc"].upper()))
            name = "SGX-TCB-Info-Issuer-Chain" if self.pccs else "TCB-Info-Issuer-Chain"
            part, wrapper = "tcb_info", "tcbInfo"
        elif document == "qe/identity":
            collateral = next((found for (kind, _), found in known.items() if kind == tee), None)
            name = "SGX-Enclave-Identity-Issuer-Chain"
            part, wrapper = "qe_identity", "enclaveIdentity"
        else:
            return Answer(404)
        if collateral is None:
            return Answer(404)
        signature = collateral[f"{part}_signature"]
        body = f'{{"{wrapper}":{collateral[part]},"signature":"{signature}"}}'
        return Answer(200, body.encode(), {name: quote(collateral[f"{part}_issuer_chain"])})

    def _pck_crl(self, query: dict[str, str]) -> Answer:
        for known in self.channels.values():
            for collateral in known.values():
                if _ca(collateral) == query["ca"]:
                    crl = collateral["pck_crl"]
                    chain = {"SGX-PCK-CRL-Issuer-Chain": quote(collateral["pck_crl_issuer_chain"])}
                    return Answer(200, crl.encode() if self.pccs else bytes.fromhex(crl), chain)
        return Answer(404)

    def _pck_certificate(self, query: dict[str, str]) -> Answer:
        if set(query) != {"qeid", "encrypted_ppid", "cpusvn", "pcesvn", "pceid"}:
            return Answer(400)
        chain = self.pck_chains.get(query["encrypted_ppid"].lower())
        if chain is None:
            return Answer(404)
        leaf, issuers = chain
        tcbm = query["cpusvn"] + query["pcesvn"]
        headers = {"SGX-PCK-Certificate-Issuer-Chain": quote(issuers), "SGX-TCBm": tcbm}
        return Answer(200, leaf.encode(), headers)

    def _evaluations(self, tee: str) -> Answer:
        known = self.evaluations.get(tee)
        if known is None:
            return Answer(404)
        document, signature, chain = known
        body = f'{{"tcbEvaluationDataNumbers":{document},"signature":"{signature}"}}'
        return Answer(
            200, body.encode(), {"TCB-Evaluation-Data-Numbers-Issuer-Chain": quote(chain)}
        )

    def _fmspcs(self, platform: str) -> Answer:
        """Intel's service has the list; caching services have not."""
        if self.pccs:
            return Answer(404)
        wanted = [entry for entry in self.fmspcs if platform in ("all", entry["platform"])]
        return Answer(200, json.dumps(wanted).encode())

    def _any(self) -> Collateral:
        return next(iter(next(iter(self.channels.values())).values()))


def _ca(collateral: Collateral) -> str:
    chain = collateral["pck_crl_issuer_chain"]
    first = chain.split("-----")[2]
    return "platform" if b"Platform CA" in b64decode(first) else "processor"


class _Handler(BaseHTTPRequestHandler):
    service: Service

    def do_GET(self) -> None:
        """Answer, with the next fault there is for this path."""
        self.service.asked.append(self.path)
        self.service.request_headers.append({k.lower(): v for k, v in self.headers.items()})
        answer = self.service.answer(self.path)
        path = urlsplit(self.path).path
        for end, faults in self.service.faults.items():
            if path.endswith(end) and faults:
                fault = faults.pop(0)
                if fault is not None and fault(answer, self):
                    return
                break
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if "Content-Length" not in answer.headers:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Clients that hang up are what some tests are about."""


@contextmanager
def serving(service: Service, certificate: Path | None = None) -> Iterator[Service]:
    """Serve on loopback until the block ends; over TLS if there is a certificate (with key)."""
    handler = type("Handler", (_Handler,), {"service": service})
    server = _Server(("127.0.0.1", 0), handler)
    scheme = "http"
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        scheme = "https"
    service.url = f"{scheme}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def status(code: int, **headers: str) -> Fault:
    """Answer with another status."""

    def fault(answer: Answer, _: BaseHTTPRequestHandler) -> bool:
        answer.status, answer.body = code, b"no"
        answer.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        return False

    return fault


def redirect(to: str) -> Fault:
    """Send the client elsewhere."""
    return status(302, Location=to)


def without_header(name: str) -> Fault:
    """Leave a header out."""

    def fault(answer: Answer, _: BaseHTTPRequestHandler) -> bool:
        del answer.headers[name]
        return False

    return fault


def with_header(name: str, value: str) -> Fault:
    """Send another value of a header."""

    def fault(answer: Answer, _: BaseHTTPRequestHandler) -> bool:
        answer.headers[name] = value
        return False

    return fault


def with_body(body: bytes) -> Fault:
    """Send another body under the same headers."""

    def fault(answer: Answer, _: BaseHTTPRequestHandler) -> bool:
        answer.body = body
        return False

    return fault


def truncated(answer: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Promise the whole body, send half of it and hang up."""
    handler.send_response(200)
    for name, value in answer.headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(answer.body)))
    handler.end_headers()
    handler.wfile.write(answer.body[: len(answer.body) // 2])
    return True


def flood(_: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Send a body without end and without a declared length."""
    handler.send_response(200)
    handler.end_headers()
    try:
        while True:
            handler.wfile.write(b"0" * 65536)
    except OSError:
        return True


def endless_headers(_: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Send header after header."""
    handler.send_response(200)
    try:
        while True:
            handler.wfile.write(b"X-More: " + b"a" * 8192 + b"\r\n")
    except OSError:
        handler.close_connection = True
        return True


def hang_up(_: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Close the connection without a word."""
    handler.close_connection = True
    return True


def endless_promise(answer: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Declare far too long a body and drip it."""
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    return _drip(handler, f"HTTP/1.1 200 OK\r\n{head}Content-Length: {10**12}\r\n\r\n".encode())


def slow_headers(_: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Drip a header byte by byte, faster than any timeout between bytes."""
    return _drip(handler, b"HTTP/1.1 200 OK\r\nX-Slow: ")


def slow_body(answer: Answer, handler: BaseHTTPRequestHandler) -> bool:
    """Send the head at once and then drip the body."""
    head = "".join(f"{name}: {value}\r\n" for name, value in answer.headers.items())
    start = f"HTTP/1.1 200 OK\r\n{head}Content-Length: {len(answer.body)}\r\n\r\n"
    return _drip(handler, start.encode())


DRIPS = 4_000
"""Three minutes: whoever hears a drip to its end was not bound by anything."""


def _drip(handler: BaseHTTPRequestHandler, start: bytes) -> bool:
    try:
        handler.wfile.write(start)
        for _ in range(DRIPS):
            handler.wfile.write(b"a")
            handler.wfile.flush()
            time.sleep(0.05)
    except OSError:
        pass
    handler.close_connection = True
    return True
