"""Keys of gateways, and the exchanges and receipts that they signed: from their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.chain.contracts.gateways import Bond, ExchangeRecord, ReceiptRecord
from quotary_bridge.model import Address, Bytes32

__all__ = ["GATEWAY_EVENTS", "Gateways"]

Values = Mapping[str, Any]
Recorded = tuple[Bytes32, Bytes32, Bytes32]
"""App, and the hashes of request and response."""

_NO_KEYSET = bytes(32)
_NO_END = 2**64 - 1
"""A first-generation gateway's key names no end of its own: its quote's record has one."""


@dataclass(slots=True)
class Gateways:
    """What `GatewayKeys` and the adapters hold: keys and keysets by app, records by exchange."""

    keys: dict[tuple[Bytes32, Address], Bond] = field(default_factory=dict)
    keysets: dict[tuple[Bytes32, Bytes32], Bond] = field(default_factory=dict)
    exchanges: dict[Recorded, ExchangeRecord] = field(default_factory=dict)
    receipts: dict[Recorded, ReceiptRecord] = field(default_factory=dict)


def _key(held: Gateways, values: Values, _: int) -> None:
    app_id, digest = values["appId"], values["keysetDigest"]
    # A keyset's own event comes before that of its key, and says until when both hold.
    end = _NO_END if digest == _NO_KEYSET else held.keysets[app_id, digest].not_after
    bond = Bond(values["quoteHash"], digest, ProofKind(values["proofKind"]), end)
    held.keys[app_id, address_of(values["key"])] = bond


def _keyset(held: Gateways, values: Values, _: int) -> None:
    digest = values["keysetDigest"]
    kind, end = ProofKind(values["proofKind"]), values["notAfter"]
    held.keysets[values["appId"], digest] = Bond(values["quoteHash"], digest, kind, end)


def _exchange(held: Gateways, values: Values, at: int) -> None:
    key = values["appId"], values["requestHash"], values["responseHash"]
    gateway, kind = address_of(values["gateway"]), ProofKind(values["proofKind"])
    held.exchanges[key] = ExchangeRecord(gateway, kind, at)


def _receipt(held: Gateways, values: Values, at: int) -> None:
    key = values["appId"], values["requestHash"], values["responseHash"]
    held.receipts[key] = ReceiptRecord(
        keyset_digest=values["keysetDigest"],
        document_hash=values["documentHash"],
        key=address_of(values["key"]),
        kind=ProofKind(values["proofKind"]),
        served_at=values["servedAt"],
        recorded_at=at,
    )


GATEWAY_EVENTS: Mapping[tuple[str, str], Callable[[Gateways, Values, int], None]] = (
    MappingProxyType(
        {
            ("GatewayKeys", "KeyEnrolled"): _key,
            ("GatewayKeys", "KeysetEnrolled"): _keyset,
            ("GatewayAdapter", "ExchangeRecorded"): _exchange,
            ("ReceiptAdapter", "ReceiptRecorded"): _receipt,
        }
    )
)
"""What each event changes, by contract and event."""
