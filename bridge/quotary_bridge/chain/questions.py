"""How values of ours are spelled in questions to a node."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address

__all__ = ["TransactionRequest", "call_of", "hexadecimal", "tag", "topic_filter"]


@dataclass(frozen=True, slots=True)
class TransactionRequest:
    """
    A call or transaction not yet signed; `to` is None for a contract creation.

    `gas` bounds what a call may use; where it is None the node does.
    """

    sender: Address
    to: Address | None
    data: bytes = b""
    value: int = 0
    gas: int | None = None


def call_of(request: TransactionRequest) -> dict[str, str]:
    """Return a call as nodes take it."""
    call = {"from": request.sender, "data": hexadecimal(request.data), "value": hex(request.value)}
    if request.to is not None:
        call["to"] = request.to
    if request.gas is not None:
        call["gas"] = hex(request.gas)
    return call


def tag(at: BlockTag) -> str:
    """Return a block by height, or by name, as nodes take it."""
    return hex(at) if isinstance(at, int) else at


def topic_filter(topic: bytes | Sequence[bytes] | None) -> str | list[str] | None:
    """Return one place of a log filter: anything, one topic, or any of several."""
    if topic is None:
        return None
    return (
        hexadecimal(topic)
        if isinstance(topic, bytes)
        else [hexadecimal(choice) for choice in topic]
    )


def hexadecimal(raw: bytes) -> str:
    """Return bytes as nodes take them."""
    return f"0x{raw.hex()}"
