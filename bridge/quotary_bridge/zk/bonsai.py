"""
A remote prover that speaks the Bonsai REST protocol: RISC Zero's service, Bento, and their like.

The service is not trusted: its answers are bounded in time and size, its proofs are verified. The
key goes to the service's own origin only, never to where it lets us upload or download.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import quote, urlsplit

import httpx

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.zk.errors import ProverUnavailable, ProvingFailed

__all__ = ["BonsaiClient", "ProverAccount", "Status", "StatusReport"]

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 60.0
"""For one answer, uploads and downloads included."""
ANSWER_BYTES_LIMIT: Final = 1 << 16
RECEIPT_BYTES_LIMIT: Final = 1 << 22
"""A Groth16 receipt is some kilobytes; a service that sends more sends something else."""

_OK: Final = 200
_NO_CONTENT: Final = 204
_REDIRECTION: Final = 300
_SERVER_ERROR: Final = 500
_RETRY_STATUSES: Final = frozenset({408, 425, 429})
_SHOWN_CHARACTERS: Final = 200
_ID_CHARACTERS: Final = 128


class Status(StrEnum):
    """Where a session stands, in the protocol's spelling."""

    RUNNING = "RUNNING"
    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    TIMED_OUT = "TIMED_OUT"
    ABORTED = "ABORTED"


@dataclass(frozen=True, slots=True)
class ProverAccount:
    """Where the service answers, the key that pays, and the zkVM release to prove with."""

    url: str
    key: str
    release: str

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` for a URL that is none, or a key no header can carry."""
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
            raise _invalid("the prover's URL is not an http:// or https:// URL")
        if parts.username or parts.password or parts.fragment:
            raise _invalid("the prover's URL has more than host, port and path")
        if not (self.key.isascii() and self.key.isprintable() and self.key):
            raise _invalid("the prover's API key is missing, or no header can carry it")

    def __repr__(self) -> str:
        """Without the key."""
        return f"ProverAccount(url={self.url!r}, release={self.release!r})"


@dataclass(frozen=True, slots=True)
class StatusReport:
    """Where a session stands; `output` is where its receipt lies, `detail` what it said."""

    status: Status
    output: str | None
    detail: str


class BonsaiClient:
    """
    One prover service.

    Every method raises `ProverUnavailable` where asking again may help and `ProvingFailed`
    (`PROVER_REFUSED`) where the service said no.
    """

    def __init__(
        self,
        account: ProverAccount,
        transport: httpx.BaseTransport | None = None,
        answer_seconds: float = ANSWER_SECONDS,
    ) -> None:
        """Allow each exchange `answer_seconds` in all; `transport` is for tests."""
        self._account = account
        self._base = account.url.rstrip("/")
        self._seconds = answer_seconds
        self._http = httpx.Client(
            transport=transport,
            timeout=httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS),
            follow_redirects=False,
            headers={"accept-encoding": "identity"},
            trust_env=False,
        )

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def put_image(self, image_id: bytes, program: bytes) -> None:
        """Upload the guest program, unless the service has it."""
        status, body = self._exchange("GET", f"{self._base}/images/upload/{image_id.hex()}")
        if status == _NO_CONTENT:
            return
        self._upload(_text(_json(body), "url"), program)

    def put_input(self, data: bytes) -> str:
        """Upload what the guest reads; return its id."""
        document = _json(self._exchange("GET", f"{self._base}/inputs/upload")[1])
        identifier = _identifier(document)
        self._upload(_text(document, "url"), data)
        return identifier

    def create_session(self, image_id: bytes, input_id: str) -> str:
        """Start proving; return the session's id. Not idempotent: every call is charged."""
        return self._create(
            "sessions",
            {
                "img": image_id.hex(),
                "input": input_id,
                "assumptions": [],
                "execute_only": False,
            },
        )

    def create_snark(self, session: str) -> str:
        """Start wrapping a finished session's proof for chains; return the id of that."""
        return self._create("snark", {"session_id": session})

    def session(self, identifier: str) -> StatusReport:
        """Return where a proving session stands."""
        return self._status("sessions", identifier, "receipt_url")

    def snark(self, identifier: str) -> StatusReport:
        """Return where a wrapping stands."""
        return self._status("snark", identifier, "output")

    def download(self, url: str) -> bytes:
        """Return what the service keeps at `url`, at most `RECEIPT_BYTES_LIMIT` bytes."""
        return self._exchange("GET", self._allowed(url), limit=RECEIPT_BYTES_LIMIT)[1]

    def _create(self, kind: str, document: Mapping[str, object]) -> str:
        body = json.dumps(document).encode()
        _, answer = self._exchange("POST", f"{self._base}/{kind}/create", body, as_json=True)
        return _identifier(_json(answer))

    def _status(self, kind: str, identifier: str, output: str) -> StatusReport:
        url = f"{self._base}/{kind}/status/{quote(identifier, safe='')}"
        document = _json(self._exchange("GET", url)[1])
        try:
            status = Status(_text(document, "status"))
        except ValueError as error:
            raise _broken("an unknown status") from error
        where = document.get(output)
        said = document.get("error_msg") or document.get("state") or ""
        return StatusReport(status, where if isinstance(where, str) else None, _visible(said))

    def _upload(self, url: str, data: bytes) -> None:
        self._exchange("PUT", self._allowed(url), data)

    def _allowed(self, url: str) -> str:
        """Refuse to leave encryption, or the web, on the service's word."""
        here, there = urlsplit(self._base), urlsplit(url)
        if there.scheme not in ("https", here.scheme) or not there.hostname:
            raise _broken("an upload or download URL that is not to be followed")
        return url

    def _headers(self, url: str, *, as_json: bool) -> dict[str, str]:
        headers = {"content-type": "application/json"} if as_json else {}
        here, there = urlsplit(self._base), urlsplit(url)
        if (here.scheme, here.netloc) == (there.scheme, there.netloc):
            headers["x-api-key"] = self._account.key
            headers["x-risc0-version"] = self._account.release
        return headers

    def _exchange(
        self,
        method: str,
        url: str,
        body: bytes | None = None,
        *,
        as_json: bool = False,
        limit: int = ANSWER_BYTES_LIMIT,
    ) -> tuple[int, bytes]:
        # httpx bounds each read, not their sum: a service that drips bytes must end all the same.
        end = time.monotonic() + self._seconds
        answer = bytearray()
        try:
            with self._http.stream(
                method, url, content=body, headers=self._headers(url, as_json=as_json)
            ) as response:
                status = response.status_code
                for chunk in response.iter_raw():
                    answer += chunk
                    if len(answer) > limit:
                        raise _broken(f"more than {limit} bytes")
                    if time.monotonic() > end:
                        raise _unreachable(f"no whole answer after {self._seconds:g} s")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(type(error).__name__) from error
        if status >= _SERVER_ERROR or status in _RETRY_STATUSES:
            raise _unreachable(f"HTTP status {status}")
        if not _OK <= status < _REDIRECTION:
            raise _refused(status, bytes(answer))
        return status, bytes(answer)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise _broken("an answer that is no JSON") from error
    if not isinstance(document, dict):
        raise _broken("an answer that is no JSON object")
    return document


def _text(document: Mapping[str, Any], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value:
        raise _broken(f"an answer without {name}")
    return value


def _identifier(document: Mapping[str, Any]) -> str:
    value = _text(document, "uuid")
    if len(value) > _ID_CHARACTERS or not (value.isascii() and value.isprintable()):
        raise _broken("an id that is none")
    return value


def _visible(said: object) -> str:
    text = said if isinstance(said, str) else ""
    return "".join(c if c.isprintable() else "?" for c in text[:_SHOWN_CHARACTERS])


def _invalid(what: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID, what, "correct BONSAI_API_URL and BONSAI_API_KEY"
    )


def _broken(what: str) -> ProverUnavailable:
    return ProverUnavailable(Reason.PROVER_BROKEN_ANSWER, f"the prover sent {what}")


def _unreachable(what: str) -> ProverUnavailable:
    return ProverUnavailable(
        Reason.PROVER_UNREACHABLE,
        f"the prover does not answer ({what})",
        "run the same command again: the job goes on where it stopped",
    )


def _refused(status: int, body: bytes) -> ProvingFailed:
    said = _visible(body.decode("utf-8", "replace")) or "no reason given"
    return ProvingFailed(
        Reason.PROVER_REFUSED,
        f"the prover refused with HTTP status {status}: {said}",
        "check the API key, its quota and the zkVM release",
    )
