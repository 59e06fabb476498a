"""`quotary policy` on a chain: who falls out and when, before it happens and as it happens."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import pytest
from quotary import TcbStatus
from quotary.cli import policy as offline
from quotary.cli.output import CommandError
from quotary_bridge.admission.policy_file import (
    differences,
    parse_rules,
    rules_in_words,
    subject_in_words,
    subject_of,
)
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts.policy import PolicyRules
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import audit, policy, policy_bars
from quotary_bridge.errors import ConfigurationError, Reason

from tests.bridge.admission_world import (
    APPS,
    DAY,
    GUARDIAN,
    WORKERS,
    AdmissionWorld,
    admission_world,
)
from tests.bridge.test_cli import ROOT, Command, free_port, runner

APP = f"0x{APPS[0].hex()}"
HOUR = 3600
# What the deployment's own policy takes.
DEFAULT = tuple(TcbStatus)[:4]
STRICT = 'version = 1\nstatuses = ["UpToDate"]\ngrace_days = { SWHardeningNeeded = 3 }\n'


def _register(commands: object) -> None:
    """`quotary policy` as the program puts it together."""
    assert hasattr(commands, "add_parser")
    group = offline.register(commands)  # type: ignore[arg-type]
    policy.extend_simulate(group)
    for add in (
        policy.register_show,
        policy.register_diff,
        policy.register_propose,
        policy.register_execute,
        policy_bars.register_bar,
        policy_bars.register_lift,
    ):
        add(group)


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((SimpleNamespace(register=_register),), capsys, monkeypatch)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AdmissionWorld, Path]]:
    """Two dozen workers' worth of registrations, and a timelock that makes things wait."""
    folder = tmp_path_factory.mktemp("policy")
    with admission_world(folder, seed=5) as found:
        for number in range(len(WORKERS)):
            # Each app has every second worker, so two in a row are of one status.
            assert found.settle(number, DEFAULT[number // 2 % len(DEFAULT)])
        found.advance(found.now + HOUR)
        assert found.govern("GovernanceTimelock", "updateDelay", HOUR)
        yield found, folder


def test_a_policy_is_proposed_in_sight_of_its_victims(
    quotary: Command, world: tuple[AdmissionWorld, Path], tmp_path: Path
) -> None:
    """Show, diff, simulate, propose, wait, execute: everybody falls as was foretold."""
    town, records = world
    file = tmp_path / "policy.toml"
    file.write_text(STRICT)
    chain = ("--rpc-url", town.node.url, "--deployments", records)
    subject = ("--app", APP, *chain)
    shown = quotary("policy", "show", *subject, "--json").json
    assert (shown["version"], shown["rules"]["platforms"]) == (0, "any")
    changes = quotary("policy", "diff", file, *subject, "--json").json["changes"]
    assert changes["statuses"]["proposed"] == "UpToDate"
    assert set(changes) == {"statuses", "proof_kinds", "grace_days"}

    simulated = quotary("policy", "simulate", file, *subject, "--json")
    assert simulated.code == 0, simulated
    at = simulated.json["takes_effect_at"]
    assert at == town.chain.head().timestamp + HOUR
    falling = [row for row in simulated.json["workers"] if row["falls_at"] is not None]
    assert {row["falls_for"] for row in falling} == {"TcbStatusNotAccepted"}
    # The last second of no grace at all is the one in which the version is published.
    assert {row["falls_at"] for row in falling} == {at + 1, at + 3 * DAY + 1}
    told = quotary("policy", "simulate", file, *subject).out
    assert f"{len(falling)} fall, 0 come back" in told
    assert "falls at once: TcbStatusNotAccepted" in told
    soon = quotary("policy", "simulate", file, *subject, "--until", at + 1, "--json").json[
        "workers"
    ]
    assert all(row["falls_at"] in (None, at + 1) for row in soon)

    account = ("--private-key", WELL_KNOWN_KEYS[0])
    dry = quotary("policy", "propose", file, *subject, *account, "--dry-run", "--json")
    assert (dry.code, dry.json["sent"]) == (0, False)
    early = quotary("policy", "execute", file, *subject, *account, "--json")
    assert (early.code, early.json["error"]["name"]) == (4, "TimelockUnexpectedOperationState")
    proposed = quotary("policy", "propose", file, *subject, *account)
    assert proposed.code == 8, proposed
    assert proposed.out.index("falls at once") < proposed.out.index("waits")
    again = quotary("policy", "propose", file, *subject, *account, "--json")
    assert (again.code, again.json["transactions"]) == (8, [])
    waiting = quotary("policy", "execute", file, *subject, *account, "--json")
    assert waiting.code == 4
    town.advance(again.json["executable_at"])
    executed = quotary("policy", "execute", file, *subject, *account, "--json")
    assert executed.code == 0, executed

    head = quotary("policy", "show", *subject, "--json").json
    assert (head["version"], head["rules"]["statuses"]) == (1, "UpToDate")
    shift = head["published_at"] - executed.json["takes_effect_at"]
    for row in executed.json["workers"]:
        if row["falls_at"] is not None:
            falls_at = row["falls_at"] + shift
            assert (
                town.workers.active_at(row["worker"], APPS[0], falls_at).reason
                == (row["falls_for"])
            )
            if row["falls_at"] > executed.json["takes_effect_at"]:
                assert town.workers.active_at(row["worker"], APPS[0], falls_at - 1).active
    assert "the last grace ends" in quotary("policy", "show", *subject).out
    assert quotary("policy", "diff", file, *subject).out == "nothing would change\n"
    town.send(1, "TcbPolicy", "bar", APPS[0], b"\1" * 32)
    assert "for this app" in quotary("policy", "show", *subject).out


def test_the_guardian_bars_at_once_and_the_governor_lifts_later(
    quotary: Command, world: tuple[AdmissionWorld, Path]
) -> None:
    """A worker counts until the bar, and again once the timelock's delay has passed."""
    town, records = world
    every = ("--every-app", "--rpc-url", town.node.url, "--deployments", records)
    guardian = ("--private-key", WELL_KNOWN_KEYS[GUARDIAN])
    proposer = ("--private-key", WELL_KNOWN_KEYS[0])
    chain = every[1:]
    worker = next(each for each in WORKERS if town.workers.worker_of(each).app_id == APPS[0])
    before = town.workers.check_active(worker, APPS[0]).reason
    assert before != "SubjectDenied"

    stranger = quotary(
        "policy", "bar", worker, *every, "--private-key", WELL_KNOWN_KEYS[5], "--json"
    )
    assert (stranger.code, stranger.json["error"]["name"]) == (4, "Unauthorized")
    dry = quotary("policy", "bar", worker, *every, *guardian, "--dry-run", "--json")
    assert (dry.code, dry.json["sent"]) == (0, False)
    assert town.workers.check_active(worker, APPS[0]).reason == before
    barred = quotary("policy", "bar", worker, *every, *guardian)
    assert (barred.code, barred.out.splitlines()[0]) == (
        0,
        f"barred       {worker.lower()} for every app",
    )
    assert town.workers.check_active(worker, APPS[0]).reason == "SubjectDenied"
    shown = quotary("policy", "show", "--app", APP, *chain).out
    assert f"{worker.lower()} for every app" in shown
    again = quotary("policy", "bar", worker, *every, *guardian, "--json")
    assert (again.code, again.json["error"]["name"]) == (4, "SubjectUnchanged")

    lift = ("policy", "lift", worker, *every, *proposer, "--json")
    proposed = quotary(*lift)
    assert (proposed.code, proposed.json["status"]) == (8, "proposed")
    assert town.workers.check_active(worker, APPS[0]).reason == "SubjectDenied"
    town.advance(proposed.json["executable_at"])
    lifted = quotary(*lift)
    assert (lifted.code, lifted.json["status"]) == (0, "lifted")
    assert town.workers.check_active(worker, APPS[0]).reason == before


@pytest.mark.parametrize(
    ("name", "head", "words"),
    [
        ("INTEL-SA-00837", b"INTEL-SA-00837", "INTEL-SA-00837"),
        ("50806F000000", bytes.fromhex("50806f000000"), "50806f000000"),
        ("0x" + "1f" * 20, b"\x1f" * 20, "0x" + "1f" * 20),
        ("1f" * 32, b"\x1f" * 32, "1f" * 32),
        ("Committee", bytes(31) + b"\3", "Committee"),
    ],
)
def test_what_is_barred_has_a_name(name: str, head: bytes, words: str) -> None:
    """Left aligned, but for kinds of proof, which are numbers; and back to words."""
    found = subject_of(name)
    assert found == head.ljust(32, b"\0")
    assert subject_in_words(found) == words


@pytest.mark.parametrize("name", ["", "None", "committee", "0x12", "zz" * 6, "INTEL-" + "9" * 27])
def test_what_names_nothing_is_wrong_usage(quotary: Command, name: str) -> None:
    """Nothing is sent that would bar nobody."""
    assert subject_of(name) is None
    with pytest.raises(SystemExit, match="2"):
        quotary("policy", "bar", name, "--every-app")


def test_without_an_app_quotes_are_simulated(quotary: Command, tmp_path: Path) -> None:
    """The offline command is what it was, and says what it lacks."""
    (tmp_path / "policy.toml").write_text("version = 1\n")
    with pytest.raises(CommandError) as caught:
        quotary("policy", "simulate", tmp_path / "policy.toml")
    assert "--quotes and --collateral, or --app" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("version = 1", "statuses is missing"),
        ('statuses = ["UpToDate"]', "version is not 1"),
        ("version = 2", "version is not 1"),
        ("version = ", "is no TOML"),
        ("\xff", "is no TOML"),
        ('version = 1\nstatus = ["UpToDate"]', "status is not among"),
        ('version = 1\n[tcb]\nstatuses = ["UpToDate"]', "tcb is not among"),
        ("version = 1\nstatuses = []", "statuses is empty"),
        ('version = 1\nstatuses = ["Revoked"]', "names 'Revoked'"),
        ('version = 1\nstatuses = ["UpToDate", "UpToDate"]', "names something twice"),
        ("version = 1\nstatuses = 3", "statuses is no list"),
        ("BASE\nproof_kinds = ['Faith']", "names 'Faith'"),
        ("BASE\nproof_kinds_needed = 0", "leave it out"),
        ("BASE\nproof_kinds_needed = 5", "no whole number"),
        ("BASE\nproof_kinds_needed = 4", "more than the kinds"),
        ("BASE\nworkers_per_platform = 0", "leave it out"),
        ("BASE\nworkers_per_platform = 9", "no whole number"),
        ("BASE\nminimum_evaluation = -1", "no whole number"),
        ("BASE\nminimum_evaluation = true", "no whole number"),
        ("BASE\nmaximum_age_days = 0", "leave it out"),
        ("BASE\nattributes_forbidden = '00'", "not 8 bytes"),
        ("BASE\ngrace_days = 3", "no table"),
        ("BASE\ngrace_days = { OutOfDate = 91 }", "grace_days.OutOfDate is no whole number"),
        ("BASE\ngrace_days = { Lost = 9 }", "names 'Lost'"),
        ("BASE\ndenied = ['SA-1']", "not 32 bytes"),
        ("BASE\nplatforms = ['50806f000000']", "not 32 bytes"),
        (f"BASE\ndenied = {[f'INTEL-SA-{n:05}' for n in range(129)]}", "more than 128"),
    ],
)
def test_a_wrong_policy_file_is_one_clear_line(
    quotary: Command, tmp_path: Path, text: str, complaint: str
) -> None:
    """The key that is wrong is named before any chain is asked."""
    file = tmp_path / "policy.toml"
    file.write_text(text.replace("BASE", 'version = 1\nstatuses = ["UpToDate"]'), "latin-1")
    ran = quotary("policy", "diff", file, "--app", "a", "--rpc-url", "http://127.0.0.1:1", "--json")
    assert (ran.code, ran.json["reason"]) == (6, Reason.POLICY_INVALID)
    assert complaint in ran.json["message"]


def test_the_page_shows_a_policy_file() -> None:
    """Its example has every key."""
    page = (ROOT / "docs" / "governance.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    rules = parse_rules(example.encode())
    assert all(getattr(rules, field.name) for field in fields(rules))
    assert any(rules.forbidden_attributes)
    assert any(rules.graces)


def test_a_policy_file_says_everything_a_policy_can() -> None:
    """Every key, read and told back."""
    rules = parse_rules(
        b"""
        version = 1
        statuses = ["UpToDate", "OutOfDate"]
        proof_kinds = ["Committee", "OnChain"]
        proof_kinds_needed = 2
        workers_per_platform = 3
        minimum_evaluation = 17
        maximum_age_days = 30
        attributes_forbidden = "0x0200000000000000"
        grace_days = { SWHardeningNeeded = 7, TDRelaunchAdvised = 90 }
        denied = ["INTEL-SA-00837", "50806f000000", "0x%s"]
        platforms = ["%s"]
        """
        % (b"ab" * 32, b"cd" * 32)
    )
    assert rules == PolicyRules(
        accepted_statuses=0b10_0010,
        accepted_kinds=0b1010,
        kinds_needed=2,
        workers_per_platform=3,
        min_evaluation_number=17,
        max_collateral_age=30 * DAY,
        forbidden_attributes=bytes.fromhex("0200000000000000"),
        graces=(0, 7 * DAY, 0, 0, 0, 0, 90 * DAY, 0),
        denied=(
            b"INTEL-SA-00837".ljust(32, b"\0"),
            bytes.fromhex("50806f000000").ljust(32, b"\0"),
            b"\xab" * 32,
        ),
        platforms=(b"\xcd" * 32,),
    )
    words = rules_in_words(rules)
    assert words["denied"] == f"50806f000000, INTEL-SA-00837, {'ab' * 32}"
    assert words["grace_days"] == "SWHardeningNeeded 7, TDRelaunchAdvised 90"
    assert differences(rules, rules) == {}
    with pytest.raises(ConfigurationError):
        parse_rules(b"\xff\xfe")


@pytest.mark.parametrize(
    ("place", "code", "reason"),
    [("CLOSED", 3, Reason.RPC_UNREACHABLE), ("NODE", 6, Reason.DEPLOYMENT_MISSING)],
)
@pytest.mark.parametrize("verb", [("policy", "show", "--app", "a"), ("audit", "rebuild")])
def test_a_missing_chain_or_record_is_one_clear_line(  # noqa: PLR0917 (fixtures and cases)
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    anvil: AnvilNode,
    tmp_path: Path,
    verb: tuple[str, ...],
    place: str,
    code: int,
    reason: Reason,
) -> None:
    """Neither a traceback nor an empty answer."""
    quotary = runner((SimpleNamespace(register=_register), audit), capsys, monkeypatch)
    url = anvil.url if place == "NODE" else f"http://127.0.0.1:{free_port()}"
    chain = ("--rpc-url", url, "--deployments", tmp_path)
    ran = quotary(*verb, *chain, "--json")
    assert (ran.code, ran.json["reason"]) == (code, reason)
    told = quotary(*verb, *chain)
    assert (told.code, told.out, told.err.count("\n")) == (code, "", 1)
