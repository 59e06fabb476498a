"""Acting as the governor: directly where it is an account, through its timelock where it is one."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.chain.contracts.registries import MeasurementRegistry
from quotary_bridge.chain.contracts.timelock import Operation, OperationState, Timelock
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.port import Chain, TransactionRequest
from quotary_bridge.chain.records import Receipt
from quotary_bridge.chain.sender import Sender
from quotary_bridge.model import Address, Bytes32

__all__ = ["Act", "Governor"]

_TIMELOCK = "GovernanceTimelock"


@dataclass(frozen=True, slots=True)
class Act:
    """How far a call of the governor is; `receipts` are of what was sent for it now."""

    done: bool
    receipts: tuple[Receipt, ...] = ()
    operation_id: Bytes32 | None = None
    ready_at: int = 0

    def told(self) -> str:
        """Return what is still to happen, in words."""
        operation = "" if self.operation_id is None else f"0x{self.operation_id.hex()}"
        return f"operation {operation} can be executed from Unix time {self.ready_at}"


@dataclass(frozen=True, slots=True)
class Governor:
    """Who may widen in a deployment; `timelock` is None where an account may."""

    chain: Chain
    address: Address
    timelock: Timelock | None = field(compare=False)

    @classmethod
    def of(cls, chain: Chain, record: Deployment) -> Governor:
        """Ask the deployment's contracts who governs them."""
        registry = MeasurementRegistry(chain, record.address("MeasurementRegistry"))
        address = address_of(registry.read("GOVERNOR"))
        standing = record.contracts.get(_TIMELOCK)
        timelock = None
        if standing is not None and standing.address == address:
            timelock = Timelock(chain, address)
        return cls(chain, address, timelock)

    def may_act(self, account: Address) -> bool:
        """Whether `account` can set a call of the governor going."""
        if self.timelock is None:
            return account == self.address
        return self.timelock.has_role("PROPOSER_ROLE", account)

    def simulate(self, target: Address, data: bytes) -> int:
        """Return the gas of the call as the governor; raises `ContractError` where it reverts."""
        return self.chain.simulate(TransactionRequest(self.address, target, data))

    def advance(self, sender: Sender, target: Address, data: bytes) -> Act:
        """
        Bring the call one step on: propose it, or execute it once it has waited long enough.

        The same call again goes on where the last one stopped. A call that would revert is not
        proposed. Raises what `Sender.send` raises.
        """
        proposed = self.propose(sender, target, data)
        if self.timelock is not None and proposed.operation_id is not None:
            state = self.timelock.state_of(proposed.operation_id)
            if state is not OperationState.READY:
                return proposed
        executed = self.execute(sender, target, data)
        return replace(executed, receipts=(*proposed.receipts, *executed.receipts))

    def propose(self, sender: Sender, target: Address, data: bytes) -> Act:
        """Announce the call unless it is; raises as `advance`. An account announces nothing."""
        if self.timelock is None:
            return Act(done=False)
        operation, operation_id, state = self.operation(self.timelock, target, data)
        receipts = []
        if state is OperationState.UNSET:
            self.simulate(target, data)
            proposal = self.timelock.propose(operation, self.timelock.delay())
            receipts.append(sender.send(sender.request(self.timelock.address, proposal)))
        ready_at = self.timelock.ready_at(operation_id)
        return Act(False, tuple(receipts), operation_id, ready_at)

    def execute(self, sender: Sender, target: Address, data: bytes) -> Act:
        """Make the call; raises as `advance`, and where the timelock does not have it ready."""
        if self.timelock is None:
            return Act(done=True, receipts=(sender.send(sender.request(target, data)),))
        operation, operation_id, _ = self.operation(self.timelock, target, data)
        receipt = sender.send(
            sender.request(self.timelock.address, self.timelock.execute(operation))
        )
        return Act(done=True, receipts=(receipt,), operation_id=operation_id)

    @staticmethod
    def operation(
        timelock: Timelock, target: Address, data: bytes
    ) -> tuple[Operation, Bytes32, OperationState]:
        """Return the call under the first salt that is not used up, its id, and how far it is."""
        count = 0
        while True:
            operation = Operation(target, data, Bytes32(count.to_bytes(32, "big")))
            operation_id = timelock.id_of(operation)
            state = timelock.state_of(operation_id)
            if state is not OperationState.DONE:
                return operation, operation_id, state
            count += 1
