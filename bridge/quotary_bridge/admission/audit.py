"""Holding a state that was rebuilt from events against what the contracts say themselves."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quotary import TeeType

from quotary_bridge.admission.audit_services import Comparison, batches, gateways, results
from quotary_bridge.admission.calendar import Window
from quotary_bridge.admission.forecast import standing_at
from quotary_bridge.admission.history import rebuild
from quotary_bridge.admission.state import State
from quotary_bridge.chain import Chain, TransactionRequest
from quotary_bridge.chain.contracts import (
    CollateralStore,
    MeasurementRegistry,
    ModelRegistry,
    QuoteNotary,
    ReceiptRouter,
    RouteStatus,
    SelectorStatus,
    StoredDocument,
    StoredList,
    Timelock,
    VerifierRouter,
    WorkerRegistry,
)
from quotary_bridge.chain.contracts.base import ZERO_ADDRESS, address_of
from quotary_bridge.chain.contracts.corroborations import Corroborations
from quotary_bridge.chain.contracts.policy import TcbPolicy
from quotary_bridge.chain.deployment import Deployment
from quotary_bridge.chain.interface import interface
from quotary_bridge.model import Address, Bytes32

__all__ = ["Audit", "Finding", "audit"]

_TEE_TYPES = (1, 2)
# How far ahead standings are compared: past every grace and every registration.
_AHEAD = (0, 3600, 86_400, 7 * 86_400, 90 * 86_400, 365 * 86_400)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that events and contract tell differently."""

    what: str
    by_events: object
    by_contract: object


@dataclass(frozen=True, slots=True)
class Audit:
    """A rebuilt state, how many values of it were compared at which block, and what differed."""

    state: State
    block: int
    compared: int
    findings: tuple[Finding, ...]


def audit(chain: Chain, record: Deployment, block: int) -> Audit:
    """
    Rebuild the state after `block` from events alone and compare it with every contract's views.

    What the events never mentioned is asked for too where it could be mentioned by accident: each
    app's policies of every TEE type, each subject for all apps. Raises what the chain raises.
    """
    state = rebuild(chain, record, block)
    compared, findings = 0, []
    for what, by_events, by_contract in _comparisons(chain, record, state, block):
        compared += 1
        if by_events != by_contract:
            findings.append(Finding(what, by_events, by_contract))
    return Audit(state, block, compared, tuple(findings))


def _comparisons(
    chain: Chain, record: Deployment, state: State, block: int
) -> Iterator[Comparison]:
    yield from _log(_At(chain, record, block), state)
    yield from _measurements(chain, record, state, block)
    yield from _models(chain, record, state, block)
    yield from _routers(chain, record, state, block)
    yield from _policies(chain, record, state, block)
    yield from _workers(chain, record, state, block)
    yield from _evidence(chain, record, state, block)
    yield from _collateral(chain, record, state, block)
    yield from _notary(chain, record, state, block)
    yield from results(chain, record, state, block)
    yield from batches(chain, record, state, block)
    yield from gateways(chain, record, state, block)
    if "GovernanceTimelock" in record.contracts:
        yield from _timelock(chain, record, state, block)


@dataclass(frozen=True, slots=True)
class _At:
    """Contracts by their names in the record, read at one block."""

    chain: Chain
    record: Deployment
    block: int

    def read(self, name: str, function: str, *arguments: object) -> object:
        found = self.record.contracts[name]
        abi = interface(found.contract)
        data = abi.encode_call(function, arguments)
        answer = self.chain.call(TransactionRequest(ZERO_ADDRESS, found.address, data), self.block)
        return abi.decode_result(function, answer)[0]


def _log(at: _At, state: State) -> Iterator[Comparison]:
    yield "epoch of the log", state.epoch, at.read("ChangeLog", "epoch")
    yield "follower of the log", state.follower, address_of(at.read("ChangeLog", "follower"))
    yield "seats taken", len(state.sources), at.read("ChangeLog", "taken")
    for source in sorted(state.sources):
        yield f"seat of {source}", True, at.read("ChangeLog", "isSource", source)
    for name, item in at.record.contracts.items():
        if item.contract == "RiscZeroEmergencyStop":
            yield f"{name} stopped", name in state.stopped, at.read(name, "stopped")


def _measurements(
    chain: Chain, record: Deployment, state: State, block: int
) -> Iterator[Comparison]:
    registry = MeasurementRegistry(chain, record.address("MeasurementRegistry"))
    for app_id, measurement in state.measurements:
        status = state.status_of(app_id, measurement)
        found = registry.status_of(Bytes32(app_id), Bytes32(measurement), at=block)
        name = f"measurement 0x{measurement.hex()} of app 0x{app_id.hex()}"
        yield name, status, found
        profile = state.matched.get((app_id, measurement), bytes(32))
        yield (
            f"profile of {name}",
            profile,
            registry.read("profileOf", app_id, measurement, at=block),
        )


def _models(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    registry = ModelRegistry(chain, record.address("ModelRegistry"))
    for key, (status, model) in state.models.items():
        model_id = Bytes32(key)
        yield f"model 0x{key.hex()}", status, registry.status_of(model_id, block)
        yield f"content of 0x{key.hex()}", model, registry.model_of(model_id, block)
        if model is not None:
            yield f"id of 0x{key.hex()}", model.id, model_id


def _routers(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    router = VerifierRouter(chain, record.address("VerifierRouter"))
    for route, entry in state.routes.items():
        found = (router.status_of(route, block), router.verifier_of(route, block))
        yield f"route 0x{route.hex()}", entry, found
    yield "an unknown route", RouteStatus.UNKNOWN, router.status_of(b"\1\2\3\4", block)
    for selector, (status, verifier) in state.selectors.items():
        receipts = ReceiptRouter(chain, record.address("RiscZeroRouter"))
        yield f"selector 0x{selector.hex()}", status, receipts.status_of(selector, block)
        if status is SelectorStatus.ACTIVE:
            found_verifier = receipts.verifier_of(selector, block)
            yield f"verifier of 0x{selector.hex()}", verifier, found_verifier


def _policies(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    policy = TcbPolicy(chain, record.address("TcbPolicy"))
    apps = {app for app, _ in state.policies.versions} | {
        facts.app_id for facts in state.cohorts.values()
    }
    for app in sorted(apps):
        for tee_type in _TEE_TYPES:
            head = state.policies.head_of(app, tee_type)
            name = f"policy of app 0x{app.hex()} for TEE type {tee_type}"
            yield name, head, policy.head_of(Bytes32(app), tee_type, block)
    subjects = {subject for _, subject in state.policies.barred}
    for app in sorted(apps | {app for app, _ in state.policies.barred}):
        for subject in sorted(subjects):
            barred = (app, subject) in state.policies.barred
            found = policy.is_barred(Bytes32(app), subject, block)
            yield f"bar of 0x{subject.hex()} for app 0x{app.hex()}", barred, found


def _workers(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    registry = WorkerRegistry(chain, record.address("WorkerRegistry"))
    policy = TcbPolicy(chain, record.address("TcbPolicy"))
    now = chain.block(block).timestamp
    for cohort, formed in state.cohorts.items():
        yield f"cohort {cohort}", formed, registry.cohort_of(cohort, block)
    for address in state.workers:
        worker, judged = state.worker_of(address), state.judged(address)
        yield f"worker {address}", worker, registry.worker_of(address, block)
        for moment in (now + seconds for seconds in _AHEAD):
            standing = state.policies.standing_of(worker.app_id, judged, moment)
            found = policy.standing_of(worker.app_id, judged, moment, block)
            yield f"standing of {address} at {moment}", standing, found
        end = worker.valid_until
        for moment in (now, now + 3600, end, end + 1, end + state.calendar.max_stretch + 1):
            if moment >= now:
                yield _activity(registry, state, address, moment, block)
        yield (
            f"claim of {address}",
            state.claim_of(address),
            registry.claim_of(address, block),
        )
    for (app, platform, place), seat in state.seats.items():
        holder = registry.worker_on(Bytes32(app), platform, place, block)
        yield f"worker at place {place} of platform 0x{platform.hex()}", seat.holder, holder


def _activity(
    registry: WorkerRegistry, state: State, address: Address, moment: int, block: int
) -> Comparison:
    app_id = state.worker_of(address).app_id
    twin = standing_at(state, state.policies, address, moment)
    found = registry.active_at(address, app_id, moment, block)
    by_events = (twin.reason, twin.until if twin.good else 0)
    return f"worker {address} at {moment}", by_events, (found.reason, found.until)


def _evidence(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    beside = Corroborations(chain, record.address("Corroborations"))
    for (worker, kind), evidence in state.corroborations.items():
        found = beside.corroboration_of(state.registry, worker, kind, block)
        yield f"{kind.name} evidence for {worker}", (evidence.shown, evidence.facts), found


def _collateral(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    store = CollateralStore(chain, record.address("CollateralStore"))
    for signer in sorted(state.calendar.signers):
        yield f"TCB signer 0x{signer.hex()}", True, store.knows_signer(signer, block)
    for (kind, number, fmspc), window in state.calendar.windows.items():
        found: StoredDocument | StoredList | None
        if kind == "revocation list":
            found = store.revocation_list(number, block)
        elif fmspc:
            found = store.tcb_info(TeeType(number), fmspc, block)
        else:
            found = store.qe_identity(TeeType(number), block)
        yield f"{kind} {number} {fmspc.hex()}", window, found and _window(found)


def _window(found: StoredDocument | StoredList) -> Window:
    if isinstance(found, StoredList):
        return Window(found.this_update, found.next_update, found.id, len(found.serials))
    return Window(found.issue_date, found.next_update, found.id, found.evaluation_number)


def _notary(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    notary = QuoteNotary(chain, record.address("QuoteNotary"))
    for (app_id, quote, kind), kept in state.ledger.notarized.items():
        found = notary.record_of(app_id, quote, kind, block)
        yield f"notarization of 0x{quote.hex()} for app 0x{app_id.hex()}", kept, found


def _timelock(chain: Chain, record: Deployment, state: State, block: int) -> Iterator[Comparison]:
    timelock = Timelock(chain, record.address("GovernanceTimelock"))
    yield "the timelock's delay", state.delay, timelock.delay(block)
    known = _known_accounts(record, state)
    for role in sorted({role for role, _ in state.roles}):
        for account in known:
            held = (role, account) in state.roles
            found = bool(timelock.read("hasRole", role, account, at=block))
            yield f"role 0x{role.hex()} of {account}", held, found
    for operation, when in state.operations.items():
        found_when = timelock.ready_at(Bytes32(operation), block)
        yield f"operation 0x{operation.hex()}", when, found_when


def _known_accounts(record: Deployment, state: State) -> Iterable[str]:
    named = [record.roles["guardian"], *record.roles["committee"], ZERO_ADDRESS]
    return sorted({account for _, account in state.roles} | set(named))
