"""
Answers that are compared with other workers': a commitment first, the answer to a closed round.

1. A commitment is a salted hash of the answer: it shows nothing.
2. The relayer closes the round: the list of all commitments there are.
3. The answer is signed for one closed round, ours among its commitments, once per request.

So whoever sees an answer cannot take part in its round any more. What a request asks, and by which
rule answers are compared, follows from its terms, and its id is the hash of these: nobody can have
the same request answered twice by telling it differently. Who may ask this model outside of rounds
learns what it says about the same input; that is for whoever runs the worker to allow.

Byte formats: docs/formats.md, "Result".
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise
from threading import Lock
from typing import Final, Self

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from quotary_enclave.model import Answer
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import Bytes32, Document, read_bytes, read_bytes32_list
from quotary_enclave.worker.statements import Result, ResultDomain

__all__ = ["MOST_SEATS", "Pledge", "Pledges", "Rule", "Terms", "decision_of", "read_round"]

MOST_SEATS: Final = 16
"""The contract allows no more."""

REVEALED_REMEMBERED: Final = 1 << 18
"""Requests answered once and for all; requests live for 30 days at most."""

_PAYMENT: Final = "(address,address,uint96,uint96,uint96)"
_QUORUM: Final = "(uint8,uint8,uint8,uint8,uint8,uint128)"
_REQUEST: Final = (
    f"(bytes32,bytes32,bytes32,address,uint64,uint32,uint64,uint64,{_PAYMENT},{_QUORUM},address[])"
)
_OFFSET: Final = 32
"""The terms are one dynamic value: one word says where it starts."""


class Rule(IntEnum):
    """How answers of several workers are compared."""

    EXACT = 0
    CLASS = 1
    TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker has to know of a request that several workers answer."""

    request_id: Bytes32
    app_id: Bytes32
    model_id: Bytes32
    input_commitment: Bytes32
    deadline: int
    results: int
    seats: int
    rule: Rule

    @classmethod
    def read(cls, document: Document, domain: ResultDomain) -> Self:
        """The terms in `document`, with the id they have at `domain`. Raises `RefusalError`."""
        encoded = read_bytes(document, "terms")
        try:
            (words,) = decode((_REQUEST,), encoded)
            rule = Rule(words[9][4])
        except (DecodingError, ValueError) as error:
            raise _bad_terms("a request as the contract encodes it") from error
        results, seats = words[9][:2]
        if not 1 < results <= seats <= MOST_SEATS:
            raise _bad_terms("a request that several workers answer")
        head = encode(("uint256", "address", "uint256"), (domain.chain_id, domain.oracle, 3 * 32))
        return cls(
            request_id=Bytes32(keccak(head + encoded[_OFFSET:])),
            app_id=Bytes32(words[0]),
            model_id=Bytes32(words[1]),
            input_commitment=Bytes32(words[2]),
            deadline=words[7],
            results=results,
            seats=seats,
            rule=rule,
        )


def _bad_terms(expected: str) -> RefusalError:
    return RefusalError(WorkerReason.BAD_FIELD, f"terms must be {expected}", param="terms")


def decision_of(answer: Answer, rule: Rule) -> Bytes32:
    """What `rule` compares of `answer`; raises `RefusalError` where the model does not tell it."""
    if rule is Rule.CLASS and answer.label is not None:
        return Bytes32(sha256(answer.label.encode()).digest())
    if rule is Rule.TOLERANCE and answer.number is not None:
        return Bytes32(encode(("int256",), (answer.number,)))
    if rule is Rule.EXACT:
        return Bytes32(sha256(answer.text.encode()).digest())
    raise RefusalError(
        WorkerReason.RULE_NOT_SERVED,
        f"this model's answers cannot be compared by {rule.name.lower()}",
        422,
        "terms",
    )


def read_round(document: Document) -> tuple[Bytes32, ...]:
    """The commitments of the closed round in `document`. Raises `RefusalError`."""
    return read_bytes32_list(document, "round", MOST_SEATS)


@dataclass(slots=True)
class Pledge:
    """An answer that was committed to: all of its statement but the round it is revealed in."""

    terms: Terms
    unsigned: Result
    output: bytes
    revealed: Bytes32 | None = None

    @property
    def commitment(self) -> Bytes32:
        """The salted hash that stands for the answer until the round is closed."""
        said = self.unsigned
        types = ("bytes32", "address", "bytes32", "bytes32", "uint256")
        fields = (said.request_id, said.worker, said.output_hash, said.decision, said.nonce)
        return Bytes32(keccak(encode(types, fields)))


_Name = tuple[ResultDomain, Bytes32]


@dataclass(slots=True)
class Pledges:
    """The last `capacity` commitments. Safe across threads."""

    capacity: int
    _pledges: OrderedDict[_Name, Pledge] = field(default_factory=OrderedDict)
    _revealed: OrderedDict[_Name, None] = field(default_factory=OrderedDict)
    _lock: Lock = field(default_factory=Lock)

    def find(self, domain: ResultDomain, request_id: Bytes32) -> Pledge | None:
        """
        The commitment to this request, None where there is none yet.

        Raises `RefusalError(ALREADY_REVEALED)` where the answer was shown: it has no other round.
        """
        name = (domain, request_id)
        with self._lock:
            if name in self._revealed:
                raise _already_revealed()
            return self._pledges.get(name)

    def keep(self, domain: ResultDomain, pledge: Pledge) -> Pledge:
        """Remember `pledge`; returns the one that counts: whichever came first."""
        with self._lock:
            kept = self._pledges.setdefault((domain, pledge.terms.request_id), pledge)
            while len(self._pledges) > self.capacity:
                self._pledges.popitem(last=False)
            return kept

    def reveal(
        self, domain: ResultDomain, request_id: Bytes32, commitments: Sequence[Bytes32]
    ) -> tuple[Result, bytes]:
        """
        What to sign for the closed round of `commitments`, and the output.

        Raises `RefusalError`: `NOT_COMMITTED`, `ROUND_NOT_CLOSED` where this is no closed round
        with our commitment in it, `ALREADY_REVEALED` where the answer was shown to another one.
        """
        name = (domain, request_id)
        with self._lock:
            pledge = self._pledges.get(name)
            if pledge is None:
                raise RefusalError(
                    WorkerReason.NOT_COMMITTED, "no commitment to this request is kept", 404
                )
            digest = _closed(pledge, commitments)
            if pledge.revealed not in (None, digest):
                raise _already_revealed()
            pledge.revealed = digest
            self._revealed[name] = None
            if len(self._revealed) > REVEALED_REMEMBERED:
                self._revealed.popitem(last=False)
        return replace(pledge.unsigned, round=digest), pledge.output


def _closed(pledge: Pledge, commitments: Sequence[Bytes32]) -> Bytes32:
    terms = pledge.terms
    ascending = all(one < other for one, other in pairwise(commitments))
    full = terms.results <= len(commitments) <= terms.seats
    if not (ascending and full and pledge.commitment in commitments):
        raise RefusalError(
            WorkerReason.ROUND_NOT_CLOSED,
            f"a closed round has {terms.results} to {terms.seats} commitments, ascending, and "
            "this worker's among them",
            409,
            "round",
        )
    return Bytes32(keccak(b"".join(commitments)))


def _already_revealed() -> RefusalError:
    return RefusalError(
        WorkerReason.ALREADY_REVEALED, "the answer was revealed to another round", 409, "round"
    )
