"""
The steps of verification as they are run: in stages, and without repeating what is known.

What is remembered is what the very collateral of the quote proved (`docs/adr/0005`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from quotary.quote import INTEL_QE_VENDOR_ID
from quotary.trust import Voucher, tcb_versions
from quotary.verify._appraisal import Appraisal
from quotary.verify._steps import STEPS, platform_in_force, quote_signature, signed_by_signer

__all__ = ["CHECKS", "COMPACT_CHECKS", "FORGETFUL_CHECKS", "STAGES", "run"]

_Check = Callable[[Appraisal], None]

_SEAM_BYTES: Final = 120
"""Up to here a TD report tells of the TDX module: version, measurement, signer and attributes."""


def run(checks: tuple[_Check, ...], appraisal: Appraisal) -> Appraisal:
    """Run `checks` in order; raises the first refusal."""
    for check in checks:
        check(appraisal)
    return appraisal


def _checks_of(*numbers: int) -> tuple[_Check, ...]:
    """Return all checks of the steps with these numbers, in their order."""
    return tuple(part.check for step in STEPS if step.number in numbers for part in step.parts)


_FIRST: Final = _checks_of(1, 2)
_VOUCHED: Final = _checks_of(4, 5)
(_PLATFORM,), (_FAMILY, _PCE) = _checks_of(3), _checks_of(8)
_LEVELS: Final = _checks_of(9, 10)
(_POLICY,) = _checks_of(11)


def _fits(appraisal: Appraisal) -> None:
    """Steps 1 and 2, all at a glance: only what does not fit goes through them one by one."""
    header, collateral = appraisal.signed.header, appraisal.collateral
    tee_type = header.tee_type
    if not (
        header.qe_vendor_id == INTEL_QE_VENDOR_ID
        and collateral.tcb_info.tee_type is tee_type
        and collateral.qe_identity.tee_type is tee_type
        and collateral.valid_from <= appraisal.at <= collateral.valid_until
    ):
        run(_FIRST, appraisal)


def _recognised(appraisal: Appraisal) -> None:
    """
    Look up whether this collateral met the very bytes that certify the attestation key.

    Steps 3, 4, 5 and 8 read nothing else of a quote, but for the windows of the PCK chain: the same
    bytes need no second check.
    """
    quote = appraisal.quote
    known = appraisal.collateral.vouchers.recall(quote.attestation_key)
    if (
        known is not None
        and known.qe_report == quote.qe_report.data
        and known.qe_auth_data == quote.qe_auth_data
        and known.certification_data == quote.certification_data
        and known.certification_type == quote.certification_type
    ):
        appraisal.voucher = known
        appraisal.platform = known.platform
        appraisal.attestation_key_id = known.attestation_key_id
        appraisal.signer = known.signer
    else:
        appraisal.voucher = None


def _platform(appraisal: Appraisal) -> None:
    """Step 3."""
    (_PLATFORM if appraisal.voucher is None else platform_in_force)(appraisal)


def _vouched(appraisal: Appraisal) -> None:
    """Steps 4 and 5."""
    if appraisal.voucher is None:
        run(_VOUCHED, appraisal)


def _quote_signature(appraisal: Appraisal) -> None:
    """Step 7."""
    (quote_signature if appraisal.voucher is None else signed_by_signer)(appraisal)


def _concluded(appraisal: Appraisal) -> None:
    """Steps 8 to 11."""
    voucher = appraisal.voucher
    if voucher is None:
        _FAMILY(appraisal)
        _PCE(appraisal)
        voucher = _remember_voucher(appraisal)
    _judge(appraisal, voucher.versions)
    _POLICY(appraisal)


def _compactly_concluded(appraisal: Appraisal) -> None:
    """Steps 9 to 11; steps 5 and 8 proved the attestation key."""
    _judge(appraisal, appraisal.versions)
    _POLICY(appraisal)


def _remember_voucher(appraisal: Appraisal) -> Voucher:
    quote = appraisal.quote
    voucher = Voucher(
        quote.certification_type,
        quote.certification_data,
        quote.qe_report.data,
        quote.qe_auth_data,
        appraisal.platform,
        appraisal.attestation_key_id,
        appraisal.signer,
        tcb_versions(appraisal.platform, appraisal.qe_isv_svn),
    )
    appraisal.collateral.vouchers.remember(quote.attestation_key, voucher)
    return voucher


def _judge(appraisal: Appraisal, versions: bytes) -> None:
    """Steps 9 and 10, unless this collateral judged the same versions and module before."""
    outcomes, report = appraisal.collateral.outcomes, appraisal.td_report
    if report is not None:
        versions += report.data[:_SEAM_BYTES] + (report.tee_tcb_svn2 or b"")
    known = outcomes.recall(versions)
    if known is None:
        run(_LEVELS, appraisal)
        outcomes.remember(versions, appraisal.outcome)
    else:
        appraisal.outcome = known


STAGES: Final = (
    (_fits, _recognised),
    (_platform,),
    (_vouched,),
    (*_checks_of(6), _quote_signature),
    (_concluded,),
)
"""All checks of the steps, in their order, those of signatures apart from the others."""

CHECKS: Final = tuple(chain.from_iterable(STAGES))
"""The same in one; explanations, which may lack collateral, run STEPS."""

FORGETFUL_CHECKS: Final = (_fits, *_checks_of(*range(3, 12)))
"""The same for collateral that remembers nothing."""

COMPACT_CHECKS: Final = (
    _fits,
    platform_in_force,
    signed_by_signer,
    _compactly_concluded,
)
"""Steps 1, 2, 7, 9, 10, 11, and what of step 3 depends on the time. The others proved the key."""
