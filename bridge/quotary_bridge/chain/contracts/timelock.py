"""The governor: OpenZeppelin's timelock, where whatever widens is announced and waits."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.model import Address, Bytes32

__all__ = ["NO_BYTES32", "Operation", "OperationState", "Timelock"]

NO_BYTES32 = Bytes32(bytes(32))
"""No predecessor, and the salt of an operation that is proposed only once."""


class OperationState(IntEnum):
    """How far an operation is."""

    UNSET = 0
    WAITING = 1
    READY = 2
    DONE = 3


@dataclass(frozen=True, slots=True)
class Operation:
    """One call that the governor is to make. Equal calls need different salts to be made twice."""

    target: Address
    data: bytes
    salt: Bytes32 = NO_BYTES32


class Timelock(Contract):
    """What proposers propose, anyone can watch, the guardian can cancel, executors execute."""

    abi_name: ClassVar[str] = "GovernanceTimelock"

    def delay(self, at: BlockTag = "latest") -> int:
        """Return how many seconds an operation waits at least."""
        return int(self.read("getMinDelay", at=at))

    def id_of(self, operation: Operation) -> Bytes32:
        """Return the operation's id."""
        call = (operation.target, 0, operation.data, NO_BYTES32, operation.salt)
        return Bytes32(self.read("hashOperation", *call))

    def state_of(self, operation_id: Bytes32, at: BlockTag = "latest") -> OperationState:
        """Return how far an operation is."""
        return OperationState(self.read("getOperationState", operation_id, at=at))

    def ready_at(self, operation_id: Bytes32, at: BlockTag = "latest") -> int:
        """Return when an operation can be executed, Unix time; 0 unset, 1 done."""
        return int(self.read("getTimestamp", operation_id, at=at))

    def has_role(self, role: str, account: Address, at: BlockTag = "latest") -> bool:
        """Whether `account` has a role by its name, `PROPOSER_ROLE` for one."""
        identifier = self.read(role, at=at)
        return bool(self.read("hasRole", identifier, account, at=at))

    def propose(self, operation: Operation, delay: int) -> bytes:
        """Return call data for a proposer; `delay` in seconds, at least the timelock's own."""
        call = (operation.target, 0, operation.data, NO_BYTES32, operation.salt)
        return self.encode("schedule", *call, delay)

    def execute(self, operation: Operation) -> bytes:
        """Return call data for an executor, once the operation is ready."""
        call = (operation.target, 0, operation.data, NO_BYTES32, operation.salt)
        return self.encode("execute", *call)

    def cancel(self, operation_id: Bytes32) -> bytes:
        """Return call data for a proposer or the guardian."""
        return self.encode("cancel", operation_id)
