"""
Is the quoting enclave the one Intel identifies?

The masked report must equal the unmasked identity, as in Intel's library. ISVSVN is judged with
the TCB levels.
"""

from __future__ import annotations

from typing import Final

from quotary.collateral import QeIdentity
from quotary.errors import Reason, VerificationError
from quotary.quote import SgxFlags, SgxReport

__all__ = [
    "require_attributes",
    "require_misc_select",
    "require_product",
    "require_production",
    "require_signer",
]

# Plain integers: flag arithmetic costs microseconds, for every quote.
_DEBUG: Final = int(SgxFlags.DEBUG)


def require_production(report: SgxReport, _: QeIdentity) -> None:
    """Raise `VerificationError` in debug mode, whatever the identity's mask says."""
    if report.attributes[0] & _DEBUG:
        raise VerificationError(
            Reason.QE_DEBUG,
            "QE attributes",
            expected="DEBUG clear",
            found=report.attributes.hex(),
        )


def require_misc_select(report: SgxReport, identity: QeIdentity) -> None:
    """Raise `VerificationError` unless the masked MISCSELECT is the identity's."""
    masked = report.misc_select & identity.misc_select_mask
    if masked != identity.misc_select:
        raise _mismatch(
            Reason.QE_MISCSELECT_MISMATCH,
            "QE MISCSELECT",
            f"{identity.misc_select:#010x}",
            f"{masked:#010x}",
        )


def require_attributes(report: SgxReport, identity: QeIdentity) -> None:
    """Raise `VerificationError` unless the masked attributes are the identity's."""
    masked = int.from_bytes(report.attributes) & int.from_bytes(identity.attributes_mask)
    if masked != int.from_bytes(identity.attributes):
        raise _mismatch(
            Reason.QE_ATTRIBUTES_MISMATCH,
            "QE attributes",
            identity.attributes.hex(),
            masked.to_bytes(len(report.attributes)).hex(),
        )


def require_signer(report: SgxReport, identity: QeIdentity) -> None:
    """Raise `VerificationError` unless Intel's quoting enclave key signed the enclave."""
    if report.mr_signer != identity.mr_signer:
        raise _mismatch(
            Reason.QE_MRSIGNER_MISMATCH,
            "QE MRSIGNER",
            identity.mr_signer.hex(),
            report.mr_signer.hex(),
        )


def require_product(report: SgxReport, identity: QeIdentity) -> None:
    """Raise `VerificationError` unless the enclave is the product the identity is about."""
    if report.isv_prod_id != identity.isv_prod_id:
        raise _mismatch(
            Reason.QE_ISVPRODID_MISMATCH,
            "QE ISVPRODID",
            str(identity.isv_prod_id),
            str(report.isv_prod_id),
        )


def _mismatch(reason: Reason, item: str, expected: str, found: str) -> VerificationError:
    return VerificationError(reason, item, expected=expected, found=found)
