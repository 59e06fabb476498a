"""The demonstration as a newcomer runs it: to its end, told truly, leaving nothing behind."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).resolve().parents[2]
UNREACHABLE_INDEX = "http://127.0.0.1:9/simple/"
REFUSALS = [
    ("the verifier", "QUOTE_SIGNATURE_INVALID"),
    ("QuoteNotary", "MeasurementNotAdmitted"),
    ("ResultOracle", "AlreadyFulfilled"),
    ("ResultOracle", "WorkerUnknown"),
]


def demo(*flags: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "quotary", "demo", *flags],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )


@pytest.fixture(scope="module")
def shown() -> tuple[dict[str, Any], str]:
    """One demonstration, as its summary and as the story that people see."""
    done = demo("--json", "--plain")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout), done.stderr


@pytest.fixture(scope="module")
def told(shown: tuple[dict[str, Any], str]) -> dict[str, Any]:
    return shown[0]


def recording_script() -> Any:
    spec = importlib.util.spec_from_file_location("record", ROOT / "scripts" / "record_demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def answers(url: str) -> bool:
    parts = urlsplit(url)
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex((parts.hostname, parts.port)) == 0


def test_every_attack_is_refused_for_its_own_reason(told: dict[str, Any]) -> None:
    """Four attacks, four refusals, each by the part that must refuse it."""
    assert [(a["refused_by"], a["reason"]) for a in told["attacks"]] == REFUSALS


def test_five_workers_register_and_one_of_them_answers(told: dict[str, Any]) -> None:
    """What the dApp stored came from a registered worker, and is what the model chose."""
    names = ("one", "two", "three", "four", "five")
    workers = [told["workers"][f"worker_{name}"]["address"] for name in names]
    assert len(set(workers)) == 5
    assert told["answer"]["answered_by"] in workers[:3]
    assert json.loads(told["answer"]["stored_by_the_dapp"])["choice"] == "dangerous"


def test_three_agree_though_one_lies_and_others_are_killed(told: dict[str, Any]) -> None:
    """One answer, the honest one, by one transaction; the liar is on probation."""
    agreed = told["agreed"]
    assert agreed["answers_on_the_chain"] == 1
    assert json.loads(agreed["decided"])["choice"] == "dangerous"
    liar = told["workers"]["worker_four"]["address"]
    assert agreed["worker_four"]["address"] == liar
    assert agreed["worker_four"]["until"] > 0
    names = [entry["what"] for entry in told["transactions"]]
    assert names.count("relay what three agree on") == 1
    assert names.count("report the worker that lied") == 1


def test_simulated_workers_are_called_simulated(told: dict[str, Any]) -> None:
    """Nobody can take the simulated TEE for a genuine one."""
    assert any("simulated" in warning for warning in told["workers"]["warnings"])


def test_every_transaction_has_its_hash_and_gas(told: dict[str, Any]) -> None:
    """The summary names each transaction once, with the gas the chain charged."""
    hashes = [entry["hash"] for entry in told["transactions"]]
    assert len(set(hashes)) == len(hashes) >= 18
    assert all(entry["gas"] > 21_000 for entry in told["transactions"])


def test_nothing_is_left_running(told: dict[str, Any]) -> None:
    """Neither the chain nor a worker listens after the demonstration."""
    urls = [told["chain"]["rpc_url"]]
    urls += [value["url"] for key, value in told["workers"].items() if key.startswith("worker_")]
    assert len(urls) == 6
    assert not any(answers(url) for url in urls)


def test_genuine_evidence_is_judged_as_the_independent_verifier_does(told: dict[str, Any]) -> None:
    """The sample's verdict is the one that its publisher's own verifier gives."""
    if "genuine" not in told:
        pytest.skip("genuine evidence is out of reach: the package index did not serve it")
    assert told["genuine"]["tcb_status"] == "UpToDate"
    assert told["genuine"]["platform"]["fmspc"] == "b0c06f000000"


def test_the_chain_verifies_the_genuine_quote_by_itself(told: dict[str, Any]) -> None:
    """Raw and compact, each cheaper than the peer's figure that is printed beside it."""
    if "genuine" not in told:
        pytest.skip("genuine evidence is out of reach: the package index did not serve it")
    shown = told["onchain"]
    assert shown["compact_quote"]["gas"] < shown["raw_quote"]["gas"] // 5
    figures = [entry for entry in shown.values() if entry["peer_gas"]]
    assert len(figures) == len(shown) == 5
    assert all(entry["gas"] < entry["peer_gas"] // 4 for entry in figures)


def test_the_readme_shows_what_the_demo_prints(shown: tuple[dict[str, Any], str]) -> None:
    """The recording in the README is current, but for hashes, gas and durations."""
    told, story = shown
    if "genuine" not in told:
        pytest.skip("genuine evidence is out of reach: the package index did not serve it")
    script = recording_script()
    recording = script.recorded((ROOT / "README.md").read_text(encoding="utf-8"))
    recording = recording.replace("```text", "").replace("```", "")
    assert script.masked(recording) == script.masked(story)


def test_without_genuine_evidence_the_demo_says_so_and_goes_on(tmp_path: Path) -> None:
    """No package index, no cache: simulated evidence carries the rest of the path."""
    done = demo("--json", XDG_CACHE_HOME=str(tmp_path), PIP_INDEX_URL=UNREACHABLE_INDEX)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert "genuine" not in told
    assert any("out of reach" in warning for warning in told["chain"]["warnings"])
    assert [(a["refused_by"], a["reason"]) for a in told["attacks"]] == REFUSALS


@pytest.fixture
def ctrl_c() -> Iterator[None]:
    """Children hear Ctrl-C, also where the tests were started in the background and do not."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def descendants(pid: int) -> set[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    found = {int(child) for child in children}
    return found.union(*(descendants(child) for child in found))


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes through /proc")
@pytest.mark.parametrize("ended_by", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.usefixtures("ctrl_c")
def test_a_demo_that_is_ended_takes_everything_down(ended_by: signal.Signals) -> None:
    """Ended in the middle, by Ctrl-C too, it leaves neither a chain nor a worker nor a trace."""
    command = [sys.executable, "-m", "quotary", "demo", "--plain"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=ROOT, stdout=pipe, stderr=pipe, text=True) as program:
        assert program.stdout is not None
        for line in program.stdout:
            if "register worker one" in line:
                break
        started = descendants(program.pid)
        program.send_signal(ended_by)
        _, errors = program.communicate(timeout=300)
    assert program.returncode == 128 + ended_by
    assert "Traceback" not in errors
    assert len(started) == 6
    assert not [pid for pid in started if Path(f"/proc/{pid}").exists()]
