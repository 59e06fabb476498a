"""The tutorial is true: its commands, as a reader pastes them, in one shell."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from quotary_bridge.anvil import find_anvil
from quotary_bridge.errors import ConfigurationError
from quotary_enclave.model import ModelUnavailableError
from quotary_enclave.model.weights import find_weights

ROOT = Path(__file__).resolve().parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PORTS = ("8545", "8750", "8751", "8752")
SECONDS = 1800


def blocks() -> list[str]:
    return re.findall(
        r"^```sh\n(.*?)^```$", TUTORIAL.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL
    )


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


def script() -> str:
    """All commands, told to stop at the first failure, on ports that nobody else uses."""
    text = "\n".join(blocks())
    for written, port in zip(PORTS, free_ports(len(PORTS)), strict=True):
        assert written in text
        text = text.replace(written, str(port))
    return f"set -euo pipefail\n{text}"


@pytest.fixture
def session(tmp_path: Path) -> str:
    """The whole session, in the environment of somebody who has configured nothing."""
    try:
        find_anvil()
        find_weights()
    except (ConfigurationError, ModelUnavailableError) as error:
        pytest.skip(str(error))
    home = tmp_path / "home"
    home.mkdir()
    bin_folder = Path(sys.executable).parent
    environment = {
        "PATH": f"{bin_folder}:{ROOT / 'toolchain'}:{os.environ['PATH']}",
        "HOME": str(home),
        "TMPDIR": str(home),
        "PYTHONPATH": os.pathsep.join(
            str(ROOT / part) for part in ("verifier", "bridge", "enclave")
        ),
    }
    shell, said = shutil.which("bash"), home / "said"
    assert shell is not None
    # Into a file: what a session that failed half-way leaves running would hold a pipe open.
    with (
        said.open("wb") as output,
        subprocess.Popen(
            [shell, "-c", script()],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as program,
    ):
        try:
            code = program.wait(SECONDS)
        finally:
            left_running = _end(program.pid)
    told = said.read_text(encoding="utf-8")
    assert code == 0, told
    assert not left_running
    assert not list(home.glob("tmp.*"))
    return told


def _end(group: int) -> bool:
    try:
        os.killpg(group, signal.SIGTERM)
    except ProcessLookupError:
        return False
    return True


def test_every_step_does_what_the_text_says(session: str) -> None:
    """
    From a simulated quote to an answer, and to a revocation that ends it.

    One test, as a session takes a minute, which two test workers would each spend.
    """
    for told in (
        "genuine TDX quote, TCB UpToDate",
        "CRL_ISSUER_MISMATCH",
        "holds all",
        "admitted",
        "nothing was sent",
        "proof        committee",
        "proves nothing",
        "7 brought",
        "0 brought, 0 gas",
        "the chain's own verification",
        "TCB now          UpToDate",
        "status   pending",
        "status   fulfilled",
        '"choice":"dangerous"',
        "revoked",
        "MeasurementNotAdmitted",
        "exit code 4",
    ):
        assert told in session, f"{told!r} is missing from:\n{session}"
    # Nothing went wrong silently: no failure but the two that the text announces.
    assert "Traceback" not in session
    assert session.count("\nquotary: ") == session.count("exit code ") == 2
