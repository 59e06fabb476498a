"""
Answers by the batch: many requests asked of one worker, one signature, one commitment.

What a worker signed is a document that is written down before anything is sent, so whoever holds it
can go on from any point: what was committed and what was claimed is read from the chain. Open to
anybody, and done twice it changes nothing.

1. `pending`: the requests of an app for a model that nobody answered yet, as the chain tells them;
2. `prepare`: ask the worker for all of them, check its answers, and keep them with their requests;
3. `BatchOracle.commit`, unless `committed` finds the root on the chain already;
4. `claims`: what is left to be claimed, in pieces that fit a transaction each.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

from quotary_bridge.chain.contracts import (
    BatchCommitted,
    BatchOracle,
    ClaimedAnswer,
    RequestCreated,
    RequestStatus,
    RequestTerms,
    topics_of,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Address, Bytes32, ChainId, Timestamp
from quotary_bridge.workers import (
    BatchQuestion,
    Endpoint,
    PreparedBatch,
    WorkerClient,
    check_batch,
    pieces,
)

__all__ = [
    "Asked",
    "answered",
    "batch_told",
    "claims",
    "committed",
    "pending",
    "prepare",
]

STATES_AT_ONCE = 500
"""Requests whose states are asked for in one exchange."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the chain told of it."""

    made: RequestTerms
    input: bytes


def pending(
    oracle: BatchOracle, first_block: int, app_id: Bytes32, model_id: Bytes32, most: int
) -> list[Asked]:
    """
    Return the oldest `most` requests that any worker of the app may answer now.

    Requests that name their workers are left to those, and those whose input is kept off the chain
    to whoever has it. Raises what reading from the chain raises.
    """
    chain = oracle.chain
    head = chain.head()
    topics = [topics_of("RequestCreated")[0], None, app_id]
    logs = chain.all_logs([oracle.address], first_block, head.number, topics)
    told = [RequestCreated.of(log) for log in logs]
    fitting = [
        event
        for event in told
        if event.terms.model_id == model_id
        and event.terms.quorum.results == 1
        and not event.terms.workers
        and sha256(event.input).digest() == event.terms.input_commitment
        and event.terms.deadline > head.timestamp
    ]
    ids = [event.request_id for event in fitting]
    statuses = _statuses(oracle, ids, head.number)
    found = (
        Asked(event.terms, event.input)
        for event, status in zip(fitting, statuses, strict=True)
        if status is RequestStatus.PENDING
    )
    return list(islice(found, most))


def prepare(
    client: WorkerClient, endpoint: Endpoint, oracle: BatchOracle, asked: Sequence[Asked]
) -> PreparedBatch:
    """
    Have the worker answer all of `asked`, which is not empty, and check what it says.

    Raises `WorkerFaultError` where it gives no answer, `ResultRejectedError` where the chain would
    not take it.
    """
    # Nobody can commit it for longer than the first of the requests lasts.
    deadline = Timestamp(min(each.made.deadline for each in asked))
    now = Timestamp(oracle.chain.head().timestamp)
    place = ChainId(oracle.chain.chain_id), oracle.address
    return answered(client, endpoint, place, asked, deadline, now)


def answered(  # noqa: PLR0917 (what is asked of whom, and what it is checked against)
    client: WorkerClient,
    endpoint: Endpoint,
    place: tuple[ChainId, Address],
    asked: Sequence[Asked],
    deadline: Timestamp,
    at: Timestamp,
) -> PreparedBatch:
    """
    Do as `prepare` does, for the oracle of batches at `place`, and ask the chain for nothing.

    `deadline` is the last second the batch may be committed, `at` the time it is checked at.
    """
    chain_id, address = place
    one = asked[0].made
    question = BatchQuestion(
        app_id=one.app_id,
        model_id=one.model_id,
        deadline=deadline,
        chain_id=chain_id,
        oracle=address,
        asked=tuple((each.made.request_id(chain_id, address), each.input) for each in asked),
    )
    signed = client.answer_many(endpoint, question)
    check_batch(question, signed, at, endpoint.worker)
    return PreparedBatch(chain_id, address, tuple(each.made for each in asked), signed)


def committed(
    oracle: BatchOracle, prepared: PreparedBatch, first_block: int
) -> BatchCommitted | None:
    """Return how the batch was committed and is still open, or None where it is not (yet)."""
    batch, chain = prepared.signed.batch, oracle.chain
    worker = bytes(12) + bytes.fromhex(batch.worker[2:])
    topics = [interface("BatchOracle").event("BatchCommitted").topic, None, batch.app_id, worker]
    for log in chain.all_logs([oracle.address], first_block, chain.head().number, topics):
        told = BatchCommitted.of(log)
        alike = told is not None and (told.root, told.model_id) == (batch.root, batch.model_id)
        if told is not None and alike and oracle.is_open(told.batch_id):
            return told
    return None


def batch_told(oracle: BatchOracle, batch_id: int, first_block: int) -> BatchCommitted | None:
    """Return how batch number `batch_id` was committed, or None where there is none."""
    topics = [interface("BatchOracle").event("BatchCommitted").topic, batch_id.to_bytes(32)]
    logs = oracle.chain.all_logs([oracle.address], first_block, oracle.chain.head().number, topics)
    return next((told for told in map(BatchCommitted.of, logs) if told is not None), None)


def claims(
    oracle: BatchOracle, prepared: PreparedBatch, told: BatchCommitted
) -> Iterator[list[ClaimedAnswer]]:
    """Yield the answers that are still to be claimed, in pieces that fit a transaction each."""
    head = oracle.chain.head()
    ids = [answer.request_id for answer in prepared.signed.answers]
    places = [
        place
        for place, status in enumerate(_statuses(oracle, ids, head.number))
        if status is RequestStatus.PENDING and prepared.made[place].deadline > head.timestamp
    ]
    for piece in pieces(prepared, told, places):
        yield [answer for _, answer in piece]


def _statuses(
    oracle: BatchOracle, request_ids: Sequence[Bytes32], at: int
) -> Iterator[RequestStatus]:
    for start in range(0, len(request_ids), STATES_AT_ONCE):
        states = oracle.states_of(request_ids[start : start + STATES_AT_ONCE], at)
        yield from (state.status for state in states)
