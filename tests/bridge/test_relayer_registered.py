"""Among registered workers: who signs twice is out for good, and one vendor is one vendor."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import httpx
import pytest
from quotary_bridge.chain import TransactionRequest
from quotary_bridge.chain.contracts import Quorum, RequestTerms, WorkerStatus
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import request as request_command
from quotary_bridge.cli import worker as worker_command
from quotary_bridge.errors import ContractError
from quotary_bridge.http import Listening, Metrics, Server, View, create_app
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import BlockNumber, JobKind, Request
from quotary_bridge.relayer import ProgressKind
from quotary_bridge.relayer.errands import _reveals
from quotary_bridge.relayer.oracle import Oracle
from quotary_bridge.relayer.table import played
from quotary_bridge.rounds import Closed, Committed, Revealed, Round, RoundState, Seat
from quotary_bridge.store import InputFolder, Store
from quotary_bridge.workers import read_statement
from quotary_bridge.workers.client import _question

from tests.bridge.registered_town import SEV_SNP, RegisteredTown, registered_town
from tests.bridge.relayer_town import (
    APP,
    MODEL,
    Worker,
    client_of,
    drive,
    kinds,
    relayer_of,
    require_all_final,
)
from tests.bridge.round_town import (
    Member,
    ask_several,
    conductor,
    endpoints_of,
    members,
)
from tests.bridge.round_town import client_of as client_of_members
from tests.bridge.test_cli import Command, runner
from tests.bridge.test_relayer_rounds import end, errands

pytest_plugins = ["tests.bridge.relayer_fixtures"]

_CANARY = b"canary question 91d27c"
_TOKEN = "canary-token-c4470b"


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RegisteredTown]:
    with registered_town(tmp_path_factory.mktemp("deployments")) as found:
        yield found


@pytest.fixture
def registered(deployed: RegisteredTown) -> Iterator[RegisteredTown]:
    """Everything deployed, nobody registered."""
    chain = deployed.town.chain
    snapshot = chain.rpc("evm_snapshot")
    fresh = replace(deployed.town, requests=[], terms=[], events=[])
    yield replace(deployed, town=fresh)
    chain.rpc("anvil_dropAllTransactions")
    assert chain.rpc("evm_revert", [snapshot])
    chain.rpc("anvil_setNextBlockBaseFeePerGas", [hex(10**9)])


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner([request_command, worker_command], capsys, monkeypatch)


def request_of(registered: RegisteredTown) -> Request:
    """The only request there is, as a relayer reads it."""
    town = registered.town
    scan = Oracle(town.chain, town.oracle).requests.scan(BlockNumber(0), town.chain.head().number)
    (request,) = scan.requests
    return request


def test_who_signs_two_answers_is_revoked(registered: RegisteredTown, store: Store) -> None:
    """The relayer keeps both statements and brings them; the worker is never heard again."""
    town = registered.town
    workers = members("honest", "equivocates", "honest", "honest")
    registered.register(workers)
    guilty = workers[1]
    ask_several(town)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    require_all_final(town, store)
    assert errands(store, JobKind.EQUIVOCATION) == [(JobState.FINAL, None)]
    assert registered.registry.worker_of(guilty.address).status is WorkerStatus.REVOKED
    for worker in workers:
        found = registered.registry.check_active(worker.address, APP)
        assert found.reason == ("WorkerIsRevoked" if worker is guilty else "")
    # It mends its ways, and nobody asks it.
    guilty.manner, asked = "honest", guilty.asked
    again = ask_several(town)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store, 2)
    seated = {seat.worker for held in store.rounds([again])[again] for seat in held.seats}
    assert seated == {worker.address for worker in workers if worker is not guilty}
    assert guilty.asked == asked


def test_anybody_may_bring_two_statements(
    registered: RegisteredTown, store: Store, quotary: Command, tmp_path: Path
) -> None:
    """By hand, as files; from then on neither relayer nor contract takes anything of the worker."""
    town, guilty = registered.town, Worker()
    registered.register([_Keyed("guilty", worker=guilty)])
    town.ask()
    request, said = request_of(registered), []
    for number, output in enumerate((b"yes", b"no")):
        guilty.output = output
        asked = httpx.Request("POST", "http://one", json=_question(request))
        said.append(guilty.answer(asked).content)
        (tmp_path / f"{number}.json").write_bytes(said[-1])
    files = [tmp_path / "0.json", tmp_path / "1.json"]
    flags = ("--rpc-url", town.node.url, "--deployments", registered.folder)
    flags = (*flags, "--private-key", WELL_KNOWN_KEYS[7], "--json")
    same = quotary("worker", "suspect", files[0], files[0], *flags)
    assert (same.code, same.json["error"]["name"]) == (4, "NoEquivocation")
    tried = quotary("worker", "suspect", *files, *flags, "--dry-run")
    assert (tried.code, tried.json["sent"]) == (0, False)
    done = quotary("worker", "suspect", *files, *flags)
    assert (done.code, done.json["worker"]) == (0, guilty.address), done
    again = quotary("worker", "suspect", *files, *flags)
    assert (again.code, again.json["error"]["name"]) == (4, "WorkerIsRevoked")

    with relayer_of(town, store, client_of(one=guilty)) as relayer:
        relayer.tick()
    reasons = [e.details["reason"] for e in town.events if e.kind is ProgressKind.RESULT_REJECTED]
    assert reasons == ["WorkerIsRevoked"]
    signed, made = read_statement(said[0]), RequestTerms.decode(request.terms)
    call = registered.oracle.fulfill(made, signed.result, signed.output, signed.signature)
    with pytest.raises(ContractError) as refused:
        town.chain.simulate(TransactionRequest(town.node.signers[2].address, town.oracle, call))
    assert refused.value.name == "WorkerIsRevoked"


def test_what_is_no_statement_is_not_brought(quotary: Command, tmp_path: Path) -> None:
    """Said before any node is asked, and without what the file holds."""
    path = tmp_path / "one.json"
    path.write_text(json.dumps({"result": {"requestId": "0x00"}}))
    ran = quotary("worker", "suspect", path, path, "--rpc-url", "http://127.0.0.1:1", "--json")
    assert (ran.code, ran.json["reason"]) == (6, "FILE_UNREADABLE")


def test_two_vendors_agree(registered: RegisteredTown, store: Store) -> None:
    """Of many workers of one vendor and one of another, that one has a seat."""
    town = registered.town
    workers = members("honest", "honest", "honest", "honest", "honest")
    registered.register(workers[:4])
    registered.register(workers[4:], SEV_SNP)
    key = ask_several(town, Quorum(2, 2, vendors=2))
    relayer = conductor(town, store, workers)
    drive(relayer, town, 30)
    end(relayer, workers)
    require_all_final(town, store)
    (held,) = store.rounds([key])[key]
    assert workers[4].address in {seat.worker for seat in held.seats}
    assert registered.registry.worker_of(workers[4].address).tee_type == SEV_SNP


def test_one_vendor_is_never_a_quorum_of_two(registered: RegisteredTown, store: Store) -> None:
    """The relayer asks nobody; whoever asked all the same is refused by the contract."""
    town = registered.town
    workers = members("honest", "honest", "honest")
    registered.register(workers)
    quorum = Quorum(2, 3, vendors=2)
    key = ask_several(town, quorum)
    relayer = conductor(town, store, workers)
    drive(relayer, town, 2)
    end(relayer, workers)
    assert ProgressKind.WORKERS_MISSING in kinds(town)
    assert [worker.asked for worker in workers] == [0, 0, 0]

    request = request_of(registered)
    client, found = client_of_members(workers), endpoints_of(workers)
    seats = tuple(Seat(worker.address, f"http://{worker.name}") for worker in workers)
    given = [Committed(*client.commit(each, request)) for each in found]
    held = played(Round(key, 1, seats), [*given, Closed()])
    shown = [client.reveal(each, request, held.commitments) for each in found]
    held = played(held, [Revealed(each.result.worker, each) for each in shown])
    two = sorted(held.answers, key=lambda each: int(each.result.worker, 16))[:2]
    call = registered.oracle.fulfill_by_quorum(
        RequestTerms.decode(request.terms),
        two[0].result,
        _reveals(held, two),
        held.commitments,
        two[0].output,
    )
    with pytest.raises(ContractError) as refused:
        town.chain.simulate(TransactionRequest(town.node.signers[2].address, town.oracle, call))
    assert refused.value.name == "TooFewDistinct"
    assert list(refused.value.values.values()) == [1, 2]


def test_answers_are_not_used_up_while_a_vendor_is_missing(
    registered: RegisteredTown, store: Store
) -> None:
    """The only worker of the other vendor is away: nobody shows anything before it is back."""
    town = registered.town
    workers = members("honest", "honest", "honest", "dead")
    registered.register(workers[:3])
    registered.register(workers[3:], SEV_SNP)
    key = ask_several(town, Quorum(2, 3, vendors=2))
    relayer = conductor(town, store, workers, patience_seconds=60.0)
    drive(relayer, town, 2)
    assert {held.state for held in store.rounds([key])[key]} == {RoundState.ABANDONED}
    assert [worker.revealed for worker in workers] == [0, 0, 0, 0]
    workers[3].manner = "honest"
    drive(relayer, town, 40)
    end(relayer, workers)
    require_all_final(town, store)


def test_an_input_is_handed_in_by_the_command_that_asks(
    registered: RegisteredTown, store: Store, quotary: Command, tmp_path: Path
) -> None:
    """The chain has its hash, the relayer the rest; what the command prints has neither."""
    town, worker = registered.town, Worker(output=b"an \x1b[2Janswer")
    registered.register([_Keyed("alone", worker=worker)])
    inputs, path = InputFolder(tmp_path / "inputs"), tmp_path / "question"
    path.write_bytes(_CANARY)
    (tmp_path / "token").write_text(_TOKEN)
    reading = ("--rpc-url", town.node.url, "--deployments", registered.folder, "--json")
    asking = ("request", "ask", "--input-file", path, "--app", f"0x{APP.hex()}")
    asking = (*asking, "--model", f"0x{MODEL.hex()}", "--fee", "1gwei", *reading)
    asking = (*asking, "--private-key", WELL_KNOWN_KEYS[7])
    away = ("--relayer", "http://127.0.0.1:9")
    relayer = relayer_of(town, store, client_of(one=worker), inputs=inputs)
    view = View(store, Metrics([]), relayer.pool.health, bool, store.open_counts, inputs)
    with relayer, Server(create_app(view, _TOKEN), Listening("127.0.0.1", 0, _TOKEN)) as server:
        here = ("--relayer", server.url, "--relayer-token-file", tmp_path / "token")
        for wrong in (("--off-chain",), here, ("a text", "--off-chain", *here)):
            ran = quotary(*asking, *wrong)
            assert (ran.code, ran.json["reason"]) == (6, "CONFIGURATION_INVALID")
        # Where nobody takes the input, nothing is asked and nothing is paid.
        assert quotary(*asking, "--off-chain", *away).json["reason"] == "RPC_UNREACHABLE"
        assert quotary(*asking, "--off-chain", *away, "--dry-run").json["sent"] is False
        assert inputs.commitments() == frozenset()
        asked = quotary(*asking, "--off-chain", *here)
        assert asked.code == 0, asked
        again = quotary("request", "supply", path, *here, "--json")
        commitment = f"0x{sha256(_CANARY).hexdigest()}"
        assert (again.code, again.json["input_commitment"]) == (0, commitment)
        drive(relayer, town, 20)
    found = quotary("request", "status", asked.json["request_id"], *reading).json
    assert (found["status"], found["worker"]) == ("fulfilled", worker.address)
    assert (request_of(registered).input, worker.asked) == (b"", 1)
    shown = quotary("request", "status", asked.json["request_id"], *reading[:-1]).out
    assert "an \\x1b[2Janswer" in shown
    assert "\x1b" not in shown
    assert _CANARY.decode() not in asked.out + asked.err + again.out


class _Keyed(Member):
    """A member with the key of a worker that answers alone."""

    def __init__(self, name: str, worker: Worker) -> None:
        super().__init__(name)
        self._worker = worker

    @property
    def key(self) -> str:
        return self._worker.key
