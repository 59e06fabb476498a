"""Who falls out under a changed policy, and when: asked of the twin before anything is proposed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from quotary_bridge.admission.policies import Policies
from quotary_bridge.admission.state import State, facts_of
from quotary_bridge.chain.contracts import (
    MeasurementStatus,
    RegisteredWorker,
    RouteStatus,
    WorkerStatus,
)
from quotary_bridge.chain.contracts.policy import PolicyRules, Standing
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
        _fate(state, after, address, worker, proposal.at)
        for address, worker in state.workers.items()
        if (worker.app_id, worker.tee_type) == (proposal.app_id, proposal.tee_type)
    )


def standing_at(state: State, policies: Policies, worker: RegisteredWorker, at: int) -> Standing:
    """Return whether a worker counts for its app at `at` (`IWorkerRegistry.activeAt`)."""
    refusal = _life(state, worker, at)
    if refusal:
        return Standing(refusal, 0)
    standing = policies.standing_of(worker.app_id, facts_of(worker), at)
    if not standing.good:
        return standing
    if worker.active_from > at:
        return Standing("WorkerNotYetActive", 0)
    return Standing("", min(standing.until, worker.valid_until))


def _life(state: State, worker: RegisteredWorker, at: int) -> str:
    """What ends a worker before its policy is asked, in the contract's order."""
    if worker.status is not WorkerStatus.REGISTERED:
        return _STATUS_REASONS[worker.status]
    if worker.valid_until < at:
        return "WorkerExpired"
    key = (worker.app_id, worker.measurement_id)
    if state.measurements.get(key) is not MeasurementStatus.ADMITTED:
        return "MeasurementNotAdmitted"
    status, _ = state.routes.get(worker.route, (RouteStatus.UNKNOWN, None))
    return "" if status is RouteStatus.ACTIVE else "RouteNotActive"


def _fate(
    state: State, after: Policies, address: Address, worker: RegisteredWorker, at: int
) -> Fate:
    now = standing_at(state, state.policies, worker, at)
    then = standing_at(state, after, worker, at)
    for moment in _moments(state.policies, after, worker, at):
        would = standing_at(state, state.policies, worker, moment)
        will = standing_at(state, after, worker, moment)
        if would.good and not will.good:
            return Fate(address, now, then, moment, will.reason)
    return Fate(address, now, then)


def _moments(before: Policies, after: Policies, worker: RegisteredWorker, at: int) -> Iterable[int]:
    """Every second from `at` on at which an answer can change, in order."""
    facts = facts_of(worker)

    def changes() -> Iterator[int]:
        yield at
        yield worker.active_from
        yield worker.valid_until + 1
        for policies in (before, after):
            for last in policies.boundaries(worker.app_id, facts):
                yield last + 1

    return sorted({moment for moment in changes() if moment >= at})
