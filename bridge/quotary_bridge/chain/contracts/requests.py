"""What a request says: the terms behind its id, as the contract and everybody else encode them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from enum import IntEnum
from typing import Any, Self

from eth_abi.abi import decode, encode
from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.model import Address, Bytes32, ChainId

__all__ = ["ONE_WORKER", "Payment", "Quorum", "RequestParams", "RequestTerms", "Rule"]

_PAYMENT = "(address,address,uint96,uint96,uint96)"
_QUORUM = "(uint8,uint8,uint8,uint8,uint8,uint128)"
_REQUEST = (
    f"(bytes32,bytes32,bytes32,address,uint64,uint32,uint64,uint64,{_PAYMENT},{_QUORUM},address[])"
)


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


ONE_WORKER = Quorum()


@dataclass(frozen=True, slots=True)
class Payment:
    """
    What is put up and how it is used; amounts in the token's smallest unit.

    `token` is the zero address for ether. With both fees zero the answers share all of `max_fee`.
    """

    max_fee: int
    refund_to: Address = ZERO_ADDRESS
    token: Address = ZERO_ADDRESS
    base_fee: int = 0
    unit_fee: int = 0

    def words(self) -> tuple[Address, Address, int, int, int]:
        """The fields in the contract's order."""
        return self.token, self.refund_to, self.max_fee, self.base_fee, self.unit_fee


@dataclass(frozen=True, slots=True)
class RequestParams:
    """
    What a requester asks for; no callback where `callback_gas_limit` is 0.

    `input_commitment` may be left zero where the input is given. `workers` are named ascending, and
    then `reserved_until` is the last second that belongs to them alone.
    """

    app_id: Bytes32
    model_id: Bytes32
    input: bytes
    callback_gas_limit: int
    deadline: int
    payment: Payment
    quorum: Quorum = ONE_WORKER
    workers: tuple[Address, ...] = ()
    reserved_until: int = 0
    input_commitment: Bytes32 = Bytes32(bytes(32))  # noqa: RUF009  (immutable)

    def words(self) -> tuple[object, ...]:
        """The fields in the contract's order."""
        return (
            *(self.app_id, self.model_id, self.input, self.input_commitment),
            *(self.callback_gas_limit, self.reserved_until, self.deadline),
            *(self.payment.words(), astuple(self.quorum), list(self.workers)),
        )


@dataclass(frozen=True, slots=True)
class RequestTerms:
    """A request as it was made: its id is the hash of all of this (docs/formats.md, "Request")."""

    app_id: Bytes32
    model_id: Bytes32
    input_commitment: Bytes32
    requester: Address
    sequence: int
    callback_gas_limit: int
    reserved_until: int
    deadline: int
    payment: Payment
    quorum: Quorum
    workers: tuple[Address, ...]

    @classmethod
    def from_event(cls, made: AbiValue) -> Self:
        """Return the terms that `RequestCreated` tells."""
        paid, quorum = made["payment"], made["quorum"]
        return cls(
            app_id=made["appId"],
            model_id=made["modelId"],
            input_commitment=made["inputCommitment"],
            requester=address_of(made["requester"]),
            sequence=made["sequence"],
            callback_gas_limit=made["callbackGasLimit"],
            reserved_until=made["reservedUntil"],
            deadline=made["deadline"],
            payment=Payment(
                token=address_of(paid["token"]),
                refund_to=address_of(paid["refundTo"]),
                max_fee=paid["maxFee"],
                base_fee=paid["baseFee"],
                unit_fee=paid["unitFee"],
            ),
            quorum=Quorum(
                results=quorum["results"],
                seats=quorum["seats"],
                operators=quorum["operators"],
                vendors=quorum["vendors"],
                rule=Rule(quorum["rule"]),
                tolerance=quorum["tolerance"],
            ),
            workers=tuple(address_of(worker) for worker in made["workers"]),
        )

    @classmethod
    def decode(cls, encoded: bytes) -> Self:
        """Return what `encode` encoded; raises `eth_abi.exceptions.DecodingError`."""
        (words,) = decode((_REQUEST,), encoded)
        token, refund_to, max_fee, base_fee, unit_fee = words[8]
        results, seats, operators, vendors, rule, tolerance = words[9]
        return cls(
            app_id=Bytes32(words[0]),
            model_id=Bytes32(words[1]),
            input_commitment=Bytes32(words[2]),
            requester=address_of(words[3]),
            sequence=words[4],
            callback_gas_limit=words[5],
            reserved_until=words[6],
            deadline=words[7],
            payment=Payment(max_fee, address_of(refund_to), address_of(token), base_fee, unit_fee),
            quorum=Quorum(results, seats, operators, vendors, Rule(rule), tolerance),
            workers=tuple(address_of(worker) for worker in words[10]),
        )

    def encode(self) -> bytes:
        """`abi.encode(Request)`."""
        return encode((_REQUEST,), (self.words(),))

    def words(self) -> tuple[Any, ...]:
        """The fields in the contract's order."""
        return (
            *(self.app_id, self.model_id, self.input_commitment, self.requester, self.sequence),
            *(self.callback_gas_limit, self.reserved_until, self.deadline),
            *(self.payment.words(), astuple(self.quorum), list(self.workers)),
        )

    def request_id(self, chain_id: ChainId, oracle: Address) -> Bytes32:
        """`keccak256(abi.encode(chainId, oracle, Request))`."""
        types = ("uint256", "address", _REQUEST)
        return Bytes32(keccak(encode(types, (chain_id, oracle, self.words()))))
