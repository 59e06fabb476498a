"""
How fast results reach the chain by the batch: `batch_results_per_s` in build/bench/relay.json.

From the moment the requests stand on the chain to the moment the last of them is fulfilled: read
them, check what the worker signed, commit the root, push every answer with its path. The worker's
answers are signed beforehand, as in `bench_relay.py`, which adds the figure to its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

import httpx  # noqa: E402 (the project's own folders first)
from quotary_bridge.relayer.batches import claims, committed, pending, prepare  # noqa: E402
from quotary_bridge.workers import Endpoint, WorkerClient  # noqa: E402
from quotary_enclave.worker import Limits, WorkerConfig  # noqa: E402

from tests.bridge.batch_town import FEE, BatchTown, batch_town, transport_of  # noqa: E402
from tests.bridge.relayer_town import APP, MODEL  # noqa: E402
from tests.enclave.worker_parts import client_of, make_worker  # noqa: E402

ENDPOINT = Endpoint("http://worker")
BODY_BYTES = 4 << 20
REQUEST_GAS = 400_000


def ask_quickly(town: BatchTown, count: int) -> None:
    """Make `count` requests, all of them in the pool before a block is mined."""
    node, signer = town.node, town.node.signers[0]
    chain = node.chain
    chain.rpc("evm_setAutomine", [False])
    first = chain.nonce(signer.address)
    raws = []
    for number in range(count):
        params, terms = town.params(b"question %d" % number)
        town.made.append(terms)
        raws.append(
            signer.sign_transaction(
                {
                    "type": 2,
                    "chainId": chain.chain_id,
                    "nonce": first + number,
                    "to": town.oracle.address,
                    "data": town.oracle.request(params),
                    "value": FEE,
                    "gas": REQUEST_GAS,
                    "maxFeePerGas": 5_000 * 10**9,
                    "maxPriorityFeePerGas": 10**9,
                }
            )
        )
    for start in range(0, count, 100):
        chain.send_many(raws[start : start + 100])
    while chain.nonce(signer.address) < first + count:
        node.mine()
    chain.rpc("evm_setAutomine", [True])


class SignedBeforehand(httpx.BaseTransport):
    """The real worker, asked once; afterwards its answer is ready."""

    def __init__(self) -> None:
        """Nothing is signed yet."""
        limits = Limits(body_bytes=BODY_BYTES)
        app = client_of(make_worker(WorkerConfig(limits=limits)))
        self._worker = transport_of(app)
        self._answers: dict[bytes, bytes] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer what was asked before from memory."""
        if request.content not in self._answers:
            self._answers[request.content] = self._worker.handle_request(request).read()
        return httpx.Response(200, content=self._answers[request.content])


def batch_results_per_second(count: int) -> float:
    """Answers that one batch of `count` brings to the chain in a second."""
    with batch_town() as town:
        ask_quickly(town, count)
        client = WorkerClient(SignedBeforehand())
        oracle, first = town.oracle, town.deployed_at
        prepare(client, ENDPOINT, oracle, pending(oracle, first, APP, MODEL, count))
        began = time.perf_counter()
        prepared = prepare(client, ENDPOINT, oracle, pending(oracle, first, APP, MODEL, count))
        town.send(prepared.commit(oracle))
        told = committed(oracle, prepared, first)
        if told is None:
            raise RuntimeError("the batch was not committed")
        for piece in claims(oracle, prepared, told):
            town.send(oracle.push(piece))
        seconds = time.perf_counter() - began
        if pending(oracle, first, APP, MODEL, 1):
            raise RuntimeError("not every request was fulfilled")
    return count / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=1000)
    figures = {
        "batch_results_per_s": round(batch_results_per_second(parser.parse_args().results), 1)
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
