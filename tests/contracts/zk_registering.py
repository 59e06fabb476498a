"""A worker registered by a proof: a simulated TD, a real pairing, the whole of the contracts."""

from __future__ import annotations

import json
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quotary import RawCollateral, TrustRoot, Verdict
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import Binding, Manifest, MeasurementRegistry
from quotary_bridge.chain.sender import Sender
from quotary_bridge.deploy import Deployer
from quotary_bridge.deploy.parameters import Committee, Parameters
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import _report_data
from quotary_bridge.zk import GuestInput, execute, stub_seal
from quotary_enclave.simulator import Simulator, sample_td

from tests.contracts.zk_chain import Contract
from tests.contracts.zk_trapdoor import forged_seal
from tests.contracts.zk_world import IMAGE, Paths

__all__ = ["Registered", "registered_by_proof"]

ROUTE = b"ZkR0"
APP = Bytes32(b"\7" * 32)
AT = datetime(2026, 11, 20, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Registered:
    """What registering by proofs cost, and what the registry then says of the worker."""

    first_gas: int
    gas: int
    record: dict[str, Any]
    stub_refused: str


def registered_by_proof(folder: Path) -> Registered:
    """Register two workers of a cohort by zero-knowledge proofs, after a mock one was refused."""
    simulator = Simulator(AT, seed=b"registered by proof")
    raw = RawCollateral.from_json(json.dumps(simulator.collateral(simulator.platform(), "tdx")))
    at = int(AT.timestamp())
    with AnvilNode(timestamp=at) as node:
        record = _deployer(node, folder).run(_parameters(node, simulator)).deployment
        registry = Contract(node, "WorkerRegistry", record.address("WorkerRegistry"))
        paths = Paths.deploy(node, simulator.root_der)
        router = Contract(node, "VerifierRouter", record.address("VerifierRouter"))
        router.send("addRoute", ROUTE, paths.zk.address)
        paths.push(raw)
        refused = ""
        costs = []
        for place, worker in enumerate(signer.address for signer in node.signers[8:10]):
            binding = _binding(node, registry)
            td = replace(sample_td(simulator), report_data=_report_data(worker, binding))
            quote = simulator.platform(str(place)).quote(td)
            journal = execute(GuestInput(quote, raw, at, simulator.root_der).encode())
            verdict = Verdict.from_journal(journal)
            if not costs:
                paths.assemble(verdict.tee_type, raw)
                _admit(node, record.address("MeasurementRegistry"), verdict)
                refused = _refused(registry, journal, binding)
            seal = forged_seal(IMAGE, verdict.journal_digest)
            costs.append(registry.send("register", ROUTE, journal, seal, astuple(binding)))
        (shown,) = registry.call("workerOf", worker)
        return Registered(costs[0], costs[1], shown, refused)


def _refused(registry: Contract, journal: bytes, binding: Binding) -> str:
    """Why the registry takes no mock proof on the route."""
    mock = stub_seal(IMAGE, Verdict.from_journal(journal).journal_digest)
    try:
        registry.send("register", ROUTE, journal, mock, astuple(binding))
    except ContractError as error:
        return error.name
    return ""


def _parameters(node: AnvilNode, simulator: Simulator) -> Parameters:
    signers = node.signers
    return Parameters(
        governor=signers[0].address,
        guardian=signers[1].address,
        committee=Committee((signers[3].address,), 1),
        root_key_hashes=(simulator.root_key_hash,),
        collateral_root=TrustRoot.from_certificate(simulator.root_der),
    )


def _deployer(node: AnvilNode, folder: Path) -> Deployer:
    return Deployer(Sender(node.chain, node.signers[0], timeout_seconds=300), folder)


def _binding(node: AnvilNode, registry: Contract) -> Binding:
    node.mine()
    block = node.chain.head().number - 1
    (challenge,) = registry.call("challengeAt", block)
    return Binding(
        version=1,
        chain_id=node.chain_id,
        registry=Address(registry.address),
        app_id=APP,
        operator=node.signers[5].address,
        encryption_key=Bytes32(b"\5" * 32),
        challenge_block=block,
        challenge=Bytes32(challenge),
    )


def _admit(node: AnvilNode, address: Address, verdict: Verdict) -> None:
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    registry = MeasurementRegistry(node.chain, address)
    manifest = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org")
    data = registry.admit(APP, Bytes32(verdict.measurement_id), manifest)
    sender.send(sender.request(address, data))
