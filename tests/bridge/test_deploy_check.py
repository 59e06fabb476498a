"""Checking and verifying deployments: whatever differs from the record or the sources is found."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from typing import Any

import pytest
from eth_utils.crypto import keccak
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import VerifierRouter
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.governance import Governor
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.deploy import (
    ROUTES,
    TimelockTerms,
    check_deployment,
    entry_states,
    verify_deployment,
)
from quotary_bridge.errors import DeploymentMismatch
from quotary_bridge.model import Address

from tests.bridge.deploy_parts import GUEST, deployer, parameters

ZERO = "0x" + "00" * 20
SERVICES = ("BatchOracle", "GatewayKeys", "GatewayAdapter", "ReceiptAdapter")
"""What takes answers beside the oracle of single results."""


@pytest.fixture(scope="module")
def build() -> dict[str, Any]:
    """What the sources compile to, as exported: CI compares the two."""
    folder = files("quotary_bridge.chain").joinpath("abi")
    return {
        path.name.removesuffix(".json"): json.loads(path.read_text(encoding="utf-8"))
        for path in folder.iterdir()
        if path.name.endswith(".json")
    }


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnvilNode, Deployment]]:
    """Everything, under a timelock without delay, whose only executor is its proposer."""
    with AnvilNode() as node:
        account = node.signers[0].address
        terms = TimelockTerms((account,), (account,), delay=0)
        wanted = replace(parameters(node), governor=terms, automata_program=GUEST)
        yield node, deployer(node, tmp_path_factory.mktemp("record")).run(wanted).deployment


@pytest.fixture
def node(deployed: tuple[AnvilNode, Deployment]) -> Iterator[AnvilNode]:
    """The chain of the deployment, put back afterwards."""
    state = deployed[0].chain.rpc("evm_snapshot")
    yield deployed[0]
    deployed[0].chain.rpc("evm_revert", [state])


@pytest.fixture
def record(deployed: tuple[AnvilNode, Deployment]) -> Deployment:
    return deployed[1]


def govern(node: AnvilNode, record: Deployment, target: Address, data: bytes) -> None:
    """Have the timelock make a call."""
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    assert Governor.of(node.chain, record).advance(sender, target, data).done


def test_roles_and_delay_are_compared(node: AnvilNode, record: Deployment) -> None:
    """They live in storage; who holds a role without being in the record is found by events."""
    check_deployment(node.chain, record)
    timelock = interface("GovernanceTimelock")
    guardian, stranger = node.signers[1].address, node.signers[8].address
    changes: list[tuple[str, list[object], str]] = [
        ("updateDelay", [7], "delay is 7 s, not 0 s"),
        ("revokeRole", [keccak(text="CANCELLER_ROLE"), guardian], f"{guardian} has lost"),
        ("grantRole", [keccak(text="PROPOSER_ROLE"), stranger], f"{stranger} has PROPOSER_ROLE"),
        ("grantRole", [keccak(text="EXECUTOR_ROLE"), ZERO], "anyone has EXECUTOR_ROLE"),
        ("grantRole", [bytes(32), stranger], f"{stranger} has DEFAULT_ADMIN_ROLE"),
    ]
    for function, arguments, complaint in changes:
        state = node.chain.rpc("evm_snapshot")
        call = timelock.encode_call(function, arguments)
        govern(node, record, record.address("GovernanceTimelock"), call)
        with pytest.raises(DeploymentMismatch, match=complaint):
            check_deployment(node.chain, record)
        node.chain.rpc("evm_revert", [state])


def test_routers_are_compared(node: AnvilNode, record: Deployment) -> None:
    """What is closed is told; what was added behind the record's back is a difference."""
    guardian = Sender(node.chain, node.signers[1], timeout_seconds=300)
    router = VerifierRouter(node.chain, record.address("VerifierRouter"))
    freeze = interface("VerifierRouter").encode_call("freeze", [ROUTES["CommitteeVerifier"]])
    guardian.send(guardian.request(router.address, freeze))
    check_deployment(node.chain, record)
    states = entry_states(node.chain, record)
    assert states.pop("route Comm") == "frozen"
    assert set(states.values()) == {"active"}
    govern(node, record, router.address, router.add(b"Mine", record.address("DcapVerifier")))
    with pytest.raises(DeploymentMismatch, match="route 0x4d696e65 of VerifierRouter"):
        check_deployment(node.chain, record)


def test_a_half_finished_deployment_is_no_deployment(node: AnvilNode, record: Deployment) -> None:
    """The record says from the start what is to stand."""
    partial = record.only(set(record.contracts) - {"ResultOracle"})
    with pytest.raises(DeploymentMismatch, match="ResultOracle is not deployed yet"):
        check_deployment(node.chain, partial)


def test_what_was_deployed_is_verified(
    node: AnvilNode, record: Deployment, build: dict[str, Any]
) -> None:
    """Every contract, and those that contracts created themselves."""
    verified = verify_deployment(node.chain, record, build)
    created = {"DcapVerifier.PckChainProver"}
    assert set(verified) == set(record.contracts) | created
    assert set(SERVICES) < set(verified)


@pytest.mark.parametrize("name", SERVICES)
def test_what_takes_answers_is_checked_like_all_else(
    node: AnvilNode, record: Deployment, build: dict[str, Any], name: str
) -> None:
    """Missing, of other code, or made with other arguments than the record says."""
    with pytest.raises(DeploymentMismatch, match=f"{name} is not deployed yet"):
        check_deployment(node.chain, record.only(set(record.contracts) - {name}))
    other = {**record.contracts[name].arguments}
    other[next(iter(other))] = node.signers[7].address
    changed = record.with_contract(name, replace(record.contracts[name], arguments=other))
    with pytest.raises(DeploymentMismatch, match=f"{name} was created by other code, or"):
        verify_deployment(node.chain, changed, build)
    address = record.address(name)
    code = bytearray(node.chain.code(address))
    code[100] ^= 1
    node.chain.rpc("anvil_setCode", [address, f"0x{code.hex()}"])
    with pytest.raises(DeploymentMismatch, match=f"{name}"):
        check_deployment(node.chain, record)
    with pytest.raises(DeploymentMismatch, match=f"{name}"):
        verify_deployment(node.chain, record, build)


@pytest.mark.parametrize("name", ["TcbPolicy", "PckChainProver"])
def test_other_code_is_not_verified(
    node: AnvilNode, record: Deployment, build: dict[str, Any], name: str
) -> None:
    """One other byte of the code on the chain is enough, but for immutables, which sources lack."""
    if name == "PckChainProver":
        place = build["DcapVerifier"]["immutableReferences"]["_PROVER"][0]["start"] + 12
        code = node.chain.code(record.address("DcapVerifier"))
        address = Address(
            node.chain.web3.to_checksum_address("0x" + code[place : place + 20].hex())
        )
        immutable = None
    else:
        address = record.address(name)
        immutable = build[name]["immutableReferences"]["GUARDIAN"][0]["start"] + 31
    code = bytearray(node.chain.code(address))
    if immutable is not None:
        changed = bytearray(code)
        changed[immutable] ^= 1
        node.chain.rpc("anvil_setCode", [address, "0x" + changed.hex()])
        verify_deployment(node.chain, record, build)
        with pytest.raises(DeploymentMismatch, match="does not hold the recorded code"):
            check_deployment(node.chain, record)
    code[100] ^= 1
    node.chain.rpc("anvil_setCode", [address, "0x" + code.hex()])
    with pytest.raises(DeploymentMismatch, match=f"is no .*{name}"):
        verify_deployment(node.chain, record, build)


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("guardian", "0x" + "11" * 20, "created by other code, or with other arguments"),
        ("defaultStatuses", 0xFFFF, "created by other code, or with other arguments"),
        ("guardian", 17, "arguments of TcbPolicy are none"),
        ("defaultStatuses", "many", "arguments of TcbPolicy are none"),
        ("salt", bytes(32), "cannot stand at"),
    ],
)
def test_a_record_cannot_lie_about_arguments(  # noqa: PLR0917 (fixtures and cases)
    node: AnvilNode,
    record: Deployment,
    build: dict[str, Any],
    field: str,
    value: Any,
    complaint: str,
) -> None:
    """The address follows from code, arguments and salt, so a record that lies is found out."""
    told = record.contracts["TcbPolicy"]
    if field == "salt":
        told = replace(told, salt=value)
    else:
        told = replace(told, arguments={**told.arguments, field: value})
    lying = replace(record, contracts={**record.contracts, "TcbPolicy": told})
    with pytest.raises(DeploymentMismatch, match=complaint):
        verify_deployment(node.chain, lying, build)


def test_other_sources_are_noticed(
    node: AnvilNode, record: Deployment, build: dict[str, Any]
) -> None:
    """A byte of creation code, and a contract that is gone from the sources."""
    other = copy.deepcopy(build)
    other["ChangeLog"]["bytecode"] = other["ChangeLog"]["bytecode"][:-2] + "00"
    del other["QuoteNotary"]
    with pytest.raises(DeploymentMismatch) as caught:
        verify_deployment(node.chain, record, other)
    assert "ChangeLog was created by other code" in caught.value.message
    assert "no QuoteNotary among the sources" in caught.value.message
