"""A worker that is killed between commitment and reveal, and what its host can do to its vault."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from quotary_enclave.model import Answer, Message, Units
from quotary_enclave.worker import (
    ConfigurationError,
    Vault,
    Worker,
    WorkerConfig,
    simulated_tdx,
    vault,
)
from quotary_enclave.worker import __main__ as program
from quotary_enclave.worker.config import Limits
from starlette.testclient import TestClient

from tests.enclave.test_worker_rounds import (
    COMMITMENTS,
    OTHERS,
    REVEALS,
    commit,
    opening,
    question,
    refusal,
    terms,
)
from tests.enclave.worker_parts import (
    NOW,
    CountingModel,
    SettableClock,
    client_of,
    simulator,
)

ROOT = Path(__file__).resolve().parents[2]
KEY = bytes(32)
CANARY = "a canary that nobody may see before it is revealed"
# A model that never says the same twice: a worker that asked it again would contradict itself.
PROGRAM = """
import secrets, sys
from quotary_enclave.model import Answer, Units
from quotary_enclave.worker.__main__ import main
from tests.enclave.worker_parts import CountingModel

class Fickle(CountingModel):
    def answer(self, messages):
        return Answer(secrets.token_hex(8), Units(1), Units(1))

sys.exit(main(sys.argv[1:], Fickle))
"""


@contextmanager
def running(folder: Path, seed: str = "restarts") -> Iterator[tuple[dict[str, Any], httpx.Client]]:
    """The program with its vault in `folder`, killed at the end as by a power cut."""
    command = [sys.executable, "-c", PROGRAM, "--port", "0", "--simulate", seed]
    command += ["--at", str(NOW), "--state", str(folder)]
    folders = [str(ROOT), *(str(ROOT / name) for name in ("verifier", "enclave"))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as run:
        try:
            assert run.stdout is not None
            ready = json.loads(run.stdout.readline())
            with httpx.Client(base_url=ready["url"], timeout=30, trust_env=False) as client:
                yield ready, client
        finally:
            run.kill()


def test_a_killed_worker_reveals_what_it_had_committed_to(tmp_path: Path) -> None:
    """The same worker, the same answer of a model that never repeats itself, to one round only."""
    encoded = terms(deadline=NOW + 3600)
    with running(tmp_path / "vault") as (first, client):
        given = client.post(COMMITMENTS, json=question(encoded)).json()
    own = bytes.fromhex(given["commitment"][2:])
    closed = opening(encoded, sorted([own, *OTHERS]))
    with running(tmp_path / "vault") as (second, client):
        assert second["worker"] == first["worker"]
        assert client.post(COMMITMENTS, json=question(encoded)).json() == given
        shown = client.post(REVEALS, json=closed).json()
    with running(tmp_path / "vault") as (_, client):
        assert client.post(REVEALS, json=closed).json() == shown
        other = client.post(REVEALS, json=opening(encoded, sorted([own, OTHERS[0]])))
        assert other.json()["error"]["code"] == "already_revealed"
        again = client.post(COMMITMENTS, json=question(encoded))
        assert again.json()["error"]["code"] == "already_revealed"


class Telling(CountingModel):
    """Says the canary."""

    def answer(self, _messages: Sequence[Message]) -> Answer:
        """Say it."""
        return Answer(CANARY, Units(1), Units(1))


@contextmanager
def started(
    folder: Path, clock: SettableClock | None = None, key: bytes = KEY
) -> Iterator[tuple[Worker, TestClient]]:
    """A worker that remembers nothing but what is in its vault, and keeps one answer in memory."""
    model = Telling()
    with Vault(folder, key) as kept:
        worker = Worker(
            WorkerConfig(limits=Limits(retained=1)),
            model,
            simulated_tdx(simulator().platform(), model),
            keys=kept.identity(),
            clock=clock or SettableClock(),
            vault=kept,
        )
        yield worker, client_of(worker)


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.entry"))


def test_the_host_sees_nothing_before_it_is_revealed(tmp_path: Path) -> None:
    """Neither the answer, nor the salt: in no file, whatever its name."""
    encoded = terms()
    with started(tmp_path) as (_, client):
        own = commit(client, encoded)
        said = client.post(REVEALS, json=opening(encoded, sorted([own, *OTHERS]))).json()
    salt = int(said["result"]["nonce"])
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        for secret in (CANARY.encode(), CANARY.encode().hex().encode(), str(salt).encode()):
            assert secret not in content


def test_what_another_tee_sealed_is_not_opened(tmp_path: Path) -> None:
    """A copied vault is of no use on another machine; nor is one whose identity was changed."""
    with started(tmp_path):
        pass
    with pytest.raises(ConfigurationError, match="another TEE"), started(tmp_path, key=b"\1" * 32):
        pass
    (tmp_path / "identity.sealed").write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="changed since"), started(tmp_path):
        pass


def test_entries_are_not_taken_for_each_other(tmp_path: Path) -> None:
    """The host puts the answer to one request in the place of another's, or flips a bit of it."""
    first, second = terms(), terms(deadline=NOW + 61)
    with started(tmp_path) as (_, client):
        own = commit(client, first)
        (one,) = entries(tmp_path)
        commit(client, second)
    (other,) = set(entries(tmp_path)) - {one}
    kept = one.read_bytes()
    one.write_bytes(other.read_bytes())
    closed = opening(first, sorted([own, *OTHERS]))
    with started(tmp_path) as (_, client):
        assert refusal(client, REVEALS, closed) == (503, "state_unavailable", None)
        assert refusal(client, COMMITMENTS, question(first)) == (503, "state_unavailable", None)
        one.write_bytes(kept[:-1] + bytes([kept[-1] ^ 1]))
        assert refusal(client, REVEALS, closed) == (503, "state_unavailable", None)
        one.write_bytes(kept)
        assert client.post(REVEALS, json=closed).status_code == 200


def test_what_could_not_be_kept_is_not_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full: no commitment, no reveal; both come once there is room."""

    def full(_number: int) -> None:
        raise OSError(28, "No space left on device")

    encoded = terms()
    with started(tmp_path) as (_, client):
        with monkeypatch.context() as broken:
            broken.setattr(vault.os, "fsync", full)
            found = refusal(client, COMMITMENTS, question(encoded))
            assert found == (503, "state_unavailable", None)
        closed = opening(encoded, sorted([commit(client, encoded), *OTHERS]))
        with monkeypatch.context() as broken:
            broken.setattr(vault.os, "fsync", full)
            assert refusal(client, REVEALS, closed) == (503, "state_unavailable", None)
        assert client.post(REVEALS, json=closed).status_code == 200


def test_a_vault_has_room_for_what_is_of_use_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One more than there is room for is refused until an older one's deadline has passed."""
    monkeypatch.setattr(vault, "ENTRIES_LIMIT", 2)
    clock = SettableClock()
    with started(tmp_path, clock) as (_, client):
        for deadline in (60, 61):
            commit(client, terms(deadline=NOW + deadline))
        late = terms(deadline=NOW + 100)
        assert refusal(client, COMMITMENTS, question(late)) == (503, "overloaded", None)
        clock.now = NOW + 61
        commit(client, late)
    assert len(entries(tmp_path)) == 2


def test_an_identity_is_kept_once(tmp_path: Path) -> None:
    """The first start makes it, every later one has the same; another folder has another."""
    addresses = []
    for name in "aab":
        with started(tmp_path / name) as (worker, _):
            addresses.append(worker.keys.result.address)
    assert addresses[0] == addresses[1] != addresses[2]


def test_two_workers_do_not_share_a_vault(tmp_path: Path) -> None:
    """Each would answer once, and both as one: two answers of one worker to one question."""
    with started(tmp_path), pytest.raises(ConfigurationError, match="another worker uses"):
        Vault(tmp_path, KEY)
    with started(tmp_path):
        pass


def test_an_identity_comes_from_one_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a vault keeps is the answers of its own worker."""
    arguments = ["--simulate", "x", "--identity", "one", "--state", str(tmp_path)]
    assert program.main([*arguments, "--at", str(NOW)], CountingModel) == 6
    assert "choose one" in capsys.readouterr().err


def test_a_program_whose_folder_is_a_file_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it serves anybody; exit code 6."""
    path = tmp_path / "file"
    path.write_text("")
    arguments = ["--simulate", "x", "--at", str(NOW), "--state", str(path)]
    assert program.main(arguments, CountingModel) == 6
    assert "cannot be used" in capsys.readouterr().err
