"""
The twin of `TcbPolicy.sol`: every version of every policy, and what they say of a worker.

Pure: the same rules in the same order, for any time. It is fed by the contract's events.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from quotary_bridge.chain.contracts import ProofKind
from quotary_bridge.chain.contracts.policy import (
    Bearer,
    PolicyHead,
    PolicyRules,
    Standing,
    TcbFacts,
)
from quotary_bridge.model import Bytes32

__all__ = ["EVERY_APP", "Policies", "Version", "key_of"]

EVERY_APP = Bytes32(bytes(32))
"""The app id that stands for all of them where a subject is barred."""

_FOREVER = 2**64 - 1
_KNOWN_KINDS = sum(1 << kind for kind in ProofKind if kind is not ProofKind.NONE)
_WORD = 32
_SEVERAL = 2
# Of a hash, as many bytes as an address has count.
_KEY = 20


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
        change = frozenset({(app_id, key_of(subject))})
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

    def standing_of(self, app_id: bytes, judged: tuple[TcbFacts, Bearer], at: int) -> Standing:
        """Return what holds at `at` of a worker registered before (`ITcbPolicy.standingOf`)."""
        facts, bearer = judged
        if self._is_barred(app_id, facts, bearer):
            return Standing("SubjectDenied", 0)
        versions = self.versions.get((app_id, facts.tee_type), ())
        if not versions:
            return _judge_counted(self._default(), facts, bearer, at)
        head = versions[-1]
        now = _judge_counted(head.rules, facts, bearer, at)
        if now.good or at > head.grace_ends_at:
            return now
        end = head.published_at + head.rules.graces[facts.tcb_status - 1]
        if at > end:
            return now
        before = versions[-2].rules if len(versions) > 1 else self._default()
        earlier = _judge_counted(before, facts, bearer, at)
        return Standing("", min(end, earlier.until)) if earlier.good else now

    def boundaries(self, app_id: bytes, judged: tuple[TcbFacts, Bearer]) -> Iterator[int]:
        """Every last second after which an answer for a worker may change by time alone."""
        facts, bearer = judged
        for version in self.versions.get((app_id, facts.tee_type), ())[-2:]:
            yield version.published_at + version.rules.graces[facts.tcb_status - 1]
            if version.rules.max_collateral_age:
                yield bearer.collateral_from + version.rules.max_collateral_age

    def _default(self) -> PolicyRules:
        return PolicyRules(self.default_statuses, _KNOWN_KINDS)

    def is_barred(self, app_id: bytes, subject: bytes) -> bool:
        """Whether a subject is barred for an app itself."""
        return (app_id, key_of(subject)) in self.barred

    def _is_barred(self, app_id: bytes, facts: TcbFacts, bearer: Bearer) -> bool:
        kind = int(facts.kind).to_bytes(_WORD)
        subjects = (*_subjects(facts), kind, bearer.platform_id, _named(bearer))
        return any(
            self.is_barred(app, subject) for subject in subjects for app in (app_id, EVERY_APP)
        )


def key_of(subject: bytes) -> bytes:
    """Return what a subject is known by: its first 20 bytes, or the number it is."""
    start = subject[:_KEY].ljust(_WORD, b"\0")
    return start if any(start) else subject


def _judge_counted(rules: PolicyRules, facts: TcbFacts, bearer: Bearer, at: int) -> Standing:
    """The same, the kinds of proof that stand at `at` counted, the registration's among them."""
    standing, needed = _judge(rules, facts, bearer, at), rules.kinds_needed
    if not standing.good or needed < _SEVERAL:
        return standing
    others = (end for kind, end in enumerate(bearer.kinds_until, 1) if kind != facts.kind)
    ends = sorted((end for end in others if end >= at), reverse=True)
    if 1 + len(ends) < needed:
        return Standing("ProofKindsTooFew", 0)
    return Standing("", min(standing.until, ends[needed - 2]))


def _judge(rules: PolicyRules, facts: TcbFacts, bearer: Bearer, at: int) -> Standing:
    """What one version says at `at`, its checks in the contract's order, kinds not counted."""
    denied, listed = set(map(key_of, rules.denied)), set(map(key_of, rules.platforms))
    attributes, forbidden = map(int.from_bytes, (facts.attributes, rules.forbidden_attributes))
    platform = key_of(bearer.platform_id)
    named = {*map(key_of, _subjects(facts)), platform, key_of(_named(bearer))}
    refusals = (
        ("TcbStatusNotAccepted", not rules.accepted_statuses >> facts.tcb_status & 1),
        ("ProofKindNotAccepted", not rules.accepted_kinds >> facts.kind & 1),
        ("EvaluationNumberTooLow", facts.evaluation_number < rules.min_evaluation_number),
        ("AttributesDenied", bool(attributes & forbidden)),
        ("SubjectDenied", bool(named & denied)),
        ("PlatformNotListed", bool(listed) and platform not in listed),
        ("PlatformCrowded", bearer.place >= max(1, rules.workers_per_platform)),
    )
    for reason, refused in refusals:
        if refused:
            return Standing(reason, 0)
    if rules.max_collateral_age == 0:
        return Standing("", _FOREVER)
    until = bearer.collateral_from + rules.max_collateral_age
    return Standing("", until) if at <= until else Standing("CollateralTooOld", 0)


def _subjects(facts: TcbFacts) -> tuple[bytes, ...]:
    """What bars and denials may name of a worker's facts, but the kind of proof."""
    return (facts.fmspc.ljust(_WORD, b"\0"), facts.measurement_id, *facts.advisories)


def _named(bearer: Bearer) -> bytes:
    return bytes.fromhex(bearer.worker[2:]).ljust(_WORD, b"\0")
