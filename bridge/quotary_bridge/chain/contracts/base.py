"""What all contract wrappers share."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import Any, ClassVar

from quotary_bridge.chain.interface import AbiValue, interface
from quotary_bridge.chain.port import Chain, TransactionRequest
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, address_from

__all__ = [
    "ZERO_ADDRESS",
    "Contract",
    "MeasurementStatus",
    "ModelStatus",
    "ProofKind",
    "RouteStatus",
    "SelectorStatus",
    "address_of",
]

ZERO_ADDRESS = Address("0x0000000000000000000000000000000000000000")


class ProofKind(IntEnum):
    """Who checked the evidence behind a verdict (docs/formats.md, "Proof kinds and routes")."""

    NONE = 0
    ON_CHAIN = 1
    ZK = 2
    COMMITTEE = 3
    STUB = 4


class RouteStatus(IntEnum):
    """What became of a route; it only ever moves to the right."""

    UNKNOWN = 0
    ACTIVE = 1
    FROZEN = 2


class SelectorStatus(IntEnum):
    """What became of a receipt verifier; it only ever moves to the right."""

    UNKNOWN = 0
    ACTIVE = 1
    REMOVED = 2


class MeasurementStatus(IntEnum):
    """What became of a measurement; it only ever moves to the right."""

    UNKNOWN = 0
    ADMITTED = 1
    REVOKED = 2


class ModelStatus(IntEnum):
    """What became of a model; it only ever moves to the right."""

    UNKNOWN = 0
    ADMITTED = 1
    REVOKED = 2


class Contract:
    """A contract at an address, spoken to through its exported ABI."""

    abi_name: ClassVar[str]

    def __init__(self, chain: Chain, address: Address) -> None:
        """Nothing is asked yet."""
        self._chain = chain
        self._address = address

    @property
    def address(self) -> Address:
        """Where it stands."""
        return self._address

    @property
    def chain(self) -> Chain:
        """The chain it stands on."""
        return self._chain

    def encode(self, function: str, *arguments: AbiValue) -> bytes:
        """Return call data."""
        return interface(self.abi_name).encode_call(function, arguments)

    def read(self, function: str, *arguments: AbiValue, at: BlockTag = "latest") -> Any:  # noqa: ANN401 (only the ABI knows the type)
        """Return a view's result: the value itself where there is one, a tuple where more."""
        return self.decoded(function, self._chain.call(self.view(function, *arguments), at))

    def read_many(self, function: str, each: Sequence[AbiValue], at: BlockTag) -> list[Any]:
        """Return what `read` returns for each single argument, in as few exchanges as it takes."""
        answers = self._chain.calls([self.view(function, argument) for argument in each], at)
        found = []
        for answer in answers:
            if isinstance(answer, ContractError):
                raise answer
            found.append(self.decoded(function, answer))
        return found

    def view(self, function: str, *arguments: AbiValue) -> TransactionRequest:
        """Return the question that `read` asks, to be asked together with others."""
        return TransactionRequest(ZERO_ADDRESS, self._address, self.encode(function, *arguments))

    def decoded(self, function: str, data: bytes) -> Any:  # noqa: ANN401 (as `read`)
        """Return what `read` returns, out of what the node answered."""
        values = interface(self.abi_name).decode_result(function, data)
        return values[0] if len(values) == 1 else values


def address_of(value: AbiValue) -> Address:
    """Return a decoded address in its EIP-55 spelling."""
    return address_from(bytes.fromhex(value[2:]))
