"""`quotary batch`: from what is pending to every request's end, in four commands."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import batch, relay, request
from quotary_bridge.workers import PreparedBatch

from tests.bridge.batch_town import BatchTown, batch_town
from tests.bridge.relayer_town import APP, MODEL, OPEN_GATE, REVOKED, closed_gate
from tests.bridge.test_cli import Command, runner
from tests.verifier.workloads.test_live import serving


@pytest.fixture(scope="module")
def town() -> Iterator[BatchTown]:
    with batch_town() as running:
        yield running


@pytest.fixture(scope="module")
def worker_url() -> Iterator[str]:
    with serving() as url:
        yield url


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((batch, relay, request), capsys, monkeypatch)


@pytest.fixture
def flags(town: BatchTown, tmp_path: Path) -> tuple[object, ...]:
    """The chain, and a record that names the oracle."""
    chain = town.node.chain
    record = Deployment(chain.chain_id, chain.block(0).hash, town.node.signers[0].address, {})
    for name, address in (("BatchOracle", town.oracle.address), ("ResultOracle", town.results)):
        deployed = Deployed(
            *(name, address, {}, bytes(32), bytes(32), None, town.deployed_at),
            keccak(chain.code(address)),
        )
        record = record.with_contract(name, deployed)
    record.save(tmp_path / "records")
    return ("--rpc-url", town.node.url, "--deployments", tmp_path / "records")


def test_four_commands_answer_everything_that_is_pending(
    quotary: Command,
    town: BatchTown,
    flags: tuple[object, ...],
    worker_url: str,
    tmp_path: Path,
) -> None:
    """What is said again is done once; what is missing is said."""
    town.ask(3)
    file = tmp_path / "batch.json"
    asking = ("batch", "answer", file, "--app", f"0x{APP.hex()}", "--model", f"0x{MODEL.hex()}")
    reach = ("--worker-url", worker_url, *flags)
    sending = (*flags, "--private-key", WELL_KNOWN_KEYS[5])
    answered = quotary(*asking, *reach, "--json")
    assert (answered.code, answered.json["answered"]) == (0, 3), answered
    assert quotary(*asking, *reach).code == 6, "a file is never written over"
    early = quotary("batch", "push", file, *sending)
    assert early.code == 6
    assert "quotary batch commit" in early.err
    dry = quotary("batch", "commit", file, *sending, "--dry-run", "--json")
    assert (dry.code, dry.json["sent"]) == (0, False)
    first = quotary("batch", "commit", file, *sending, "--json")
    assert (first.code, first.json["batch_id"], first.json["sent"]) == (0, 1, True)
    again = quotary("batch", "commit", file, *sending, "--json")
    assert (again.code, again.json["batch_id"], again.json["sent"]) == (0, 1, False)

    ids = [made.request_id(town.node.chain_id, town.oracle.address) for made in town.made]
    one = ("--request", f"0x{ids[1].hex()}")
    assert quotary("batch", "claim", file, *one, *sending).code == 0
    twice = quotary("batch", "claim", file, *one, *sending)
    assert twice.code == 6
    assert "still to be claimed" in twice.err
    pushed = quotary("batch", "push", file, *sending, "--json")
    assert (pushed.code, pushed.json["claimed"], len(pushed.json["transactions"])) == (0, 2, 1)
    states = town.oracle.states_of(ids, "latest")
    assert {state.status for state in states} == {RequestStatus.FULFILLED}
    status = ("request", "status", f"0x{ids[1].hex()}", *flags, "--json")
    shown = quotary(*status, "--batches").json
    assert (shown["status"], shown["batch_id"]) == ("fulfilled", 1)
    assert (shown["worker"], bool(shown["output_bytes"])) == (states[1].worker, True)
    assert quotary(*status).code == 6, "the oracle of results knows nothing of it"
    late = quotary("request", "reassign", f"0x{ids[1].hex()}", "--batches", *sending, "--json")
    assert (late.code, late.json["error"]["name"]) == (4, "AlreadyFulfilled")
    nothing = quotary(*asking[:2], tmp_path / "other.json", *asking[3:], *reach, "--json")
    assert (nothing.code, nothing.json["answered"]) == (0, 0)
    assert not (tmp_path / "other.json").exists()


def test_what_the_worker_or_the_file_gets_wrong_is_said(
    quotary: Command,
    town: BatchTown,
    flags: tuple[object, ...],
    worker_url: str,
    tmp_path: Path,
) -> None:
    """Another worker than the one meant, no worker at all, and a file that is no batch."""
    town.ask(1)
    file = tmp_path / "batch.json"
    asking = ("batch", "answer", file, "--app", f"0x{APP.hex()}", "--model", f"0x{MODEL.hex()}")
    other = quotary(*asking, *flags, "--worker-url", worker_url, "--worker", f"0x{'11' * 20}")
    assert other.code == 6
    assert "WrongWorker" in other.err
    gone = quotary(*asking, *flags, "--worker-url", "http://127.0.0.1:1")
    assert gone.code == 3
    assert not file.exists()
    file.write_text("{}")
    broken = quotary("batch", "push", file, *flags, "--private-key", WELL_KNOWN_KEYS[5])
    assert broken.code == 6
    assert "the file is no batch" in broken.err


def test_a_batch_of_a_worker_that_was_ruled_out_is_voided(
    quotary: Command,
    town: BatchTown,
    flags: tuple[object, ...],
    worker_url: str,
    tmp_path: Path,
) -> None:
    """Once, and not while the worker counts; then nothing of it can be claimed."""
    town.ask(1)
    file = tmp_path / "batch.json"
    asking = ("batch", "answer", file, "--app", f"0x{APP.hex()}", "--model", f"0x{MODEL.hex()}")
    sending = (*flags, "--private-key", WELL_KNOWN_KEYS[5])
    assert quotary(*asking, *flags, "--worker-url", worker_url).code == 0
    number = quotary("batch", "commit", file, *sending, "--json").json["batch_id"]
    kept = quotary("batch", "void", number, *sending)
    assert kept.code == 4
    assert "WorkerNotRuledOut" in kept.err
    chain, gate = town.node.chain, town.oracle.read("WORKERS")
    chain.rpc("anvil_setCode", [gate, closed_gate(*REVOKED)])
    voided = quotary("batch", "void", number, *sending, "--json")
    assert (voided.code, voided.json["sent"]) == (0, True)
    again = quotary("batch", "void", number, *sending, "--json")
    assert (again.code, again.json["sent"]) == (0, False)
    chain.rpc("anvil_setCode", [gate, OPEN_GATE])
    assert quotary("batch", "push", file, *sending).code == 6
    unknown = quotary("batch", "void", 99, *sending)
    assert unknown.code == 6
    assert "no batch has the number 99" in unknown.err


def test_a_relayer_carries_batches_and_gives_out_what_its_worker_signed(
    quotary: Command,
    town: BatchTown,
    flags: tuple[object, ...],
    worker_url: str,
    tmp_path: Path,
) -> None:
    """Cycle by cycle: ask and commit, claim, done; the document serves whoever wants it."""
    before = len(town.made)
    town.ask(2)
    asked = town.made[before:]
    ids = [made.request_id(town.node.chain_id, town.oracle.address) for made in asked]
    database = ("--database", tmp_path / "record.sqlite")
    once = ("--worker", worker_url, "--once", "--batches", "push", "--batch-seconds", "0")
    account = ("--private-key", WELL_KNOWN_KEYS[6])
    tried = quotary("relay", "run", *once, *database, *account, *flags, "--dry-run")
    assert (tried.code, "batch_signed" in tried.out) == (0, True)
    assert town.node.chain.nonce(town.node.signers[6].address) == 0
    for _ in range(5):
        town.quiet()
        ended = quotary("relay", "run", *once, *database, *account, *flags)
        assert ended.code == 0, ended
    states = town.oracle.states_of(ids, "latest")
    assert {state.status for state in states} == {RequestStatus.FULFILLED}
    told = quotary("relay", "status", *database, "--json").json
    assert told["batches"] == {"signed": 0, "committed": 0, "ended": 1}
    file = tmp_path / "exported.json"
    wanted = ("--request", f"0x{ids[0].hex()}", *database, *flags)
    with closing(sqlite3.connect(database[1], isolation_level=None)) as relayer:
        # As one does that writes meanwhile: looking on waits for nobody.
        relayer.execute("BEGIN IMMEDIATE")
        exported = quotary("batch", "export", file, *wanted, "--json")
    prepared = PreparedBatch.from_json(file.read_text())
    assert (exported.code, exported.json["answers"]) == (0, len(prepared.made))
    assert set(asked) <= set(prepared.made)
    left = quotary("batch", "push", file, *flags, *account, "--json")
    assert (left.code, left.json["claimed"]) == (0, 0)
    stranger = quotary("batch", "export", file, "--request", f"0x{'07' * 32}", *database, *flags)
    assert stranger.code == 6
    assert "no batch with an answer" in stranger.err
