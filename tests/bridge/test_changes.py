"""Every change of what a deployment accepts is told to its log, in one form, exactly once."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import astuple
from importlib.resources import files
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary import TcbStatus, TeeType
from quotary_bridge.chain.contracts import Model
from quotary_bridge.chain.contracts.base import address_of
from quotary_bridge.chain.contracts.profiles import Profile
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Bytes32
from quotary_bridge.zk import RELEASES

from tests.bridge.admission_world import (
    APPS,
    GUARDIAN,
    MANIFEST,
    WORKERS,
    AdmissionWorld,
    admission_world,
)
from tests.contracts.zk_trapdoor import known_release
from tests.contracts.zk_world import deploy_release

ROOT = Path(__file__).resolve().parents[2]
IMAGE, RUMOUR, ROUTE = b"\x21" * 32, b"\x22" * 32, b"Test"
PROFILE = Profile(TeeType.TDX, 0, b"\xff" * 448, bytes(448))
MODEL = Model(*(Bytes32(b"\x23" * 32),) * 3, "a model", "a licence")
STOP = f"RiscZeroEmergencyStop-{RELEASES[0].version}"
# One of two functions of this name: the other takes a proof of exploit.
ESTOP = keccak(text="estop()")[:4]

Call = Callable[[AdmissionWorld], bool]


def _publish(world: AdmissionWorld) -> bool:
    return world.govern("TcbPolicy", "publish", APPS[0], 2, astuple(world.rules()), True)


def _add_route(world: AdmissionWorld) -> bool:
    verifier = world.record.address("CommitteeVerifier")
    return world.govern("VerifierRouter", "addRoute", ROUTE, verifier)


def _add_verifier(world: AdmissionWorld) -> bool:
    release = known_release()
    verifier = deploy_release(world.node, release).address
    # That block had the node's own time.
    world.now = world.chain.head().timestamp
    return world.govern("RiscZeroRouter", "addVerifier", release.selector, verifier)


def _estop(world: AdmissionWorld) -> bool:
    return world.transact(GUARDIAN, world.record.address(STOP), ESTOP)


def _governed(contract: str, function: str, *arguments: object) -> Call:
    return lambda world: world.govern(contract, function, *arguments)


def _guarded(contract: str, function: str, *arguments: object) -> Call:
    return lambda world: world.send(GUARDIAN, contract, function, *arguments)


# In an order in which each of them succeeds.
CHANGES: dict[tuple[str, str], Call] = {
    ("MeasurementRegistry", "admit"): _governed(
        "MeasurementRegistry", "admit", APPS[0], IMAGE, MANIFEST
    ),
    ("MeasurementRegistry", "admitProfile"): _governed(
        "MeasurementRegistry", "admitProfile", APPS[0], PROFILE.words(), MANIFEST
    ),
    ("MeasurementRegistry", "revoke"): _guarded("MeasurementRegistry", "revoke", APPS[0], IMAGE),
    ("MeasurementRegistry", "ban"): _guarded("MeasurementRegistry", "ban", APPS[0], RUMOUR),
    ("ModelRegistry", "admit"): _governed("ModelRegistry", "admit", astuple(MODEL)),
    ("ModelRegistry", "revoke"): _guarded("ModelRegistry", "revoke", MODEL.id),
    ("ModelRegistry", "ban"): _guarded("ModelRegistry", "ban", RUMOUR),
    ("VerifierRouter", "addRoute"): _add_route,
    ("VerifierRouter", "freeze"): _guarded("VerifierRouter", "freeze", ROUTE),
    ("TcbPolicy", "publish"): _publish,
    ("TcbPolicy", "bar"): _guarded("TcbPolicy", "bar", APPS[0], RUMOUR),
    ("TcbPolicy", "lift"): _governed("TcbPolicy", "lift", APPS[0], RUMOUR),
    ("WorkerRegistry", "revoke"): _guarded("WorkerRegistry", "revoke", WORKERS[1]),
    ("RiscZeroRouter", "addVerifier"): _add_verifier,
    ("RiscZeroRouter", "removeVerifier"): _guarded(
        "RiscZeroRouter", "removeVerifier", RELEASES[1].selector
    ),
    ("RiscZeroEmergencyStop", "estop"): _estop,
}

# Nobody's privilege. Of these, reports of two answers change what is accepted: Equivocation.t.sol.
# So do a proof of exploit, the other `estop`: ReceiptRouting.t.sol; and what a profile matches:
# Profiles.t.sol.
OPEN = {
    ("MeasurementRegistry", "matchProfile"),
    ("WorkerRegistry", "register"),
    ("WorkerRegistry", "refresh"),
    ("WorkerRegistry", "retire"),
    ("WorkerRegistry", "reportEquivocation"),
}
# Contracts tell each other.
INTERNAL = {
    ("WorkerRegistry", "follow"),
    ("WorkerRegistry", "corroborated"),
    ("RiscZeroRouter", "reportStop"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AdmissionWorld]:
    """A deployment with every contract there can be, and a worker."""
    with admission_world(tmp_path_factory.mktemp("changes"), seed=4) as made:
        assert made.settle(1, TcbStatus.UP_TO_DATE)
        yield made


def test_no_privileged_function_is_forgotten(world: AdmissionWorld) -> None:
    """Whatever governor, guardian or another contract may change is in the tables of this test."""
    contracts = {item.contract for item in world.record.contracts.values()}
    governed = {name for name in contracts if _has(name, "GUARDIAN")} | {"WorkerRegistry"}
    changing = {(name, function) for name in governed for function in _changing(name)}
    assert changing == CHANGES.keys() | OPEN | INTERNAL


def test_the_page_names_every_privilege() -> None:
    """And none that there is not; what its timelock does is OpenZeppelin's."""
    page = (ROOT / "docs" / "governance.md").read_text(encoding="utf-8")
    named: set[tuple[str, str]] = set()
    for cell in re.findall(r"^\| (`\w+\.[^|]+) \|", page, re.MULTILINE):
        contract = ""
        for name in re.findall(r"`([\w.]+)`", cell):
            found, _, function = name.rpartition(".")
            contract = found or contract
            named.add((contract, function))
    timelock = {("GovernanceTimelock", name) for name in ("schedule", "execute", "cancel")}
    assert named - {("TcbPolicy", "emergency")} == CHANGES.keys() | timelock


def _abi(contract: str) -> list[dict[str, str]]:
    text = files("quotary_bridge.chain").joinpath("abi", f"{contract}.json").read_text("utf-8")
    abi: list[dict[str, str]] = json.loads(text)["abi"]
    return [entry for entry in abi if entry["type"] == "function"]


def _has(contract: str, function: str) -> bool:
    # The timelock's changes are its own events, which `audit rebuild` follows.
    is_timelock = contract == "GovernanceTimelock"
    return not is_timelock and any(entry["name"] == function for entry in _abi(contract))


def _changing(contract: str) -> set[str]:
    constant = ("view", "pure")
    return {entry["name"] for entry in _abi(contract) if entry["stateMutability"] not in constant}


@pytest.mark.parametrize("change", CHANGES, ids=".".join)
def test_the_log_hears_of_it_once(world: AdmissionWorld, change: tuple[str, str]) -> None:
    """`PolicyChanged` in the change's own block: which contract, which function, whose doing."""
    contract, function = change
    assert CHANGES[change](world)
    block = world.chain.head().number
    log = interface("ChangeLog")
    address = world.record.address("ChangeLog")
    topic = log.event("PolicyChanged").topic
    logs = list(world.chain.all_logs([address], block, block, [[topic]]))
    assert len(logs) == 1
    decoded = log.decode_log(logs[0])
    assert decoded is not None
    told = decoded[1]
    expected = ESTOP if function == "estop" else interface(contract).function(function).selector
    assert told["change"] == expected
    speaker = "RiscZeroRouter" if contract == "RiscZeroEmergencyStop" else contract
    assert address_of(told["source"]) == world.record.address(speaker)
    widens = function in {"admit", "admitProfile", "addRoute", "addVerifier", "lift"}
    assert told["narrows"] is not widens
    actor = world.timelock.address if widens else world.signers[GUARDIAN].address
    if function != "publish":
        assert address_of(told["actor"]) == actor
