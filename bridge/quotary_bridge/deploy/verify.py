"""
Whether what stands on a chain is what the sources compile to, with no service asked.

For each contract of the record, in this order:

1. Its creation code, compiled anew, with the recorded arguments hashes to what the record says.
2. That hash and the salt lead to its address (CREATE2): so the arguments are those it was given.
3. Its run-time code is what the sources compile to, but for the places of immutables.
4. So is that of the contracts it created itself, whose addresses are among its immutables.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from quotary_bridge.chain import Chain
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.chain.interface import parse_interface
from quotary_bridge.deploy.create2 import address_of
from quotary_bridge.errors import ConfigurationError, DeploymentMismatch, Reason
from quotary_bridge.model import Address

__all__ = ["Build", "verify_deployment"]

Build = Mapping[str, Mapping[str, Any]]
"""What the sources compile to: the files that `scripts/export_abi.py` makes, by contract."""

_CREATED: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {"DcapVerifier": {"_PROVER": "PckChainProver"}}
)
"""What a contract creates itself: immutable with its address, and what it is."""

_ADDRESS_BYTES = 20


@dataclass(frozen=True, slots=True)
class _Standing:
    """Run-time code found at an address, and what it is said to be."""

    name: str
    contract: str
    address: Address


def verify_deployment(chain: Chain, record: Deployment, build: Build) -> tuple[str, ...]:
    """
    Verify every contract of the record, and return the names of those that were.

    Raises `DeploymentMismatch` with everything that differs.
    """
    verified: list[str] = []
    wrong: list[str] = []
    for name, deployed in record.contracts.items():
        complaints = [*_creation(name, deployed, build)]
        for standing in _standing(chain, name, deployed, build):
            complaints += _runtime(chain, standing, build)
            verified.append(standing.name)
        wrong += complaints
    if wrong:
        raise DeploymentMismatch(
            Reason.DEPLOYMENT_MISMATCH,
            f"what stands is not what the sources compile to: {'; '.join(wrong)}",
            "check out the version that was deployed, and find out who deployed the rest",
        )
    return tuple(verified)


def _creation(name: str, deployed: Deployed, build: Build) -> Iterator[str]:
    document = build.get(deployed.contract)
    if document is None:
        yield f"there is no {deployed.contract} among the sources"
        return
    abi = parse_interface(deployed.contract, document)
    constructors = [entry for entry in abi.entries if entry.kind == "constructor"]
    inputs = constructors[0].inputs if constructors else ()
    try:
        values = [_value(item, deployed.arguments.get(item["name"])) for item in inputs]
        code = abi.encode_creation(values)
    except (TypeError, ValueError, ConfigurationError):
        yield f"the record's arguments of {name} are none"
        return
    if keccak(code) != deployed.creation_hash:
        yield f"{name} was created by other code, or with other arguments"
    elif address_of(deployed.salt, code) != deployed.address:
        yield f"{name} cannot stand at {deployed.address}"


def _standing(chain: Chain, name: str, deployed: Deployed, build: Build) -> Iterator[_Standing]:
    """The contract, and those it created."""
    yield _Standing(name, deployed.contract, deployed.address)
    created = _CREATED.get(deployed.contract)
    if created is None or deployed.contract not in build:
        return
    places = build[deployed.contract]["immutableReferences"]
    code = chain.code(deployed.address)
    for immutable, contract in created.items():
        start, length = places[immutable][0]["start"], places[immutable][0]["length"]
        word = code[start : start + length]
        address = Address(to_checksum_address(word[-_ADDRESS_BYTES:].rjust(_ADDRESS_BYTES, b"\0")))
        yield _Standing(f"{name}.{contract}", contract, address)


def _runtime(chain: Chain, standing: _Standing, build: Build) -> list[str]:
    document = build.get(standing.contract)
    if document is None:
        return []
    found = bytearray(chain.code(standing.address))
    expected = bytes.fromhex(document["deployedBytecode"].removeprefix("0x"))
    if len(found) == len(expected):
        for places in document["immutableReferences"].values():
            for place in places:
                end = place["start"] + place["length"]
                found[place["start"] : end] = expected[place["start"] : end]
    return [] if found == expected else [f"{standing.address} is no {standing.name}"]


def _value(parameter: Mapping[str, Any], value: Any) -> Any:  # noqa: ANN401 (the ABI knows the type)
    """A recorded argument as the ABI encodes it."""
    kind = str(parameter["type"])
    if kind.endswith("]"):
        inner = {**parameter, "type": kind[: kind.rindex("[")]}
        return [_value(inner, item) for item in _items(value)]
    if kind == "tuple":
        fields: Sequence[Mapping[str, Any]] = parameter["components"]
        return tuple(_value(part, item) for part, item in zip(fields, _items(value), strict=False))
    if collapse_if_tuple(dict(parameter)).startswith("bytes"):
        return bytes.fromhex(str(value).removeprefix("0x"))
    return int(value) if kind.startswith(("uint", "int")) else value


def _items(value: object) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else ()
