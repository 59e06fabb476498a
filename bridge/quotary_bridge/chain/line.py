"""
Asking one node of one chain: identity first, then questions, alone or many at once.

Every failure is one of `quotary_bridge.errors`, and every answer was parsed before it is returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from web3 import Web3

from quotary_bridge.chain.records import quantity
from quotary_bridge.chain.wire import Call, Json, Wire, outcome
from quotary_bridge.errors import BridgeError, Reason, WrongChain

__all__ = ["Line"]


class Line:
    """A node whose chain id is compared before it is asked anything else."""

    def __init__(self, web3: Web3, expected_chain_id: int | None = None) -> None:
        """Use a Web3 object of the caller's; timeouts are then the caller's too."""
        self._web3 = web3
        self._wire = Wire(web3)
        self._expected = expected_chain_id
        self._checked = False

    @property
    def web3(self) -> Web3:
        """The Web3 object beneath, for what this port does not offer."""
        return self._web3

    @property
    def wire(self) -> Wire:
        """The exchanges beneath."""
        return self._wire

    @property
    def endpoint(self) -> str:
        """Scheme, host and port of the node: paths and credentials of RPC URLs are secrets."""
        return self._wire.endpoint

    @property
    def chain_id(self) -> int:
        """The chain's id: the expected one, or what the node said when it was first asked."""
        if self._expected is None:
            self.check()
        return cast(int, self._expected)

    def check(self) -> None:
        """Ask the node for its chain id; raises `WrongChain` where it is not the expected one."""
        found = self._quantity_of("eth_chainId", self._request("eth_chainId"))
        if self._expected is None:
            self._expected = found
        if found != self._expected:
            raise WrongChain(
                Reason.WRONG_CHAIN,
                f"{self.endpoint} serves chain {found}, not {self._expected}",
                "correct --rpc-url or --chain-id",
            )
        self._checked = True

    def rpc(self, method: str, parameters: Sequence[Any] = ()) -> Json:
        """Ask the node for anything; raises the errors of this package, never another's."""
        if not self._checked and method != "eth_chainId":
            self.check()
        return self._request(method, parameters)

    def ask_many(self, calls: Sequence[Call]) -> list[Json | BridgeError]:
        """
        Ask many questions in as few exchanges as it takes; the answers come in their order.

        What a single question would have raised stands, unraised, in its place. Raises
        `RpcUnavailable` where a whole exchange failed.
        """
        if not self._checked:
            self.check()
        found: list[Json | BridgeError] = []
        for (method, _), answer in zip(calls, self._wire.answers(calls), strict=True):
            try:
                found.append(outcome(method, answer))
            except BridgeError as error:
                found.append(error)
        return found

    def _request(self, method: str, parameters: Sequence[Any] = ()) -> Json:
        return outcome(method, self._wire.answer(method, parameters))

    def _quantity(self, method: str, parameters: Sequence[Any]) -> int:
        return self._quantity_of(method, self.rpc(method, parameters))

    def _quantity_of(self, method: str, answer: Json) -> int:
        try:
            return quantity(answer)
        except (ValueError, TypeError):
            raise self._wire.broken(method) from None

    def _bytes(self, method: str, parameters: Sequence[Any]) -> bytes:
        return self._bytes_of(method, self.rpc(method, parameters))

    def _bytes_of(self, method: str, answer: Json) -> bytes:
        try:
            return bytes.fromhex(answer.removeprefix("0x"))
        except (ValueError, AttributeError, TypeError):
            raise self._wire.broken(method) from None
