"""`quotary work`: proofs that nobody waits for, and collateral that stays fresh."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import pytest
from quotary import TrustRoot
from quotary.fetch import CollateralCache
from quotary_bridge.cli import work, zk
from quotary_bridge.store import TaskBook
from quotary_bridge.zk import Receipt
from quotary_enclave.simulator import Simulator

from tests.bridge import test_cli
from tests.bridge.test_cli import Command
from tests.bridge.test_zk_cli import IMAGE, proven_by_known_release
from tests.bridge.zk_service import API_KEY
from tests.bridge.zk_service import Service as ProverService
from tests.bridge.zk_service import serving as serving_prover
from tests.contracts.zk_trapdoor import known_release
from tests.verifier.fetch import service as faults
from tests.verifier.fetch.service import Service, serving
from tests.verifier.genuine import pick


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """All commands of this file."""
    for name in ("BONSAI_API_URL", "BONSAI_API_KEY", "QUOTARY_DATABASE", "QUOTARY_PCCS_URL"):
        monkeypatch.delenv(name, raising=False)
    return test_cli.runner((work,), capsys, monkeypatch)


@pytest.fixture
def database(tmp_path: Path) -> tuple[str, Path]:
    return ("--database", tmp_path / "work.sqlite")


def test_a_proof_is_fetched_by_whoever_runs_next(
    *,
    quotary: Command,
    shared: Path,
    database: tuple[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Written down once, looked at while the prover works, and its receipt is there to take."""
    case = pick(shared, "tdx")
    (tmp_path / "quote.bin").write_bytes(case.quote)
    (tmp_path / "guest.elf").write_bytes(b"\x7fELF of the tests")
    wanted = (
        *("work", "proof", "--quote", tmp_path / "quote.bin", "--collateral", case.collateral_path),
        *("--at", case.at.isoformat(), "--image-id", IMAGE.hex(), *database, "--json"),
    )
    first = quotary(*wanted)
    assert (first.code, first.json["added"]) == (0, True), first
    assert quotary(*wanted).json["added"] is False
    key = first.json["key"]

    monkeypatch.setattr(zk, "RemoteProver", partial(zk.RemoteProver, releases=(known_release(),)))
    monkeypatch.setenv("BONSAI_API_KEY", API_KEY)
    with serving_prover(ProverService(proven_by_known_release, polls=1)) as service:
        run = (
            *("work", "run", "--once", "--kind", "proof", "--program", tmp_path / "guest.elf"),
            *("--url", service.url, "--jobs", tmp_path / "jobs", *database, "--json"),
        )
        show = ("work", "show", "proof", key, *database, "--json")
        looks = 0
        while quotary(*show).json["state"] == "open":
            # The time of the next look comes without anybody waiting for it.
            with monkeypatch.context() as later:
                later.setattr(work, "_now", partial(_now_and, 10 * looks))
                assert quotary(*run).json["steps"] == 1
            looks += 1
            assert looks < 10
        assert looks == 3
        assert service.count("POST /sessions/create") == 1
        assert quotary(*run).json["steps"] == 0
    assert quotary(*show, "--out", tmp_path / "receipt.json").code == 0
    receipt = Receipt.from_json((tmp_path / "receipt.json").read_bytes())
    assert receipt.verify((known_release(),)) == known_release()


_REAL_NOW = work._now


def _now_and(seconds: int) -> int:
    return _REAL_NOW() + seconds


def test_collateral_is_kept_fresh_through_an_outage(
    quotary: Command, database: tuple[str, Path], tmp_path: Path
) -> None:
    """Renewed when due; a service that fails is asked again later, and the task goes on."""
    simulator = Simulator(datetime.fromtimestamp(_REAL_NOW(), UTC), seed=b"long work")
    platform = simulator.platform()
    root = tmp_path / "root.der"
    root.write_bytes(simulator.root_der)
    pccs = Service(pccs=True)
    pccs.publish(simulator.collateral(platform))
    fmspc = platform.pck.fmspc.hex()
    task = ("work", "collateral", "--fmspc", fmspc, "--every", "1", *database, "--json")
    key = quotary(*task).json["key"]
    show = ("work", "show", "collateral", key, *database, "--json")
    with serving(pccs):
        run = (
            *("work", "run", "--once", "--pccs", pccs.url, "--root", root, "--timeout", "5"),
            *("--cache-dir", tmp_path / "cache", *database, "--json"),
        )
        pccs.fail("/tcb", faults.status(403))
        assert quotary(*run).json == _ran(steps=1)
        failing = quotary(*show).json
        assert (failing["state"], failing["failures"]) == ("open", 1)
        with pytest.MonkeyPatch.context() as later:
            later.setattr(work, "_now", partial(_now_and, 10))
            assert quotary(*run).json == _ran(steps=1)
            refreshed = quotary(*show).json
            assert (refreshed["failures"], refreshed["progress"]["fetched"]) == (0, True)
            later.setattr(work, "_now", partial(_now_and, 3700))
            assert quotary(*run).json == _ran(steps=1)
            assert quotary(*show).json["progress"]["fetched"] is False
    cache = CollateralCache(tmp_path / "cache", root=TrustRoot.from_certificate(root.read_bytes()))
    assert [key.fmspc.hex() for key, _ in cache.entries()] == [fmspc]


def _ran(*, steps: int) -> dict[str, object]:
    return {"ok": True, "schema_version": 1, "steps": steps, "failed": 0}


def test_what_is_written_down_is_listed(quotary: Command, database: tuple[str, Path]) -> None:
    """As lines and as JSON; an empty record says so, and one that is not there is not made."""
    assert quotary("work", "list", *database).code == 6
    assert not database[1].exists()
    quotary("work", "run", "--once", *database)
    assert "no tasks" in quotary("work", "list", *database).out
    quotary("work", "collateral", "--fmspc", "b0c06f000000", *database)
    assert "b0c06f000000" in quotary("work", "list", *database).out
    (listed,) = quotary("work", "list", *database, "--json").json["tasks"]
    assert (listed["kind"], listed["state"]) == ("collateral", "open")


def test_mistakes_are_named(quotary: Command, database: tuple[str, Path], tmp_path: Path) -> None:
    """An unknown task, no receipt, an engine without its server, proofs without a prover."""
    cases = {
        ("show", "proof", "ab"): "FILE_UNREADABLE",
        ("run", "--once", "--engine", "procrastinate"): "CONFIGURATION_INVALID",
        ("run", "--once", "--kind", "proof"): "CONFIGURATION_MISSING",
        ("list", "--engine", "procrastinate"): None,
        ("show", "collateral", "ab"): "CONFIGURATION_INVALID",
    }
    for arguments, reason in cases.items():
        ran = quotary("work", *arguments, *database, "--json")
        assert (ran.code, ran.json.get("reason")) == (6 if reason else 0, reason)
    key = quotary("work", "collateral", "--fmspc", "b0c06f000000", *database, "--json").json["key"]
    no_receipt = quotary("work", "show", "collateral", key, "--out", tmp_path / "r", *database)
    assert no_receipt.code == 6
    assert not (tmp_path / "r").exists()


def test_what_is_done_survives_a_new_process(quotary: Command, database: tuple[str, Path]) -> None:
    """The record is the file, not the process."""
    quotary("work", "collateral", "--fmspc", "b0c06f000000", *database)
    with closing(TaskBook.open(database[1], _REAL_NOW)) as book:
        (report,) = book.reports()
    assert report.task.given["fmspc"] == "b0c06f000000"
