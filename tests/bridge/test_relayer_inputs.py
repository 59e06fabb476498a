"""Inputs that are kept off the chain: handed in, found, checked, and shown to nobody else."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from quotary_bridge.chain.contracts import ONE_WORKER, RequestStatus, ResultOracle
from quotary_bridge.chain.interface import interface
from quotary_bridge.cli.relay_records import _text
from quotary_bridge.client import AsyncRelayerClient, RelayerClient, commitment_to
from quotary_bridge.errors import ConfigurationError, RpcUnavailable
from quotary_bridge.http import Listening, Server, View, create_app
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import Bytes32, JobKey, JobKind, Quorum, Timestamp
from quotary_bridge.relayer import ProgressKind, Relayer, supply
from quotary_bridge.store import (
    INPUT_BYTES_LIMIT,
    InputFolder,
    InputRefusal,
    InputRefusedError,
    Location,
    Store,
    inputs,
)
from quotary_bridge.workers import Endpoint, WorkerClient
from starlette.testclient import TestClient

from tests.bridge.relayer_town import (
    FEE,
    LIFETIME,
    Town,
    Worker,
    client_of,
    drive,
    kinds,
    question,
    require_all_final,
    settings_of,
)
from tests.bridge.round_town import TWO_OF_THREE, conductor, members
from tests.bridge.test_api import view_of
from tests.bridge.test_relayer_plans import GROWING, OF_OPEN_ROWS, Onlooker
from tests.bridge.test_relayer_rounds import end, errands

pytest_plugins = ["tests.bridge.relayer_fixtures", "tests.bridge.store_fixtures"]

SECRET = b"canary input 5b1f90"
TOKEN = "canary-token-77a1e4"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An empty store in a file."""
    with closing(Store.open(tmp_path / "store.sqlite", lambda: Timestamp(1_000))) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> InputFolder:
    return InputFolder(tmp_path / "inputs")


def ask_off_chain(
    town: Town, content: bytes, quorum: Quorum = ONE_WORKER, lifetime: int = LIFETIME
) -> JobKey:
    """Ask, and tell the chain no more than the hash of it; returns the job's key."""
    sender = town.sender(1)
    deadline = town.chain.head().timestamp + lifetime
    params, terms = question(sender.address, town.asked, content, deadline, FEE, quorum=quorum)
    hidden = replace(params, input=b"", input_commitment=commitment_to(content))
    town.asked += 1
    town.terms.append(terms)
    call = interface("ResultOracle").encode_call("request", [hidden.words()])
    sender.send(sender.request(town.oracle, call, FEE))
    return town.key(town.asked)


def relayer_with(
    town: Town,
    store: Store,
    client: WorkerClient,
    folder: InputFolder | None,
    account: int = 2,
    **changes: float,
) -> Relayer:
    return Relayer(
        town.chain,
        town.oracle,
        store,
        town.node.signers[account],
        [Endpoint("http://one")],
        settings=settings_of(town, **changes),
        listener=town.events.append,
        client=client,
        holder=f"a test with account {account}",
        inputs=folder,
    )


def test_a_request_waits_for_its_input(
    town: Town, store: Store, folder: InputFolder, tmp_path: Path
) -> None:
    """Nobody is asked before it is there; then it is answered, and no record has the input."""
    worker = Worker()
    key = ask_off_chain(town, SECRET)
    with relayer_with(town, store, client_of(one=worker), folder) as relayer:
        for _ in range(3):
            relayer.tick()
            town.node.mine()
        job = store.job(key)
        assert job is not None
        assert (job.state, job.reason, worker.asked) == (JobState.AWAITING, "InputMissing", 0)
        assert "1 awaiting their input" in _text(store.overview(), Timestamp(0))
        assert folder.put(commitment_to(SECRET), SECRET)
        drive(relayer, town)
    require_all_final(town, store)
    assert worker.asked == 1
    assert kinds(town).count(ProgressKind.INPUT_MISSING) == 1
    assert kinds(town).count(ProgressKind.INPUT_SUPPLIED) == 1
    shown = TestClient(create_app(view_of(store))).get(f"/v1/requests/0x{key.hex()}").text
    records = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
    told = "".join(str(event) for event in town.events).encode()
    for canary in (SECRET, SECRET.hex().encode()):
        assert canary not in records + told + shown.encode()


def test_a_quorum_is_asked_with_it_too(town: Town, store: Store, folder: InputFolder) -> None:
    """Every worker of the round gets what the terms commit to."""
    key = ask_off_chain(town, SECRET, TWO_OF_THREE)
    workers = members("honest", "honest", "honest")
    relayer = conductor(town, store, workers, inputs=folder)
    relayer.tick()
    assert [worker.asked for worker in workers] == [0, 0, 0]
    folder.put(commitment_to(SECRET), SECRET)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    assert store.job(key) is not None


def test_a_request_whose_input_nobody_hands_in_ends_refunded(
    town: Town, store: Store, folder: InputFolder
) -> None:
    """It expires as any other does, and the requester has everything back."""
    worker = Worker()
    key = ask_off_chain(town, SECRET, lifetime=60)
    oracle = ResultOracle(town.chain, town.oracle)
    with relayer_with(town, store, client_of(one=worker), folder, refunds=True) as relayer:
        relayer.tick()
        town.node.advance_to(town.chain.head().timestamp + 61)
        drive(relayer, town, 30)
    job = store.job(key)
    assert job is not None
    assert (job.state, job.reason, job.terminal) == (JobState.SUPERSEDED, "RequestExpired", True)
    assert errands(store, JobKind.REFUND) == [(JobState.FINAL, None)]
    assert oracle.state_of(town.request_id(1)).status is RequestStatus.REFUNDED
    assert worker.asked == 0


def test_what_is_not_what_was_committed_to_is_handed_to_no_worker(
    town: Town, store: Store, folder: InputFolder, tmp_path: Path
) -> None:
    """Whatever the file is called: before, and after, the request was taken up."""
    worker = Worker()
    key = ask_off_chain(town, SECRET)
    path = tmp_path / "inputs" / commitment_to(SECRET).hex()
    path.write_bytes(b"something else")
    with relayer_with(town, store, client_of(one=worker), folder) as relayer:
        relayer.tick()
        job = store.job(key)
        assert job is not None
        assert job.state is JobState.AWAITING
        assert kinds(town)[-1] is ProgressKind.INPUT_MISSING
    assert worker.asked == 0


def test_an_input_that_goes_away_is_waited_for_again(
    town: Town, store: Store, folder: InputFolder, tmp_path: Path
) -> None:
    """The worker failed the first time, and then the file was gone: the request begins anew."""
    worker = Worker(status=503)
    key = ask_off_chain(town, SECRET)
    folder.put(commitment_to(SECRET), SECRET)
    with relayer_with(town, store, client_of(one=worker), folder) as relayer:
        relayer.tick()
        assert worker.asked == 1
        (tmp_path / "inputs" / commitment_to(SECRET).hex()).unlink()
        for _ in range(4):
            relayer.tick()
            town.node.mine()
        job = store.job(key)
        assert job is not None
        assert job.state is JobState.AWAITING
        worker.status = 200
        folder.put(commitment_to(SECRET), SECRET)
        drive(relayer, town, 40)
    require_all_final(town, store)


def test_many_that_wait_hold_up_nobody(
    town: Town,
    database: Location,
    folder: InputFolder,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A cycle looks at two, the next one at those behind, by an index: the sixth has its turn."""
    monkeypatch.setattr(supply, "JOBS_PER_CYCLE", 2)
    for number in range(5):
        ask_off_chain(town, b"withheld %d" % number)
    key = ask_off_chain(town, SECRET)
    folder.put(commitment_to(SECRET), SECRET)
    with closing(Store.open(database, lambda: Timestamp(1_000))) as store:
        onlooker = Onlooker(store)
        with relayer_with(town, store, client_of(one=Worker()), folder) as relayer:
            drive(relayer, town)
        for statement, plan in onlooker.plans().items():
            whole = re.search(rf"SCAN {GROWING}\b|Seq Scan on {GROWING}\b", plan)
            assert whole is None or OF_OPEN_ROWS.search(plan), (statement, plan)
        job = store.job(key)
        assert job is not None
        assert job.state is JobState.FINAL
        assert store.counts(job.request.chain_id, town.oracle)[JobState.AWAITING] == 5


def test_who_has_the_input_takes_the_request(
    town: Town, store: Store, folder: InputFolder, tmp_path: Path
) -> None:
    """Two relayers on one record, with inputs of their own: the one that has it serves it."""
    other = InputFolder(tmp_path / "other inputs")
    worker = Worker()
    ask_off_chain(town, SECRET)
    folder.put(commitment_to(SECRET), SECRET)
    with (
        relayer_with(town, store, client_of(one=worker), other, account=3) as without,
        relayer_with(town, store, client_of(one=worker), folder) as having,
    ):
        for _ in range(12):
            without.tick()
            having.tick()
            town.node.mine()
    require_all_final(town, store)
    assert worker.asked == 1
    assert kinds(town).count(ProgressKind.INPUT_SUPPLIED) == 1


def test_two_may_hand_in_the_same_input_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One begins and ends while the other is between writing its draft and giving it its name."""
    folder, commitment = InputFolder(tmp_path), commitment_to(SECRET)
    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", lambda _: (patched.undo(), folder.put(commitment, SECRET)))
        assert folder.put(commitment, SECRET)
    assert folder.get(commitment) == SECRET
    assert [path.name for path in tmp_path.iterdir()] == [commitment.hex()]


def test_a_folder_takes_what_has_its_name_and_forgets_what_is_old(tmp_path: Path) -> None:
    """Sizes, hashes, room and age; files are the owner's alone, and other files left alone."""
    path = tmp_path / "inputs"
    found = InputFolder(path)
    (path / "README").write_text("not an input")
    commitment = commitment_to(SECRET)
    assert (found.put(commitment, SECRET), found.put(commitment, SECRET)) == (True, False)
    assert (path / commitment.hex()).stat().st_mode & 0o077 == 0
    assert path.stat().st_mode & 0o077 == 0
    assert found.get(commitment) == SECRET
    assert found.get(Bytes32(bytes(32))) is None
    for content, reason in (
        (b"other", InputRefusal.WRONG),
        (bytes(65_537), InputRefusal.TOO_LARGE),
    ):
        with pytest.raises(InputRefusedError) as refused:
            found.put(commitment, content)
        assert refused.value.reason is reason
    written = (path / commitment.hex()).stat().st_mtime
    assert InputFolder(path, written + inputs.KEPT_SECONDS).has(commitment)
    assert not InputFolder(path, written + inputs.KEPT_SECONDS + 1).has(commitment)
    assert (path / "README").exists()
    assert found.commitments() == frozenset()


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    """Before anything is relayed."""
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError):
        InputFolder(tmp_path / "file")


def app_of(store: Store, folder: InputFolder | None, token: str | None = None) -> TestClient:
    view: View = replace(view_of(store), inputs=folder)
    return TestClient(create_app(view, token), raise_server_exceptions=False)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_inputs_are_handed_in_over_http(
    store: Store, folder: InputFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every refusal by its name, and none of them says what was sent."""
    client = app_of(store, folder)
    path = f"/v1/inputs/0x{commitment_to(SECRET).hex()}"
    first, second = (client.put(path, content=SECRET) for _ in range(2))
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == {"commitment": path.rpartition("/")[2], "bytes": len(SECRET)}
    assert folder.get(commitment_to(SECRET)) == SECRET
    wrong = client.put(path, content=b"canary of another kind")
    assert code(wrong) == (409, "WrongInput")
    assert "canary" not in wrong.text
    assert code(client.put(path, content=bytes(INPUT_BYTES_LIMIT + 1))) == (413, "InputTooLarge")
    for name in ("0x00", "..%2f..%2fetc", f"0X{'00' * 32}", "0x" + "AB" * 32):
        assert client.put(f"/v1/inputs/{name}", content=b"x").status_code in (400, 404)
    assert code(client.put(f"{path}?x=1", content=SECRET)) == (400, "BadParameter")
    assert client.get(path).status_code == 405
    monkeypatch.setattr(inputs, "INPUTS_LIMIT", 1)
    other = f"/v1/inputs/0x{commitment_to(b'more').hex()}"
    assert code(client.put(other, content=b"more")) == (507, "InputsFull")
    assert code(app_of(store, None).put(path, content=SECRET)) == (404, "NotFound")


def test_a_token_guards_inputs_too(store: Store, folder: InputFolder) -> None:
    """Who does not know it fills no disk."""
    client = app_of(store, folder, TOKEN)
    path = f"/v1/inputs/0x{commitment_to(SECRET).hex()}"
    assert code(client.put(path, content=SECRET)) == (401, "Unauthorized")
    assert folder.commitments() == frozenset()
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert client.put(path, content=SECRET, headers=headers).status_code == 201


def test_both_clients_hand_inputs_in(store: Store, folder: InputFolder) -> None:
    """Waiting and awaited, they send the same and understand the same."""
    app = create_app(replace(view_of(store), inputs=folder), TOKEN)
    with Server(app, Listening("127.0.0.1", 0, TOKEN)) as server:
        known, twin = (kind(server.url, TOKEN) for kind in (RelayerClient, AsyncRelayerClient))
        assert known.supply(SECRET) == commitment_to(SECRET)
        assert asyncio.run(twin.supply(b"another")) == commitment_to(b"another")
        assert folder.commitments() == {commitment_to(SECRET), commitment_to(b"another")}
        with pytest.raises(ConfigurationError, match="Unauthorized"):
            RelayerClient(server.url).supply(SECRET)
        with pytest.raises(ConfigurationError, match="InputTooLarge"):
            asyncio.run(twin.supply(bytes(INPUT_BYTES_LIMIT + 1)))
        assert TOKEN not in repr(known._where)
    for away in (known.supply, lambda content: asyncio.run(twin.supply(content))):
        with pytest.raises(RpcUnavailable):
            away(SECRET)
