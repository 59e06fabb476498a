"""A model that never says the same twice, and a worker that answers every request once."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from quotary_enclave.model import Answer, Message, Units
from quotary_enclave.worker import Limits, Vault, Worker, WorkerConfig, simulated_tdx
from quotary_enclave.worker.errors import RefusalError
from quotary_enclave.worker.memory import Memory
from starlette.testclient import TestClient

from tests.enclave.worker_parts import (
    NOW,
    ORACLE,
    CountingModel,
    SettableClock,
    asked_twice_at_once,
    client_of,
    make_worker,
    question_of,
    simulator,
)

RESULTS = "/v1/quotary/results"
QUESTION = question_of(b"Why?")


class Fickle(CountingModel):
    """Says something else each time."""

    def answer(self, _messages: Sequence[Message]) -> Answer:
        """Say anything."""
        return Answer(secrets.token_hex(8), Units(1), Units(1))


def answered(client: TestClient, question: dict[str, Any]) -> dict[str, Any]:
    response = client.post(RESULTS, json=question)
    assert response.status_code == 200, response.text
    document: dict[str, Any] = response.json()
    return document


def refusal(client: TestClient, question: dict[str, Any]) -> str:
    code: str = client.post(RESULTS, json=question).json()["error"]["code"]
    return code


def restarted(folder: Path, clock: SettableClock, ask: dict[str, Any]) -> dict[str, Any]:
    """What a worker that has nothing but its vault answers."""
    model = Fickle()
    quotes = simulated_tdx(simulator().platform(), model)
    with Vault(folder, bytes(32)) as vault:
        keys = vault.identity()
        worker = Worker(WorkerConfig(), model, quotes, keys=keys, clock=clock, vault=vault)
        return answered(client_of(worker), ask)


def test_whoever_asks_again_gets_the_very_answer() -> None:
    """Output, nonce and signature: two outputs under one request id would end the worker."""
    client = client_of(make_worker(model=Fickle()))
    first = answered(client, QUESTION)
    assert answered(client, QUESTION) == first
    assert answered(client, QUESTION | {"oracle": ORACLE.upper().replace("X", "x")}) == first
    # Nobody tells the worker another end of the same request: the id has the terms' one in it.
    told = {"deadline": NOW + 999, "requestId": "0x" + "55" * 32, "appId": "0x" + "56" * 32}
    assert answered(client, QUESTION | told) == first


def test_another_request_is_another_question() -> None:
    """Other terms, or another oracle: nothing that could be held against the first answer."""
    client = client_of(make_worker(model=Fickle()))
    others = [question_of(b"Why?", NOW + 61), QUESTION | {"oracle": "0x" + "12" * 20}]
    documents = [answered(client, question) for question in (QUESTION, *others)]
    assert len({document["result"]["requestId"] for document in documents}) == 3
    assert len({document["output"] for document in documents}) == 3


def test_two_who_ask_at_once_get_the_same_answer() -> None:
    """Both have the model asked before either answer is kept; one of the two answers counts."""
    together = threading.Barrier(2)

    class Slow(Fickle):
        def answer(self, messages: Sequence[Message]) -> Answer:
            together.wait(300)
            return super().answer(messages)

    worker = make_worker(model=Slow())
    found = asked_twice_at_once(lambda: worker.result(QUESTION))
    assert len(found) == 2
    assert found[0] == found[1]


def test_a_worker_that_starts_anew_gives_the_same_answer(tmp_path: Path) -> None:
    """Of its memory nothing is left; and when the request has ended nothing is signed."""
    clock = SettableClock()
    first = restarted(tmp_path, clock, QUESTION)
    clock.now = NOW + 60
    assert restarted(tmp_path, clock, QUESTION) == first
    clock.now += 1
    with pytest.raises(AssertionError, match="deadline_expired"):
        restarted(tmp_path, clock, QUESTION)


def test_nothing_is_forgotten_that_could_be_held_against_the_worker() -> None:
    """A full memory answers no more requests, but goes on repeating; ended requests make room."""
    clock = SettableClock()
    config = WorkerConfig(limits=Limits(kept_bytes=4000))
    client = client_of(make_worker(config, model=Fickle(), clock=clock))
    kept: dict[int, dict[str, Any]] = {}
    for number in range(10):
        response = client.post(RESULTS, json=question_of(b"Why?", NOW + 60 + number))
        if response.status_code != 200:
            break
        kept[number] = response.json()
    assert 0 < len(kept) < 10
    full = len(kept)
    assert refusal(client, question_of(b"Why?", NOW + 60 + full)) == "overloaded"
    for number, said in kept.items():
        assert answered(client, question_of(b"Why?", NOW + 60 + number)) == said
    clock.now = NOW + 61
    assert refusal(client, QUESTION) == "deadline_expired"
    answered(client, question_of(b"Why?", NOW + 60 + full))
    assert refusal(client, question_of(b"Why?", NOW + 61 + full)) == "overloaded"


def test_memory_counts_what_it_holds() -> None:
    """An entry put anew, longer, takes what it has grown by; what has ended takes nothing."""
    memory = Memory(2 * 512 + 30)
    memory.put(b"one", bytes(10), 5, 0)
    memory.put(b"two", bytes(10), 6, 0)
    memory.put(b"one", bytes(20), 5, 0)
    with pytest.raises(RefusalError, match="overloaded"):
        memory.put(b"one", bytes(21), 5, 0)
    with pytest.raises(RefusalError, match="overloaded"):
        memory.put(b"three", b"", 7, 5)
    assert memory.get(b"one") == bytes(20)
    memory.put(b"three", bytes(20), 7, 6)
    assert (memory.get(b"one"), memory.get(b"three")) == (None, bytes(20))
