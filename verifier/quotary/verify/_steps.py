"""
The steps of verification, in the order of `quotary.verify.verify`, each under its number.

Cheap and structural checks come first, then signatures, then what they allow to be concluded. A
step raises, or leaves in the appraisal what it proved.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

from quotary._ecdsa import load_key, require_signature, signature_to_der
from quotary.errors import CollateralError, Reason, VerificationError
from quotary.journal import Verdict
from quotary.policy import Evidence
from quotary.quote import INTEL_QE_VENDOR_ID
from quotary.trust import require_within, verify_pck_chain
from quotary.verify._appraisal import Appraisal
from quotary.verify._certification import pck_chain_of
from quotary.verify._enclave import require_intel_quoting_enclave
from quotary.verify._levels import appraise_tcb, require_intel_module

__all__ = ["STEPS", "Step"]


@dataclass(frozen=True, slots=True)
class Step:
    """One numbered check. `needs` are the numbers of the steps whose results it reads."""

    number: int
    title: str
    check: Callable[[Appraisal], None]
    needs: tuple[int, ...] = ()


def _vendor(appraisal: Appraisal) -> None:
    vendor = appraisal.quote.header.qe_vendor_id
    if vendor != INTEL_QE_VENDOR_ID:
        raise VerificationError(
            Reason.QE_VENDOR_MISMATCH,
            "QE vendor id",
            expected=INTEL_QE_VENDOR_ID.hex(),
            found=vendor.hex(),
        )


def _collateral(appraisal: Appraisal) -> None:
    expected = appraisal.quote.tee_type
    for item, document in (
        ("tcb_info", appraisal.collateral.tcb_info),
        ("qe_identity", appraisal.collateral.qe_identity),
    ):
        if document.tee_type is not expected:
            raise CollateralError(
                Reason.COLLATERAL_TYPE_MISMATCH,
                item,
                expected=expected.name,
                found=document.tee_type.name,
            )
    appraisal.collateral.require_current(appraisal.at)


def _platform(appraisal: Appraisal) -> None:
    chain = pck_chain_of(appraisal.quote, appraisal.collateral)
    platform = verify_pck_chain(chain, appraisal.collateral)
    require_within(platform.windows, appraisal.at, VerificationError)
    appraisal.platform = platform


def _binding(appraisal: Appraisal) -> None:
    quote = appraisal.quote
    key_id = sha256(quote.attestation_key + quote.qe_auth_data).digest()
    expected = key_id + bytes(32)
    if quote.qe_report.report_data != expected:
        raise VerificationError(
            Reason.QE_REPORT_DATA_MISMATCH,
            "QE report data",
            expected=expected.hex(),
            found=quote.qe_report.report_data.hex(),
        )
    appraisal.attestation_key_id = key_id


def _quoting_enclave(appraisal: Appraisal) -> None:
    require_intel_quoting_enclave(appraisal.quote.qe_report, appraisal.collateral.qe_identity)


def _qe_signature(appraisal: Appraisal) -> None:
    quote = appraisal.quote
    require_signature(
        appraisal.platform.certificate.key,
        signature_to_der(quote.qe_report_signature, "QE report signature"),
        quote.qe_report.data,
        reason=Reason.QE_REPORT_SIGNATURE_INVALID,
        item="QE report",
    )


def _quote_signature(appraisal: Appraisal) -> None:
    quote = appraisal.quote
    require_signature(
        load_key(quote.attestation_key, "attestation key"),
        signature_to_der(quote.signature, "quote signature"),
        quote.signed_bytes,
        reason=Reason.QUOTE_SIGNATURE_INVALID,
        item="quote",
    )


def _family(appraisal: Appraisal) -> None:
    identity, tcb_info = appraisal.platform.identity, appraisal.collateral.tcb_info
    for reason, item, expected, found in (
        (Reason.FMSPC_MISMATCH, "FMSPC", identity.fmspc, tcb_info.fmspc),
        (Reason.PCEID_MISMATCH, "PCE id", identity.pce_id, tcb_info.pce_id),
    ):
        if expected != found:
            raise CollateralError(
                reason, f"{item} of tcb_info", expected=expected.hex(), found=found.hex()
            )


def _module(appraisal: Appraisal) -> None:
    report = appraisal.td_report
    if report is not None:
        require_intel_module(report, appraisal.collateral.tcb_info)


def _tcb(appraisal: Appraisal) -> None:
    appraisal.outcome = appraise_tcb(
        appraisal.platform.identity,
        appraisal.td_report,
        appraisal.quote.qe_report.isv_svn,
        appraisal.collateral,
    )


def _policy(appraisal: Appraisal) -> None:
    quote, collateral, platform = appraisal.quote, appraisal.collateral, appraisal.platform
    verdict = Verdict(
        tee_type=quote.tee_type,
        tcb_status=appraisal.outcome.status,
        verified_at=appraisal.at,
        valid_from=max(collateral.valid_from, platform.valid_from),
        valid_until=min(collateral.valid_until, platform.valid_until),
        tcb_date=appraisal.outcome.date,
        tcb_evaluation_data_number=collateral.evaluation_number,
        fmspc=platform.identity.fmspc,
        quote_hash=sha256(quote.signed_bytes).digest(),
        platform_id=platform.platform_id,
        attestation_key_id=appraisal.attestation_key_id,
        root_key_hash=collateral.root.key_hash,
        collateral_hashes=collateral.hashes,
        advisories=appraisal.outcome.advisories,
        measurement=quote.measurement,
        report_data=quote.report_data,
    )
    if appraisal.policy is not None:
        appraisal.policy.check(Evidence(quote, platform, collateral, verdict))
    appraisal.verdict = verdict


STEPS: Final = (
    Step(1, "the quoting enclave's vendor is Intel", _vendor),
    Step(2, "the collateral is of the quote's TEE type, and current", _collateral),
    Step(3, "the PCK chain leads from the pinned root to the platform", _platform),
    Step(4, "the quoting enclave's report vouches for the attestation key", _binding),
    Step(5, "the quoting enclave is the one Intel identifies", _quoting_enclave),
    Step(6, "the platform's PCK signed the quoting enclave's report", _qe_signature, (3,)),
    Step(7, "the attestation key signed the quote", _quote_signature),
    Step(8, "the TCB info is of this platform's FMSPC and PCE", _family, (3,)),
    Step(9, "the TDX module is Intel's", _module, (2,)),
    Step(10, "all parts reach signed TCB levels that are not revoked", _tcb, (2, 3, 9)),
    Step(11, "the policy accepts what was proven", _policy, (3, 4, 10)),
)
