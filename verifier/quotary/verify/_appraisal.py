"""What the steps of one verification know: the evidence, and what was proven so far."""

from __future__ import annotations

from hashlib import sha256

from quotary._ecdsa import PublicKey
from quotary.journal import Verdict
from quotary.policy import Policy
from quotary.quote import Quote, SignedReport, TdReport
from quotary.tcb import Outcome
from quotary.trust import Collateral, Platform, Voucher

__all__ = ["Appraisal"]


class Appraisal:
    """
    One verification in progress.

    The arguments are given; `signed` is what raw and compact quotes have in common, `quote_hash`
    the SHA-256 of its signed bytes, by which journals know the quote, and `td_report` its body,
    None for SGX. `quote` is set for raw ones only: what steps 3 to 6 would find in it, a compact
    quote has from its proven attestation key. The others are set by the step named beside them and
    must not be read before; a step's `needs` says so.
    """

    __slots__ = (
        "at",
        "attestation_key_id",
        "collateral",
        "outcome",
        "platform",
        "policy",
        "qe_isv_svn",
        "quote",
        "quote_hash",
        "signed",
        "signer",
        "td_report",
        "verdict",
        "versions",
        "voucher",
    )

    quote: Quote
    quote_hash: bytes
    voucher: Voucher | None  # what is known of the very bytes that certify the attestation key
    td_report: TdReport | None
    qe_isv_svn: int
    versions: bytes  # of compact quotes: what their proven attestation key says of TCB versions
    platform: Platform  # step 3
    attestation_key_id: bytes  # step 4
    signer: PublicKey  # step 7
    outcome: Outcome  # step 10
    verdict: Verdict  # step 11

    def __init__(
        self, signed: SignedReport, collateral: Collateral, policy: Policy | None, at: int
    ) -> None:
        """Begin; nothing is proven yet. `at` is Unix seconds."""
        self.begin_with(signed)
        self.collateral = collateral
        self.policy = policy
        self.at = at

    def begin_with(self, signed: SignedReport) -> None:
        """Set what the quote alone tells."""
        self.signed = signed
        self.quote_hash = sha256(signed.signed_bytes).digest()
        body = signed.body
        self.td_report = body if isinstance(body, TdReport) else None
        if isinstance(signed, Quote):
            self.quote = signed
            self.qe_isv_svn = signed.qe_report.isv_svn
