"""What SGX attributes and TD attributes may say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from quotary.errors import Reason, VerificationError
from quotary.policy._base import Evidence
from quotary.quote import SgxFlags, SgxReport, TdAttributes, TdReport

__all__ = ["SgxAttributes", "TdAttributeRules", "XfamWithin"]

_FORBIDDEN_SGX: Final = SgxFlags.DEBUG | SgxFlags.PROVISION_KEY | SgxFlags.EINITTOKEN_KEY

# Plain integers: flag arithmetic costs microseconds, for every quote.
_INIT: Final = int(SgxFlags.INIT)
_SEPT_VE_DISABLE: Final = int(TdAttributes.SEPT_VE_DISABLE)
_MIGRATABLE: Final = int(TdAttributes.MIGRATABLE)
_SERVTD_EXT: Final = int(TdAttributes.SERVTD_EXT)

_NO_TD_ATTRIBUTES: Final = TdAttributes(0)
_TUD: Final = 0xFF
"""Byte 0 of the TD attributes: whatever is set there makes the TD untrusted (debug group)."""

_RESERVED_TD: Final = 0x3FFFFFFF_0780FF8E
_SERVICE_TD_NONE: Final = bytes(48)

_XFAM_REQUIRED: Final = 0x3
"""x87 and SSE: no TD exists without them (Intel TDX module source, TDX_XFAM_FIXED1)."""

_XFAM_DEFINED: Final = 0x0006_DBE7
"""
All the features a TD can have: AVX, AVX-512, PT, PKU, CET, user interrupts, LBR and AMX besides
(Intel TDX module source, TDX_XFAM_FIXED0).
"""


@dataclass(frozen=True, slots=True)
class SgxAttributes:
    """
    Refuses enclaves that are not initialised, lack one of `required`, or have one of `forbidden`.

    Ignores TDX.
    """

    forbidden: SgxFlags = _FORBIDDEN_SGX
    required: SgxFlags = SgxFlags.INIT

    def check(self, evidence: Evidence) -> None:
        """Raise with `SGX_ATTR_FORBIDDEN`."""
        report = evidence.quote.body
        if not isinstance(report, SgxReport):
            return
        flags = report.flag_bits
        required = int(self.required) | _INIT
        if flags & required != required:
            raise VerificationError(
                Reason.SGX_ATTR_FORBIDDEN,
                "SGX attributes",
                expected=f"{_names(SgxFlags(required))} set",
                found=_names(SgxFlags(flags & required)) or "none of them",
            )
        found = flags & int(self.forbidden)
        if found:
            raise VerificationError(
                Reason.SGX_ATTR_FORBIDDEN,
                "SGX attributes",
                expected=f"none of {_names(self.forbidden)}",
                found=_names(SgxFlags(found)),
            )


@dataclass(frozen=True, slots=True)
class TdAttributeRules:
    """
    Refuses TDs that their host, or another TD, could look into. Ignores SGX.

    Debug and the whole debug group, reserved bits, migratable TDs, bound service TDs, and TDs
    without SEPT_VE_DISABLE are refused; each but the reserved bits can be allowed. `forbidden` are
    further attributes that are refused.
    """

    allow_debug: bool = False
    allow_migratable: bool = False
    allow_service_td: bool = False
    allow_sept_ve: bool = False
    forbidden: TdAttributes = _NO_TD_ATTRIBUTES

    def check(self, evidence: Evidence) -> None:
        """Raise with the reason of the first rule broken."""
        report = evidence.quote.body
        if not isinstance(report, TdReport):
            return
        bits = int.from_bytes(report.td_attributes, "little")
        if bits & _TUD and not self.allow_debug:
            raise VerificationError(
                Reason.TD_DEBUG, "TD attributes", expected="byte 0 zero", found=f"{bits:#018x}"
            )
        forbidden = _RESERVED_TD | int(self.forbidden)
        if not self.allow_migratable:
            forbidden |= _MIGRATABLE
        if not self.allow_service_td:
            forbidden |= _SERVTD_EXT
        if bits & forbidden:
            raise VerificationError(
                Reason.TD_ATTR_FORBIDDEN,
                "TD attributes",
                expected=f"no bit of {forbidden:#018x}",
                found=f"{bits & forbidden:#018x}",
            )
        if not bits & _SEPT_VE_DISABLE and not self.allow_sept_ve:
            raise VerificationError(
                Reason.SEPT_VE_NOT_DISABLED,
                "TD attributes",
                expected="SEPT_VE_DISABLE set",
                found=f"{bits:#018x}",
            )
        service_td = report.mr_service_td or _SERVICE_TD_NONE
        if service_td != _SERVICE_TD_NONE and not self.allow_service_td:
            raise VerificationError(
                Reason.SERVICE_TD_FORBIDDEN,
                "MRSERVICETD",
                expected="zero",
                found=service_td.hex(),
            )


@dataclass(frozen=True, slots=True)
class XfamWithin:
    """
    Refuses TDs whose XFAM lacks a bit of `required` or exceeds `allowed`. Ignores SGX.

    The defaults are what every TDX module enforces, so genuine TDs pass.
    """

    required: int = _XFAM_REQUIRED
    allowed: int = _XFAM_DEFINED

    def check(self, evidence: Evidence) -> None:
        """Raise with `XFAM_INVALID`."""
        report = evidence.quote.body
        if not isinstance(report, TdReport):
            return
        xfam = int.from_bytes(report.xfam, "little")
        if xfam & self.required != self.required or xfam & ~self.allowed:
            raise VerificationError(
                Reason.XFAM_INVALID,
                "XFAM",
                expected=f"all of {self.required:#x}, none outside {self.allowed:#x}",
                found=f"{xfam:#x}",
            )


def _names(flags: SgxFlags) -> str:
    return " ".join(flag.name or "" for flag in flags)
