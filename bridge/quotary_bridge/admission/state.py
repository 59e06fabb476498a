"""The state of a deployment's governed contracts, folded from their events and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from eth_abi.abi import encode
from eth_utils.crypto import keccak

from quotary_bridge.admission.batches import BATCH_EVENTS, BatchLedger
from quotary_bridge.admission.calendar import CALENDAR_EVENTS, Calendar
from quotary_bridge.admission.gateways import GATEWAY_EVENTS, Gateways
from quotary_bridge.admission.ledger import LEDGER_EVENTS, Ledger
from quotary_bridge.admission.policies import Policies, key_of
from quotary_bridge.chain.contracts import (
    MeasurementStatus,
    ModelStatus,
    ProofKind,
    RegisteredWorker,
    RouteStatus,
    SelectorStatus,
    WorkerStatus,
)
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.contracts.corroborations import Corroboration, corroboration_from
from quotary_bridge.chain.contracts.models import Model, model_from
from quotary_bridge.chain.contracts.policy import Bearer, TcbFacts, rules_from
from quotary_bridge.chain.contracts.workers import CohortFacts, cohort_from
from quotary_bridge.model import Address, Bytes32

__all__ = ["EVENTS", "Evidence", "Kept", "Seat", "State", "Told", "tcb_facts"]

_WORD = 32
_ALL = (2**64 - 1,) * 4
_DONE = 1  # What OpenZeppelin's timelock keeps as the time of an operation that was executed.


@dataclass(frozen=True, slots=True)
class Told:
    """One event: which contract of the record told it, its name, its values, its block's time."""

    source: str
    event: str
    values: Mapping[str, Any]
    at: int


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of a worker beside its cohort; `platform` is 20 bytes and zeros."""

    platform: bytes
    cohort: int
    active_from: int
    valid_until: int
    status: WorkerStatus = WorkerStatus.REGISTERED
    place: int = 0


@dataclass(frozen=True, slots=True)
class Seat:
    """What a place on a platform holds for one app: its newest worker, and its evidence."""

    holder: Address
    collateral_from: int
    challenge_block: int


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence of a further kind for a worker, and the facts it is judged by."""

    shown: Corroboration
    facts: CohortFacts

    def judged(self, worker: Address) -> tuple[TcbFacts, Bearer]:
        """Return what a policy judges of it by itself: as if every kind stood."""
        bearer = Bearer(worker, _wide(self.shown.platform_id), self.shown.collateral_from, _ALL)
        return tcb_facts(self.facts), bearer


@dataclass(slots=True)
class State:
    """
    What the governed contracts hold.

    `measurements`, profiles among them, by app and id; `matched`, the profile of those that came by
    one; `models` by id, with what they were admitted as; `routes` and `selectors` by their 4 bytes,
    with where they lead; `stopped` names the stops that were shut; `workers` by address; `seats` by
    app, platform and place; `places`, those that workers took beside others; `corroborations` by
    worker and kind; `claims` of registrations whose kinds were counted, with their challenge's
    block; `roles` by id; `operations` holds when each can be executed, 1 once it was. `registry` is
    whose workers these are.
    """

    policies: Policies
    calendar: Calendar
    registry: Address
    epoch: int = 1
    sources: set[Address] = field(default_factory=set)
    follower: Address = ZERO_ADDRESS
    measurements: dict[tuple[bytes, bytes], MeasurementStatus] = field(default_factory=dict)
    matched: dict[tuple[bytes, bytes], bytes] = field(default_factory=dict)
    models: dict[bytes, tuple[ModelStatus, Model | None]] = field(default_factory=dict)
    routes: dict[bytes, tuple[RouteStatus, Address]] = field(default_factory=dict)
    selectors: dict[bytes, tuple[SelectorStatus, Address]] = field(default_factory=dict)
    stopped: set[str] = field(default_factory=set)
    cohorts: dict[int, CohortFacts] = field(default_factory=dict)
    workers: dict[Address, Kept] = field(default_factory=dict)
    seats: dict[tuple[bytes, bytes, int], Seat] = field(default_factory=dict)
    places: dict[Address, int] = field(default_factory=dict)
    corroborations: dict[tuple[Address, ProofKind], Evidence] = field(default_factory=dict)
    claims: dict[Address, tuple[int, bytes]] = field(default_factory=dict)
    ledger: Ledger = field(default_factory=Ledger)
    batches: BatchLedger = field(default_factory=BatchLedger)
    gateways: Gateways = field(default_factory=Gateways)
    delay: int = 0
    roles: set[tuple[bytes, Address]] = field(default_factory=set)
    operations: dict[bytes, int] = field(default_factory=dict)

    def apply(self, told: Told) -> None:
        """Take one more event in; those that hold no state change nothing."""
        change = EVENTS.get((told.source.partition("-")[0], told.event))
        if change is not None:
            change(self, told)

    def status_of(self, app_id: bytes, measurement: bytes) -> MeasurementStatus:
        """Return what became of a measurement: revoked by itself, or with its profile."""
        status = self.measurements.get((app_id, measurement), MeasurementStatus.UNKNOWN)
        profile = self.matched.get((app_id, measurement))
        if profile is not None and status is MeasurementStatus.ADMITTED:
            return self.measurements[app_id, profile]
        return status

    def judged(self, address: Address) -> tuple[TcbFacts, Bearer]:
        """Return what a policy judges of a worker."""
        worker, since = self.workers[address], self.seat_of(address).collateral_from
        bearer = Bearer(address, worker.platform, since, place=worker.place)
        return tcb_facts(self.cohorts[worker.cohort]), bearer

    def seat_of(self, address: Address) -> Seat:
        """Return the seat that a worker took: another may hold it by now."""
        worker = self.workers[address]
        return self.seats[self.cohorts[worker.cohort].app_id, worker.platform, worker.place]

    def claim_of(self, address: Address) -> bytes:
        """Return what further kinds must agree on: zeros once another worker took the seat over."""
        seat = self.seat_of(address)
        block, claim = self.claims.get(address, (0, bytes(_WORD)))
        return claim if block == seat.challenge_block else bytes(_WORD)

    def worker_of(self, address: Address) -> RegisteredWorker:
        """Return a worker as the registry shows it (`IWorkerRegistry.workerOf`)."""
        worker, seat = self.workers[address], self.seat_of(address)
        facts = self.cohorts[worker.cohort]
        seated = seat.holder == address
        return RegisteredWorker(
            app_id=facts.app_id,
            measurement_id=facts.measurement_id,
            platform_id=Bytes32(worker.platform),
            operator=facts.operator,
            valid_until=worker.valid_until,
            active_from=worker.active_from,
            challenge_block=seat.challenge_block if seated else 0,
            collateral_from=seat.collateral_from if seated else 0,
            evaluation_number=facts.evaluation_number,
            cohort=worker.cohort,
            route=facts.route,
            fmspc=facts.fmspc,
            kind=facts.kind,
            status=worker.status,
            tee_type=facts.tee_type,
            tcb_status=facts.tcb_status,
            place=worker.place,
        )


Change = Callable[[State, Told], None]


def tcb_facts(facts: CohortFacts) -> TcbFacts:
    """Return what a policy judges of a cohort."""
    return TcbFacts(
        tee_type=facts.tee_type,
        tcb_status=facts.tcb_status,
        kind=facts.kind,
        fmspc=facts.fmspc,
        attributes=facts.attributes,
        evaluation_number=facts.evaluation_number,
        measurement_id=facts.measurement_id,
        advisories=facts.advisories,
    )


def _wide(platform: bytes) -> bytes:
    return platform.ljust(_WORD, b"\0")


def _seat(state: State, told: Told) -> None:
    state.sources.add(address_of(told.values["source"]))


def _followed(state: State, told: Told) -> None:
    state.follower = address_of(told.values["follower"])


def _changed(state: State, told: Told) -> None:
    state.epoch = told.values["epoch"]


def _measurement(state: State, told: Told) -> None:
    admitted = told.event == "MeasurementAdmitted"
    status = MeasurementStatus.ADMITTED if admitted else MeasurementStatus.REVOKED
    state.measurements[told.values["appId"], told.values["measurementId"]] = status


def _profile(state: State, told: Told) -> None:
    state.measurements[told.values["appId"], told.values["profileId"]] = MeasurementStatus.ADMITTED


def _matched(state: State, told: Told) -> None:
    key = (told.values["appId"], told.values["measurementId"])
    state.measurements[key] = MeasurementStatus.ADMITTED
    state.matched[key] = told.values["profileId"]


def _model_admitted(state: State, told: Told) -> None:
    admitted = model_from(told.values["model"])
    state.models[told.values["modelId"]] = (ModelStatus.ADMITTED, admitted)


def _model_revoked(state: State, told: Told) -> None:
    model_id = told.values["modelId"]
    _, model = state.models.get(model_id, (None, None))
    state.models[model_id] = (ModelStatus.REVOKED, model)


def _route_added(state: State, told: Told) -> None:
    verifier = address_of(told.values["verifier"])
    state.routes[told.values["route"]] = (RouteStatus.ACTIVE, verifier)


def _route_frozen(state: State, told: Told) -> None:
    route = told.values["route"]
    _, verifier = state.routes.get(route, (None, ZERO_ADDRESS))
    state.routes[route] = (RouteStatus.FROZEN, verifier)


def _selector_added(state: State, told: Told) -> None:
    verifier = address_of(told.values["verifier"])
    state.selectors[told.values["selector"]] = (SelectorStatus.ACTIVE, verifier)


def _selector_removed(state: State, told: Told) -> None:
    selector = told.values["selector"]
    _, verifier = state.selectors.get(selector, (None, ZERO_ADDRESS))
    state.selectors[selector] = (SelectorStatus.REMOVED, verifier)


def _stopped(state: State, told: Told) -> None:
    state.stopped.add(told.source)


def _published(state: State, told: Told) -> None:
    values = told.values
    state.policies = state.policies.published(
        values["appId"],
        values["teeType"],
        rules_from(values["policy"]),
        told.at,
        emergency=values["emergency"],
    )


def _barred(state: State, told: Told) -> None:
    app_id, subject = told.values["appId"], told.values["subject"]
    barred = told.event == "SubjectBarred"
    state.policies = state.policies.with_bar(app_id, subject, barred=barred)


def _formed(state: State, told: Told) -> None:
    state.cohorts[told.values["cohort"]] = cohort_from(told.values["facts"])


def _shared(state: State, told: Told) -> None:
    state.places[address_of(told.values["worker"])] = told.values["place"]


def _shown(state: State, told: Told) -> None:
    address, shown = address_of(told.values["worker"]), told.values["registration"]
    # Of a platform's id the registry keeps the first 20 bytes.
    platform = key_of(shown["platformId"])
    state.workers[address] = Kept(
        platform=platform,
        cohort=shown["cohort"],
        active_from=shown["activeFrom"],
        valid_until=shown["validUntil"],
        place=state.places.get(address, 0),
    )
    facts = state.cohorts[shown["cohort"]]
    seat = Seat(address, shown["collateralFrom"], shown["challengeBlock"])
    state.seats[facts.app_id, platform, state.places.get(address, 0)] = seat
    state.claims.pop(address, None)
    if state.policies.rules_of(facts.app_id, facts.tee_type).kinds_needed > 1:
        claim = _claim(facts, shown["encryptionKey"], platform)
        state.claims[address] = shown["challengeBlock"], claim


def _claim(facts: CohortFacts, encryption_key: bytes, platform: bytes) -> bytes:
    """`ClaimLib`: what evidence of different kinds must agree on."""
    types = ("bytes32", "address", "bytes32", "bytes32", "bytes32")
    values = (facts.app_id, facts.operator, encryption_key, facts.measurement_id, platform)
    return keccak(encode(types, values))


def _corroborated(state: State, told: Told) -> None:
    values = told.values
    if address_of(values["registry"]) != state.registry:
        return
    kind = ProofKind(values["kind"])
    state.corroborations[address_of(values["worker"]), kind] = Evidence(
        corroboration_from(values["corroboration"]), cohort_from(values["facts"])
    )


def _to_calendar(change: Callable[[Calendar, Mapping[str, Any]], None]) -> Change:
    return lambda state, told: change(state.calendar, told.values)


def _to(part: str, change: Callable[[Any, Mapping[str, Any], int], None]) -> Change:
    return lambda state, told: change(getattr(state, part), told.values, told.at)


def _ended(state: State, told: Told) -> None:
    address = address_of(told.values["worker"])
    revoked = told.event == "WorkerRevoked"
    status = WorkerStatus.REVOKED if revoked else WorkerStatus.RETIRED
    state.workers[address] = replace(state.workers[address], status=status)


def _delay(state: State, told: Told) -> None:
    state.delay = told.values["newDuration"]


def _role(state: State, told: Told) -> None:
    held = (told.values["role"], address_of(told.values["account"]))
    change = state.roles.add if told.event == "RoleGranted" else state.roles.discard
    change(held)


def _scheduled(state: State, told: Told) -> None:
    state.operations[told.values["id"]] = told.at + told.values["delay"]


def _executed(state: State, told: Told) -> None:
    state.operations[told.values["id"]] = _DONE


def _cancelled(state: State, told: Told) -> None:
    state.operations[told.values["id"]] = 0


EVENTS: Mapping[tuple[str, str], Change] = MappingProxyType(
    {
        **{event: _to("ledger", change) for event, change in LEDGER_EVENTS.items()},
        **{event: _to("batches", change) for event, change in BATCH_EVENTS.items()},
        **{event: _to("gateways", change) for event, change in GATEWAY_EVENTS.items()},
        **{event: _to_calendar(change) for event, change in CALENDAR_EVENTS.items()},
        ("ChangeLog", "SeatTaken"): _seat,
        ("ChangeLog", "FollowerTaken"): _followed,
        ("ChangeLog", "PolicyChanged"): _changed,
        ("MeasurementRegistry", "MeasurementAdmitted"): _measurement,
        ("MeasurementRegistry", "MeasurementRevoked"): _measurement,
        ("MeasurementRegistry", "ProfileAdmitted"): _profile,
        ("MeasurementRegistry", "MeasurementMatched"): _matched,
        ("ModelRegistry", "ModelAdmitted"): _model_admitted,
        ("ModelRegistry", "ModelRevoked"): _model_revoked,
        ("VerifierRouter", "RouteAdded"): _route_added,
        ("VerifierRouter", "RouteFrozen"): _route_frozen,
        ("RiscZeroRouter", "VerifierAdded"): _selector_added,
        ("RiscZeroRouter", "VerifierRemoved"): _selector_removed,
        ("RiscZeroEmergencyStop", "VerifierStopped"): _stopped,
        ("TcbPolicy", "PolicyPublished"): _published,
        ("TcbPolicy", "SubjectBarred"): _barred,
        ("TcbPolicy", "SubjectLifted"): _barred,
        ("WorkerRegistry", "CohortFormed"): _formed,
        ("WorkerRegistry", "PlatformShared"): _shared,
        ("WorkerRegistry", "WorkerRegistered"): _shown,
        ("WorkerRegistry", "WorkerRenewed"): _shown,
        ("WorkerRegistry", "WorkerRevoked"): _ended,
        ("WorkerRegistry", "WorkerRetired"): _ended,
        ("Corroborations", "WorkerCorroborated"): _corroborated,
        ("GovernanceTimelock", "MinDelayChange"): _delay,
        ("GovernanceTimelock", "RoleGranted"): _role,
        ("GovernanceTimelock", "RoleRevoked"): _role,
        ("GovernanceTimelock", "CallScheduled"): _scheduled,
        ("GovernanceTimelock", "CallExecuted"): _executed,
        ("GovernanceTimelock", "Cancelled"): _cancelled,
    }
)
"""What each event changes, by contract and event."""
