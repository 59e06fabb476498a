"""
Asking one worker for one result, over HTTP.

The worker is not trusted: its answer is bounded in time and size, parsed into exact types, and
means nothing before `quotary_bridge.workers.check` has looked at it.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import httpx

from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import (
    Address,
    Bytes32,
    Request,
    Result,
    SignedResult,
    Timestamp,
    address_from,
)
from quotary_bridge.workers.batches import Answered, Batch, BatchQuestion, SignedBatch

__all__ = ["Endpoint", "FaultKind", "WorkerClient", "WorkerFaultError", "read_statement"]

IDENTITY_PATH: Final = "v1/quotary/worker"
RESULTS_PATH: Final = "v1/quotary/results"
BATCHES_PATH: Final = "v1/quotary/batches"
COMMITMENTS_PATH: Final = "v1/quotary/commitments"
REVEALS_PATH: Final = "v1/quotary/reveals"
ANSWER_BYTES_LIMIT: Final = 1 << 20
"""The oracle's outputs are far smaller; a transaction of 2^24 gas holds under 420,000 bytes."""

CONNECT_SECONDS: Final = 5.0
ANSWER_SECONDS: Final = 120.0
"""Inference takes its time; a worker that needs longer is as good as absent."""

NESTING_LIMIT: Final = 16
"""A signed result nests two levels deep."""

URLS_REMEMBERED: Final = 256

_HEADERS: Final = {"accept": "application/json", "accept-encoding": "identity"}
_REFUSAL_CHARACTERS: Final = 80
# Brackets, and strings so that brackets inside them do not count.
_STRUCTURE: Final = re.compile(r'[\[\]{}]|"(?:[^"\\]|\\.)*+"', re.DOTALL)
_NESTING: Final = {"[": 1, "{": 1, "]": -1, "}": -1}
_DECIMAL: Final = re.compile(r"0|[1-9][0-9]{0,77}")
_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,80}")
_SERVER_ERROR: Final = 500
_RETRY_STATUSES: Final = (408, 425, 429)
_OK: Final = 200

_Said = TypeVar("_Said")


class FaultKind(StrEnum):
    """Whose fault it is that there is no answer, and so what to do next."""

    UNREACHABLE = "Unreachable"
    TIMEOUT = "WorkerTimeout"
    UNAVAILABLE = "WorkerUnavailable"
    BROKEN_ANSWER = "BrokenAnswer"
    REFUSED = "WorkerRefused"


class WorkerFaultError(Exception):
    """A worker gave no answer; `kind` is stable, `detail` is what it said itself, bounded."""

    def __init__(self, kind: FaultKind, detail: str) -> None:
        """Say `kind`; `detail` may come from the worker and is only ever shown."""
        super().__init__(f"{kind}: {detail}")
        self.kind = kind
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    Where a worker answers, and which worker that is, where it is known.

    The URL comes from the operator's configuration only, never from the chain or another worker.
    """

    url: str
    worker: Address | None = None

    def __post_init__(self) -> None:
        """Raise `ConfigurationError` where the URL is none, or carries credentials."""
        try:
            parts = urlsplit(self.url)
            valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            httpx.URL(self.url)
        except (ValueError, httpx.InvalidURL):
            valid = False
        if not valid:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                "the worker's URL is not an http:// or https:// URL",
                "give the URL that the worker printed when it started",
            )
        if parts.username or parts.password or parts.query or parts.fragment:
            raise ConfigurationError(
                Reason.CONFIGURATION_INVALID,
                f"the URL of the worker at {parts.hostname} has more than host, port and path",
                "leave out user, password, query and fragment",
            )

    @property
    def name(self) -> str:
        """Host and port, for logs and metrics."""
        return urlsplit(self.url).netloc


class WorkerClient:
    """Asks workers; safe to use from several threads."""

    def __init__(
        self, transport: httpx.BaseTransport | None = None, answer_seconds: float = ANSWER_SECONDS
    ) -> None:
        """Allow each answer `answer_seconds` in all; `transport` is for tests without a network."""
        self._seconds = answer_seconds
        # The bare transport: no redirects, cookies or proxies from the environment. Only the
        # configured address is asked, at half of what a client of httpx costs.
        self._http = transport or httpx.HTTPTransport(trust_env=False)
        self._bounds = {"timeout": httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS).as_dict()}

    def close(self) -> None:
        """Close every connection."""
        self._http.close()

    def ask(self, endpoint: Endpoint, request: Request) -> SignedResult:
        """Return the worker's answer, not yet checked; raises `WorkerFaultError`."""
        return _read(_answer, self._asked("POST", endpoint, RESULTS_PATH, _question(request)))

    def answer_many(self, endpoint: Endpoint, question: BatchQuestion) -> SignedBatch:
        """Return the worker's answers under one signature, not yet checked; `WorkerFaultError`."""
        asked = [
            {"requestId": f"0x{request_id.hex()}", "input": f"0x{content.hex()}"}
            for request_id, content in question.asked
        ]
        document = {
            "requests": asked,
            "appId": f"0x{question.app_id.hex()}",
            "modelId": f"0x{question.model_id.hex()}",
            "deadline": question.deadline,
            "oracle": question.oracle,
            "chainId": question.chain_id,
        }
        return _read(_signed_batch, self._asked("POST", endpoint, BATCHES_PATH, document))

    def identify(self, endpoint: Endpoint) -> Address:
        """Return who the worker says it is; raises `WorkerFaultError`."""
        body = self._asked("GET", endpoint, IDENTITY_PATH, None)
        return _read(lambda document: _address(document["worker"]), body)

    def commit(self, endpoint: Endpoint, request: Request) -> tuple[Address, Bytes32]:
        """Return whose commitment to its answer, and which; raises `WorkerFaultError`."""
        question = {
            "terms": f"0x{request.terms.hex()}",
            "input": f"0x{request.input.hex()}",
            "oracle": request.oracle,
            "chainId": request.chain_id,
        }
        body = self._asked("POST", endpoint, COMMITMENTS_PATH, question)
        return _read(lambda said: (_address(said["worker"]), _word(said["commitment"])), body)

    def reveal(
        self, endpoint: Endpoint, request: Request, closed: Sequence[Bytes32]
    ) -> SignedResult:
        """
        Return the worker's answer in the round of the commitments `closed`, not yet checked.

        Raises `WorkerFaultError`. Warning: a worker shows its answer to one round only. Whoever
        asks must have stored the round before.
        """
        question = {
            "requestId": f"0x{request.request_id.hex()}",
            "round": [f"0x{commitment.hex()}" for commitment in closed],
            "oracle": request.oracle,
            "chainId": request.chain_id,
        }
        return _read(_answer, self._asked("POST", endpoint, REVEALS_PATH, question))

    def _asked(
        self, method: str, endpoint: Endpoint, path: str, question: Mapping[str, object] | None
    ) -> bytes:
        """Return the body of a good answer; raises `WorkerFaultError`."""
        try:
            status, body = self._exchange(method, _url(endpoint.url, path), question)
        except httpx.TimeoutException as error:
            detail = f"no answer after {self._seconds:g} s"
            raise WorkerFaultError(FaultKind.TIMEOUT, detail) from error
        except httpx.HTTPError as error:
            raise WorkerFaultError(FaultKind.UNREACHABLE, type(error).__name__) from error
        if status != _OK:
            raise _refusal(status, body)
        return body

    def _exchange(
        self, method: str, url: httpx.URL, question: Mapping[str, object] | None
    ) -> tuple[int, bytes]:
        # httpx bounds each read, not their sum: a worker that drips bytes must end all the same.
        end = time.monotonic() + self._seconds
        asked = httpx.Request(method, url, json=question, headers=_HEADERS, extensions=self._bounds)
        with closing(self._http.handle_request(asked)) as response:
            if "content-encoding" in response.headers:
                # A few compressed bytes may stand for gigabytes, and we asked for none.
                raise WorkerFaultError(FaultKind.BROKEN_ANSWER, "a compressed answer")
            body = bytearray()
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > ANSWER_BYTES_LIMIT:
                    detail = f"longer than {ANSWER_BYTES_LIMIT} bytes"
                    raise WorkerFaultError(FaultKind.BROKEN_ANSWER, detail)
                if time.monotonic() > end:
                    detail = f"not complete after {self._seconds:g} s"
                    raise WorkerFaultError(FaultKind.TIMEOUT, detail)
            return response.status_code, bytes(body)


def read_statement(document: bytes) -> SignedResult:
    """Return what a worker answered, not checked, out of its whole answer; `WorkerFaultError`."""
    return _read(_answer, document)


@lru_cache(URLS_REMEMBERED)
def _url(endpoint: str, path: str) -> httpx.URL:
    """Return where a path of an endpoint is; reading a URL takes longer than writing a question."""
    return httpx.URL(f"{endpoint.rstrip('/')}/{path}")


def _question(request: Request) -> dict[str, object]:
    # A worker of ours reads it all from the terms; other fields are for those that do not.
    return {
        "terms": f"0x{request.terms.hex()}",
        "requestId": f"0x{request.request_id.hex()}",
        "appId": f"0x{request.app_id.hex()}",
        "modelId": f"0x{request.model_id.hex()}",
        "input": f"0x{request.input.hex()}",
        "deadline": request.deadline,
        "oracle": request.oracle,
        "chainId": request.chain_id,
    }


def _refusal(status: int, body: bytes) -> WorkerFaultError:
    detail = f"HTTP status {status}"
    try:
        code = _parsed(body)["error"]["code"]
    except (ValueError, KeyError, TypeError):
        code = None
    if isinstance(code, str) and _CODE.fullmatch(code):
        detail = f"{detail}, {code}"
    if status >= _SERVER_ERROR or status in _RETRY_STATUSES:
        return WorkerFaultError(FaultKind.UNAVAILABLE, detail)
    return WorkerFaultError(FaultKind.REFUSED, detail)


def _read(parse: Callable[[Any], _Said], body: bytes) -> _Said:
    try:
        return parse(_parsed(body))
    except (ValueError, KeyError, TypeError) as error:
        # The message may quote the answer: it is cut before anybody logs it.
        detail = f"not what was asked for ({str(error)[:_REFUSAL_CHARACTERS]})"
        raise WorkerFaultError(FaultKind.BROKEN_ANSWER, detail) from error


def _answer(document: Mapping[str, Any]) -> SignedResult:
    return SignedResult(
        result=_result(document["result"]),
        output=_bytes(document["output"]),
        signature=_bytes(document["signature"]),
    )


def _signed_batch(document: Mapping[str, Any]) -> SignedBatch:
    said = document["batch"]
    batch = Batch(
        app_id=_word(said["appId"]),
        model_id=_word(said["modelId"]),
        weights_root=_word(said["weightsRoot"]),
        root=_word(said["root"]),
        count=_uint(said["count"], 64),
        key_epoch=_uint(said["keyEpoch"], 64),
        policy_version=_uint(said["policyVersion"], 64),
        worker=_address(said["worker"]),
        nonce=_uint(said["nonce"], 256),
        deadline=Timestamp(_uint(said["deadline"], 64)),
    )
    answers = tuple(
        Answered(_word(answer["requestId"]), _bytes(answer["output"]), _uint(answer["units"], 64))
        for answer in document["answers"]
    )
    return SignedBatch(batch, answers, _bytes(document["signature"]))


def _parsed(body: bytes) -> Any:  # noqa: ANN401 (JSON is anything)
    """Parse JSON in UTF-8; raises `ValueError` on anything else, and on deep nesting."""
    text = body.decode()
    if text.count("{") + text.count("[") > NESTING_LIMIT:
        _require_shallow(text)
    return json.loads(text)


def _require_shallow(text: str) -> None:
    depth = 0
    for token in _STRUCTURE.finditer(text):
        # The parser recurses on the C stack, and a library may have raised Python's own limit.
        depth += _NESTING.get(token.group(), 0)
        if depth > NESTING_LIMIT:
            raise ValueError(f"nested deeper than {NESTING_LIMIT}")


def _result(said: Mapping[str, Any]) -> Result:
    return Result(
        request_id=_word(said["requestId"]),
        app_id=_word(said["appId"]),
        model_id=_word(said["modelId"]),
        weights_root=_word(said["weightsRoot"]),
        input_commitment=_word(said["inputCommitment"]),
        output_hash=_word(said["outputHash"]),
        decision=_word(said["decision"]),
        round=_word(said["round"]),
        key_epoch=_uint(said["keyEpoch"], 64),
        policy_version=_uint(said["policyVersion"], 64),
        worker=_address(said["worker"]),
        units=_uint(said["units"], 64),
        nonce=_uint(said["nonce"], 256),
        deadline=Timestamp(_uint(said["deadline"], 64)),
    )


def _bytes(value: object) -> bytes:
    if not isinstance(value, str) or not value.startswith("0x"):
        raise ValueError("not hexadecimal bytes")
    parsed = bytes.fromhex(value[2:])
    # Python passes over blanks between the bytes.
    if len(value) != 2 + 2 * len(parsed):
        raise ValueError("not hexadecimal bytes")
    return parsed


def _word(value: object) -> Bytes32:
    word = _bytes(value)
    if len(word) != 32:  # noqa: PLR2004 (the type says it)
        raise ValueError("not 32 bytes")
    return Bytes32(word)


def _address(value: object) -> Address:
    raw = _bytes(value)
    if len(raw) != 20:  # noqa: PLR2004 (the length of an address)
        raise ValueError("not an address")
    return address_from(raw)


def _uint(value: object, bits: int) -> int:
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << bits:
        raise ValueError(f"not an unsigned integer of {bits} bits")
    return value
