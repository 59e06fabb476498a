"""Workers for tests: real code throughout, with a model at the port that answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256

from quotary_enclave.keys import WorkerKeys
from quotary_enclave.model import Answer, Message, ModelReason, QuestionError, Sha256, Units
from quotary_enclave.simulator import Simulator
from quotary_enclave.worker import QuoteSource, Worker, WorkerConfig, create_app, simulated_tdx
from starlette.testclient import TestClient

NOW = 1_790_000_000
"""What the workers' clocks show."""

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


def report_data_of(quote: bytes) -> bytes:
    """The report data of a version 4 TDX quote: the last 64 bytes of header and body."""
    return quote[48 + 520 : 48 + 584]
