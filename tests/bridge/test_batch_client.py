"""The SDK and batches: a program asks, gets the document, and claims; both clients act alike."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from quotary_bridge.chain.contracts import BatchCommitted, RequestParams
from quotary_bridge.client import (
    Asked,
    AsyncBatchClient,
    BatchClient,
    BatchUnusableError,
    ClaimedResult,
    PreparedBatch,
    RequestEndedError,
    errors,
    proof,
)
from quotary_bridge.errors import NotFinal
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.relayer.batches import pending, prepare
from quotary_bridge.workers import Endpoint
from web3 import AsyncWeb3, HTTPProvider, Web3
from web3.providers import AsyncHTTPProvider

from tests.bridge.batch_town import BatchTown, batch_town, worker_client
from tests.bridge.relayer_town import APP, MODEL, OPEN_GATE, REVOKED, closed_gate


class Asking(Protocol):
    """What both clients can do."""

    def ask(self, params: RequestParams, sender: Address) -> Asked:
        """Ask."""

    def answer(self, asked: Asked) -> ClaimedResult | None:
        """Look."""

    def wait(self, asked: Asked, seconds: float, poll: float) -> ClaimedResult:
        """Wait."""

    def committed(self, document: PreparedBatch) -> BatchCommitted | None:
        """Look for the commitment."""

    def commit(self, document: PreparedBatch, sender: Address) -> BatchCommitted:
        """Commit."""

    def claim(self, document: PreparedBatch, request_id: Bytes32, sender: Address) -> ClaimedResult:
        """Claim."""

    def read(self, function: str, *arguments: object) -> Any:
        """Read."""

    def send(self, function: str, *arguments: object, sender: Address) -> Any:
        """Send."""


class Awaited:
    """The asynchronous client, each call carried out to its end."""

    def __init__(self, town: BatchTown) -> None:
        """Reach the town's oracle."""
        self._town = town

    def __getattr__(self, name: str) -> Any:
        """Return a method that awaits the client's."""

        def _called(*arguments: object, **more: object) -> object:
            return asyncio.run(self._call(name, *arguments, **more))

        return _called

    async def _call(self, name: str, *arguments: object, **more: object) -> object:
        provider = AsyncHTTPProvider(self._town.node.url)
        client = AsyncBatchClient(AsyncWeb3(provider), self._town.oracle.address)
        work: Coroutine[Any, Any, object] = getattr(client, name)(*arguments, **more)
        try:
            return await work
        finally:
            await provider.disconnect()


@pytest.fixture(scope="module")
def running() -> Iterator[BatchTown]:
    with batch_town() as town:
        yield town


@pytest.fixture
def town(running: BatchTown) -> Iterator[BatchTown]:
    """The town on its first day."""
    state = running.node.chain.rpc("evm_snapshot")
    yield replace(running, made=[])
    running.node.chain.rpc("evm_revert", [state])


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, town: BatchTown) -> Asking:
    if request.param == "async":
        return Awaited(town)
    return BatchClient(Web3(HTTPProvider(town.node.url)), town.oracle.address)


def requester(town: BatchTown) -> Address:
    return town.node.signers[0].address


def document_of(town: BatchTown) -> PreparedBatch:
    """What a worker signs for everything that is pending, as it travels."""
    asked = pending(town.oracle, town.deployed_at, APP, MODEL, 100)
    signed = prepare(worker_client(), Endpoint("http://worker"), town.oracle, asked)
    return PreparedBatch.from_json(signed.as_json())


def test_an_answer_is_claimed_out_of_a_batch(client: Asking, town: BatchTown) -> None:
    """From the question to the claimed output, by the worker's own document."""
    params, _ = town.params(b"a question")
    asked = client.ask(params, requester(town))
    town.ask(2)
    document = document_of(town)
    assert client.committed(document) is None
    with pytest.raises(BatchUnusableError, match="not committed"):
        client.claim(document, asked.request_id, requester(town))
    told = client.commit(document, requester(town))
    assert client.committed(document) == told
    with pytest.raises(NotFinal):
        client.wait(asked, 0.0, 0.01)
    answer = proof(document, told, asked.request_id)
    assert (answer.claim.batch_id, len(answer.path)) == (told.batch_id, 2)
    found = client.claim(document, asked.request_id, requester(town))
    assert (found.request_id, found.batch_id) == (asked.request_id, told.batch_id)
    assert found.output == b"10 characters"
    assert client.wait(asked, 60.0, 0.01) == client.answer(asked) == found
    with pytest.raises(errors.AlreadyFulfilled):
        client.claim(document, asked.request_id, requester(town))


def test_what_serves_nothing_is_said_before_anything_is_sent(
    client: Asking, town: BatchTown
) -> None:
    """A batch without the answer, of another oracle, and of a worker that was ruled out."""
    town.ask(1)
    document = document_of(town)
    told = client.commit(document, requester(town))
    with pytest.raises(BatchUnusableError, match="no answer to 0x0707"):
        client.claim(document, Bytes32(b"\x07" * 32), requester(town))
    moved = replace(document, oracle=town.results)
    with pytest.raises(BatchUnusableError, match="not for"):
        client.commit(moved, requester(town))
    words = (told.app_id, told.model_id, told.root, told.worker, told.operator, int(told.kind))
    with pytest.raises(errors.WorkerNotRuledOut) as caught:
        client.send("void", told.batch_id, words, sender=requester(town))
    assert caught.value.values["worker"] == told.worker.lower()
    chain, gate = town.node.chain, Web3.to_checksum_address(client.read("WORKERS"))
    chain.rpc("anvil_setCode", [gate, closed_gate(*REVOKED)])
    client.send("void", told.batch_id, words, sender=requester(town))
    chain.rpc("anvil_setCode", [gate, OPEN_GATE])
    assert client.committed(document) is None


def test_a_request_that_was_refunded_ends_by_name(client: Asking, town: BatchTown) -> None:
    """Waiting for a claim ends as well, and says how."""
    params, terms = town.params(b"too late")
    asked = client.ask(params, requester(town))
    town.node.advance_to(params.deadline + 1)
    client.send("refund", terms.words(), sender=requester(town))
    with pytest.raises(RequestEndedError) as caught:
        client.wait(asked, 60.0, 0.01)
    assert caught.value.event == "RequestRefunded"


def test_the_twins_offer_the_same() -> None:
    """The same methods with the same parameters, so that neither lags behind the other."""

    def _public(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert _public(BatchClient) == _public(AsyncBatchClient)
    assert set(_public(BatchClient)) >= {"ask", "answer", "wait", "committed", "commit", "claim"}


def test_the_page_on_claims_runs_as_it_stands(
    town: BatchTown, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/client.md, "Answers by the batch", with a document that a worker signed."""
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    section = page[page.index("## Answers by the batch") :]
    first, second = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    names: dict[str, Any] = {
        "rpc_url": town.node.url,
        "batch_oracle": town.oracle.address,
        "sender": requester(town),
        "app_id": APP,
        "model_id": MODEL,
        "path": tmp_path / "batch.json",
    }
    exec(compile(first, "docs/client.md", "exec"), names)  # noqa: S102 (our own page)
    document = document_of(town)
    (tmp_path / "batch.json").write_text(document.as_json())
    town.send(document.commit(town.oracle))
    exec(compile(second, "docs/client.md", "exec"), names)  # noqa: S102 (our own page)
    assert "b'10 characters'" in capsys.readouterr().out
