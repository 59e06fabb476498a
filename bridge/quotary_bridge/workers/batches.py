"""
Many answers under one signature: the tree of answers, its statement, and what both must satisfy.

Byte formats: docs/formats.md, "Batch". As with single results the contract checks all of it again;
checking here saves a commitment that nobody could claim from, and names the worker.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from hashlib import sha256
from typing import Final

from eth_utils.crypto import keccak

from quotary_bridge.model import Address, Bytes32, ChainId, Timestamp
from quotary_bridge.words import encode_words
from quotary_bridge.workers.check import RejectReason, ResultRejectedError
from quotary_bridge.workers.statement import DOMAIN_TYPE, DOMAIN_VERSION, signer_of

__all__ = [
    "BATCH_TYPE_HASH",
    "Answered",
    "Batch",
    "BatchQuestion",
    "SignedBatch",
    "Tree",
    "batch_digest",
    "check_batch",
    "leaf_of",
]

_BATCH_TYPE: Final = (
    b"Batch(bytes32 appId,bytes32 modelId,bytes32 weightsRoot,bytes32 root,uint64 count,"
    b"uint64 keyEpoch,uint64 policyVersion,address worker,uint256 nonce,uint64 deadline)"
)
BATCH_TYPE_HASH: Final = keccak(_BATCH_TYPE)


@dataclass(frozen=True, slots=True)
class BatchQuestion:
    """Requests of one app for one model; `asked` pairs request ids with inputs."""

    app_id: Bytes32
    model_id: Bytes32
    deadline: Timestamp
    chain_id: ChainId
    oracle: Address
    asked: tuple[tuple[Bytes32, bytes], ...]


@dataclass(frozen=True, slots=True)
class Answered:
    """What came out for one request, and the metered units it took."""

    request_id: Bytes32
    output: bytes
    units: int


@dataclass(frozen=True, slots=True)
class Batch:
    """The statement a worker signs about many answers, in the order in which it is signed."""

    app_id: Bytes32
    model_id: Bytes32
    weights_root: Bytes32
    root: Bytes32
    count: int
    key_epoch: int
    policy_version: int
    worker: Address
    nonce: int
    deadline: Timestamp


@dataclass(frozen=True, slots=True)
class SignedBatch:
    """A batch, the answers under its root in their order, and the worker's signature."""

    batch: Batch
    answers: tuple[Answered, ...]
    signature: bytes


class Tree:
    """A Merkle tree of keccak256: pairs are hashed ascending, an odd node rises unchanged."""

    def __init__(self, leaves: Sequence[bytes]) -> None:
        """Hash everything once; raises `ValueError` without leaves."""
        if not leaves:
            raise ValueError("a tree has leaves")
        self._levels = [list(leaves)]
        while len(level := self._levels[-1]) > 1:
            pairs = [level[place : place + 2] for place in range(0, len(level), 2)]
            above = [keccak(b"".join(sorted(pair))) if pair[1:] else pair[0] for pair in pairs]
            self._levels.append(above)

    @property
    def root(self) -> Bytes32:
        """What the worker signs."""
        return Bytes32(self._levels[-1][0])

    def path(self, index: int) -> list[bytes]:
        """Return what leads from leaf number `index` to the root; raises `IndexError`."""
        if not 0 <= index < len(self._levels[0]):
            raise IndexError(index)
        path = []
        for level in self._levels[:-1]:
            sibling = index ^ 1
            if sibling < len(level):
                path.append(level[sibling])
            index //= 2
        return path


def leaf_of(
    request_id: Bytes32, input_commitment: Bytes32, output_hash: Bytes32, units: int
) -> bytes:
    """Return an answer as a leaf: hashed twice, so that no inner node can pass for one."""
    return keccak(keccak(encode_words(request_id, input_commitment, output_hash, units)))


def batch_digest(batch: Batch, chain_id: ChainId, oracle: Address) -> bytes:
    """Return what a worker signs to state `batch` to the BatchOracle on that chain."""
    name, version = keccak(b"Quotary Batch"), keccak(DOMAIN_VERSION.encode())
    domain = keccak(encode_words(keccak(DOMAIN_TYPE), name, version, chain_id, oracle))
    statement = keccak(encode_words(BATCH_TYPE_HASH, *astuple(batch)))
    return keccak(b"\x19\x01" + domain + statement)


def check_batch(
    question: BatchQuestion, signed: SignedBatch, at: Timestamp, expected: Address | None = None
) -> Tree:
    """
    Return the tree of the answers where `signed` answers all of `question` at time `at`.

    `expected` is the worker that was asked, where its address is known. Raises
    `ResultRejectedError`. Whether the worker is active is not checked here: it needs the chain.
    """
    said = signed.batch
    signer = signer_of(batch_digest(said, question.chain_id, question.oracle), signed.signature)
    if signer is None:
        raise ResultRejectedError(RejectReason.INVALID_SIGNATURE, "not a signature of its one form")
    _require(RejectReason.WRONG_SIGNER, signer, said.worker)
    _require(RejectReason.WRONG_WORKER, said.worker, expected or said.worker)
    _require(RejectReason.WRONG_APP, said.app_id, question.app_id)
    _require(RejectReason.WRONG_MODEL, said.model_id, question.model_id)
    _require(RejectReason.WRONG_KEY_EPOCH, said.key_epoch, 0)
    _require(RejectReason.WRONG_POLICY_VERSION, said.policy_version, 0)
    if said.deadline < at:
        raise ResultRejectedError(RejectReason.RESULT_EXPIRED, f"{said.deadline}, and it is {at}")
    answered = [answer.request_id for answer in signed.answers]
    if answered != [request_id for request_id, _ in question.asked]:
        raise ResultRejectedError(RejectReason.WRONG_REQUEST, "not the requests that were asked")
    _require(RejectReason.WRONG_REQUEST, said.count, len(answered))
    tree = Tree(
        [
            leaf_of(request_id, _hash(content), _hash(answer.output), answer.units)
            for (request_id, content), answer in zip(question.asked, signed.answers, strict=True)
        ]
    )
    _require(RejectReason.OUTPUT_MISMATCH, said.root, tree.root)
    return tree


def _hash(content: bytes) -> Bytes32:
    return Bytes32(sha256(content).digest())


def _require(reason: RejectReason, found: object, expected: object) -> None:
    if found != expected:
        raise ResultRejectedError(reason, f"found {found!r}, expected {expected!r}")
