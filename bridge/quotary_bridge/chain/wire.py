"""
Exchanges with a node, and what every way in which they fail is called.

Below this module failures are those of HTTP and JSON; above it they are `quotary_bridge.errors`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from web3 import Web3
from web3.providers import JSONBaseProvider
from web3.types import RPCEndpoint

from quotary_bridge.chain.faults import OUT_OF_GAS, classify
from quotary_bridge.chain.reverts import decode_revert, revert_data
from quotary_bridge.errors import (
    ContractError,
    Reason,
    RequestRefused,
    RpcUnavailable,
    TransactionRefused,
)

__all__ = ["Call", "Json", "Wire", "error_of", "outcome"]

BATCH_LIMIT = 100
"""Services bound how many questions one exchange may hold; this many all of them take."""

Json = Any
"""What JSON-RPC answers: its shape is known only after it was parsed."""

Call = tuple[str, Sequence[Any]]
"""A method and its parameters."""


class Wire:
    """The line to one node; safe to use from several threads."""

    def __init__(self, web3: Web3) -> None:
        """Use the provider of a Web3 object."""
        self._web3 = web3
        self._batches = True

    @property
    def endpoint(self) -> str:
        """Scheme, host and port of the node: paths and credentials of RPC URLs are secrets."""
        parts = urlsplit(str(getattr(self._web3.provider, "endpoint_uri", "")))
        return (
            f"{parts.scheme}://{parts.hostname}:{parts.port}"
            if parts.port
            else (f"{parts.scheme}://{parts.hostname}")
        )

    def answers(self, calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        """Ask many questions in as few exchanges as it takes; raises `RpcUnavailable`."""
        answers: list[Mapping[str, Any]] = []
        for start in range(0, len(calls), BATCH_LIMIT):
            answers.extend(self._batch(calls[start : start + BATCH_LIMIT]))
        return answers

    def _batch(self, calls: Sequence[Call]) -> list[Mapping[str, Any]]:
        if not self._batches or len(calls) == 1:
            return [self.answer(method, parameters) for method, parameters in calls]
        answer = self._exchange_many(calls)
        if isinstance(answer, list):
            return answer
        code, message, _ = error_of(answer)
        refusal = classify("a batch", code, message)
        if not isinstance(refusal, RequestRefused):
            raise refusal
        # Not every service takes batches; it says so once, and is asked one by one from then on.
        self._batches = False
        return self._batch(calls)

    def answer(self, method: str, parameters: Sequence[Any]) -> Mapping[str, Any]:
        """Ask one question and return the whole answer; raises `RpcUnavailable`."""
        with self._failures(method):
            answer = self._web3.provider.make_request(RPCEndpoint(method), list(parameters))
        return self._whole(method, answer)

    def _exchange_many(self, calls: Sequence[Call]) -> list[Mapping[str, Any]] | Mapping[str, Any]:
        batch = [(RPCEndpoint(method), list(parameters)) for method, parameters in calls]
        with self._failures("a batch"):
            answer = cast(JSONBaseProvider, self._web3.provider).make_batch_request(batch)
        if not isinstance(answer, list):
            return self._whole("a batch", answer)
        return [self._whole(call[0], item) for call, item in zip(batch, answer, strict=True)]

    def _whole(self, method: str, answer: object) -> Mapping[str, Any]:
        if not isinstance(answer, Mapping) or ("result" in answer) == ("error" in answer):
            raise self.broken(method)
        return answer

    @contextmanager
    def _failures(self, method: str) -> Iterator[None]:
        try:
            yield
        except requests.Timeout:
            raise RpcUnavailable(
                Reason.RPC_TIMEOUT, f"{self.endpoint} did not answer {method} in time"
            ) from None
        except requests.HTTPError as error:
            raise self._http_error(method, error) from None
        except requests.ConnectionError:
            # The cause names the whole URL, which may hold an access key: it is not kept.
            raise RpcUnavailable(
                Reason.RPC_UNREACHABLE,
                f"nobody answers at {self.endpoint}",
                "start the node, or correct --rpc-url or ETH_RPC_URL",
            ) from None
        except (requests.RequestException, ValueError, TypeError, RecursionError):
            raise self.broken(method) from None

    def _http_error(self, method: str, error: requests.HTTPError) -> RpcUnavailable:
        status = error.response.status_code if error.response is not None else 0
        limited = status == requests.codes.too_many_requests
        return RpcUnavailable(
            Reason.RPC_RATE_LIMITED if limited else Reason.RPC_INTERNAL,
            f"{self.endpoint} answered {method} with HTTP status {status}",
            "" if limited else "check the access key and path of the RPC URL",
        )

    def broken(self, method: str) -> RpcUnavailable:
        """Return (never raise) the error of an answer that is none."""
        return RpcUnavailable(
            Reason.RPC_BROKEN_ANSWER,
            f"{self.endpoint} answered {method} with no JSON-RPC",
            "check that the RPC URL is that of an Ethereum node",
        )


def outcome(method: str, answer: Mapping[str, Any]) -> Json:
    """Return the result of a whole answer; raises the error it stands for."""
    if "error" not in answer:
        return answer["result"]
    code, message, data = error_of(answer)
    reverted = revert_data(code, message, data)
    executed = method in ("eth_call", "eth_estimateGas")
    if executed and reverted is not None:
        raise decode_revert(reverted)
    if executed and any(phrase in message.lower() for phrase in OUT_OF_GAS):
        raise ContractError("OutOfGas", {}, b"", "offer more gas")
    error = classify(method, code, message)
    if executed and isinstance(error, TransactionRefused):
        # Not even begun: too little gas for its length, or more than a block has. No node's fault.
        raise ContractError("TransactionRefused", {}, b"", cause=error.message) from error
    raise error


def error_of(answer: Mapping[str, Any]) -> tuple[int, str, object]:
    """Return an error's code, message and data, whatever of them there is."""
    error = answer["error"]
    if not isinstance(error, Mapping):
        return 0, str(error), None
    code = error.get("code")
    return (code if isinstance(code, int) else 0), str(error.get("message", "")), error.get("data")
