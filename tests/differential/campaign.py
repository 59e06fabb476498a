"""A campaign: so many mutants, each judged twice, every difference explained or reported."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from random import Random

from tests.differential.bytes_of_evidence import Good, mutate_evidence
from tests.differential.consistency import contradiction
from tests.differential.judges import Accepted, Case, Escaped, Outcome, Refused, ours, theirs
from tests.differential.known import explain
from tests.differential.peer import ABORTED, Peer
from tests.differential.scenarios import mutate_scenario, simulated

__all__ = ["Finding", "Tally", "mutant", "run"]

_SIGNED_SHARE = 0.6
_GENUINE_SHARE = 0.5
_SELF_EVERY = 4
"""Every fourth mutant is put to all our entry points as well."""
_OURSELVES = "another entry point of ours"


@dataclass(frozen=True, slots=True)
class Finding:
    """A difference nobody has explained."""

    number: int
    category: str
    changes: tuple[str, ...]
    ours: str
    theirs: str


@dataclass(slots=True)
class Tally:
    """What came of a campaign, or of a part of one."""

    agreed: Counter[str] = field(default_factory=Counter)
    known: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    consistent: int = 0
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count `other` in."""
        self.agreed += other.agreed
        self.known += other.known
        self.reasons += other.reasons
        self.consistent += other.consistent
        self.findings += other.findings

    @property
    def mutants(self) -> int:
        """How many mutants were judged."""
        unexplained = sum(finding.theirs != _OURSELVES for finding in self.findings)
        return self.agreed.total() + self.known.total() + unexplained


def mutant(seed: str, number: int, genuine: tuple[Good, ...]) -> Case:
    """The mutant with this number: the same for the same seed and the same genuine evidence."""
    rng = Random(f"{seed}/{number}")
    if rng.random() < _SIGNED_SHARE:
        return mutate_scenario(rng)
    use_genuine = bool(genuine) and rng.random() < _GENUINE_SHARE
    return mutate_evidence(rng, rng.choice(genuine if use_genuine else simulated()))


def run(seed: str, numbers: Iterable[int], genuine: tuple[Good, ...]) -> Tally:
    """Judge the mutants with these numbers."""
    tally = Tally()
    with Peer() as peer:
        for number in numbers:
            case = mutant(seed, number, genuine)
            _count(tally, number, case, ours(case), theirs(case, peer))
            if number % _SELF_EVERY == 0:
                _count_consistency(tally, number, case)
    return tally


def _count_consistency(tally: Tally, number: int, case: Case) -> None:
    if how := contradiction(case):
        tally.findings.append(Finding(number, case.category, case.changes, how, _OURSELVES))
    else:
        tally.consistent += 1


def _count(tally: Tally, number: int, case: Case, our: Outcome, their: Outcome) -> None:
    if isinstance(our, Refused):
        tally.reasons[our.reason] += 1
    if agreement := _agreement(our, their):
        tally.agreed[f"{case.category}: {agreement}"] += 1
    elif name := explain(case, our, their):
        tally.known[name] += 1
    else:
        finding = Finding(number, case.category, case.changes, *map(_shown, (our, their)))
        tally.findings.append(finding)


def _agreement(our: Outcome, their: Outcome) -> str | None:
    if isinstance(our, Refused) and isinstance(their, Refused):
        return "the peer aborts" if their.reason == ABORTED else "both refuse"
    if isinstance(our, Accepted) and our == their:
        return "both accept"
    return None


def _shown(outcome: Outcome) -> str:
    match outcome:
        case Accepted():
            status, advisories = outcome.claims["status"], outcome.claims["advisories"]
            return f"accepted: {status} {advisories}"
        case Refused():
            return f"refused: {outcome.reason}"
        case Escaped():
            return f"escaped: {outcome.error}"
