"""Is the quoting enclave the one Intel identifies?"""

from __future__ import annotations

from quotary.collateral import QeIdentity
from quotary.errors import Reason, VerificationError
from quotary.quote import SgxFlags, SgxReport

__all__ = ["require_intel_quoting_enclave"]


def require_intel_quoting_enclave(report: SgxReport, identity: QeIdentity) -> None:
    """
    Raise `VerificationError` at the first field that differs from Intel's identity.

    The masked report must equal the unmasked identity, as in Intel's library. Debug mode is refused
    by name, whatever the mask says. ISVSVN is judged with the TCB levels.
    """
    if report.flags & SgxFlags.DEBUG:
        raise VerificationError(Reason.QE_DEBUG, "QE attributes", expected="DEBUG clear")
    masked = report.misc_select & identity.misc_select_mask
    if masked != identity.misc_select:
        raise _mismatch(
            Reason.QE_MISCSELECT_MISMATCH,
            "QE MISCSELECT",
            f"{identity.misc_select:#010x}",
            f"{masked:#010x}",
        )
    attributes = bytes(
        a & m for a, m in zip(report.attributes, identity.attributes_mask, strict=True)
    )
    if attributes != identity.attributes:
        raise _mismatch(
            Reason.QE_ATTRIBUTES_MISMATCH,
            "QE attributes",
            identity.attributes.hex(),
            attributes.hex(),
        )
    if report.mr_signer != identity.mr_signer:
        raise _mismatch(
            Reason.QE_MRSIGNER_MISMATCH,
            "QE MRSIGNER",
            identity.mr_signer.hex(),
            report.mr_signer.hex(),
        )
    if report.isv_prod_id != identity.isv_prod_id:
        raise _mismatch(
            Reason.QE_ISVPRODID_MISMATCH,
            "QE ISVPRODID",
            str(identity.isv_prod_id),
            str(report.isv_prod_id),
        )


def _mismatch(reason: Reason, item: str, expected: str, found: str) -> VerificationError:
    return VerificationError(reason, item, expected=expected, found=found)
