"""On-chain DCAP from the command line: bring collateral, register by it, look at what is kept."""

from __future__ import annotations

import json
from argparse import ArgumentParser, _SubParsersAction
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from quotary import RawCollateral
from quotary.cli import collateral as verifier_collateral
from quotary.errors import Reason as EvidenceReason
from quotary.x509 import RevocationList
from quotary_bridge.chain.contracts import CollateralStore, DcapVerifier
from quotary_bridge.chain.reverts import decode_revert
from quotary_bridge.chain.sender import Sender
from quotary_bridge.cli import collateral, platform
from quotary_bridge.collateral import steps
from quotary_enclave.simulator import Role, Simulator, TcbInfoSpec

from tests.bridge import test_cli
from tests.bridge.test_cli import NOW, SEED, Command, Ran, World, admitted, deployed, submit
from tests.contracts.dcap.long_crl import minted, serials

world = test_cli.world
ITEMS = (
    "root revocation list",
    "TCB signer",
    "PCK Platform CA",
    "PCK revocation list",
    "TDX TCB info 51544d000000",
    "TDX QE identity",
    "all in one piece",
)


class Collateral:
    """The verifier's `quotary collateral`, with the bridge's part added as the program does."""

    @staticmethod
    def register(commands: _SubParsersAction[ArgumentParser]) -> None:
        """Add both."""
        collateral.register(verifier_collateral.register(commands))


@pytest.fixture
def quotary(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, world: World
) -> Iterator[Command]:
    """All commands of this file, on contracts that only the running test touches."""
    run = test_cli.runner((*test_cli.COMMANDS, Collateral, platform), capsys, monkeypatch)
    deployed(run, world)
    admitted(run, world)
    state = world.node.chain.rpc("evm_snapshot")
    yield run
    world.node.chain.rpc("evm_revert", [state])


@dataclass(frozen=True)
class Files:
    """Collateral of the simulated worker's platform, a document at a time newer or worse."""

    folder: Path

    def write(self, document: dict[str, str]) -> Path:
        """A file with this collateral."""
        path = self.folder / "changed.json"
        path.write_text(json.dumps(document))
        return path

    def minted(self, at: datetime, **changes: Any) -> dict[str, str]:
        """The platform's collateral, some of it issued at `at`."""
        simulator = Simulator(datetime.fromtimestamp(NOW, UTC), seed=SEED.encode())
        machine = simulator.platform("0")
        spec = machine.collateral_spec(tdx=True)
        changed = {name: edit(getattr(spec, name), at) for name, edit in changes.items()}
        return simulator.collateral(machine, "tdx", **changed)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """A folder of the test's own."""
    return Files(tmp_path)


def push(quotary: Command, world: World, *more: object, file: Path | None = None) -> Ran:
    """`quotary collateral push` of a file under the simulator's root."""
    return quotary(
        *("collateral", "push", "--file", file or world.folder / "collateral.json"),
        *("--root", world.folder / "root.der", *world.flags(), *more),
    )


def standings(ran: Ran) -> dict[str, str]:
    """What was found of each item."""
    return {item["item"]: item["standing"] for item in ran.json["items"]}


def dcap(world: World) -> DcapVerifier:
    """The deployed verifier."""
    record = json.loads((world.folder / "deployments" / "31337.json").read_text())
    return DcapVerifier(world.node.chain, record["contracts"]["DcapVerifier"]["address"])


def nonce(world: World) -> int:
    """How many transactions the account has sent."""
    return world.node.chain.nonce(world.node.signers[0].address)


def test_collateral_is_brought_in_order_and_only_once(quotary: Command, world: World) -> None:
    """Seven items, each with its gas; a second run finds them all and sends nothing."""
    first = push(quotary, world, "--json")
    assert first.code == 0, first
    assert [item["item"] for item in first.json["items"]] == list(ITEMS)
    assert all(item["sent"] and item["gas"] > 21_000 for item in first.json["items"])
    assert first.json["gas"] == sum(item["gas"] for item in first.json["items"])
    before = nonce(world)
    again = push(quotary, world, "--json")
    assert set(standings(again).values()) == {"same"}
    assert (again.code, again.json["sent"], nonce(world)) == (0, False, before)
    told = push(quotary, world)
    assert told.out.count("is there") == len(ITEMS)
    assert "0 brought, 0 gas" in told.out


def test_an_interrupted_push_goes_on(quotary: Command, world: World) -> None:
    """What another run brought before it died is found, whatever it was."""
    raw = RawCollateral.from_json((world.folder / "collateral.json").read_bytes())
    store = CollateralStore(world.node.chain, dcap(world).store())
    sender = Sender(world.node.chain, world.node.signers[0], timeout_seconds=300)
    half = steps(store, raw)
    for _ in range(4):
        sender.send(sender.request(store.address, next(half).data))
    ran = push(quotary, world, "--json")
    assert list(standings(ran).values()) == ["same"] * 4 + ["missing"] * 3
    assert ran.code == 0


def test_a_long_list_is_brought_in_parts(quotary: Command, world: World, files: Files) -> None:
    """What is too long for one transaction; after an interruption only what is missing is sent."""
    at = datetime.fromtimestamp(NOW, UTC)
    machine = Simulator(at, seed=SEED.encode()).platform("0")
    crl = minted(machine, (*serials(1_500), machine.pck_serial), at)
    document = {**files.minted(at), "pck_crl": crl.hex()}
    file = files.write(document)
    store = CollateralStore(world.node.chain, dcap(world).store())
    sender = Sender(world.node.chain, world.node.signers[0], timeout_seconds=300)
    for step in steps(store, RawCollateral.from_json(json.dumps(document))):
        sender.send(sender.request(store.address, step.data))
        if step.name == "PCK revocation list, part 1 of 2":
            break
    ran = push(quotary, world, "--json", file=file)
    assert ran.code == 0, ran
    found = standings(ran)
    assert found["PCK revocation list, part 1 of 2"] == "same"
    assert found["PCK revocation list, part 2 of 2"] == "missing"
    assert found["PCK revocation list"] == "missing"
    stored = store.revocation_list(1)
    assert stored is not None
    assert stored.serials == RevocationList.parse(crl, "pck_crl").revoked
    again = push(quotary, world, "--json", file=file)
    assert set(standings(again).values()) == {"same"}
    assert len(standings(again)) == len(ITEMS)


def test_newer_documents_replace_older_ones_and_never_the_reverse(
    quotary: Command, world: World, files: Files
) -> None:
    """A new TCB info and a new list are brought; the file of before has nothing to bring then."""
    assert push(quotary, world).code == 0
    new = files.write(
        files.minted(
            datetime.fromtimestamp(NOW, UTC),
            tcb_info=lambda it, at: replace(it, issue_date=at),
            pck_crl=lambda it, at: replace(it, this_update=at),
        )
    )
    newer = push(quotary, world, "--json", file=new)
    assert newer.code == 0, newer
    found = standings(newer)
    assert found[ITEMS[3]] == found[ITEMS[4]] == "older"
    assert found[ITEMS[5]] == "same"
    assert found[ITEMS[6]] == "missing"
    before = nonce(world)
    back = push(quotary, world, "--json")
    assert (back.code, nonce(world)) == (0, before)
    assert standings(back)[ITEMS[3]] == standings(back)[ITEMS[4]] == "newer"


def test_a_dry_run_says_what_it_would_bring(quotary: Command, world: World) -> None:
    """And sends nothing."""
    before = nonce(world)
    ran = push(quotary, world, "--dry-run")
    assert (ran.code, nonce(world)) == (0, before)
    assert ran.out.count("would be brought") == len(ITEMS)
    assert "nothing was sent" in ran.out


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tcb_info", "TCB_INFO_SIGNATURE_INVALID"),
        ("qe_identity", "QE_IDENTITY_SIGNATURE_INVALID"),
    ],
)
def test_forged_collateral_costs_nothing(
    quotary: Command, world: World, files: Files, name: str, reason: str
) -> None:
    """It is refused here, by the verifier's own reason, before anything is sent."""
    document = json.loads((world.folder / "collateral.json").read_text())
    document[name] = document[name].replace('"version":', '"version": ', 1)
    before = nonce(world)
    ran = push(quotary, world, "--json", file=files.write(document))
    assert (ran.code, ran.json["reason"]) == (1, reason)
    assert nonce(world) == before


def test_stale_collateral_has_its_own_exit_code(quotary: Command, world: World) -> None:
    """What is over by the chain's clock is stale, not forged."""
    world.node.chain.rpc("evm_increaseTime", [10 * 365 * 24 * 3600])
    world.node.mine()
    assert push(quotary, world).code == 7


def test_another_root_is_a_wrong_setting(quotary: Command, world: World) -> None:
    """The store's root is fixed for ever, and Intel's is not a test chain's."""
    ran = quotary(
        *("collateral", "push", "--file", world.folder / "collateral.json", *world.flags()),
        "--json",
    )
    assert (ran.code, ran.json["reason"]) == (6, "CONFIGURATION_INVALID")
    assert "--root" in ran.json["remedy"]


def test_a_worker_is_registered_by_the_chain_itself(quotary: Command, world: World) -> None:
    """Without collateral: what to do. Then raw, then kept and compact, each cheaper to check."""
    lacking = quotary(*submit(world, "--via", "onchain", "--json"))
    assert (lacking.code, lacking.json["reason"]) == (7, "EVIDENCE_STALE")
    assert "quotary collateral push" in lacking.json["remedy"]
    assert "root revocation list" in lacking.json["message"]
    state = world.node.chain.rpc("evm_snapshot")
    assert push(quotary, world).code == 0
    raw = quotary(*submit(world, "--via", "onchain", "--json"))
    assert raw.code == 0, raw
    assert raw.json["proof_kind"] == "onchain"
    status = quotary("worker", "status", raw.json["worker"], *world.reading, "--json").json
    assert (status["active"], status["proof_kind"]) == (True, "on_chain")
    world.node.chain.rpc("evm_revert", [state])
    told = quotary(*submit(world, "--via", "onchain", "--push", "--keep"))
    assert told.code == 0, told
    assert "all in one piece" in told.out
    assert "the chain's own verification" in told.out
    compact = quotary(*submit(world, "--via", "onchain", "--json"))
    assert compact.code == 0, compact
    assert compact.json["gas"] < raw.json["gas"] // 2


def kept(quotary: Command, world: World) -> tuple[Ran, Path]:
    """The worker's platform and key are kept; returns what is shown of them, and a quote's file."""
    assert quotary(*submit(world, "--via", "onchain", "--push", "--keep")).code == 0
    report = httpx.get(f"{world.worker}/v1/attestation/report", timeout=60).json()
    quote = world.folder / "shown.hex"
    quote.write_text(report["intel_quote"])
    return quotary("platform", "show", "--quote", quote, *world.reading, "--json"), quote


def test_a_kept_platform_is_judged_under_todays_collateral(quotary: Command, world: World) -> None:
    """By its quote, by its key's id, and by its certificate: FMSPC, SVNs, list, status now."""
    shown, quote = kept(quotary, world)
    assert shown.code == 0, shown
    assert (shown.json["fmspc"], shown.json["authority"]) == ("0x51544d000000", "platform")
    assert shown.json["tcb_status"] == "UpToDate"
    assert shown.json["revocation"]["revoked"] is False
    assert len(shown.json["components"]) == 16
    key = shown.json["attestation_key_id"]
    blind = quotary("platform", "show", key, *world.reading, "--json").json
    assert blind["tcb_status"] is None
    assert "--tee-tcb-svn" in blind["reason"]
    svn = ("--tee-tcb-svn", "00" * 16)
    judged = quotary("platform", "show", key, *svn, *world.reading, "--json").json
    assert (judged["tcb_status"], judged["reason"]) == ("OutOfDate", "")
    text = quotary("platform", "show", "--quote", quote, *world.reading).out
    assert "TCB now          UpToDate" in text
    assert "not in the list of" in text


def test_a_new_list_shows_in_what_a_platform_is_worth(
    quotary: Command, world: World, files: Files
) -> None:
    """Nobody touched the kept link: the list that names it was brought, and it is worth nothing."""
    _, quote = kept(quotary, world)
    later = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)
    world.node.chain.rpc("evm_increaseTime", [7200])
    world.node.mine()
    revoking = files.minted(
        later,
        pck_crl=lambda it, at: replace(it, this_update=at, revoked_roles=(Role.PCK,)),
    )
    assert push(quotary, world, file=files.write(revoking)).code == 0
    shown = quotary("platform", "show", "--quote", quote, *world.reading, "--json").json
    assert shown["revocation"]["revoked"] is True
    assert (shown["tcb_status"], shown["reason"]) == (None, "CERT_REVOKED")


def test_a_kept_key_is_looked_up_in_the_newest_list_by_anybody(
    quotary: Command, world: World, files: Files
) -> None:
    """A new list makes every verification dearer until then, by what a lookup costs."""
    _, quote = kept(quotary, world)
    dry = submit(world, "--via", "onchain", "--dry-run", "--json")
    before = quotary(*dry).json["gas"]
    later = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)
    world.node.chain.rpc("evm_increaseTime", [7200])
    world.node.mine()
    newer = files.minted(later, pck_crl=lambda it, at: replace(it, this_update=at))
    assert push(quotary, world, file=files.write(newer)).code == 0
    dearer = quotary(*dry).json["gas"]
    refresh = ("platform", "refresh", "--quote", quote, *world.flags(9), "--json")
    ran = quotary(*refresh)
    assert ran.code == 0, ran
    assert ran.json["sent"] is True
    after = quotary(*dry).json["gas"]
    assert before < after < dearer - 2000
    unknown = quotary("platform", "refresh", "ab" * 32, *world.flags(9), "--json")
    assert (unknown.code, unknown.json["reason"]) == (1, "EVIDENCE_REJECTED")


def test_a_new_tcb_info_shows_in_what_a_platform_is_worth(
    quotary: Command, world: World, files: Files
) -> None:
    """A TCB recovery puts the platform out of date without any new quote."""
    _, quote = kept(quotary, world)
    later = datetime.fromtimestamp(NOW, UTC) + timedelta(hours=1)
    world.node.chain.rpc("evm_increaseTime", [7200])
    world.node.mine()

    def recovered(it: TcbInfoSpec, at: datetime) -> TcbInfoSpec:
        levels = tuple(replace(level, status="OutOfDate") for level in it.levels)
        return replace(it, issue_date=at, evaluation_number=it.evaluation_number + 1, levels=levels)

    document = files.minted(later, tcb_info=recovered)
    assert push(quotary, world, file=files.write(document)).code == 0
    shown = quotary("platform", "show", "--quote", quote, *world.reading, "--json").json
    assert shown["tcb_status"] == "OutOfDate"


def test_nothing_kept_is_said_so(quotary: Command, world: World) -> None:
    """With what to do about it."""
    ran = quotary("platform", "show", "ab" * 32, *world.reading, "--json")
    assert (ran.code, ran.json["reason"]) == (1, "EVIDENCE_REJECTED")
    assert "--keep" in ran.json["remedy"]


@pytest.mark.parametrize(
    ("word", "reason"),
    [(b"CRL_MISSING", "CRL_MISSING"), (b"NO_SUCH", "NO_SUCH"), (b"\xff\xfe", "\\xff\\xfe")],
)
def test_a_refusal_is_told_by_its_reason(word: bytes, reason: str) -> None:
    """The contract's word is the verifier's reason, where it is one, and so is the remedy."""
    error = decode_revert(bytes.fromhex("461abdc1") + word.ljust(32, b"\0"))
    assert (error.name, error.values) == ("EvidenceRefused", {"reason": reason})
    assert bool(error.remedy) is (reason in EvidenceReason.__members__)
