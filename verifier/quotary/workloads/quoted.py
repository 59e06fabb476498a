"""What a quote says to a workload's verifier, and whether anybody checked the quote."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Final

from quotary.collateral import RawCollateral
from quotary.errors import Reason, VerificationError
from quotary.journal import Verdict
from quotary.policy import DEFAULT, Policy
from quotary.quote import Quote
from quotary.tcb import TeeType
from quotary.trust import INTEL_ROOT, Collateral, TrustRoot
from quotary.verify import verify
from quotary.workloads.statements import Gap, Proof

__all__ = ["HardwareCheck", "Quoted", "hardware_check"]

_MR_TD: Final = slice(16, 64)
_MR_CONFIG_ID: Final = slice(64, 112)
_MR_OWNER: Final = slice(112, 208)
_RTMR0: Final = 208
_RTMR_BYTES: Final = 48


@dataclass(frozen=True, slots=True)
class Quoted:
    """
    The measurement and the report data of one quote.

    `verdict` is None where the hardware was deliberately not checked; every result made from it
    says so in its gaps.
    """

    quote_hash: bytes
    tee_type: TeeType
    measurement: bytes
    report_data: bytes
    verdict: Verdict | None

    @classmethod
    def verified(cls, quote: bytes, verdict: Verdict) -> Quoted:
        """
        Take what `verdict` proves about `quote`.

        Raises `ParseError`, and `VerificationError` when the verdict is about another quote.
        """
        unchecked = cls.unverified(quote)
        if unchecked.quote_hash != verdict.quote_hash:
            raise VerificationError(
                Reason.QUOTE_MISMATCH,
                "verdict",
                expected=unchecked.quote_hash.hex(),
                found=verdict.quote_hash.hex(),
            )
        return cls(
            verdict.quote_hash, verdict.tee_type, verdict.measurement, verdict.report_data, verdict
        )

    @classmethod
    def unverified(cls, quote: bytes) -> Quoted:
        """
        Parse `quote` and believe it. Raises `ParseError`.

        Warning: anybody can write such a quote. For looking at the layers above the hardware.
        """
        parsed = Quote.parse(quote)
        return cls(
            sha256(parsed.signed_bytes).digest(),
            parsed.tee_type,
            parsed.measurement,
            parsed.report_data,
            None,
        )

    @property
    def mr_td(self) -> bytes:
        """The measurement of the firmware."""
        return self._tdx()[_MR_TD]

    @property
    def mr_config_id(self) -> bytes:
        """What the host configured the TD with before it started."""
        return self._tdx()[_MR_CONFIG_ID]

    @property
    def mr_owner(self) -> bytes:
        """MROWNER and MROWNERCONFIG, 96 bytes."""
        return self._tdx()[_MR_OWNER]

    @property
    def rtmrs(self) -> tuple[bytes, bytes, bytes, bytes]:
        """The four run-time measurement registers."""
        measurement = self._tdx()
        first, second, third, fourth = (
            measurement[start : start + _RTMR_BYTES]
            for start in range(_RTMR0, _RTMR0 + 4 * _RTMR_BYTES, _RTMR_BYTES)
        )
        return first, second, third, fourth

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """What the hardware layer adds to a result's proofs."""
        return (Proof.GENUINE_TEE,) if self.verdict is not None else ()

    @property
    def gaps(self) -> tuple[Gap, ...]:
        """What the hardware layer adds to a result's gaps."""
        return () if self.verdict is not None else (Gap.HARDWARE,)

    def _tdx(self) -> bytes:
        if self.tee_type is not TeeType.TDX:
            raise VerificationError(
                Reason.TEE_TYPE_NOT_ALLOWED, "quote", expected="TDX", found=self.tee_type.name
            )
        return self.measurement


HardwareCheck = Callable[[bytes], Quoted]
"""Judges the raw quote inside a report: `hardware_check`, as a rule."""


def hardware_check(
    collateral: Collateral | RawCollateral | Callable[[bytes], Collateral | RawCollateral],
    *,
    policy: Policy | None = DEFAULT,
    at: datetime,
    root: TrustRoot = INTEL_ROOT,
) -> HardwareCheck:
    """
    Return the check that verifies each quote with `collateral`, or with what that returns for it.

    `policy`, `at` and `root` are those of `quotary.verify`, whose errors the check raises.
    """

    def check(quote: bytes) -> Quoted:
        fitting = collateral(quote) if callable(collateral) else collateral
        return Quoted.verified(quote, verify(quote, fitting, policy=policy, at=at, root=root))

    return check
