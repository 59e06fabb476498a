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
from quotary_bridge.chain import Chain
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
    RouteStatus,
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
from quotary_bridge.deploy import ROUTES, Deployer, Parameters
from quotary_bridge.deploy.check import check_governance, route_states
from quotary_bridge.deploy.deployer import predicted_address
from quotary_bridge.deploy.parameters import (
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
from quotary_bridge.zk import stub_seal
from quotary_enclave.simulator import Simulator, sample_td

APP = Bytes32(keccak(text="app"))
MEASUREMENT = Bytes32(keccak(text="measurement"))
TEST_ROOT = keccak(text="a root of our own")


@pytest.fixture
def node() -> Iterator[AnvilNode]:
    """A chain of its own: nonces and addresses start from nothing."""
    with AnvilNode() as fresh:
        yield fresh


def parameters(node: AnvilNode, *, stub: bool = True) -> Parameters:
    signers = node.signers
    members = tuple(signer.address for signer in signers[3:6])
    return Parameters(
        governor=signers[0].address,
        guardian=signers[1].address,
        committee=Committee(members, 2),
        root_key_hashes=(TEST_ROOT,),
        allow_stub=stub,
        app_id=APP,
        model_id=Bytes32(keccak(text="model")),
    )


def deployer(node: AnvilNode, folder: Path, account: int = 0) -> Deployer:
    return Deployer(Sender(node.chain, node.signers[account], timeout_seconds=20), folder)


def test_everything_stands_and_a_second_run_changes_nothing(
    node: AnvilNode, tmp_path: Path
) -> None:
    """One run deploys the lot where it was forecast; the next finds nothing to do."""
    wanted = parameters(node)
    forecast = deployer(node, tmp_path).forecast(wanted)
    assert not any(item.standing for item in forecast)
    outcome = deployer(node, tmp_path).run(wanted)
    assert outcome.remaining == ()
    assert sorted(outcome.opened) == ["Comm", "Stub"]
    record = Deployment.load(tmp_path, node.chain_id)
    assert record == outcome.deployment
    assert {item.contract: item.address for item in forecast} == {
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
    assert router.status_of(ROUTES["ZkQuoteVerifier"]) is RouteStatus.UNKNOWN
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
    sender = Sender(node.chain, node.signers[0], timeout_seconds=20)
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
    stranger = Sender(node.chain, node.signers[7], timeout_seconds=20)
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
        wanted = replace(parameters(node), root_key_hashes=(simulator.root_key_hash,))
        record = deployer(node, tmp_path).run(wanted).deployment
        sender = Sender(node.chain, node.signers[0], timeout_seconds=20)
        registry = MeasurementRegistry(node.chain, record.address("MeasurementRegistry"))
        measured = Bytes32(verdict.measurement_id)
        source = Manifest(Bytes32(b"\1" * 32), Bytes32(b"\2" * 32), "https://example.org")
        sender.send(sender.request(registry.address, registry.admit(APP, measured, source)))
        notary = QuoteNotary(node.chain, record.address("QuoteNotary"))
        verifier = record.address("CommitteeVerifier")
        digest = verdict.journal_digest
        members = node.signers[3:5]
        proofs = {
            ProofKind.STUB: ("StubQuoteVerifier", stub_seal(wanted.image_id, digest)),
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


class CrashError(Exception):
    """The process dies here."""


class CrashingChain(Chain):
    """A chain whose process dies at the nth broadcast: before it, or just after."""

    def crash_at(self, count: int, *, after: bool) -> None:
        """Count down to the end."""
        self.left, self.after = count, after

    def send_raw(self, raw: bytes) -> bytes:
        """Broadcast, or die."""
        self.left -= 1
        if self.left == 0 and not self.after:
            raise CrashError
        sent = super().send_raw(raw)
        if self.left == 0:
            raise CrashError
        return sent


@pytest.mark.parametrize("after", [False, True])
@pytest.mark.parametrize("crash", [1, 4, 7])
def test_a_crash_costs_only_a_second_run(
    node: AnvilNode, tmp_path: Path, crash: int, *, after: bool
) -> None:
    """Killed before or after any broadcast, a second run ends as if nothing had happened."""
    wanted = parameters(node)
    expected = {item.contract: item.address for item in deployer(node, tmp_path).forecast(wanted)}
    chain = CrashingChain(node.chain.web3, node.chain_id)
    chain.crash_at(crash, after=after)
    with pytest.raises(CrashError):
        Deployer(Sender(chain, node.signers[0], timeout_seconds=20), tmp_path).run(wanted)
    assert Deployment.load(tmp_path, node.chain_id).pending is not None
    outcome = deployer(node, tmp_path).run(wanted)
    found = {name: item.address for name, item in outcome.deployment.contracts.items()}
    assert found == expected
    assert outcome.deployment.pending is None
    # One transaction for each contract and each route: nothing was done twice.
    assert node.chain.nonce(node.signers[0].address) == len(expected) + 2


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
    assert len(outcome.remaining) == 2
    assert all("addRoute" in line for line in outcome.remaining)


def test_a_router_without_stub_has_no_stub_route(node: AnvilNode, tmp_path: Path) -> None:
    """`allowStub` off: no stub is deployed, and the router refuses one for ever."""
    record = deployer(node, tmp_path).run(parameters(node, stub=False)).deployment
    assert "StubQuoteVerifier" not in record.contracts
    stub = deployer(node, tmp_path / "other").run(parameters(node)).deployment
    router = VerifierRouter(node.chain, record.address("VerifierRouter"))
    data = router.add_route(b"Stub", stub.address("StubQuoteVerifier"))
    sender = Sender(node.chain, node.signers[0], timeout_seconds=20)
    with pytest.raises(ContractError) as caught:
        sender.send(sender.request(router.address, data))
    assert caught.value.name == "StubNotAllowed"


OWN = tuple(Signer.from_key("0x" + f"{n:064x}", 31337).address for n in range(1000, 1004))


@pytest.mark.parametrize(
    "change",
    [
        {"allow_stub": True},
        {"root_key_hashes": (TEST_ROOT,)},
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


@pytest.mark.parametrize("threshold", [0, 3, -1])
def test_a_committee_must_be_able_to_agree(threshold: int) -> None:
    """Neither nobody nor more than all."""
    with pytest.raises(ConfigurationError):
        Parameters(OWN[0], OWN[1], Committee(OWN[2:], threshold)).check(31337)


@pytest.mark.parametrize(
    ("deployer_address", "nonce", "expected"),
    [
        (
            "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0",
            0,
            "0xcd234a471b72ba2f1ccf0a70fcaba648a5eecd8d",
        ),
        (
            "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0",
            1,
            "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8",
        ),
        (
            "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0",
            2,
            "0xf778b86fa74e846c4f0a1fbd1335fe81c00a0c91",
        ),
    ],
)
def test_addresses_are_predicted(deployer_address: str, nonce: int, expected: str) -> None:
    """CREATE's rule, by well-known examples."""
    assert predicted_address(Address(deployer_address), nonce).lower() == expected


@pytest.mark.parametrize(
    "damage",
    [
        "",
        "[]",
        "{}",
        '{"schema_version": 2}',
        '{"schema_version": 1, "chainId": 1}',
        '{"schema_version": 1, "chainId": 31337, "genesis": "zz"}',
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
    sender = Sender(node.chain, proposer, timeout_seconds=20)
    stranger = Sender(node.chain, anyone, timeout_seconds=20)

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
    veto = Sender(node.chain, guardian, timeout_seconds=20)
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
    assert len(deployer(node, tmp_path).run(replace(parameters(node), governor=terms)).opened) == 2


def test_the_same_call_can_be_made_twice(node: AnvilNode, tmp_path: Path) -> None:
    """An operation is proposed only once; the same call again goes by another salt."""
    terms = TimelockTerms((node.signers[0].address,), delay=0)
    record = deployer(node, tmp_path).run(replace(parameters(node), governor=terms)).deployment
    governor = Governor.of(node.chain, record)
    sender = Sender(node.chain, node.signers[0], timeout_seconds=20)
    policy = record.address("TcbPolicy")
    subject = keccak(text="an FMSPC")
    calls = [
        interface("TcbPolicy").encode_call(name, [APP, subject])
        for name in ("bar", "lift", "bar", "lift")
    ]
    acts = [governor.advance(sender, policy, call) for call in calls]
    assert all(act.done for act in acts)
    assert len({act.operation_id for act in acts}) == 4


def test_a_changed_timelock_is_found_out(node: AnvilNode, tmp_path: Path) -> None:
    """Delay and roles live in storage, so the record's check reads them; frozen routes show."""
    account = node.signers[0]
    terms = TimelockTerms((account.address,), (account.address,), delay=0)
    record = deployer(node, tmp_path).run(replace(parameters(node), governor=terms)).deployment
    check_governance(node.chain, record)
    governor = Governor.of(node.chain, record)
    timelock = interface("GovernanceTimelock")
    executor = keccak(text="EXECUTOR_ROLE")
    zero = "0x" + "00" * 20
    sender = Sender(node.chain, account, timeout_seconds=20)
    changes: list[tuple[str, list[object], str]] = [
        ("updateDelay", [7], "delay is 7 s, not 0 s"),
        ("revokeRole", [keccak(text="CANCELLER_ROLE"), node.signers[1].address], "has lost"),
        ("grantRole", [executor, zero], "anyone may execute"),
    ]
    for function, arguments, complaint in changes:
        state = node.chain.rpc("evm_snapshot")
        governor.advance(sender, governor.address, timelock.encode_call(function, arguments))
        with pytest.raises(DeploymentMismatch, match=complaint):
            check_governance(node.chain, record)
        node.chain.rpc("evm_revert", [state])
    guardian = Sender(node.chain, node.signers[1], timeout_seconds=20)
    freeze = interface("VerifierRouter").encode_call("freeze", [ROUTES["CommitteeVerifier"]])
    guardian.send(guardian.request(record.address("VerifierRouter"), freeze))
    check_governance(node.chain, record)
    assert route_states(node.chain, record)["Comm"] is RouteStatus.FROZEN


@pytest.mark.parametrize("terms", [TimelockTerms(()), TimelockTerms((OWN[0],), delay=-1)])
def test_a_timelock_must_be_able_to_govern(terms: TimelockTerms) -> None:
    """Somebody must be able to propose."""
    with pytest.raises(ConfigurationError):
        Parameters(terms, OWN[1], Committee(OWN[2:], 2)).check(31337)


def _pass_time(node: AnvilNode, moment: int) -> None:
    node.chain.rpc("anvil_setNextBlockTimestamp", [moment])
    node.mine()
