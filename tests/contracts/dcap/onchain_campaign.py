"""A campaign: the mutants that dcap-qvl is compared on, put to Python and to the chain."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from quotary import QuotaryError, RawCollateral, TrustRoot

from tests.contracts.dcap.agreement import (
    agree,
    another_fault,
    of_python,
    same_document,
    told,
)
from tests.contracts.dcap.onchain_judge import OnChainJudge
from tests.differential.bytes_of_evidence import Good
from tests.differential.campaign import mutant
from tests.differential.judges import Case

__all__ = ["Disagreement", "Tally", "run"]

TOO_LARGE = frozenset({"root-crl-enormous", "pck-crl-enormous"})
"""Faults that no transaction has room for."""


_ONE_CHANGE = 2
"""Changes begin with the name of the evidence that was changed."""


_OF_SEVERAL_VALUES = frozenset({"platform_levels", "qe_levels", "modules", "edits"})
"""Changes that draw several values of a document at once, and may spoil more than one."""


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A mutant that the two judge differently."""

    number: int
    changes: tuple[str, ...]
    python: str
    chain: str


@dataclass(slots=True)
class Tally:
    """What came of a campaign, or of a part of one."""

    counts: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    disagreements: list[Disagreement] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count `other` in."""
        self.counts += other.counts
        self.reasons += other.reasons
        self.disagreements += other.disagreements


def run(judge: OnChainJudge, seed: str, numbers: Iterable[int], genuine: tuple[Good, ...]) -> Tally:
    """Judge the mutants with these numbers, those that share collateral after one another."""
    tally = Tally()
    cases = [(number, mutant(seed, number, genuine)) for number in numbers]
    cases.sort(key=lambda item: (item[1].root_der, item[1].at, item[1].changes[0]))
    for number, case in cases:
        _judge(tally, judge, number, case)
    return tally


def _judge(tally: Tally, judge: OnChainJudge, number: int, case: Case) -> None:
    try:
        # The quote carries its PCK chain; a chain beside it has no place on the chain.
        raw = replace(RawCollateral.from_json(case.collateral), pck_certificate_chain=None)
        root = TrustRoot.from_certificate(case.root_der)
    except QuotaryError:
        tally.counts["refused by who would bring it"] += 1
        return
    if TOO_LARGE & set(case.changes):
        tally.counts["too large for a transaction"] += 1
        return
    at = datetime.fromtimestamp(case.at, UTC)
    python = of_python(case.quote, raw, root, at)
    chain = judge.judge(case.quote, raw, root, case.at)
    if python == chain:
        tally.counts["same reason" if isinstance(chain, str) else "same journal"] += 1
        tally.reasons[told(chain)] += 1
    elif agree(python, chain):
        tally.counts["same reason, by another shape of collateral"] += 1
    elif isinstance(python, str) and isinstance(chain, str):
        _explain(tally, number, case, (python, chain), (case.quote, raw, root, at, chain))
    else:
        _disagree(tally, number, case, (told(python), told(chain)))


def _explain(
    tally: Tally,
    number: int,
    case: Case,
    reasons: tuple[str, str],
    evidence: tuple[bytes, RawCollateral, TrustRoot, datetime, str],
) -> None:
    """Both refuse, for different reasons: right where the evidence has several faults."""
    if another_fault(*evidence):
        tally.counts["another of several faults"] += 1
    elif _several(case, reasons[0]) and same_document(*evidence):
        tally.counts["another of several faults of a document"] += 1
    else:
        _disagree(tally, number, case, reasons)


def _several(case: Case, python: str) -> bool:
    if len(case.changes) > _ONE_CHANGE or python == "JSON_DUPLICATE_KEY":
        return True
    return not _OF_SEVERAL_VALUES.isdisjoint(case.changes)


def _disagree(tally: Tally, number: int, case: Case, answers: tuple[str, str]) -> None:
    tally.disagreements.append(Disagreement(number, case.changes, *answers))
