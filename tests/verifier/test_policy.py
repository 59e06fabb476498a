"""Policies: each rule refuses for its reason, and combinations mean what they say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import pytest
from quotary import (
    Collateral,
    Quote,
    RawCollateral,
    Reason,
    TcbStatus,
    TrustRoot,
    VerificationError,
    verify,
)
from quotary.policy import (
    DEFAULT,
    AdvisoriesWithin,
    AllOf,
    AllowedStatuses,
    AnyOf,
    DeniedAdvisories,
    Evidence,
    ExpectedMeasurement,
    ExpectedReportData,
    ExpectedSgx,
    ExpectedTd,
    FmspcRules,
    MinimumEvaluation,
    PlatformRules,
    Policy,
    SameEvaluation,
    SgxAttributes,
    TdAttributeRules,
    XfamWithin,
)
from quotary.quote import SgxReport, TdReport
from quotary_enclave.simulator import Simulator, samples

AT = datetime(2026, 11, 1, tzinfo=UTC)


@cache
def evidence(name: str) -> Evidence:
    """What a policy is shown, for one of the simulator's samples."""
    import json  # noqa: PLC0415

    minted = samples(Simulator(AT, seed=b"policy"))[name].mint()
    root = TrustRoot.from_certificate(minted.root_der)
    raw = RawCollateral.from_json(json.dumps(minted.collateral))
    collateral = Collateral.verify(raw, root, at=AT)
    seen: list[Evidence] = []

    class Witness:
        """Keeps what it is shown."""

        def check(self, evidence: Evidence) -> None:
            """Accept everything."""
            seen.append(evidence)

    verify(Quote.parse(minted.quote), collateral, policy=Witness(), at=AT, root=root)
    return seen[0]


def reason_of(policy: Policy, shown: Evidence) -> Reason | None:
    """Why `policy` refuses, None if it does not."""
    try:
        policy.check(shown)
    except VerificationError as error:
        return error.reason
    return None


def with_td(**changes: bytes) -> Evidence:
    """TDX evidence whose report says something else."""
    base = evidence("td15-v5-platform")
    assert isinstance(base.quote.body, TdReport)
    return base._replace(quote=replace(base.quote, body=base.quote.body._replace(**changes)))


def with_sgx_flags(flags: int) -> Evidence:
    """SGX evidence with these attribute flags."""
    base = evidence("sgx-v3-platform")
    body = base.quote.body
    assert isinstance(body, SgxReport)
    data = body.data[:48] + flags.to_bytes(8, "little") + body.data[56:]
    return base._replace(quote=replace(base.quote, body=SgxReport.parse(data, "report")))


SEPT = 1 << 28
TD_BITS: dict[int, Reason | None] = {
    **dict.fromkeys(range(8), Reason.TD_DEBUG),
    **dict.fromkeys(range(8, 64), Reason.TD_ATTR_FORBIDDEN),
    **dict.fromkeys([16, 18, 19, 20, 21, 22, 27, 28, 30, 31, 62, 63], None),
}


@pytest.mark.parametrize("bit", TD_BITS)
def test_every_bit_of_the_td_attributes(bit: int) -> None:
    """All 64, beside SEPT_VE_DISABLE: the whole debug byte, reserved bits, migration."""
    shown = with_td(td_attributes=(SEPT | 1 << bit).to_bytes(8, "little"))
    assert reason_of(TdAttributeRules(), shown) is TD_BITS[bit]


def test_td_rules_can_be_relaxed_one_by_one() -> None:
    """Each allowance lifts its own rule and no other."""
    cases = (
        (1, "allow_debug", Reason.TD_DEBUG),
        (1 << 29, "allow_migratable", Reason.TD_ATTR_FORBIDDEN),
        (1 << 17, "allow_service_td", Reason.TD_ATTR_FORBIDDEN),
    )
    for bits, allowance, reason in cases:
        shown = with_td(td_attributes=(SEPT | bits).to_bytes(8, "little"))
        assert reason_of(TdAttributeRules(), shown) is reason
        for _, other, _ in cases:
            expected = None if other == allowance else reason
            assert reason_of(TdAttributeRules(**{other: True}), shown) is expected
    without = with_td(td_attributes=bytes(8))
    assert reason_of(TdAttributeRules(), without) is Reason.SEPT_VE_NOT_DISABLED
    assert reason_of(TdAttributeRules(allow_sept_ve=True), without) is None
    service = with_td(mr_service_td=b"\1" * 48)
    assert reason_of(TdAttributeRules(), service) is Reason.SERVICE_TD_FORBIDDEN
    assert reason_of(TdAttributeRules(allow_service_td=True), service) is None


def test_reserved_bits_are_refused_even_with_debug_allowed() -> None:
    """Allowing debug allows the named debug bits, not the reserved ones beside them."""
    rules = TdAttributeRules(allow_debug=True)
    for bit in (1, 2, 3, 7):
        shown = with_td(td_attributes=(SEPT | 1 << bit).to_bytes(8, "little"))
        assert reason_of(rules, shown) is Reason.TD_ATTR_FORBIDDEN
    for bit in (0, 4, 5, 6):
        shown = with_td(td_attributes=(SEPT | 1 << bit).to_bytes(8, "little"))
        assert reason_of(rules, shown) is None


@pytest.mark.parametrize(
    ("flags", "accepted"),
    [(0x5, True), (0x85, True), (0x7, False), (0x15, False), (0x25, False), (0x4, False)],
)
def test_sgx_attributes(flags: int, *, accepted: bool) -> None:
    """DEBUG, PROVISION_KEY, EINITTOKEN_KEY and a missing INIT are refused; KSS is not."""
    expected = None if accepted else Reason.SGX_ATTR_FORBIDDEN
    assert reason_of(SgxAttributes(), with_sgx_flags(flags)) is expected
    assert reason_of(SgxAttributes(), evidence("td15-v5-platform")) is None


@pytest.mark.parametrize(("xfam", "accepted"), [(0x3, True), (0x1, False), (1 << 63 | 3, False)])
def test_xfam(xfam: int, *, accepted: bool) -> None:
    """Required and allowed bits."""
    expected = None if accepted else Reason.XFAM_INVALID
    assert reason_of(XfamWithin(), with_td(xfam=xfam.to_bytes(8, "little"))) is expected


@pytest.mark.parametrize("status", [s for s in TcbStatus if s is not TcbStatus.REVOKED])
def test_statuses(status: TcbStatus) -> None:
    """UpToDate alone by default; what is allowed passes, and nothing else."""
    base = evidence("td15-v5-platform")
    shown = base._replace(verdict=replace(base.verdict, tcb_status=status))
    default = None if status is TcbStatus.UP_TO_DATE else Reason.TCB_STATUS_NOT_ALLOWED
    assert reason_of(DEFAULT, shown) is default
    assert reason_of(AllowedStatuses(frozenset({status})), shown) is None
    assert reason_of(AllowedStatuses(frozenset()), shown) is Reason.TCB_STATUS_NOT_ALLOWED


def test_advisories() -> None:
    """Denied ones are refused, and so are those outside an allowed set."""
    base = evidence("td15-v5-platform")
    shown = base._replace(verdict=replace(base.verdict, advisories=("A", "B")))
    for policy, reason in (
        (DeniedAdvisories(frozenset({"B"})), Reason.ADVISORY_NOT_ALLOWED),
        (DeniedAdvisories(frozenset({"C"})), None),
        (AdvisoriesWithin(frozenset({"A"})), Reason.ADVISORY_NOT_ALLOWED),
        (AdvisoriesWithin(frozenset({"A", "B", "C"})), None),
        (AdvisoriesWithin(), Reason.ADVISORY_NOT_ALLOWED),
    ):
        assert reason_of(policy, shown) is reason


def test_evaluation_numbers() -> None:
    """A floor against rollback; one evaluation for both documents where asked for."""
    shown = evidence("td15-v5-platform")
    number = shown.verdict.tcb_evaluation_data_number
    assert reason_of(MinimumEvaluation(number), shown) is None
    assert reason_of(MinimumEvaluation(number + 1), shown) is Reason.COLLATERAL_ROLLBACK
    assert reason_of(SameEvaluation(), shown) is None
    identity = shown.collateral.qe_identity._replace(evaluation_number=number + 1)
    mixed = shown._replace(collateral=replace(shown.collateral, qe_identity=identity))
    assert reason_of(SameEvaluation(), mixed) is Reason.COLLATERAL_INCONSISTENT


def test_platforms_and_families() -> None:
    """Lists of what is allowed and what is denied, and certified configuration."""
    shown = evidence("td15-v5-platform")
    fmspc, platform_id = shown.verdict.fmspc, shown.verdict.platform_id
    for policy, reason in (
        (FmspcRules(), None),
        (FmspcRules(allowed=frozenset({fmspc})), None),
        (FmspcRules(allowed=frozenset()), Reason.FMSPC_NOT_ALLOWED),
        (FmspcRules(denied=frozenset({fmspc})), Reason.FMSPC_NOT_ALLOWED),
        (PlatformRules(), None),
        (PlatformRules(allowed=frozenset({platform_id})), None),
        (PlatformRules(allowed=frozenset({bytes(32)})), Reason.PLATFORM_NOT_ALLOWED),
        (PlatformRules(denied=frozenset({platform_id})), Reason.PLATFORM_NOT_ALLOWED),
    ):
        assert reason_of(policy, shown) is reason


@pytest.mark.parametrize(("flag", "accepted"), [(True, False), (None, False), (False, True)])
def test_unknown_configuration_counts_as_on(flag: object, *, accepted: bool) -> None:
    """Only what Intel certified as off is off."""
    base = evidence("td15-v5-platform")
    identity = base.platform.identity._replace(smt_enabled=flag)
    shown = base._replace(platform=base.platform._replace(identity=identity))
    expected = None if accepted else Reason.PLATFORM_CONFIGURATION
    assert reason_of(PlatformRules(allow_smt=False), shown) is expected


def test_expectations() -> None:
    """Measurements, registers, report data, versions; and the wrong kind of TEE."""
    td, sgx = evidence("td15-v5-platform"), evidence("sgx-v3-platform")
    td_body, sgx_body = td.quote.body, sgx.quote.body
    assert isinstance(td_body, TdReport)
    assert isinstance(sgx_body, SgxReport)
    mismatch = Reason.MEASUREMENT_MISMATCH
    for policy, shown, reason in (
        (ExpectedMeasurement(frozenset({td.verdict.measurement_id})), td, None),
        (ExpectedMeasurement(frozenset({bytes(32)})), td, mismatch),
        (ExpectedReportData(td.verdict.report_data), td, None),
        (ExpectedReportData(b"\7" * 64), td, Reason.REPORT_DATA_MISMATCH),
        (ExpectedTd(mr_td=td_body.mr_td, rtmr3=td_body.rtmr3), td, None),
        (ExpectedTd(mr_td=b"\7" * 48), td, mismatch),
        (ExpectedTd(rtmr2=b"\7" * 48), td, mismatch),
        (ExpectedTd(mr_config_id=b"\7" * 48), td, mismatch),
        (ExpectedTd(mr_service_td=bytes(48)), td, None),
        (ExpectedTd(mr_service_td=b"\7" * 48), td, mismatch),
        (ExpectedTd(), sgx, Reason.TEE_TYPE_NOT_ALLOWED),
        (ExpectedSgx(mr_enclave=sgx_body.mr_enclave), sgx, None),
        (ExpectedSgx(mr_signer=b"\7" * 32), sgx, mismatch),
        (ExpectedSgx(isv_prod_id=sgx_body.isv_prod_id + 1), sgx, mismatch),
        (ExpectedSgx(minimum_isv_svn=sgx_body.isv_svn), sgx, None),
        (ExpectedSgx(minimum_isv_svn=sgx_body.isv_svn + 1), sgx, Reason.SVN_TOO_LOW),
        (ExpectedSgx(config_id=sgx_body.config_id), sgx, None),
        (ExpectedSgx(isv_ext_prod_id=b"\7" * 16), sgx, mismatch),
        (ExpectedSgx(isv_family_id=b"\7" * 16), sgx, mismatch),
        (ExpectedSgx(minimum_config_svn=sgx_body.config_svn), sgx, None),
        (ExpectedSgx(minimum_config_svn=sgx_body.config_svn + 1), sgx, Reason.SVN_TOO_LOW),
        (ExpectedSgx(), td, Reason.TEE_TYPE_NOT_ALLOWED),
    ):
        assert reason_of(policy, shown) is reason


def test_combinations() -> None:
    """All of, in order; any of, with the last refusal; an empty choice is a mistake."""
    shown = evidence("td15-v5-platform")
    passes, fails = MinimumEvaluation(0), MinimumEvaluation(1 << 31)
    refuses = FmspcRules(allowed=frozenset())
    assert reason_of(AllOf(()), shown) is None
    assert reason_of(AllOf((passes, fails, refuses)), shown) is Reason.COLLATERAL_ROLLBACK
    assert reason_of(AnyOf((fails, passes)), shown) is None
    assert reason_of(AnyOf((passes, fails)), shown) is None
    assert reason_of(AnyOf((fails, refuses)), shown) is Reason.FMSPC_NOT_ALLOWED
    with pytest.raises(ValueError, match="at least one"):
        AnyOf(())
