"""
Answers that are compared with other workers': a commitment first, the answer to a closed round.

1. A commitment is a salted hash of the answer: it shows nothing.
2. The relayer closes the round: the list of all commitments there are.
3. The answer is signed for one closed round, ours among its commitments, once per request.

So whoever sees an answer cannot take part in its round any more. What a request asks, and by which
rule answers are compared, follows from its terms, and its id is the hash of these: nobody can have
the same request answered twice by telling it differently. Who may ask this model outside of rounds
learns what it says about the same input; that is for whoever runs the worker to allow.

With a vault a worker that starts anew goes on with the same commitments: the answer is kept, not
only its salt, as a model that is asked again may answer otherwise, and two answers signed for one
question end a worker. It is on the disk before the commitment leaves, and that it was revealed
before the answer does. A host that puts an older vault back has one answer shown to two rounds. It
learns what it could have learnt by asking its model; to others the rule holds as before.

Byte formats: docs/formats.md, "Result".
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import IntEnum
from hashlib import sha256
from itertools import pairwise
from threading import Lock
from typing import Any, Final, Self

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from quotary_enclave.model import Answer
from quotary_enclave.worker import bounded_json
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import Bytes32, Document, read_bytes, read_bytes32_list
from quotary_enclave.worker.statements import Result, ResultDomain
from quotary_enclave.worker.vault import Vault

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

    def encode(self) -> bytes:
        """What a vault keeps of it."""
        revealed = None if self.revealed is None else self.revealed.hex()
        said = {name: _shown(value) for name, value in asdict(self.unsigned).items()}
        seats = [self.terms.results, self.terms.seats, int(self.terms.rule)]
        kept = {"said": said, "seats": seats, "output": self.output.hex(), "revealed": revealed}
        return json.dumps(kept).encode()

    @classmethod
    def decode(cls, kept: bytes) -> Self:
        """What `encode` was called on: nobody but this program can have sealed it."""
        document = bounded_json.loads(kept)
        said = {name: _meant(value) for name, value in document["said"].items()}
        unsigned = Result(**said)
        results, seats, rule = document["seats"]
        terms = Terms(
            *(unsigned.request_id, unsigned.app_id, unsigned.model_id, unsigned.input_commitment),
            *(unsigned.deadline, results, seats, Rule(rule)),
        )
        shown = document["revealed"]
        revealed = None if shown is None else Bytes32(bytes.fromhex(shown))
        return cls(terms, unsigned, bytes.fromhex(document["output"]), revealed)


def _shown(value: bytes | int | str) -> str | int:
    return f"x{value.hex()}" if isinstance(value, bytes) else value


def _meant(value: str | int) -> Any:  # noqa: ANN401 (what the field holds)
    raw = isinstance(value, str) and value.startswith("x")
    return bytes.fromhex(str(value)[1:]) if raw else value


_Name = tuple[ResultDomain, Bytes32]


@dataclass(slots=True)
class Pledges:
    """
    The last `capacity` commitments, and with a `vault` all that are of use.

    Safe across threads. Every method raises `RefusalError` where the vault cannot be used.
    """

    capacity: int
    vault: Vault | None = None
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
            pledge = self._found(name)
            if name in self._revealed or (pledge is not None and pledge.revealed is not None):
                raise _already_revealed()
            return pledge

    def keep(self, domain: ResultDomain, pledge: Pledge, now: int) -> Pledge:
        """Remember `pledge` at `now`; returns the one that counts: whichever came first."""
        name = (domain, pledge.terms.request_id)
        with self._lock:
            kept = self._found(name)
            if kept is not None:
                return kept
            self._put(name, pledge, now)
            self._remember(name, pledge)
            return pledge

    def reveal(
        self, domain: ResultDomain, request_id: Bytes32, commitments: Sequence[Bytes32], now: int
    ) -> tuple[Result, bytes]:
        """
        What to sign at `now` for the closed round of `commitments`, and the output.

        Raises `RefusalError`: `NOT_COMMITTED`, `ROUND_NOT_CLOSED` where this is no closed round
        with our commitment in it, `ALREADY_REVEALED` where the answer was shown to another one.
        """
        name = (domain, request_id)
        with self._lock:
            pledge = self._found(name)
            if pledge is None:
                raise RefusalError(
                    WorkerReason.NOT_COMMITTED, "no commitment to this request is kept", 404
                )
            digest = _closed(pledge, commitments)
            if pledge.revealed not in (None, digest):
                raise _already_revealed()
            if pledge.revealed is None:
                # Kept before anybody sees it: what could not be kept is not shown.
                self._put(name, replace(pledge, revealed=digest), now)
                pledge.revealed = digest
            self._revealed[name] = None
            if len(self._revealed) > REVEALED_REMEMBERED:
                self._revealed.popitem(last=False)
        return replace(pledge.unsigned, round=digest), pledge.output

    def _found(self, name: _Name) -> Pledge | None:
        pledge = self._pledges.get(name)
        if pledge is None and self.vault is not None:
            kept = self.vault.get(_entry(name))
            if kept is not None:
                pledge = Pledge.decode(kept)
                self._remember(name, pledge)
        return pledge

    def _remember(self, name: _Name, pledge: Pledge) -> None:
        self._pledges[name] = pledge
        while len(self._pledges) > self.capacity:
            self._pledges.popitem(last=False)

    def _put(self, name: _Name, pledge: Pledge, now: int) -> None:
        if self.vault is not None:
            self.vault.put(_entry(name), pledge.encode(), pledge.terms.deadline, now)


def _entry(name: _Name) -> bytes:
    domain, request_id = name
    return encode(("uint256", "address"), (domain.chain_id, domain.oracle)) + request_id


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
