"""What strangers send is bounded, what goes wrong is named, and nothing leaks into the log."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import logging
import threading
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from quotary_enclave.worker import (
    ConfigurationError,
    Limits,
    QuoteEvidence,
    QuoteUnavailableError,
    WorkerConfig,
    create_app,
)
from quotary_enclave.worker.app import _Gateway
from quotary_enclave.worker.bounded_json import MAX_DEPTH, loads
from quotary_enclave.worker.statements import model_id_of

from tests.enclave.worker_parts import SEED, CountingModel, client_of, make_worker, question_of

CHAT = "/v1/chat/completions"
POSTS = (CHAT, "/v1/quotary/register", "/v1/quotary/results")
CANARY = "canary-7f3a"


def chat_of(content: str) -> dict[str, Any]:
    return {"model": "counting-model", "messages": [{"role": "user", "content": content}]}


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("body", "headers", "status", "code"),
    [
        (b"", {}, 400, "bad_json"),
        (b"[]", {}, 400, "bad_json"),
        (b"\xff", {}, 400, "bad_json"),
        (b'{"a":' * 33 + b"1" + b"}" * 33, {}, 400, "bad_json"),
        (b"[" * 200_000, {}, 400, "bad_json"),
        (b"x" * 300_000, {}, 413, "body_too_large"),
        (gzip.compress(b"{}", mtime=0), {"Content-Encoding": "gzip"}, 415, "encoding_unsupported"),
    ],
)
def test_bodies_out_of_bounds_are_refused(
    path: str, body: bytes, headers: dict[str, str], status: int, code: str
) -> None:
    """Whatever is posted wherever, an error object with a code comes back."""
    response = client_of(make_worker()).post(path, content=body, headers=headers)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)
    assert response.headers["X-ACI-Version"] == "aci/1"


DEEP = "nested over 32 levels deep"


def outcome(parse: Callable[[str], Any], text: str) -> str:
    """What `parse` makes of `text`, or what it says against it."""
    try:
        return repr(parse(text))
    except ValueError as error:
        return str(error)


@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\ a1\n', max_size=200).map(str.encode))
def test_bounded_json_agrees_with_the_parser(content: bytes) -> None:
    """For shallow input it is `json.loads`, value for value and refusal for refusal."""
    text = content.decode(errors="replace")
    assert outcome(loads, text) in (outcome(json.loads, text), DEEP)
    assert outcome(loads, text) != DEEP or text.count("[") + text.count("{") > MAX_DEPTH


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", CHAT, 405, "method_not_allowed"),
        ("POST", "/v1/models", 405, "method_not_allowed"),
        ("GET", "/v1/aci/receipts/unknown", 404, "not_found"),
        ("GET", "/v1/signature/unknown", 404, "not_found"),
        ("GET", "/v1/aci/sessions/" + "00" * 32, 404, "not_found"),
    ],
)
def test_unknown_paths_answer_in_the_same_form(
    method: str, path: str, status: int, code: str
) -> None:
    """No HTML, no bare text."""
    response = client_of(make_worker()).request(method, path)
    assert (response.status_code, response.json()["error"]["code"]) == (status, code)


class BlockingModel(CountingModel):
    """Answers when it is told to."""

    def __init__(self) -> None:
        """Hold back."""
        self.go = threading.Event()
        self.two = threading.Event()
        self.lock = threading.Lock()
        self.running = 0
        self.most = 0

    def answer(self, messages: Any) -> Any:
        """Wait for `go`."""
        with self.lock:
            self.running += 1
            self.most = max(self.most, self.running)
            if self.running == 2:
                self.two.set()
        self.go.wait(300)
        with self.lock:
            self.running -= 1
        return super().answer(messages)


def test_too_many_at_once_are_told_to_come_again() -> None:
    """Some compute, some wait, the rest get 429; health answers all the while."""
    model = BlockingModel()
    config = WorkerConfig(limits=Limits(concurrent=2, waiting=3))
    app = create_app(make_worker(config, model=model))

    async def scene() -> tuple[list[int], list[str | None], int]:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://worker") as client:
            posts = [asyncio.create_task(client.post(CHAT, json=chat_of("Why?"))) for _ in range(8)]
            for finished in itertools.islice(asyncio.as_completed(posts), 3):
                await finished
            assert await asyncio.to_thread(model.two.wait, 10)
            health = (await client.get("/healthz")).status_code
            model.go.set()
            responses = await asyncio.gather(*posts)
        codes = [response.status_code for response in responses]
        retries = [response.headers.get("Retry-After") for response in responses]
        return codes, retries, health

    codes, retries, health = asyncio.run(scene())
    assert sorted(codes) == [200] * 5 + [429] * 3
    assert [retry for retry in retries if retry] == ["1"] * 3
    assert health == 200
    assert model.most == 2


def test_a_body_that_never_ends_is_cut() -> None:
    """A slow sender holds a connection for a bounded time only."""
    app = create_app(make_worker(WorkerConfig(limits=Limits(body_seconds=0.05))))
    sent: list[Any] = []

    async def never() -> Any:
        await asyncio.sleep(60)

    async def collect(message: Any) -> None:
        await asyncio.sleep(0)
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": CHAT,
        "raw_path": CHAT.encode(),
        "query_string": b"",
        "headers": [],
        "http_version": "1.1",
        "scheme": "http",
    }
    asyncio.run(app(scope, never, collect))
    assert sent[0]["status"] == 408
    assert json.loads(sent[1]["body"])["error"]["code"] == "body_too_slow"


def test_a_stream_cut_short_leaves_no_receipt() -> None:
    """No proof exists over bytes that were never sent; one exists as soon as the last ones are."""
    worker = make_worker()
    body = json.dumps({**chat_of("Why?"), "stream": True}).encode()
    reply = worker.chat(body, None)

    async def read(events: int) -> None:
        stream = _Gateway(worker)._stream(reply)
        for _ in range(events):
            await anext(stream)

    asyncio.run(read(len(reply.chunks) - 1))
    assert len(worker._ledger) == 0
    asyncio.run(read(len(reply.chunks)))
    assert len(worker._ledger) == 1


class FailingModel(CountingModel):
    """Fails in a way nobody foresaw, quoting what it was asked."""

    def answer(self, messages: Any) -> Any:
        """Fail."""
        raise ZeroDivisionError(messages[0].content)


class FailingTdx:
    """A TEE that gives no quotes."""

    simulated = True

    def quote(self, report_data: bytes) -> QuoteEvidence:
        """Fail."""
        raise QuoteUnavailableError(f"no quote over {len(report_data)} bytes")

    def sealing_key(self) -> bytes:
        """Fail."""
        raise QuoteUnavailableError("no key")


def test_a_tee_without_quotes_is_a_named_outage() -> None:
    """503 with the reason; the caller may try again."""
    client = client_of(make_worker(quotes=FailingTdx()))
    for path in ("/v1/aci/attestation", "/v1/attestation/report"):
        response = client.get(path)
        assert (response.status_code, response.json()["error"]["code"]) == (
            503,
            "quote_unavailable",
        )


def test_logs_hold_no_secret_and_no_plaintext(caplog: pytest.LogCaptureFixture) -> None:
    """A word sent in every way it can be sent never reaches the log; neither does a key."""
    caplog.set_level(logging.DEBUG)
    headers = {"Authorization": f"Bearer {CANARY}", "X-Request-Hash": CANARY}
    for model in (CountingModel(), FailingModel()):
        worker = make_worker(model=model)
        client = client_of(worker)
        client.post(CHAT, json=chat_of(CANARY), headers=headers)
        client.post(CHAT, content=CANARY.encode(), headers=headers)
        client.post(CHAT, json={"model": CANARY, "messages": [{"role": CANARY, "content": "x"}]})
        client.post(CHAT, json={"model": "counting-model", "messages": CANARY})
        client.get(f"/v1/aci/receipts/{CANARY}", headers=headers)
        client.get(f"/v1/attestation/report?signing_address={CANARY}&nonce={'00' * 32}")
        client.get(f"/{CANARY}")
        request = question_of(CANARY.encode(), model_id=model_id_of(model))
        client.post("/v1/quotary/results", json=request)
    ours = [line for line in caplog.records if line.name == "quotary_enclave.worker"]
    events = [json.loads(line.getMessage()) for line in ours]
    assert {event["event"] for event in events} == {"served", "refused", "failed"}
    assert all("\n" not in line.getMessage() for line in ours)
    written = "".join(line.getMessage() + (line.exc_text or "") for line in ours)
    secrets = (
        worker.keys.result._key.private_numbers().private_value.to_bytes(32, "big"),
        worker.keys.receipt._key.private_bytes_raw(),
    )
    for secret in (CANARY.encode(), SEED, *secrets):
        assert secret.hex() not in written
    assert CANARY not in written


def test_an_unforeseen_failure_says_nothing_of_the_input() -> None:
    """The caller learns that it failed; the exception's text stays inside."""
    response = client_of(make_worker(model=FailingModel())).post(CHAT, json=chat_of(CANARY))
    assert (response.status_code, response.json()["error"]["code"]) == (500, "internal")
    assert CANARY not in response.text


@pytest.mark.parametrize(
    "make",
    [
        lambda: WorkerConfig(operator="0x12"),  # type: ignore[arg-type]
        lambda: WorkerConfig(oracles=frozenset({"nobody"})),  # type: ignore[arg-type]
        lambda: WorkerConfig(chain_id=0),
        lambda: Limits(concurrent=0),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(make: Any) -> None:
    """Before the worker starts, not when the first request comes."""
    with pytest.raises(ConfigurationError):
        make()
