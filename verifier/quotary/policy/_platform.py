"""What the platform and its TCB must be."""

from __future__ import annotations

from dataclasses import dataclass

from quotary.errors import Reason, VerificationError
from quotary.policy._base import Evidence
from quotary.tcb import TcbStatus
from quotary.x509 import SgxType

__all__ = [
    "AdvisoriesWithin",
    "AllowedStatuses",
    "DeniedAdvisories",
    "FmspcRules",
    "InstanceRules",
    "MinimumEvaluation",
    "PlatformRules",
    "SameEvaluation",
    "SgxTypes",
]


@dataclass(frozen=True, slots=True)
class AllowedStatuses:
    """Accepts these TCB statuses. `Revoked` never gets this far."""

    statuses: frozenset[TcbStatus] = frozenset({TcbStatus.UP_TO_DATE})

    def check(self, evidence: Evidence) -> None:
        """Raise with `TCB_STATUS_NOT_ALLOWED`."""
        status = evidence.verdict.tcb_status
        if status not in self.statuses:
            raise VerificationError(
                Reason.TCB_STATUS_NOT_ALLOWED,
                "TCB status",
                expected=" or ".join(sorted(self.statuses)),
                found=status,
            )


@dataclass(frozen=True, slots=True)
class DeniedAdvisories:
    """Refuses evidence to which one of these advisories applies."""

    advisories: frozenset[str]

    def check(self, evidence: Evidence) -> None:
        """Raise with `ADVISORY_NOT_ALLOWED`."""
        _refuse_advisories(
            [item for item in evidence.verdict.advisories if item in self.advisories],
            "no denied advisory",
        )


@dataclass(frozen=True, slots=True)
class AdvisoriesWithin:
    """Refuses evidence to which any advisory but these applies."""

    advisories: frozenset[str] = frozenset()

    def check(self, evidence: Evidence) -> None:
        """Raise with `ADVISORY_NOT_ALLOWED`."""
        _refuse_advisories(
            [item for item in evidence.verdict.advisories if item not in self.advisories],
            "only allowed advisories",
        )


@dataclass(frozen=True, slots=True)
class MinimumEvaluation:
    """Refuses collateral older than a TCB evaluation: the defence against rollback."""

    number: int

    def check(self, evidence: Evidence) -> None:
        """Raise with `COLLATERAL_ROLLBACK`."""
        found = evidence.verdict.tcb_evaluation_data_number
        if found < self.number:
            raise VerificationError(
                Reason.COLLATERAL_ROLLBACK,
                "TCB evaluation data number",
                expected=f"at least {self.number}",
                found=str(found),
            )


@dataclass(frozen=True, slots=True)
class SameEvaluation:
    """
    Refuses TCB info and QE identity of different TCB evaluations.

    Not part of the default: while Intel rolls out an evaluation, its own service mixes two.
    """

    def check(self, evidence: Evidence) -> None:
        """Raise with `COLLATERAL_INCONSISTENT`."""
        expected = evidence.collateral.tcb_info.evaluation_number
        found = evidence.collateral.qe_identity.evaluation_number
        if expected != found:
            raise VerificationError(
                Reason.COLLATERAL_INCONSISTENT,
                "TCB evaluation data number of qe_identity",
                expected=str(expected),
                found=str(found),
            )


@dataclass(frozen=True, slots=True)
class FmspcRules:
    """Refuses platform families: those in `denied`, and those outside `allowed` if it is given."""

    allowed: frozenset[bytes] | None = None
    denied: frozenset[bytes] = frozenset()

    def check(self, evidence: Evidence) -> None:
        """Raise with `FMSPC_NOT_ALLOWED`."""
        fmspc = evidence.verdict.fmspc
        if fmspc in self.denied or (self.allowed is not None and fmspc not in self.allowed):
            raise VerificationError(
                Reason.FMSPC_NOT_ALLOWED,
                "FMSPC",
                expected="an accepted platform family",
                found=fmspc.hex(),
            )


@dataclass(frozen=True, slots=True)
class PlatformRules:
    """
    Refuses single platforms by their platform id (Keccak-256 of the PPID).

    The only defence against attestation keys extracted from a known machine. The flags of `False`
    demand that Intel certified the platform as not so configured; unknown is refused then.
    """

    allowed: frozenset[bytes] | None = None
    denied: frozenset[bytes] = frozenset()
    allow_dynamic_platform: bool = True
    allow_cached_keys: bool = True
    allow_smt: bool = True

    def check(self, evidence: Evidence) -> None:
        """Raise with `PLATFORM_NOT_ALLOWED` or `PLATFORM_CONFIGURATION`."""
        platform_id = evidence.verdict.platform_id
        if platform_id in self.denied or (
            self.allowed is not None and platform_id not in self.allowed
        ):
            raise VerificationError(
                Reason.PLATFORM_NOT_ALLOWED,
                "platform",
                expected="an accepted platform",
                found=platform_id.hex(),
            )
        identity = evidence.platform.identity
        for name, allowed, flag in (
            ("dynamic platform", self.allow_dynamic_platform, identity.dynamic_platform),
            ("cached keys", self.allow_cached_keys, identity.cached_keys),
            ("SMT", self.allow_smt, identity.smt_enabled),
        ):
            if not allowed and flag is not False:
                raise VerificationError(
                    Reason.PLATFORM_CONFIGURATION,
                    name,
                    expected="certified as off",
                    found="on" if flag else "unknown",
                )


@dataclass(frozen=True, slots=True)
class InstanceRules:
    """
    Refuses platforms by the instance id of multi-package platforms.

    Where `allowed` is given, a platform without an instance id is refused.
    """

    allowed: frozenset[bytes] | None = None
    denied: frozenset[bytes] = frozenset()

    def check(self, evidence: Evidence) -> None:
        """Raise with `PLATFORM_NOT_ALLOWED`."""
        instance = evidence.platform.identity.platform_instance_id
        if instance in self.denied or (self.allowed is not None and instance not in self.allowed):
            raise VerificationError(
                Reason.PLATFORM_NOT_ALLOWED,
                "platform instance",
                expected="an accepted platform instance",
                found="none" if instance is None else instance.hex(),
            )


@dataclass(frozen=True, slots=True)
class SgxTypes:
    """Accepts these kinds of memory protection, as certified for the platform."""

    types: frozenset[SgxType]

    def check(self, evidence: Evidence) -> None:
        """Raise with `PLATFORM_CONFIGURATION`."""
        found = evidence.platform.identity.sgx_type
        if found not in self.types:
            raise VerificationError(
                Reason.PLATFORM_CONFIGURATION,
                "SGX type",
                expected=" or ".join(sorted(kind.name for kind in self.types)),
                found=found.name,
            )


def _refuse_advisories(refused: list[str], expected: str) -> None:
    if refused:
        raise VerificationError(
            Reason.ADVISORY_NOT_ALLOWED, "advisories", expected=expected, found=", ".join(refused)
        )
