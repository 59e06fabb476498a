"""
The twin of `TcbPolicy.sol`: every version of every policy, and what they say of a worker.

Pure: the same rules in the same order, for any time. It is fed by the contract's events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.chain.contracts.policy import PolicyHead, PolicyRules, Standing, TcbFacts
from quotary_bridge.model import Bytes32

__all__ = ["EVERY_APP", "Policies", "Version"]

EVERY_APP = Bytes32(bytes(32))
"""The app id that stands for all of them where a subject is barred."""

_FOREVER = 2**64 - 1
_KNOWN_KINDS = sum(1 << kind for kind in ProofKind if kind is not ProofKind.NONE)
_WORD = 32


@dataclass(frozen=True, slots=True)
class Version:
    """One published version, when it was, and the last second of anyone's grace under it, or 0."""

    rules: PolicyRules
    published_at: int
    grace_ends_at: int


@dataclass(frozen=True, slots=True)
class Policies:
    """All policies of a deployment; `barred` holds app and subject."""

    default_statuses: int
    versions: Mapping[tuple[bytes, int], tuple[Version, ...]] = field(default_factory=dict)
    barred: frozenset[tuple[bytes, bytes]] = frozenset()

    def published(
        self, app_id: bytes, tee_type: int, rules: PolicyRules, at: int, *, emergency: bool
    ) -> Policies:
        """Return the policies with one version more, published at `at`."""
        longest = max(rules.graces)
        ends = 0 if emergency or longest == 0 else at + longest
        key = (app_id, tee_type)
        versions = (*self.versions.get(key, ()), Version(rules, at, ends))
        return replace(self, versions={**self.versions, key: versions})

    def with_bar(self, app_id: bytes, subject: bytes, *, barred: bool) -> Policies:
        """Return the policies with a subject barred, or lifted."""
        change = frozenset({(app_id, subject)})
        return replace(self, barred=self.barred | change if barred else self.barred - change)

    def head_of(self, app_id: bytes, tee_type: int) -> PolicyHead:
        """Return where an app's policy stands."""
        versions = self.versions.get((app_id, tee_type), ())
        if not versions:
            return PolicyHead(0, 0, 0)
        return PolicyHead(len(versions), versions[-1].published_at, versions[-1].grace_ends_at)

    def rules_of(self, app_id: bytes, tee_type: int) -> PolicyRules:
        """Return the rules in force."""
        versions = self.versions.get((app_id, tee_type), ())
        return versions[-1].rules if versions else self._default()

    def standing_of(self, app_id: bytes, facts: TcbFacts, at: int) -> Standing:
        """Return what holds at `at` of a worker registered before (`ITcbPolicy.standingOf`)."""
        if self._is_barred(app_id, facts):
            return Standing("SubjectDenied", 0)
        versions = self.versions.get((app_id, facts.tee_type), ())
        if not versions:
            return _judge(self._default(), facts, at)
        head = versions[-1]
        now = _judge(head.rules, facts, at)
        if now.good or at > head.grace_ends_at:
            return now
        end = head.published_at + head.rules.graces[facts.tcb_status - 1]
        if at > end:
            return now
        before = versions[-2].rules if len(versions) > 1 else self._default()
        earlier = _judge(before, facts, at)
        return Standing("", min(end, earlier.until)) if earlier.good else now

    def boundaries(self, app_id: bytes, facts: TcbFacts) -> Iterator[int]:
        """Every last second after which an answer for these facts may change by time alone."""
        for version in self.versions.get((app_id, facts.tee_type), ())[-2:]:
            yield version.published_at + version.rules.graces[facts.tcb_status - 1]
            if version.rules.max_collateral_age:
                yield facts.collateral_from + version.rules.max_collateral_age

    def _default(self) -> PolicyRules:
        return PolicyRules(self.default_statuses, _KNOWN_KINDS)

    def _is_barred(self, app_id: bytes, facts: TcbFacts) -> bool:
        subjects = (_left(facts.fmspc), facts.platform_id, int(facts.kind).to_bytes(_WORD))
        return any(
            (app, subject) in self.barred for subject in subjects for app in (app_id, EVERY_APP)
        )


def _judge(rules: PolicyRules, facts: TcbFacts, at: int) -> Standing:
    """What one version says at `at`, its checks in the contract's order."""
    refusals = (
        ("TcbStatusNotAccepted", not rules.accepted_statuses >> facts.tcb_status & 1),
        ("ProofKindNotAccepted", not rules.accepted_kinds >> facts.kind & 1),
        ("EvaluationNumberTooLow", facts.evaluation_number < rules.min_evaluation_number),
        ("SubjectDenied", _left(facts.fmspc) in rules.denied),
        ("SubjectDenied", facts.platform_id in rules.denied),
        ("PlatformNotListed", bool(rules.platforms) and facts.platform_id not in rules.platforms),
    )
    for reason, refused in refusals:
        if refused:
            return Standing(reason, 0)
    if rules.max_collateral_age == 0:
        return Standing("", _FOREVER)
    until = facts.collateral_from + rules.max_collateral_age
    return Standing("", until) if at <= until else Standing("CollateralTooOld", 0)


def _left(value: bytes) -> bytes:
    return value.ljust(_WORD, b"\0")
