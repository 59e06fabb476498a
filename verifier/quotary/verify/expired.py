"""
Verify under collateral that is over, knowingly: for the days when Intel's service is not there.

The verdict is the one of the last second at which everything was valid, and says so; what ended
since is listed. Pure, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from quotary.collateral import QeIdentity, RawCollateral, TcbInfo
from quotary.errors import CollateralError, QuotaryError, Reason
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Evidence, Policy
from quotary.quote import Quote
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, unix_seconds
from quotary.verify import verify
from quotary.verify._witness import Witness
from quotary.x509 import RevocationList

__all__ = ["Expired", "LateVerdict", "latest_collateral", "verify_late"]

_EXPIRED: Final = frozenset({Reason.CERT_EXPIRED, Reason.CRL_EXPIRED, Reason.COLLATERAL_EXPIRED})
_OUT_OF_TIME: Final = _EXPIRED | {
    Reason.CERT_NOT_YET_VALID,
    Reason.CRL_NOT_YET_VALID,
    Reason.COLLATERAL_NOT_YET_VALID,
}


@dataclass(frozen=True, slots=True)
class Expired:
    """A document or certificate that was over at the time asked about; `end` in Unix seconds."""

    item: str
    end: int


@dataclass(frozen=True, slots=True)
class LateVerdict:
    """A verdict, and what had expired since the time it speaks of: nothing, as a rule."""

    verdict: Verdict
    expired: tuple[Expired, ...] = ()


def verify_late(
    quote: bytes | Quote,
    collateral: Collateral | RawCollateral,
    *,
    tolerance: timedelta,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> LateVerdict:
    """
    Verify as `verify` does, but let what is needed have expired up to `tolerance` before `at`.

    Then the verdict is about the last second at which all of it was valid: `verified_at` and
    `valid_until` say so, and whoever asks for recent verdicts refuses it. The policy judges at
    `at`: grace and the age of collateral run on. Raises as `verify` does, with the reason that
    something expired when that was too long ago.

    Warning: what Intel revoked or found outdated since then is not known here.
    """
    parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
    try:
        return LateVerdict(verify(parsed, collateral, policy=policy, at=at, root=root))
    except QuotaryError as error:
        if error.reason not in _EXPIRED:
            raise
        stale = error
    now = unix_seconds(at)
    evidence = _when_valid(parsed, collateral, root, stale)
    last = evidence.verdict.valid_until
    if last + tolerance.total_seconds() < now:
        raise stale
    verdict = verify(
        parsed,
        evidence.collateral,
        policy=None if policy is None else _JudgedAt(policy, now),
        at=datetime.fromtimestamp(last, UTC),
        root=root,
    )
    windows = (*evidence.collateral.windows, *evidence.platform.windows)
    ended = dict.fromkeys(Expired(window.item, window.end) for window in windows)
    return LateVerdict(verdict, tuple(item for item in ended if item.end < now))


def latest_collateral(raw: RawCollateral, root: TrustRoot = INTEL_ROOT) -> Collateral:
    """
    Verify `raw` at the latest time at which all its documents were valid, whenever that was.

    Raises what `Collateral.verify` raises, also when there never was such a time.
    """
    refusal: QuotaryError | None = None
    for moment in _moments(raw):
        try:
            proven = Collateral.verify(raw, root, at=datetime.fromtimestamp(moment, UTC))
        except CollateralError as error:
            refusal = refusal or error
        else:
            return proven
    raise refusal or CollateralError(Reason.COLLATERAL_INCOMPLETE, "collateral")


def _moments(raw: RawCollateral) -> tuple[int, int]:
    """The first end and the last beginning of the documents: the latter when a signer is over."""
    info, identity = TcbInfo.parse(raw.tcb_info), QeIdentity.parse(raw.qe_identity)
    root_crl = RevocationList.parse(raw.root_ca_crl, "root_ca_crl")
    pck_crl = RevocationList.parse(raw.pck_crl, "pck_crl")
    ends = (info.next_update, identity.next_update, root_crl.next_update, pck_crl.next_update)
    starts = (info.issue_date, identity.issue_date, root_crl.this_update, pck_crl.this_update)
    return min(ends), max(starts)


def _when_valid(
    quote: Quote, given: Collateral | RawCollateral, root: TrustRoot, stale: QuotaryError
) -> Evidence:
    """Return what `quote` proves at a time when nothing had expired; raises `stale` for none."""
    try:
        proven = given if isinstance(given, Collateral) else latest_collateral(given, root)
    except CollateralError:
        raise stale from None
    for moment in _times(proven):
        witness = Witness()
        try:
            verify(quote, proven, policy=witness, at=moment, root=root)
        except QuotaryError as error:
            if error.reason not in _OUT_OF_TIME:
                raise
        if witness.evidence is not None:
            return witness.evidence
    raise stale


def _times(collateral: Collateral) -> Iterator[datetime]:
    """Both ends of the collateral's window: the earlier one when the platform's ends inside."""
    yield datetime.fromtimestamp(collateral.valid_until, UTC)
    yield datetime.fromtimestamp(collateral.valid_from, UTC)


@dataclass(frozen=True, slots=True)
class _JudgedAt:
    """A policy asked about evidence as if it had been verified at another time."""

    policy: Policy
    seconds: int

    def check(self, evidence: Evidence) -> None:
        """Raise what the policy raises."""
        verdict = replace(evidence.verdict, verified_at=self.seconds)
        self.policy.check(evidence._replace(verdict=verdict))
