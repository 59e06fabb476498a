"""
A request's terms, as far as a worker has to know them.

They are `abi.encode(Request)` (docs/formats.md, "Request"), and the request's id is their hash,
which the worker takes itself: nobody can tell one request in two ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final, Self

from eth_abi.abi import decode, encode
from eth_abi.exceptions import DecodingError
from eth_utils.crypto import keccak

from quotary_enclave.worker.errors import RefusalError, WorkerReason
from quotary_enclave.worker.fields import Bytes32, Document, read_bytes
from quotary_enclave.worker.statements import ResultDomain

__all__ = ["MOST_SEATS", "Rule", "Terms", "bad_terms"]

MOST_SEATS: Final = 16
"""The contract allows no more."""

_PAYMENT: Final = "(address,address,uint96,uint96,uint96)"
_QUORUM: Final = "(uint8,uint8,uint8,uint8,uint8,uint128)"
_REQUEST: Final = (
    f"(bytes32,bytes32,bytes32,address,uint64,uint32,uint64,uint64,{_PAYMENT},{_QUORUM},address[])"
)
_OFFSET: Final = (32).to_bytes(32)
"""The terms are one dynamic value: one word says where it starts, at once."""


class Rule(IntEnum):
    """How answers of several workers are compared."""

    EXACT = 0
    CLASS = 1
    TOLERANCE = 2


@dataclass(frozen=True, slots=True)
class Terms:
    """What a worker has to know of a request."""

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
        if encoded[: len(_OFFSET)] != _OFFSET:
            # It is not hashed: were it believed, one hash would stand for several readings.
            raise bad_terms("a request as the contract encodes it")
        try:
            (words,) = decode((_REQUEST,), encoded)
            rule = Rule(words[9][4])
        except (DecodingError, ValueError) as error:
            raise bad_terms("a request as the contract encodes it") from error
        results, seats = words[9][:2]
        if not 0 < results <= seats <= MOST_SEATS:
            raise bad_terms("a request that somebody may answer")
        head = encode(("uint256", "address", "uint256"), (domain.chain_id, domain.oracle, 3 * 32))
        return cls(
            request_id=Bytes32(keccak(head + encoded[len(_OFFSET) :])),
            app_id=Bytes32(words[0]),
            model_id=Bytes32(words[1]),
            input_commitment=Bytes32(words[2]),
            deadline=words[7],
            results=results,
            seats=seats,
            rule=rule,
        )


def bad_terms(expected: str) -> RefusalError:
    """The refusal of terms that are not what is `expected`."""
    return RefusalError(WorkerReason.BAD_FIELD, f"terms must be {expected}", param="terms")
