"""A chain with an oracle of batches on it, people who ask, and a worker that really signs."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import BatchOracle, RequestParams, RequestTerms
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.records import Receipt
from quotary_bridge.chain.sender import Sender
from quotary_bridge.model import Address
from quotary_bridge.workers import WorkerClient
from quotary_enclave.worker import WorkerConfig
from starlette.testclient import TestClient

from tests.bridge.model_parts import deploy_models
from tests.bridge.relayer_town import EVERYTHING, OPEN_GATE, question
from tests.enclave.worker_parts import NOW, SettableClock, client_of, make_worker

LIFETIME = 3600
FEE = 10**15
GATE = f"0x{'00' * 18}9a7e"


@dataclass
class BatchTown:
    """Requests are made one by one, answers come by the batch."""

    node: AnvilNode
    oracle: BatchOracle
    results: Address
    deployed_at: int
    deadline: int
    made: list[RequestTerms] = field(default_factory=list)

    def quiet(self) -> None:
        """Wait until everything sent is mined: the node mines a moment after it answers."""
        while self.node.chain.rpc("txpool_status")["pending"] != "0x0":
            time.sleep(0.005)

    def sender(self, number: int = 0) -> Sender:
        """One of the development chain's accounts."""
        return Sender(self.node.chain, self.node.signers[number], timeout_seconds=300)

    def send(self, data: bytes, value: int = 0) -> Receipt:
        """Send a call to the oracle."""
        sender = self.sender()
        return sender.send(sender.request(self.oracle.address, data, value))

    def params(self, text: bytes) -> tuple[RequestParams, RequestTerms]:
        """What the next request says."""
        requester = self.node.signers[0].address
        return question(requester, len(self.made), text, self.deadline, FEE)

    def ask(self, count: int) -> None:
        """Ask `count` times."""
        for number in range(len(self.made), len(self.made) + count):
            params, terms = self.params(b"question %d" % number)
            self.send(self.oracle.request(params), FEE)
            self.made.append(terms)


@contextmanager
def batch_town() -> Iterator[BatchTown]:
    """Start a chain and deploy the oracle on it, behind a gate that admits everybody."""
    with AnvilNode(timestamp=NOW) as node:
        chain = node.chain
        gate = Address(chain.web3.to_checksum_address(GATE))
        models = deploy_models(node, gate)
        chain.rpc("anvil_setCode", [gate, OPEN_GATE])
        sender = Sender(chain, node.signers[0], timeout_seconds=300)
        deployed_at = chain.head().number + 1
        addresses = []
        for name in ("BatchOracle", "ResultOracle"):
            creation = interface(name).encode_creation([gate, models, *EVERYTHING])
            receipt = sender.send(sender.request(None, creation))
            assert receipt.contract_address is not None
            addresses.append(Address(receipt.contract_address))
        batches, results = addresses
        deadline = chain.head().timestamp + LIFETIME
        yield BatchTown(node, BatchOracle(chain, batches), results, deployed_at, deadline)


def served(clock: SettableClock | None = None) -> TestClient:
    """The real worker's application."""
    return client_of(make_worker(WorkerConfig(), clock=clock))


def worker_client(app: TestClient | None = None) -> WorkerClient:
    """A client that reaches the real worker, without a network."""
    return WorkerClient(transport_of(app or served()))


def transport_of(app: TestClient) -> httpx.BaseTransport:
    """What carries a question to the application and its answer back."""
    return app._transport
