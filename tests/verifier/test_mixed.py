"""Evidence and collateral, each in order, that do not belong together; and what may differ."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from quotary import QuotaryError, RawCollateral, Reason, TrustRoot, Verdict, verify
from quotary_enclave.simulator import Evidence, Role, Scenario, Simulator, samples

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"mixed"))
TD = SAMPLES["td10-v4-platform"]
SERIAL = 0x1234567890


def verdict_of(quote: Evidence, collateral: Evidence) -> Verdict:
    """Verify the quote of one minting with the collateral of another."""
    return verify(
        quote.quote,
        RawCollateral.from_json(json.dumps(collateral.collateral)),
        at=AT,
        root=TrustRoot.from_certificate(collateral.root_der),
    )


def reason_of(quote: Evidence, collateral: Evidence) -> Reason:
    """Why the two do not go together."""
    with pytest.raises(QuotaryError) as caught:
        verdict_of(quote, collateral)
    return caught.value.reason


def test_collateral_of_the_other_tee_type() -> None:
    """SGX collateral judges no TD, whatever the FMSPC."""
    sgx, td = SAMPLES["sgx-v3-platform"].mint(), TD.mint()
    assert reason_of(td, sgx) is Reason.COLLATERAL_TYPE_MISMATCH
    assert reason_of(sgx, td) is Reason.COLLATERAL_TYPE_MISMATCH


def test_a_processor_leaf_under_a_platform_list() -> None:
    """The revocation list must be the one of this leaf's authority, in both directions."""
    processor, platform = SAMPLES["td10-v4-processor"].mint(), TD.mint()
    assert reason_of(processor, platform) is Reason.CRL_ISSUER_MISMATCH
    assert reason_of(platform, processor) is Reason.CRL_ISSUER_MISMATCH


def test_collateral_of_another_root() -> None:
    """The same names under another key are another world."""
    other = samples(Simulator(AT, seed=b"another"))["td10-v4-platform"].mint()
    assert reason_of(other, TD.mint()) is Reason.ROOT_NOT_PINNED


def test_a_reissued_authority_with_the_same_key_serves() -> None:
    """Its certificate in the quote may differ from the collateral's; its window then counts too."""
    ends = AT + timedelta(hours=1)
    reissued = TD.with_certificate(TD.ca, serial=SERIAL, not_after=ends).mint()
    verdict = verdict_of(reissued, TD.mint())
    assert verdict.valid_until == ends.timestamp()
    expired = TD.with_certificate(TD.ca, serial=SERIAL, not_after=AT - timedelta(1)).mint()
    assert reason_of(expired, TD.mint()) is Reason.CERT_EXPIRED


def test_a_revoked_reissued_authority_does_not_serve() -> None:
    """The root's list speaks of this certificate, though not of the collateral's own."""
    reissued = TD.with_certificate(TD.ca, serial=SERIAL).mint()
    revoking = TD.with_root_crl(revokes=(SERIAL,)).mint()
    assert reason_of(reissued, revoking) is Reason.CERT_REVOKED


@pytest.mark.parametrize("base", ["td10-v4-platform-type4", "sgx-v3-platform-type4"])
def test_a_leaf_in_the_quote_must_be_the_collaterals(base: str) -> None:
    """Certification data of type 4 names the leaf; another chain is a conflict."""
    scenario = SAMPLES[base]
    other = scenario.with_certificate(Role.PCK, serial=SERIAL)
    assert verdict_of(scenario.mint(), scenario.mint())
    assert reason_of(other.mint(), scenario.mint()) is Reason.PCK_CHAIN_CONFLICT


@pytest.mark.parametrize("part", ["root", "pck"])
def test_lists_with_a_negative_number(part: str) -> None:
    """Signed as it stands, and refused all the same."""
    patches = ((bytes.fromhex("551d140403020101"), bytes.fromhex("551d1404030201ff")),)
    scenario: Scenario = (
        TD.with_root_crl(patches=patches) if part == "root" else TD.with_pck_crl(patches=patches)
    )
    assert reason_of(scenario.mint(), scenario.mint()) is Reason.CRL_INVALID


def test_an_unknown_critical_extension_is_refused() -> None:
    """What must be understood and is not, is refused."""
    known, unknown = bytes.fromhex("0603551d0f0101ff"), bytes.fromhex("0603551d3f0101ff")
    for place in (TD.ca, Role.TCB_SIGNING, Role.PCK):
        scenario = TD.with_certificate(place, patches=((known, unknown),))
        assert reason_of(scenario.mint(), scenario.mint()) is Reason.CERT_INVALID
