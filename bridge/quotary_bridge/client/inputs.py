"""Handing an input that is kept off the chain to a relayer, synchronously or not."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256

import httpx

from quotary_bridge.errors import ConfigurationError, Reason, RpcUnavailable
from quotary_bridge.model import Bytes32

__all__ = ["AsyncRelayerClient", "RelayerClient", "commitment_to"]

SECONDS = 30.0

_REFUSED = range(400, 500)
_TAKEN = (200, 201)


def commitment_to(content: bytes) -> Bytes32:
    """Return what a request says of an input that is kept off the chain: its SHA-256."""
    return Bytes32(sha256(content).digest())


class RelayerClient:
    """
    Speaks to the API of a relayer (`quotary relay run --listen`), with its token where it has one.

    Warning: whoever runs the relayer, and the workers it asks, see the input.
    """

    def __init__(
        self, url: str, token: str | None = None, transport: httpx.BaseTransport | None = None
    ) -> None:
        """Send nothing yet; `transport` is for tests without a network."""
        self._where = _Where(url, token)
        self._transport = transport

    def supply(self, content: bytes) -> Bytes32:
        """
        Hand an input in, before or after it was asked about; returns its commitment.

        Raises `RpcUnavailable` where the relayer cannot be reached or has no room, and
        `ConfigurationError` where it takes no inputs, or not this one, or not from us.
        """
        try:
            with httpx.Client(transport=self._transport, timeout=SECONDS, trust_env=False) as http:
                return _taken(http.send(self._where.question(content)), content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(error) from None


class AsyncRelayerClient:
    """`RelayerClient`, awaited."""

    def __init__(
        self, url: str, token: str | None = None, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        """Send nothing yet; `transport` is for tests without a network."""
        self._where = _Where(url, token)
        self._transport = transport

    async def supply(self, content: bytes) -> Bytes32:
        """Hand an input in: see `RelayerClient.supply`."""
        try:
            async with httpx.AsyncClient(
                transport=self._transport, timeout=SECONDS, trust_env=False
            ) as http:
                return _taken(await http.send(self._where.question(content)), content)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _unreachable(error) from None


@dataclass(frozen=True, slots=True)
class _Where:
    """A relayer's address, and what lets us in."""

    url: str
    token: str | None = field(repr=False)

    def question(self, content: bytes) -> httpx.Request:
        """Return what both clients send."""
        url = f"{self.url.rstrip('/')}/v1/inputs/0x{commitment_to(content).hex()}"
        headers = {"content-type": "application/octet-stream"}
        if self.token is not None:
            headers["authorization"] = f"Bearer {self.token}"
        return httpx.Request("PUT", url, content=content, headers=headers)


def _taken(response: httpx.Response, content: bytes) -> Bytes32:
    if response.status_code in _TAKEN:
        return commitment_to(content)
    detail = f"the relayer answered with status {response.status_code}"
    with suppress(ValueError, KeyError, TypeError):
        detail = f"{detail}, {response.json()['error']['code']!s:.40}"
    if response.status_code in _REFUSED:
        raise ConfigurationError(
            Reason.CONFIGURATION_INVALID,
            detail,
            "start it with --inputs, name its token, and hand in at most 64 KiB",
        )
    raise RpcUnavailable(Reason.RPC_INTERNAL, detail)


def _unreachable(error: Exception) -> RpcUnavailable:
    detail = f"the relayer cannot be reached: {type(error).__name__}"
    return RpcUnavailable(Reason.RPC_UNREACHABLE, detail)
