"""What a node tells us, parsed once into frozen records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from quotary_bridge.errors import Reason, RpcUnavailable
from quotary_bridge.model import Address, address_from

__all__ = [
    "Block",
    "BlockTag",
    "Log",
    "Mined",
    "Receipt",
    "block_from",
    "log_from",
    "mined_from",
    "quantity",
    "receipt_from",
]

BlockTag = int | Literal["latest", "safe", "finalized", "pending", "earliest"]


@dataclass(frozen=True, slots=True)
class Block:
    """A block's header, as far as the bridge needs it; `bloom` is 0 where the node gave none."""

    number: int
    hash: bytes
    parent_hash: bytes
    timestamp: int
    base_fee: int | None
    bloom: int = 0


@dataclass(frozen=True, slots=True)
class Log:
    """One event as the node gave it; `removed` marks one that a reorganisation took back."""

    address: Address
    topics: tuple[bytes, ...]
    data: bytes
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    index: int
    removed: bool


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a transaction was mined, where, and how it ended."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool
    gas_used: int
    effective_gas_price: int
    contract_address: Address | None
    logs: tuple[Log, ...]


@dataclass(frozen=True, slots=True)
class Mined:
    """Of a receipt, where the transaction was mined, and how it ended."""

    transaction_hash: bytes
    block_number: int
    block_hash: bytes
    succeeded: bool


def block_from(answer: Mapping[str, Any]) -> Block:
    """Parse a block; raises `RpcUnavailable` where the node's answer is broken."""
    with _Broken("block"):
        base_fee = answer.get("baseFeePerGas")
        return Block(
            number=quantity(answer["number"]),
            hash=_bytes(answer["hash"], 32),
            parent_hash=_bytes(answer["parentHash"], 32),
            timestamp=quantity(answer["timestamp"]),
            base_fee=None if base_fee is None else quantity(base_fee),
            bloom=_bloom(answer.get("logsBloom")),
        )


def log_from(answer: Mapping[str, Any]) -> Log:
    """Parse a log; raises `RpcUnavailable` where the node's answer is broken."""
    with _Broken("log"):
        return Log(
            address=_address(answer["address"]),
            topics=tuple(_bytes(topic, 32) for topic in answer["topics"]),
            data=_bytes(answer["data"]),
            block_number=quantity(answer["blockNumber"]),
            block_hash=_bytes(answer["blockHash"], 32),
            transaction_hash=_bytes(answer["transactionHash"], 32),
            index=quantity(answer["logIndex"]),
            removed=bool(answer.get("removed", False)),
        )


def mined_from(answer: Mapping[str, Any]) -> Mined:
    """Parse of a receipt what `Mined` holds; raises `RpcUnavailable` where it is broken."""
    with _Broken("receipt"):
        return Mined(
            transaction_hash=_bytes(answer["transactionHash"], 32),
            block_number=quantity(answer["blockNumber"]),
            block_hash=_bytes(answer["blockHash"], 32),
            succeeded=quantity(answer["status"]) == 1,
        )


def receipt_from(answer: Mapping[str, Any]) -> Receipt:
    """Parse a receipt; raises `RpcUnavailable` where the node's answer is broken."""
    with _Broken("receipt"):
        created = answer.get("contractAddress")
        return Receipt(
            transaction_hash=_bytes(answer["transactionHash"], 32),
            block_number=quantity(answer["blockNumber"]),
            block_hash=_bytes(answer["blockHash"], 32),
            succeeded=quantity(answer["status"]) == 1,
            gas_used=quantity(answer["gasUsed"]),
            effective_gas_price=quantity(answer.get("effectiveGasPrice") or "0x0"),
            contract_address=None if created is None else _address(created),
            logs=tuple(log_from(entry) for entry in answer["logs"]),
        )


def quantity(answer: object) -> int:
    """Parse a JSON-RPC quantity; raises `ValueError` or `TypeError` on anything else."""
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise ValueError("not a hexadecimal quantity")
    return int(answer, 16)


def _bloom(answer: object) -> int:
    # Some chains keep none.
    return 0 if answer in (None, "", "0x") else quantity(answer)


def _address(answer: object) -> Address:
    return address_from(_bytes(answer, 20))


def _bytes(answer: object, size: int | None = None) -> bytes:
    if not isinstance(answer, str) or not answer.startswith("0x"):
        raise ValueError("not hexadecimal bytes")
    parsed = bytes.fromhex(answer[2:])
    if size is not None and len(parsed) != size:
        raise ValueError(f"{len(parsed)} bytes where {size} belong")
    return parsed


class _Broken:
    """Turns whatever a malformed answer makes a parser raise into our one error for it."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, KeyError | ValueError | TypeError | AttributeError):
            message = f"the node sent a {self._what} that cannot be read ({error})"
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, message) from error
