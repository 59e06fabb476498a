"""Carrying out a deployment plan, so that a crash at any point costs nothing but a second run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from quotary_bridge.chain import Chain, Receipt
from quotary_bridge.chain.accounts import DEVELOPMENT_CHAIN_IDS
from quotary_bridge.chain.contracts import RouteStatus, VerifierRouter
from quotary_bridge.chain.deployment import Deployed, Deployment, Pending
from quotary_bridge.chain.governance import Governor
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.deploy.parameters import Parameters, differences
from quotary_bridge.deploy.plan import Route, Step, plan, routes
from quotary_bridge.errors import (
    ConfigurationError,
    ContractError,
    DeploymentMismatch,
    Reason,
)
from quotary_bridge.model import Address

__all__ = ["Deployer", "Forecast", "Outcome", "predicted_address"]

# Where the prefixes of short strings and of short lists begin (Yellow Paper, appendix B).
_RLP_STRING, _RLP_LIST = 0x80, 0xC0

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One contract of a plan: where it stands, or will stand."""

    contract: str
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


class Deployer:
    """Deploys from one account and keeps the record in one folder."""

    def __init__(self, sender: Sender, folder: Path) -> None:
        """Nothing is sent yet."""
        self._sender = sender
        self._chain: Chain = sender.chain
        self._folder = folder

    def forecast(self, parameters: Parameters) -> tuple[Forecast, ...]:
        """Return what `run` would create, and where, without sending anything."""
        parameters.check(self._chain.chain_id)
        record = self._resume(parameters)
        nonce = self._chain.nonce(self._sender.address, "pending")
        found = []
        for step in plan(parameters):
            standing = record.contracts.get(step.contract)
            if standing is not None:
                found.append(Forecast(step.contract, standing.address, standing=True))
                continue
            address = predicted_address(self._sender.address, nonce)
            found.append(Forecast(step.contract, address, standing=False))
            nonce += 1
        return tuple(found)

    def run(self, parameters: Parameters) -> Outcome:
        """
        Deploy what is missing, open the routes, and write the record after every step.

        Raises `ConfigurationError` where the parameters are not for this chain,
        `DeploymentMismatch` where a record speaks of other parameters or another chain, and what
        `Sender.send` raises.
        """
        parameters.check(self._chain.chain_id)
        record = self._settle(self._resume(parameters), parameters)
        created = []
        for step in plan(parameters):
            if step.contract not in record.contracts:
                record = self._create(record, step)
                created.append(step.contract)
        path = record.save(self._folder)
        opened, remaining = self._open_routes(record, routes(parameters))
        return Outcome(record, path, tuple(created), opened, remaining)

    def _resume(self, parameters: Parameters) -> Deployment:
        fresh = Deployment(
            chain_id=self._chain.chain_id,
            genesis=self._chain.block(0).hash,
            deployer=self._sender.address,
            parameters=parameters.as_json(),
        )
        try:
            record = Deployment.load(self._folder, self._chain.chain_id)
        except ConfigurationError as error:
            if error.reason is Reason.DEPLOYMENT_MISSING:
                return fresh
            raise
        if self._forgotten(record, fresh):
            _log.info("the local chain was restarted: deploying anew", chain_id=fresh.chain_id)
            return fresh
        record.check(self._chain)
        changed = differences(record.parameters, fresh.parameters)
        if changed:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"this chain's record was made with other parameters ({', '.join(changed)})",
                "use the same ones, or another folder with --deployments",
            )
        return record

    def _forgotten(self, record: Deployment, fresh: Deployment) -> bool:
        """Whether the record is of an earlier life of a development chain."""
        if self._chain.chain_id not in DEVELOPMENT_CHAIN_IDS:
            if record.genesis != fresh.genesis:
                raise DeploymentMismatch(
                    Reason.DEPLOYMENT_MISMATCH,
                    f"chain {record.chain_id} of the record has another genesis block",
                    "check --rpc-url",
                )
            return False
        if record.genesis != fresh.genesis:
            return True
        return any(not self._chain.code(item.address) for item in record.contracts.values())

    def _settle(self, record: Deployment, parameters: Parameters) -> Deployment:
        """Bring the transaction that an earlier run left behind to its end."""
        pending = record.pending
        if pending is None:
            return record
        if self._chain.receipt(pending.hash) is None:
            if self._chain.nonce(record.deployer) > pending.nonce:
                _log.warning("another transaction took the nonce", step=pending.step)
                return record.with_pending(None)
            self._chain.send_raw(pending.raw)
        request = self._sender.request(None, b"")
        try:
            receipt = self._sender.wait(pending.hash, request)
        except ContractError:
            return record.with_pending(None)
        step = next(step for step in plan(parameters) if step.contract == pending.step)
        return self._note(record, pending, receipt, step.arguments(_addresses(record)))

    def _create(self, record: Deployment, step: Step) -> Deployment:
        arguments = step.arguments(_addresses(record))
        code = interface(step.contract).encode_creation(list(arguments.values()))
        request = self._sender.request(None, code)
        signed = self._sender.sign(request)
        pending = Pending(
            step=step.contract,
            nonce=signed.nonce,
            raw=signed.raw,
            hash=signed.hash,
            address=predicted_address(self._sender.address, signed.nonce),
        )
        # Written ahead of the broadcast: whatever happens next, a second run finds the bytes.
        record.with_pending(pending).save(self._folder)
        self._chain.send_raw(signed.raw)
        receipt = self._sender.wait(signed.hash, request)
        done = self._note(record, pending, receipt, arguments)
        done.save(self._folder)
        _log.info("deployed", contract=step.contract, address=pending.address)
        return done

    def _note(
        self, record: Deployment, pending: Pending, receipt: Receipt, arguments: Mapping[str, Any]
    ) -> Deployment:
        address = receipt.contract_address
        code = b"" if address is None else self._chain.code(address, receipt.block_number)
        if address is None or address != pending.address or not code:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"the creation of {pending.step} left no code at {pending.address}",
                "check that the node is the chain's own",
            )
        deployed = Deployed(
            address=address,
            arguments={name: _json(value) for name, value in arguments.items()},
            transaction=pending.hash,
            block=receipt.block_number,
            code_hash=keccak(code),
        )
        return record.with_contract(pending.step, deployed)

    def _open_routes(
        self, record: Deployment, wanted: tuple[Route, ...]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        router = VerifierRouter(self._chain, record.address("VerifierRouter"))
        governor = Governor.of(self._chain, record)
        governs = governor.may_act(self._sender.address)
        opened, remaining = [], []
        for route in wanted:
            verifier = record.address(route.verifier)
            status = router.status_of(route.route)
            name = route.route.decode()
            if status is RouteStatus.ACTIVE and router.verifier_of(route.route) == verifier:
                continue
            if status is not RouteStatus.UNKNOWN:
                remaining.append(f"route {name} is {status.name.lower()} and stays so")
            elif not governs:
                remaining.append(
                    f"the governor must call addRoute(0x{route.route.hex()}, {verifier})"
                )
            else:
                data = router.add_route(route.route, verifier)
                act = governor.advance(self._sender, router.address, data)
                if act.done:
                    opened.append(name)
                else:
                    remaining.append(f"route {name} waits for the timelock: {act.told()}")
        return tuple(opened), tuple(remaining)


def predicted_address(deployer: Address, nonce: int) -> Address:
    """Return where a contract that `deployer` creates with `nonce` will stand (CREATE)."""
    # RLP of [deployer, nonce]: 20 bytes and at most 9, so every length prefix is a single byte.
    count = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    if nonce == 0 or nonce >= _RLP_STRING:
        count = bytes([_RLP_STRING + len(count)]) + count
    items = bytes([_RLP_STRING + 20]) + bytes.fromhex(deployer[2:]) + count
    return Address(to_checksum_address(keccak(bytes([_RLP_LIST + len(items)]) + items)[12:]))


def _addresses(record: Deployment) -> dict[str, Address]:
    return {name: item.address for name, item in record.contracts.items()}


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
