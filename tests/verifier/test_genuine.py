"""
Genuine quotes with genuine collateral: our verdict against that of dcap-qvl 0.7.0.

The evidence alone must have the very status and advisories. Where the peer refuses for its
attribute policy, our default policy must refuse for the matching reason; where it cannot read the
old form of TCB info (version 2, which Intel's library reads), the verdict is checked against the
TCB info itself by other tests and must here be well formed.
"""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest
from quotary import (
    INTEL_ROOT,
    Collateral,
    CollateralError,
    QuotaryError,
    Quote,
    Reason,
    TcbStatus,
    Verdict,
    VerificationError,
    verify,
)

from tests.verifier.genuine import collateral_of, genuine_cases, genuine_items, pick

PEER_POLICY = {
    "Verification failed: Debug mode is enabled": {Reason.SGX_ATTR_FORBIDDEN, Reason.TD_DEBUG},
    "Verification failed: Invalid MR service TD": {Reason.SERVICE_TD_FORBIDDEN},
    "Verification failed: SEPT_VE_DISABLE is not enabled": {Reason.SEPT_VE_NOT_DISABLED},
}
"""The peer judges attributes inside verification; for us they are policy."""

PEER_EVIDENCE = {"Verification failed: No matching TCB level found": Reason.TCB_NO_MATCH}
"""Where both say that the evidence itself is not acceptable."""

PEER_CANNOT_READ = "Verification failed: Failed to decode TcbInfo"
"""The peer does not know TCB info version 2."""


def test_evidence_alone_has_the_peers_status_and_advisories(shared: Path) -> None:
    """Every genuine quote, every collateral: same status, same advisories in the same order."""
    seen: Counter[str] = Counter()
    for case in genuine_cases(shared):
        collateral = collateral_of(case.collateral_path, case.at)
        error = case.expected.get("error", "").split("\n")[0]
        if error in PEER_EVIDENCE:
            with pytest.raises(QuotaryError) as caught:
                verify(case.quote, collateral, policy=None, at=case.at)
            assert caught.value.reason is PEER_EVIDENCE[error]
            seen[error] += 1
            continue
        verdict = verify(case.quote, collateral, policy=None, at=case.at)
        assert verdict.fmspc.hex() == case.item["fmspc"]
        assert Verdict.from_journal(verdict.journal()) == verdict
        if error:
            assert error in PEER_POLICY or error == PEER_CANNOT_READ
            assert (error == PEER_CANNOT_READ) == (collateral.tcb_info.version == 2)
        else:
            assert verdict.tcb_status == case.expected["status"]
            assert list(verdict.advisories) == case.expected["advisories"]
        seen[error or verdict.tcb_status] += 1
    assert sum(seen.values()) == 182
    assert seen["UpToDate"] == 46


def test_default_policy_refuses_what_the_peer_refuses(shared: Path) -> None:
    """Debug, service TDs and SEPT_VE are refused by policy, for the reason the peer gives."""
    for case in genuine_cases(shared):
        collateral = collateral_of(case.collateral_path, case.at)
        error = case.expected.get("error", "").split("\n")[0]
        if case.expected.get("status") == "UpToDate":
            verdict = verify(case.quote, collateral, at=case.at)
            assert verdict.tcb_status is TcbStatus.UP_TO_DATE
            continue
        with pytest.raises(VerificationError) as caught:
            verify(case.quote, collateral, at=case.at)
        if error in PEER_POLICY:
            assert caught.value.reason in PEER_POLICY[error]
        elif "status" in case.expected:
            assert caught.value.reason is Reason.TCB_STATUS_NOT_ALLOWED
            assert caught.value.found == case.expected["status"]


def test_every_genuine_quote_parses_to_what_the_manifest_says(shared: Path) -> None:
    """Version, measurement and certification data, also of quotes without collateral."""
    for item in genuine_items(shared):
        quote = Quote.parse((shared / "vectors" / item["file"]).read_bytes())
        assert quote.version == item["version"]
        assert quote.certification_type == item["cert_data_type"]
        if "mrtd" in item:
            assert getattr(quote.body, "mr_td").hex() == item["mrtd"]  # noqa: B009
        assert quote.tee_type.name == item["kind"].upper()


def test_windows_are_those_of_the_manifest(shared: Path) -> None:
    """Collateral and PCK chain together: the manifest's window, independently computed."""
    for case in genuine_cases(shared):
        if "status" not in case.expected:
            continue
        collateral = collateral_of(case.collateral_path, case.at)
        shown = verify(case.quote, collateral, policy=None, at=case.at).to_json()
        assert shown["valid_from"] == case.expected["valid_from"]
        assert shown["valid_until"] == case.expected["valid_to"]


def test_validity_ends_are_inclusive_and_name_the_stale_item(shared: Path) -> None:
    """The first and last second pass; one beyond each names the item."""
    case = pick(shared, "tdx15ex")
    collateral = collateral_of(case.collateral_path, case.at)
    first = case.at + timedelta(seconds=collateral.valid_from - case.at.timestamp())
    last = case.at + timedelta(seconds=collateral.valid_until - case.at.timestamp())
    for at in (first, last):
        assert verify(case.quote, Collateral.verify(case.raw, at=at), at=at)
    for at in (first - timedelta(seconds=1), last + timedelta(seconds=1)):
        for given in (collateral, case.raw):
            with pytest.raises(CollateralError) as caught:
                verify(case.quote, given, at=at)
            assert caught.value.reason in {
                Reason.COLLATERAL_EXPIRED,
                Reason.COLLATERAL_NOT_YET_VALID,
                Reason.CRL_EXPIRED,
                Reason.CRL_NOT_YET_VALID,
            }


def test_intel_root_is_the_one_intel_published() -> None:
    """All fingerprints of the embedded root, recomputed."""
    from hashlib import sha256, sha384  # noqa: PLC0415

    certificate = INTEL_ROOT.certificate
    assert sha256(certificate.der).hexdigest() == (
        "44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3"
    )
    assert INTEL_ROOT.key_hash.hex() == (
        "08cb5397a6281bbacc9c4232859b840f56868ed592d68c6eae4ce22ce23ea341"
    )
    point = b"\x04" + certificate.public_key
    assert sha256(point).hexdigest() == (
        "a512ddae5b8a05fd0738d708f29ddccaca53aad8b3698e77194cb05cc0723e89"
    )
    assert sha384(point).hexdigest() == (
        "46e403bd34f05a3f2817ab9badcaacc7ffc98e0f261008cd30dae936cace18d5"
        "dcf58eef31463613de1570d516200993"
    )
    assert certificate.serial == 0x22650CD65A9D3489F383B49552BF501B392706AC


def test_collateral_of_another_root_is_refused(shared: Path) -> None:
    """A verdict is under the root the caller names, whoever verified the collateral."""
    from quotary import TrustRoot  # noqa: PLC0415
    from quotary_enclave.simulator import Simulator, samples  # noqa: PLC0415

    case = pick(shared, "tdx")
    collateral = collateral_of(case.collateral_path, case.at)
    evidence = samples(Simulator(case.at, seed=b"other"))["td10-v4-platform"].mint()
    with pytest.raises(CollateralError) as caught:
        verify(
            case.quote, collateral, at=case.at, root=TrustRoot.from_certificate(evidence.root_der)
        )
    assert caught.value.reason is Reason.ROOT_NOT_PINNED


def test_naive_times_are_a_mistake_of_the_caller(shared: Path) -> None:
    """A time without a zone could be anything."""
    case = pick(shared, "tdx")
    with pytest.raises(ValueError, match="time zone"):
        verify(case.quote, case.raw, at=case.at.replace(tzinfo=None))


def test_raw_and_verified_collateral_give_one_verdict(shared: Path) -> None:
    """Verifying collateral beforehand changes nothing but the time it takes."""
    for body in ("sgx", "tdx", "tdx15", "tdx15ex"):
        try:
            case = pick(shared, body)
        except StopIteration:
            case = pick(shared, body, "OutOfDate")
        collateral = collateral_of(case.collateral_path, case.at)
        raw = verify(case.quote, case.raw, policy=None, at=case.at)
        assert raw == verify(Quote.parse(case.quote), collateral, policy=None, at=case.at)
