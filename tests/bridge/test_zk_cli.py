"""`quotary zk` and a registration by receipt: what they print, and how they exit."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from quotary import INTEL_ROOT
from quotary_bridge.cli import zk
from quotary_bridge.zk import GuestInput, Receipt, RemoteProver, execute

from tests.bridge import test_cli
from tests.bridge.test_cli import APP, NOW, Command, World, admitted, deployed
from tests.bridge.zk_service import API_KEY, Service, bincode_receipt, serving
from tests.contracts.zk_trapdoor import forged_seal, known_release
from tests.contracts.zk_vectors import risc_zero_vectors
from tests.verifier.genuine import pick

world = test_cli.world
IMAGE = sha256(b"guest").digest()


@pytest.fixture
def quotary(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> test_cli.Command:
    """All commands of this file."""
    for name in ("BONSAI_API_URL", "BONSAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    return test_cli.runner((*test_cli.COMMANDS, zk), capsys, monkeypatch)


@pytest.fixture
def evidence(shared: Path, tmp_path: Path) -> tuple[object, ...]:
    """Flags that name a genuine quote, its collateral and its time."""
    case = pick(shared, "tdx")
    (tmp_path / "quote.bin").write_bytes(case.quote)
    return (
        *("--quote", tmp_path / "quote.bin", "--collateral", case.collateral_path),
        *("--at", case.at.isoformat(), "--out", tmp_path / "receipt.json"),
    )


def test_a_stub_receipt_says_what_it_is(
    quotary: Command, evidence: tuple[object, ...], tmp_path: Path
) -> None:
    """It is made and shown as a stub; checking it ends with exit code 1."""
    receipt = tmp_path / "receipt.json"
    made = quotary("zk", "prove", *evidence, "--prover", "stub", "--image-id", IMAGE.hex())
    assert made.code == 0, made
    assert "proves nothing" in made.out
    shown = quotary("zk", "inspect", receipt, "--json").json
    assert (shown["proof_kind"], shown["checked"]) == ("stub", False)
    assert shown["verdict"]["tcb_status"] == "UpToDate"
    checked = quotary("zk", "verify", receipt, "--image-id", IMAGE.hex(), "--json")
    assert (checked.code, checked.json["reason"]) == (1, "SEAL_SELECTOR_UNKNOWN")


def test_another_guest_is_refused(
    quotary: Command, evidence: tuple[object, ...], tmp_path: Path
) -> None:
    """A receipt can name any guest; the one that is meant is the reader's to name."""
    quotary("zk", "prove", *evidence, "--prover", "stub", "--image-id", IMAGE.hex())
    ran = quotary("zk", "verify", tmp_path / "receipt.json", "--image-id", "ab" * 32, "--json")
    assert (ran.code, ran.json["reason"]) == (1, "RECEIPT_MISMATCH")


def test_forged_and_foreign_receipts_are_refused(
    quotary: Command, shared: Path, tmp_path: Path
) -> None:
    """A proof under another key, a genuine seal of another journal, and a file that is none."""
    case = pick(shared, "tdx")
    given = GuestInput(case.quote, case.raw, int(case.at.timestamp()), INTEL_ROOT.certificate.der)
    journal = execute(given.encode())
    genuine = next(v for v in risc_zero_vectors(shared) if v.release.version == "3.0")
    seals = {
        forged_seal(IMAGE, sha256(journal).digest()): "SEAL_SELECTOR_UNKNOWN",
        genuine.seal: "PROOF_INVALID",
        b"": "SEAL_SELECTOR_UNKNOWN",
    }
    file = tmp_path / "receipt.json"
    for seal, reason in seals.items():
        file.write_text(Receipt(IMAGE, journal, seal).to_json())
        ran = quotary("zk", "verify", file, "--image-id", IMAGE.hex(), "--json")
        assert (ran.code, ran.json["reason"]) == (1, reason)
    file.write_text("{}")
    for verb in (("inspect", file), ("verify", file, "--image-id", IMAGE.hex())):
        ran = quotary("zk", *verb, "--json")
        assert (ran.code, ran.json["reason"]) == (1, "RECEIPT_MALFORMED")


def test_refused_evidence_ends_as_everywhere(
    quotary: Command, evidence: tuple[object, ...], tmp_path: Path
) -> None:
    """The guest's reason, an exit code that says stale, and no file."""
    late = ("--at", "2099-01-01T00:00:00Z")
    ran = quotary("zk", "prove", *evidence, *late, "--prover", "stub", "--json")
    assert ran.code == 7, ran
    assert not (tmp_path / "receipt.json").exists()


def test_a_remote_prover_needs_guest_program_and_account(
    quotary: Command,
    evidence: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is missing is named; a service that is down ends with exit code 3 and keeps the job."""
    program = tmp_path / "guest.elf"
    program.write_bytes(b"ELF")
    remote = ("zk", "prove", *evidence, "--prover", "remote", "--jobs", tmp_path / "jobs", "--json")
    for more in ((), ("--image-id", IMAGE.hex())):
        ran = quotary(*remote, *more)
        assert (ran.code, ran.json["reason"]) == (6, "CONFIGURATION_MISSING")
    whole = (*remote, "--image-id", IMAGE.hex(), "--program", program)
    assert quotary(*whole).json["reason"] == "CONFIGURATION_MISSING"
    monkeypatch.setenv("BONSAI_API_KEY", "canary")
    ran = quotary(*whole, "--url", "ftp://nowhere")
    assert (ran.code, ran.json["reason"]) == (6, "CONFIGURATION_INVALID")
    assert "canary" not in ran.out + ran.err


def without_waiting(**fixed: Any) -> Callable[..., RemoteProver]:
    """What makes a prover that does not wait between its questions, whatever it is told."""
    return lambda *given, **more: RemoteProver(*given, **{**more, "sleep": lambda _: None, **fixed})


def test_a_remote_prover_proves_once(
    quotary: Command,
    evidence: tuple[object, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The proof of a service is checked before it is kept; the same job again asks for nothing."""
    program, receipt = tmp_path / "guest.elf", tmp_path / "receipt.json"
    program.write_bytes(b"\x7fELF of the tests")
    monkeypatch.setenv("BONSAI_API_KEY", API_KEY)
    with serving(Service(proven_by_known_release)) as service:
        whole = (
            *("zk", "prove", *evidence, "--prover", "remote", "--jobs", tmp_path / "jobs"),
            *("--image-id", IMAGE.hex(), "--program", program, "--url", service.url, "--json"),
        )
        monkeypatch.setattr(zk, "RemoteProver", without_waiting())
        foreign = quotary(*whole)
        assert (foreign.code, foreign.json["reason"]) == (3, "PROVER_BROKEN_ANSWER")
        assert not receipt.exists()

        monkeypatch.setattr(zk, "RemoteProver", without_waiting(releases=(known_release(),)))
        proven = quotary(*whole)
        assert (proven.code, proven.json["proof_kind"]) == (0, "zk"), proven
        asked = len(service.requests)
        assert quotary(*whole).json == proven.json
        assert len(service.requests) == asked
        assert API_KEY not in proven.out + proven.err + receipt.read_text()
    kept = Receipt.from_json(receipt.read_bytes())
    assert kept.verify((known_release(),)) == known_release()
    assert kept.verdict().to_json() == proven.json["verdict"]
    away = quotary(*whole, "--jobs", tmp_path / "others")
    assert (away.code, away.json["reason"]) == (3, "PROVER_UNREACHABLE")


def proven_by_known_release(image: bytes, given: bytes) -> bytes:
    """What a service answers that proves under the key whose secrets we know."""
    journal = execute(given)
    seal = forged_seal(image, sha256(journal).digest())
    return bincode_receipt(seal[4:], journal, known_release().parameters_digest)


def test_registering_by_a_receipt(quotary: Command, world: World, tmp_path: Path) -> None:
    """Quote, prove, submit: three commands, as a proof takes longer than a worker waits."""
    deployed(quotary, world)
    admitted(quotary, world)
    registration, receipt = tmp_path / "registration.json", tmp_path / "receipt.json"
    ran = quotary(
        *("worker", "quote", world.worker, "--app", APP, *world.flags(), "--out", registration)
    )
    assert ran.code == 0, ran
    proven = quotary(
        *("zk", "prove", "--registration", registration, "--prover", "stub", "--at", str(NOW)),
        *("--collateral", world.folder / "collateral.json", "--root", world.folder / "root.der"),
        *("--out", receipt),
    )
    assert proven.code == 0, proven
    submit = ("worker", "submit", "--registration", registration, "--via", "zk", *world.flags())
    done = quotary(*submit, "--receipt", receipt, "--json")
    assert done.code == 0, done
    assert done.json["proof_kind"] == "stub"
    status = quotary("worker", "status", done.json["worker"], *world.reading, "--json").json
    assert (status["active"], status["proof_kind"]) == (True, "stub")

    document = json.loads(receipt.read_text())
    broken = tmp_path / "broken.json"
    broken.write_text(json.dumps({**document, "seal": document["seal"][:-2] + "00"}))
    refused = quotary(*submit, "--receipt", broken, "--json")
    assert (refused.code, refused.json["reason"]) == (1, "PROOF_INVALID")
    other = json.loads(registration.read_text())
    other["report_data"] = "0x" + "00" * 64
    broken.write_text(json.dumps(other))
    moved = quotary(
        *("worker", "submit", "--registration", broken, "--via", "zk", *world.flags()),
        *("--receipt", receipt, "--json"),
    )
    assert (moved.code, moved.json["reason"]) == (1, "BINDING_MISMATCH")
    for text in ("{}", "[]", "", json.dumps({**other, "worker": "0x00"})):
        broken.write_text(text)
        ran = quotary(
            *("worker", "submit", "--registration", broken, "--via", "zk", *world.flags()),
            *("--receipt", receipt, "--json"),
        )
        assert (ran.code, ran.json["reason"]) == (6, "FILE_UNREADABLE")


def test_a_receipt_without_its_registration_is_refused(
    quotary: Command, world: World, tmp_path: Path
) -> None:
    """A fresh quote is another quote: no receipt can be of it."""
    deployed(quotary, world)
    for more in (("--via", "zk"), ("--via", "committee")):
        ran = quotary(
            *("worker", "submit", world.worker, "--app", APP, *more, *world.flags()),
            *("--receipt", tmp_path / "receipt.json", "--json"),
        )
        assert (ran.code, ran.json["reason"]) == (6, "CONFIGURATION_MISSING")
