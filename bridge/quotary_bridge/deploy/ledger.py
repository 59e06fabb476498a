"""The record of a deployment held against the chain: resumed, and completed by what stands."""

from __future__ import annotations

from pathlib import Path

import structlog
from eth_utils.crypto import keccak

from quotary_bridge.chain import Chain
from quotary_bridge.chain.accounts import DEVELOPMENT_CHAIN_IDS
from quotary_bridge.chain.deployment import Deployed, Deployment, codes
from quotary_bridge.chain.interface import compiler_of
from quotary_bridge.deploy.blueprint import Blueprint, Creation
from quotary_bridge.deploy.openings import entries
from quotary_bridge.deploy.parameters import differences
from quotary_bridge.errors import ConfigurationError, DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["Ledger"]

_log = structlog.get_logger(__name__)


class Ledger:
    """One folder of records, and one chain."""

    def __init__(self, chain: Chain, folder: Path) -> None:
        """Nothing is read yet."""
        self.chain = chain
        self.folder = folder

    def open(self, blueprint: Blueprint, deployer: Address) -> Deployment:
        """
        Return the record of `blueprint`: the one in the folder, or a new one.

        What stands is in it, whoever put it there; what a reorganisation or a restart took away is
        not. Raises `DeploymentMismatch` where the record is of other parameters, of another chain,
        or an address holds other code than recorded.
        """
        record = self._resumed(self._fresh(blueprint, deployer))
        standing = self._standing(blueprint)
        record = record.only(standing)
        for creation in blueprint.creations:
            if creation.name in standing and creation.name not in record.contracts:
                block = self._first_block(creation.address, record.since)
                record = self.noted(record, creation, None, block)
        return record

    def noted(
        self, record: Deployment, creation: Creation, transaction: bytes | None, block: int
    ) -> Deployment:
        """Return the record with a creation that happened; raises `DeploymentMismatch` if not."""
        code = self.chain.code(creation.address)
        if not code:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"the creation of {creation.name} left no code at {creation.address}",
                "check that the node is the chain's own",
            )
        deployed = Deployed(
            contract=creation.contract,
            address=creation.address,
            arguments=creation.arguments_json(),
            salt=creation.salt,
            creation_hash=creation.code_hash,
            transaction=transaction,
            block=block,
            code_hash=keccak(code),
        )
        return record.with_contract(creation.name, deployed)

    def _fresh(self, blueprint: Blueprint, deployer: Address) -> Deployment:
        return Deployment(
            chain_id=self.chain.chain_id,
            genesis=self.chain.block(0).hash,
            deployer=deployer,
            parameters=blueprint.parameters,
            since=self.chain.head().number,
            planned=blueprint.addresses,
            roles=blueprint.roles,
            delays=blueprint.delays,
            entries=entries(blueprint.addresses),
            compiler=compiler_of("VerifierRouter"),
        )

    def _resumed(self, fresh: Deployment) -> Deployment:
        try:
            record = Deployment.load(self.folder, fresh.chain_id)
        except ConfigurationError as error:
            if error.reason is Reason.DEPLOYMENT_MISSING:
                return fresh
            raise
        if self._forgotten(record, fresh):
            _log.info("the local chain was restarted: deploying anew", chain_id=fresh.chain_id)
            return fresh
        changed = differences(record.parameters, fresh.parameters)
        if changed:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"this chain's record was made with other parameters ({', '.join(changed)})",
                "use the same ones, or another folder with --deployments",
            )
        if record.planned != fresh.planned:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                "this chain's record was made by another version of the contracts",
                "finish with that version, or use another folder with --deployments",
            )
        return record

    def _forgotten(self, record: Deployment, fresh: Deployment) -> bool:
        """Whether the record is of an earlier life of a development chain."""
        development = fresh.chain_id in DEVELOPMENT_CHAIN_IDS
        if record.genesis != fresh.genesis and not development:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"chain {record.chain_id} of the record has another genesis block",
                "check --rpc-url",
            )
        addresses = [item.address for item in record.contracts.values()]
        lost = bool(addresses) and not any(codes(self.chain, addresses))
        return development and (record.genesis != fresh.genesis or lost)

    def _standing(self, blueprint: Blueprint) -> set[str]:
        creations = blueprint.creations
        found = codes(self.chain, [creation.address for creation in creations])
        return {item.name for item, code in zip(creations, found, strict=True) if code}

    def _first_block(self, address: Address, since: int) -> int:
        """Return the first block after which there is code at `address`."""
        low, high = since, self.chain.head().number
        if self.chain.code(address, low):
            low = 0
        while low < high:
            middle = (low + high) // 2
            if self.chain.code(address, middle):
                high = middle
            else:
                low = middle + 1
        return low
