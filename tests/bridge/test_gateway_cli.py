"""`quotary gateway`: from a challenge of the chain to a record on it, for both generations."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from hashlib import sha256
from pathlib import Path
from shutil import copytree

import pytest
from eth_account import Account
from quotary.errors import Reason as Refusal
from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import gateway
from quotary_bridge.errors import Reason
from quotary_bridge.model import Bytes32
from quotary_enclave.worker import WorkerConfig, create_app, simulated_provenance, simulated_tdx

from tests.bridge.gateway_desk import Desk, refused, reverted
from tests.bridge.gateway_town import (
    APP,
    APP_ID,
    MANIFEST,
    MEMBERS,
    NOW,
    WALLETS,
    Town,
    honest,
    image_of,
)
from tests.bridge.test_cli import Ran, runner
from tests.enclave.worker_parts import CountingModel, SettableClock, make_worker
from tests.verifier.fetch.service import Service as CollateralService
from tests.verifier.fetch.service import serving
from tests.verifier.workloads.guests import collateral, simulator
from tests.verifier.workloads.test_live import listening

pytest_plugins = ["tests.bridge.gateway_fixtures"]

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize(
    ("protocol", "algorithm", "attested"),
    [("chat", None, False), ("aci", None, False), ("aci", "ed25519", True)],
)
def test_one_command_from_challenge_to_record(
    desk: Desk, protocol: str, algorithm: str | None, *, attested: bool
) -> None:
    """What is on the chain in the end is what went over the wire; run again, nothing is done."""
    desk.protocol, town, serving = protocol, desk.town, desk.serving
    ran = desk.run(*(() if algorithm is None else ("--receipt-algo", algorithm)))
    assert ran.code == 0, ran
    again = desk.run()
    assert (again.code, serving.answers) == (0, 1), "no second prompt"
    request, response = (Bytes32(sha256(body).digest()) for body in serving.exchanges["chatcmpl-1"])
    if protocol == "chat":
        exchange = town.desk.exchanges.exchange_of(APP_ID, request, response)
        signer = serving.nodes[0].address
        assert (exchange.gateway, exchange.kind) == (signer, ProofKind.COMMITTEE)
    else:
        receipt = town.desk.receipts.receipt_of(APP_ID, request, response)
        assert f"sha256:{receipt.keyset_digest.hex()}" == serving.service().digest
        assert (int(receipt.key, 16) == 0) == attested
    told = ran.json
    assert told["record"]["request_hash"] == f"0x{request.hex()}"
    assert (told["record"]["sent"], again.json["record"]["sent"]) == (True, False)
    assert {"GENUINE_TEE", "FRESH"} <= {one["code"] for one in told["proves"]}
    unbound = {one["code"] for one in told["record"]["does_not_bind"]}
    assert {"MODEL", "REQUEST_IDENTITY"} <= unbound
    assert ("COMMITTEE" in unbound) == attested
    assert ("CALLER_HASH" in unbound) == (protocol == "chat")


def test_a_genuine_receipt_goes_all_the_way(desk: Desk, shared: Path) -> None:
    """Keyset, bodies, receipt and session of the format's own project; only the quote is ours."""
    genuine = json.loads((shared / "vectors/aci/vectors.json").read_text())
    serving = desk.serving
    serving.keyset, serving.serving = json.loads(genuine["keyset_jcs"]), "aggregator"
    serving.pages = {
        "/v1/chat/completions": genuine["response_body"].encode(),
        "/v1/aci/receipts/chatcmpl-123": genuine["receipt_document"].encode(),
        f"/v1/aci/sessions/{genuine['session_id']}": genuine["session_jcs"].encode(),
    }
    path = desk.folder / "genuine.json"
    path.write_text(genuine["request_body"])
    ran = desk.run("--request", path)
    assert ran.code == 0, ran
    hashes = (
        Bytes32(sha256(genuine[body].encode()).digest())
        for body in ("request_body", "response_body")
    )
    kept = desk.town.desk.receipts.receipt_of(APP_ID, *hashes)
    assert kept.document_hash.hex() == genuine["receipt_signing_input_sha256"]
    assert {"UPSTREAM", "COMMITTEE"} <= {one["code"] for one in ran.json["record"]["does_not_bind"]}


def test_members_vouch_wherever_they_are(desk: Desk) -> None:
    """By receipt and report alone; a quorum of their files is enough."""
    desk.enrolled()
    assert desk.ask("--receipt-algo", "ed25519").code == 0
    kept, sender = desk.folder / "kept", desk.town.sending[:2]
    elsewhere = desk.folder / "elsewhere"
    elsewhere.mkdir()
    for name in ("receipt.json", "report.json"):
        (elsewhere / name).write_bytes((kept / name).read_bytes())
    files = [elsewhere / f"member-{number}.json" for number in MEMBERS]

    def attest(app: str, member: int) -> Ran:
        return desk.quotary(
            *("gateway", "attest", elsewhere / "receipt.json", "--app", app, "--json"),
            *("--report", elsewhere / "report.json", "--member-key", WELL_KNOWN_KEYS[member]),
            *("--out", elsewhere / f"member-{member}.json", *desk.town.reading),
        )

    refused(attest("another-app", MEMBERS[0]), 1, Reason.EVIDENCE_REJECTED)
    for member in reversed(MEMBERS):
        assert attest(APP, member).code == 0
    record = ("gateway", "record", kept, *desk.town.reading, *sender, "--json")
    reverted(desk.quotary(*record, "--attestation", files[0]), "QuorumNotReached")
    document = json.loads(files[2].read_text())
    for signature, reason in (
        ("0x00", Reason.FILE_UNREADABLE),
        ("0x" + "ff" * 65, Reason.CONFIGURATION_INVALID),
    ):
        files[2].write_text(json.dumps({**document, "signatures": [signature]}))
        refused(desk.quotary(*record, "--attestation", files[2]), 6, reason)
    files[2].write_text(json.dumps({**document, "document_hash": "0x" + "ab" * 32}))
    refused(desk.quotary(*record, "--attestation", files[2]), 6, Reason.CONFIGURATION_INVALID)
    (elsewhere / "receipt.json").write_text("{}")
    assert attest(APP, MEMBERS[2]).code == 1
    both = ("--attestation", files[1], "--attestation", files[0])
    assert desk.quotary(*record, *both).json["record"]["sent"]


def test_a_key_that_no_contract_reads_leaves_the_committee(desk: Desk) -> None:
    """A compressed point is no key to the chain: the receipt by the other key goes there."""
    keys = desk.serving.keyset["receipt_signing_keys"]
    keys[1] = {**keys[1], "public_key": "02" + keys[1]["public_key"][2:66]}
    assert desk.run().json["record"]["sent"]
    (request, response) = desk.serving.exchanges["chatcmpl-1"]
    kept = desk.town.desk.receipts.receipt_of(
        APP_ID, Bytes32(sha256(request).digest()), Bytes32(sha256(response).digest())
    )
    assert int(kept.key, 16) == 0


def test_a_full_disk_at_any_moment_loses_one_answer_at_most(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file could not be written, the next run goes on: nothing is recorded twice."""
    replace, room = Path.replace, 0

    def full(path: Path, target: Path) -> Path:
        nonlocal room
        room -= 1
        if room < 0:
            raise OSError(ENOSPC, "No space left on device", str(path))
        return replace(path, target)

    desk.enrolled()
    enrolled = desk.folder
    for files in range(10):
        state = desk.town.node.chain.rpc("evm_snapshot")
        desk.folder, desk.serving.answers = enrolled / f"at {files}", 0
        copytree(enrolled / "kept", desk.folder / "kept")
        room = files
        with monkeypatch.context() as patched:
            patched.setattr(Path, "replace", full)
            ran = desk.run()
        if ran.code == 0:
            break
        refused(ran, 6, Reason.FILE_UNREADABLE)
        assert desk.run().json["record"]["sent"]
        lost = "answer.json" in ran.out or "response.bin" in ran.out
        assert desk.serving.answers == (2 if lost else 1), ran
        desk.town.node.chain.rpc("evm_revert", [state])
    assert files == 5, "request, response, answer, receipt, proof"


def test_the_chain_may_judge_the_quote_itself(desk: Desk) -> None:
    """Then the journal is not ours: it follows from the quote and the record's own time."""
    refused(desk.enrol("--via", "onchain"), 7, Reason.EVIDENCE_STALE)
    ran = desk.enrol("--via", "onchain", "--push")
    assert ran.code == 0, ran
    (signer,) = ran.json["signers"]
    assert signer["notarization"]["sent"]
    bond = desk.town.desk.keys.bond_of(APP_ID, signer["key"])
    assert bond.kind is ProofKind.ON_CHAIN
    assert desk.run().code == 0, "and counts like any other"


def test_a_proof_made_elsewhere_is_of_a_kept_quote(desk: Desk) -> None:
    """It is made of the folder's own quote, and proves nothing of another."""
    assert desk.enrol("--dry-run").code == 0
    (quote,) = (desk.folder / "kept").glob("quote-*.bin")
    town, receipt = desk.town, desk.folder / "receipt.json"
    evidence = (*town.evidence[:4], "--at", NOW, "--prover", "stub", "--out", receipt)
    assert desk.quotary("zk", "prove", "--quote", quote, *evidence).code == 0
    proven = ("--via", "zk", "--receipt", receipt)
    town.node.mine()
    refused(desk.enrol(*proven, "--renew"), 1, Reason.RECEIPT_MISMATCH)
    (second,) = set(quote.parent.glob("quote-*.bin")) - {quote}
    assert desk.quotary("zk", "prove", "--quote", second, *evidence).code == 0
    ran = desk.enrol(*proven)
    assert ran.code == 0, ran
    bond = town.desk.keys.bond_of(APP_ID, ran.json["signers"][0]["key"])
    assert bond.kind is ProofKind.STUB


def test_collateral_can_be_fetched(desk: Desk) -> None:
    """From a PCCS, for the platform that quoted; only the chain's own proof needs a file."""
    pccs, town = CollateralService(pccs=True), desk.town
    pccs.publish(collateral())
    with serving(pccs):
        fetched = ("--fetch", "--pccs", pccs.url, "--root", town.folder / "root.der")
        begun = (*desk.begun[:7], *fetched, *town.reading, *town.sending, "--json")
        alone = desk.quotary("gateway", "enrol", *begun, "--via", "onchain")
        refused(alone, 6, Reason.CONFIGURATION_MISSING)
        ran = desk.quotary("gateway", "run", *begun, *desk.request)
    assert ran.code == 0, ran
    assert ran.json["record"]["sent"]


def test_step_by_step(desk_of_either: Desk) -> None:
    """The same in four commands, each of which says what is missing before it."""
    desk = desk_of_either
    assert desk.record().code == 6, "nothing was begun"
    refused(desk.ask(), 6, Reason.CONFIGURATION_MISSING)
    desk.enrolled()
    refused(desk.record(), 6, Reason.CONFIGURATION_MISSING)
    assert desk.ask().code == 0
    state = desk.status()
    assert (state["verified"], state["recorded_at"]) == (True, None)
    assert [one["counts"] for one in state["signers"]] == [True]
    dry = desk.record("--dry-run")
    assert (dry.code, dry.json["record"]["sent"]) == (0, False)
    assert desk.status()["recorded_at"] is None
    assert desk.record().json["record"]["sent"]
    assert desk.status()["recorded_at"] == desk.record().json["record"]["recorded_at"]


def test_people_are_told_of_each_step(desk: Desk) -> None:
    """Without --json: where it stands, and both lists."""
    options = (*desk.begun, *desk.request, *desk.town.sending)
    dry = desk.quotary("gateway", "run", *options, "--dry-run")
    assert (dry.code, desk.serving.answers) == (0, 0)
    assert "nothing was sent" in dry.out
    ran = desk.quotary("gateway", "run", *options)
    assert ran.code == 0, ran
    for word in ("report", "notarized", "enrolled", "exchange", "NOT proven", "does NOT bind"):
        assert word in ran.out
    shown = desk.quotary("gateway", "status", desk.begun[0], *desk.town.reading)
    assert "counts" in shown.out


def test_a_failed_transaction_costs_no_second_question(desk: Desk) -> None:
    """One member is too few for the notary, later for the receipt; what was fetched is kept."""
    one = desk.town.sending[:4]
    chain = (*desk.begun, *desk.request, *one, "--json")
    reverted(desk.quotary("gateway", "run", *chain), "QuorumNotReached")
    assert desk.serving.asked == ["/v1/aci/attestation"]
    desk.enrolled()
    reverted(
        desk.quotary("gateway", "run", *chain, "--receipt-algo", "ed25519"), "QuorumNotReached"
    )
    assert desk.run().json["record"]["sent"]
    assert desk.serving.asked.count("/v1/aci/attestation") == 1
    assert desk.serving.answers == 1


def test_what_was_signed_is_fetched_again_where_it_failed(desk_of_either: Desk) -> None:
    """The answer is kept before anything is asked about it."""
    desk, serving = desk_of_either, desk_of_either.serving
    desk.enrolled()
    serving.twist = lambda path, body: (503, b"") if "chatcmpl" in path else body
    refused(desk.ask(), 3, Refusal.FETCH_STATUS)
    serving.twist = honest
    assert desk.run().json["record"]["sent"]
    assert serving.answers == 1


def test_an_old_challenge_is_asked_anew(desk: Desk) -> None:
    """The chain knows 256 blocks; a report under an older one enrols nothing."""
    assert desk.enrol("--dry-run").code == 0
    desk.town.node.mine(257)
    assert not desk.status()["fresh"]
    desk.enrolled()
    assert desk.enrol().code == 0
    assert len(desk.serving.asked) == 2, "what counts needs no new report"
    assert desk.enrol("--renew").json["signers"][0]["sent"]
    assert len(desk.serving.asked) == 3


def test_every_node_that_may_answer_is_enrolled(desk: Desk) -> None:
    """Of the first generation; an answer by one that is not in the report is nobody's."""
    desk.protocol, desk.serving.nodes = "chat", WALLETS[:2]
    ran = desk.enrol()
    assert ran.code == 0, ran
    assert [one["key"] for one in ran.json["signers"]] == [one.address for one in WALLETS[:2]]
    refused(desk.enrol("--renew", "--most", 1), 6, Reason.CONFIGURATION_INVALID)
    desk.serving.nodes = WALLETS[1:2]
    assert desk.ask().code == 0
    assert desk.record().json["record"]["sent"]
    desk.serving.nodes = WALLETS[2:]
    refused(desk.ask("--again"), 1, Refusal.SIGNER_MISMATCH)


@contextmanager
def our_own_worker() -> Iterator[tuple[str, bytes]]:
    """The worker of this project on a port, in the chain's time; its address, and a quote of it."""
    model = CountingModel()
    quotes = simulated_tdx(simulator().platform(), model)
    worker = make_worker(
        WorkerConfig(provenance=simulated_provenance()),
        model=model,
        quotes=quotes,
        clock=SettableClock(NOW),
    )
    with listening(create_app(worker)) as url:
        yield url, quotes.quote(bytes(64)).quote


def test_the_page_runs_as_it_stands(
    gateway_chain: Town,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its commands in order, asking our own worker, with keys in encrypted files."""
    town, quotary = gateway_chain, runner((gateway,), capsys, monkeypatch)
    monkeypatch.chdir(tmp_path)
    keys = {"account": WELL_KNOWN_KEYS[6]}
    keys |= {f"member-{place + 1}": WELL_KNOWN_KEYS[MEMBERS[place]] for place in (0, 1)}
    for name, key in keys.items():
        Path(name).write_text(json.dumps(Account.encrypt(key, "pw", "pbkdf2", 2)))
    Path("password").write_text("pw")
    for name in ("collateral.json", "root.der"):
        Path(name).write_bytes((town.folder / name).read_bytes())
    for path in Path().iterdir():
        path.chmod(0o600)
    asked = {"model": CountingModel.name, "messages": [{"role": "user", "content": "Why?"}]}
    Path("request.json").write_text(json.dumps(asked))
    monkeypatch.setenv("ETH_RPC_URL", town.node.url)
    monkeypatch.setenv("QUOTARY_DEPLOYMENTS", str(town.folder))
    monkeypatch.setenv("ETH_KEYSTORE", "account")
    monkeypatch.setenv("ETH_PASSWORD", "password")
    page = (ROOT / "docs" / "gateways.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines()]
    assert len(commands) >= 10
    with town.undone(), our_own_worker() as (url, quote):
        registry = town.registry
        town.transact(registry.address, registry.admit(APP_ID, image_of(quote), MANIFEST))
        for command in commands:
            program, *arguments = shlex.split(command.replace("$GATEWAY", url))
            assert program == "quotary"
            ran = quotary(*arguments)
            assert ran.code == 0, (command, ran)
