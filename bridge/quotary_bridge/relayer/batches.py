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

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass, fields
from hashlib import sha256
from itertools import islice
from typing import Any, Self

from eth_abi.exceptions import DecodingError

from quotary_bridge.chain.contracts import (
    BatchCommitted,
    BatchOracle,
    Claim,
    ClaimedAnswer,
    RequestCreated,
    RequestStatus,
    RequestTerms,
    topics_of,
)
from quotary_bridge.chain.interface import interface
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address, Bytes32, ChainId, Timestamp, address_from
from quotary_bridge.workers import (
    Answered,
    Batch,
    BatchQuestion,
    Endpoint,
    SignedBatch,
    Tree,
    WorkerClient,
    batch_digest,
    check_batch,
    leaf_of,
    signer_of,
)

__all__ = [
    "Asked",
    "PreparedBatch",
    "answered",
    "batch_told",
    "claims",
    "committed",
    "pending",
    "pieces",
    "prepare",
]

STATES_AT_ONCE = 500
"""Requests whose states are asked for in one exchange."""

PUSH_GAS = 12_000_000
"""What one push may need, of the 2^24 that a transaction may have (EIP-7825)."""

CLAIM_GAS = 75_000
"""What one claim costs at most beside its output and its callback, first payments included."""

OUTPUT_BYTE_GAS = 40
CALLBACK_OVERHEAD = 60_000


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the chain told of it."""

    made: RequestTerms
    input: bytes


@dataclass(frozen=True, slots=True)
class PreparedBatch:
    """What a worker signed, and the requests it answered, in the order of its answers."""

    chain_id: ChainId
    oracle: Address
    made: tuple[RequestTerms, ...]
    signed: SignedBatch

    def tree(self) -> Tree:
        """The tree of the answers."""
        return Tree(
            [
                leaf_of(
                    answer.request_id,
                    made.input_commitment,
                    Bytes32(sha256(answer.output).digest()),
                    answer.units,
                )
                for made, answer in zip(self.made, self.signed.answers, strict=True)
            ]
        )

    def commit(self, oracle: BatchOracle) -> bytes:
        """Return the call data of the commitment."""
        return oracle.commit(astuple(self.signed.batch), self.signed.signature)

    def as_json(self) -> str:
        """Return the document to write down; `from_json` reads it."""
        batch = {
            field.name: _shown(getattr(self.signed.batch, field.name)) for field in fields(Batch)
        }
        answers = [
            {"made": _shown(made.encode()), "output": _shown(said.output), "units": said.units}
            for made, said in zip(self.made, self.signed.answers, strict=True)
        ]
        document = {"chain_id": self.chain_id, "oracle": self.oracle, "batch": batch}
        document |= {"answers": answers, "signature": _shown(self.signed.signature)}
        return json.dumps(document, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """
        Read what `as_json` wrote; raises `ConfigurationError` where it is not that.

        The signature is checked over what was read, so a damaged file cannot be committed.
        """
        try:
            prepared = cls._read(json.loads(text))
        except (ValueError, KeyError, TypeError, DecodingError) as error:
            raise _no_batch(f"it cannot be read ({str(error)[:80]})") from error
        batch = prepared.signed.batch
        signer = signer_of(
            batch_digest(batch, prepared.chain_id, prepared.oracle), prepared.signed.signature
        )
        if not prepared.made or signer != batch.worker or prepared.tree().root != batch.root:
            raise _no_batch("its answers are not what its worker signed")
        return prepared

    @classmethod
    def _read(cls, document: Any) -> Self:  # noqa: ANN401 (JSON is anything)
        said = document["batch"]
        batch = Batch(
            app_id=_word(said["app_id"]),
            model_id=_word(said["model_id"]),
            weights_root=_word(said["weights_root"]),
            root=_word(said["root"]),
            count=int(said["count"]),
            key_epoch=int(said["key_epoch"]),
            policy_version=int(said["policy_version"]),
            worker=address_from(_bytes(said["worker"])),
            nonce=int(said["nonce"]),
            deadline=Timestamp(int(said["deadline"])),
        )
        chain_id = ChainId(int(document["chain_id"]))
        oracle = address_from(_bytes(document["oracle"]))
        made = tuple(RequestTerms.decode(_bytes(one["made"])) for one in document["answers"])
        answers = tuple(
            Answered(terms.request_id(chain_id, oracle), _bytes(one["output"]), int(one["units"]))
            for terms, one in zip(made, document["answers"], strict=True)
        )
        signed = SignedBatch(batch, answers, _bytes(document["signature"]))
        return cls(chain_id, oracle, made, signed)


def pending(
    oracle: BatchOracle, first_block: int, app_id: Bytes32, model_id: Bytes32, most: int
) -> list[Asked]:
    """
    Return the oldest `most` requests that any worker of the app may answer now.

    Requests that name their workers are left to those. Raises what reading from the chain raises.
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


def pieces(
    prepared: PreparedBatch, told: BatchCommitted, places: Iterable[int], most_gas: int = PUSH_GAS
) -> Iterator[list[tuple[int, ClaimedAnswer]]]:
    """Yield the answers at `places`, each with its place, in pieces of at most `most_gas` each."""
    tree = prepared.tree()
    piece: list[tuple[int, ClaimedAnswer]] = []
    gas = 0
    for place in places:
        made, answer = prepared.made[place], prepared.signed.answers[place]
        claim = Claim(told.batch_id, told.worker, told.operator, told.kind, answer.units)
        needed = _gas_of(made, answer.output)
        if piece and gas + needed > most_gas:
            yield piece
            piece, gas = [], 0
        found = ClaimedAnswer(made, claim, answer.output, tuple(tree.path(place)))
        piece.append((place, found))
        gas += needed
    if piece:
        yield piece


def _statuses(
    oracle: BatchOracle, request_ids: Sequence[Bytes32], at: int
) -> Iterator[RequestStatus]:
    for start in range(0, len(request_ids), STATES_AT_ONCE):
        states = oracle.states_of(request_ids[start : start + STATES_AT_ONCE], at)
        yield from (state.status for state in states)


def _shown(value: bytes | str | int) -> str:
    # Numbers as text: a nonce has more digits than JSON keeps everywhere.
    return f"0x{value.hex()}" if isinstance(value, bytes) else str(value)


def _bytes(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def _word(text: str) -> Bytes32:
    return Bytes32(_bytes(text))


def _no_batch(why: str) -> ConfigurationError:
    return ConfigurationError(
        Reason.CONFIGURATION_INVALID,
        f"the file is no batch: {why}",
        "give the file that `quotary batch answer` wrote",
    )


def _gas_of(made: RequestTerms, output: bytes) -> int:
    callback = made.callback_gas_limit
    extra = callback * 64 // 63 + CALLBACK_OVERHEAD if callback else 0
    return CLAIM_GAS + OUTPUT_BYTE_GAS * len(output) + extra
