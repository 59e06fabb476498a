"""The oracle: requests, results, refunds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from enum import IntEnum
from operator import attrgetter
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind, address_of
from quotary_bridge.chain.contracts.requests import RequestParams, RequestTerms, Rule
from quotary_bridge.chain.interface import AbiValue, interface
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address, Bytes32, Result
from quotary_bridge.words import WORD_BYTES, encode_words

__all__ = [
    "CallbackStatus",
    "FailureReason",
    "FulfilledResult",
    "RequestState",
    "RequestStatus",
    "ResultOracle",
    "Reveal",
    "state_from",
]


class RequestStatus(IntEnum):
    """What became of a request; the last three are final."""

    UNKNOWN = 0
    PENDING = 1
    FULFILLED = 2
    FAILED = 3
    REFUNDED = 4


class FailureReason(IntEnum):
    """Why a request failed."""

    NONE = 0
    DISAGREEMENT = 1
    MODEL_REVOKED = 2


class CallbackStatus(IntEnum):
    """How the requester's own code took the result."""

    NONE = 0
    FAILED = 1
    SUCCEEDED = 2


@dataclass(frozen=True, slots=True)
class RequestState:
    """All that the oracle keeps of a request; `ended_at` in Unix seconds, 0 while it is pending."""

    status: RequestStatus
    callback: CallbackStatus
    kind: ProofKind
    failure: FailureReason
    disputes: int
    reassigned: bool
    ended_at: int
    worker: Address


@dataclass(frozen=True, slots=True)
class FulfilledResult:
    """A result as the oracle holds it."""

    output_hash: Bytes32
    decision: Bytes32
    worker: Address
    fulfilled_at: int
    kind: ProofKind
    callback: CallbackStatus


@dataclass(frozen=True, slots=True)
class Reveal:
    """
    What one worker's statement says otherwise than the others' of its round.

    `signature` is the worker's: 65 bytes `r ‖ s ‖ v`, low s, v 27 or 28.
    """

    worker: Address
    seat: int
    units: int
    nonce: int
    output_hash: Bytes32
    decision: Bytes32
    signature: bytes

    def words(self, rule: Rule, delivered: bytes | None) -> tuple[object, ...]:
        """
        Return the fields in the contract's order, in their short form.

        Left zero is what the contract knows by itself: the hash of the `delivered` output, and
        under the exact rule the decision. Raises `ValueError` for a signature of another form.
        """
        r, vs = _short(self.signature)
        output_hash = _NOTHING if self.output_hash == delivered else self.output_hash
        follows = rule is Rule.EXACT and self.decision == self.output_hash
        decision = _NOTHING if follows else self.decision
        return self.worker, self.seat, self.units, self.nonce, output_hash, decision, r, vs


def _short(signature: bytes) -> tuple[bytes, bytes]:
    """`r`, and `s` with the parity in its highest bit (EIP-2098)."""
    if len(signature) != _SIGNATURE_BYTES or signature[-1] not in _PARITIES:
        raise ValueError(f"a signature of {len(signature)} bytes is not r, s and a v of 27 or 28")
    s = int.from_bytes(signature[32:64])
    if s >> _PARITY_BIT:
        raise ValueError("the signature's s is above half the order of the curve")
    parity = _PARITIES.index(signature[-1])
    return signature[:32], (s | parity << _PARITY_BIT).to_bytes(32)


_NOTHING = bytes(32)
_SIGNATURE_BYTES = 65
_PARITIES = (27, 28)
_PARITY_BIT = 255

_FIELDS = attrgetter(*(field.name for field in fields(Result)))


class ResultOracle(Contract):
    """Takes requests, and results that registered workers signed."""

    abi_name: ClassVar[str] = "ResultOracle"

    def request(self, params: RequestParams) -> bytes:
        """Return call data; where ether pays, `params.payment.max_fee` is sent along."""
        return self.encode("request", params.words())

    def fulfill(self, made: RequestTerms, result: Result, output: bytes, signature: bytes) -> bytes:
        """Return call data; anybody may send it."""
        return self.encode("fulfill", made.words(), _FIELDS(result), output, signature)

    def fulfill_as_made(
        self, terms: bytes, result: Result, output: bytes, signature: bytes
    ) -> bytes:
        """Like `fulfill`, for the request that `RequestTerms.encode` encoded as `terms`."""
        made = terms[WORD_BYTES:]
        said = encode_words(*_FIELDS(result))
        # Four arguments, and the result stands among them whole: the others stand behind, in order.
        head = (3 * WORD_BYTES) + len(said)
        places = (head, head + len(made), head + len(made) + WORD_BYTES + _padded(len(output)))
        return b"".join(
            (
                *(interface(self.abi_name).function("fulfill").selector, encode_words(places[0])),
                *(said, encode_words(*places[1:]), made, _bytes(output), _bytes(signature)),
            )
        )

    def fulfill_by_quorum(
        self,
        made: RequestTerms,
        result: Result,
        reveals: Sequence[Reveal],
        commitments: Sequence[Bytes32],
        output: bytes,
    ) -> bytes:
        """
        Return call data; `reveals` ascend by worker, `commitments` by value.

        `result` is the statement of one of `reveals`, whose `output` is delivered. Raises
        `ValueError` where it is none of theirs.
        """
        answer = [reveal.worker for reveal in reveals].index(result.worker)
        rule = made.quorum.rule
        answers = [reveal.words(rule, result.output_hash) for reveal in reveals]
        return self.encode(
            "fulfillByQuorum", made.words(), _round(result, commitments), answers, answer, output
        )

    def dispute(
        self,
        made: RequestTerms,
        result: Result,
        reveals: Sequence[Reveal],
        commitments: Sequence[Bytes32],
    ) -> bytes:
        """Return call data that shows a round without a quorum; anybody may send it."""
        answers = [reveal.words(made.quorum.rule, None) for reveal in reveals]
        return self.encode("dispute", made.words(), _round(result, commitments), answers)

    def report_dissent(self, made: RequestTerms, result: Result, signature: bytes) -> bytes:
        """Return call data that puts a worker on probation by its own statement."""
        return self.encode("reportDissent", made.words(), _FIELDS(result), signature)

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

    def state_of(self, request_id: Bytes32, at: BlockTag = "latest") -> RequestState:
        """Return what became of a request; its status is `UNKNOWN` where there is none."""
        return state_from(self.read("stateOf", request_id, at=at))

    def states_of(self, request_ids: Sequence[Bytes32], at: BlockTag) -> list[RequestState]:
        """Return what became of many requests, in their order."""
        return [state_from(record) for record in self.read_many("stateOf", request_ids, at)]

    def probation_of(self, worker: Address, at: BlockTag = "latest") -> int:
        """Return until when a worker counts for nothing, Unix seconds; 0 if it always counted."""
        return int(self.read("probationOf", worker, at=at))

    def result_of(self, request_id: Bytes32, at: BlockTag = "latest") -> FulfilledResult:
        """Return a fulfilled request's result; raises `ContractError` where there is none."""
        record = self.read("getResult", request_id, at=at)
        return FulfilledResult(
            output_hash=record["outputHash"],
            decision=record["decision"],
            worker=address_of(record["worker"]),
            fulfilled_at=record["fulfilledAt"],
            kind=ProofKind(record["kind"]),
            callback=CallbackStatus(record["callback"]),
        )

    def result_digest(self, result: Result) -> bytes:
        """Return the EIP-712 digest that the worker signs."""
        return bytes(self.read("resultDigest", _FIELDS(result)))


def _round(result: Result, commitments: Sequence[Bytes32]) -> tuple[object, ...]:
    """What all statements of a round say as `result` does."""
    terms = (result.weights_root, result.key_epoch, result.policy_version, result.deadline)
    return (*terms, list(commitments))


def state_from(record: AbiValue) -> RequestState:
    """Return a request's state out of the contract's."""
    return RequestState(
        status=RequestStatus(record["status"]),
        callback=CallbackStatus(record["callback"]),
        kind=ProofKind(record["kind"]),
        failure=FailureReason(record["failure"]),
        disputes=record["disputes"],
        reassigned=record["reassigned"],
        ended_at=record["endedAt"],
        worker=address_of(record["worker"]),
    )


def _bytes(value: bytes) -> bytes:
    """Return bytes of any length as the ABI has them behind the arguments."""
    return encode_words(len(value)) + value.ljust(_padded(len(value)), b"\0")


def _padded(size: int) -> int:
    return -(-size // WORD_BYTES) * WORD_BYTES
