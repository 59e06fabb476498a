"""The command line: what it prints, where, and its exit codes."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from quotary import CollateralError, QuotaryError, Reason, VerificationError
from quotary.cli import main
from quotary.cli.output import CommandError, ExitCode, exit_code_of, visible
from quotary.fetch import FetchError
from quotary_enclave.simulator import Scenario, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS

from tests.verifier.fetch.service import Service, serving
from tests.verifier.genuine import pick

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"cli"))


@dataclass(frozen=True)
class Files:
    """Evidence written to files, and the arguments that verify it."""

    quote: Path
    collateral: Path
    root: Path

    @property
    def arguments(self) -> list[str]:
        """A complete verification."""
        return [
            "quote",
            "verify",
            str(self.quote),
            "--collateral",
            str(self.collateral),
            "--root",
            str(self.root),
            "--at",
            AT.isoformat(),
        ]


def written(folder: Path, scenario: Scenario) -> Files:
    """Mint and write."""
    evidence = scenario.mint()
    files = Files(folder / "quote.bin", folder / "collateral.json", folder / "root.der")
    files.quote.write_bytes(evidence.quote)
    files.collateral.write_text(json.dumps(evidence.collateral), encoding="utf-8")
    files.root.write_bytes(evidence.root_der)
    return files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Good TDX evidence."""
    return written(tmp_path, SAMPLES["td10-v4-platform"])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command."""
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def as_json(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    """Exit code and the one JSON object, with nothing beside it."""
    code, out, err = run(capsys, *arguments, "--json")
    assert err == ""
    assert out.count("\n") == 1
    return code, json.loads(out)


def test_verify_reports_success(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, the verdict in JSON and as text."""
    code, shown = as_json(capsys, *files.arguments)
    assert code == 0
    assert shown["ok"] is True
    assert shown["tcb_status"] == "UpToDate"
    assert shown["advisories"] == []
    assert len(shown["fmspc"]) == 12
    assert len(shown["report_data"]) == 128
    assert "mr_td" in shown["measurement"]
    code, out, err = run(capsys, *files.arguments)
    assert (code, err) == (0, "")
    assert "genuine TDX quote, TCB UpToDate" in out
    assert shown["measurement"]["mr_td"] in out


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("td-debug-0", 1),
        ("quote-signature-flipped", 1),
        ("pck-expired", 1),
        ("tcb-info-expired", 7),
        ("pck-crl-expired", 7),
        ("tcb-signing-expired", 7),
    ],
)
def test_verify_reports_refusals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, expected: int
) -> None:
    """Exit code 1, or 7 for what is stale; reason and remedy on stderr, or all in JSON."""
    fault = FAULTS[name]
    files = written(tmp_path, fault.deviate(SAMPLES["td10-v4-platform"]))
    code, shown = as_json(capsys, *files.arguments)
    assert (code, shown["ok"], shown["reason"]) == (expected, False, fault.reason)
    assert (shown["schema_version"], shown["exit_code"]) == (1, expected)
    assert {"item", "expected", "found", "remedy"} < set(shown)
    code, out, err = run(capsys, *files.arguments)
    assert (code, out) == (expected, "")
    assert err.count("\n") == 1
    assert str(fault.reason) in err


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (FetchError(Reason.FETCH_FAILED, "TCB info"), 3),
        (FetchError(Reason.TLS_UNTRUSTED, "TCB info"), 3),
        (FetchError(Reason.TLS_REQUIRED, "base_url"), 6),
        (FetchError(Reason.HOST_NOT_ALLOWED, "base_url"), 6),
        (CollateralError(Reason.CRL_EXPIRED, "pck_crl"), 7),
        (CollateralError(Reason.COLLATERAL_ROLLBACK, "tcb_info"), 7),
        (CollateralError(Reason.CACHE_EMPTY, "cache"), 7),
        (CollateralError(Reason.CRL_SIGNATURE_INVALID, "pck_crl"), 1),
        (VerificationError(Reason.COLLATERAL_ROLLBACK, "evaluation number"), 1),
        (VerificationError(Reason.CERT_EXPIRED, "PCK certificate"), 1),
        (CommandError(ExitCode.REVERTED, "REVERTED", "call"), 4),
    ],
)
def test_one_table_of_exit_codes(error: QuotaryError | CommandError, code: int) -> None:
    """What an error says decides, not the command it ends: bridge and verifier share the table."""
    assert exit_code_of(error) == code


def test_collateral_can_be_fetched(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Verified and explained with what a PCCS delivers; its absence is exit code 3."""
    pccs = Service(pccs=True)
    pccs.publish(json.loads(files.collateral.read_text()))
    given = files.arguments.index("--collateral")
    base = [*files.arguments[:given], *files.arguments[given + 2 :], "--fetch", "--pccs"]
    with serving(pccs):
        code, shown = as_json(capsys, *base, pccs.url)
        assert (code, shown["ok"]) == (0, True)
        code, shown = as_json(capsys, *base, pccs.url, "--explain")
        assert (code, shown["ok"]) == (0, True)
    code, shown = as_json(capsys, *base, pccs.url)
    assert (code, shown["reason"]) == (3, "FETCH_FAILED")
    code, shown = as_json(capsys, *files.arguments, "--pccs-ca-file", "ca.pem")
    assert (code, shown["reason"]) == (2, "USAGE")


def test_stale_collateral_has_its_own_code(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """After the window 7, before it 1."""
    base = files.arguments[:-1]
    code, shown = as_json(capsys, *base, "2036-01-01T00:00:00Z")
    assert (code, shown["reason"].endswith("_EXPIRED")) == (7, True)
    code, shown = as_json(capsys, *base, "1970-01-02T00:00:00Z")
    assert code == 1
    assert shown["reason"].endswith("NOT_YET_VALID")


def test_statuses_policy_and_no_policy(shared: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An outdated platform: refused, allowed by name, or reported without a policy."""
    case = pick(shared, "tdx", "OutOfDate")
    base = ["quote", "verify", str(case.quote_path), "--collateral", str(case.collateral_path)]
    base += ["--at", str(int(case.at.timestamp()))]
    code, shown = as_json(capsys, *base)
    assert (code, shown["reason"]) == (1, "TCB_STATUS_NOT_ALLOWED")
    assert (shown["expected"], shown["found"]) == ("UpToDate", "OutOfDate")
    code, shown = as_json(capsys, *base, "--allow-status", "OutOfDate")
    assert (code, shown["tcb_status"]) == (0, "OutOfDate")
    assert shown["advisories"] == case.expected["advisories"]
    code, shown = as_json(capsys, *base, "--no-policy")
    assert (code, shown["tcb_status"]) == (0, "OutOfDate")
    code, shown = as_json(capsys, *base, "--no-policy", "--allow-status", "OutOfDate")
    assert (code, shown["reason"]) == (2, "USAGE")


def test_quotes_come_in_every_encoding_and_from_stdin(files: Files) -> None:
    """Raw, hex and base64, through a pipe, in a process of its own."""
    raw = files.quote.read_bytes()
    for content in (raw, raw.hex().encode(), base64.encodebytes(raw)):
        arguments = ["-" if each == str(files.quote) else each for each in files.arguments]
        done = subprocess.run(
            [sys.executable, "-m", "quotary", *arguments, "--json"],
            input=content,
            capture_output=True,
            check=False,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["ok"] is True


def test_inspect_verifies_nothing_and_says_so(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fields as JSON and as text; a malformed quote is evidence rejected."""
    code, shown = as_json(capsys, "quote", "inspect", str(files.quote))
    assert (code, shown["verified"], shown["version"]) == (0, False, 4)
    assert len(shown["body"]["mr_td"]) == 96
    code, out, _ = run(capsys, "quote", "inspect", str(files.quote))
    assert code == 0
    assert "nothing verified" in out
    files.quote.write_bytes(b"\x09\0" + bytes(2000))
    code, shown = as_json(capsys, "quote", "inspect", str(files.quote))
    assert (code, shown["reason"]) == (1, "UNSUPPORTED_QUOTE_VERSION")


def test_inspect_shows_the_fields_of_td_15ex(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Later fields appear where the quote has them."""
    later = written(tmp_path, SAMPLES["td15ex-v5-platform"])
    _, shown = as_json(capsys, "quote", "inspect", str(later.quote))
    assert {"tee_tcb_svn2", "mr_service_td", "td_id", "init_tee_fmspc"} <= set(shown["body"])


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["quote"],
        ["quote", "inspect"],
        ["quote", "inspect", "does/not/exist"],
        ["quote", "inspect", "."],
        ["quote", "inspect", "bad\0name"],
        ["quote", "verify", "-", "--collateral", "-"],
        ["quote", "verify", "x", "--collateral", "y", "--at", "yesterday"],
        ["quote", "verify", "x", "--collateral", "y", "--at", "2025-01-01T00:00:00"],
        ["quote", "verify", "x", "--collateral", "y", "--at", "9" * 30],
        ["quote", "verify", "x", "--collateral", "y", "--allow-status", "Revoked"],
        ["no-such-command"],
    ],
)
def test_usage_errors(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 2, one line on stderr; with --json one object on stdout."""
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err.startswith("quotary: ")
    assert err.count("\n") == 1
    code, shown = as_json(capsys, *arguments)
    assert (code, shown["ok"]) == (2, False)


def test_a_root_that_is_none_is_a_configuration_error(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 6: the evidence was not judged."""
    files.root.write_bytes(b"no certificate")
    code, shown = as_json(capsys, *files.arguments)
    assert (code, shown["reason"]) == (6, "ROOT_INVALID")


def test_intels_root_is_the_default(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """Simulated evidence is worth nothing without naming its root."""
    arguments = [each for each in files.arguments if each not in ("--root", str(files.root))]
    code, shown = as_json(capsys, *arguments)
    assert (code, shown["ok"]) == (1, False)


def test_control_characters_never_reach_the_terminal(
    files: Files, capsys: pytest.CaptureFixture[str]
) -> None:
    """What collateral or a file name says is escaped."""
    assert visible("a\x1b[31m\r\n\x00é\u202e") == "a\\x1b[31m\\r\\n\\x00\\xe9\\u202e"
    text = files.collateral.read_text(encoding="utf-8")
    collateral = json.loads(text) | {"\x1b[2Jx": ""}
    files.collateral.write_text(json.dumps(collateral), encoding="utf-8")
    _, out, err = run(capsys, *files.arguments)
    assert "\x1b" not in out + err
    _, out, err = run(capsys, "quote", "inspect", "\x1b[2J")
    assert "\x1b" not in out + err


def test_help_and_version(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0, and the exit codes are documented where they are looked for."""
    code, out, _ = run(capsys, "--help")
    assert code == 0
    assert "7 stale collateral" in out
    code, out, _ = run(capsys, "quote", "verify", "--help")
    assert code == 0
    assert "--no-policy" in out
    code, out, _ = run(capsys, "--version")
    assert (code, out[:8]) == (0, "quotary ")


PLUGIN = """
def register(subparsers):
    parser = subparsers.add_parser("greet", help="says hello")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("name")
    parser.set_defaults(run=run)

def run(args):
    if args.name == "nobody":
        raise RuntimeError("nobody is there")
    print(f"hello {args.name}")
    return 4
"""


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package with one command, and one whose dependency is missing, both really installed."""
    (tmp_path / "greeting_plugin.py").write_text(PLUGIN, encoding="utf-8")
    (tmp_path / "quotary_needy.py").write_text("import no_such_package\n", encoding="utf-8")
    info = tmp_path / "greeting-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Name: greeting\nVersion: 1\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(
        "[quotary.commands]\ngreet = greeting_plugin:register\nneedy = quotary_needy:register\n"
        "[quotary.commands.collateral]\ngreet = greeting_plugin:register\n",
        encoding="utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))


@pytest.mark.usefixtures("plugin")
def test_other_packages_add_commands(capsys: pytest.CaptureFixture[str]) -> None:
    """Their commands run, their defects become a sentence, and help lists them."""
    assert run(capsys, "greet", "you")[:2] == (4, "hello you\n")
    code, out, err = run(capsys, "greet", "nobody")
    assert (code, out) == (1, "")
    assert "INTERNAL_ERROR" in err
    assert "Traceback" not in err
    assert "greet" in run(capsys, "--help")[1]


@pytest.mark.usefixtures("plugin")
def test_other_packages_add_to_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Theirs stand beside ours, in help and completion too."""
    assert run(capsys, "collateral", "greet", "you")[:2] == (4, "hello you\n")
    assert run(capsys, "collateral", "show", "--file", "nowhere.json")[0] == 2
    listed = run(capsys, "collateral", "--help")[1]
    assert "greet" in listed
    assert "watch" in listed
    assert "greet" in run(capsys, "completion", "bash")[1]


@pytest.mark.usefixtures("plugin")
def test_commands_without_their_extra_say_which(capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 6 and the line to install, whatever the arguments."""
    code, out, err = run(capsys, "needy", "run", "--flag", "value")
    assert (code, out) == (6, "")
    assert "pip install 'quotary[" in err
    code, shown = as_json(capsys, "needy")
    assert (code, shown["reason"]) == (6, "EXTRA_MISSING")
