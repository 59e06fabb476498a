"""
JSON-RPC over HTTP, one question or many in one exchange.

Answers are matched to questions by their id, and by nothing else: what carries another id answers
another question.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint, RPCResponse

__all__ = ["JsonRpcProvider"]

# A stuck proxy must not hold a cycle: connecting is quick or it is hopeless.
CONNECT_SECONDS: Final = 5.0
CONNECTIONS: Final = 32
"""At least as many as threads ask at once."""


class JsonRpcProvider(JSONBaseProvider):
    """
    A node behind an HTTP URL, as web3.py wants it.

    Raises the errors of `requests`, and `ValueError` where the answer is no JSON-RPC, or answers
    something else. Nothing is repeated: the caller knows which step is safe to repeat.
    """

    def __init__(self, url: str, timeout_seconds: float) -> None:
        """Ask nothing yet."""
        super().__init__()
        self.endpoint_uri = url
        self._timeout = (min(CONNECT_SECONDS, timeout_seconds), timeout_seconds)
        self._session = requests.Session()
        adapter = HTTPAdapter(pool_maxsize=CONNECTIONS)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, adapter)
        self._session.headers["Content-Type"] = "application/json"
        # A proxy that the environment names cannot reach our own loopback, so it is not asked to.
        self._session.trust_env = urlsplit(url).hostname not in ("127.0.0.1", "::1", "localhost")

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:  # noqa: ANN401 (web3)
        """Ask one question."""
        question = self._question(method, params)
        answer = self._exchange(question)
        if not isinstance(answer, dict) or not _answers(answer, question):
            raise ValueError("an answer to another question")
        return _response(answer)

    def make_batch_request(
        self, batch_requests: Sequence[tuple[RPCEndpoint, Any]]
    ) -> list[RPCResponse] | RPCResponse:
        """Ask many; the answers come in the order of the questions, or one error for all."""
        questions = [self._question(method, params) for method, params in batch_requests]
        answer = self._exchange(questions)
        if isinstance(answer, dict) and "error" in answer:
            return _response(answer)
        if not isinstance(answer, list) or not all(isinstance(entry, dict) for entry in answer):
            raise ValueError("no list of answers")
        by_id = {entry.get("id"): entry for entry in answer}
        if len(answer) != len(questions) or set(by_id) != {asked["id"] for asked in questions}:
            raise ValueError("answers to other questions")
        return [_response(by_id[asked["id"]]) for asked in questions]

    def _question(self, method: str, params: object) -> dict[str, Any]:
        number = next(self.request_counter)
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": params or []}

    def _exchange(self, body: object) -> object:
        # A signed transaction goes to the address given, and nowhere else.
        answer = self._session.post(
            self.endpoint_uri, json.dumps(body), timeout=self._timeout, allow_redirects=False
        )
        answer.raise_for_status()
        return json.loads(answer.content)


def _answers(answer: Mapping[str, Any], question: Mapping[str, Any]) -> bool:
    # Where a node could not read the question, it has no id to repeat (JSON-RPC 2.0 section 5).
    unread = "error" in answer and answer.get("id") is None
    return unread or answer.get("id") == question["id"]


def _response(answer: Mapping[str, Any]) -> RPCResponse:
    response: RPCResponse = dict(answer)  # type: ignore[assignment]
    return response
