"""The oracle of batches: requests answered many at a time, claimed one by one or pushed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, address_of
from quotary_bridge.chain.contracts.oracle import RequestState, state_from
from quotary_bridge.chain.contracts.requests import RequestParams, RequestTerms
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import BlockTag, Log
from quotary_bridge.model import Address, Bytes32

__all__ = ["BatchCommitted", "BatchOracle", "Claim", "ClaimedAnswer"]


@dataclass(frozen=True, slots=True)
class BatchCommitted:
    """A batch as it was committed: all that claims must say of it."""

    batch_id: int
    app_id: Bytes32
    worker: Address
    model_id: Bytes32
    root: Bytes32
    count: int
    operator: Address
    kind: ProofKind

    @classmethod
    def of(cls, log: Log) -> BatchCommitted | None:
        """Return what the log says, or None where it is another event."""
        found = interface("BatchOracle").decode_log(log)
        if found is None or found[0] != "BatchCommitted":
            return None
        said = found[1]
        return cls(
            *(said["batchId"], said["appId"], address_of(said["worker"]), said["modelId"]),
            *(said["root"], said["count"], address_of(said["operator"])),
            ProofKind(said["proofKind"]),
        )


@dataclass(frozen=True, slots=True)
class Claim:
    """What a claim says beside the request, the output and the path."""

    batch_id: int
    worker: Address
    operator: Address
    kind: ProofKind
    units: int


@dataclass(frozen=True, slots=True)
class ClaimedAnswer:
    """One answer on its way to the oracle: the request, the claim, the output and its path."""

    made: RequestTerms
    claim: Claim
    output: bytes
    path: tuple[bytes, ...]


class BatchOracle(Contract):
    """Takes requests of one worker each, and their answers under signed roots."""

    abi_name: ClassVar[str] = "BatchOracle"

    def request(self, params: RequestParams) -> bytes:
        """Return call data; where ether pays, `params.payment.max_fee` is sent along."""
        return self.encode("request", params.words())

    def commit(self, batch: Sequence[object], signature: bytes) -> bytes:
        """Return call data; `batch` is its fields in the order in which they are signed."""
        return self.encode("commit", tuple(batch), signature)

    def claim(self, answer: ClaimedAnswer) -> bytes:
        """Return call data that ends one request; anybody may send it."""
        return self.encode(
            "claim", answer.made.words(), astuple(answer.claim), answer.output, list(answer.path)
        )

    def push(self, answers: Sequence[ClaimedAnswer]) -> bytes:
        """Return call data that ends many requests; one that cannot be ended stops all."""
        return self.encode(
            "push",
            [answer.made.words() for answer in answers],
            [astuple(answer.claim) for answer in answers],
            [answer.output for answer in answers],
            [list(answer.path) for answer in answers],
        )

    def void(self, batch: BatchCommitted) -> bytes:
        """Return call data that stops claims on a batch whose worker was ruled out."""
        said = (batch.app_id, batch.model_id, batch.root, batch.worker, batch.operator, batch.kind)
        return self.encode("void", batch.batch_id, said)

    def reassign(self, made: RequestTerms) -> bytes:
        """Return call data that opens an overdue request to every worker of its app."""
        return self.encode("reassign", made.words())

    def retry_callback(self, made: RequestTerms, output: bytes) -> bytes:
        """Return call data that repeats a failed callback; for the requester alone."""
        return self.encode("retryCallback", made.words(), output)

    def abandon(self, made: RequestTerms) -> bytes:
        """Return call data that fails a request whose model was revoked; anybody may send it."""
        return self.encode("abandon", made.words())

    def refund(self, made: RequestTerms) -> bytes:
        """Return call data that refunds an expired request; anybody may send it."""
        return self.encode("refund", made.words())

    def is_open(self, batch_id: int, at: BlockTag = "latest") -> bool:
        """Whether answers of the batch can be claimed: it was committed, and not voided."""
        return any(self.read("batchOf", batch_id, at=at))

    def states_of(self, request_ids: Sequence[Bytes32], at: BlockTag) -> list[RequestState]:
        """Return what became of many requests, in their order."""
        return [state_from(record) for record in self.read_many("stateOf", request_ids, at)]
