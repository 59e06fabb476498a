"""
A whole deployment with registered workers: what the relayer's other towns leave open is shut here.

A committee vouches for the workers of Intel's TEEs. Another vendor's come by a route of their own,
to a verifier that believes what it is given: no such verifier is built yet, and the door is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import cast

from eth_utils.crypto import keccak
from quotary import TcbStatus, TeeType, Verdict
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import Binding, ResultOracle, WorkerRegistry
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Receipt
from quotary_bridge.committee import committee_proof
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import _report_data

from tests.bridge.admission_names import MANIFEST, MEASUREMENTS
from tests.bridge.deploy_parts import TEST_ROOT, deployer, parameters
from tests.bridge.model_parts import A_MODEL
from tests.bridge.relayer_town import APP, Town
from tests.bridge.round_town import Member

SEV_SNP = cast("TeeType", 3)
"""The number that is reserved for it (docs/formats.md)."""

FOREIGN_ROUTE = b"SnpX"
_COMMITTEE_ROUTE = b"Comm"
_DAY = 86_400
_VERIFIER = Address("0x" + "5e" * 20)


def _believer() -> str:
    """Code of a verifier that returns its evidence, an encoded verdict, as the verdict it found."""
    abi = interface("CommitteeVerifier")
    verify, kind = (abi.function(name).selector.hex() for name in ("verify", "kind"))
    chosen = f"5f3560e01c8063{verify}14602b5763{kind}14603657"
    # ERC-165: every interface but the one that nobody has.
    else_ = "60043560e01c63ffffffff14155f5260205ff3"
    return f"0x{chosen}{else_}5b6044358060645f375ff35b60015f5260205ff3"


@dataclass
class RegisteredTown:
    """A town whose gate is the deployment's own registry; `record` of it all is in `folder`."""

    town: Town
    record: Deployment
    folder: Path

    @property
    def registry(self) -> WorkerRegistry:
        """Where workers are registered."""
        return WorkerRegistry(self.town.chain, self.record.address("WorkerRegistry"))

    @property
    def oracle(self) -> ResultOracle:
        """What relayers deliver to."""
        return ResultOracle(self.town.chain, self.town.oracle)

    def send(self, contract: str, function: str, *arguments: object) -> Receipt:
        """Make a call as the deployer, who governs."""
        sender = self.town.sender(0)
        data = interface(contract).encode_call(function, arguments)
        return sender.send(sender.request(self.record.address(contract), data))

    def register(self, workers: Sequence[Member], tee_type: TeeType = TeeType.TDX) -> None:
        """Register workers, each on a machine and by an operator of its own."""
        for worker in workers:
            self._register(worker, tee_type)

    def _register(self, worker: Member, tee_type: TeeType) -> None:
        chain, registry = self.town.chain, self.registry
        block = chain.head().number
        self.town.node.mine()
        binding = Binding(
            version=1,
            chain_id=chain.chain_id,
            registry=registry.address,
            app_id=APP,
            operator=operator_of(worker),
            encryption_key=Bytes32(b"\5" * 32),
            challenge_block=block,
            challenge=registry.challenge_at(block),
        )
        now = chain.head().timestamp
        verdict = Verdict(
            tee_type=tee_type,
            tcb_status=TcbStatus.UP_TO_DATE,
            verified_at=now,
            valid_from=now - _DAY,
            valid_until=now + 30 * _DAY,
            tcb_date=now - 100 * _DAY,
            tcb_evaluation_data_number=17,
            fmspc=bytes.fromhex("50806f000000"),
            quote_hash=keccak(text=f"quote of {worker.name}"),
            attestation_key_id=b"\6" * 32,
            root_key_hash=TEST_ROOT,
            collateral_hashes=(b"\7" * 32,) * 6,
            advisories=(),
            measurement=MEASUREMENTS[0],
            report_data=_report_data(worker.address, binding),
            platform_id=keccak(text=f"platform of {worker.name}"),
        )
        route, evidence, proof = self._proven(verdict)
        self.send("WorkerRegistry", "register", route, evidence, proof, astuple(binding))

    def _proven(self, verdict: Verdict) -> tuple[bytes, bytes, bytes]:
        if verdict.tee_type is SEV_SNP:
            return FOREIGN_ROUTE, verdict.journal(), b""
        verifier = self.record.address("CommitteeVerifier")
        members = self.town.node.signers[3:5]
        chain_id = self.town.chain.chain_id
        proof = committee_proof(verdict.journal_digest, chain_id, verifier, members)
        return _COMMITTEE_ROUTE, verdict.journal(), proof


def operator_of(worker: Member) -> Address:
    """Who runs a worker: somebody else for each."""
    return Address(f"0x{keccak(text=f'operator of {worker.name}')[12:].hex()}")


@contextmanager
def registered_town(folder: Path) -> Iterator[RegisteredTown]:
    """A node with everything deployed, an image of two vendors admitted, and nobody registered."""
    with AnvilNode() as node:
        record = deployer(node, folder).run(replace(parameters(node), app_id=None)).deployment
        oracle = record.contracts["ResultOracle"]
        gate = record.address("WorkerRegistry")
        town = Town(node, node.chain, oracle.address, gate, oracle.block)
        found = RegisteredTown(town, record, folder)
        node.chain.rpc("anvil_setCode", [_VERIFIER, _believer()])
        found.send("VerifierRouter", "addRoute", FOREIGN_ROUTE, _VERIFIER)
        found.send("ModelRegistry", "admit", astuple(A_MODEL))
        for tee_type in (TeeType.TDX, SEV_SNP):
            image = keccak(bytes([tee_type]) + MEASUREMENTS[0])
            found.send("MeasurementRegistry", "admit", APP, image, MANIFEST)
        yield found
