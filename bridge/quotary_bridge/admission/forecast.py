"""Who falls out under a changed policy, and when: asked of the twin before anything is proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quotary_bridge.admission.policies import Policies
from quotary_bridge.admission.state import Kept, State
from quotary_bridge.chain.contracts import (
    MeasurementStatus,
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
    refusal = _life(state, worker, facts, at)
    if refusal:
        return Standing(refusal, 0)
    standing = policies.standing_of(facts.app_id, state.judged(address), at)
    if not standing.good:
        return standing
    if worker.active_from > at:
        return Standing("WorkerNotYetActive", 0)
    return Standing("", min(standing.until, worker.valid_until))


def _concerns(proposal: Proposal, facts: CohortFacts) -> bool:
    return (facts.app_id, facts.tee_type) == (proposal.app_id, proposal.tee_type)


def _life(state: State, worker: Kept, facts: CohortFacts, at: int) -> str:
    """What ends a worker before its policy is asked, in the contract's order."""
    if worker.status is not WorkerStatus.REGISTERED:
        return _STATUS_REASONS[worker.status]
    if worker.valid_until < at:
        return "WorkerExpired"
    key = (facts.app_id, facts.measurement_id)
    if state.measurements.get(key) is not MeasurementStatus.ADMITTED:
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
    worker, judged = state.workers[address], state.judged(address)
    app_id = state.cohorts[worker.cohort].app_id

    def changes() -> Iterator[int]:
        yield at
        yield worker.active_from
        yield worker.valid_until + 1
        for policies in (state.policies, after):
            for last in policies.boundaries(app_id, judged):
                yield last + 1

    return sorted({moment for moment in changes() if moment >= at})
