"""What became of requests that are answered by the batch, and of the batches: from their events."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from quotary_bridge.admission.ledger import BOOK_EVENTS, Ledger, requester_of
from quotary_bridge.chain.contracts import ProofKind, RequestStatus
from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.model import Address

__all__ = ["BATCH_EVENTS", "BatchLedger", "Root"]

_CONTENT = ("bytes32", "bytes32", "bytes32", "address", "address", "uint8")
"""`CommittedBatch`: app, model, root, worker, operator, kind."""


@dataclass(frozen=True, slots=True)
class Root:
    """A batch as it was committed: whose it is, who is paid, and the hash that is kept of it."""

    worker: Address
    operator: Address
    kind: ProofKind
    content: bytes


@dataclass(slots=True)
class BatchLedger(Ledger):
    """What the oracle of batches holds: `roots` by number; those in `voided` count no more."""

    roots: dict[int, Root] = field(default_factory=dict)
    voided: set[int] = field(default_factory=set)


Change = Callable[[BatchLedger, Mapping[str, Any], int], None]


def _committed(ledger: BatchLedger, values: Mapping[str, Any], _: int) -> None:
    names = ("appId", "modelId", "root", "worker", "operator", "proofKind")
    content = keccak(encode(_CONTENT, [values[name] for name in names]))
    worker, operator = address_of(values["worker"]), address_of(values["operator"])
    kind = ProofKind(values["proofKind"])
    ledger.roots[values["batchId"]] = Root(worker, operator, kind, content)


def _voided(ledger: BatchLedger, values: Mapping[str, Any], _: int) -> None:
    ledger.voided.add(values["batchId"])


def _claimed(ledger: BatchLedger, values: Mapping[str, Any], at: int) -> None:
    request_id, root = values["requestId"], ledger.roots[values["batchId"]]
    ledger.end(request_id, RequestStatus.FULFILLED, at, worker=root.worker, kind=root.kind)
    ledger.pay(request_id, root.operator, values["fee"])
    ledger.pay(request_id, requester_of(ledger, request_id), ledger.escrows[request_id])


BATCH_EVENTS: Mapping[tuple[str, str], Change] = MappingProxyType(
    {
        **{("BatchOracle", event): change for event, change in BOOK_EVENTS.items()},
        ("BatchOracle", "BatchCommitted"): _committed,
        ("BatchOracle", "BatchVoided"): _voided,
        ("BatchOracle", "ResultClaimed"): _claimed,
    }
)
"""What each event changes, by contract and event."""
