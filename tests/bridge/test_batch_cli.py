"""`quotary batch`: from what is pending to every request's end, in four commands."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.chain.deployment import Deployed, Deployment
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import batch

from tests.bridge.batch_town import BatchTown, batch_town
from tests.bridge.relayer_town import APP, MODEL
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
    return runner((batch,), capsys, monkeypatch)


@pytest.fixture
def flags(town: BatchTown, tmp_path: Path) -> tuple[object, ...]:
    """The chain, and a record that names the oracle."""
    chain, address = town.node.chain, town.oracle.address
    deployed = Deployed(
        *("BatchOracle", address, {}, bytes(32), bytes(32), None, town.deployed_at),
        keccak(chain.code(address)),
    )
    record = Deployment(chain.chain_id, chain.block(0).hash, town.node.signers[0].address, {})
    record.with_contract("BatchOracle", deployed).save(tmp_path / "records")
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
