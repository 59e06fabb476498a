"""A deployment that lives through random histories: admissions, workers, policies, time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from random import Random
from typing import Any

from quotary import TcbStatus, TeeType, Verdict
from quotary.journal import measurement_id
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain import Chain
from quotary_bridge.chain.contracts import (
    Binding,
    CollateralStore,
    Operation,
    ProofKind,
    Timelock,
    WorkerRegistry,
)
from quotary_bridge.chain.contracts.policy import PolicyRules, TcbPolicy
from quotary_bridge.chain.contracts.profiles import Profile
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.committee import committee_proof
from quotary_bridge.deploy import Parameters, TimelockTerms
from quotary_bridge.deploy.parameters import WorkerRules
from quotary_bridge.model import Address, Bytes32
from quotary_bridge.registration import _report_data
from quotary_bridge.zk import stub_seal

from tests.bridge.admission_collateral import Vendor
from tests.bridge.admission_governance import Governance, a_model
from tests.bridge.admission_names import (
    APPS,
    DAY,
    EVERY_APP,
    FMSPCS,
    GAS,
    GENESIS,
    GOVERNOR,
    GUARDIAN,
    MANIFEST,
    MEASUREMENTS,
    MEMBERS,
    PLATFORMS,
    STATUSES,
    STRANGER,
    WORKERS,
    home_of,
)
from tests.bridge.admission_requests import Customers
from tests.bridge.admission_services import BatchCustomers, Gateways
from tests.bridge.deploy_parts import GUEST, TEST_ROOT, deployer, parameters

__all__ = ["APPS", "DAY", "GUARDIAN", "MANIFEST", "WORKERS", "AdmissionWorld", "admission_world"]


class AdmissionWorld:
    """Every step is a transaction or two by one of the node's accounts; many of them revert."""

    def __init__(self, node: AnvilNode, record: Deployment, seed: int) -> None:
        """Start where the deployment ended."""
        self.node, self.record, self.random = node, record, Random(seed)
        self.chain: Chain = node.chain
        self.signers = node.signers
        self.now = self.chain.head().timestamp
        self.timelock = Timelock(self.chain, record.address("GovernanceTimelock"))
        self.policy = TcbPolicy(self.chain, record.address("TcbPolicy"))
        self.workers = WorkerRegistry(self.chain, record.address("WorkerRegistry"))
        self.routes = [b"Comm"]
        store = CollateralStore(self.chain, record.address("CollateralStore"))
        self.vendor = Vendor(
            store, lambda data: self.transact(STRANGER, store.address, data), self.random
        )
        self.customers = Customers(self)
        self.batches = BatchCustomers(self)
        self.gateways = Gateways(self)
        self.governance = Governance(self)
        self.done = 0
        for app in APPS:
            self.govern("MeasurementRegistry", "admit", app, self._measurement_id(0), MANIFEST)
        # The smallest of histories has one of each.
        self.govern("ModelRegistry", "admit", astuple(a_model(1)))
        every = Profile(TeeType.TDX, 0, b"\xff" * len(MEASUREMENTS[1]), MEASUREMENTS[1])
        self.govern("MeasurementRegistry", "admitProfile", APPS[0], every.words(), MANIFEST)
        brought = (APPS[0], every.words(), MEASUREMENTS[1])
        self.send(STRANGER, "MeasurementRegistry", "matchProfile", *brought)

    def step(self) -> bool:
        """Do something; returns whether it changed anything."""
        steps: Sequence[tuple[int, Callable[[], bool]]] = (
            (10, self.register),
            (4, self.corroborate),
            (6, self._ask_or_answer),
            (3, self.batches.step),
            (2, self.gateways.step),
            (2, self._notarize),
            (2, self._renew_collateral),
            (3, self.publish),
            (2, self._bar),
            (1, self._lift),
            (2, self._admit),
            (1, self._rule_out),
            (1, self.governance.change_models),
            (1, self._use_profiles),
            (1, self._end_worker),
            (1, self.governance.change_route),
            (1, self.governance.change_receipts),
            (1, self.governance.play_with_timelock),
            (1, self._stranger),
            (3, self._pass_time),
        )
        weights = [weight for weight, _ in steps]
        (chosen,) = self.random.choices([step for _, step in steps], weights)
        done = chosen()
        self.done += done
        return done

    def send(self, account: int, contract: str, function: str, *arguments: Any) -> bool:
        """Make a call in a block of its own; whether it succeeded."""
        found = self.record.contracts[contract]
        data = interface(found.contract).encode_call(function, arguments)
        return self.transact(account, found.address, data)

    def govern(self, contract: str, function: str, *arguments: Any) -> bool:
        """Make a call through the timelock, which has no delay here; whether it succeeded."""
        found = self.record.contracts[contract]
        data = interface(found.contract).encode_call(function, arguments)
        salt = Bytes32(self.random.randbytes(32))
        operation = Operation(found.address, data, salt)
        scheduled = self.timelock.propose(operation, 0)
        self.transact(GOVERNOR, self.timelock.address, scheduled)
        return self.transact(STRANGER, self.timelock.address, self.timelock.execute(operation))

    def settle(self, number: int, status: TcbStatus) -> bool:
        """Register worker `number` with a status, and in all else as it should be."""
        return self._register(number, APPS[number % len(APPS)], self.sound(number, status), 5)

    def settle_by_collateral(self, number: int) -> bool:
        """Register worker `number` by collateral that somebody brought, to the end of that."""
        assert self.vendor.renew(FMSPCS[0], self.now)
        window = self.vendor.window_of(FMSPCS[0])
        assert window is not None
        sound = replace(self.sound(number, TcbStatus.UP_TO_DATE), fmspc=FMSPCS[0])
        dated = replace(sound, valid_from=window[0], valid_until=window[1])
        return self._register(number, APPS[number % len(APPS)], dated, 5)

    def vouch(self, number: int) -> bool:
        """Corroborate worker `number`, in all as it should be."""
        sound, app = self.sound(number, TcbStatus.UP_TO_DATE), APPS[number % len(APPS)]
        return self._register(number, app, sound, 5, corroborates=True)

    def sound(self, number: int, status: TcbStatus) -> Verdict:
        """Return a verdict on worker `number`'s platform that every app takes."""
        verdict = replace(self.verdict(bytes(64), PLATFORMS[number]), tcb_status=status)
        return replace(verdict, measurement=MEASUREMENTS[0], valid_until=self.now + 30 * DAY)

    def register(self) -> bool:
        """Register or renew a worker with a verdict that the committee vouches for."""
        dice = self.random
        number = dice.randrange(len(WORKERS))
        # A key belongs to an app and a platform; a few try otherwise.
        app = APPS[number % len(APPS)] if dice.random() < 0.9 else dice.choice(APPS)
        platform = home_of(number) if dice.random() < 0.9 else dice.choice(PLATFORMS)
        return self._register(number, app, self.verdict(bytes(64), platform))

    def corroborate(self) -> bool:
        """Bring evidence of another kind for a worker: a stub's, which this deployment takes."""
        number = self.random.randrange(len(WORKERS))
        verdict = self.verdict(bytes(64), home_of(number))
        return self._register(number, APPS[number % len(APPS)], verdict, corroborates=True)

    def _ask_or_answer(self) -> bool:
        dice, customers = self.random, self.customers
        app = dice.randrange(len(APPS))
        numbers = range(app, len(WORKERS), len(APPS))
        active = self.workers.check_active
        seen = [(it, WORKERS[it]) for it in numbers if active(WORKERS[it], APPS[app]).active]
        chosen = dice.random()
        if chosen < 0.4:
            return customers.ask(APPS[app])
        if chosen < 0.8:
            return customers.answer(seen or [(app, WORKERS[app])])
        return customers.refund() if chosen < 0.9 else customers.withdraw()

    def _notarize(self) -> bool:
        verdict = self.verdict(bytes(64), self.random.choice(PLATFORMS))
        journal, app = verdict.journal(), self.random.choice(APPS)
        proof = self.signed_by_committee(verdict)
        return self.send(STRANGER, "QuoteNotary", "notarize", app, b"Comm", journal, proof)

    def signed_by_committee(self, verdict: Verdict) -> bytes:
        """Return the committee's proof of a verdict."""
        verifier = self.record.address("CommitteeVerifier")
        members = [self.signers[number] for number in MEMBERS]
        return committee_proof(verdict.journal_digest, self.node.chain_id, verifier, members)

    def _renew_collateral(self) -> bool:
        return self.vendor.renew(self.random.choice([FMSPCS[0], *FMSPCS]), self.now)

    def _register(
        self,
        number: int,
        app: Bytes32,
        verdict: Verdict,
        operator: int | None = None,
        *,
        corroborates: bool = False,
    ) -> bool:
        dice = self.random
        if operator is None:
            operator = 5 if dice.random() < 0.7 else dice.randrange(6, 9)
        block = self.chain.head().number
        self.advance(self.now + 1)
        binding = Binding(
            version=1,
            chain_id=self.node.chain_id,
            registry=self.workers.address,
            app_id=app,
            operator=self.signers[operator].address,
            encryption_key=Bytes32(b"\5" * 32),
            challenge_block=block,
            challenge=self.workers.challenge_at(block),
        )
        bound = replace(verdict, report_data=_report_data(WORKERS[number], binding))
        journal = bound.journal()
        if corroborates:
            seal = stub_seal(GUEST, bound.journal_digest)
            brought = (b"Stub", journal, seal, astuple(binding))
            return self.send(STRANGER, "Corroborations", "corroborate", *brought)
        proof = self.signed_by_committee(bound)
        route = dice.choice(self.routes)
        return self.send(
            STRANGER, "WorkerRegistry", "register", route, journal, proof, astuple(binding)
        )

    def rules(self) -> PolicyRules:
        """Some rules, most of them satisfiable."""
        dice = self.random
        listed = dice.sample(PLATFORMS, 18) if dice.random() < 0.2 else []
        subjects = (*PLATFORMS, *(fmspc.ljust(32, b"\0") for fmspc in FMSPCS))
        return PolicyRules(
            accepted_statuses=sum(2 << bit for bit in dice.sample(range(8), dice.randrange(4, 9))),
            accepted_kinds=0b1_0110 if dice.random() < 0.1 else 0b1_1110,
            kinds_needed=dice.choice([0, 0, 1, 2, 2, 3] if dice.random() < 0.7 else [0]),
            workers_per_platform=dice.choice([0, 1, 2, 3, 8]),
            min_evaluation_number=dice.choice([0, 0, 0, 17]),
            max_collateral_age=dice.choice([0, 0, 20 * DAY, 40 * DAY]),
            graces=tuple(dice.choice([0, DAY, 3 * DAY]) for _ in range(8)),
            denied=tuple(dice.sample(subjects, dice.choice([0, 0, 1, 2]))),
            platforms=tuple(listed),
        )

    def publish(self) -> bool:
        """Publish a version for an app."""
        dice = self.random
        app, tee_type = dice.choice(APPS), dice.choice([1, 2, 2, 2])
        return self.govern(
            "TcbPolicy", "publish", app, tee_type, astuple(self.rules()), dice.random() < 0.3
        )

    def _bar(self) -> bool:
        account = self.random.choice([GUARDIAN, GUARDIAN, STRANGER])
        return self.send(account, "TcbPolicy", "bar", self._app(), self._subject())

    def _lift(self) -> bool:
        return self.govern("TcbPolicy", "lift", self._app(), self._subject())

    def _admit(self) -> bool:
        app, measurement = self.random.choice(APPS), self.random.choice(MEASUREMENTS)
        found = measurement_id(TeeType.TDX, measurement)
        return self.govern("MeasurementRegistry", "admit", app, found, MANIFEST)

    def _rule_out(self) -> bool:
        dice = self.random
        if dice.random() < 0.7:
            unknown = dice.randbytes(32)
            return self.send(GUARDIAN, "MeasurementRegistry", "ban", dice.choice(APPS), unknown)
        number = dice.randrange(1, len(MEASUREMENTS))
        measurement = self._measurement_id(number)
        return self.send(GUARDIAN, "MeasurementRegistry", "revoke", dice.choice(APPS), measurement)

    def _use_profiles(self) -> bool:
        """Admit a profile, have it match, move what another one matched, or revoke it."""
        dice = self.random
        mask = bytearray(b"\xff" * len(MEASUREMENTS[0]))
        mask[dice.choice([112, 208, 209])] = 0
        profile = Profile(TeeType.TDX, 0, bytes(mask), MEASUREMENTS[dice.randrange(1, 3)])
        app, chance = dice.choice(APPS), dice.random()
        if chance < 0.5:
            self.govern("MeasurementRegistry", "admitProfile", app, profile.words(), MANIFEST)
        elif chance < 0.6:
            return self.send(GUARDIAN, "MeasurementRegistry", "revoke", app, profile.id)
        matched = bytearray(profile.value)
        matched[112] = dice.randrange(2)
        return self.send(
            STRANGER, "MeasurementRegistry", "matchProfile", app, profile.words(), bytes(matched)
        )

    def _end_worker(self) -> bool:
        dice = self.random
        worker = dice.choice(WORKERS)
        if dice.random() < 0.3:
            return self.send(GUARDIAN, "WorkerRegistry", "revoke", worker)
        return self.send(dice.randrange(5, 9), "WorkerRegistry", "retire", worker)

    def _stranger(self) -> bool:
        """Somebody without any right tries; it always reverts."""
        app, subject = self._app(), self._subject()
        assert not self.send(STRANGER, "TcbPolicy", "lift", app, subject)
        assert not self.send(GUARDIAN, "TcbPolicy", "lift", app, subject)
        return False

    def _pass_time(self) -> bool:
        self.advance(self.now + self.random.choice([60, 3600, DAY, 2 * DAY]))
        return True

    def advance(self, moment: int) -> None:
        """Mine a block at `moment`."""
        self.node.advance_to(moment)
        self.now = moment

    def verdict(self, report_data: bytes, platform: bytes) -> Verdict:
        """Return a verdict that some apps take."""
        dice = self.random
        fmspc = dice.choice([FMSPCS[0], *FMSPCS])
        window = self.vendor.window_of(fmspc)
        if window is None or window[1] <= self.now + 60 or dice.random() < 0.3:
            window = (self.now - dice.randrange(30) * DAY, self.now + dice.randrange(1, 30) * DAY)
        return Verdict(
            tee_type=TeeType.TDX,
            tcb_status=dice.choice(STATUSES),
            verified_at=self.now,
            valid_from=window[0],
            valid_until=window[1],
            tcb_date=self.now - 100 * DAY,
            tcb_evaluation_data_number=dice.choice([16, 17, 18]),
            fmspc=fmspc,
            quote_hash=dice.randbytes(32),
            attestation_key_id=b"\6" * 32,
            root_key_hash=TEST_ROOT,
            collateral_hashes=(b"\7" * 32,) * 6,
            advisories=(),
            measurement=dice.choice(MEASUREMENTS),
            report_data=report_data,
            platform_id=platform,
        )

    def _measurement_id(self, number: int) -> bytes:
        return measurement_id(TeeType.TDX, MEASUREMENTS[number])

    def _app(self) -> bytes:
        return self.random.choice([*APPS, EVERY_APP])

    def _subject(self) -> bytes:
        kinds = [int(kind).to_bytes(32) for kind in (ProofKind.ON_CHAIN, ProofKind.STUB)]
        families = [fmspc.ljust(32, b"\0") for fmspc in FMSPCS]
        return self.random.choice([*kinds, *families, *PLATFORMS])

    def transact(self, account: int, to: Address, data: bytes, value: int = 0) -> bool:
        """Send call data in a block of its own; whether it succeeded."""
        self.now += 1
        self.chain.rpc("evm_setNextBlockTimestamp", [self.now])
        request = {
            "from": self.signers[account].address,
            "to": to,
            "data": f"0x{data.hex()}",
            "value": hex(value),
            "gas": GAS,
        }
        hashed = bytes.fromhex(str(self.chain.rpc("eth_sendTransaction", [request]))[2:])
        while (receipt := self.chain.receipt(hashed)) is None:
            pass
        return receipt.succeeded


@contextmanager
def admission_world(folder: Path, seed: int) -> Iterator[AdmissionWorld]:
    """A node, a deployment under a timelock without delay, and a world on it."""
    with AnvilNode(timestamp=GENESIS) as node:
        wanted = _terms(node)
        record = deployer(node, folder).run(wanted).deployment
        yield AdmissionWorld(node, record, seed)


def _terms(node: AnvilNode) -> Parameters:
    account = node.signers[GOVERNOR].address
    base = parameters(node)
    return replace(
        base,
        governor=TimelockTerms((account,), (), delay=0),
        committee=replace(
            base.committee, members=tuple(node.signers[number].address for number in MEMBERS)
        ),
        workers=WorkerRules(activation_delay=600, accepted_statuses=0b11110),
    )
