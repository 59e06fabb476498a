"""What the passing of time takes away: grace for a status, and the freshness of collateral."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from quotary.errors import Reason, VerificationError
from quotary.policy._base import AllOf, AnyOf, Evidence, Policy
from quotary.tcb import TcbStatus

__all__ = ["GracedStatuses", "MaximumCollateralAge", "deadlines"]


@dataclass(frozen=True, slots=True)
class GracedStatuses:
    """
    Accepts `statuses` always, and others for a while: `grace` maps a status to seconds.

    Grace counts from the TCB date, the oldest of the levels involved: the day whose threats the
    platform is known to withstand. When its successor was published is nothing a verdict can say.
    """

    statuses: frozenset[TcbStatus] = frozenset({TcbStatus.UP_TO_DATE})
    grace: Mapping[TcbStatus, int] = field(default_factory=dict)

    def check(self, evidence: Evidence) -> None:
        """Raise with `TCB_STATUS_NOT_ALLOWED`, also when the grace is over."""
        verdict = evidence.verdict
        status = verdict.tcb_status
        if status in self.statuses:
            return
        if status not in self.grace:
            names = sorted({*self.statuses, *self.grace})
            raise VerificationError(
                Reason.TCB_STATUS_NOT_ALLOWED,
                "TCB status",
                expected=" or ".join(names),
                found=status,
            )
        end = verdict.tcb_date + self.grace[status]
        if verdict.verified_at > end:
            raise VerificationError(
                Reason.TCB_STATUS_NOT_ALLOWED,
                "grace of the TCB status",
                expected=f"{status} until {_shown(end)}",
                found=_shown(verdict.verified_at),
            )

    def deadlines(self, evidence: Evidence) -> Iterator[int]:
        """Yield the last second of the grace that applies, if one does."""
        status = evidence.verdict.tcb_status
        if status not in self.statuses and status in self.grace:
            yield evidence.verdict.tcb_date + self.grace[status]


@dataclass(frozen=True, slots=True)
class MaximumCollateralAge:
    """
    Refuses collateral issued more than `seconds` ago, long before it expires by itself.

    TCB info, QE identity and PCK CRL count. The root CRL does not: Intel issues it once a year.
    """

    seconds: int

    def check(self, evidence: Evidence) -> None:
        """Raise with `COLLATERAL_TOO_OLD`, naming the oldest item."""
        issued, item = min(_issued(evidence))
        earliest = evidence.verdict.verified_at - self.seconds
        if issued < earliest:
            raise VerificationError(
                Reason.COLLATERAL_TOO_OLD,
                item,
                expected=f"issued at {_shown(earliest)} or later",
                found=_shown(issued),
            )

    def deadlines(self, evidence: Evidence) -> Iterator[int]:
        """Yield the last second the collateral is young enough."""
        yield min(_issued(evidence))[0] + self.seconds


def deadlines(policy: Policy | None, evidence: Evidence) -> Iterator[int]:
    """Yield the last seconds, as Unix seconds, after which a rule of `policy` changes its mind."""
    if isinstance(policy, AllOf | AnyOf):
        for part in policy.policies:
            yield from deadlines(part, evidence)
    elif isinstance(policy, GracedStatuses | MaximumCollateralAge):
        yield from policy.deadlines(evidence)


def _issued(evidence: Evidence) -> tuple[tuple[int, str], ...]:
    collateral = evidence.collateral
    return (
        (collateral.tcb_info.issue_date, "tcb_info"),
        (collateral.qe_identity.issue_date, "qe_identity"),
        (collateral.pck_crl.this_update, "pck_crl"),
    )


def _shown(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
