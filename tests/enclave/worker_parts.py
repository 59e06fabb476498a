"""Workers for tests: real code throughout, with a model at the port that answers at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, TypeVar

from eth_abi.abi import encode
from eth_utils.crypto import keccak
from quotary_enclave.keys import WorkerKeys
from quotary_enclave.model import Answer, Message, ModelReason, QuestionError, Sha256, Units
from quotary_enclave.simulator import Simulator
from quotary_enclave.worker import QuoteSource, Worker, WorkerConfig, create_app, simulated_tdx
from quotary_enclave.worker.statements import model_id_of
from starlette.testclient import TestClient

_Found = TypeVar("_Found")

NOW = 1_790_000_000
"""What the workers' clocks show."""

ORACLE = "0x" + "1a" * 20
CHAIN = 31337

_REQUEST = (
    "(bytes32,bytes32,bytes32,address,uint64,uint32,uint64,uint64,"
    "(address,address,uint96,uint96,uint96),(uint8,uint8,uint8,uint8,uint8,uint128),address[])"
)

SEED = bytes(range(32))


class CountingModel:
    """Answers with the number of characters it was asked, and refuses to answer nothing."""

    name = "counting-model"
    weights_root = Sha256(sha256(b"weights").digest())
    tokenizer_hash = Sha256(sha256(b"tokenizer").digest())
    config_hash = Sha256(sha256(b"config").digest())

    def answer(self, messages: Sequence[Message]) -> Answer:
        """Count."""
        count = sum(len(message.content) for message in messages)
        if count == 0:
            raise QuestionError(ModelReason.QUESTION_EMPTY, "nothing was asked")
        return Answer(f"{count} characters", Units(count), Units(2))


def terms_of(
    content: bytes,
    deadline: int = NOW + 60,
    *,
    results: int = 1,
    seats: int = 1,
    rule: int = 0,
    model_id: bytes | None = None,
) -> bytes:
    """`abi.encode` of a request that `results` of `seats` workers must answer."""
    nobody = "0x" + "00" * 20
    words = (
        *(b"\x66" * 32, model_id or model_id_of(CountingModel()), sha256(content).digest()),
        *("0x" + "77" * 20, 5, 0, 0, deadline),
        *((nobody, nobody, 10, 0, 0), (results, seats, 1, 1, rule, 0), []),
    )
    return encode([_REQUEST], [words])


def request_id(encoded: bytes, oracle: str = ORACLE) -> bytes:
    """The id as the contract takes it: the terms decoded and encoded anew."""
    head = encode(["uint256", "address", "uint256"], [CHAIN, oracle, 96])
    return keccak(head + encoded[32:])


def question_of(content: bytes, deadline: int = NOW + 60, **asked: Any) -> dict[str, Any]:
    """What a worker is asked at `ORACLE`: see `terms_of`."""
    return {
        "terms": "0x" + terms_of(content, deadline, **asked).hex(),
        "input": "0x" + content.hex(),
        "oracle": ORACLE,
        "chainId": CHAIN,
    }


class SettableClock:
    """A clock that shows what it is set to."""

    def __init__(self, now: int = NOW) -> None:
        """Show `now`."""
        self.now = now

    def __call__(self) -> int:
        """Tell the time."""
        return self.now


def simulator() -> Simulator:
    return Simulator(datetime.fromtimestamp(NOW, UTC), seed=b"worker tests")


def make_worker(
    config: WorkerConfig | None = None,
    *,
    model: CountingModel | None = None,
    quotes: QuoteSource | None = None,
    clock: SettableClock | None = None,
    seed: bytes = SEED,
) -> Worker:
    model = model or CountingModel()
    quotes = quotes or simulated_tdx(simulator().platform(), model)
    keys = WorkerKeys(seed)
    return Worker(
        config or WorkerConfig(), model, quotes, keys=keys, clock=clock or SettableClock()
    )


def client_of(worker: Worker) -> TestClient:
    return TestClient(create_app(worker))


def asked_twice_at_once(ask: Callable[[], _Found]) -> list[_Found]:
    """What two threads find that `ask` beside each other."""
    found: list[_Found] = []
    threads = [threading.Thread(target=lambda: found.append(ask())) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def report_data_of(quote: bytes) -> bytes:
    """The report data of a version 4 TDX quote: the last 64 bytes of header and body."""
    return quote[48 + 520 : 48 + 584]
