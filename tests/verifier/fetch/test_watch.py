"""`quotary collateral watch`: the daemon, and its rounds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from quotary_enclave.simulator import Simulator

from tests.verifier.fetch import service as faults
from tests.verifier.fetch.conftest import END, Run, printed
from tests.verifier.fetch.service import Service, serving


def test_watch_refreshes_what_ends_soon(
    *, run: Run, pccs: Service, fmspc: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A round fetches once, then leaves fresh collateral alone until the margin is reached."""
    arguments = ("--pccs", pccs.url, "--once", "--margin", "7", "--json")
    assert run("watch", *fmspc, *arguments) == 0
    assert printed(capsys)["state"] == "refreshed"
    assert run("watch", *arguments) == 0
    assert printed(capsys)["state"] == "fresh"
    assert run("watch", *arguments, at=END - timedelta(days=6)) == 0
    assert printed(capsys)["state"] == "refreshed"


def test_watch_tells_an_outage_from_an_emergency(
    *, run: Run, pccs: Service, fmspc: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """3 while what is filed still holds, 7 when it does not, and nothing filed is lost."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    pccs.fail("/tcb", *[faults.status(403)] * 2)
    capsys.readouterr()
    arguments = ("--pccs", pccs.url, "--once", "--json")
    assert run("watch", *arguments, at=END - timedelta(days=1)) == 3
    assert printed(capsys) | {"state": "failed", "reason": "FETCH_STATUS"} == {
        "ok": False,
        "schema_version": 1,
        "tee": "tdx",
        "fmspc": fmspc[1],
        "ca": "platform",
        "channel": "standard",
        "state": "failed",
        "valid_until": None,
        "reason": "FETCH_STATUS",
    }
    assert run("watch", *arguments, at=END + timedelta(days=1)) == 7
    assert printed(capsys)["state"] == "stale"
    assert run("age") == 0


def test_watch_with_some_failures_is_partly_done(
    *,
    run: Run,
    pccs: Service,
    simulator: Simulator,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """8 when one platform was refreshed and another could not be."""
    pccs.publish(simulator.collateral(simulator.platform("2", fmspc=bytes.fromhex("A0A0A0A0A0A0"))))
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    assert run("fetch", "--fmspc", "a0a0a0a0a0a0", "--pccs", pccs.url, "--quiet") == 0
    pccs.fail("/tcb", faults.status(403), None)
    capsys.readouterr()
    soon = END - timedelta(days=1)
    assert run("watch", "--pccs", pccs.url, "--once", "--quiet", at=soon) == 8
    out = capsys.readouterr().out
    assert "failed" in out
    assert "refreshed" in out


def test_watch_over_nothing_alerts(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """Nobody believes to be watched over while nothing is filed."""
    assert run("watch", "--once") == 7
    assert "CACHE_EMPTY" in capsys.readouterr().err
    assert run("watch", "--once", "--json") == 7
    shown = json.loads(capsys.readouterr().out)
    assert (shown["ok"], shown["reason"], shown["exit_code"]) == (False, "CACHE_EMPTY", 7)


@contextmanager
def daemon(tmp_path: Path, *faults_of_tcb: faults.Fault) -> Iterator[subprocess.Popen[str]]:
    """A running `quotary collateral watch` against a service of its own."""
    now = datetime.now(UTC)  # noqa: TID251 - the daemon reads the real clock
    simulator = Simulator(now, seed=b"watch")
    platform = simulator.platform()
    root = tmp_path / "root.der"
    root.write_bytes(simulator.root_der)
    service = Service(pccs=True)
    service.publish(simulator.collateral(platform))
    service.fail("/tcb", *faults_of_tcb)
    program = "import sys; from quotary.cli import main; sys.exit(main())"
    with serving(service):
        command = [
            *(sys.executable, "-c", program, "collateral", "watch", "--every", "3600"),
            *("--fmspc", platform.pck.fmspc.hex(), "--root", str(root), "--pccs", service.url),
            *("--cache-dir", str(tmp_path / "cache")),
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            try:
                yield running
            finally:
                running.kill()


def test_watch_ends_cleanly_between_rounds(tmp_path: Path) -> None:
    """SIGTERM while the daemon sleeps is an end with exit code 0."""
    with daemon(tmp_path) as running:
        assert running.stdout is not None
        assert "refreshed" in running.stdout.readline()
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=300)
        assert running.returncode == 0


def test_watch_ends_cleanly_in_a_round(tmp_path: Path) -> None:
    """SIGTERM while a service drips ends the daemon at once, with no file half done."""
    with daemon(tmp_path, faults.slow_body) as running:
        assert running.stderr is not None
        assert "TCB info: asking" in running.stderr.readline()
        started = time.monotonic()
        running.send_signal(signal.SIGTERM)
        _, errors = running.communicate(timeout=300)
        assert running.returncode == 0
        assert time.monotonic() - started < 25  # a document may take 30
        assert "Traceback" not in errors
    assert not (tmp_path / "cache").exists()
