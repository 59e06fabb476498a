"""
Asking a gateway: the one module here that opens sockets. Needs the extra `fetch`.

HTTPS everywhere except on this very machine; no redirect is followed, no proxy or credential is
read from the environment, every answer is bounded in bytes and seconds, and bodies are kept exactly
as on the wire, since that is what gateways sign. What comes back is evidence to verify, no more.
Every request has a connection of its own, so no socket is held between them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from typing import Final
from urllib.parse import quote, urlsplit

import httpcore
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import InvalidVersion, load_der_x509_certificate

from quotary.errors import Reason
from quotary.fetch import FetchError
from quotary.fetch._http import FAILURES, DeadlineBackend, failure, tls_context

__all__ = ["Answer", "Gateway", "LiveLimits"]

_OK: Final = 200
_MAX_ID: Final = 256
"""Receipt and chat ids come from the gateway and become part of a path."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """
    Bounds of one answer.

    `read_seconds` bounds the silence between bytes, `answer_seconds` everything from the connection
    to the last byte, however slowly it drips.
    """

    connect_seconds: float = 10.0
    read_seconds: float = 60.0
    answer_seconds: float = 300.0
    answer_bytes: int = 8 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A body as on the wire, header names in lower case, and the TLS key that spoke."""

    body: bytes
    headers: Mapping[str, str]
    spki_sha256: bytes | None


class Gateway:
    """
    A gateway at one origin.

    `api_key` is sent as a bearer token and never shown. Every method raises `FetchError`.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: str | None = None,
        limits: LiveLimits | None = None,
    ) -> None:
        """
        Prepare; nothing is sent yet.

        Raises `FetchError` for a URL that is not safe to ask, `OSError` for an unreadable
        `ca_file`.
        """
        self._base, self.host = _origin(url)
        self._limits = limits or LiveLimits()
        # Reading all authorities takes a tenth of a second, and loopback needs none.
        secure = ca_file is not None or self._base.startswith("https")
        self._tls = tls_context(ca_file) if secure else None
        self._headers = [
            ("User-Agent", "quotary"),
            ("Accept-Encoding", "identity"),
            ("Connection", "close"),
        ]
        if api_key is not None:
            self._headers.append(("Authorization", f"Bearer {api_key}"))

    def aci_report(self, nonce: bytes) -> Answer:
        """`GET /v1/aci/attestation` under the caller's nonce."""
        return self._send("report", "GET", f"/v1/aci/attestation?nonce={nonce.hex()}")

    def aci_receipt(self, identifier: str, key_id: str | None = None) -> Answer:
        """
        `GET /v1/aci/receipts/{id}`, by receipt id or chat id.

        `key_id` asks for the receipt by that key of the keyset; a service may sign with another.
        """
        query = "" if key_id is None else f"?key_id={_segment(key_id)}"
        return self._send("receipt", "GET", f"/v1/aci/receipts/{_segment(identifier)}{query}")

    def aci_session(self, session_id: str) -> Answer:
        """`GET /v1/aci/sessions/{session_id}`."""
        return self._send("session", "GET", f"/v1/aci/sessions/{_segment(session_id)}")

    def chat_report(self, nonce: bytes, algorithm: str) -> Answer:
        """`GET /v1/attestation/report` of a first-generation gateway."""
        query = f"signing_algo={_segment(algorithm)}&nonce={nonce.hex()}"
        return self._send("report", "GET", f"/v1/attestation/report?{query}")

    def chat_signature(self, chat_id: str, algorithm: str) -> Answer:
        """`GET /v1/signature/{chat_id}` of a first-generation gateway."""
        path = f"/v1/signature/{_segment(chat_id)}?signing_algo={_segment(algorithm)}"
        return self._send("signature", "GET", path)

    def chat(self, request: bytes) -> Answer:
        """`POST /v1/chat/completions` with exactly these bytes."""
        return self._send("answer", "POST", "/v1/chat/completions", request)

    def _send(self, item: str, method: str, path: str, body: bytes | None = None) -> Answer:
        limits = self._limits
        content = [] if body is None else [("Content-Type", "application/json")]
        timeouts = {
            "connect": limits.connect_seconds,
            "read": limits.read_seconds,
            "write": limits.read_seconds,
        }
        backend = DeadlineBackend(monotonic() + limits.answer_seconds)
        try:
            with (
                httpcore.ConnectionPool(ssl_context=self._tls, network_backend=backend) as pool,
                pool.stream(
                    method,
                    self._base + path,
                    headers=[*self._headers, *content],
                    content=body,
                    extensions={"timeout": timeouts},
                ) as response,
            ):
                return _answer(item, response, limits, tls=self._base.startswith("https"))
        except FAILURES as error:
            raise failure(item, error) from error


def _answer(item: str, response: httpcore.Response, limits: LiveLimits, *, tls: bool) -> Answer:
    if response.status != _OK:
        raise FetchError(Reason.FETCH_STATUS, item, expected="200", found=str(response.status))
    headers = {
        name.decode("latin-1").lower(): value.decode("latin-1") for name, value in response.headers
    }
    if headers.get("content-encoding", "identity").strip().lower() != "identity":
        raise FetchError(Reason.FETCH_ANSWER_INVALID, item, expected="no content encoding")
    # Before the body: a connection at its end no longer tells whose it was.
    spki = _spki(item, response) if tls else None
    chunks, length = [], 0
    for chunk in response.iter_stream():
        length += len(chunk)
        if length > limits.answer_bytes:
            raise FetchError(
                Reason.INPUT_TOO_LARGE, item, expected=f"at most {limits.answer_bytes} bytes"
            )
        chunks.append(chunk)
    return Answer(b"".join(chunks), headers, spki)


def _origin(url: str) -> tuple[str, str]:
    """The URL's origin and path prefix, and its host name."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _unsafe(url) from error
    if not host or parts.username is not None or parts.query or parts.fragment:
        raise _unsafe(url)
    if parts.scheme != "https" and not (parts.scheme == "http" and _loopback(host)):
        raise FetchError(
            Reason.TLS_REQUIRED, "url", expected="https", found=ascii(parts.scheme)[:20]
        )
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", host


def _unsafe(url: str) -> FetchError:
    return FetchError(
        Reason.FETCH_FAILED,
        "url",
        expected="a plain https address without credentials or query",
        found=ascii(url.rpartition("@")[2])[:100],
    )


def _loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _segment(text: str) -> str:
    if not 0 < len(text) <= _MAX_ID or text in (".", ".."):
        raise FetchError(Reason.FETCH_ANSWER_INVALID, "id", expected=f"1 to {_MAX_ID} characters")
    return quote(text, safe="", errors="replace")


def _spki(item: str, response: httpcore.Response) -> bytes:
    """The key that speaks. Raises rather than let a TLS key go uncompared."""
    tls = response.extensions["network_stream"].get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(True)
    if certificate is None:
        raise FetchError(Reason.TLS_UNTRUSTED, item, expected="the peer's certificate")
    try:
        key = load_der_x509_certificate(certificate).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm, InvalidVersion) as error:
        raise FetchError(Reason.TLS_UNTRUSTED, item, expected="a key of a known kind") from error
    return sha256(der).digest()
