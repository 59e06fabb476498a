"""The relayer's HTTP interface: what it answers, to whom, and what it never says."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from contextlib import redirect_stderr
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import schemathesis
import structlog
from hypothesis import HealthCheck, given, settings
from quotary_bridge.chain import Chain
from quotary_bridge.cli.relay_api import Api, token_from
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.http import OPENAPI, Listening, Metrics, Server, View, create_app, listening
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Timestamp
from quotary_bridge.observe import configure_logging
from quotary_bridge.relayer import ProgressKind, RelayerConfig, run
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import Endpoint, WorkerPool
from starlette.testclient import TestClient

from tests.bridge.relayer_town import (
    RELAYER,
    Town,
    Worker,
    client_of,
    drive,
    relayer_of,
    settings_of,
)
from tests.bridge.round_town import ask_several, conductor, members
from tests.bridge.store_parts import CHAIN, SIGNER, queue, request_of

pytest_plugins = ["tests.bridge.relayer_fixtures"]

TOKEN = "canary-token-3d41a7"
KIND = ProgressKind.REQUEST_SEEN.value


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


def view_of(store: Store) -> View:
    """What a relayer with one worker would show of `store`."""
    pool = WorkerPool([Endpoint("http://127.0.0.1:8750")])
    metrics = Metrics([KIND])
    return View(store, metrics, pool.health, lambda: True, store.open_counts)


@pytest.fixture
def filled(tmp_path: Path) -> Iterator[Store]:
    """A store with three jobs that have results."""
    store = Store.open(tmp_path / "api.sqlite", lambda: Timestamp(1_000))
    lease = store.acquire(CHAIN, SIGNER, "a test")
    for number in (1, 2, 3):
        queue(store, lease, number, nonce=number)
    yield store
    store.close()


@pytest.fixture
def client(filled: Store) -> TestClient:
    return TestClient(create_app(view_of(filled)))


OPERATIONS = [(path, method) for path, found in OPENAPI["paths"].items() for method in found]


@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_every_answer_is_what_the_interface_says(
    filled: Store, tmp_path: Path, path: str, method: str
) -> None:
    """Generated questions, sensible and not: statuses, types and shapes are those of OpenAPI."""
    view = replace(view_of(filled), inputs=InputFolder(tmp_path / "inputs"))
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(view))

    @settings(
        max_examples=20,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(schema[path][method.upper()].as_strategy())
    def _holds(case: schemathesis.Case) -> None:
        case.call_and_validate()

    _holds()


def test_lists_come_in_pages_and_each_item_once(client: TestClient) -> None:
    """Following `next` to its end shows everything."""
    seen, after = [], None
    for _ in range(4):
        page = client.get(
            "/v1/requests", params={"limit": 1, **({"after": after} if after else {})}
        )
        seen += [item["key"] for item in page.json()["items"]]
        after = page.json()["next"]
        if after is None:
            break
    assert sorted(seen) == sorted(f"0x{request_of(n).key.hex()}" for n in (1, 2, 3))


def test_lists_can_be_narrowed_to_a_state(client: TestClient) -> None:
    """As the state machine names it."""
    found = client.get("/v1/requests", params={"state": JobState.QUEUED}).json()["items"]
    assert len(found) == 3
    assert client.get("/v1/requests", params={"state": JobState.FINAL}).json()["items"] == []


def test_a_result_is_shown_with_its_signature(client: TestClient) -> None:
    """So that whoever asks can check it without believing the relayer."""
    key = f"0x{request_of(1).key.hex()}"
    found = client.get(f"/v1/results/{key}").json()
    assert (found["output"], found["signature"]) == (f"0x{b'an answer'.hex()}", f"0x{'00' * 65}")
    assert len(client.get("/v1/results").json()["items"]) == 3


def test_what_was_asked_is_not_shown(client: TestClient) -> None:
    """An input may be somebody's secret: only its length is told."""
    key = f"0x{request_of(1).key.hex()}"
    answer = client.get(f"/v1/requests/{key}")
    assert answer.json()["inputBytes"] == len(request_of(1).input)
    assert request_of(1).input.hex() not in answer.text
    assert request_of(1).input.decode() not in answer.text


def test_with_a_token_only_health_is_open(filled: Store) -> None:
    """Wrong, missing and half tokens are all the same."""
    client = TestClient(create_app(view_of(filled), TOKEN))
    for path in ("/v1/requests", "/v1/results", "/v1/workers", "/metrics"):
        assert client.get(path).status_code == 401
        for given_token in (TOKEN[:-1], f"{TOKEN}x", ""):
            headers = {"authorization": f"Bearer {given_token}"}
            assert client.get(path, headers=headers).status_code == 401
        assert client.get(path, headers={"authorization": f"Bearer {TOKEN}"}).status_code == 200
    for path in ("/healthz", "/readyz"):
        assert client.get(path).status_code == 200


def test_a_store_that_cannot_be_read_is_told_by_its_reason_alone(filled: Store) -> None:
    """Not by the file's name."""
    filled._engine.dispose()
    view = view_of(filled)
    with filled._engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE job RENAME TO elsewhere")
    answer = TestClient(create_app(view)).get("/v1/requests")
    assert answer.status_code == 503
    assert answer.json() == {"error": {"code": "Unavailable", "message": "FILE_UNREADABLE"}}


def test_metrics_are_there_from_the_start_and_take_no_other_label(client: TestClient) -> None:
    """A label that somebody outside could choose would fill a monitoring system's memory."""
    text = client.get("/metrics").text
    assert f'quotary_events_total{{kind="{KIND}"}} 0.0' in text
    assert 'quotary_open_jobs{state="queued"} 3.0' in text
    with pytest.raises(ValueError, match="no kind"):
        Metrics([KIND]).event("something else")


def test_pages_of_others_learn_and_do_nothing(filled: Store, tmp_path: Path) -> None:
    """A browser asks for leave before it reads, or sends what no form can: there is none."""
    inputs = InputFolder(tmp_path / "inputs")
    client = TestClient(create_app(replace(view_of(filled), inputs=inputs)))
    headers = {"origin": "https://elsewhere.example", "access-control-request-method": "PUT"}
    path = f"/v1/inputs/0x{'00' * 32}"
    for answer in (
        client.get("/v1/requests", headers=headers),
        client.options("/v1/requests", headers=headers),
        client.options(path, headers=headers),
    ):
        assert "access-control-allow-origin" not in answer.headers
    handed = client.put(path, content=b"", headers=headers)
    assert (handed.status_code, handed.json()["error"]["code"]) == (403, "Forbidden")
    for method in ("POST", "DELETE", "PATCH"):
        assert client.request(method, path, headers=headers).status_code == 405
        assert client.request(method, "/v1/requests", headers=headers).status_code == 405


OURS = (
    *("127.0.0.1:8760", "[::1]:8760", "192.0.2.7", "LocalHost:1", "localhost."),
    *("relayer.internal", "RELAYER.internal:8760"),
)
NOT_OURS = (
    *("elsewhere.example", "elsewhere.example:8760", "127.0.0.1.elsewhere.example"),
    *("localhost.elsewhere.example", "relayer.internal.example", "[elsewhere.example]", ""),
)


def test_a_name_has_to_be_known(filled: Store) -> None:
    """A page may give its own name our address, and would then be one origin with us."""
    where = listening("127.0.0.1:0", None, ["Relayer.internal"])
    with (
        Server(create_app(view_of(filled)), where) as server,
        httpx.Client(base_url=server.url, timeout=60, trust_env=False) as browser,
    ):
        for path in ("/v1/results", "/healthz"):
            for host in OURS:
                assert browser.get(path, headers={"host": host}).status_code == 200, host
            for host in NOT_OURS:
                refused = browser.get(path, headers={"host": host})
                assert refused.status_code == 403, host
                assert refused.json()["error"]["code"] == "Forbidden"


@pytest.mark.parametrize("where", ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "example.org:80"])
def test_others_reach_it_with_a_token_only(where: str) -> None:
    """Loopback by default, and by mistake too."""
    with pytest.raises(ConfigurationError):
        listening(where, None)
    assert listening(where, TOKEN).port == 80
    assert TOKEN not in repr(listening(where, TOKEN))


@pytest.mark.parametrize("where", ["127.0.0.1", ":80", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_a_place_that_is_none_is_refused(where: str) -> None:
    """With a remedy, before anything is done."""
    with pytest.raises(ConfigurationError) as caught:
        listening(where, None)
    assert caught.value.remedy


def test_short_tokens_and_taken_ports_are_refused(filled: Store) -> None:
    """A token that can be guessed guards nothing."""
    with pytest.raises(ConfigurationError):
        listening("127.0.0.1:0", "short")
    app = create_app(view_of(filled))
    with Server(app, Listening("127.0.0.1", 0)) as server:
        port = int(server.url.rpartition(":")[2])
        with pytest.raises(ConfigurationError):
            Server(app, Listening("127.0.0.1", port))


def test_no_secret_leaves_a_relayer_at_work(town: Town, tmp_path: Path) -> None:
    """Logs, API and metrics of a whole run: neither key, nor token, nor who we are to the node."""
    user_canary, access_canary = "canary-user-77e0", "canary-access-91c2"
    plain = town.node.url.removeprefix("http://")
    url = f"http://{user_canary}:{access_canary}@{plain}"
    key = bytes(town.node.signers[RELAYER]._account.key).hex()
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    api = Api(listening("127.0.0.1:0", token_from(str(tmp_path / "token"))))
    stop, answers = threading.Event(), list[str]()

    def _look() -> None:
        headers = {"authorization": f"Bearer {TOKEN}"}
        for path in ("/v1/requests", "/v1/results", "/v1/workers", "/metrics", "/readyz"):
            answers.append(httpx.get(f"{api.url}{path}", headers=headers, timeout=60).text)
            answers.append(httpx.get(f"{api.url}{path}", timeout=60).text)
        stop.set()

    config = RelayerConfig(
        chain=Chain.at(url, town.node.chain_id),
        oracle=town.oracle,
        signer=town.node.signers[RELAYER],
        workers=[Endpoint("http://127.0.0.1:9")],
        database=tmp_path / "daemon.sqlite",
        now=lambda: Timestamp(0),
        settings=settings_of(town, poll_seconds=0.01),
    )
    town.ask()
    written = io.StringIO()
    looking = threading.Thread(target=_look)

    def _begin(_progress: object) -> None:
        if looking.ident is None:
            looking.start()

    with redirect_stderr(written):
        configure_logging(verbosity=2, as_json=True)
        try:
            run(config, stop, listener=_begin, observer=api)
            run(config, stop, once=True, observer=api)
        finally:
            structlog.reset_defaults()
        looking.join(300)
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    assert {"listening", "worker_failed"} <= {line["event"] for line in lines}
    assert len(answers) == 10
    everything = written.getvalue() + "".join(answers)
    for secret in (access_canary, user_canary, TOKEN, key):
        assert secret not in everything


def test_an_api_counts_what_a_relayer_does(town: Town, store: Store) -> None:
    """Events, cycles and the newest block, by the relayer's own names."""
    api = Api(Listening("127.0.0.1", 0))
    town.ask()
    with relayer_of(town, store, client_of(one=Worker())) as relayer:
        api.started(store, relayer)
        try:
            before = httpx.get(f"{api.url}/readyz", timeout=60).status_code
            report = relayer.tick()
            for event in report.events:
                api.heard(event)
            api.cycled(replace(report, skipped=True), 0.5)
            skipped = httpx.get(f"{api.url}/readyz", timeout=60).status_code
            api.cycled(report, 0.5)
            api.cycled(None, 0.5)
            text = httpx.get(f"{api.url}/metrics", timeout=60).text
            after = httpx.get(f"{api.url}/readyz", timeout=60).status_code
        finally:
            api.stopped()
    assert (before, skipped, after) == (503, 503, 200)
    assert 'quotary_events_total{kind="transaction_sent"} 1.0' in text
    assert 'quotary_cycles_total{outcome="failed"} 1.0' in text
    assert f"quotary_block {float(report.block)}" in text


def test_rounds_and_errands_are_shown(town: Town, store: Store) -> None:
    """Who committed, who revealed what, who lied; and the report that came of it."""
    key = ask_several(town)
    workers = members("honest", "lies", "honest")
    relayer = conductor(town, store, workers)
    drive(relayer, town)
    relayer.close()
    client = TestClient(create_app(view_of(store)))
    (held,) = client.get(f"/v1/rounds/0x{key.hex()}").json()["items"]
    assert (held["round"], held["state"], len(held["commitments"])) == (1, "reported", 3)
    decided = {seat["worker"]: seat["decision"] for seat in held["seats"]}
    assert decided[workers[0].address] == decided[workers[2].address]
    assert decided[workers[1].address] != decided[workers[0].address]
    (errand,) = client.get("/v1/errands").json()["items"]
    assert (errand["kind"], errand["state"], errand["terminal"]) == ("dissent", "final", True)
    # An errand is no request, and has no result of its own.
    for path in ("requests", "results", "rounds"):
        assert client.get(f"/v1/{path}/{errand['key']}").status_code == 404
    assert len(client.get("/v1/requests").json()["items"]) == 1
    assert client.get(f"/v1/requests/0x{key.hex()}").json()["resultsNeeded"] == 2
    assert len(client.get("/v1/results").json()["items"]) == 1
    assert 'quotary_open_rounds{state="reported"} 0.0' in client.get("/metrics").text
