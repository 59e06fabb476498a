"""What a request says: the terms behind its id, as the contract and everybody else encode them."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any, Self

from eth_utils.crypto import keccak

from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.model import Address, Bytes32, ChainId, Quorum, Rule, address_from
from quotary_bridge.words import WORD_BYTES, encode_words, split_words

__all__ = ["ONE_WORKER", "Payment", "Quorum", "RequestParams", "RequestTerms", "Rule"]

# How many bits each word of an encoded request may use, up to the place of its workers: three
# bytes32, requester, sequence, gas, two times; the payment; the quorum.
_BITS = (256, 256, 256, 160, 64, 32, 64, 64, 160, 160, 96, 96, 96, 8, 8, 8, 8, 8, 128)
_ADDRESSES = (3, 8, 9)
_HEAD_WORDS = len(_BITS) + 1
_ADDRESS_BITS = 160


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
        """Return what `encode` encoded; raises `ValueError` for anything else."""
        words = list(split_words(encoded))[1:]
        if len(words) <= _HEAD_WORDS or int.from_bytes(encoded[:WORD_BYTES]) != WORD_BYTES:
            raise ValueError(f"{len(encoded)} bytes are no request")
        place, count = (int.from_bytes(word) for word in words[_HEAD_WORDS - 1 : _HEAD_WORDS + 1])
        named = words[_HEAD_WORDS + 1 :]
        if place != _HEAD_WORDS * WORD_BYTES or count != len(named):
            raise ValueError("a request whose workers stand elsewhere")
        number = [_sized(word, bits) for word, bits in zip(words, _BITS, strict=False)]
        requester, token, refund_to = (address_from(words[each][12:]) for each in _ADDRESSES)
        return cls(
            app_id=Bytes32(words[0]),
            model_id=Bytes32(words[1]),
            input_commitment=Bytes32(words[2]),
            requester=requester,
            sequence=number[4],
            callback_gas_limit=number[5],
            reserved_until=number[6],
            deadline=number[7],
            payment=Payment(number[10], refund_to, token, number[11], number[12]),
            quorum=Quorum(
                *(number[13], number[14], number[15], number[16]), Rule(number[17]), number[18]
            ),
            workers=tuple(address_from(_sized(word, _ADDRESS_BITS).to_bytes(20)) for word in named),
        )

    def encode(self) -> bytes:
        """`abi.encode(Request)`; raises `ValueError` or `OverflowError` for what does not fit."""
        return encode_words(WORD_BYTES) + self._tuple()

    def _tuple(self) -> bytes:
        """Return the request as it stands among other arguments, behind its place."""
        paid, quorum = self.payment.words(), self.quorum
        head = encode_words(
            *(self.app_id, self.model_id, self.input_commitment, self.requester, self.sequence),
            *(self.callback_gas_limit, self.reserved_until, self.deadline, *paid),
            *(quorum.results, quorum.seats, quorum.operators, quorum.vendors, quorum.rule),
            *(quorum.tolerance, _HEAD_WORDS * WORD_BYTES, len(self.workers)),
        )
        for word, bits in zip(split_words(head), _BITS, strict=False):
            _sized(word, bits)
        return head + encode_words(*self.workers)

    def words(self) -> tuple[Any, ...]:
        """The fields in the contract's order."""
        return (
            *(self.app_id, self.model_id, self.input_commitment, self.requester, self.sequence),
            *(self.callback_gas_limit, self.reserved_until, self.deadline),
            *(self.payment.words(), astuple(self.quorum), list(self.workers)),
        )

    def request_id(self, chain_id: ChainId, oracle: Address) -> Bytes32:
        """`keccak256(abi.encode(chainId, oracle, Request))`."""
        place = 3 * WORD_BYTES
        return Bytes32(keccak(encode_words(chain_id, oracle, place) + self._tuple()))


def _sized(word: bytes, bits: int) -> int:
    """Return the number in `word`; raises `ValueError` where it needs more bits."""
    number = int.from_bytes(word)
    if number >> bits:
        raise ValueError(f"{number} has more than {bits} bits")
    return number
