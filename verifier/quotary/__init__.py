"""
Quotary's verifier: what an Intel SGX or TDX quote proves.

    from datetime import UTC, datetime
    from quotary import Collateral, RawCollateral, verify

    at = datetime.now(UTC)
    collateral = Collateral.verify(RawCollateral.from_json(text), at=at)
    verdict = verify(quote, collateral, at=at)

The only dependency is `cryptography`. Nothing here opens a file or a socket, or reads a clock.
"""

from __future__ import annotations

from quotary.collateral import RawCollateral
from quotary.errors import (
    CollateralError,
    ParseError,
    QuotaryError,
    Reason,
    VerificationError,
)
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy, strict
from quotary.quote import CompactQuote, Quote
from quotary.tcb import TcbStatus, TeeType
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot
from quotary.verify import AttestationKey, verify, verify_compact, verify_many, verify_with_key

__all__ = [
    "DEFAULT",
    "INTEL_ROOT",
    "AttestationKey",
    "Collateral",
    "CollateralError",
    "CompactQuote",
    "ParseError",
    "Policy",
    "QuotaryError",
    "Quote",
    "RawCollateral",
    "Reason",
    "TcbStatus",
    "TeeType",
    "TrustRoot",
    "Verdict",
    "VerificationError",
    "strict",
    "verify",
    "verify_compact",
    "verify_many",
    "verify_with_key",
]
