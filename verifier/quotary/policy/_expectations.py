"""Which code must run, and what it must have bound itself to."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Final

from quotary.errors import Reason, VerificationError
from quotary.policy._base import Evidence
from quotary.quote import SgxReport, TdReport
from quotary.tcb import TeeType

__all__ = [
    "ExpectedMeasurement",
    "ExpectedReportData",
    "ExpectedSgx",
    "ExpectedTd",
    "FieldIn",
    "ProductRules",
    "TeeTypes",
]

_SGX_IDENTITY: Final = (
    "mr_enclave",
    "mr_signer",
    "isv_prod_id",
    "config_id",
    "isv_ext_prod_id",
    "isv_family_id",
)
_NO_SERVICE_TD: Final = bytes(48)
"""MRSERVICETD of TD reports 1.0, the one field that not all reports have: none can be bound."""


@dataclass(frozen=True, slots=True)
class ExpectedMeasurement:
    """Accepts measurements by the id a registry admits them under."""

    measurement_ids: frozenset[bytes]

    def check(self, evidence: Evidence) -> None:
        """Raise with `MEASUREMENT_MISMATCH`."""
        found = evidence.verdict.measurement_id
        if found not in self.measurement_ids:
            raise VerificationError(
                Reason.MEASUREMENT_MISMATCH,
                "measurement id",
                expected=" or ".join(sorted(item.hex() for item in self.measurement_ids)),
                found=found.hex(),
            )


@dataclass(frozen=True, slots=True)
class ExpectedReportData:
    """Accepts one value of all 64 bytes; a part would leave the rest with a second meaning."""

    report_data: bytes

    def check(self, evidence: Evidence) -> None:
        """Raise with `REPORT_DATA_MISMATCH`."""
        found = evidence.verdict.report_data
        if found != self.report_data:
            raise VerificationError(
                Reason.REPORT_DATA_MISMATCH,
                "report data",
                expected=self.report_data.hex(),
                found=found.hex(),
            )


@dataclass(frozen=True, slots=True)
class ExpectedSgx:
    """
    Expects an SGX enclave with these fields; None means any value.

    Warning: MRSIGNER alone admits whatever the holder of a signing key builds. Give MRENCLAVE too.
    """

    mr_enclave: bytes | None = None
    mr_signer: bytes | None = None
    isv_prod_id: int | None = None
    config_id: bytes | None = None
    minimum_isv_svn: int = 0
    isv_ext_prod_id: bytes | None = None
    isv_family_id: bytes | None = None
    minimum_config_svn: int = 0

    def check(self, evidence: Evidence) -> None:
        """Raise with `TEE_TYPE_NOT_ALLOWED`, `MEASUREMENT_MISMATCH` or `SVN_TOO_LOW`."""
        report = evidence.quote.body
        if not isinstance(report, SgxReport):
            raise _wrong_tee(TeeType.SGX, evidence)
        _compare(report, {name: getattr(self, name) for name in _SGX_IDENTITY})
        for item, found, minimum in (
            ("ISVSVN", report.isv_svn, self.minimum_isv_svn),
            ("CONFIGSVN", report.config_svn, self.minimum_config_svn),
        ):
            if found < minimum:
                raise VerificationError(
                    Reason.SVN_TOO_LOW, item, expected=f"at least {minimum}", found=str(found)
                )


@dataclass(frozen=True, slots=True)
class ExpectedTd:
    """
    Expects a TD with these registers; None means any value.

    Warning: MRTD measures the firmware only. Kernel and workload are in the RTMRs.
    """

    mr_td: bytes | None = None
    rtmr0: bytes | None = None
    rtmr1: bytes | None = None
    rtmr2: bytes | None = None
    rtmr3: bytes | None = None
    mr_config_id: bytes | None = None
    mr_owner: bytes | None = None
    mr_owner_config: bytes | None = None
    mr_service_td: bytes | None = None

    def check(self, evidence: Evidence) -> None:
        """Raise with `TEE_TYPE_NOT_ALLOWED` or `MEASUREMENT_MISMATCH`."""
        report = evidence.quote.body
        if not isinstance(report, TdReport):
            raise _wrong_tee(TeeType.TDX, evidence)
        _compare(report, {field.name: getattr(self, field.name) for field in fields(self)})


@dataclass(frozen=True, slots=True)
class FieldIn:
    """
    Expects a field of a TEE's report to have one of `values`. Ignores other kinds of TEE.

    A field that a version of the report does not have counts as zero.
    """

    tee_type: TeeType
    name: str
    values: frozenset[bytes]

    def check(self, evidence: Evidence) -> None:
        """Raise with `MEASUREMENT_MISMATCH`."""
        if evidence.quote.tee_type is not self.tee_type:
            return
        found = _field(evidence.quote.body, self.name)
        if found not in self.values:
            raise VerificationError(
                Reason.MEASUREMENT_MISMATCH,
                self.name,
                expected=" or ".join(sorted(value.hex() for value in self.values)),
                found=_shown(found),
            )


@dataclass(frozen=True, slots=True)
class ProductRules:
    """
    Expects an SGX product id, and minimum versions of enclave and configuration. Ignores TDX.

    None means any product.
    """

    isv_prod_id: int | None = None
    minimum_isv_svn: int = 0
    minimum_config_svn: int = 0

    def check(self, evidence: Evidence) -> None:
        """Raise with `MEASUREMENT_MISMATCH` or `SVN_TOO_LOW`."""
        if isinstance(evidence.quote.body, SgxReport):
            ExpectedSgx(
                isv_prod_id=self.isv_prod_id,
                minimum_isv_svn=self.minimum_isv_svn,
                minimum_config_svn=self.minimum_config_svn,
            ).check(evidence)


@dataclass(frozen=True, slots=True)
class TeeTypes:
    """Accepts these kinds of TEE."""

    types: frozenset[TeeType]

    def check(self, evidence: Evidence) -> None:
        """Raise with `TEE_TYPE_NOT_ALLOWED`."""
        found = evidence.quote.tee_type
        if found not in self.types:
            raise VerificationError(
                Reason.TEE_TYPE_NOT_ALLOWED,
                "TEE type",
                expected=" or ".join(sorted(kind.name for kind in self.types)),
                found=found.name,
            )


def _compare(report: SgxReport | TdReport, expected: dict[str, bytes | int | None]) -> None:
    for name, value in expected.items():
        found = _field(report, name)
        if value is not None and value != found:
            raise VerificationError(
                Reason.MEASUREMENT_MISMATCH, name, expected=_shown(value), found=_shown(found)
            )


def _field(report: SgxReport | TdReport, name: str) -> bytes | int:
    value: bytes | int | None = getattr(report, name)
    return _NO_SERVICE_TD if value is None else value


def _shown(value: bytes | int) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def _wrong_tee(expected: TeeType, evidence: Evidence) -> VerificationError:
    return VerificationError(
        Reason.TEE_TYPE_NOT_ALLOWED,
        "TEE type",
        expected=expected.name,
        found=evidence.quote.tee_type.name,
    )
