"""The program, run as one runs it: one ready line, a socket, a clean end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from eth_account import Account
from eth_account.messages import encode_defunct
from quotary_enclave.model import ModelUnavailableError
from quotary_enclave.model.weights import find_weights

from tests.enclave.worker_parts import question_of

ROOT = Path(__file__).resolve().parents[2]
AT = 1_790_000_000


def environment() -> dict[str, str]:
    folders = [str(ROOT / name) for name in ("verifier", "bridge", "enclave")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}


@contextmanager
def program(*arguments: str) -> Iterator[tuple[dict[str, Any], subprocess.Popen[str]]]:
    """The running program and its ready line."""
    command = [sys.executable, "-m", "quotary_enclave.worker", "--port", "0", *arguments]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment()) as run:
        try:
            assert run.stdout is not None
            yield json.loads(run.stdout.readline()), run
        finally:
            run.kill()


@pytest.fixture(scope="module", autouse=True)
def weights() -> None:
    """The program serves the real model."""
    try:
        find_weights()
    except ModelUnavailableError as error:
        pytest.skip(str(error))


def test_a_worker_process_serves_and_stops() -> None:
    """Over a real socket: a streamed answer, its signature, a result, and an orderly end."""
    with program("--simulate", "demo", "--identity", "one", "--at", str(AT)) as (ready, run):
        assert (ready["simulated"], ready["at"]) == (True, AT)
        with httpx.Client(base_url=ready["url"], timeout=300, trust_env=False) as client:
            model = client.get("/v1/models").json()["data"][0]
            question = {
                "model": model["id"],
                "stream": True,
                "messages": [{"role": "user", "content": "Fund an audit of the bridge?"}],
            }
            response = client.post("/v1/chat/completions", json=question)
            chat_id = json.loads(response.text.split("\n")[0].removeprefix("data: "))["id"]
            signed = client.get(f"/v1/signature/{chat_id}").json()
            recovered = Account.recover_message(
                encode_defunct(text=signed["text"]), signature=signed["signature"]
            )
            assert recovered == ready["worker"]
            content = b"Pay for an audit?\nOptions: yes | no\nReply: label"
            served = bytes.fromhex(model["quotary"]["modelId"][2:])
            request = question_of(content, AT + 600, model_id=served)
            result = client.post("/v1/quotary/results", json=request).json()
            assert bytes.fromhex(result["output"][2:]) in (b"yes", b"no")
        run.send_signal(signal.SIGTERM)
        output, log = run.communicate(timeout=300)
        assert output == ""
        assert all(json.loads(line)["event"] == "served" for line in log.splitlines())


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], 2),
        (["--simulate", "a", "--dstack", "b"], 2),
        (["--simulate", "a", "--operator", "nobody"], 6),
        (["--dstack", "absent.sock"], 6),
        (["--dstack", "absent.sock", "--operator", "0x" + "11" * 20, "--identity", "x"], 6),
    ],
)
def test_a_program_that_cannot_start_says_why(arguments: list[str], code: int) -> None:
    """One line on stderr, nothing on stdout, the agreed exit code."""
    run = subprocess.run(
        [sys.executable, "-m", "quotary_enclave.worker", "--port", "0", *arguments],
        capture_output=True,
        text=True,
        env=environment(),
        timeout=300,
        check=False,
    )
    assert (run.returncode, run.stdout) == (code, "")
    assert "error:" in run.stderr
    assert "Traceback" not in run.stderr
