"""`quotary model`: from a folder of files to a model that results may name, and out again."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from quotary_bridge.chain.contracts import Model
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import model
from quotary_bridge.model import Bytes32

from tests.bridge.admission_world import AdmissionWorld, admission_world
from tests.bridge.test_cli import Command, runner

HOUR = 3600
FILES = {"model.safetensors": b"weights", "tokenizer.json": b"{}", "config.json": b"{ }"}
LICENCE = "https://example.org/licence"
GOVERNOR, GUARDIAN = (("--private-key", key) for key in WELL_KNOWN_KEYS[:2])


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((model,), capsys, monkeypatch)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AdmissionWorld, Path]]:
    """A deployment whose timelock makes things wait."""
    folder = tmp_path_factory.mktemp("models")
    with admission_world(folder, seed=7) as found:
        assert found.govern("GovernanceTimelock", "updateDelay", HOUR)
        yield found, folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's files."""
    for name, content in FILES.items():
        (tmp_path / name).write_bytes(content)
    return tmp_path


def expected(**named: str) -> Model:
    hashes = (Bytes32(sha256(content).digest()) for content in FILES.values())
    return Model(*hashes, named.get("name", ""), named.get("licence", ""))


def test_a_model_comes_and_goes(
    quotary: Command, world: tuple[AdmissionWorld, Path], folder: Path
) -> None:
    """Id, propose, wait, execute, show, revoke; what was revoked never comes back."""
    town, records = world
    chain = ("--rpc-url", town.node.url, "--deployments", records)
    found = quotary("model", "id", folder, "--name", "tiny", "--licence-uri", LICENCE, "--json")
    assert found.json["model_id"] == f"0x{expected().id.hex()}"
    manifest = folder / "manifest.json"
    manifest.write_text(json.dumps(found.json))
    assert quotary("model", "show", manifest, *chain).out.count("unknown") == 1

    dry = quotary("model", "propose", manifest, *chain, *GOVERNOR, "--dry-run", "--json")
    assert (dry.code, dry.json["sent"]) == (0, False)
    early = quotary("model", "execute", manifest, *chain, *GOVERNOR, "--json")
    assert (early.code, early.json["error"]["name"]) == (4, "TimelockUnexpectedOperationState")
    proposed = quotary("model", "propose", manifest, *chain, *GOVERNOR, "--json")
    assert (proposed.code, proposed.json["status"]) == (8, "proposed")
    told = quotary("model", "propose", manifest, *chain, *GOVERNOR)
    assert (told.code, "use execute in place of propose" in told.out) == (8, True)
    town.advance(proposed.json["executable_at"])
    executed = quotary("model", "execute", manifest, *chain, *GOVERNOR, "--json")
    assert (executed.code, executed.json["status"]) == (0, "admitted")
    known = quotary("model", "show", *chain, "--json").json["models"]
    (shown,) = (it for it in known if it["name"] == "tiny")  # the town has one of its own
    assert (shown["status"], shown["name"], shown["licence_uri"]) == ("admitted", "tiny", LICENCE)

    banned = quotary("model", "ban", folder, *chain, *GUARDIAN, "--json")
    assert (banned.code, banned.json["error"]["name"]) == (4, "WrongModelStatus")
    assert quotary("model", "revoke", folder, *chain, *GUARDIAN).code == 0
    again = quotary("model", "propose", manifest, *chain, *GOVERNOR, "--json")
    assert (again.code, again.json["error"]["name"]) == (4, "WrongModelStatus")
    other = f"0x{'7e' * 32}"
    assert quotary("model", "ban", other, *chain, *GUARDIAN).code == 0
    rows = quotary("model", "show", *chain, "--json").json["models"]
    ended = {row["model_id"] for row in rows if row["status"] == "revoked"}
    assert ended == {f"0x{expected().id.hex()}", other}


def test_the_guardian_admits_nothing(
    quotary: Command, world: tuple[AdmissionWorld, Path], folder: Path
) -> None:
    """Widening is the governor's alone."""
    town, records = world
    chain = ("--rpc-url", town.node.url, "--deployments", records)
    names = ("--name", "tiny", "--licence-uri", LICENCE)
    (folder / "config.json").write_text("another")
    refused = quotary("model", "propose", folder, *names, *chain, *GUARDIAN, "--json")
    assert (refused.code, refused.json["error"]["name"]) == (4, "AccessControlUnauthorizedAccount")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("no JSON", "it is no JSON object"),
        ("[1]", "it is no JSON object"),
        ("{}", "its weights_root is not 32 bytes"),
        (
            json.dumps(dict.fromkeys(("weights_root", "tokenizer_hash", "config_hash"), "0x12")),
            "its weights_root is not 32 bytes",
        ),
        (
            json.dumps(
                {
                    **dict.fromkeys(("weights_root", "tokenizer_hash", "config_hash"), "ab" * 32),
                    "name": 7,
                }
            ),
            "its name or licence_uri is no text",
        ),
        ("x" * 70_000, "of moderate size"),
        ("[" * 60_000, "it is no JSON object"),
    ],
)
def test_what_is_no_manifest_is_refused(
    quotary: Command, tmp_path: Path, text: str, complaint: str
) -> None:
    """It says what is missing, and what to do."""
    (tmp_path / "manifest.json").write_text(text)
    ran = quotary("model", "id", tmp_path / "manifest.json")
    assert ran.code == 6
    assert complaint in ran.err
    assert "quotary model id" in ran.err


def test_a_folder_without_its_files_is_refused(quotary: Command, folder: Path) -> None:
    """The file that is missing is named."""
    (folder / "tokenizer.json").unlink()
    ran = quotary("model", "id", folder)
    assert ran.code == 6
    assert "tokenizer.json: No such file" in ran.err


def test_a_model_without_a_licence_is_not_proposed(quotary: Command, folder: Path) -> None:
    """Before any node is asked."""
    ran = quotary("model", "propose", folder, "--name", "tiny", "--rpc-url", "http://127.0.0.1:1")
    assert ran.code == 6
    assert "--licence-uri" in ran.err
