"""Whose answers the chain would take, at the pinned block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from quotary_bridge.chain.contracts import RequestState, RequestTerms
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, BlockNumber, Bytes32, JobKey, Request, Timestamp
from quotary_bridge.relayer.oracle import Oracle, Standing
from quotary_bridge.rounds import Candidate

__all__ = ["NOT_ASSIGNED", "NO_WORKER", "Admission", "Panel", "Refusal", "apart"]

INTEL = 1
TDX = 2
"""TEE types up to this one are Intel's (docs/formats.md, "TEE types")."""

NO_WORKER = "NoWorker"
"""Why nobody is asked where nobody is known."""

NOT_ASSIGNED = "NotAssigned"
ALREADY_ANSWERED = "AlreadyAnswered"
ON_PROBATION = "WorkerOnProbation"


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Whom a request admits now: `named` workers only, None for all; never those who are `out`.

    `late` says that the named ones had their time, and nobody has opened the request yet.
    """

    named: frozenset[Address] | None
    out: frozenset[Address]
    late: bool


ANYBODY = Admission(None, frozenset(), late=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why the chain takes no answer from a worker: the contract's own name for it, and values."""

    reason: str
    detail: str


@dataclass(slots=True)
class Panel:
    """What was asked about workers and requests at one block, each once."""

    oracle: Oracle
    at: BlockNumber
    time: Timestamp
    _standing: dict[tuple[Address, Bytes32], Candidate | Refusal] = field(default_factory=dict)
    _tee_types: dict[Address, int] = field(default_factory=dict)
    _admissions: dict[JobKey, Admission] = field(default_factory=dict)

    def prepare(self, requests: Collection[Request], workers: Collection[Address]) -> None:
        """Ask in bulk what the other methods would ask one by one."""
        asked = [each for each in requests if not _admits_anybody(each)]
        fresh = [each for each in asked if each.key not in self._admissions]
        states = self.oracle.contract.states_of([each.request_id for each in fresh], self.at)
        for request, state in zip(fresh, states, strict=True):
            self._admissions[request.key] = self._admission(request, state)
        apps = {each.app_id for each in requests}
        self._learn((worker, app) for app in apps for worker in workers)

    def admission(self, request: Request) -> Admission:
        """Return whom `request` admits."""
        if _admits_anybody(request):
            return ANYBODY
        if request.key not in self._admissions:
            self.prepare([request], ())
        return self._admissions[request.key]

    def refusal(self, request: Request, worker: Address | None) -> Refusal | None:
        """Return why no answer of `worker` counts for `request`; None where one does, or may."""
        admits = self.admission(request)
        if admits.named is not None and worker not in admits.named:
            named = ", ".join(sorted(admits.named))
            return Refusal(NOT_ASSIGNED, f"{worker or 'a worker unknown'} is not {named}")
        if worker is None:
            return None
        if worker in admits.out:
            return Refusal(ALREADY_ANSWERED, f"{worker} took part in a round that disagreed")
        if (worker, request.app_id) not in self._standing:
            self._learn([(worker, request.app_id)])
        standing = self._standing[worker, request.app_id]
        return standing if isinstance(standing, Refusal) else None

    def counts(self, worker: Address, apps: Iterable[Bytes32]) -> bool:
        """Return whether answers of `worker` count for each of `apps`, whatever is asked."""
        asked = [(worker, app) for app in apps]
        self._learn(asked)
        return all(isinstance(self._standing[pair], Candidate) for pair in asked)

    def eligible(
        self, request: Request, workers: Mapping[Address, str]
    ) -> dict[Address, Candidate]:
        """Return those of `workers`, given with their endpoints, that count for `request` now."""
        self._learn((worker, request.app_id) for worker in workers)
        counting = [each for each in workers if self.refusal(request, each) is None]
        apart_by_vendor = RequestTerms.decode(request.terms).quorum.vendors > 1
        found = {}
        for worker in counting:
            standing = self._standing[worker, request.app_id]
            if isinstance(standing, Candidate):
                vendor = self._vendor(worker) if apart_by_vendor else INTEL
                found[worker] = replace(standing, url=workers[worker], vendor=vendor)
        return found

    def _admission(self, request: Request, state: RequestState) -> Admission:
        terms = RequestTerms.decode(request.terms)
        if state.disputes:
            out = self.oracle.disputed(request, self.at)
            return Admission(None, frozenset(out), late=False)
        if not terms.workers or state.reassigned:
            return ANYBODY
        return Admission(frozenset(terms.workers), frozenset(), terms.reserved_until < self.time)

    def _learn(self, pairs: Iterable[tuple[Address, Bytes32]]) -> None:
        """Ask who runs workers on what, and how they stand; each with the app it may answer for."""
        fresh = sorted(pair for pair in set(pairs) if pair not in self._standing)
        if not fresh:
            return
        for pair, found in zip(fresh, self.oracle.standings(fresh, self.at), strict=True):
            self._standing[pair] = self._judged(pair[0], found)

    def _judged(self, worker: Address, found: Standing | ContractError) -> Candidate | Refusal:
        if isinstance(found, ContractError):
            return Refusal(found.name, found.message)
        if found.probation_until >= self.time:
            detail = f"{worker} counts for nothing until {found.probation_until}"
            return Refusal(ON_PROBATION, detail)
        return Candidate(worker, "", found.operator, INTEL, found.platform)

    def _vendor(self, worker: Address) -> int:
        if worker not in self._tee_types:
            registry = self.oracle.workers(self.at)
            self._tee_types[worker] = registry.worker_of(worker, self.at).tee_type
        tee_type = self._tee_types[worker]
        return tee_type if tee_type > TDX else INTEL


def apart(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the first candidate of each machine, in order: together its workers have one voice."""
    first: dict[bytes | Address, Candidate] = {}
    for each in candidates:
        first.setdefault(each.platform or each.worker, each)
    return list(first.values())


def _admits_anybody(request: Request) -> bool:
    """Whether the request says by itself that any worker of its app may answer, now and later."""
    # One worker's answer disagrees with nobody's, so it is never disputed.
    return request.results_needed <= 1 and not request.workers_named
