"""
Carrying out a deployment, so that a crash at any point costs nothing but a second run.

1. Work out every address, write the record, and install the deterministic deployer where a
   development chain lacks it.
2. Bring what an earlier run signed to its end.
3. Create each contract that is missing, in the plan's order.
4. Open the routers' entries, or set that going with the timelock.

Every transaction is in the record before it is broadcast.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import structlog

from quotary_bridge.chain.deployment import Deployment, Pending
from quotary_bridge.chain.governance import Governor
from quotary_bridge.chain.port import TransactionRequest
from quotary_bridge.chain.sender import Sender, SignedTransaction
from quotary_bridge.deploy.blueprint import Blueprint, Creation
from quotary_bridge.deploy.create2 import FACTORY, install_factory
from quotary_bridge.deploy.ledger import Ledger
from quotary_bridge.deploy.openings import Opening, openings
from quotary_bridge.deploy.parameters import Parameters
from quotary_bridge.errors import ContractError, NonceUsed
from quotary_bridge.model import Address

__all__ = ["Deployer", "Forecast", "Outcome", "forecast"]

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One contract of a plan: where it stands, or will stand."""

    name: str
    address: Address
    standing: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did; `remaining` names what only the governor can still do."""

    deployment: Deployment
    record: Path
    created: tuple[str, ...]
    opened: tuple[str, ...]
    remaining: tuple[str, ...]


def forecast(ledger: Ledger, parameters: Parameters, deployer: Address) -> tuple[Forecast, ...]:
    """Return what a run would create, and where; nothing is sent, nothing written."""
    parameters.check(ledger.chain.chain_id)
    blueprint = Blueprint.of(parameters)
    record = ledger.open(blueprint, deployer)
    return tuple(
        Forecast(name, address, standing=name in record.contracts)
        for name, address in blueprint.addresses.items()
    )


class Deployer:
    """Deploys from one account and keeps the record in one folder."""

    def __init__(self, sender: Sender, folder: Path) -> None:
        """Nothing is sent yet."""
        self._sender = sender
        self._ledger = Ledger(sender.chain, folder)

    def forecast(self, parameters: Parameters) -> tuple[Forecast, ...]:
        """Return what `run` would create, and where, without sending anything."""
        return forecast(self._ledger, parameters, self._sender.address)

    def run(self, parameters: Parameters) -> Outcome:
        """
        Deploy what is missing, open the routers' entries, and keep the record up to date.

        Raises `ConfigurationError` where the parameters are not for this chain,
        `DeploymentMismatch` where a record speaks of other parameters or another chain, and what
        `Sender.send` raises.
        """
        parameters.check(self._sender.chain.chain_id)
        blueprint = Blueprint.of(parameters)
        install_factory(self._sender)
        return _Run(self._sender, self._ledger, blueprint).finish()


class _Run:
    """One run: the record as it grows."""

    def __init__(self, sender: Sender, ledger: Ledger, blueprint: Blueprint) -> None:
        self._sender = sender.noting(self._write_ahead)
        self._chain = sender.chain
        self._ledger = ledger
        self._blueprint = blueprint
        self._record = ledger.open(blueprint, sender.address)
        self._step = ""

    def finish(self) -> Outcome:
        self._settle()
        created = []
        for creation in self._blueprint.creations:
            if creation.name not in self._record.contracts:
                self._create(creation)
                created.append(creation.name)
        opened, remaining = self._open()
        path = self._save(self._record)
        return Outcome(self._record, path, tuple(created), opened, remaining)

    def _settle(self) -> None:
        """Bring the transaction that an earlier run left behind to its end."""
        pending = self._record.pending
        if pending is not None and self._revive(pending):
            try:
                self._sender.wait(pending.hash, self._sender.request(None, b""))
            except ContractError:
                _log.warning("what an earlier run sent reverted", step=pending.step)
        record = self._record.with_pending(None)
        self._save(record)
        self._record = self._ledger.open(self._blueprint, record.deployer)

    def _revive(self, pending: Pending) -> bool:
        """Broadcast the bytes again unless they are mined; False where they never will be."""
        if self._chain.receipt(pending.hash) is not None:
            return True
        try:
            self._chain.send_raw(pending.raw)
        except NonceUsed:
            return self._chain.receipt(pending.hash) is not None
        return True

    def _create(self, creation: Creation) -> None:
        self._step = creation.name
        request = self._sender.request(FACTORY, creation.call)
        try:
            receipt = self._sender.send(request)
        except ContractError:
            if not self._chain.code(creation.address):
                # The factory keeps a constructor's reason to itself: ask without the factory.
                self._chain.call(TransactionRequest(request.sender, None, creation.code))
                raise
            # Somebody else was faster, with the same code at the same address.
            self._record = self._ledger.open(self._blueprint, self._record.deployer)
            self._save(self._record.with_pending(None))
            return
        record = self._ledger.noted(
            self._record, creation, receipt.transaction_hash, receipt.block_number
        )
        self._save(record)
        _log.info("deployed", contract=creation.name, address=creation.address)

    def _open(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        governor = Governor.of(self._chain, self._record)
        governs = governor.may_act(self._sender.address)
        opened, remaining = [], []
        for opening in openings(self._chain, self._blueprint.addresses):
            state = opening.state()
            if state == "active" and opening.target() == opening.verifier:
                continue
            if state != "unknown":
                remaining.append(f"{opening.label} is {state} and stays so")
            elif not governs:
                remaining.append(
                    f"{opening.label}: the governor must send 0x{opening.call().hex()} "
                    f"to {opening.router.address}"
                )
            elif waits := self._advance(governor, opening):
                remaining.append(f"{opening.label} waits for the timelock: {waits}")
            else:
                opened.append(opening.label)
        return tuple(opened), tuple(remaining)

    def _advance(self, governor: Governor, opening: Opening) -> str:
        """Bring an opening one step on; returns what is still to happen, in words."""
        self._step = opening.label
        act = governor.advance(self._sender, opening.router.address, opening.call())
        self._save(self._record.with_pending(None))
        return "" if act.done else act.told()

    def _write_ahead(self, signed: SignedTransaction) -> None:
        pending = Pending(self._step, signed.nonce, signed.raw, signed.hash)
        self._save(self._record.with_pending(pending))

    def _save(self, record: Deployment) -> Path:
        self._record = record
        return record.save(self._ledger.folder)
