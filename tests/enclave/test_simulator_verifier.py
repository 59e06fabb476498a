"""
The verifier accepts what the simulator mints, and refuses each fault for its own reason.

The two were written apart, from the specification only, so agreement here means something.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from itertools import product

import dcap_qvl
import pytest
from quotary import (
    Collateral,
    Policy,
    QuotaryError,
    RawCollateral,
    Reason,
    TcbStatus,
    TeeType,
    TrustRoot,
    Verdict,
    strict,
    verify,
)
from quotary.policy import XfamWithin
from quotary_enclave.simulator import (
    Evidence,
    IsvLevel,
    Scenario,
    SgxReport,
    Simulator,
    TdReport,
    samples,
)
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS, Fault, relaunch

AT = datetime(2026, 11, 1, tzinfo=UTC)
SIM = Simulator(AT, seed=b"test")
SAMPLES = samples(SIM)
BASES = (
    *("sgx-v3-platform", "sgx-v3-processor", "sgx-v4-platform", "sgx-v5-platform"),
    *("td10-v4-platform", "td10-v5-platform", "td15-v5-platform", "td15ex-v5-processor"),
)
STRICT = strict()

PLATFORM_STATUSES = (
    "UpToDate",
    "SWHardeningNeeded",
    "ConfigurationNeeded",
    "ConfigurationAndSWHardeningNeeded",
    "OutOfDate",
    "OutOfDateConfigurationNeeded",
)
OLD = bytes((5, 1, 1)) + bytes(13)
NEW = bytes((5, 1, 4)) + bytes(13)


def fitting(deviations: Mapping[str, Fault]) -> list[tuple[str, str]]:
    """Each deviation with each kind of quote that can have it."""
    return [
        (name, base)
        for (name, deviation), base in product(deviations.items(), BASES)
        if deviation.fits(SAMPLES[base])
    ]


def judge(evidence: Evidence, policy: Policy | None = STRICT) -> Verdict:
    """What the verifier says of `evidence` under the simulator's root."""
    root = TrustRoot.from_certificate(evidence.root_der)
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    collateral = Collateral.verify(raw, root, at=evidence.at)
    return verify(evidence.quote, collateral, policy=policy, at=evidence.at, root=root)


def refusal(evidence: Evidence) -> Reason:
    """Why the verifier refuses `evidence`."""
    with pytest.raises(QuotaryError) as refused:
        judge(evidence)
    return refused.value.reason


def peer_status(evidence: Evidence) -> str:
    """The status dcap-qvl reports, `Revoked` when it refuses."""
    collateral = dcap_qvl.QuoteCollateralV3.from_json(json.dumps(evidence.collateral))
    seconds = int(evidence.at.timestamp())
    try:
        report = dcap_qvl.verify_with_root_ca(
            evidence.quote, collateral, evidence.root_der, seconds
        )
    except ValueError as error:
        assert "evoked" in str(error)  # noqa: PT017
        return "Revoked"
    return str(report.status)


def own_status(evidence: Evidence) -> str:
    """The status of the verifier's verdict, `Revoked` when it refuses for that."""
    try:
        return str(judge(evidence, policy=None).tcb_status.value)
    except QuotaryError as error:
        assert error.reason is Reason.TCB_REVOKED  # noqa: PT017
        return "Revoked"


@pytest.mark.parametrize("name", SAMPLES)
def test_good_evidence_is_accepted(name: str) -> None:
    """Every version, report, CA and certification data type, with the verdict it should have."""
    scenario = SAMPLES[name]
    verdict = judge(scenario.mint())
    body = scenario.quote.body
    assert verdict.tcb_status is TcbStatus.UP_TO_DATE
    assert verdict.tee_type is (TeeType.SGX if isinstance(body, SgxReport) else TeeType.TDX)
    assert verdict.report_data == body.report_data
    assert verdict.fmspc == scenario.pck.fmspc
    assert verdict.root_key_hash == SIM.root_key_hash


def test_the_simulated_root_is_not_trusted_by_default() -> None:
    """Simulated evidence fails under Intel's root."""
    evidence = SAMPLES["td10-v4-platform"].mint()
    raw = RawCollateral.from_json(json.dumps(evidence.collateral))
    with pytest.raises(QuotaryError):
        verify(evidence.quote, raw, at=AT)


@pytest.mark.parametrize(("name", "base"), fitting(FAULTS))
def test_each_fault_is_refused_for_its_reason(name: str, base: str) -> None:
    """The reason is the catalogue's, whatever the kind of quote."""
    assert refusal(FAULTS[name].deviate(SAMPLES[base]).mint()) == FAULTS[name].reason


@pytest.mark.parametrize(("name", "base"), fitting(VARIATIONS))
def test_each_variation_is_accepted(name: str, base: str) -> None:
    """What looks unusual and is in order passes the strict policy."""
    verdict = judge(VARIATIONS[name].deviate(SAMPLES[base]).mint())
    assert verdict.tcb_status is TcbStatus.UP_TO_DATE


def test_an_xfam_rule_is_kept_when_asked_for() -> None:
    """XFAM is judged by a policy of its own."""
    scenario = SAMPLES["td10-v4-platform"]
    policy = strict(XfamWithin(required=3, allowed=0x602E7))
    judge(scenario.mint(), policy)
    for xfam in (0, 1, 1 << 63 | 3):
        with pytest.raises(QuotaryError) as refused:
            judge(scenario.with_body(xfam=xfam).mint(), policy)
        assert refused.value.reason is Reason.XFAM_INVALID


def with_statuses(base: Scenario, platform: str, module: str, enclave: str) -> Scenario:
    """The scenario with these statuses of platform, TDX module and quoting enclave."""
    info = base.collateral.tcb_info
    (identity,) = info.module_identities
    moved = base.with_tcb_info(
        levels=(replace(info.levels[0], status=platform), *info.levels[1:]),
        module_identities=(replace(identity, levels=(IsvLevel(1, module),)),),
    )
    return moved.with_qe_identity(levels=(IsvLevel(1, enclave),))


COMPONENTS = ("UpToDate", "OutOfDate", "Revoked")


@pytest.mark.parametrize("base", ["sgx-v3-platform", "td10-v4-platform", "td15-v5-processor"])
@pytest.mark.parametrize("statuses", [*product(PLATFORM_STATUSES, COMPONENTS, COMPONENTS)])
def test_statuses_converge_as_the_peer_says(base: str, statuses: tuple[str, str, str]) -> None:
    """Every combination of platform, module and quoting enclave status, judged twice."""
    evidence = with_statuses(SAMPLES[base], *statuses).mint()
    assert own_status(evidence) == peer_status(evidence)


@pytest.mark.parametrize("launch", PLATFORM_STATUSES)
@pytest.mark.parametrize("current", PLATFORM_STATUSES)
@pytest.mark.parametrize("svns", [(OLD, NEW), (NEW, OLD), (NEW, NEW), (OLD, OLD)])
def test_relaunches_are_advised_as_the_peer_says(
    launch: str, current: str, svns: tuple[bytes, bytes]
) -> None:
    """Every pair of statuses at launch and now, in both directions."""
    base = SAMPLES["td15-v5-platform"]
    newest = base.collateral.tcb_info.levels[0]
    older = replace(newest, tdx_components=(5, 0, 1, *(0,) * 13), status=launch)
    moved = base.with_tcb_info(levels=(replace(newest, status=current), older))
    evidence = relaunch(*svns, moved).mint()
    assert own_status(evidence) == peer_status(evidence)


def test_a_platform_signs_thousands_of_quotes() -> None:
    """Distinct quotes of one platform verify under one collateral."""
    platform = SIM.platform("busy")
    root = TrustRoot.from_certificate(SIM.root_der)
    raw = RawCollateral.from_json(json.dumps(SIM.collateral(platform, "tdx")))
    collateral = Collateral.verify(raw, root, at=AT)
    judged = partial(verify, collateral=collateral, at=AT, root=root)
    hashes = {
        judged(platform.quote(TdReport(report_data=number.to_bytes(64)))).quote_hash
        for number in range(500)
    }
    assert len(hashes) == 500
