"""Looking at a relayer's record, draining it, and what a single cycle's exit code says."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary.cli.output import ExitCode
from quotary_bridge.cli import relay
from quotary_bridge.cli.relay import ended_with
from quotary_bridge.errors import DeploymentMismatch, Reason
from quotary_bridge.lifecycle import JobState
from quotary_bridge.model import BlockNumber, Timestamp
from quotary_bridge.relayer import (
    Progress,
    ProgressKind,
    RelayerConfig,
    TickReport,
    run,
)
from quotary_bridge.store import Store
from quotary_bridge.workers import Endpoint

from tests.bridge.relayer_town import (
    RELAYER,
    Town,
    Worker,
    address,
    client_of,
    drive,
    relayer_of,
    require_all_final,
    settings_of,
)
from tests.bridge.store_parts import CHAIN, SIGNER, OpenStore
from tests.bridge.test_cli import Command, runner

pytest_plugins = ["tests.bridge.relayer_fixtures"]


@pytest.fixture
def store(sqlite_store: Store) -> Store:
    """In a file: what is tested here is not the store."""
    return sqlite_store


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run `quotary relay` in this process."""
    return runner((relay,), capsys, monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def wall_clock() -> Timestamp:
    """What the commands judge leases by."""
    return Timestamp(int(time.time()))  # noqa: TID251 (the edge)


@pytest.fixture
def living(path: Path, open_store: OpenStore) -> Store:
    """A store whose leases run out by the clock on the wall."""
    return open_store(path, wall_clock)


def test_status_says_how_far_everything_is(
    town: Town, path: Path, living: Store, quotary: Command
) -> None:
    """From the record alone: no node is asked."""
    for _ in range(2):
        town.ask()
    with relayer_of(town, living, client_of(one=Worker())) as relayer:
        relayer.tick()
        found = quotary("relay", "status", "--database", path, "--json").json
        assert found["signers"][0]["at_work"] is True
        drive(relayer, town)
    found = quotary("relay", "status", "--database", path, "--json").json
    (oracle,) = found["oracles"]
    (signer,) = found["signers"]
    assert (oracle["oracle"], oracle["jobs"]["final"]) == (town.oracle, 2)
    assert oracle["final"] == oracle["head"] - 4
    assert (signer["signer"], signer["at_work"]) == (address(town), False)
    assert signer["nonces"] == {"final": 2}
    assert "2 final" in quotary("relay", "status", "--database", path).out


def test_status_neither_waits_for_a_writer_nor_holds_one_up(
    path: Path, living: Store, quotary: Command
) -> None:
    """A relayer is in the middle of a commit; its record is large, and checking it takes long."""
    with living.write(living.acquire(CHAIN, SIGNER, "busy")):
        (signer,) = quotary("relay", "status", "--database", path, "--json").json["signers"]
    assert signer["holder"] == "busy"


def test_a_record_that_is_not_there_is_not_made(path: Path, quotary: Command) -> None:
    """Looking must not leave an empty one behind."""
    ran = quotary("relay", "status", "--database", path, "--json")
    assert (ran.code, ran.json["reason"]) == (ExitCode.CONFIGURATION, "FILE_UNREADABLE")
    assert not path.exists()


def test_a_drained_relayer_finishes_what_it_began_and_begins_nothing(
    town: Town, path: Path, living: Store, quotary: Command
) -> None:
    """What came later is for the next one."""
    first = town.ask()
    with relayer_of(town, living, client_of(one=Worker())) as relayer:
        relayer.tick()
        told = quotary("relay", "drain", "--database", path, "--json").json
        assert told["draining"] == [address(town)]
        second = town.ask()
        reports = []
        for _ in range(14):
            reports.append(relayer.tick())
            if reports[-1].drained:
                break
            town.node.mine()
    assert reports[-1].drained
    states = {key: living.job(key).state for key in (first, second)}  # type: ignore[union-attr]
    assert states == {first: JobState.FINAL, second: JobState.SEEN}
    with relayer_of(town, living, client_of(one=Worker())) as successor:
        drive(successor, town)
    require_all_final(town, living, requests=2)


@pytest.mark.usefixtures("living")
def test_a_drained_daemon_stops_by_itself(town: Town, path: Path, quotary: Command) -> None:
    """And gives its lease back, which is what `--wait` waits for."""
    config = RelayerConfig(
        chain=town.chain,
        oracle=town.oracle,
        signer=town.node.signers[RELAYER],
        workers=[Endpoint("http://127.0.0.1:9")],
        database=path,
        now=wall_clock,
        settings=settings_of(town, poll_seconds=0.01),
    )
    at_work = threading.Event()
    town.ask()
    daemon = threading.Thread(
        target=run,
        args=(config, threading.Event()),
        kwargs={"listener": lambda _: at_work.set()},
    )
    daemon.start()
    assert at_work.wait(300)
    ran = quotary("relay", "drain", "--database", path, "--wait", 300, "--json")
    assert (ran.code, ran.json["stopped"]) == (0, True)
    daemon.join(300)
    assert not daemon.is_alive()


def test_waiting_for_one_who_does_not_stop_ends(
    town: Town, path: Path, living: Store, quotary: Command
) -> None:
    """With the exit code of what is not final in time."""
    with relayer_of(town, living, client_of(one=Worker())) as relayer:
        relayer.tick()
        ran = quotary("relay", "drain", "--database", path, "--wait", 0, "--json")
    assert (ran.code, ran.json["reason"]) == (ExitCode.NOT_FINAL, "NOT_FINAL_IN_TIME")


def test_an_oracle_of_another_version_is_not_relayed_for(town: Town, store: Store) -> None:
    """Before a lease is taken, a worker asked or a coin spent."""
    town.ask()
    other = keccak(text="Result(bytes32 somethingElse)")
    # Answers every question with the same word: the type hash of another statement.
    town.chain.rpc("anvil_setCode", [town.oracle, f"0x7f{other.hex()}5f5260205ff3"])
    relayer = relayer_of(town, store, client_of(one=Worker()))
    honest = relayer._ports.oracle._oracle
    read = honest.read
    honest.read = lambda name, **more: (  # type: ignore[method-assign]
        ("", "Quotary Result", "2") if name == "eip712Domain" else read(name, **more)
    )
    with relayer, pytest.raises(DeploymentMismatch) as caught:
        relayer.tick()
    assert caught.value.reason is Reason.CONTRACT_VERSION_UNKNOWN
    assert store.overview().signers == ()


@pytest.mark.parametrize(
    ("kinds", "code"),
    [
        ((), ExitCode.OK),
        ((ProgressKind.REQUEST_SEEN,), ExitCode.OK),
        ((ProgressKind.WORKER_ASKED, ProgressKind.WORKER_FAILED), ExitCode.NETWORK),
        ((ProgressKind.WORKER_FAILED, ProgressKind.RESULT_REJECTED), ExitCode.REJECTED),
        ((ProgressKind.DELIVERY_REFUSED,), ExitCode.REVERTED),
        ((ProgressKind.WORKER_FAILED, ProgressKind.RESULT_STORED), ExitCode.PARTIAL),
    ],
)
def test_the_exit_code_of_a_single_cycle_says_what_failed(
    kinds: tuple[ProgressKind, ...], code: ExitCode
) -> None:
    """All, some, or nothing: what a cron job needs to know."""
    events = tuple(Progress(kind, BlockNumber(1)) for kind in kinds)
    assert ended_with(TickReport(BlockNumber(1), events, idle=False)) is code
