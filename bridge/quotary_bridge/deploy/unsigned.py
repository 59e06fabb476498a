"""
A deployment as transactions for others to sign: batches as Safe's Transaction Builder reads them.

What can be done now is written; run again once it was executed, and what comes next is written.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import Operation, OperationState, Timelock
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.governance import Governor
from quotary_bridge.chain.sender import GAS_LIMIT
from quotary_bridge.deploy.blueprint import Blueprint, Creation
from quotary_bridge.deploy.create2 import FACTORY, require_factory
from quotary_bridge.deploy.ledger import Ledger
from quotary_bridge.deploy.openings import Opening, openings
from quotary_bridge.deploy.parameters import Parameters, TimelockTerms
from quotary_bridge.errors import ConfigurationError, Reason
from quotary_bridge.model import Address

__all__ = ["BATCH_GAS", "Draft", "UnsignedCall", "draft", "write_batches"]

BATCH_GAS = GAS_LIMIT - 1_000_000
"""What the calls of one batch may use: the rest is the multisig's own."""

# The most a byte of creation code costs: 200 if it is kept (Yellow Paper, appendix G), and 40 to
# send it (EIP-7623); and what constructors do beside, the curves' precompiles above all.
_GAS_PER_CODE_BYTE, _CONSTRUCTOR_GAS = 240, 300_000
# Proposing, executing or adding an entry: 60,000 to 150,000.
_CALL_GAS = 250_000
_TITLE = "Quotary deployment"


@dataclass(frozen=True, slots=True)
class UnsignedCall:
    """One call for the multisig to make; `gas` is the most it can use."""

    label: str
    to: Address
    data: bytes
    gas: int


@dataclass(frozen=True, slots=True)
class Draft:
    """What is to be signed, in batches that fit a transaction each, and what must wait."""

    deployment: Deployment
    record: Path
    batches: tuple[tuple[UnsignedCall, ...], ...]
    remaining: tuple[str, ...]


def draft(ledger: Ledger, parameters: Parameters, account: Address) -> Draft:
    """
    Return what `account`, a multisig, has to do next, and write the record with what stands.

    Raises `ConfigurationError` where the parameters are not for this chain or it lacks the
    deterministic deployer, and as `Ledger.open`.
    """
    chain = ledger.chain
    parameters.check(chain.chain_id)
    require_factory(chain)
    blueprint = Blueprint.of(parameters)
    record = ledger.open(blueprint, account)
    missing = [item for item in blueprint.creations if item.name not in record.contracts]
    entries, remaining = _Entries(chain, parameters, blueprint, record, account).next()
    batches = _batched([*(_creation(item) for item in missing), *entries])
    return Draft(record, record.save(ledger.folder), tuple(batches), tuple(remaining))


def write_batches(found: Draft, folder: Path, created_at: int) -> tuple[Path, ...]:
    """
    Write each batch to a file of its own, in their order, and return the files.

    `created_at` is a Unix time. Batches of an earlier draft for the chain are removed.
    Raises `ConfigurationError` where the folder cannot be written.
    """
    chain_id = found.deployment.chain_id
    paths = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob(f"{chain_id}-[0-9][0-9].json"):
            old.unlink()
        for number, batch in enumerate(found.batches, start=1):
            path = folder / f"{chain_id}-{number:02}.json"
            document = _document(chain_id, batch, created_at)
            path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise ConfigurationError(
            Reason.FILE_UNREADABLE,
            f"{folder} cannot be written: {error.strerror}",
            "name a folder you may write with --unsigned",
        ) from None
    return tuple(paths)


def _creation(creation: Creation) -> UnsignedCall:
    gas = _CONSTRUCTOR_GAS + _GAS_PER_CODE_BYTE * len(creation.code)
    return UnsignedCall(f"create {creation.name}", FACTORY, creation.call, gas)


@dataclass(frozen=True, slots=True)
class _Entries:
    """The routers' entries, and who can do what about them."""

    chain: Chain
    parameters: Parameters
    blueprint: Blueprint
    record: Deployment
    account: Address

    def next(self) -> tuple[list[UnsignedCall], list[str]]:
        """The calls that can be made once all contracts stand, and what must wait."""
        calls, remaining = [], []
        for opening in openings(self.chain, self.blueprint.addresses):
            step = self._step(opening)
            if isinstance(step, UnsignedCall):
                calls.append(step)
            elif step:
                remaining.append(f"{opening.label} {step}")
        return calls, remaining

    def _step(self, opening: Opening) -> UnsignedCall | str:
        """The next call for an entry, or what it waits for, or nothing where it is open."""
        if self._stands(opening.router.address):
            state = opening.state()
            if state != "unknown":
                return "" if state == "active" else f"is {state} and stays so"
        governor = self.parameters.governor
        if isinstance(governor, TimelockTerms):
            return self._through_timelock(opening, governor)
        if governor != self.account:
            return f"is for the governor {governor} to open"
        return UnsignedCall(
            f"open {opening.label}", opening.router.address, opening.call(), _CALL_GAS
        )

    def _through_timelock(self, opening: Opening, terms: TimelockTerms) -> UnsignedCall | str:
        timelock = Timelock(self.chain, self.blueprint.addresses["GovernanceTimelock"])
        operation = Operation(opening.router.address, opening.call())
        state, ready_at = OperationState.UNSET, 0
        if self._stands(timelock.address):
            operation, operation_id, state = Governor.operation(
                timelock, operation.target, operation.data
            )
            ready_at = timelock.ready_at(operation_id)
        if state is OperationState.WAITING:
            return f"can be executed from Unix time {ready_at}"
        ready = state is OperationState.READY
        verb, may = ("execute", terms.executors) if ready else ("propose", terms.proposers)
        if may and self.account not in may:
            return f"is for {', '.join(may)} to {verb}"
        data = timelock.execute(operation) if ready else timelock.propose(operation, terms.delay)
        return UnsignedCall(f"{verb} {opening.label}", timelock.address, data, _CALL_GAS)

    def _stands(self, address: Address) -> bool:
        return any(item.address == address for item in self.record.contracts.values())


def _batched(calls: Iterable[UnsignedCall]) -> Iterator[tuple[UnsignedCall, ...]]:
    batch: list[UnsignedCall] = []
    for call in calls:
        if batch and sum(item.gas for item in batch) + call.gas > BATCH_GAS:
            yield tuple(batch)
            batch = []
        batch.append(call)
    if batch:
        yield tuple(batch)


def _document(chain_id: int, batch: tuple[UnsignedCall, ...], created_at: int) -> dict[str, Any]:
    """One batch as Safe's Transaction Builder imports it."""
    return {
        "version": "1.0",
        "chainId": str(chain_id),
        "createdAt": created_at * 1000,
        "meta": {"name": _TITLE, "description": "; ".join(call.label for call in batch)},
        "transactions": [
            {
                "to": call.to,
                "value": "0",
                "data": f"0x{call.data.hex()}",
                "contractMethod": None,
                "contractInputsValues": None,
            }
            for call in batch
        ],
    }
