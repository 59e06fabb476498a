"""The shape of a policy, and how policies combine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from quotary.errors import VerificationError
from quotary.journal import Verdict
from quotary.quote import SignedReport
from quotary.trust import Collateral, Platform

__all__ = ["AllOf", "AnyOf", "Evidence", "Policy"]


class Evidence(NamedTuple):
    """Everything that was proven, for a policy to judge. `quote` may be raw or compact."""

    quote: SignedReport
    platform: Platform
    collateral: Collateral
    verdict: Verdict


class Policy(Protocol):
    """Anything that can refuse evidence."""

    def check(self, evidence: Evidence) -> None:
        """Raise `VerificationError` unless `evidence` is acceptable."""
        ...


@dataclass(frozen=True, slots=True)
class AllOf:
    """Accepts what all of `policies` accept, asked in order."""

    policies: tuple[Policy, ...]

    def check(self, evidence: Evidence) -> None:
        """Raise the first refusal."""
        for policy in self.policies:
            policy.check(evidence)


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Accepts what at least one of `policies` accepts; at least one must be given."""

    policies: tuple[Policy, ...]

    def __post_init__(self) -> None:
        """Refuse an empty choice, which could accept nothing and say nothing about it."""
        if not self.policies:
            raise ValueError("AnyOf needs at least one policy")

    def check(self, evidence: Evidence) -> None:
        """Raise the last refusal when all refuse."""
        for policy in self.policies[:-1]:
            try:
                policy.check(evidence)
            except VerificationError:
                continue
            return
        self.policies[-1].check(evidence)
