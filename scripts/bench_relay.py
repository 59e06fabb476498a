"""
How fast results reach the chain, one signer: build/bench/relay.json.

The limit is the rate at which the same Anvil takes the same signed transactions from a bare loop.
The worker's answers are signed beforehand: what is measured is the relayer, not the worker. Both
have done a little of the same before the clock starts: what a start costs is paid once.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from shutil import copy
from statistics import median, quantiles
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
for folder in ("bridge", "verifier", "enclave", "."):
    sys.path.insert(0, str(ROOT / folder))

import httpx  # noqa: E402 (the project's own folders first)
from quotary_bridge.anvil import AnvilNode  # noqa: E402
from quotary_bridge.chain import Chain  # noqa: E402
from quotary_bridge.lifecycle import Dispatched, Enqueued, Finalised, Included, Sent, begin  # noqa: E402
from quotary_bridge.model import (  # noqa: E402
    Bytes32,
    ChainId,
    Inclusion,
    Nonce,
    Slot,
    SlotState,
    TransactionHash,
)
from quotary_bridge.relayer import Progress, Relayer, RelayerSettings  # noqa: E402
from quotary_bridge.relayer.daemon import memory_at_rest  # noqa: E402
from quotary_bridge.store import Location, SignedTransaction, Store, Writer  # noqa: E402
from quotary_bridge.workers import Endpoint, WorkerClient  # noqa: E402

from scripts.bench_batches import batch_results_per_second  # noqa: E402
from tests.bridge.postgres import running_postgres  # noqa: E402
from tests.bridge.relayer_town import Worker  # noqa: E402
from tests.bridge.store_parts import (  # noqa: E402
    CHAIN,
    SIGNER,
    Clock,
    request_of,
    signed_result,
    transaction,
)
from tests.faults.world import RELAYER, World  # noqa: E402

CYCLES_LIMIT = 1_000
BATCH = 1_000
WARM_UP = 20
"""How many results are relayed before those that count."""

HOLDER = "a bench"
FINISHED = (1_000, 100_000)
"""How many requests the store holds that were answered long ago: a result must cost the same."""

USED_NONCES = max(FINISHED)
"""What answering them took: the account's nonces go on from there."""

ROWS_PER_COMMIT = 10_000


class SignedBeforehand(httpx.BaseTransport):
    """A worker whose answers to the oracle's next requests are ready, down to the response."""

    def __init__(self) -> None:
        """Nothing is signed yet."""
        self._worker = Worker()
        self._answers: dict[bytes, httpx.Response] = {}

    def client(self) -> WorkerClient:
        """A client that this worker answers, and that has it sign what it was not asked before."""
        return WorkerClient(self)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answer, and keep the answer."""
        question = request.read()
        if question not in self._answers:
            self._answers[question] = self._worker.answer(request)
        return self._answers[question]


def relayed(world: World, store: Store, worker: SignedBeforehand, results: int) -> dict[str, Any]:
    """Relay all requests of a world; seconds in all, and each result's way through the relayer."""
    stored: dict[bytes, float] = {}
    delays: list[float] = []

    def _tell(progress: Progress) -> None:
        if progress.job is None:
            return
        if progress.kind.value == "request_seen":
            stored[progress.job] = time.perf_counter()
        elif progress.kind.value == "mined":
            delays.append(time.perf_counter() - stored[progress.job])

    settings = RelayerSettings(
        finality_depth=1,
        start_block=world.deployed_at,
        in_flight=results,
        concurrent_workers=2,
        patience_seconds=60.0,
    )
    relayer = Relayer(
        Chain.at(world.node.url, world.chain_id),
        world.oracle,
        store,
        world.signers[RELAYER],
        [Endpoint("http://one")],
        settings=settings,
        listener=_tell,
        client=worker.client(),
        holder=HOLDER,
    )

    def _until_mined(wanted: int) -> None:
        for _ in range(CYCLES_LIMIT):
            if len(delays) >= wanted:
                return
            relayer.tick()
            world.node.mine()
        raise RuntimeError(f"only {len(delays)} of {wanted} were mined")

    with relayer:
        asked(world, 0, WARM_UP)
        _until_mined(WARM_UP)
        asked(world, WARM_UP, WARM_UP + results)
        delays.clear()
        began, busy = time.perf_counter(), time.process_time()
        _until_mined(results)
        seconds, busy = time.perf_counter() - began, time.process_time() - busy
    return {"seconds": seconds, "delays": delays, "busy": busy}


def asked(world: World, first: int, last: int) -> None:
    """Bring the requests from number `first` to before `last` to the chain."""
    world.node.chain.send_many(world.requests[first:last])
    while world.node.chain.nonce(world.requester) < last:
        world.node.mine()


def bare_loop(world: World, raws: list[bytes]) -> float:
    """Seconds in which Anvil takes and mines `raws`, one question after the other."""
    chain = Chain.at(world.node.url, world.chain_id)
    asked(world, 0, len(raws))
    began = 0.0
    for first, last in ((0, WARM_UP), (WARM_UP, len(raws))):
        began = time.perf_counter()
        for raw in raws[first:last]:
            chain.rpc("eth_sendRawTransaction", [f"0x{raw.hex()}"])
        while chain.nonce(world.relayer) < USED_NONCES + last:
            world.node.mine()
    return time.perf_counter() - began


def outbox_jobs_per_second(where: Location, jobs: int) -> float:
    """Jobs brought from request to stored transaction, one commit each."""
    store = Store.open(where, Clock())
    lease = store.acquire(CHAIN, SIGNER, "a bench")
    began = time.perf_counter()
    for number in range(1, jobs + 1):
        request = request_of(number)
        with store.write(lease) as writer:
            writer.add_job(begin(request))
            writer.advance(request.key, Dispatched())
            writer.add_result(request.key, signed_result())
            slot = writer.open_slot(writer.next_nonce(Nonce(number)), request.key)
            writer.add_attempt(slot, transaction_of(number), request.block.number)
            writer.advance(request.key, Enqueued(slot))
    seconds = time.perf_counter() - began
    store.close()
    return jobs / seconds


def transaction_of(number: int) -> SignedTransaction:
    """Signed bytes that only their number tells apart."""
    return replace(transaction(number % 256), hash=TransactionHash(number.to_bytes(32)))


def filled(where: Path, world: World, finished: int) -> Path:
    """Make a store of `finished` requests of the world's oracle, each delivered to finality."""
    store = Store.open(where, Clock())
    lease = store.acquire(ChainId(world.chain_id), world.relayer, HOLDER)
    for start in range(0, finished, ROWS_PER_COMMIT):
        numbers = range(start, min(finished, start + ROWS_PER_COMMIT))
        with store.write(lease) as writer:
            _finish(writer, world, numbers)
    store.release(lease)
    store.close()
    return where


def _finish(writer: Writer, world: World, numbers: range) -> None:
    """Write what a relayer leaves of requests that it carried through, nonces by their numbers."""
    made = [
        replace(
            request_of(number),
            chain_id=ChainId(world.chain_id),
            oracle=world.oracle,
            request_id=Bytes32((1 << 200 | number).to_bytes(32)),
        )
        for number in numbers
    ]
    for each in made:
        writer.add_job(begin(each))
        writer.advance(each.key, Dispatched())
    writer.add_results([(each.key, signed_result()) for each in made])
    nonces = [Nonce(number) for number in numbers]
    slots = writer.open_slots(list(zip(nonces, [each.key for each in made], strict=True)))
    sent = [transaction_of(number) for number in numbers]
    writer.add_attempts(list(zip(slots, sent, strict=True)), made[0].block.number)
    for each, slot, nonce, transaction_ in zip(made, slots, nonces, sent, strict=True):
        for event in (Enqueued(slot), Sent(), Included(succeeded=True), Finalised()):
            writer.advance(each.key, event)
        writer.count_broadcast(slot)
        mined = Inclusion(transaction_.hash, each.block, succeeded=True)
        held = Slot(slot, nonce, each.key, SlotState.OPEN, 1, None, ())
        writer.resolve_slot(held, SlotState.FINAL, mined)


def measured(results: int, rounds: int) -> dict[str, Any]:
    """Every figure of the report; what is compared takes turns, and medians count."""
    with AnvilNode() as node, tempfile.TemporaryDirectory() as folder:
        world = World(node, strict=True)
        node.chain.rpc("anvil_setNonce", [world.relayer, hex(USED_NONCES)])
        for _ in range(WARM_UP + results):
            world.ask()
        node.chain.rpc("anvil_dropAllTransactions")
        past = Past(node)
        worker = SignedBeforehand()
        # A first run signs every answer, and leaves the transactions for the bare loop.
        first = Store.open(Path(folder) / "first.sqlite", Clock())
        relayed(world, first, worker, results)
        raws = _raws(first, WARM_UP + results)
        first.close()
        limits, runs = [], {finished: list[dict[str, Any]]() for finished in FINISHED}
        # As the daemon does, and the bare loop with it.
        histories = {
            finished: filled(Path(folder) / f"{finished}.sqlite", world, finished)
            for finished in FINISHED
        }
        with memory_at_rest():
            for _ in range(rounds):
                for finished, found in runs.items():
                    past.again()
                    own = copy(histories[finished], Path(folder) / "own.sqlite")
                    store = Store.open(Path(own), Clock())
                    found.append(relayed(world, store, worker, results))
                    store.close()
                past.again()
                limits.append(results / bare_loop(world, raws))
        sqlite = outbox_jobs_per_second(Path(folder) / "outbox.sqlite", results)
    with running_postgres() as server:
        postgres = outbox_jobs_per_second(server.database(), results)
    rates = [median(results / run["seconds"] for run in runs[count]) for count in FINISHED]
    cuts = quantiles((delay for run in runs[FINISHED[0]] for delay in run["delays"]), n=100)
    limit = median(limits)
    return {
        "results": results,
        "results_per_s": round(rates[0], 1),
        "anvil_limit_per_s": round(limit, 1),
        "ratio": round(rates[0] / limit, 3),
        "busy_ms_per_result": round(
            1000 * median(run["busy"] for run in runs[FINISHED[0]]) / results, 2
        ),
        "p50_ms": round(cuts[49] * 1000, 1),
        "p99_ms": round(cuts[98] * 1000, 1),
        "outbox_jobs_per_s_sqlite": round(sqlite, 1),
        "outbox_jobs_per_s_postgres": round(postgres, 1),
        "batch_results_per_s": round(batch_results_per_second(BATCH), 1),
        "results_per_s_at_100k_stored": round(rates[1], 1),
        "cost_at_100k_over_1k": round(rates[0] / rates[1], 2),
    }


class Past:
    """A chain that can be brought back to one moment, again and again."""

    def __init__(self, node: AnvilNode) -> None:
        """Remember this moment."""
        self._node = node
        self._snapshot = node.chain.rpc("evm_snapshot")

    def again(self) -> None:
        """Be there again; a snapshot does not hold the next block's base fee."""
        self._node.chain.rpc("evm_revert", [self._snapshot])
        self._snapshot = self._node.chain.rpc("evm_snapshot")
        self._node.chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])


def _raws(store: Store, results: int) -> list[bytes]:
    ids = range(1, results + 1)
    slots = [store.slot(number) for number in ids]
    if any(slot.state is SlotState.LOST for slot in slots):
        raise RuntimeError("a nonce was lost on a quiet chain")
    return [slot.attempts[0].raw for slot in sorted(slots, key=lambda slot: slot.nonce)]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--results", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    figures = measured(args.results, args.rounds)
    target = ROOT / "build" / "bench" / "relay.json"
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
