"""`quotary workload`, `quotary chat` and `quotary aci` over files: output and exit codes."""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any

import pytest
from quotary.cli import main
from quotary.cli.workload import MAX_INPUT_BYTES

from tests.verifier.fetch.service import Service as CollateralService
from tests.verifier.fetch.service import serving
from tests.verifier.workloads import services
from tests.verifier.workloads.desk import Desk
from tests.verifier.workloads.guests import AT, Guest, app_compose, collateral, event, simulator
from tests.verifier.workloads.services import NONCE, Service


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def answer(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> tuple[int, dict[str, Any]]:
    code = main([*arguments, "--json"])
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, document


def codes(document: dict[str, Any], name: str) -> set[str]:
    return {statement["code"] for statement in document[name]}


def test_a_guest(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """One JSON object with the workload, both lists and the verdict."""
    guest = Guest(appended=(event("note", b"\x1b[31m"),))
    code, document = answer(capsys, [*desk.guest(guest), *desk.hardware])
    assert (code, document["ok"], document["hardware_checked"]) == (0, True, True)
    assert document["workload"]["images"][0]["pinned"] is True
    assert document["verdict"]["tee_type"] == "TDX"
    assert {"GENUINE_TEE", "EVENT_LOG", "IMAGES_PINNED"} <= codes(document, "proves")
    assert "OS_IDENTITY" in codes(document, "does_not_prove")


def test_text_lists_what_is_proven_and_what_is_not(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """And nothing an app logged reaches the terminal as a control character."""
    guest = Guest(appended=(event("\x1b[31mevil", b""),))
    assert main([*desk.guest(guest), *desk.hardware]) == 0
    out = capsys.readouterr().out
    assert "\nproven\n" in out
    assert "\nNOT proven\n" in out
    assert "\x1b" not in out


def test_without_hardware_nothing_is_verified(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said on both streams, in the exit code and in `ok`."""
    assert main([*desk.guest(Guest()), "--no-hardware"]) == 8
    streams = capsys.readouterr()
    assert "HARDWARE NOT CHECKED" in streams.out.splitlines()[0]
    assert "HARDWARE NOT CHECKED" in streams.err
    code, document = answer(capsys, [*desk.guest(Guest()), "--no-hardware"])
    assert (code, document["ok"], document["verdict"]) == (8, False, None)
    assert document["does_not_prove"][0]["code"] == "HARDWARE"


def test_refusals_name_their_reason(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 1, the catalogue's reason, and a remedy."""
    guest = Guest(compose=app_compose("services:\n  a:\n    image: acme/x:latest\n"))
    code, document = answer(capsys, [*desk.guest(guest), *desk.hardware])
    assert (code, document["ok"], document["reason"]) == (1, False, "IMAGE_NOT_PINNED")
    assert "acme/x:latest" in document["found"]
    assert document["remedy"]


@pytest.mark.parametrize(
    ("option", "value", "reason"),
    [
        ("--app-id", "00" * 20, "WORKLOAD_MISMATCH"),
        ("--key-provider", "none", "WORKLOAD_MISMATCH"),
        ("--rtmr2", "00" * 48, "MEASUREMENT_MISMATCH"),
        ("--report-data", "01" * 64, "REPORT_DATA_MISMATCH"),
    ],
)
def test_expectations_reach_the_rules(
    desk: Desk, capsys: pytest.CaptureFixture[str], option: str, value: str, reason: str
) -> None:
    """Every option demands what it says."""
    arguments = [*desk.guest(Guest()), *desk.hardware, option, value]
    code, document = answer(capsys, arguments)
    assert (code, document["reason"]) == (1, reason)


def test_a_chat(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """The exchange, the workload and the GPU as what it is: not verified."""
    arguments = [*desk.chat(), *desk.hardware]
    code, document = answer(capsys, [*arguments, "--nonce", NONCE.hex()])
    assert code == 0
    assert document["exchange"]["nonce"] == NONCE.hex()
    assert document["gpu"] == {"verified": False, "arch": "H", "devices": 1, "nonce": NONCE.hex()}
    assert {"GPU", "MODEL", "CALLER_HASH"} <= codes(document, "does_not_prove")
    assert "FRESHNESS" not in codes(document, "does_not_prove")
    code, document = answer(capsys, arguments)
    assert "FRESHNESS" in codes(document, "does_not_prove")
    code, document = answer(capsys, [*arguments, "--nonce", "00" * 32])
    assert (code, document["reason"]) == (1, "NONCE_MISMATCH")


def test_an_aci_exchange(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Identity, workload and receipt."""
    arguments = desk.aci(Service(), Service().receipt()) + desk.hardware
    code, document = answer(capsys, [*arguments, "--nonce", NONCE.hex()])
    assert code == 0
    assert document["identity"]["serving"] == "direct"
    assert document["receipt"]["receipt_id"] == "rcpt-1"
    assert {"KEYSET_BOUND", "FRESH", "RECEIPT_SIGNED"} <= codes(document, "proves")


@pytest.mark.parametrize("body", ["request", "response"])
@pytest.mark.parametrize("command", ["aci", "chat"])
def test_a_body_too_long_is_not_hashed_in_part(
    desk: Desk, capsys: pytest.CaptureFixture[str], command: str, body: str
) -> None:
    """Nor is the service blamed for a hash of what the file begins with."""
    given = desk.chat() if command == "chat" else desk.aci(Service(), Service().receipt())
    given[given.index(f"--{body}") + 1] = desk.put(body, b" " * (MAX_INPUT_BYTES + 1))
    code, document = answer(capsys, [*given, *desk.hardware, "--nonce", NONCE.hex()])
    assert (code, document["reason"]) == (2, "INPUT_TOO_LARGE")


def test_an_aci_exchange_behind_an_aggregator(
    desk: Desk, capsys: pytest.CaptureFixture[str]
) -> None:
    """The session is demanded, verified, and may be pinned."""
    record = services.session()
    cited = services.session_id(record)
    service = Service(serving="aggregator")
    receipt = service.receipt(event_log=services.events(services.verified(cited)))
    arguments = [*desk.aci(service, receipt), *desk.hardware, "--nonce", NONCE.hex()]
    code, document = answer(capsys, arguments)
    assert (code, document["reason"]) == (1, "SESSION_MISSING")
    arguments += ["--session", desk.put("session.json", record)]
    code, document = answer(capsys, [*arguments, "--session-id", cited])
    assert (code, document["session"]["session_id"]) == (0, cited)
    code, document = answer(capsys, [*arguments, "--session-id", "00" * 32])
    assert (code, document["reason"]) == (1, "SESSION_MISMATCH")


def test_an_aci_identity_alone(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """A report needs no receipt, but a nonce, or the admission that there was none."""
    arguments = ["aci", "verify", "--report", desk.put("r", Service(nonce=None).report())]
    arguments += desk.hardware
    assert main(arguments) == 2
    assert "--unchallenged" in capsys.readouterr().err
    code, document = answer(capsys, [*arguments, "--unchallenged"])
    assert code == 0
    assert "FRESHNESS" in codes(document, "does_not_prove")


@pytest.mark.parametrize(
    "arguments",
    [
        ["workload", "verify", "missing.json", "--no-hardware"],
        ["workload", "verify", "x.json"],
        ["workload", "verify", "x.json", "--no-hardware", "--collateral", "c.json"],
        ["workload", "verify", "x.json", "--no-hardware", "--app-id", "12"],
        ["workload", "verify", "x.json", "--no-hardware", "--app-id", "zz" * 20],
        ["chat", "verify", "--no-hardware", "--request", "x"],
        ["aci", "verify", "--no-hardware"],
        [
            "aci",
            "verify",
            "--no-hardware",
            "--report",
            __file__,
            "--unchallenged",
            "--request",
            "x",
        ],
        ["aci", "verify", "--no-hardware", "--url", "https://x", "--receipt", "x"],
        [
            "chat",
            "verify",
            "--no-hardware",
            "--url",
            "https://x",
            "--request",
            "x",
            "--report",
            "x",
        ],
        ["aci", "verify", "--no-hardware", "--report", "r", "--unchallenged", "--receipt", "x"],
    ],
)
def test_wrong_use_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """With a sentence on standard error."""
    assert main(arguments) == 2
    assert capsys.readouterr().err.startswith("quotary: ")


def test_without_a_yaml_parser_no_image_is_judged(
    desk: Desk, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exit code 6 and the extra to install: a missing package never weakens a check."""
    monkeypatch.setitem(sys.modules, "yaml", None)
    code, document = answer(capsys, [*desk.guest(Guest()), *desk.hardware])
    assert (code, document["reason"]) == (6, "EXTRA_MISSING")
    assert "quotary[dstack]" in document["remedy"]


def judged(desk: Desk, command: str) -> list[str]:
    """Evidence in order for one of the commands that judge a quote, hardware options left out."""
    if command == "workload":
        return desk.guest(Guest())
    if command == "chat":
        return desk.chat()
    return [*desk.aci(Service(), Service().receipt()), "--nonce", NONCE.hex()]


every_command = pytest.mark.parametrize("command", ["workload", "chat", "aci"])


@every_command
def test_a_policy_file_judges_the_hardware(
    desk: Desk, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """As in `quote verify`: accepted, refused for its reason, unreadable, or contradictory."""
    arguments = judged(desk, command)
    any_td = desk.put("any.toml", b'version = 1\n[expect]\ntee_types = ["TDX"]\n')
    code, document = answer(capsys, [*arguments, *desk.hardware, "--policy", any_td])
    assert (code, document["hardware_checked"]) == (0, True)
    other = desk.put("other.toml", f'version = 1\n[td]\nmr_td = "{"5a" * 48}"\n'.encode())
    code, document = answer(capsys, [*arguments, *desk.hardware, "--policy", other])
    assert (code, document["reason"], document["item"]) == (1, "MEASUREMENT_MISMATCH", "mr_td")
    wrong = desk.put("wrong.toml", b"version = 2\n")
    code, document = answer(capsys, [*arguments, *desk.hardware, "--policy", wrong])
    assert (code, document["reason"]) == (6, "POLICY_INVALID")
    for contradiction in (
        [*desk.hardware, "--policy", any_td, "--allow-status", "OutOfDate"],
        ["--no-hardware", "--policy", any_td],
        ["--no-hardware", "--allow-status", "OutOfDate"],
    ):
        code, document = answer(capsys, [*arguments, *contradiction])
        assert (code, document["reason"]) == (2, "USAGE")


@every_command
def test_unreachable_collateral_is_exit_code_3(
    desk: Desk, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    """The evidence is not blamed for the network."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        pccs = f"http://127.0.0.1:{unused.getsockname()[1]}"
    code, document = answer(capsys, [*judged(desk, command), "--fetch", "--pccs", pccs])
    assert (code, document["reason"]) == (3, "FETCH_FAILED")
    assert document["remedy"]


def test_a_pccs_over_plain_http_is_refused(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing was asked, so it is a matter of configuration."""
    arguments = [*desk.guest(Guest()), "--fetch", "--pccs", "http://pccs.example"]
    code, document = answer(capsys, arguments)
    assert (code, document["reason"]) == (6, "TLS_REQUIRED")


def test_collateral_can_be_fetched(desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    """From a PCCS, for the very platform that made the quote."""
    pccs = CollateralService(pccs=True)
    pccs.publish(collateral())
    trust = ["--root", desk.put("root.der", simulator().root_der), "--at", AT.isoformat()]
    with serving(pccs):
        arguments = [*desk.guest(Guest()), "--fetch", "--pccs", pccs.url, *trust]
        code, document = answer(capsys, arguments)
    assert (code, document["hardware_checked"]) == (0, True)
