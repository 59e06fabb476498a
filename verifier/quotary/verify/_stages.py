"""
The steps of verification as they are run: in stages, and without repeating what is known.

What is remembered is what the very collateral of the quote proved (`docs/adr/0005`).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Final

from quotary.verify._appraisal import Appraisal
from quotary.verify._steps import STEPS, platform_in_force, quote_signature, signed_by_signer

__all__ = ["CHECKS", "COMPACT_CHECKS", "STAGES", "run"]

_Check = Callable[[Appraisal], None]

_REPORT_DATA_AT: Final = 320
"""Up to here an SGX report tells of the enclave, and nothing of what it reports."""
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


(_BINDING,) = _checks_of(4)
_ENCLAVE: Final = _checks_of(5)
_LEVELS: Final = _checks_of(8, 9, 10)
_COMPACT_LEVELS: Final = _checks_of(9, 10)
(_POLICY,) = _checks_of(11)


def _vouched(appraisal: Appraisal) -> None:
    """Steps 4 and 5."""
    _BINDING(appraisal)
    _recall(appraisal, appraisal.quote.qe_report.data[:_REPORT_DATA_AT])
    if not appraisal.judged_before:
        run(_ENCLAVE, appraisal)


def _quote_signature(appraisal: Appraisal) -> None:
    """Step 7, which loads a point once for each collateral."""
    point, signers = appraisal.quote.attestation_key, appraisal.collateral.signers
    known = signers.recall(point)
    if known is None:
        quote_signature(appraisal)
        signers.remember(point, appraisal.signer)
    else:
        appraisal.signer = known
        signed_by_signer(appraisal)


def _concluded(appraisal: Appraisal) -> None:
    """Steps 8 to 11."""
    if not appraisal.judged_before:
        run(_LEVELS, appraisal)
        _remember(appraisal)
    _POLICY(appraisal)


def _compactly_concluded(appraisal: Appraisal) -> None:
    """Steps 9 to 11; steps 5 and 8 proved the attestation key."""
    _recall(appraisal, appraisal.qe_isv_svn)
    if not appraisal.judged_before:
        run(_COMPACT_LEVELS, appraisal)
        _remember(appraisal)
    _POLICY(appraisal)


def _recall(appraisal: Appraisal, enclave: bytes | int) -> None:
    """
    Look up whether this collateral judged the same before, and what came out.

    The key is all that steps 5, 8, 9 and 10 read beside the collateral: the same bytes need no
    second check. `enclave` is the QE report up to its report data, or the version of a quoting
    enclave that was proven before, so that raw and compact quotes share nothing.
    """
    collateral, report = appraisal.collateral, appraisal.td_report
    appraisal.judged_before = False
    if collateral.remembers == 0:
        return
    identity = appraisal.platform.identity
    appraisal.versions = (
        enclave,
        identity.fmspc,
        identity.pce_id,
        identity.components,
        identity.pce_svn,
        *(() if report is None else (report.data[:_SEAM_BYTES], report.tee_tcb_svn2)),
    )
    outcome = collateral.outcomes.recall(appraisal.versions)
    if outcome is not None:
        appraisal.outcome = outcome
        appraisal.judged_before = True


def _remember(appraisal: Appraisal) -> None:
    if appraisal.collateral.remembers:
        appraisal.collateral.outcomes.remember(appraisal.versions, appraisal.outcome)


STAGES: Final = (
    _checks_of(1, 2),
    _checks_of(3),
    (_vouched,),
    (*_checks_of(6), _quote_signature),
    (_concluded,),
)
"""All checks of the steps, in their order, those of signatures apart from the others."""

CHECKS: Final = tuple(chain.from_iterable(STAGES))
"""The same in one; explanations, which may lack collateral, run STEPS."""

COMPACT_CHECKS: Final = (
    *_checks_of(1, 2),
    platform_in_force,
    signed_by_signer,
    _compactly_concluded,
)
"""Steps 1, 2, 7, 9, 10, 11, and what of step 3 depends on the time. The others proved the key."""
