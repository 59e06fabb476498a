"""Attestation keys as proven things of their own, and the compact quotes judged under them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from quotary._ecdsa import PublicKey
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy
from quotary.quote import CompactQuote
from quotary.trust import (
    INTEL_ROOT,
    Collateral,
    Platform,
    TrustRoot,
    tcb_versions,
    unix_seconds,
)
from quotary.verify._appraisal import Appraisal
from quotary.verify._certification import require_root
from quotary.verify._stages import COMPACT_CHECKS, run

__all__ = ["AttestationKey", "verify_compact"]


@dataclass(frozen=True, slots=True)
class AttestationKey:
    """
    The key of a quoting enclave, proven by a raw quote under one collateral.

    `key_id` is SHA-256 of `public_key`, x ‖ y, and the QE authentication data; `key` is the same
    key, loaded; `qe_isv_svn` is the version of the quoting enclave whose report vouched for it,
    `versions` are that one and the platform's, as `quotary.trust.tcb_versions` writes them.
    It is worth nothing beyond its collateral: under new collateral it is proven anew.

    Obtain it from `quotary.verify_with_key`. Warning: the constructor proves nothing.
    """

    key_id: bytes
    public_key: bytes
    key: PublicKey
    qe_isv_svn: int
    platform: Platform
    collateral: Collateral
    versions: bytes

    @classmethod
    def of(cls, appraisal: Appraisal) -> AttestationKey:
        """Return the key that a finished appraisal of a raw quote has proven."""
        return cls(
            key_id=appraisal.attestation_key_id,
            public_key=appraisal.quote.attestation_key,
            key=appraisal.signer,
            qe_isv_svn=appraisal.qe_isv_svn,
            platform=appraisal.platform,
            collateral=appraisal.collateral,
            versions=tcb_versions(appraisal.platform, appraisal.qe_isv_svn),
        )

    @property
    def valid_from(self) -> int:
        """The first second, Unix time, at which quotes may be judged under this key."""
        return max(self.collateral.valid_from, self.platform.valid_from)

    @property
    def valid_until(self) -> int:
        """The last such second."""
        return min(self.collateral.valid_until, self.platform.valid_until)


def verify_compact(
    quote: bytes | CompactQuote,
    key: AttestationKey,
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> Verdict:
    """
    Return what a compact quote proves at `at`, or raise `QuotaryError`, as `quotary.verify` does.

    The verdict is the one the raw quote with the certification data of `key` would get. Steps 4, 5,
    6 and 8, and the signatures of step 3, proved the key, and hold for as long as its collateral;
    all else is checked: the form, vendor and TEE type, every validity window, the signature, the
    TDX module, the TCB levels and the policy.
    """
    parsed = quote if isinstance(quote, CompactQuote) else CompactQuote.parse(quote)
    require_root(key.collateral, root)
    appraisal = Appraisal(parsed, key.collateral, policy, unix_seconds(at))
    appraisal.platform = key.platform
    appraisal.attestation_key_id = key.key_id
    appraisal.qe_isv_svn = key.qe_isv_svn
    appraisal.signer = key.key
    appraisal.versions = key.versions
    return run(COMPACT_CHECKS, appraisal).verdict
