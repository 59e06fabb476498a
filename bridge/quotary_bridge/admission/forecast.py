"""Who falls out under a changed policy, and when: asked of the twin before anything is proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from quotary_bridge.admission.policies import Policies
from quotary_bridge.admission.state import Evidence, Kept, State
from quotary_bridge.chain.contracts import (
    MeasurementStatus,
    ProofKind,
    RouteStatus,
    WorkerStatus,
)
from quotary_bridge.chain.contracts.policy import PolicyRules, Standing
from quotary_bridge.chain.contracts.workers import CohortFacts
from quotary_bridge.model import Address

__all__ = ["Fate", "Proposal", "forecast", "standing_at"]

_STATUS_REASONS = {
    WorkerStatus.UNKNOWN: "WorkerUnknown",
    WorkerStatus.RETIRED: "WorkerIsRetired",
    WorkerStatus.REVOKED: "WorkerIsRevoked",
}


@dataclass(frozen=True, slots=True)
class Proposal:
    """A version to be published for an app and TEE type, and when: Unix time."""

    app_id: bytes
    tee_type: int
    rules: PolicyRules
    at: int
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Fate:
    """
    One worker under the policy in force and under the proposed one.

    `before` and `after` are what holds when the proposal takes effect; `falls_at` is the first
    second at which the worker does not count any more under the proposal though it would have
    otherwise, for the reason `falls_for`: None where the proposal costs it nothing.
    """

    worker: Address
    before: Standing
    after: Standing
    falls_at: int | None = None
    falls_for: str = ""

    @property
    def gained(self) -> bool:
        """Whether the proposal lets the worker back in."""
        return self.after.good and not self.before.good


def forecast(state: State, proposal: Proposal) -> tuple[Fate, ...]:
    """Return what becomes of every worker of the proposal's app and TEE type."""
    after = state.policies.published(
        proposal.app_id,
        proposal.tee_type,
        proposal.rules,
        proposal.at,
        emergency=proposal.emergency,
    )
    return tuple(
        _fate(state, after, address, proposal.at)
        for address, worker in state.workers.items()
        if _concerns(proposal, state.cohorts[worker.cohort])
    )


def standing_at(state: State, policies: Policies, address: Address, at: int) -> Standing:
    """Return whether a worker counts for its app at `at` (`IWorkerRegistry.activeAt`)."""
    worker = state.workers[address]
    facts = state.cohorts[worker.cohort]
    end = _end_of(state, address, at)
    refusal = _life(state, worker, facts, at, end)
    if refusal:
        return Standing(refusal, 0)
    judged, bearer = state.judged(address)
    bearer = replace(bearer, kinds_until=_kinds_until(state, policies, address, at))
    standing = policies.standing_of(facts.app_id, (judged, bearer), at)
    if not standing.good:
        return standing
    if worker.active_from > at:
        return Standing("WorkerNotYetActive", 0)
    return Standing("", min(standing.until, end))


def _end_of(state: State, address: Address, at: int) -> int:
    """The last second of a registration, as far as it matters at `at`."""
    worker = state.workers[address]
    facts = state.cohorts[worker.cohort]
    collateral_from = state.seat_of(address).collateral_from
    return _stretched(state, facts, collateral_from, worker.valid_until, at)


def _stretched(state: State, facts: CohortFacts, collateral_from: int, end: int, at: int) -> int:
    if end >= at:
        return end
    return state.calendar.stretched(facts.tee_type, facts.fmspc, collateral_from, end)


def _kinds_until(state: State, policies: Policies, address: Address, at: int) -> tuple[int, ...]:
    """Until when evidence of each further kind stands (`ICorroborations.kindsUntil`)."""
    kinds = [kind for kind in ProofKind if kind is not ProofKind.NONE]
    beside = _evidence(state, address)
    return tuple(
        _stands_until(state, policies, address, beside[kind], at) if kind in beside else 0
        for kind in kinds
    )


def _evidence(state: State, address: Address) -> dict[ProofKind, Evidence]:
    """What speaks for the very claim that the worker registered with."""
    claim = state.claim_of(address)
    return {
        kind: evidence
        for (worker, kind), evidence in state.corroborations.items()
        if any(claim) and worker == address and evidence.shown.claim == claim
    }


def _stands_until(
    state: State, policies: Policies, address: Address, evidence: Evidence, at: int
) -> int:
    shown, facts = evidence.shown, evidence.facts
    end = _stretched(state, facts, shown.collateral_from, shown.valid_until, at)
    status, _ = state.routes.get(facts.route, (RouteStatus.UNKNOWN, None))
    if end < at or status is not RouteStatus.ACTIVE:
        return 0
    standing = policies.standing_of(facts.app_id, evidence.judged(address), at)
    return min(standing.until, end) if standing.good else 0


def _concerns(proposal: Proposal, facts: CohortFacts) -> bool:
    return (facts.app_id, facts.tee_type) == (proposal.app_id, proposal.tee_type)


def _life(state: State, worker: Kept, facts: CohortFacts, at: int, end: int) -> str:
    """What ends a worker before its policy is asked, in the contract's order."""
    if worker.status is not WorkerStatus.REGISTERED:
        return _STATUS_REASONS[worker.status]
    if end < at:
        return "WorkerExpired"
    key = (facts.app_id, facts.measurement_id)
    if state.status_of(*key) is not MeasurementStatus.ADMITTED:
        return "MeasurementNotAdmitted"
    status, _ = state.routes.get(facts.route, (RouteStatus.UNKNOWN, None))
    return "" if status is RouteStatus.ACTIVE else "RouteNotActive"


def _fate(state: State, after: Policies, address: Address, at: int) -> Fate:
    now = standing_at(state, state.policies, address, at)
    then = standing_at(state, after, address, at)
    for moment in _moments(state, after, address, at):
        would = standing_at(state, state.policies, address, moment)
        will = standing_at(state, after, address, moment)
        if would.good and not will.good:
            return Fate(address, now, then, moment, will.reason)
    return Fate(address, now, then)


def _moments(state: State, after: Policies, address: Address, at: int) -> Iterable[int]:
    """Every second from `at` on at which an answer can change, in order."""
    worker, evidence = state.workers[address], _evidence(state, address).values()
    app_id = state.cohorts[worker.cohort].app_id

    def changes() -> Iterator[int]:
        yield at
        yield worker.active_from
        for end in (worker.valid_until, *(item.shown.valid_until for item in evidence)):
            yield end + 1
            yield end + state.calendar.max_stretch + 1
        for policies in (state.policies, after):
            for judged in (state.judged(address), *(item.judged(address) for item in evidence)):
                for last in policies.boundaries(app_id, judged):
                    yield last + 1

    return sorted({moment for moment in changes() if moment >= at})
