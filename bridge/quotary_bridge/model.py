"""
The values the bridge works with: requests, results, transactions, and the names of their units.

Pure data: nothing here reads a chain, a database or a clock. Everything is frozen, so a value that
was checked stays what it was when it was checked.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import lru_cache
from hashlib import sha256
from typing import NewType

from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from quotary_bridge.words import WORD_BYTES, encode_words

__all__ = [
    "Address",
    "Attempt",
    "AttemptKind",
    "BlockHash",
    "BlockNumber",
    "BlockRef",
    "Bytes32",
    "ChainId",
    "Fees",
    "Inclusion",
    "JobKey",
    "JobKind",
    "Nonce",
    "Quorum",
    "Request",
    "Result",
    "Rule",
    "SignedResult",
    "Slot",
    "SlotState",
    "Timestamp",
    "TransactionHash",
    "Wei",
    "address_from",
    "errand_key",
    "job_key",
]

Address = NewType("Address", str)
"""An account in its EIP-55 spelling."""

BlockHash = NewType("BlockHash", bytes)
BlockNumber = NewType("BlockNumber", int)
Bytes32 = NewType("Bytes32", bytes)
ChainId = NewType("ChainId", int)
JobKey = NewType("JobKey", bytes)
"""What identifies one request for ever: see `job_key`."""

Nonce = NewType("Nonce", int)
Timestamp = NewType("Timestamp", int)
"""Unix seconds."""

TransactionHash = NewType("TransactionHash", bytes)
Wei = NewType("Wei", int)

ADDRESSES_REMEMBERED = 1 << 10
# In the encoded terms: after their offset, eight fields, and the five of the payment.
_RESULTS_AT = 14 * WORD_BYTES
# And after their offset, app and model.
_COMMITMENT_AT = 3 * WORD_BYTES
# After the quorum, the place of the workers; their number stands there.
_WORKERS_AT = 21 * WORD_BYTES
_OF_NOTHING = sha256(b"").digest()

KEYS_REMEMBERED = 1 << 14
"""A job's key is asked for at every step; more jobs than this are hardly open at once."""


@lru_cache(ADDRESSES_REMEMBERED)
def address_from(raw: bytes) -> Address:
    """Return the address of 20 bytes; spelling one takes a hash, and a few are seen again often."""
    return Address(to_checksum_address(raw))


@lru_cache(KEYS_REMEMBERED)
def job_key(chain_id: ChainId, oracle: Address, request_id: Bytes32) -> JobKey:
    """
    Return the key under which a request is worked on exactly once.

    `keccak256(abi.encode(chainId, oracle, requestId))`: the same request seen through two events, a
    re-scan or a reorg is the same job.
    """
    return JobKey(keccak(encode_words(chain_id, oracle, request_id)))


class JobKind(StrEnum):
    """What a job brings to the chain; the values are what the database carries."""

    ANSWER = "answer"
    """One worker's answer to a request."""

    QUORUM = "quorum"
    """What several workers agreed on."""

    DISPUTE = "dispute"
    """That a whole round could not agree."""

    DISSENT = "dissent"
    """A worker's statement against what the others agreed on."""

    EQUIVOCATION = "equivocation"
    """Two statements of one worker that cannot both be true."""

    REASSIGN = "reassign"
    """That a request's own workers are late."""

    REFUND = "refund"
    """That nobody answered in time."""

    COMMITMENT = "commitment"
    """The root of a batch, under its worker's signature."""

    CLAIMS = "claims"
    """Answers of a committed batch."""


def errand_key(request: JobKey, kind: JobKind, subject: bytes = b"") -> JobKey:
    """
    Return the key of what is brought to the chain about a request beside its answer, once for all.

    `subject` tells errands of one kind apart: a round, a worker.
    """
    return JobKey(keccak(request + keccak(kind.encode()) + subject))


class Rule(IntEnum):
    """How answers of several workers are compared."""

    EXACT = 0
    CLASS = 1
    TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class Quorum:
    """How many answers must agree, of how many workers, on how many operators and vendors."""

    results: int = 1
    seats: int = 1
    operators: int = 1
    vendors: int = 1
    rule: Rule = Rule.EXACT
    tolerance: int = 0


@dataclass(frozen=True, slots=True)
class BlockRef:
    """A block by height *and* hash: a height alone names a different block after a reorg."""

    number: BlockNumber
    hash: BlockHash


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request for a result, as the oracle on the chain holds it.

    `input` is empty where it is kept elsewhere; `callback_gas` is what the requester's callback may
    use, `fee` what was put up for answers;
    `terms` is all of the request as the contract encodes it, which every call about it must bring
    (docs/formats.md, "Request"); `block` is where the request's event was seen.
    """

    chain_id: ChainId
    oracle: Address
    request_id: Bytes32
    app_id: Bytes32
    model_id: Bytes32
    requester: Address
    input: bytes
    deadline: Timestamp
    callback_gas: int
    fee: Wei
    terms: bytes
    block: BlockRef
    key: JobKey = field(init=False, repr=False, compare=False)
    """The job this request is worked on under: it is asked for at every step."""

    def __post_init__(self) -> None:
        """Derive the key."""
        object.__setattr__(self, "key", job_key(self.chain_id, self.oracle, self.request_id))

    @property
    def results_needed(self) -> int:
        """How many workers' answers must agree."""
        return int.from_bytes(self.terms[_RESULTS_AT : _RESULTS_AT + WORD_BYTES])

    @property
    def workers_named(self) -> int:
        """How many workers the answer is reserved to, 0 where any of the app may give it."""
        return int.from_bytes(self.terms[_WORKERS_AT : _WORKERS_AT + WORD_BYTES])

    @property
    def input_commitment(self) -> Bytes32:
        """SHA-256 of the input, wherever that is kept."""
        if self.input:
            return Bytes32(sha256(self.input).digest())
        return Bytes32(self.terms[_COMMITMENT_AT : _COMMITMENT_AT + WORD_BYTES])

    @property
    def input_is_elsewhere(self) -> bool:
        """Whether the chain has no more than a commitment to the input."""
        return not self.input and self.input_commitment != _OF_NOTHING

    def asks_the_same_as(self, other: Request) -> bool:
        """Whether both ask for the same thing, wherever their events were seen."""
        return self._content() == other._content()

    def _content(self) -> tuple[object, ...]:
        return (
            self.chain_id,
            self.oracle,
            self.request_id,
            self.app_id,
            self.model_id,
            self.requester,
            self.input,
            self.deadline,
            self.callback_gas,
            self.fee,
            self.terms,
        )


@dataclass(frozen=True, slots=True)
class Result:
    """The statement a worker signs, field for field (docs/formats.md, "Result")."""

    request_id: Bytes32
    app_id: Bytes32
    model_id: Bytes32
    weights_root: Bytes32
    input_commitment: Bytes32
    output_hash: Bytes32
    decision: Bytes32
    round: Bytes32
    key_epoch: int
    policy_version: int
    worker: Address
    units: int
    nonce: int
    deadline: Timestamp


@dataclass(frozen=True, slots=True)
class SignedResult:
    """
    A result, the output it speaks of, and the worker's signature (65 bytes `r ‖ s ‖ v`).

    `call` is the call data that carries it to the oracle where others' answers go along with it.
    """

    result: Result
    output: bytes
    signature: bytes
    call: bytes | None = None


@dataclass(frozen=True, slots=True)
class Fees:
    """What a transaction offers per unit of gas (EIP-1559)."""

    max_fee: Wei
    max_priority_fee: Wei


class AttemptKind(StrEnum):
    """What a transaction does with its nonce."""

    DELIVER = "deliver"
    """Carries a result to the oracle."""

    CANCEL = "cancel"
    """Sends nothing to ourselves: uses the nonce up so that later ones can be mined."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """
    One signed transaction, exactly as it may be broadcast.

    Made only by the store, after the commit that holds it: whoever has an `Attempt` in hand knows
    that its bytes survive a crash. That is why sending takes an `Attempt` and nothing else.
    """

    slot_id: int
    ordinal: int
    kind: AttemptKind
    nonce: Nonce
    raw: bytes
    hash: TransactionHash
    fees: Fees
    gas: int
    signed_at: BlockNumber


class SlotState(StrEnum):
    """What became of a nonce."""

    OPEN = "open"
    MINED = "mined"
    FINAL = "final"
    LOST = "lost"
    """Used, to finality, by a transaction that is none of ours."""


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A transaction's place in a block, and whether its execution succeeded."""

    transaction: TransactionHash
    block: BlockRef
    succeeded: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A nonce that was given out, for what, and every transaction signed for it, oldest first."""

    id: int
    nonce: Nonce
    job: JobKey | None
    state: SlotState
    broadcasts: int
    inclusion: Inclusion | None
    attempts: tuple[Attempt, ...]

    @property
    def latest(self) -> Attempt:
        """The attempt that replaces all others of this nonce."""
        return self.attempts[-1]
