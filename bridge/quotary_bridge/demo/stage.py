"""The stage: a chain of its own, every contract, a committee, a simulated TEE."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

from eth_account import Account
from eth_utils.crypto import keccak
from quotary import Collateral, RawCollateral, TrustRoot, Verdict
from quotary_enclave.simulator import Platform, Simulator

from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain, Receipt
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.chain.contracts import Manifest, MeasurementRegistry, Model, ModelRegistry
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.committee import committee_proof
from quotary_bridge.demo.report import Report
from quotary_bridge.deploy import ROUTES, Deployer, Parameters
from quotary_bridge.deploy.parameters import DEMO_IMAGE_ID, INTEL_ROOT_KEY_HASH, Committee
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.zk import stub_seal

__all__ = ["ADVISOR_APP", "NOTARY_APP", "PROOF_PATHS", "SEED", "Stage", "open_stage"]

ADVISOR_APP = keccak(text="quotary.demo.advisor")
"""The app of the dApp that asks questions."""

NOTARY_APP = keccak(text="quotary.demo.notary")
"""The app for which the genuine quote is notarized."""

SEED = "quotary demonstration"
"""Seed of the simulated TEEs' test root: anybody can derive it, so it proves nothing."""

PROOF_PATHS: Mapping[str, str] = MappingProxyType(
    {"committee": "CommitteeVerifier", "zk stub": "StubQuoteVerifier"}
)
"""The proof paths of this chain, and the verifier behind each."""

_MODEL_LICENCE = "https://www.apache.org/licenses/LICENSE-2.0"
_COMMITTEE_SIZE, _COMMITTEE_THRESHOLD = 3, 2
_RECEIPT_SECONDS = 30.0
# The chain starts a little after the time the evidence is judged at: a verdict may be old,
# never of the future.
_CHAIN_STARTS_AFTER = 10


@dataclass(frozen=True, slots=True)
class Stage:
    """Everything the chapters work with."""

    report: Report
    node: AnvilNode
    chain: Chain
    deployment: Deployment
    sender: Sender
    relayer: Signer
    committee: tuple[Signer, ...]
    simulator: Simulator
    at: datetime
    folder: Path

    def address(self, contract: str) -> Address:
        """Where a contract stands."""
        return self.deployment.address(contract)

    def call_data(self, contract: str, function: str, *arguments: Any) -> bytes:  # noqa: ANN401
        """Call data of a contract without a wrapper of its own."""
        return interface(contract).encode_call(function, arguments)

    def read(self, contract: str, function: str, *arguments: Any) -> Any:  # noqa: ANN401
        """The one result of a view of a contract without a wrapper of its own."""
        request = self.sender.request(
            self.address(contract), self.call_data(contract, function, *arguments)
        )
        return interface(contract).decode_result(function, self.chain.call(request, "latest"))[0]

    def transact(self, what: str, contract: str, data: bytes, value: int = 0) -> Receipt:
        """Send one transaction, wait for it, and tell of it."""
        receipt = self.sender.send(self.sender.request(self.address(contract), data, value))
        self.report.sent(what, receipt.transaction_hash, receipt.gas_used)
        return receipt

    def admit(self, what: str, app: bytes, measurement_id: bytes, source: str) -> None:
        """Admit a measurement as the governor."""
        registry = MeasurementRegistry(self.chain, self.address("MeasurementRegistry"))
        # The demonstration has no build to name: the source's own hash stands for commit and build.
        digest = sha256(source.encode()).digest()
        manifest = Manifest(Bytes32(digest), Bytes32(digest), source)
        data = registry.admit(Bytes32(app), Bytes32(measurement_id), manifest)
        self.transact(what, "MeasurementRegistry", data)

    def admit_model(self, what: str) -> None:
        """Admit the demonstration's model as the governor."""
        registry = ModelRegistry(self.chain, self.address("ModelRegistry"))
        self.transact(what, "ModelRegistry", registry.admit(demonstration_model()))

    def proof(self, path: str, verdict: Verdict) -> bytes:
        """The proof of a verdict on one of `PROOF_PATHS`."""
        digest = verdict.journal_digest
        if PROOF_PATHS[path] == "StubQuoteVerifier":
            return stub_seal(DEMO_IMAGE_ID, digest)
        verifier = self.address("CommitteeVerifier")
        signers = self.committee[:_COMMITTEE_THRESHOLD]
        return committee_proof(digest, self.chain.chain_id, verifier, signers)

    def route(self, path: str) -> bytes:
        """The route of one of `PROOF_PATHS`."""
        return ROUTES[PROOF_PATHS[path]]

    def simulated_collateral(self, platform: Platform) -> Collateral:
        """The collateral of a simulated platform, verified under the test root."""
        raw = self.raw_simulated_collateral(platform)
        return Collateral.verify(raw, root=self.test_root, at=self.at)

    def raw_simulated_collateral(self, platform: Platform) -> RawCollateral:
        """The collateral of a simulated platform, as a PCCS would serve it."""
        return RawCollateral.from_json(json.dumps(self.simulator.collateral(platform)))

    @property
    def test_root(self) -> TrustRoot:
        """The simulator's root, which only this chain trusts."""
        return TrustRoot.from_certificate(self.simulator.root_der)


@contextmanager
def open_stage(report: Report, at: datetime) -> Iterator[Stage]:
    """
    Start a chain whose clock stands at `at`, deploy everything, and take it all down at the end.

    Raises what the chain and the deployment raise.
    """
    start = int(at.timestamp()) + _CHAIN_STARTS_AFTER
    simulator = Simulator(at.astimezone(UTC), seed=SEED.encode())
    with TemporaryDirectory(prefix="quotary-demo-") as folder, AnvilNode(timestamp=start) as node:
        chain = node.chain
        deployer, relayer = node.signers[:2]
        committee = tuple(_member(number, chain.chain_id) for number in range(_COMMITTEE_SIZE))
        sender = Sender(chain, deployer, timeout_seconds=_RECEIPT_SECONDS)
        parameters = Parameters(
            governor=deployer.address,
            guardian=node.signers[2].address,
            committee=Committee(tuple(m.address for m in committee), _COMMITTEE_THRESHOLD),
            root_key_hashes=(INTEL_ROOT_KEY_HASH, simulator.root_key_hash),
            allow_stub=True,
            app_id=ADVISOR_APP,
            model_id=demonstration_model().id,
        )
        outcome = Deployer(sender, Path(folder)).run(parameters)
        deployment = outcome.deployment
        for name, deployed in deployment.contracts.items():
            transaction = deployed.transaction
            receipt = None if transaction is None else chain.receipt(transaction)
            if receipt is not None:
                report.sent(f"deploy {name}", receipt.transaction_hash, receipt.gas_used)
        report.fact("chain id", str(chain.chain_id), note="Anvil, hardfork osaka")
        report.keep("rpc_url", node.url)
        contracts = {name: item.address for name, item in deployment.contracts.items()}
        report.keep("contracts", contracts)
        yield Stage(
            report, node, chain, deployment, sender, relayer, committee, simulator, at, Path(folder)
        )


def demonstration_model() -> Model:
    """The model that the workers serve, as the registry is to know it."""
    from quotary_enclave.model import load_advisor  # noqa: PLC0415 (reading 90 MB takes a moment)

    advisor = load_advisor()
    return Model(
        weights_root=Bytes32(advisor.weights_root),
        tokenizer_hash=Bytes32(advisor.tokenizer_hash),
        config_hash=Bytes32(advisor.config_hash),
        name=advisor.name,
        licence_uri=_MODEL_LICENCE,
    )


def _member(number: int, chain_id: int) -> Signer:
    key = keccak(text=f"quotary demonstration committee {number}")
    return Signer(Account.from_key(key)).for_chain(chain_id)
