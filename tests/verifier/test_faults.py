"""
The simulator's catalogue of faults: each deviation, signed throughout, is refused for its reason.

The reasons are written down with the faults, in the enclave package; its variations look unusual,
are in order, and must pass.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from quotary import QuotaryError, RawCollateral, TrustRoot, Verdict, verify
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.faults import FAULTS, VARIATIONS

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"test"))
BASES = (
    "sgx-v3-platform",
    "sgx-v5-processor",
    "td10-v4-platform",
    "td15-v5-platform",
    "td15ex-v5-processor",
)


def verdict_of(evidence: Evidence) -> Verdict:
    """Verify as a user would, trusting the test root."""
    return verify(
        evidence.quote,
        RawCollateral.from_json(json.dumps(evidence.collateral)),
        at=evidence.at,
        root=TrustRoot.from_certificate(evidence.root_der),
    )


@pytest.mark.parametrize("base", SAMPLES)
def test_good_evidence_is_up_to_date(base: str) -> None:
    """Every kind of quote the simulator mints passes under the default policy."""
    verdict = verdict_of(SAMPLES[base].mint())
    assert verdict.tcb_status == "UpToDate"
    assert Verdict.from_journal(verdict.journal()) == verdict


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", FAULTS)
def test_every_fault_is_refused_for_its_reason(name: str, base: str) -> None:
    """Nothing else is wrong with the evidence, so the reason is exact."""
    fault = FAULTS[name]
    if not fault.fits(SAMPLES[base]):
        return
    evidence = fault.deviate(SAMPLES[base]).mint()
    with pytest.raises(QuotaryError) as caught:
        verdict_of(evidence)
    assert caught.value.reason == fault.reason


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", VARIATIONS)
def test_every_variation_is_accepted(name: str, base: str) -> None:
    """Strictness never refuses what the formats allow."""
    variation = VARIATIONS[name]
    if variation.fits(SAMPLES[base]):
        verdict_of(variation.deviate(SAMPLES[base]).mint())
