"""The SDK: a program asks through its own Web3, synchronously or not, and both act alike."""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
from quotary_bridge.chain.contracts import ProofKind, RequestParams, RequestTerms
from quotary_bridge.chain.interface import error_catalogue
from quotary_bridge.client import (
    Answer,
    Asked,
    AsyncOracleClient,
    AsyncRelayerClient,
    OracleClient,
    OracleError,
    RelayerClient,
    RequestEndedError,
    errors,
)
from quotary_bridge.errors import ContractError, NotFinal
from quotary_bridge.http import Listening, Metrics, Server, View, create_app
from quotary_bridge.model import Address, Quorum, Rule
from quotary_bridge.store import InputFolder, Store
from web3 import AsyncWeb3, HTTPProvider, Web3
from web3.providers import AsyncHTTPProvider

from tests.bridge.relayer_town import (
    APP,
    FEE,
    MODEL,
    Town,
    Worker,
    client_of,
    drive,
    question,
    relayer_of,
)

pytest_plugins = ["tests.bridge.relayer_fixtures"]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


class Asking(Protocol):
    """What both clients can do."""

    def ask(self, params: RequestParams, sender: Address) -> Asked:
        """Ask."""

    def answer(self, asked: Asked) -> Answer | None:
        """Look."""

    def wait(self, asked: Asked, seconds: float, poll: float) -> Answer:
        """Wait."""

    def read(self, function: str, *arguments: object) -> Any:
        """Read."""

    def send(self, function: str, *arguments: object, sender: Address) -> Any:
        """Send."""


class Awaited:
    """The asynchronous client, each call carried out to its end."""

    def __init__(self, town: Town) -> None:
        """Reach the town's oracle."""
        self._town = town

    def __getattr__(self, name: str) -> Any:
        """Return a method that awaits the client's."""

        def _called(*arguments: object, **more: object) -> object:
            return asyncio.run(self._call(name, *arguments, **more))

        return _called

    async def _call(self, name: str, *arguments: object, **more: object) -> object:
        provider = AsyncHTTPProvider(self._town.node.url)
        client = AsyncOracleClient(AsyncWeb3(provider), self._town.oracle)
        work: Coroutine[Any, Any, object] = getattr(client, name)(*arguments, **more)
        try:
            return await work
        finally:
            await provider.disconnect()


@pytest.fixture(params=["sync", "async"])
def client(request: pytest.FixtureRequest, town: Town) -> Asking:
    if request.param == "async":
        return Awaited(town)
    return OracleClient(Web3(HTTPProvider(town.node.url)), town.oracle)


def asked_by(town: Town, lifetime: int = 3600) -> tuple[RequestParams, RequestTerms]:
    """The first question of the town's requester."""
    deadline = town.chain.head().timestamp + lifetime
    return question(requester(town), 0, b"a question", deadline, FEE)


def requester(town: Town) -> Address:
    return town.node.signers[1].address


def test_a_question_is_asked_and_its_answer_read(client: Asking, town: Town, store: Store) -> None:
    """From a Web3 whose node signs, through a relayer, to the output and who gave it."""
    params, _ = asked_by(town)
    asked = client.ask(params, requester(town))
    assert client.answer(asked) is None
    with pytest.raises(NotFinal):
        client.wait(asked, 0.0, 0.01)
    worker = Worker()
    with relayer_of(town, store, client_of(one=worker)) as relayer:
        drive(relayer, town)
    found = client.wait(asked, 60.0, 0.01)
    assert (found.request_id, found.output) == (asked.request_id, b"an answer")
    assert (found.worker, found.kind) == (worker.address, ProofKind.NONE)
    assert client.answer(asked) == found


def test_a_refusal_comes_by_the_contracts_own_name(client: Asking, town: Town) -> None:
    """Typed, with its values, before anything is sent."""
    before = town.chain.nonce(requester(town))
    params, _ = asked_by(town, lifetime=-10)
    with pytest.raises(errors.DeadlineOutOfRange) as caught:
        client.ask(params, requester(town))
    assert isinstance(caught.value, OracleError)
    assert params.deadline in caught.value.values.values()
    params, _ = asked_by(town)
    with pytest.raises(errors.NothingToCompare):
        client.ask(replace(params, quorum=Quorum(rule=Rule.CLASS)), requester(town))
    assert town.chain.nonce(requester(town)) == before


def test_a_request_that_was_refunded_ends_by_name(client: Asking, town: Town) -> None:
    """Waiting for it ends as well, and says how it ended."""
    params, terms = asked_by(town, lifetime=60)
    asked = client.ask(params, requester(town))
    town.node.advance_to(params.deadline + 1)
    client.send("refund", terms.words(), sender=requester(town))
    with pytest.raises(RequestEndedError) as caught:
        client.wait(asked, 60.0, 0.01)
    assert caught.value.event == "RequestRefunded"
    with pytest.raises(errors.AlreadyRefunded):
        client.send("refund", terms.words(), sender=requester(town))


def test_the_page_runs_as_it_stands(
    town: Town, store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """docs/client.md, with a relayer at work between asking and waiting."""
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text()
    page, _, _batches = page.partition("## Answers by the batch")
    examples = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(examples) == 5
    names: dict[str, Any] = {
        "rpc_url": town.node.url,
        "oracle": town.oracle,
        "sender": requester(town),
        "app_id": APP,
        "model_id": MODEL,
        "token": "a token of the API",
    }
    inputs = InputFolder(tmp_path / "inputs")
    view = View(store, Metrics([]), dict, bool, store.open_counts, inputs)
    with Server(create_app(view, names["token"]), Listening("127.0.0.1", 0)) as server:
        names["relayer_url"] = server.url
        for number, example in enumerate(examples):
            if number == 2:
                with relayer_of(town, store, client_of(one=Worker())) as relayer:
                    drive(relayer, town)
            exec(compile(example, "docs/client.md", "exec"), names)  # noqa: S102 (our own page)
    assert inputs.commitments() == {names["commitment"]}
    told = capsys.readouterr().out
    assert names["asked"].request_id.hex() in told
    assert told.count("b'an answer'") == 2
    assert "deadline" in told


def test_views_can_be_read(client: Asking, town: Town) -> None:
    """Every one, by its name."""
    assert Web3.to_checksum_address(client.read("WORKERS")) == town.gate


def test_the_twins_offer_the_same() -> None:
    """The same methods with the same parameters, so that neither lags behind the other."""

    def _public(kind: type) -> dict[str, list[str]]:
        return {
            name: list(inspect.signature(method).parameters)
            for name, method in inspect.getmembers(kind, inspect.isfunction)
            if not name.startswith("_")
        }

    assert _public(OracleClient) == _public(AsyncOracleClient)
    assert _public(RelayerClient) == _public(AsyncRelayerClient)


def test_every_error_of_the_contracts_has_a_class() -> None:
    """And no other name has one."""
    for known in error_catalogue().values():
        kind = getattr(errors, known.entry.name)
        assert issubclass(kind, OracleError)
        made = errors.typed(ContractError(known.entry.name, {"a": 1}, b"", "a remedy"))
        assert type(made) is kind
    with pytest.raises(AttributeError):
        errors.NoSuchErrorAnywhere  # noqa: B018 (the access is what is tried)
