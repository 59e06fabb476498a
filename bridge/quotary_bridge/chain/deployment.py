"""
Deployment records: which contracts stand where, one JSON file per chain.

The record is written ahead: a transaction's bytes are in it before they are sent, so a deployer
that dies can be run again and finishes what it began.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from eth_utils.address import is_checksum_address
from eth_utils.crypto import keccak

from quotary_bridge.chain.port import Chain
from quotary_bridge.errors import (
    BridgeError,
    ConfigurationError,
    DeploymentMismatch,
    Reason,
    RpcUnavailable,
)
from quotary_bridge.model import Address

__all__ = ["SCHEMA_VERSION", "Deployed", "Deployment", "Pending", "codes", "record_path"]

SCHEMA_VERSION = 2
_RECORD_BYTES_LIMIT = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Deployed:
    """
    One contract that stands, what it is, and how it came to.

    `transaction` is None where somebody else sent it; `block` is then the first with the code.
    """

    contract: str
    address: Address
    arguments: Mapping[str, Any]
    salt: bytes
    creation_hash: bytes
    transaction: bytes | None
    block: int
    code_hash: bytes


@dataclass(frozen=True, slots=True)
class Pending:
    """A transaction that was signed and perhaps sent, and what it is for."""

    step: str
    nonce: int
    raw: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class Deployment:
    """
    All contracts of one chain, and the transaction under way, if any.

    `planned` says where every contract is to stand, `contracts` what stands. `since` is the block
    that was the newest when the deployment was first planned. `entries` names the contract that
    each router entry is to lead to, by the entry's label. `compiler` made the code: name, version,
    settings.
    """

    chain_id: int
    genesis: bytes
    deployer: Address
    parameters: Mapping[str, Any]
    since: int = 0
    planned: Mapping[str, Address] = field(default_factory=dict)
    roles: Mapping[str, Any] = field(default_factory=dict)
    delays: Mapping[str, int] = field(default_factory=dict)
    entries: Mapping[str, str] = field(default_factory=dict)
    compiler: Mapping[str, Any] = field(default_factory=dict)
    contracts: Mapping[str, Deployed] = field(default_factory=dict)
    pending: Pending | None = None

    def address(self, name: str) -> Address:
        """Return a contract's address; raises `ConfigurationError` where it is not deployed."""
        found = self.contracts.get(name)
        if found is None:
            raise ConfigurationError(
                Reason.DEPLOYMENT_MISSING,
                f"no {name} is deployed on chain {self.chain_id}",
                "finish the deployment: quotary deploy",
            )
        return found.address

    def with_contract(self, name: str, deployed: Deployed) -> Deployment:
        """Return the record with one contract more, and nothing pending."""
        return replace(self, contracts={**self.contracts, name: deployed}, pending=None)

    def only(self, names: Iterable[str]) -> Deployment:
        """Return the record without the contracts that are not among `names`."""
        kept = set(names)
        contracts = {name: item for name, item in self.contracts.items() if name in kept}
        return replace(self, contracts=contracts)

    def with_pending(self, pending: Pending | None) -> Deployment:
        """Return the record with another transaction under way."""
        return replace(self, pending=pending)

    def check(self, chain: Chain) -> None:
        """
        Compare every contract's code with the chain.

        Raises `DeploymentMismatch` where the chain holds something else, or nothing.
        """
        if chain.chain_id != self.chain_id:
            raise DeploymentMismatch(
                Reason.DEPLOYMENT_MISMATCH,
                f"the deployment record is of chain {self.chain_id}, the node of {chain.chain_id}",
                "choose the record's chain, or another --deployments folder",
            )
        found = codes(chain, [deployed.address for deployed in self.contracts.values()])
        for (name, deployed), code in zip(self.contracts.items(), found, strict=True):
            if keccak(code) != deployed.code_hash:
                raise DeploymentMismatch(
                    Reason.DEPLOYMENT_MISMATCH,
                    f"{deployed.address} does not hold the recorded code of {name}",
                    "a local chain that was restarted forgets: run quotary deploy again",
                )

    @classmethod
    def load(cls, folder: Path, chain_id: int) -> Deployment:
        """
        Read a chain's record.

        Raises `ConfigurationError`: `DEPLOYMENT_MISSING`, `DEPLOYMENT_INVALID`.
        """
        path = record_path(folder, chain_id)
        try:
            with path.open("rb") as file:
                text = file.read(_RECORD_BYTES_LIMIT)
        except FileNotFoundError:
            raise ConfigurationError(
                Reason.DEPLOYMENT_MISSING,
                f"there is no deployment record {path}",
                "deploy first (quotary deploy), or name the folder with --deployments",
            ) from None
        except OSError as error:
            raise ConfigurationError(
                Reason.FILE_UNREADABLE, f"{path} cannot be read: {error.strerror}"
            ) from None
        try:
            return _parse(json.loads(text), chain_id)
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            raise ConfigurationError(
                Reason.DEPLOYMENT_INVALID,
                f"{path} is no deployment record ({error})",
                "restore it from version control, or deploy anew into another folder",
            ) from None

    def save(self, folder: Path) -> Path:
        """Write the record whole or not at all, and return its path."""
        path = record_path(folder, self.chain_id)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            descriptor, scratch = tempfile.mkstemp(dir=folder, prefix=".record-")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self.as_json(), file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            Path(scratch).chmod(0o644)
            Path(scratch).replace(path)
        except OSError as error:
            raise ConfigurationError(
                Reason.FILE_UNREADABLE,
                f"{path} cannot be written: {error.strerror}",
                "name a folder you may write with --deployments",
            ) from None
        return path

    def as_json(self) -> dict[str, Any]:
        """Return the record as the file holds it."""
        contracts = {
            name: {
                "contract": item.contract,
                "address": item.address,
                "arguments": dict(item.arguments),
                "salt": _hex(item.salt),
                "creationHash": _hex(item.creation_hash),
                "transaction": None if item.transaction is None else _hex(item.transaction),
                "block": item.block,
                "codeHash": _hex(item.code_hash),
            }
            for name, item in self.contracts.items()
        }
        document: dict[str, Any] = {
            "schema_version": SCHEMA_VERSION,
            "chainId": self.chain_id,
            "genesis": _hex(self.genesis),
            "deployer": self.deployer,
            "since": self.since,
            "parameters": dict(self.parameters),
            "roles": dict(self.roles),
            "delays": dict(self.delays),
            "entries": dict(self.entries),
            "compiler": dict(self.compiler),
            "planned": dict(self.planned),
            "contracts": contracts,
        }
        if self.pending is not None:
            document["pending"] = {
                "step": self.pending.step,
                "nonce": self.pending.nonce,
                "raw": _hex(self.pending.raw),
                "hash": _hex(self.pending.hash),
            }
        return document


def codes(chain: Chain, addresses: Sequence[Address]) -> list[bytes]:
    """Return the run-time code at each address, empty where there is none, in one exchange."""
    found = []
    for answer in chain.ask_many([("eth_getCode", [address, "latest"]) for address in addresses]):
        if isinstance(answer, BridgeError):
            raise answer
        if not isinstance(answer, str):
            raise RpcUnavailable(Reason.RPC_BROKEN_ANSWER, "the node sent no code")
        found.append(bytes.fromhex(answer.removeprefix("0x")))
    return found


def record_path(folder: Path, chain_id: int) -> Path:
    """Return where the record of a chain is kept."""
    return folder / f"{chain_id}.json"


def _parse(document: Mapping[str, Any], chain_id: int) -> Deployment:
    if document["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"schema version {document['schema_version']}, not {SCHEMA_VERSION}")
    if document["chainId"] != chain_id:
        raise ValueError(f"it is of chain {document['chainId']}, not {chain_id}")
    pending = document.get("pending")
    return Deployment(
        chain_id=chain_id,
        genesis=_bytes(document["genesis"]),
        deployer=_address(document["deployer"]),
        parameters=dict(document["parameters"]),
        since=int(document["since"]),
        planned={str(name): _address(item) for name, item in document["planned"].items()},
        roles=dict(document["roles"]),
        delays={str(name): int(item) for name, item in document["delays"].items()},
        entries={str(label): str(name) for label, name in document["entries"].items()},
        compiler=dict(document["compiler"]),
        contracts={str(name): _deployed(item) for name, item in document["contracts"].items()},
        pending=None if pending is None else _pending(pending),
    )


def _deployed(document: Mapping[str, Any]) -> Deployed:
    transaction = document["transaction"]
    return Deployed(
        contract=str(document["contract"]),
        address=_address(document["address"]),
        arguments=dict(document["arguments"]),
        salt=_bytes(document["salt"]),
        creation_hash=_bytes(document["creationHash"]),
        transaction=None if transaction is None else _bytes(transaction),
        block=int(document["block"]),
        code_hash=_bytes(document["codeHash"]),
    )


def _pending(document: Mapping[str, Any]) -> Pending:
    return Pending(
        step=str(document["step"]),
        nonce=int(document["nonce"]),
        raw=_bytes(document["raw"]),
        hash=_bytes(document["hash"]),
    )


def _address(text: object) -> Address:
    if not isinstance(text, str) or not is_checksum_address(text):
        raise ValueError(f"{text!r} is no address in its EIP-55 spelling")
    return Address(text)


def _bytes(text: str) -> bytes:
    if not text.startswith("0x"):
        raise ValueError(f"{text[:12]!r} is not hexadecimal")
    return bytes.fromhex(text[2:])


def _hex(raw: bytes) -> str:
    return f"0x{raw.hex()}"
