"""
Verify a DCAP quote: the one place where quote, collateral, trust and policy come together.

Pure: the verdict is a function of the arguments. No clock, file, socket, environment or log.
"""

from __future__ import annotations

from datetime import datetime

from quotary.collateral import RawCollateral
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy
from quotary.quote import Quote
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot, unix_seconds
from quotary.verify._appraisal import Appraisal
from quotary.verify._certification import require_root
from quotary.verify._steps import STEPS, Part, Step

__all__ = ["STEPS", "Appraisal", "Part", "Step", "verify"]


def verify(
    quote: bytes | Quote,
    collateral: Collateral | RawCollateral,
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> Verdict:
    """
    Return what `quote` proves at the time `at`, or raise `QuotaryError` with a reason.

    0. The quote parses; the collateral is, or is proven to be, Intel's, under `root`.
    1. The quoting enclave's vendor is Intel.
    2. The collateral is of the quote's TEE type, and current.
    3. The PCK chain leads from the pinned root to the platform; nothing is revoked or expired.
    4. The quoting enclave's report vouches for the attestation key.
    5. The quoting enclave is the one Intel identifies, and not in debug mode.
    6. The platform's PCK signed the quoting enclave's report.
    7. The attestation key signed the quote.
    8. The TCB info is of this platform's FMSPC and PCE.
    9. The TDX module is Intel's.
    10. Platform, module and quoting enclave reach signed TCB levels that are not revoked.
    11. The policy accepts what was proven.

    `policy=None` judges the evidence alone: whatever status is not revoked yields a verdict, which
    says so. Raises `ValueError` when `at` has no time zone.

    INTEGRATOR RESPONSIBILITIES. A verdict does not say that the measurement is one you want, that
    report data binds your key or your challenge, or that the quote is fresh: give a policy that
    expects them. It speaks of `at`; ask again when collateral changes.
    """
    seconds = unix_seconds(at)
    parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
    proven = (
        collateral
        if isinstance(collateral, Collateral)
        else Collateral.verify(collateral, root, at=at)
    )
    require_root(proven, root)
    appraisal = Appraisal(parsed, proven, policy, seconds)
    for step in STEPS:
        step.check(appraisal)
    return appraisal.verdict
