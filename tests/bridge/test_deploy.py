"""Deploying: everything stands, a second run changes nothing, a crash costs only a second run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from eth_utils.crypto import keccak
from quotary import RawCollateral, TrustRoot, verify
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.accounts import Signer
from quotary_bridge.chain.contracts import (
    CommitteeVerifier,
    Manifest,
    MeasurementRegistry,
    MeasurementStatus,
    Operation,
    OperationState,
    PolicyChanged,
    ProofKind,
    QuoteNotary,
    VerifierRouter,
    WorkerRegistry,
    decode_event,
)
from quotary_bridge.chain.contracts.events import MeasurementAdmitted
from quotary_bridge.chain.deployment import Deployment, record_path
from quotary_bridge.chain.governance import Governor
from quotary_bridge.chain.interface import interface
from quotary_bridge.chain.sender import Sender
from quotary_bridge.chain.well_known import WELL_KNOWN_ADDRESSES
from quotary_bridge.committee import attest, attestation, committee_proof
from quotary_bridge.deploy import ROUTES, Parameters
from quotary_bridge.deploy.parameters import (
    DEMO_IMAGE_ID,
    INTEL_ROOT_KEY_HASH,
    SHORTEST_DELAY,
    Committee,
    TimelockTerms,
)
from quotary_bridge.errors import (
    BridgeError,
    ConfigurationError,
    ContractError,
    DeploymentMismatch,
    Reason,
)
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.zk import RELEASES, stub_seal
from quotary_enclave.simulator import Simulator, sample_td

from tests.bridge.deploy_parts import (
    APP,
    GUEST,
    MEASUREMENT,
    OPENED,
    ROOT,
    SELECTORS,
    TEST_ROOT,
    deployer,
    parameters,
)
from tests.contracts.zk_vectors import risc_zero_vectors


@pytest.fixture
def node() -> Iterator[AnvilNode]:
    """A chain of its own: nonces and addresses start from nothing."""
    with AnvilNode() as fresh:
        yield fresh


def test_everything_stands_and_a_second_run_changes_nothing(
    node: AnvilNode, tmp_path: Path
) -> None:
    """One run deploys the lot where it was forecast; the next finds nothing to do."""
    wanted = parameters(node)
    forecast = deployer(node, tmp_path).forecast(wanted)
    assert not any(item.standing for item in forecast)
    outcome = deployer(node, tmp_path).run(wanted)
    assert outcome.remaining == ()
    assert outcome.opened == tuple(OPENED)
    record = Deployment.load(tmp_path, node.chain_id)
    assert record == outcome.deployment
    assert {item.name: item.address for item in forecast} == {
        name: item.address for name, item in record.contracts.items()
    }
    record.check(node.chain)
    nonce = node.chain.nonce(node.signers[0].address)
    again = deployer(node, tmp_path).run(wanted)
    assert (again.created, again.opened) == ((), ())
    assert node.chain.nonce(node.signers[0].address) == nonce
    assert all(item.standing for item in deployer(node, tmp_path).forecast(wanted))


def test_the_contracts_are_what_the_parameters_say(node: AnvilNode, tmp_path: Path) -> None:
    """Reading back: routes, proof kinds, roots, committee, and the committee's own digest."""
    wanted = parameters(node)
    record = deployer(node, tmp_path).run(wanted).deployment
    router = VerifierRouter(node.chain, record.address("VerifierRouter"))
    assert router.kind_of(ROUTES["CommitteeVerifier"]) is ProofKind.COMMITTEE
    assert router.kind_of(ROUTES["StubQuoteVerifier"]) is ProofKind.STUB
    assert router.kind_of(ROUTES["DcapVerifier"]) is ProofKind.ON_CHAIN
    assert router.kind_of(ROUTES["ZkQuoteVerifier"]) is ProofKind.ZK
    assert router.is_trusted_root(TEST_ROOT)
    assert not router.is_trusted_root(INTEL_ROOT_KEY_HASH)
    committee = CommitteeVerifier(node.chain, record.address("CommitteeVerifier"))
    assert set(committee.members()) == set(wanted.committee.members)
    assert committee.threshold() == 2
    digest = keccak(text="journal")
    message = attestation(digest, node.chain_id, committee.address)
    ours = keccak(b"\x19" + message.version + message.header + message.body)
    assert committee.attestation_digest(digest) == ours
    assert len(attest(digest, node.chain_id, committee.address, node.signers[3])) == 65
    workers = WorkerRegistry(node.chain, record.address("WorkerRegistry"))
    activity = workers.check_active(node.signers[9].address, APP)
    assert (activity.active, activity.reason) == (False, "WorkerUnknown")


def test_admits_and_revokes_and_reads_the_event(node: AnvilNode, tmp_path: Path) -> None:
    """The wrapper's call data does what it says, and reverts come out by name and value."""
    record = deployer(node, tmp_path).run(parameters(node)).deployment
    registry = MeasurementRegistry(node.chain, record.address("MeasurementRegistry"))
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    manifest = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org/source")
    call = sender.request(registry.address, registry.admit(APP, MEASUREMENT, manifest))
    receipt = sender.send(call)
    assert registry.status_of(APP, MEASUREMENT) is MeasurementStatus.ADMITTED
    admitted, changed = (decode_event(log) for log in receipt.logs)
    assert admitted == MeasurementAdmitted(APP, MEASUREMENT, manifest)
    assert changed == PolicyChanged(
        source=registry.address,
        subject=Bytes32(keccak(APP + MEASUREMENT)),
        actor=node.signers[0].address,
        change=interface("MeasurementRegistry").function("admit").selector,
        narrows=False,
        epoch=1,
    )
    with pytest.raises(ContractError) as caught:
        sender.send(call)
    assert caught.value.name == "WrongMeasurementStatus"
    assert caught.value.values["actual"] == MeasurementStatus.ADMITTED
    stranger = Sender(node.chain, node.signers[7], timeout_seconds=300)
    with pytest.raises(ContractError) as caught:
        stranger.send(stranger.request(registry.address, registry.revoke(APP, MEASUREMENT)))
    assert caught.value.name == "Unauthorized"
    assert caught.value.remedy
    assert str(caught.value.values["caller"]).lower() == stranger.address.lower()


def test_notarizes_a_verdict_by_stub_and_by_committee(tmp_path: Path) -> None:
    """One journal, two proofs: the chain keeps both apart, and takes each only once."""
    at = datetime(2026, 11, 20, tzinfo=UTC)
    simulator = Simulator(at, seed=b"notary")
    platform = simulator.platform()
    quote = platform.quote(sample_td(simulator))
    collateral = RawCollateral.from_json(json.dumps(simulator.collateral(platform, "tdx")))
    root = TrustRoot.from_certificate(simulator.root_der)
    verdict = verify(quote, collateral, at=at, root=root)
    with AnvilNode(timestamp=int(at.timestamp())) as node:
        wanted = replace(parameters(node), root_key_hashes=(root.key_hash,), collateral_root=root)
        record = deployer(node, tmp_path).run(wanted).deployment
        sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
        registry = MeasurementRegistry(node.chain, record.address("MeasurementRegistry"))
        measured = Bytes32(verdict.measurement_id)
        source = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org")
        sender.send(sender.request(registry.address, registry.admit(APP, measured, source)))
        notary = QuoteNotary(node.chain, record.address("QuoteNotary"))
        verifier = record.address("CommitteeVerifier")
        digest = verdict.journal_digest
        members = node.signers[3:5]
        proofs = {
            ProofKind.STUB: ("StubQuoteVerifier", stub_seal(GUEST, digest)),
            ProofKind.COMMITTEE: (
                "CommitteeVerifier",
                committee_proof(digest, node.chain_id, verifier, members),
            ),
        }
        quote_hash = Bytes32(verdict.quote_hash)
        for kind, (name, proof) in proofs.items():
            assert not notary.is_notarized(APP, quote_hash, kind)
            data = notary.notarize(APP, ROUTES[name], verdict.journal(), proof)
            sender.send(sender.request(notary.address, data))
            kept = notary.record_of(APP, quote_hash, kind)
            assert (kept.journal_digest, kept.measurement_id) == (digest, measured)
            assert kept.route == ROUTES[name]
            assert notary.is_notarized(APP, quote_hash, kind)
            with pytest.raises(ContractError) as caught:
                sender.send(sender.request(notary.address, data))
            assert caught.value.name == "QuoteAlreadyNotarized"


def test_a_restarted_local_chain_is_deployed_anew(tmp_path: Path) -> None:
    """Anvil forgets; the record of a development chain follows it."""
    for _ in range(2):
        with AnvilNode() as node:
            outcome = deployer(node, tmp_path).run(parameters(node))
            assert "ResultOracle" in outcome.created


def test_other_parameters_need_another_record(node: AnvilNode, tmp_path: Path) -> None:
    """A record never comes to describe a mixture of two deployments."""
    deployer(node, tmp_path).run(parameters(node))
    with pytest.raises(DeploymentMismatch) as caught:
        deployer(node, tmp_path).run(replace(parameters(node), max_age=17))
    assert "maxAge" in caught.value.message


def test_routes_wait_for_the_governor(node: AnvilNode, tmp_path: Path) -> None:
    """Whoever deploys need not govern: what is left to do is named."""
    outcome = deployer(node, tmp_path, account=2).run(parameters(node))
    assert outcome.opened == ()
    assert len(outcome.remaining) == len(OPENED)
    assert all("the governor must send 0x" in line for line in outcome.remaining)


def test_a_router_without_stub_has_no_stub_route(node: AnvilNode, tmp_path: Path) -> None:
    """`allowStub` off: no stub is deployed, and the router refuses one for ever."""
    record = deployer(node, tmp_path).run(parameters(node, stub=False)).deployment
    assert "StubQuoteVerifier" not in record.contracts
    stub = deployer(node, tmp_path / "other").run(parameters(node)).deployment
    router = VerifierRouter(node.chain, record.address("VerifierRouter"))
    data = router.add(b"Stub", stub.address("StubQuoteVerifier"))
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    with pytest.raises(ContractError) as caught:
        sender.send(sender.request(router.address, data))
    assert caught.value.name == "StubNotAllowed"


OWN = tuple(Signer.from_key("0x" + f"{n:064x}", 31337).address for n in range(1000, 1004))


@pytest.mark.parametrize(
    "change",
    [
        {"allow_stub": True},
        {"root_key_hashes": (TEST_ROOT,), "collateral_root": ROOT},
        {"root_key_hashes": (INTEL_ROOT_KEY_HASH, TEST_ROOT), "collateral_root": ROOT},
        {"image_id": DEMO_IMAGE_ID},
        {"root_key_hashes": (INTEL_ROOT_KEY_HASH, TEST_ROOT)},
        {"governor": OWN[0]},
        {"governor": TimelockTerms((OWN[0],), delay=SHORTEST_DELAY - 1)},
        {"governor": TimelockTerms((Address("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),))},
        {"governor": TimelockTerms((OWN[0],), (OWN[0], WELL_KNOWN_ADDRESSES[1]))},
        {"committee": Committee((Address("0x70997970C51812dc3A010C7d01b50e0d17dc79C8"),), 1)},
    ],
)
def test_development_settings_stay_on_development_chains(change: dict[str, object]) -> None:
    """Stub, test roots and well-known accounts cannot reach a public chain."""
    sound = Parameters(TimelockTerms((OWN[0],)), OWN[1], Committee(OWN[2:], 2))
    sound.check(1)
    unsound = replace(sound, **change)  # type: ignore[arg-type]
    unsound.check(31337)
    with pytest.raises(ConfigurationError) as caught:
        unsound.check(1)
    assert caught.value.reason is Reason.DEVELOPMENT_ONLY


def test_collateral_is_proven_under_a_root_that_counts() -> None:
    """A verifier whose verdicts the router would always refuse is a mistake, not a deployment."""
    with pytest.raises(ConfigurationError) as caught:
        Parameters(OWN[0], OWN[1], Committee(OWN[2:], 2), collateral_root=ROOT).check(31337)
    assert caught.value.reason is Reason.CONFIGURATION_INVALID


def test_genuine_receipts_pass_until_their_release_is_stopped(
    node: AnvilNode, tmp_path: Path, shared: Path
) -> None:
    """What is deployed verifies real proofs, and the guardian can shut one release out."""
    record = deployer(node, tmp_path).run(parameters(node)).deployment
    router = record.address("RiscZeroRouter")
    verify = interface("RiscZeroRouter").encode_call
    releases = {release.selector: release for release in RELEASES}
    proven = [vector for vector in risc_zero_vectors(shared) if vector.seal[:4] in releases]
    assert proven
    guardian = Sender(node.chain, node.signers[1], timeout_seconds=300)
    for vector in proven:
        call = verify("verify", [vector.seal, vector.image_id, vector.journal_digest])
        request = guardian.request(router, call)
        node.chain.call(request, "latest")
        stop = record.address(f"RiscZeroEmergencyStop-{releases[vector.seal[:4]].version}")
        state = node.chain.rpc("evm_snapshot")
        # estop() has a namesake that takes a receipt: this is the selector of the one without.
        guardian.send(guardian.request(stop, keccak(text="estop()")[:4]))
        with pytest.raises(ContractError) as caught:
            node.chain.call(request, "latest")
        assert caught.value.name == "VerifierIsStopped"
        node.chain.rpc("evm_revert", [state])


def test_without_a_guest_there_is_no_zk_path(node: AnvilNode, tmp_path: Path) -> None:
    """No image id: neither receipts nor their route; Automata's guest alone has receipts."""
    wanted = replace(parameters(node), image_id=None, allow_stub=False)
    outcome = deployer(node, tmp_path).run(wanted)
    assert outcome.opened == ("route Comm", "route OnCh")
    assert not any("RiscZero" in name for name in outcome.deployment.contracts)
    wanted = replace(wanted, automata_program=GUEST)
    outcome = deployer(node, tmp_path / "automata").run(wanted)
    assert outcome.opened == (*SELECTORS, "route Comm", "route OnCh")
    assert "AutomataRiscZeroVerifier" in outcome.deployment.contracts
    assert "ZkQuoteVerifier" not in outcome.deployment.contracts


@pytest.mark.parametrize("threshold", [0, 3, -1])
def test_a_committee_must_be_able_to_agree(threshold: int) -> None:
    """Neither nobody nor more than all."""
    with pytest.raises(ConfigurationError):
        Parameters(OWN[0], OWN[1], Committee(OWN[2:], threshold)).check(31337)


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 1}',
        '{"schema_version": 2, "chainId": 1}',
        '{"schema_version": 2, "chainId": 31337, "genesis": "zz"}',
    ],
)
def test_a_damaged_record_is_named(tmp_path: Path, damage: str) -> None:
    """Whatever is wrong with the file, it is one clear error."""
    record_path(tmp_path, 31337).write_text(damage)
    with pytest.raises(ConfigurationError) as caught:
        Deployment.load(tmp_path, 31337)
    assert caught.value.reason is Reason.DEPLOYMENT_INVALID


def test_a_missing_record_says_how_to_get_one(tmp_path: Path) -> None:
    """The commonest mistake of all."""
    with pytest.raises(BridgeError) as caught:
        Deployment.load(tmp_path, 31337)
    assert caught.value.reason is Reason.DEPLOYMENT_MISSING
    assert "quotary deploy" in caught.value.remedy


def test_a_record_that_lies_about_the_chain_is_found_out(node: AnvilNode, tmp_path: Path) -> None:
    """An address that holds other code is not the contract of the record."""
    record = deployer(node, tmp_path).run(parameters(node)).deployment
    oracle = record.address("ResultOracle")
    node.chain.rpc("anvil_setCode", [oracle, "0x00"])
    with pytest.raises(DeploymentMismatch):
        record.check(node.chain)
    assert json.loads(record_path(tmp_path, 31337).read_text())["contracts"]["ResultOracle"]


def test_a_timelock_governs_and_the_guardian_may_veto(node: AnvilNode, tmp_path: Path) -> None:
    """Proposed, waiting, executed only after the delay; what the guardian cancels never happens."""
    proposer, guardian, anyone = node.signers[0], node.signers[1], node.signers[7]
    terms = TimelockTerms((proposer.address,), delay=SHORTEST_DELAY)
    outcome = deployer(node, tmp_path).run(replace(parameters(node), governor=terms))
    assert outcome.opened == ()
    assert all("waits for the timelock" in line for line in outcome.remaining)
    record = outcome.deployment
    governor = Governor.of(node.chain, record)
    assert governor.address == record.address("GovernanceTimelock")
    registry = MeasurementRegistry(node.chain, record.address("MeasurementRegistry"))
    manifest = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org/source")
    admit = registry.admit(APP, MEASUREMENT, manifest)
    sender = Sender(node.chain, proposer, timeout_seconds=300)
    stranger = Sender(node.chain, anyone, timeout_seconds=300)

    with pytest.raises(ContractError) as caught:
        governor.advance(stranger, registry.address, admit)
    assert caught.value.name == "AccessControlUnauthorizedAccount"
    proposed = governor.advance(sender, registry.address, admit)
    assert (proposed.done, len(proposed.receipts)) == (False, 1)
    waiting = governor.advance(sender, registry.address, admit)
    assert (waiting.done, waiting.receipts) == (False, ())
    assert waiting.ready_at == proposed.ready_at

    _pass_time(node, waiting.ready_at)
    timelock = governor.timelock
    assert timelock is not None
    assert proposed.operation_id is not None
    veto = Sender(node.chain, guardian, timeout_seconds=300)
    with pytest.raises(ContractError):
        veto.send(veto.request(timelock.address, timelock.propose(Operation(OWN[0], b""), 10**6)))
    state = node.chain.rpc("evm_snapshot")
    veto.send(veto.request(timelock.address, timelock.cancel(proposed.operation_id)))
    assert timelock.state_of(proposed.operation_id) is OperationState.UNSET
    node.chain.rpc("evm_revert", [state])

    executed = governor.advance(stranger, registry.address, admit)
    assert (executed.done, len(executed.receipts)) == (True, 1)
    assert registry.status_of(APP, MEASUREMENT) is MeasurementStatus.ADMITTED
    with pytest.raises(ContractError) as caught:
        governor.advance(sender, registry.address, admit)
    assert caught.value.name == "WrongMeasurementStatus"
    assert len(
        deployer(node, tmp_path).run(replace(parameters(node), governor=terms)).opened
    ) == len(OPENED)


def test_the_same_call_can_be_made_twice(node: AnvilNode, tmp_path: Path) -> None:
    """An operation is proposed only once; the same call again goes by another salt."""
    terms = TimelockTerms((node.signers[0].address,), delay=0)
    record = deployer(node, tmp_path).run(replace(parameters(node), governor=terms)).deployment
    governor = Governor.of(node.chain, record)
    sender = Sender(node.chain, node.signers[0], timeout_seconds=300)
    policy = record.address("TcbPolicy")
    subject = keccak(text="an FMSPC")
    calls = [
        interface("TcbPolicy").encode_call(name, [APP, subject])
        for name in ("bar", "lift", "bar", "lift")
    ]
    acts = [governor.advance(sender, policy, call) for call in calls]
    assert all(act.done for act in acts)
    assert len({act.operation_id for act in acts}) == 4


@pytest.mark.parametrize("terms", [TimelockTerms(()), TimelockTerms((OWN[0],), delay=-1)])
def test_a_timelock_must_be_able_to_govern(terms: TimelockTerms) -> None:
    """Somebody must be able to propose."""
    with pytest.raises(ConfigurationError):
        Parameters(terms, OWN[1], Committee(OWN[2:], 2)).check(31337)


def _pass_time(node: AnvilNode, moment: int) -> None:
    node.chain.rpc("anvil_setNextBlockTimestamp", [moment])
    node.mine()
