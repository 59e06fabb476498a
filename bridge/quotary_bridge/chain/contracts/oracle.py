"""The oracle: requests, results, refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, address_of
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address, Bytes32, Result

__all__ = [
    "CallbackStatus",
    "FulfilledResult",
    "OracleRequest",
    "RequestParams",
    "RequestStatus",
    "ResultOracle",
]


class RequestStatus(IntEnum):
    """What became of a request."""

    UNKNOWN = 0
    PENDING = 1
    FULFILLED = 2
    REFUNDED = 3


class CallbackStatus(IntEnum):
    """How the requester's own code took the result."""

    NONE = 0
    FAILED = 1
    SUCCEEDED = 2


@dataclass(frozen=True, slots=True)
class RequestParams:
    """What a requester asks for; no callback where `callback_gas_limit` is 0."""

    app_id: Bytes32
    model_id: Bytes32
    input: bytes
    callback_gas_limit: int
    deadline: int
    refund_to: Address


@dataclass(frozen=True, slots=True)
class OracleRequest:
    """A request as the oracle holds it; `fee` in wei."""

    app_id: Bytes32
    model_id: Bytes32
    input_commitment: Bytes32
    requester: Address
    deadline: int
    callback_gas_limit: int
    refund_to: Address
    fee: int
    status: RequestStatus


@dataclass(frozen=True, slots=True)
class FulfilledResult:
    """A result as the oracle holds it."""

    output_hash: Bytes32
    worker: Address
    fulfilled_at: int
    kind: ProofKind
    callback: CallbackStatus


_FIELDS = attrgetter(*(field.name for field in fields(Result)))


class ResultOracle(Contract):
    """Takes requests, and results that registered workers signed."""

    abi_name: ClassVar[str] = "ResultOracle"

    def request(self, params: RequestParams) -> bytes:
        """Return call data; the value sent along is the worker's fee."""
        return self.encode("request", astuple(params))

    def fulfill(self, result: Result, output: bytes, signature: bytes) -> bytes:
        """Return call data; anybody may send it."""
        return self.encode("fulfill", _FIELDS(result), output, signature)

    def expire(self, request_id: Bytes32) -> bytes:
        """Return call data that refunds an overdue request; anybody may send it."""
        return self.encode("expire", request_id)

    def request_of(self, request_id: Bytes32, at: BlockTag = "latest") -> OracleRequest:
        """Return a request; its status is `UNKNOWN` where there is none."""
        return _request(self.read("getRequest", request_id, at=at))

    def requests_of(self, request_ids: Sequence[Bytes32], at: BlockTag) -> list[OracleRequest]:
        """Return many requests, in their order."""
        return [_request(record) for record in self.read_many("getRequest", request_ids, at)]

    def result_of(self, request_id: Bytes32, at: BlockTag = "latest") -> FulfilledResult:
        """Return a fulfilled request's result; raises `ContractError` where there is none."""
        record = self.read("getResult", request_id, at=at)
        return FulfilledResult(
            output_hash=record["outputHash"],
            worker=address_of(record["worker"]),
            fulfilled_at=record["fulfilledAt"],
            kind=ProofKind(record["kind"]),
            callback=CallbackStatus(record["callback"]),
        )

    def result_digest(self, result: Result) -> bytes:
        """Return the EIP-712 digest that the worker signs."""
        return bytes(self.read("resultDigest", astuple(result)))


def _request(record: AbiValue) -> OracleRequest:
    return OracleRequest(
        app_id=record["appId"],
        model_id=record["modelId"],
        input_commitment=record["inputCommitment"],
        requester=address_of(record["requester"]),
        deadline=record["deadline"],
        callback_gas_limit=record["callbackGasLimit"],
        refund_to=address_of(record["refundTo"]),
        fee=record["fee"],
        status=RequestStatus(record["status"]),
    )
