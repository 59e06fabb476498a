"""What the steps of one verification know: the evidence, and what was proven so far."""

from __future__ import annotations

from quotary.journal import Verdict
from quotary.policy import Policy
from quotary.quote import Quote, TdReport
from quotary.tcb import Outcome
from quotary.trust import Collateral, Platform

__all__ = ["Appraisal"]


class Appraisal:
    """
    One verification in progress.

    The first four attributes are given. The others are set by the step named beside them and must
    not be read before; a step's `needs` says so.
    """

    __slots__ = (
        "at",
        "attestation_key_id",
        "collateral",
        "outcome",
        "platform",
        "policy",
        "quote",
        "verdict",
    )

    platform: Platform  # step 3
    attestation_key_id: bytes  # step 4
    outcome: Outcome  # step 10
    verdict: Verdict  # step 11

    def __init__(
        self, quote: Quote, collateral: Collateral, policy: Policy | None, at: int
    ) -> None:
        """Begin; nothing is proven yet. `at` is Unix seconds."""
        self.quote = quote
        self.collateral = collateral
        self.policy = policy
        self.at = at

    @property
    def td_report(self) -> TdReport | None:
        """The body of a TDX quote, None for SGX."""
        return self.quote.body if isinstance(self.quote.body, TdReport) else None
