"""`quotary deploy`: what is printed before anything is sent, and every verb from end to end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import deploy
from quotary_bridge.errors import Reason

from tests.bridge.test_cli import Command, runner

ABI = Path(deploy.__file__).resolve().parents[1] / "chain" / "abi"
SEVERAL = [f"0x{digit * 40}" for digit in "123"]


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((deploy,), capsys, monkeypatch)


def chain_flags(node: AnvilNode, folder: Path) -> tuple[object, ...]:
    """Where the chain is and where its record."""
    return ("--rpc-url", node.url, "--deployments", folder / "records")


def test_what_is_planned_is_what_is_deployed(
    quotary: Command, snapshot: AnvilNode, tmp_path: Path
) -> None:
    """Plan needs no key; run prints the addresses first; check and verify agree with both."""
    chain = chain_flags(snapshot, tmp_path)
    account = snapshot.signers[0].address
    head = snapshot.chain.head().hash
    planned = quotary("deploy", "plan", *chain, "--from", account, "--json")
    assert planned.code == 0, planned
    told = quotary("deploy", "plan", *chain, "--from", account)
    assert snapshot.chain.head().hash == head
    assert not (tmp_path / "records").exists()
    addresses = {name: item["address"] for name, item in planned.json["contracts"].items()}
    assert not any(item["standing"] for item in planned.json["contracts"].values())

    ran = quotary("deploy", "run", *chain, "--private-key", WELL_KNOWN_KEYS[0])
    assert ran.code == 0, ran
    assert ran.out.startswith(told.out)
    assert f"{len(addresses)} of {len(addresses)} contracts were created" in ran.out
    record = json.loads((tmp_path / "records" / f"{snapshot.chain_id}.json").read_text())
    assert record["planned"] == addresses
    assert {name: item["address"] for name, item in record["contracts"].items()} == addresses
    assert record["roles"]["governor"] == addresses["GovernanceTimelock"]
    assert record["roles"]["proposers"] == [account]
    assert record["delays"] == {"timelock": 0, "activation": 0}
    assert record["entries"]["route OnCh"] == "DcapVerifier"
    assert record["compiler"]["settings"]["evmVersion"]

    again = quotary("deploy", *chain, "--private-key", WELL_KNOWN_KEYS[0], "--json")
    assert (again.code, again.json["created"], again.json["opened"]) == (0, [], [])
    checked = quotary("deploy", "check", *chain, "--json")
    assert checked.code == 0, checked
    assert set(checked.json["routers"].values()) == {"active"}
    assert checked.json["roles"] == record["roles"]
    assert account in quotary("deploy", "check", *chain).out

    # Compiling takes long, and tests/contracts does it: this checkout prints what is committed.
    exported = {path.name: json.loads(path.read_text()) for path in ABI.glob("*.json")}
    (tmp_path / "exported.json").write_text(json.dumps(exported))
    program = tmp_path / "scripts" / "export_abi.py"
    program.parent.mkdir()
    program.write_text(f"print(open({str(tmp_path / 'exported.json')!r}).read())")
    verified = quotary("deploy", "verify", *chain, "--sources", tmp_path, "--json")
    assert verified.code == 0, verified
    assert set(addresses) < set(verified.json["verified"])
    assert verified.json["missing"] == []
    program.write_text("raise SystemExit('no compiler here')")
    broken = quotary("deploy", "verify", *chain, "--sources", tmp_path, "--json")
    assert (broken.code, broken.json["reason"]) == (6, Reason.TOOL_MISSING)
    assert "no compiler here" in broken.json["message"]
    nowhere = quotary("deploy", "verify", *chain, "--sources", tmp_path / "x", "--json")
    assert (nowhere.code, nowhere.json["reason"]) == (6, Reason.TOOL_MISSING)


def test_a_public_chain_is_planned_without_a_key(quotary: Command, tmp_path: Path) -> None:
    """Addresses are those of any other chain with the same parameters; a salt moves them."""
    roles = ("--proposer", SEVERAL[0], "--guardian", SEVERAL[1], "--member", SEVERAL[2])
    with AnvilNode(chain_id=11155111) as node:
        chain = chain_flags(node, tmp_path)
        plans = [
            quotary("deploy", "plan", *chain, *roles, *more, "--json")
            for more in ((), (), ("--salt", "again"), ("--image-id", "0x" + "5" * 64))
        ]
        assert [plan.code for plan in plans] == [0, 0, 0, 0], plans
        first, second, salted, guest = (plan.json["contracts"] for plan in plans)
        assert first == second
        assert not {item["address"] for item in first.values()} & {
            item["address"] for item in salted.values()
        }
        assert "ZkQuoteVerifier" in guest
        assert "ZkQuoteVerifier" not in first
        assert not any("Stub" in name for name in guest)
        unsigned = quotary(
            *("deploy", "run", *chain, *roles, "--from", SEVERAL[0]),
            *("--unsigned", tmp_path / "batches", "--json"),
        )
        assert unsigned.code == 8, unsigned
        files = [Path(batch["file"]) for batch in unsigned.json["batches"]]
        assert all(json.loads(path.read_text())["chainId"] == "11155111" for path in files)
        assert max(batch["gas"] for batch in unsigned.json["batches"]) < 2**24
        half = quotary("deploy", "check", *chain, "--json")
        assert (half.code, half.json["reason"]) == (6, Reason.DEPLOYMENT_MISMATCH)


@pytest.mark.parametrize(
    "wrong",
    [
        ("--delay", "-1"),
        ("--max-age", "soon"),
        ("--activation-delay", str(2**64)),
        ("--accepted-statuses", "0x10000"),
        ("--accepted-statuses", "all"),
        ("--image-id", "0x12"),
        ("--guardian", "0x12"),
        ("demolish",),
    ],
)
def test_what_is_no_value_is_a_usage_error(quotary: Command, wrong: tuple[str, ...]) -> None:
    """Refused before any chain is asked."""
    with pytest.raises(SystemExit) as caught:
        quotary("deploy", *wrong)
    assert caught.value.code == 2
