"""The commands: what they print, how they exit, and one whole path from deployment to answer."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from eth_account import Account
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import deploy, doctor, measurement, model, relay, request, worker
from quotary_bridge.errors import Reason
from quotary_enclave.simulator import Simulator

from tests.bridge.conftest import ScriptedNode

ROOT = Path(__file__).resolve().parents[2]
KEYS = WELL_KNOWN_KEYS
SEED = "the bridge's command line"
APP = "council"
# Chain, worker and collateral all live in this second and after: no test reads a clock.
NOW = 1_795_000_000


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one object on stdout."""
        document: dict[str, Any] = json.loads(self.out)
        assert document["schema_version"] == 1
        return document


Command = Callable[..., Ran]
COMMANDS = (deploy, doctor, measurement, model, relay, request, worker)


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run a command in this process, without the environment of whoever runs the tests."""
    return runner(COMMANDS, capsys, monkeypatch)


def runner(
    modules: Iterable[Any], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Run commands of `modules`."""
    for name in [name for name in os.environ if name.startswith(("ETH_", "QUOTARY_DEPLOY"))]:
        monkeypatch.delenv(name)
    parser = ArgumentParser(prog="quotary")
    commands = parser.add_subparsers(required=True)
    for module in modules:
        module.register(commands)

    def run(*arguments: object) -> Ran:
        capsys.readouterr()
        args = parser.parse_args([str(argument) for argument in arguments])
        code = args.run(args)
        printed = capsys.readouterr()
        assert "Traceback" not in printed.out + printed.err
        return Ran(code, printed.out, printed.err)

    return run


@dataclass(frozen=True)
class World:
    """A chain, a worker, and the files that the commands need."""

    node: AnvilNode
    worker: str
    folder: Path

    def flags(self, key: int = 0) -> tuple[object, ...]:
        """The chain and the account."""
        return (*self.reading, "--private-key", KEYS[key])

    @property
    def reading(self) -> tuple[object, ...]:
        """The chain alone."""
        return ("--rpc-url", self.node.url, "--deployments", self.folder / "deployments")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """One chain and one simulated worker, in the same time, for all tests of this module."""
    folder = tmp_path_factory.mktemp("world")
    simulator = Simulator(datetime.fromtimestamp(NOW, UTC), seed=SEED.encode())
    (folder / "root.der").write_bytes(simulator.root_der)
    collateral = simulator.collateral(simulator.platform("0"), "tdx")
    (folder / "collateral.json").write_text(json.dumps(collateral))
    command = [sys.executable, "-m", "quotary_enclave.worker", "--simulate", SEED]
    with (
        AnvilNode(timestamp=NOW) as node,
        subprocess.Popen(
            [*command, "--port", "0", "--at", str(NOW)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'verifier'}:{ROOT / 'enclave'}"},
        ) as process,
    ):
        try:
            assert process.stdout is not None
            ready = json.loads(process.stdout.readline())
            yield World(node, ready["url"], folder)
        finally:
            process.terminate()


def deployed(quotary: Command, world: World) -> dict[str, Any]:
    """The contracts, deployed by whoever comes first."""
    ran = quotary(
        "deploy",
        *world.flags(),
        "--allow-stub",
        "--root",
        world.folder / "root.der",
        "--member",
        Account.from_key(KEYS[3]).address,
        "--member",
        Account.from_key(KEYS[4]).address,
        "--json",
    )
    assert ran.code == 0, ran
    return ran.json


def admitted(quotary: Command, world: World) -> str:
    """The worker's measurement, admitted by whoever comes first."""
    report = httpx.get(f"{world.worker}/v1/attestation/report", timeout=60).json()
    quote = world.folder / "quote.hex"
    quote.write_text(report["intel_quote"])
    listed = quotary("measurement", "list", *world.reading, "--app", APP, "--json").json
    if listed["measurements"]:
        return str(listed["measurements"][0]["measurement_id"])
    ran = quotary(
        *("measurement", "admit", quote, "--app", APP, *world.flags(), "--json"),
        *("--source-uri", "https://example.org/worker", "--source-commit", "ab" * 20),
        *("--build-digest", "sha256:" + "cd" * 32),
    )
    assert ran.code == 0, ran
    return str(ran.json["measurement_id"])


def model_admitted(quotary: Command, world: World) -> dict[str, str]:
    """Admit the model that the worker serves, once; returns the worker's card of it."""
    card: dict[str, str] = httpx.get(f"{world.worker}/v1/quotary/worker", timeout=60).json()[
        "models"
    ][0]
    manifest = world.folder / "model.json"
    if manifest.exists():
        return card
    hashes = {"weights_root": "weightsRoot", "tokenizer_hash": "tokenizerHash"}
    hashes["config_hash"] = "configHash"
    manifest.write_text(json.dumps({key: card[name] for key, name in hashes.items()}))
    terms = ("--name", card["name"], "--licence-uri", "https://example.org/licence")
    assert quotary("model", "propose", manifest, *terms, *world.flags()).code == 8
    ran = quotary("model", "execute", manifest, *terms, *world.flags(), "--json")
    assert ran.code == 0, ran
    assert ran.json["model_id"] == card["modelId"]
    return card


def submit(world: World, *more: object, key: int = 0) -> tuple[object, ...]:
    return (
        *("worker", "submit", world.worker, "--app", APP, *world.flags(key)),
        *("--collateral", world.folder / "collateral.json", "--root", world.folder / "root.der"),
        *more,
    )


def test_from_deployment_to_answer(quotary: Command, world: World) -> None:
    """Deploy, admit, register through the committee, ask, relay, and read the answer."""
    contracts = deployed(quotary, world)["contracts"]
    assert "ResultOracle" in contracts
    assert quotary("deploy", "check", *world.reading).code == 0
    again = deployed(quotary, world)
    assert again["created"] == []
    assert again["contracts"] == contracts
    found = admitted(quotary, world)

    tried = quotary(*submit(world, "--member-key", KEYS[3], "--member-key", KEYS[4], "--dry-run"))
    assert tried.code == 0, tried
    assert "nothing was sent" in tried.out
    ran = quotary(*submit(world, "--member-key", KEYS[4], "--member-key", KEYS[3], "--json"))
    assert ran.code == 0, ran
    assert ran.json["measurement_id"] == found
    address = ran.json["worker"]
    status = quotary("worker", "status", address, *world.reading, "--json").json
    assert (status["active"], status["proof_kind"]) == (True, "committee")
    assert address in quotary("worker", "list", *world.reading, "--app", APP).out

    card = model_admitted(quotary, world)
    asked = quotary(
        *("request", "ask", "Pay 5 to the fund?", "--app", APP, "--model", card["modelId"]),
        *("--fee", "3gwei", *world.flags(5), "--json"),
    )
    assert asked.code == 0, asked
    request_id = asked.json["request_id"]
    pending = quotary("request", "status", request_id, *world.reading, "--json").json
    assert (pending["status"], pending["fee"]) == ("pending", "3000000000")
    database = world.folder / "relay.sqlite"
    for _ in range(5):
        relayed = quotary(
            *("relay", "run", "--worker", f"{world.worker}={address}", "--once"),
            *("--database", database, *world.flags(6), "--json"),
        )
        assert relayed.code == 0, relayed
        world.node.mine()
    answered = quotary("request", "status", request_id, *world.reading, "--json").json
    assert answered["status"] == "fulfilled"
    assert answered["worker"] == address
    assert answered["output"]


def test_the_stub_says_that_it_proves_nothing(quotary: Command, world: World) -> None:
    """A registration by the stub is marked as such wherever it is shown."""
    deployed(quotary, world)
    admitted(quotary, world)
    ran = quotary(*submit(world, "--via", "zk"))
    assert ran.code == 0, ran
    assert "proves nothing" in ran.out
    assert "proven by the stub" in quotary("worker", "list", *world.reading).out


def test_a_worker_is_revoked_by_the_guardian_only(quotary: Command, world: World) -> None:
    """Whoever is not asked for cannot revoke; afterwards the worker counts no more."""
    deployed(quotary, world)
    admitted(quotary, world)
    state = world.node.chain.rpc("evm_snapshot")
    ran = quotary(*submit(world, "--via", "zk", "--json"))
    address = ran.json["worker"]
    stranger = quotary("worker", "revoke", address, *world.flags(9), "--json")
    assert (stranger.code, stranger.json["error"]["name"]) == (4, "NotAllowed")
    assert quotary("worker", "revoke", address, *world.flags()).code == 0
    status = quotary("worker", "status", address, *world.reading, "--json").json
    assert (status["active"], status["reason"]) == (False, "WorkerIsRevoked")
    assert "no: WorkerIsRevoked" in quotary("worker", "status", address, *world.reading).out
    world.node.chain.rpc("evm_revert", [state])


def test_a_worker_is_refreshed_by_anybody(quotary: Command, world: World) -> None:
    """After something was narrowed: each use is cheap again, and no worse a worker is let in."""
    deployed(quotary, world)
    admitted(quotary, world)
    state = world.node.chain.rpc("evm_snapshot")
    address = quotary(*submit(world, "--via", "zk", "--json")).json["worker"]
    ban = ("measurement", "revoke", "ab" * 32, "--app", APP, "--ban")
    assert quotary(*ban, *world.flags()).code == 0
    flags = world.flags(9)
    tried = quotary("worker", "refresh", address, *flags, "--dry-run")
    assert "nothing was sent" in tried.out
    first = quotary("worker", "refresh", address, *flags, "--json").json["workers"][0]
    status = quotary("worker", "status", address, *world.reading, "--json").json
    assert first["worker"] == address
    assert first["until"] == status["until"] > 0
    assert quotary("worker", "revoke", address, *world.flags()).code == 0
    ended = quotary("worker", "refresh", address, *flags, "--json")
    assert (ended.code, ended.json["error"]["name"]) == (4, "WorkerIsRevoked")
    world.node.chain.rpc("evm_revert", [state])


def test_too_few_members_is_a_decoded_revert(quotary: Command, world: World) -> None:
    """The contract's own error comes out by name, values and remedy, and costs nothing."""
    deployed(quotary, world)
    admitted(quotary, world)
    before = world.node.chain.nonce(world.node.signers[0].address)
    ran = quotary(*submit(world, "--member-key", KEYS[3], "--json"))
    assert ran.code == 4
    assert ran.json["error"]["name"] == "QuorumNotReached"
    assert ran.json["error"]["values"] == {"actual": 1, "required": 2}
    assert ran.json["remedy"]
    assert world.node.chain.nonce(world.node.signers[0].address) == before
    told = quotary(*submit(world, "--member-key", KEYS[3]))
    assert told.code == 4
    assert told.out == ""
    assert told.err.count("\n") == 1
    assert "QuorumNotReached" in told.err


def test_members_sign_with_their_keystores(quotary: Command, world: World, tmp_path: Path) -> None:
    """As they would outside of tests: encrypted files, one password, and no key in sight."""
    deployed(quotary, world)
    admitted(quotary, world)
    password = tmp_path / "password"
    password.write_text("pw")
    password.chmod(0o600)
    flags: list[object] = ["--member-password-file", password]
    for index in (3, 4):
        path = tmp_path / f"member{index}"
        path.write_text(json.dumps(Account.encrypt(KEYS[index], "pw", "pbkdf2", 2)))
        path.chmod(0o600)
        flags += ["--member-keystore", path]
    ran = quotary(*submit(world, *flags, "--dry-run", "--json"))
    assert ran.code == 0, ran
    path.chmod(0o640)
    ran = quotary(*submit(world, *flags, "--dry-run", "--json"))
    assert (ran.code, ran.json["reason"]) == (6, Reason.KEYFILE_PERMISSIONS)


def test_no_secret_is_printed_however_much_is_logged(
    quotary: Command, anvil: AnvilNode, tmp_path: Path
) -> None:
    """Key, password and the RPC's access key stay out of output, logs and the record."""
    canary = "0x" + "c0ffee" * 10 + "c0ff"
    anvil.chain.rpc("anvil_setBalance", [Account.from_key(canary).address, hex(10**20)])
    noisy = ("--deployments", tmp_path, "-vv")
    keyed = f"http://user:canary-access@{anvil.url.removeprefix('http://')}/?key=canary-access"
    closed = f"http://user:canary-access@127.0.0.1:{free_port()}/v2/canary-access"
    runs = [
        quotary("deploy", "--rpc-url", keyed, "--private-key", canary, *noisy),
        quotary("deploy", "--rpc-url", keyed, "--private-key", canary, *noisy, "--max-age", 1),
        quotary("deploy", "--rpc-url", closed, "--private-key", canary, *noisy, "--json"),
        quotary("deploy", "--rpc-url", keyed, "--private-key", canary[:-1] + "z", *noisy),
        quotary("doctor", "--rpc-url", closed, *noisy),
    ]
    assert [run.code for run in runs] == [0, 6, 3, 6, 0]
    record = (tmp_path / "31337.json").read_text()
    everything = record + "".join(run.out + run.err for run in runs)
    assert "deployed" in everything
    assert canary[2:40] not in everything
    assert "canary-access" not in everything


def test_no_member_is_a_missing_setting(quotary: Command, world: World) -> None:
    """Before any simulation: nobody signs."""
    deployed(quotary, world)
    ran = quotary(*submit(world, "--json"))
    assert (ran.code, ran.json["reason"]) == (6, Reason.CONFIGURATION_MISSING)


def test_evidence_under_another_root_is_rejected(quotary: Command, world: World) -> None:
    """Without --root only Intel's root counts, and the simulator's quotes are worth nothing."""
    deployed(quotary, world)
    arguments = [*submit(world, "--member-key", KEYS[3], "--json")]
    at = arguments.index("--root")
    del arguments[at : at + 2]
    ran = quotary(*arguments)
    assert (ran.code, ran.json["reason"]) == (1, "CRL_ISSUER_MISMATCH")


def test_stale_collateral_has_its_own_exit_code(quotary: Command, world: World) -> None:
    """Evidence judged after its collateral's end is stale, not forged."""
    deployed(quotary, world)
    late = NOW + 10 * 365 * 24 * 3600
    ran = quotary(*submit(world, "--member-key", KEYS[3], "--at", late, "--json"))
    assert ran.code == 7, ran


def test_a_stranger_cannot_admit(quotary: Command, world: World) -> None:
    """The governor's privilege, named by the contract."""
    deployed(quotary, world)
    ran = quotary(
        *("measurement", "admit", "0x" + "77" * 32, "--app", APP, *world.flags(7), "--json"),
        *("--source-uri", "https://example.org", "--source-commit", "ab" * 20),
        *("--build-digest", "cd" * 32),
    )
    assert (ran.code, ran.json["error"]["name"]) == (4, "AccessControlUnauthorizedAccount")


def test_a_revoked_measurement_is_listed_as_such(quotary: Command, world: World) -> None:
    """Admit, revoke, and see both in the list; there is no way back."""
    deployed(quotary, world)
    common = ("0x" + "55" * 32, "--app", "another app", *world.flags(), "--json")
    source = ("--source-uri", "https://example.org", "--source-commit", "ab" * 20)
    build = ("--build-digest", "cd" * 32)
    assert quotary("measurement", "admit", *common, *source, *build).code == 0
    assert quotary("measurement", "revoke", *common).code == 0
    listed = quotary("measurement", "list", *world.reading, "--app", "another app", "--json").json
    assert [row["status"] for row in listed["measurements"]] == ["revoked"]
    again = quotary("measurement", "admit", *common, *source, *build)
    assert (again.code, again.json["error"]["name"]) == (4, "WrongMeasurementStatus")


def test_other_deployment_parameters_are_refused(quotary: Command, world: World) -> None:
    """The record is of one deployment."""
    deployed(quotary, world)
    ran = quotary("deploy", *world.flags(), "--json")
    assert (ran.code, ran.json["reason"]) == (6, Reason.DEPLOYMENT_MISMATCH)


def test_an_unknown_request_is_said_to_be_unknown(quotary: Command, world: World) -> None:
    """A typing error in an id is not an empty answer."""
    deployed(quotary, world)
    ran = quotary("request", "status", "0x" + "11" * 32, *world.reading, "--json")
    assert ran.code == 6
    assert "knows no request" in ran.json["message"]


def test_nobody_answers_in_time(
    quotary: Command, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a relayer `--wait` ends, and says how to look again."""
    deployed(quotary, world)
    card = model_admitted(quotary, world)
    # The time of who waits for the answer passes by itself; that of the transaction does not.
    passing = SimpleNamespace(monotonic=count(step=100).__next__, sleep=lambda _: None)
    monkeypatch.setattr(request, "time", passing)
    ran = quotary(
        *("request", "ask", "anybody?", "--app", APP, "--model", card["modelId"]),
        *("--wait", "--timeout", "300", *world.flags(8), "--json"),
    )
    assert (ran.code, ran.json["reason"]) == (5, Reason.NOT_FINAL_IN_TIME)
    assert "quotary request status" in ran.json["remedy"]


def test_what_nobody_answered_comes_back(quotary: Command, world: World) -> None:
    """Refused before the deadline, refunded after it by anybody, and fetched by whoever paid."""
    deployed(quotary, world)
    card = model_admitted(quotary, world)
    asked = quotary(
        *("request", "ask", "anybody?", "--app", APP, "--model", card["modelId"]),
        *("--fee", "3gwei", "--expires-in", "60", *world.flags(9), "--json"),
    )
    request_id, payer = asked.json["request_id"], Account.from_key(KEYS[9]).address
    early = quotary("request", "refund", request_id, *world.flags(7), "--json")
    assert (early.code, early.json["error"]["name"]) == (4, "RequestNotExpired")
    kept = quotary("request", "refund", request_id, "--abandon", *world.flags(7), "--json")
    assert (kept.code, kept.json["error"]["name"]) == (4, "ModelNotRevoked")
    elsewhere = quotary("request", "refund", request_id, "--batches", *world.flags(7), "--json")
    assert (elsewhere.code, elsewhere.json["reason"]) == (6, Reason.CONFIGURATION_INVALID)

    world.node.chain.rpc("evm_increaseTime", [61])
    world.node.mine()
    refunded = quotary("request", "refund", request_id, *world.flags(7), "--json")
    assert (refunded.code, refunded.json["credited_to"]) == (0, payer)
    status = quotary("request", "status", request_id, *world.reading, "--json").json
    assert status["status"] == "refunded"

    to = "0x00000000000000000000000000000000000A11cE"
    fetched = quotary("request", "withdraw", "--to", to, *world.flags(9), "--json")
    assert (fetched.code, fetched.json["amount"]) == (0, "3000000000")
    assert int(world.node.chain.rpc("eth_getBalance", [to, "latest"]), 16) == 3_000_000_000
    again = quotary("request", "withdraw", *world.flags(9), "--json")
    assert (again.code, again.json["error"]["name"]) == (4, "NoCredit")


def test_a_request_may_ask_for_several_workers(quotary: Command, world: World) -> None:
    """How many, of whom and by which rule is in the request; the contract refuses half a quorum."""
    deployed(quotary, world)
    card = model_admitted(quotary, world)
    ask = ("request", "ask", "anybody?", "--app", APP, "--model", card["modelId"], *world.flags(8))
    several = ("--quorum", "3/5", "--operators", "2", "--rule", "tolerance", "--tolerance", "4")
    asked = quotary(*ask, *several, "--json")
    assert asked.code == 0, asked
    request_id = asked.json["request_id"]
    found = quotary("request", "status", request_id, *world.reading, "--json").json
    names = ("results_needed", "seats", "rule", "disputes", "reassigned")
    assert [found[name] for name in names] == [3, 5, "tolerance", 0, False]
    assert "3 of 5 workers" in quotary("request", "status", request_id, *world.reading).out
    refused = quotary(*ask, "--quorum", "2/4", "--json")
    assert refused.code == 4
    assert "QuorumOutOfRange" in refused.json["message"]
    alone = quotary(*ask, "--rule", "class", "--json")
    assert (alone.code, alone.json["error"]["name"]) == (4, "NothingToCompare")
    assert "several workers" in alone.json["remedy"]
    with pytest.raises(SystemExit) as ended:
        quotary(*ask, "--quorum", "most", "--json")
    assert ended.value.code == 2


def test_a_model_that_nobody_admitted_is_not_asked_for(quotary: Command, world: World) -> None:
    """The oracle refuses the request, by a reason that names the model."""
    deployed(quotary, world)
    unknown = "0x" + "22" * 32
    ran = quotary(
        *("request", "ask", "anybody?", "--app", APP, "--model", unknown, *world.flags(8), "--json")
    )
    assert (ran.code, ran.json["reason"]) == (4, "REVERTED")
    assert "ModelNotAdmitted" in ran.json["message"]
    assert unknown in ran.json["message"]


def test_a_worker_that_is_not_there(quotary: Command, world: World) -> None:
    """A closed port is a network failure with the worker's host in it."""
    deployed(quotary, world)
    arguments = ["http://127.0.0.1:9" if a == world.worker else a for a in submit(world, "--json")]
    ran = quotary(*arguments)
    assert (ran.code, ran.json["reason"]) == (3, Reason.WORKER_UNREACHABLE)


@pytest.mark.parametrize(
    "url", ["worker", "ftp://h", "http://", "http://h:99999", "http://h:80=0x12", "http://[::1"]
)
def test_a_url_that_is_none_is_said_to_be_none(quotary: Command, world: World, url: str) -> None:
    """Submitting to it and relaying from it fail alike, before anything is asked."""
    deployed(quotary, world)
    collateral = ("--collateral", world.folder / "collateral.json")
    tried = [
        quotary("worker", "submit", url, "--app", APP, *world.flags(), *collateral, "--json"),
        quotary("relay", "run", "--worker", url, "--once", *world.flags(), "--json"),
    ]
    assert [(run.code, run.json["reason"]) for run in tried] == [
        (6, Reason.CONFIGURATION_INVALID)
    ] * 2


def test_a_node_that_answers_no_json_rpc(quotary: Command, scripted: ScriptedNode) -> None:
    """A web page behind the RPC URL is a network failure, with what to look at."""
    scripted.page = b"<html>502 Bad Gateway</html>"
    ran = quotary("worker", "list", "--rpc-url", scripted.url, "--json")
    assert (ran.code, ran.json["reason"]) == (3, Reason.RPC_BROKEN_ANSWER)
    assert "RPC URL" in ran.json["remedy"]


def test_a_poor_account_is_told_to_be_paid(quotary: Command, world: World) -> None:
    """Funds are the account's configuration: exit code 6, with address and amount."""
    deployed(quotary, world)
    card = model_admitted(quotary, world)
    poor = "0x" + "42" * 32
    ran = quotary(
        *("request", "ask", "hello", "--app", APP, "--model", card["modelId"], "--json"),
        *(*world.reading, "--private-key", poor),
    )
    assert (ran.code, ran.json["reason"]) == (6, Reason.INSUFFICIENT_FUNDS)
    assert Account.from_key(poor).address in ran.json["message"]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["--rpc-url", "CLOSED", "--private-key", KEYS[0]], 3, Reason.RPC_UNREACHABLE),
        (["--rpc-url", "nonsense"], 6, Reason.CONFIGURATION_INVALID),
        (["--rpc-url", "NODE", "--chain-id", "1"], 6, Reason.WRONG_CHAIN),
        (["--rpc-url", "NODE"], 6, Reason.CONFIGURATION_MISSING),
        (["--rpc-url", "NODE", "--private-key", "0x12"], 6, Reason.KEY_INVALID),
        (["--rpc-url", "NODE", "--keystore", "/nowhere"], 6, Reason.KEYFILE_MISSING),
        (["--rpc-url", "NODE", "--timeout", "-1"], 6, Reason.CONFIGURATION_INVALID),
        (
            ["--rpc-url", "NODE", "--private-key", KEYS[0], "--threshold", "9"],
            6,
            Reason.CONFIGURATION_INVALID,
        ),
        (
            ["--rpc-url", "NODE", "--private-key", KEYS[0], "--root", "/nowhere"],
            6,
            Reason.FILE_UNREADABLE,
        ),
        (["verify", "--rpc-url", "NODE"], 6, Reason.DEPLOYMENT_MISSING),
        (["plan", "--rpc-url", "NODE"], 6, Reason.CONFIGURATION_MISSING),
        (["--rpc-url", "NODE", "--unsigned", "/nowhere"], 6, Reason.CONFIGURATION_MISSING),
        (["plan", "--rpc-url", "NODE", "--unsigned", "x"], 6, Reason.CONFIGURATION_INVALID),
        (
            ["--rpc-url", "NODE", "--unsigned", "/proc/nowhere", "--from", f"0x{'11' * 20}"],
            6,
            Reason.FILE_UNREADABLE,
        ),
        (["--rpc-url", "NODE", "--unsigned", "x", "--from", "me"], 6, Reason.CONFIGURATION_INVALID),
        (
            ["--rpc-url", "NODE", "--private-key", KEYS[0], "--threshold", "0"],
            6,
            Reason.CONFIGURATION_INVALID,
        ),
        (
            ["--rpc-url", "NODE", "--private-key", KEYS[0], "--app", "x"],
            6,
            Reason.CONFIGURATION_MISSING,
        ),
        (["check", "--rpc-url", "NODE"], 6, Reason.DEPLOYMENT_MISSING),
    ],
)
def test_bad_input_is_one_clear_line(  # noqa: PLR0917 (three fixtures, three parameters)
    quotary: Command,
    anvil: AnvilNode,
    tmp_path: Path,
    arguments: list[str],
    code: int,
    reason: Reason,
) -> None:
    """Every mistake has its exit code, its reason, and one line that says what to do."""
    places = {"CLOSED": f"http://127.0.0.1:{free_port()}", "NODE": anvil.url}
    given = [places.get(argument, argument) for argument in arguments]
    as_json = quotary("deploy", *given, "--deployments", tmp_path, "--json")
    assert (as_json.code, as_json.json["reason"]) == (code, reason), as_json
    told = quotary("deploy", *given, "--deployments", tmp_path)
    assert told.code == code
    assert told.out == ""
    assert told.err.startswith("quotary: ")
    assert told.err.count("\n") == 1


def test_a_public_chain_gets_no_development_settings(quotary: Command, tmp_path: Path) -> None:
    """Stub, foreign root, key on the command line and implied governor: all refused."""
    with AnvilNode(chain_id=11155111) as node:
        chain = ("--rpc-url", node.url, "--deployments", tmp_path, "--json")
        key = quotary("deploy", *chain, "--private-key", KEYS[0])
        assert (key.code, key.json["reason"]) == (6, Reason.KEY_ON_COMMAND_LINE)
        password = tmp_path / "password"
        keystore = tmp_path / "keystore"
        password.write_text("pw")
        own = "0x" + "7e" * 32
        keystore.write_text(json.dumps(Account.encrypt(own, "pw", kdf="pbkdf2", iterations=2)))
        for path in (password, keystore):
            path.chmod(0o600)
        funds = ["0x" + "0" * 24, hex(10**20)]
        account = Account.from_key(own).address
        node.chain.rpc("anvil_setBalance", [account, funds[1]])
        opened = ("--keystore", keystore, "--password-file", password)
        implied = quotary("deploy", *chain, *opened)
        assert implied.json["reason"] == Reason.CONFIGURATION_MISSING
        roles = ("--proposer", account, "--guardian", account, "--member", account)
        stub = quotary("deploy", *chain, *opened, *roles, "--allow-stub")
        assert (stub.code, stub.json["reason"]) == (6, Reason.DEVELOPMENT_ONLY)
        root = quotary("deploy", *chain, *opened, *roles, "--root", password)
        assert (root.code, root.json["reason"]) == (6, Reason.DEVELOPMENT_ONLY)
        hasty = quotary("deploy", *chain, *opened, *roles, "--delay", "3600")
        assert (hasty.code, hasty.json["reason"]) == (6, Reason.DEVELOPMENT_ONLY)
        sound = quotary("deploy", *chain, *opened, *roles, "--dry-run")
        assert sound.code == 0, sound
        assert "StubQuoteVerifier" not in sound.json["contracts"]
        assert not (tmp_path / "11155111.json").exists()


def test_the_doctor_names_what_is_missing(
    quotary: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each line is ok or missing, and a missing one says what to do."""
    monkeypatch.setenv("HOME", str(tmp_path))
    closed = f"http://127.0.0.1:{free_port()}"
    ran = quotary("doctor", "--rpc-url", closed, "--json")
    findings = {finding["name"]: finding for finding in ran.json["findings"]}
    assert ran.code == 0
    assert findings["python"]["ok"]
    assert not findings["chain"]["ok"]
    assert not findings["keystores"]["ok"]
    assert all(item["remedy"] for item in findings.values() if not item["ok"])
    told = quotary("doctor", "--rpc-url", closed)
    assert "missing  keystores" in told.out


def test_the_doctor_sees_keystores_that_would_be_refused(
    quotary: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, anvil: AnvilNode
) -> None:
    """A keystore open to others is worse than none."""
    monkeypatch.setenv("HOME", str(tmp_path))
    folder = tmp_path / ".foundry" / "keystores"
    folder.mkdir(parents=True)
    (folder / "careless").write_text("{}")
    (folder / "careless").chmod(0o644)
    ran = quotary("doctor", "--rpc-url", anvil.url, "--deployments", tmp_path, "--json")
    findings = {finding["name"]: finding for finding in ran.json["findings"]}
    assert "careless" in findings["keystores"]["found"]
    assert findings["chain"]["ok"]
    assert "quotary deploy" in findings["deployment"]["remedy"]
