"""
Asking a gateway: the one module here that opens sockets. Needs httpx (extra `fetch`).

HTTPS everywhere except on this very machine; no redirect is followed, no proxy or credential is
read from the environment, every answer is bounded in bytes and seconds, and bodies are kept exactly
as on the wire, since that is what gateways sign. What comes back is evidence to verify, no more.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from ipaddress import ip_address
from time import monotonic
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote, urlsplit

import httpx
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_der_x509_certificate

from quotary.errors import Reason
from quotary.fetch import FetchError

__all__ = ["Answer", "Gateway", "LiveLimits"]

_OK: Final = 200
_MAX_ID: Final = 256
"""Receipt and chat ids come from the gateway and become part of a path."""


@dataclass(frozen=True, slots=True)
class LiveLimits:
    """
    Bounds of one answer.

    `read_seconds` bounds the silence between bytes, `answer_seconds` the whole body, however slowly
    it drips.
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

    `api_key` is sent as a bearer token and never shown. Every method raises `FetchError`. A context
    manager; closes its connections at the end.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        ca_file: str | None = None,
        limits: LiveLimits | None = None,
    ) -> None:
        """Prepare; nothing is sent yet. Raises `FetchError` for a URL that is not safe to ask."""
        self._base, self.host = _origin(url)
        self._limits = limits or LiveLimits()
        headers = {"Accept-Encoding": "identity", "User-Agent": "quotary"}
        if api_key is not None:
            headers["Authorization"] = f"Bearer {api_key}"
        self._client = httpx.Client(
            headers=headers,
            verify=ssl.create_default_context(cafile=ca_file),
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(self._limits.read_seconds, connect=self._limits.connect_seconds),
        )

    def __enter__(self) -> Self:
        """Open."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close all connections."""
        self._client.close()

    def aci_report(self, nonce: bytes) -> Answer:
        """`GET /v1/aci/attestation` under the caller's nonce."""
        return self._send("report", "GET", f"/v1/aci/attestation?nonce={nonce.hex()}")

    def aci_receipt(self, identifier: str) -> Answer:
        """`GET /v1/aci/receipts/{id}`, by receipt id or chat id."""
        return self._send("receipt", "GET", f"/v1/aci/receipts/{_segment(identifier)}")

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
        headers = {} if body is None else {"Content-Type": "application/json"}
        deadline = monotonic() + self._limits.answer_seconds
        try:
            with self._client.stream(
                method, self._base + path, content=body, headers=headers
            ) as response:
                if response.status_code != _OK:
                    raise FetchError(
                        Reason.FETCH_STATUS, item, expected="200", found=str(response.status_code)
                    )
                # Before the body: a connection at its end no longer tells whose it was.
                spki = _spki(item, response)
                received = {name.lower(): value for name, value in response.headers.items()}
                return Answer(self._read(item, response, deadline), received, spki)
        except httpx.TimeoutException as error:
            raise FetchError(Reason.FETCH_TIMEOUT, item, found="no whole answer in time") from error
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise _failure(item, error) from error

    def _read(self, item: str, response: httpx.Response, deadline: float) -> bytes:
        if response.headers.get("content-encoding", "identity").lower() != "identity":
            raise FetchError(Reason.FETCH_ANSWER_INVALID, item, expected="no content encoding")
        chunks, length = [], 0
        for chunk in response.iter_raw():
            length += len(chunk)
            if length > self._limits.answer_bytes:
                raise FetchError(
                    Reason.INPUT_TOO_LARGE,
                    item,
                    expected=f"at most {self._limits.answer_bytes} bytes",
                )
            if monotonic() > deadline:
                raise FetchError(Reason.FETCH_TIMEOUT, item, found="no whole answer in time")
            chunks.append(chunk)
        return b"".join(chunks)


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


def _spki(item: str, response: httpx.Response) -> bytes | None:
    """The key that speaks; None without TLS only, so that no TLS key can go uncompared."""
    if response.url.scheme != "https":
        return None
    stream = response.extensions.get("network_stream")
    tls = None if stream is None else stream.get_extra_info("ssl_object")
    certificate = None if tls is None else tls.getpeercert(True)
    if certificate is None:
        raise FetchError(Reason.TLS_UNTRUSTED, item, expected="the peer's certificate")
    try:
        key = load_der_x509_certificate(certificate).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise FetchError(Reason.TLS_UNTRUSTED, item, expected="a key of a known kind") from error
    return sha256(der).digest()


def _failure(item: str, error: Exception) -> FetchError:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return FetchError(
                Reason.TLS_UNTRUSTED,
                item,
                expected="a certificate of a known authority, for this host",
                found=ascii(cause.verify_message),
            )
        cause = cause.__cause__ or cause.__context__
    found = ascii(str(error))[:200] if str(error) else type(error).__name__
    return FetchError(Reason.FETCH_FAILED, item, expected="an answer", found=found)
