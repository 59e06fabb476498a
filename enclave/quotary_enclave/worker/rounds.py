"""
Answers to requests of the chain: each is given once, and is the same whenever it is asked for.

Two outputs that a worker signed for one question end it, whoever brings them, and a model that is
asked again may answer otherwise. So an answer is kept before anything of it is shown, until its
request has ended and nothing is signed for it any more; where no more can be kept, no more is
answered. What a request asks, until when, of how many workers and by which rule they are compared,
follows from its terms, and its id is the hash of these: nobody can have the same request answered
twice by telling it differently.

What one worker is asked alone is signed at once, for no round. Answers that are compared with other
workers' are shown later:

1. A commitment is a salted hash of the answer: it shows nothing.
2. The relayer closes the round: the list of all commitments there are.
3. The answer is signed for one closed round, ours among its commitments, once per request.

So whoever sees an answer cannot take part in its round any more. Who may ask this model outside of
requests learns what it says about the same input; that is for whoever runs the worker to allow.

Without a vault the worker's identity ends with the process, and so does what is kept: nothing can
be held against the next one. With a vault a worker that starts anew goes on with the same answers.
A host that puts an older vault back, or runs a copy, has a worker of its own answer one request
twice, or show one answer to two rounds. It learns what it could have learnt by asking its model,
and has its own worker revoked where the answers differ; to others the rule holds as before.

Byte formats: docs/formats.md, "Result".
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from hashlib import sha256
from itertools import pairwise
from threading import Lock
from typing import Any, Self

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from quotary_enclave.model import Answer
from quotary_enclave.worker import bounded_json
from quotary_enclave.worker.config import Clock
from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import Bytes32, Document, read_bytes32_list
from quotary_enclave.worker.memory import Entries
from quotary_enclave.worker.statements import Result, ResultDomain
from quotary_enclave.worker.terms import MOST_SEATS, Rule, Terms

__all__ = [
    "NO_ROUND",
    "Pledge",
    "Pledges",
    "already_revealed",
    "decision_of",
    "read_round",
    "require_before",
]

NO_ROUND = Bytes32(bytes(32))
"""What an answer that is compared with nobody's is shown to."""


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
    """The one answer to a request: all of its statement but the round it is revealed in."""

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


@dataclass(slots=True)
class Pledges:
    """
    The one answer to every request, until the request has ended.

    Safe across threads. Every method raises `RefusalError` where entries cannot be read or written.
    """

    clock: Clock
    entries: Entries
    _lock: Lock = field(default_factory=Lock)

    def find(self, domain: ResultDomain, request_id: Bytes32) -> Pledge | None:
        """The answer to this request, None where there is none yet."""
        with self._lock:
            return self._found(_entry(domain, request_id))

    def keep(self, domain: ResultDomain, pledge: Pledge) -> Pledge:
        """
        Remember `pledge`; returns the one that counts: whichever came first.

        Raises `RefusalError`: `DEADLINE_EXPIRED`, `OVERLOADED` where no more can be kept.
        """
        name = _entry(domain, pledge.terms.request_id)
        with self._lock:
            kept = self._found(name)
            if kept is not None:
                return kept
            # Read in here: by an older time a twin of this answer may be forgotten already.
            now = self.clock()
            require_before(pledge.terms.deadline, now)
            self.entries.put(name, pledge.encode(), pledge.terms.deadline, now)
            return pledge

    def reveal(
        self, domain: ResultDomain, request_id: Bytes32, commitments: Sequence[Bytes32]
    ) -> tuple[Result, bytes]:
        """
        What to sign for the closed round of `commitments`, and the output.

        Raises `RefusalError`: `NOT_COMMITTED`, `DEADLINE_EXPIRED`, `ROUND_NOT_CLOSED` where this
        is no closed round with our commitment in it, `ALREADY_REVEALED` where the answer was shown
        to another one.
        """
        name = _entry(domain, request_id)
        with self._lock:
            pledge = self._found(name)
            if pledge is None:
                raise RefusalError(
                    WorkerReason.NOT_COMMITTED, "no commitment to this request is kept", 404
                )
            digest = _closed(pledge, commitments)
            if pledge.revealed not in (None, digest):
                raise already_revealed()
            now = self.clock()
            require_before(pledge.terms.deadline, now)
            if pledge.revealed is None:
                # Kept before anybody sees it: what could not be kept is not shown.
                shown = replace(pledge, revealed=digest)
                self.entries.put(name, shown.encode(), pledge.terms.deadline, now)
        return replace(pledge.unsigned, round=digest), pledge.output

    def _found(self, name: bytes) -> Pledge | None:
        kept = self.entries.get(name)
        return None if kept is None else Pledge.decode(kept)


def _entry(domain: ResultDomain, request_id: Bytes32) -> bytes:
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


def require_before(deadline: int, now: int) -> None:
    """Raise `RefusalError(DEADLINE_EXPIRED)` where `deadline` is past at `now`, Unix seconds."""
    if now > deadline:
        raise RefusalError(
            WorkerReason.DEADLINE_EXPIRED, f"{deadline} is past; it is {now}", 410, "deadline"
        )


def already_revealed() -> RefusalError:
    """The refusal to show an answer to a second round."""
    return RefusalError(
        WorkerReason.ALREADY_REVEALED, "the answer was revealed to another round", 409, "round"
    )
