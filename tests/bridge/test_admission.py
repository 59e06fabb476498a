"""What events tell is what contracts hold, and what is simulated is what happens."""

from __future__ import annotations

import os
from dataclasses import astuple
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary import TcbStatus
from quotary_bridge.admission.audit import audit
from quotary_bridge.admission.forecast import Proposal, forecast, standing_at
from quotary_bridge.admission.history import rebuild
from quotary_bridge.admission.state import State
from quotary_bridge.chain.contracts import RequestStatus
from quotary_bridge.chain.contracts.policy import PolicyRules
from quotary_bridge.cli import audit as cli_audit
from quotary_bridge.deploy import ROUTES
from quotary_bridge.model import Address

from tests.bridge.admission_names import PLATFORMS
from tests.bridge.admission_world import (
    APPS,
    DAY,
    GUARDIAN,
    WORKERS,
    AdmissionWorld,
    admission_world,
)
from tests.bridge.test_cli import runner

STEPS = int(os.environ.get("QUOTARY_AUDIT_STEPS", "80"))
"""`make audit` takes 1,000."""

PROPOSALS = max(8, STEPS // 10)
_ALL_STATUSES = 0b1_1111_1110
REGISTRATIONS = 6
"""Tried before each proposal, so that there is somebody who may fall."""


def test_the_state_is_in_the_events(tmp_path: Path) -> None:
    """After a random run, the state from events alone equals what every contract says."""
    with admission_world(tmp_path, seed=1) as world:
        _trade(world)
        _serve(world)
        changed = sum(world.step() for _ in range(STEPS))
        found = audit(world.chain, world.record, world.chain.head().number)
        assert found.findings == ()
        assert changed > STEPS // 4
        assert found.compared > 50
        state = found.state
        assert state.workers
        assert state.policies.versions
        assert state.policies.barred
        assert state.models
        assert state.corroborations
        assert state.calendar.windows
        assert state.matched
        assert state.ledger.states
        assert state.ledger.notarized
        statuses = {kept.status for kept in state.ledger.states.values()}
        assert {RequestStatus.FULFILLED, RequestStatus.REFUNDED} <= statuses
        assert any(state.ledger.credits.values())
        ended = {kept.status for kept in state.batches.states.values()}
        assert {RequestStatus.FULFILLED, RequestStatus.REFUNDED} <= ended
        assert any(state.batches.credits.values())
        assert state.batches.voided
        assert len(state.batches.roots) > len(state.batches.voided)
        assert state.gateways.keysets
        assert len(state.gateways.keys) > len(state.gateways.keysets)
        assert state.gateways.exchanges
        assert len(state.gateways.receipts) > 1
        half = audit(world.chain, world.record, world.record.since + STEPS)
        assert half.findings == ()
        assert half.compared < found.compared
        _tamper(world)


def _trade(world: AdmissionWorld) -> None:
    """A bar, a request answered and another refunded, whatever the history brings."""
    assert world.send(GUARDIAN, "TcbPolicy", "bar", APPS[1], PLATFORMS[-1])
    assert world.settle(0, TcbStatus.UP_TO_DATE)
    world.advance(world.now + 601)
    assert world.customers.ask(APPS[0])
    assert world.customers.answer([(0, WORKERS[0])])
    assert world.customers.ask(APPS[0])
    world.advance(world.now + DAY)
    assert world.customers.refund()


def _serve(world: AdmissionWorld) -> None:
    """A batch is claimed from, another voided, and gateways and receipts are on record."""
    batches, gateways = world.batches, world.gateways
    assert world.settle(2, TcbStatus.UP_TO_DATE)
    world.advance(world.now + 601)
    assert batches.ask(APPS[0])
    assert batches.answer([(0, WORKERS[0])])
    assert batches.claim()
    assert batches.ask(APPS[0])
    assert batches.answer([(2, WORKERS[2])])
    assert world.send(GUARDIAN, "WorkerRegistry", "revoke", WORKERS[2])
    while not batches.void():
        pass
    assert gateways.enrol(sound=True)
    assert gateways.exchange()
    assert gateways.enrol_keyset(sound=True)
    while len(gateways.recorded) < 2:
        gateways.receipt()
    world.advance(world.now + DAY)
    assert batches.refund()


def _tamper(world: AdmissionWorld) -> None:
    """An audit that could not fail would be none."""
    slot = "0x" + (2**24 - 2).to_bytes(32).hex()
    log = world.record.address("ChangeLog")
    world.chain.rpc("anvil_setStorageAt", [log, "0x0", slot])
    told = world.batches.committed[0][1].batch_id
    _lose_batch(world, told)
    world.node.mine()
    found = audit(world.chain, world.record, world.chain.head().number)
    assert {"epoch of the log", f"batch {told}"} <= {finding.what for finding in found.findings}


def _lose_batch(world: AdmissionWorld, batch_id: int) -> None:
    """Have the contract forget a batch, wherever its layout keeps it."""
    book, chain = world.batches.book, world.chain
    for slot in range(64):
        place = "0x" + keccak(batch_id.to_bytes(32) + slot.to_bytes(32)).hex()
        if chain.rpc("eth_getStorageAt", [book.address, place, "latest"]) != f"0x{'00' * 32}":
            chain.rpc("anvil_setStorageAt", [book.address, place, f"0x{'00' * 32}"])
    assert not book.is_open(batch_id)


def test_what_is_simulated_is_what_happens(tmp_path: Path) -> None:
    """Fates foretold from events, against the chain's answers once the version is published."""
    published = falls = asked = 0
    with admission_world(tmp_path, seed=2) as world:
        for _ in range(PROPOSALS):
            for _ in range(STEPS // PROPOSALS):
                world.step()
            for _ in range(REGISTRATIONS):
                world.register()
            happened, fallen, answers = _propose(world)
            published, falls, asked = published + happened, falls + fallen, asked + answers
    assert published >= PROPOSALS // 2
    assert falls > 0
    assert asked > 10 * published


def test_nobody_outlives_an_outage_by_more_than_signed_dates_allow(tmp_path: Path) -> None:
    """
    Twin and chain agree beyond the end of every registration, and kinds are counted on both.

    A worker that counts after its end does so within the cap, ended in the very second in which a
    document of its family did, and no document on the chain is newer than those behind its verdict.
    """
    with admission_world(tmp_path, seed=5) as world:
        rules = PolicyRules(
            accepted_statuses=_ALL_STATUSES, accepted_kinds=0b1_1110, kinds_needed=2
        )
        assert world.govern("TcbPolicy", "publish", APPS[0], 2, astuple(rules), True)
        assert world.settle(0, TcbStatus.UP_TO_DATE)
        assert world.vouch(0)
        assert world.settle_by_collateral(1)
        world.advance(world.now + 601)
        assert min(_hold_to_chain(world)) > 0
        for _ in range(STEPS // 4):
            for _ in range(4):
                world.step()
            world.register()
            world.corroborate()
            _hold_to_chain(world)


def _hold_to_chain(world: AdmissionWorld) -> tuple[int, int]:
    """Return how many answers were of a stretched worker, and how many of one in several kinds."""
    stretched = together = 0
    state = rebuild(world.chain, world.record, world.chain.head().number)
    for address, worker in state.workers.items():
        app, end = state.cohorts[worker.cohort].app_id, worker.valid_until
        cap = end + state.calendar.max_stretch
        moments = {world.now, end, end + 1, cap, cap + 1}
        for moment in sorted(moment for moment in moments if moment >= world.now):
            found = world.workers.active_at(address, app, moment)
            twin = standing_at(state, state.policies, address, moment)
            assert (found.active, found.reason) == (twin.good, twin.reason)
            assert not found.active or found.until == twin.until
            if found.active and moment > end:
                stretched += 1
                _require_an_outage(world, state, address, moment)
            together += found.active and address in state.claims
    return stretched, together


def _require_an_outage(world: AdmissionWorld, state: State, address: Address, moment: int) -> None:
    worker = state.workers[address]
    facts = state.cohorts[worker.cohort]
    seat = state.seat_of(address)
    names = (facts.fmspc, "identity", "list", "root list")
    windows = [world.vendor.windows[name] for name in names]
    assert moment <= worker.valid_until + state.calendar.max_stretch
    assert worker.valid_until in {until for _, until in windows}
    assert max(issued for issued, _ in windows) <= seat.collateral_from


def _propose(world: AdmissionWorld) -> tuple[bool, int, int]:
    """Simulate a version, publish it, and compare: whether it was, who fell, how much was asked."""
    app, emergency = world.random.choice(APPS), world.random.random() < 0.6
    rules = world.rules()
    state = rebuild(world.chain, world.record, world.chain.head().number)
    # Proposed in the next block, executed in the one after it.
    proposal = Proposal(app, 2, rules, world.now + 2, emergency)
    fates = forecast(state, proposal)
    if not world.govern("TcbPolicy", "publish", app, 2, astuple(rules), emergency):
        assert state.policies.head_of(app, 2).grace_ends_at >= proposal.at - 1
        return False, 0, 0
    after = rebuild(world.chain, world.record, world.chain.head().number)
    answers = 0
    for fate in fates:
        moments = {proposal.at + seconds for seconds in (0, 1, DAY, DAY + 1, 5 * DAY, 50 * DAY)}
        if fate.falls_at is not None:
            moments |= {fate.falls_at - 1, fate.falls_at}
        for moment in sorted(moment for moment in moments if moment >= proposal.at):
            found = world.workers.active_at(fate.worker, app, moment)
            twin = standing_at(after, after.policies, fate.worker, moment)
            assert (found.active, found.reason) == (twin.good, twin.reason)
            assert not twin.good or found.until == twin.until
            answers += 1
            if moment == proposal.at:
                assert (found.active, found.reason) == (fate.after.good, fate.after.reason)
            if moment == fate.falls_at:
                assert (found.active, found.reason) == (False, fate.falls_for)
            if fate.falls_at is None and found.active:
                assert standing_at(state, after.policies, fate.worker, moment).good
    return True, sum(fate.falls_at is not None for fate in fates), answers


def test_the_command_says_what_was_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`quotary audit rebuild`: counts and agreement at any block; a difference is exit code 6."""
    quotary = runner((cli_audit,), capsys, monkeypatch)
    with admission_world(tmp_path, seed=3) as world:
        for _ in range(20):
            world.register()
        chain = ("--rpc-url", world.node.url, "--deployments", tmp_path)
        ran = quotary("audit", "rebuild", *chain, "--json")
        assert ran.code == 0, ran
        assert ran.json["block"] == world.chain.head().number
        assert ran.json["routes"] == len(ROUTES)
        assert ran.json["workers"] > 0
        told = quotary("audit", "rebuild", *chain)
        assert f"all {ran.json['compared']} values are what the contracts hold" in told.out
        early = quotary("audit", "rebuild", *chain, "--block", ran.json["block"] - 50, "--json")
        assert early.json["compared"] < ran.json["compared"]
        slot = "0x" + (77).to_bytes(32).hex()
        log = world.record.address("ChangeLog")
        world.chain.rpc("anvil_setStorageAt", [log, "0x0", slot])
        world.node.mine()
        forged = quotary("audit", "rebuild", *chain, "--json")
        assert (forged.code, forged.json["reason"]) == (6, "DEPLOYMENT_MISMATCH")
        assert "epoch of the log: events say" in forged.json["message"]
    with pytest.raises(SystemExit):
        quotary("audit", "rebuild", "--block", "-1")
