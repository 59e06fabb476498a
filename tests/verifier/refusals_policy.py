"""One refusal for each reason that only a policy, an encoding or a journal can give."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

from quotary import Policy, RawCollateral, Reason, TeeType, TrustRoot, Verdict, verify
from quotary.policy import (
    AdvisoriesWithin,
    ExpectedReportData,
    ExpectedSgx,
    ExpectedTd,
    FmspcRules,
    InstanceRules,
    MaximumCollateralAge,
    MinimumEvaluation,
    SameEvaluation,
    SgxTypes,
    TeeTypes,
    XfamWithin,
)
from quotary.quote.encoding import decode_quote
from quotary.trust import verify_evaluations
from quotary.x509 import SgxType
from quotary_enclave.simulator import Scenario, Simulator, samples
from quotary_enclave.simulator.documents import IsvLevel

__all__ = ["POLICY_REFUSALS"]

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"refusals"))
TD, SGX = SAMPLES["td15-v5-platform"], SAMPLES["sgx-v3-platform"]


def under(policy: Policy | None, scenario: Scenario = TD) -> Verdict:
    """Verify good evidence under a policy that may want more."""
    evidence = scenario.mint()
    return verify(
        evidence.quote,
        RawCollateral.from_json(json.dumps(evidence.collateral)),
        policy=policy,
        at=AT,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


def another_journal_version() -> object:
    """A journal whose version word is 2."""
    journal = bytearray(under(None).journal())
    journal[63] = 2
    return Verdict.from_journal(bytes(journal))


_ADVISED = TD.with_qe_identity(levels=(IsvLevel(1, advisories=("INTEL-SA-00001",)),))


def forged_evaluations() -> object:
    """A list of evaluations that the TCB signer did not sign."""
    evidence = TD.mint()
    collateral = evidence.collateral
    return verify_evaluations(
        b"{}",
        bytes.fromhex(collateral["tcb_info_signature"]),
        collateral["tcb_info_issuer_chain"].encode(),
        bytes.fromhex(collateral["root_ca_crl"]),
        TrustRoot.from_certificate(evidence.root_der),
        at=AT,
    )


POLICY_REFUSALS: dict[Reason, Callable[[], object]] = {
    Reason.QUOTE_ENCODING_INVALID: lambda: decode_quote(b"neither hex nor base64!"),
    Reason.COLLATERAL_FORMAT_INVALID: lambda: RawCollateral.from_json('{"tcb_info": 1}'),
    Reason.COLLATERAL_ROLLBACK: lambda: under(MinimumEvaluation(18)),
    Reason.COLLATERAL_TOO_OLD: lambda: under(MaximumCollateralAge(86400)),
    Reason.COLLATERAL_INCONSISTENT: lambda: under(
        SameEvaluation(), TD.with_tcb_info(evaluation_number=19)
    ),
    Reason.ADVISORY_NOT_ALLOWED: lambda: under(AdvisoriesWithin(), _ADVISED),
    Reason.XFAM_INVALID: lambda: under(XfamWithin(allowed=0x3)),
    Reason.MEASUREMENT_MISMATCH: lambda: under(ExpectedTd(rtmr3=b"\7" * 48)),
    Reason.REPORT_DATA_MISMATCH: lambda: under(ExpectedReportData(bytes(64))),
    Reason.TEE_TYPE_NOT_ALLOWED: lambda: under(TeeTypes(frozenset({TeeType.SGX}))),
    Reason.FMSPC_NOT_ALLOWED: lambda: under(FmspcRules(allowed=frozenset())),
    Reason.PLATFORM_NOT_ALLOWED: lambda: under(InstanceRules(allowed=frozenset())),
    Reason.PLATFORM_CONFIGURATION: lambda: under(SgxTypes(frozenset({SgxType.STANDARD}))),
    Reason.SVN_TOO_LOW: lambda: under(ExpectedSgx(minimum_isv_svn=9), SGX),
    Reason.TCB_EVALUATIONS_SIGNATURE_INVALID: forged_evaluations,
    Reason.JOURNAL_INVALID: another_journal_version,
}
