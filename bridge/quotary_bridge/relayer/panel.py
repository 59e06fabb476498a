"""Who may take part in a round, as the chain says at the pinned block."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from quotary_bridge.chain.contracts import RequestTerms
from quotary_bridge.errors import ContractError
from quotary_bridge.model import Address, Bytes32, JobKey, Request
from quotary_bridge.relayer.cycle import Cycle
from quotary_bridge.rounds import Candidate

__all__ = ["Admission", "Panel", "apart"]

INTEL = 1
TDX = 2
"""TEE types up to this one are Intel's (docs/formats.md, "TEE types")."""


@dataclass(frozen=True, slots=True)
class Admission:
    """
    Whom a request admits now: `named` workers only, None for all; never those who are `out`.

    `late` says that the named ones had their time, and nobody has opened the request yet.
    """

    named: frozenset[Address] | None
    out: frozenset[Address]
    late: bool


@dataclass(slots=True)
class Panel:
    """What one cycle asked the chain about workers, each once."""

    cycle: Cycle
    _standing: dict[tuple[Address, Bytes32, bool], Candidate | None] = field(default_factory=dict)
    _admissions: dict[JobKey, Admission] = field(default_factory=dict)

    def admission(self, request: Request) -> Admission:
        """Return whom `request` admits."""
        if request.key not in self._admissions:
            self._admissions[request.key] = self._admission(request)
        return self._admissions[request.key]

    def eligible(
        self, request: Request, workers: Mapping[Address, str]
    ) -> dict[Address, Candidate]:
        """Return those of `workers`, given with their endpoints, that count for `request` now."""
        admits = self.admission(request)
        quorum = RequestTerms.decode(request.terms).quorum
        found = {}
        for worker, url in workers.items():
            if worker in admits.out or not _among(worker, admits.named):
                continue
            standing = self._standing_of(worker, request.app_id, hardware=quorum.vendors > 1)
            if standing is not None:
                found[worker] = replace(standing, url=url)
        return found

    def _admission(self, request: Request) -> Admission:
        ports, number = self.cycle.ports, self.cycle.number
        terms = RequestTerms.decode(request.terms)
        state = ports.oracle.contract.state_of(request.request_id, number)
        if state.disputes:
            return Admission(None, frozenset(ports.oracle.disputed(request, number)), late=False)
        if not terms.workers or state.reassigned:
            return Admission(None, frozenset(), late=False)
        late = terms.reserved_until < self.cycle.time
        return Admission(frozenset(terms.workers), frozenset(), late)

    def _standing_of(self, worker: Address, app: Bytes32, *, hardware: bool) -> Candidate | None:
        known = (worker, app, hardware)
        if known not in self._standing:
            self._standing[known] = self._asked(worker, app, hardware=hardware)
        return self._standing[known]

    def _asked(self, worker: Address, app: Bytes32, *, hardware: bool) -> Candidate | None:
        """Return who runs an active worker on what; None where it does not count at this block."""
        number, oracle = self.cycle.number, self.cycle.ports.oracle
        registry = oracle.workers(number)
        try:
            operator, platform = registry.operator_and_platform_of(worker, app, number)
            if oracle.contract.probation_of(worker, number) >= self.cycle.time:
                return None
            tee_type = registry.worker_of(worker, number).tee_type if hardware else 0
        except ContractError:
            return None
        return Candidate(worker, "", operator, tee_type if tee_type > TDX else INTEL, platform)


def apart(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Return the first candidate of each machine, in order: together its workers have one voice."""
    first: dict[bytes | Address, Candidate] = {}
    for each in candidates:
        first.setdefault(each.platform or each.worker, each)
    return list(first.values())


def _among(worker: Address, named: Collection[Address] | None) -> bool:
    return named is None or worker in named
