"""A plan with all its values: what is created where, known without asking any chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from eth_utils.crypto import keccak

from quotary_bridge.chain.interface import interface
from quotary_bridge.deploy.create2 import address_of, salt_of
from quotary_bridge.deploy.parameters import Parameters, TimelockTerms
from quotary_bridge.deploy.plan import plan
from quotary_bridge.model import Address

__all__ = ["Blueprint", "Creation"]

# JSON numbers beyond this lose digits in many readers (RFC 8259, section 6).
_EXACT_INTEGER = 2**53


@dataclass(frozen=True, slots=True)
class Creation:
    """One contract to be: `code` is its creation code with the constructor's arguments."""

    name: str
    contract: str
    arguments: Mapping[str, Any]
    salt: bytes
    code: bytes
    address: Address

    @property
    def code_hash(self) -> bytes:
        """What the address depends on, beside the salt."""
        return keccak(self.code)

    @property
    def call(self) -> bytes:
        """Call data for the factory."""
        return self.salt + self.code

    def arguments_json(self) -> dict[str, Any]:
        """Return the arguments as the record holds them."""
        return {name: _json(value) for name, value in self.arguments.items()}


@dataclass(frozen=True, slots=True)
class Blueprint:
    """Everything a deployment creates, in its order, and who may do what in it."""

    creations: tuple[Creation, ...]
    parameters: Mapping[str, Any]
    roles: Mapping[str, Any]
    delays: Mapping[str, int]

    @classmethod
    def of(cls, parameters: Parameters) -> Blueprint:
        """Work out every address; raises `ConfigurationError` where an argument has no encoding."""
        document = parameters.as_json()
        addresses: dict[str, Address] = {}
        creations = []
        for step in plan(parameters):
            arguments = step.arguments(addresses)
            code = interface(step.contract).encode_creation(list(arguments.values()))
            salt = salt_of(step.name, document)
            address = addresses[step.name] = address_of(salt, code)
            creations.append(Creation(step.name, step.contract, arguments, salt, code, address))
        governor = addresses.get("GovernanceTimelock")
        return cls(tuple(creations), document, _roles(parameters, governor), _delays(parameters))

    @property
    def addresses(self) -> dict[str, Address]:
        """Where each contract stands, or will."""
        return {creation.name: creation.address for creation in self.creations}


def _roles(parameters: Parameters, timelock: Address | None) -> dict[str, Any]:
    """Return who may do what; `executors` empty means anyone."""
    roles: dict[str, Any] = {
        "governor": parameters.governor,
        "guardian": parameters.guardian,
        "committee": sorted(parameters.committee.members, key=str.lower),
    }
    terms = parameters.governor
    if isinstance(terms, TimelockTerms):
        proposers = sorted(terms.proposers, key=str.lower)
        roles |= {
            "governor": timelock,
            "proposers": proposers,
            "executors": sorted(terms.executors, key=str.lower),
            "cancellers": sorted({*proposers, parameters.guardian}, key=str.lower),
        }
    return roles


def _delays(parameters: Parameters) -> dict[str, int]:
    """Return what waits how many seconds: changes that widen, and new workers."""
    terms = parameters.governor
    return {
        "timelock": terms.delay if isinstance(terms, TimelockTerms) else 0,
        "activation": parameters.workers.activation_delay,
    }


def _json(value: object) -> object:
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, int) and abs(value) >= _EXACT_INTEGER:
        return str(value)
    return [_json(item) for item in value] if isinstance(value, list | tuple) else value
