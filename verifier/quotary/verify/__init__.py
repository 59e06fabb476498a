"""
Verify a DCAP quote: the one place where quote, collateral, trust and policy come together.

Pure: the verdict is a function of the arguments. No clock, file, socket, environment or log.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from quotary.collateral import RawCollateral
from quotary.errors import QuotaryError
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy
from quotary.quote import Quote
from quotary.trust import (
    INTEL_ROOT,
    REMEMBERED_PLATFORMS,
    Collateral,
    TrustRoot,
    unix_seconds,
)
from quotary.verify._appraisal import Appraisal
from quotary.verify._attestation_key import AttestationKey, verify_compact
from quotary.verify._certification import require_root
from quotary.verify._many import Stage, judge_all
from quotary.verify._stages import CHECKS, FORGETFUL_CHECKS, STAGES, run
from quotary.verify._steps import STEPS, Part, Step

__all__ = [
    "STEPS",
    "Appraisal",
    "AttestationKey",
    "Part",
    "Step",
    "verify",
    "verify_compact",
    "verify_many",
    "verify_with_key",
]


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
    return _appraise(quote, collateral, policy, at, root).verdict


def verify_with_key(
    quote: bytes | Quote,
    collateral: Collateral,
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> tuple[Verdict, AttestationKey]:
    """
    Verify as `verify` does, and return the attestation key that was proven on the way as well.

    Under it, and as long as `collateral` is current, `verify_compact` judges further quotes of the
    same key by one signature.
    """
    appraisal = _appraise(quote, collateral, policy, at, root)
    return appraisal.verdict, AttestationKey.of(appraisal)


def verify_many(
    quotes: Sequence[bytes | Quote],
    collateral: Collateral | RawCollateral,
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
    threads: int = 2,
) -> list[Verdict | QuotaryError]:
    """
    Verify each of `quotes` as `verify` does; returns its verdict or its refusal, in their order.

    Signatures are checked on `threads` threads beside each other. Raises what is wrong with
    `collateral` or `root`, as that concerns all quotes, and `ValueError` as `verify` does or for a
    number of threads that is not 1 to 64.
    """
    proven, seconds = _proven(collateral, root, at), unix_seconds(at)

    def begin(quote: bytes | Quote) -> Appraisal:
        parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
        return run(STAGES[0], Appraisal(parsed, proven, policy, seconds))

    def end(appraisal: Appraisal) -> Verdict:
        return run(STAGES[-1], appraisal).verdict

    chain, binding, signatures = (partial(run, checks) for checks in STAGES[1:-1])
    stages = (
        Stage(begin, threaded=False),
        Stage(chain, threaded=True),
        Stage(binding, threaded=False),
        Stage(signatures, threaded=True),
        Stage(end, threaded=False),
    )
    return judge_all(stages, quotes, threads)


def _proven(
    collateral: Collateral | RawCollateral,
    root: TrustRoot,
    at: datetime,
    remembers: int = REMEMBERED_PLATFORMS,
) -> Collateral:
    if isinstance(collateral, RawCollateral):
        collateral = Collateral.verify(collateral, root, at=at, remembers=remembers)
    require_root(collateral, root)
    return collateral


def _appraise(
    quote: bytes | Quote,
    collateral: Collateral | RawCollateral,
    policy: Policy | None,
    at: datetime,
    root: TrustRoot,
) -> Appraisal:
    seconds = unix_seconds(at)
    parsed = quote if isinstance(quote, Quote) else Quote.parse(quote)
    # Raw collateral serves this quote alone: there is nobody to remember anything for.
    proven = _proven(collateral, root, at, remembers=0)
    checks = CHECKS if proven.remembers else FORGETFUL_CHECKS
    return run(checks, Appraisal(parsed, proven, policy, seconds))
