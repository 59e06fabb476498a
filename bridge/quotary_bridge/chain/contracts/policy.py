"""How patched a platform must be: the policies that apps publish."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import ClassVar

from quotary_bridge.chain.contracts.base import Contract, ProofKind
from quotary_bridge.chain.interface import AbiValue
from quotary_bridge.chain.records import BlockTag
from quotary_bridge.chain.reverts import error_name
from quotary_bridge.model import Address, Bytes32

__all__ = ["Bearer", "PolicyHead", "PolicyRules", "Standing", "TcbFacts", "TcbPolicy", "rules_from"]


@dataclass(frozen=True, slots=True)
class PolicyRules:
    """
    One version of a policy, as `ITcbPolicy.Policy`.

    Bit n of `accepted_statuses` and `accepted_kinds` stands for status or kind n; `kinds_needed` of
    them must stand together, 0 or 1 for the registration's alone. `workers_per_platform` may share
    one platform; 0 stands for 1. Times are seconds; `graces[n - 1]` is that of status n. `denied`
    and `platforms` are 32 bytes each.
    """

    accepted_statuses: int
    accepted_kinds: int
    kinds_needed: int = 0
    workers_per_platform: int = 0
    min_evaluation_number: int = 0
    max_collateral_age: int = 0
    forbidden_attributes: bytes = bytes(8)
    graces: tuple[int, ...] = (0,) * 8
    denied: tuple[bytes, ...] = ()
    platforms: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyHead:
    """Where an app's policy stands: its version, 0 for the deployment's own, and Unix times."""

    version: int
    published_at: int
    grace_ends_at: int


@dataclass(frozen=True, slots=True)
class TcbFacts:
    """What a policy judges of a worker that others have in common with it, as the ABI has it."""

    tee_type: int
    tcb_status: int
    kind: ProofKind
    fmspc: bytes
    attributes: bytes
    evaluation_number: int
    measurement_id: bytes
    advisories: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Bearer:
    """
    What a policy judges of a worker that is its own; times are Unix seconds.

    `kinds_until[n - 1]` is the last second of evidence of kind n beside the registration's own, 0
    where there is none. `place` counts the places of its platform before its own.
    """

    worker: Address
    platform_id: bytes
    collateral_from: int
    kinds_until: tuple[int, ...] = (0,) * 4
    place: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a policy takes a worker: the contract's name for why not, or until when."""

    reason: str
    until: int

    @property
    def good(self) -> bool:
        """Whether it does."""
        return not self.reason


class TcbPolicy(Contract):
    """What each app accepts of platforms, by TEE type."""

    abi_name: ClassVar[str] = "TcbPolicy"

    def default_statuses(self) -> int:
        """Return the statuses that version 0 accepts."""
        return int(self.read("DEFAULT_STATUSES"))

    def head_of(self, app_id: Bytes32, tee_type: int, at: BlockTag = "latest") -> PolicyHead:
        """Return where an app's policy stands."""
        head = self.read("headOf", app_id, tee_type, at=at)
        return PolicyHead(head["version"], head["publishedAt"], head["graceEndsAt"])

    def is_barred(self, app_id: Bytes32, subject: bytes, at: BlockTag = "latest") -> bool:
        """Whether a subject is barred for an app, or with app 0 for all."""
        return bool(self.read("isBarred", app_id, subject, at=at))

    def standing_of(
        self, app_id: Bytes32, judged: tuple[TcbFacts, Bearer], moment: int, at: BlockTag = "latest"
    ) -> Standing:
        """Return what the policy says at `moment`, Unix time, of a registered worker."""
        facts, bearer = astuple(judged[0]), astuple(judged[1])
        failure, until = self.read("standingOf", app_id, facts, bearer, moment, at=at)
        return Standing(error_name(failure[:4]) if failure else "", until)

    def publish(
        self, app_id: Bytes32, tee_type: int, rules: PolicyRules, *, emergency: bool
    ) -> bytes:
        """Return call data for the governor."""
        return self.encode("publish", app_id, tee_type, astuple(rules), emergency)

    def bar(self, app_id: Bytes32, subject: bytes) -> bytes:
        """Return call data for the governor or guardian."""
        return self.encode("bar", app_id, subject)

    def lift(self, app_id: Bytes32, subject: bytes) -> bytes:
        """Return call data for the governor."""
        return self.encode("lift", app_id, subject)


def rules_from(policy: AbiValue) -> PolicyRules:
    """Parse the contract's struct."""
    return PolicyRules(
        accepted_statuses=policy["acceptedStatuses"],
        accepted_kinds=policy["acceptedKinds"],
        kinds_needed=policy["kindsNeeded"],
        workers_per_platform=policy["workersPerPlatform"],
        min_evaluation_number=policy["minEvaluationNumber"],
        max_collateral_age=policy["maxCollateralAge"],
        forbidden_attributes=policy["forbiddenAttributes"],
        graces=tuple(policy["graces"]),
        denied=tuple(policy["denied"]),
        platforms=tuple(policy["platforms"]),
    )
