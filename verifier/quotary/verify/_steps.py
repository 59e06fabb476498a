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

from quotary._ecdsa import load_key, require_digest_signature, signature_to_der
from quotary.collateral import QeIdentity, TcbInfo
from quotary.errors import CollateralError, Reason, VerificationError
from quotary.journal import Unhashed, Verdict
from quotary.policy import Evidence
from quotary.quote import INTEL_QE_VENDOR_ID, SgxReport, TdReport
from quotary.tcb import TeeType
from quotary.trust import require_within, verify_pck_chain
from quotary.verify._appraisal import Appraisal
from quotary.verify._certification import pck_chain_of
from quotary.verify._enclave import (
    require_attributes,
    require_misc_select,
    require_product,
    require_production,
    require_signer,
)
from quotary.verify._levels import appraise_tcb, require_module_attributes, require_module_signer

__all__ = [
    "STEPS",
    "Part",
    "Step",
    "evidence_of",
    "platform_in_force",
    "quote_signature",
    "signed_by_signer",
]


@dataclass(frozen=True, slots=True)
class Part:
    """
    One check of a step. `rows` are those of the check matrix (`quotary.verify.matrix`).

    A part that is about TDs only says so; its check does nothing for SGX.
    """

    title: str
    check: Callable[[Appraisal], None]
    rows: tuple[int, ...] = ()
    td_only: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """Numbered checks, in order. `needs` are the numbers of the steps whose results they read."""

    number: int
    title: str
    parts: tuple[Part, ...]
    needs: tuple[int, ...] = ()

    def check(self, appraisal: Appraisal) -> None:
        """Run all parts; raises the first refusal."""
        for part in self.parts:
            part.check(appraisal)


def _vendor(appraisal: Appraisal) -> None:
    vendor = appraisal.signed.header.qe_vendor_id
    if vendor != INTEL_QE_VENDOR_ID:
        raise VerificationError(
            Reason.QE_VENDOR_MISMATCH,
            "QE vendor id",
            expected=INTEL_QE_VENDOR_ID.hex(),
            found=vendor.hex(),
        )


def _tcb_info_type(appraisal: Appraisal) -> None:
    found = appraisal.collateral.tcb_info.tee_type
    if found is not appraisal.signed.header.tee_type:
        raise _wrong_type(appraisal, "tcb_info", found)


def _qe_identity_type(appraisal: Appraisal) -> None:
    found = appraisal.collateral.qe_identity.tee_type
    if found is not appraisal.signed.header.tee_type:
        raise _wrong_type(appraisal, "qe_identity", found)


def _wrong_type(appraisal: Appraisal, item: str, found: TeeType) -> CollateralError:
    expected = appraisal.signed.header.tee_type.name
    return CollateralError(
        Reason.COLLATERAL_TYPE_MISMATCH, item, expected=expected, found=found.name
    )


def _current(appraisal: Appraisal) -> None:
    appraisal.collateral.require_current(appraisal.at)


def _platform(appraisal: Appraisal) -> None:
    pem = pck_chain_of(appraisal.quote, appraisal.collateral)
    appraisal.platform = verify_pck_chain(pem, appraisal.collateral)
    platform_in_force(appraisal)


def platform_in_force(appraisal: Appraisal) -> None:
    """Raise `VerificationError` outside of the windows of the platform's chain."""
    platform = appraisal.platform
    if not platform.valid_from <= appraisal.at <= platform.valid_until:
        require_within(platform.windows, appraisal.at, VerificationError)


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


def _enclave(rule: Callable[[SgxReport, QeIdentity], None]) -> Callable[[Appraisal], None]:
    def check(appraisal: Appraisal) -> None:
        rule(appraisal.quote.qe_report, appraisal.collateral.qe_identity)

    return check


def _qe_signature(appraisal: Appraisal) -> None:
    quote = appraisal.quote
    require_digest_signature(
        appraisal.platform.key,
        signature_to_der(quote.qe_report_signature, "QE report signature"),
        sha256(quote.qe_report.data).digest(),
        reason=Reason.QE_REPORT_SIGNATURE_INVALID,
        item="QE report",
    )


def quote_signature(appraisal: Appraisal) -> None:
    """Load the attestation key, and raise `VerificationError` unless it signed the quote."""
    appraisal.signer = load_key(appraisal.quote.attestation_key, "attestation key")
    signed_by_signer(appraisal)


def signed_by_signer(appraisal: Appraisal) -> None:
    """Raise `VerificationError` unless the signer, which is loaded, signed the quote."""
    require_digest_signature(
        appraisal.signer,
        signature_to_der(appraisal.signed.signature, "quote signature"),
        appraisal.quote_hash,
        reason=Reason.QUOTE_SIGNATURE_INVALID,
        item="quote",
    )


def _require_family(reason: Reason, item: str, expected: bytes, found: bytes) -> None:
    if expected != found:
        raise CollateralError(
            reason, f"{item} of tcb_info", expected=expected.hex(), found=found.hex()
        )


def _fmspc(appraisal: Appraisal) -> None:
    identity, tcb_info = appraisal.platform.identity, appraisal.collateral.tcb_info
    _require_family(Reason.FMSPC_MISMATCH, "FMSPC", identity.fmspc, tcb_info.fmspc)


def _pce_id(appraisal: Appraisal) -> None:
    identity, tcb_info = appraisal.platform.identity, appraisal.collateral.tcb_info
    _require_family(Reason.PCEID_MISMATCH, "PCE id", identity.pce_id, tcb_info.pce_id)


def _module(rule: Callable[[TdReport, TcbInfo], None]) -> Callable[[Appraisal], None]:
    def check(appraisal: Appraisal) -> None:
        report = appraisal.td_report
        if report is not None:
            rule(report, appraisal.collateral.tcb_info)

    return check


def _tcb(appraisal: Appraisal) -> None:
    appraisal.outcome = appraise_tcb(
        appraisal.platform.identity,
        appraisal.td_report,
        appraisal.qe_isv_svn,
        appraisal.collateral,
    )


def evidence_of(appraisal: Appraisal) -> Evidence:
    """Return what a policy judges, out of what the steps before the policy left."""
    quote, collateral, platform = appraisal.signed, appraisal.collateral, appraisal.platform
    body, outcome = quote.body, appraisal.outcome
    begin, end = platform.valid_from, platform.valid_until
    if collateral.valid_from > begin:  # noqa: PLR1730 - a call takes longer
        begin = collateral.valid_from
    if collateral.valid_until < end:  # noqa: PLR1730
        end = collateral.valid_until
    verdict = Verdict.of(
        {
            "tee_type": quote.header.tee_type,
            "tcb_status": outcome.status,
            "verified_at": appraisal.at,
            "valid_from": begin,
            "valid_until": end,
            "tcb_date": outcome.date,
            "tcb_evaluation_data_number": collateral.evaluation_number,
            "fmspc": platform.identity.fmspc,
            "quote_hash": appraisal.quote_hash,
            "platform_id": Unhashed(platform.identity.ppid),
            "attestation_key_id": appraisal.attestation_key_id,
            "root_key_hash": collateral.root_key_hash,
            "collateral_hashes": collateral.hashes,
            "advisories": outcome.advisories,
            "measurement": body.measurement,
            "report_data": body.report_data,
        }
    )
    return tuple.__new__(Evidence, (quote, platform, collateral, verdict))


def _policy(appraisal: Appraisal) -> None:
    evidence = evidence_of(appraisal)
    if appraisal.policy is not None:
        appraisal.policy.check(evidence)
    appraisal.verdict = evidence.verdict


STEPS: Final = (
    Step(
        1,
        "the quoting enclave's vendor is Intel",
        (Part("the QE vendor id is Intel's", _vendor, (2,)),),
    ),
    Step(
        2,
        "the collateral is of the quote's TEE type, and current",
        (
            Part("the TCB info is of the quote's TEE type", _tcb_info_type, (28,)),
            Part("the QE identity is of the quote's TEE type", _qe_identity_type, (39,)),
            Part("the collateral is current", _current, (17, 18, 20, 21, 26, 27)),
        ),
    ),
    Step(
        3,
        "the PCK chain leads from the pinned root to the platform",
        (Part("the PCK chain is genuine and in force", _platform, (10, 11, 13, 23)),),
    ),
    Step(
        4,
        "the quoting enclave's report vouches for the attestation key",
        (Part("QE report data is the hash of attestation key and auth data", _binding, (9, 38)),),
    ),
    Step(
        5,
        "the quoting enclave is the one Intel identifies",
        (
            Part("the quoting enclave is not in debug mode", _enclave(require_production), (40,)),
            Part("MISCSELECT is Intel's", _enclave(require_misc_select), (39,)),
            Part("the attributes are Intel's", _enclave(require_attributes), (39,)),
            Part("MRSIGNER is Intel's", _enclave(require_signer), (39,)),
            Part("ISVPRODID is Intel's", _enclave(require_product), (39,)),
        ),
    ),
    Step(
        6,
        "the platform's PCK signed the quoting enclave's report",
        (Part("the QE report's signature is the PCK's", _qe_signature, (38,)),),
        (3,),
    ),
    Step(
        7,
        "the attestation key signed the quote",
        (Part("the quote's signature is the attestation key's", quote_signature, (38,)),),
    ),
    Step(
        8,
        "the TCB info is of this platform's FMSPC and PCE",
        (
            Part("the TCB info is of the platform's FMSPC", _fmspc, (30,)),
            Part("the TCB info is of the platform's PCE", _pce_id, (31,)),
        ),
        (3,),
    ),
    Step(
        9,
        "the TDX module is Intel's",
        (
            Part(
                "Intel signed the TDX module", _module(require_module_signer), (36,), td_only=True
            ),
            Part(
                "the TDX module's attributes are Intel's",
                _module(require_module_attributes),
                (36,),
                td_only=True,
            ),
        ),
        (2,),
    ),
    Step(
        10,
        "all parts reach signed TCB levels that are not revoked",
        (Part("the levels converge to a status that is not revoked", _tcb, (37, 41, 42)),),
        (2, 3, 9),
    ),
    Step(
        11,
        "the policy accepts what was proven",
        (Part("the policy accepts", _policy, (43,)),),
        (3, 4, 10),
    ),
)
