"""Collateral that is over can be let pass knowingly: how long, what of it, and never more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quotary import Collateral, QuotaryError, RawCollateral, Reason, TrustRoot, strict, verify
from quotary.cli import main
from quotary.policy import DEFAULT, GracedStatuses, MaximumCollateralAge, Policy
from quotary.tcb import TcbStatus
from quotary.verify.expired import Expired, LateVerdict, latest_collateral, verify_late
from quotary_enclave.simulator import Evidence, Role, Simulator, samples
from quotary_enclave.simulator.documents import IsvLevel
from quotary_enclave.simulator.faults import FAULTS

AT = datetime(2026, 11, 1, tzinfo=UTC)
TD = samples(Simulator(AT, seed=b"expired"))["td15-v5-platform"]
DAY = timedelta(days=1)


def raw_of(evidence: Evidence) -> RawCollateral:
    """The collateral, parsed."""
    return RawCollateral.from_json(json.dumps(evidence.collateral))


def root_of(evidence: Evidence) -> TrustRoot:
    """The root minted with it."""
    return TrustRoot.from_certificate(evidence.root_der)


def end_of(evidence: Evidence) -> datetime:
    """The last second at which everything is valid."""
    verdict = verify(evidence.quote, raw_of(evidence), at=AT, root=root_of(evidence))
    return datetime.fromtimestamp(verdict.valid_until, UTC)


def late(
    evidence: Evidence,
    at: datetime,
    tolerance: timedelta,
    policy: Policy | None = DEFAULT,
    *,
    proven: bool = False,
) -> LateVerdict:
    """Verify late, with raw collateral or with collateral proven in time."""
    raw, root = raw_of(evidence), root_of(evidence)
    given = Collateral.verify(raw, root, at=AT) if proven else raw
    return verify_late(evidence.quote, given, tolerance=tolerance, policy=policy, at=at, root=root)


def refusal(*args: Any, **options: Any) -> Reason:
    """Why `late` refuses."""
    with pytest.raises(QuotaryError) as caught:
        late(*args, **options)
    return caught.value.reason


@pytest.mark.parametrize("proven", [False, True])
def test_in_time_it_is_verify(*, proven: bool) -> None:
    """Nothing expired, nothing listed, the same verdict."""
    evidence = TD.mint()
    result = late(evidence, AT, DAY, proven=proven)
    assert result == LateVerdict(
        verify(evidence.quote, raw_of(evidence), at=AT, root=root_of(evidence))
    )


@pytest.mark.parametrize("proven", [False, True])
def test_tolerance_ends_to_the_second(*, proven: bool) -> None:
    """The verdict is of the last valid second, what is over is listed, and the bound is a bound."""
    evidence = TD.mint()
    end = end_of(evidence)
    result = late(evidence, end + 3 * DAY, 3 * DAY, proven=proven)
    assert result.verdict.verified_at == result.verdict.valid_until == int(end.timestamp())
    assert {item.item for item in result.expired} == {"tcb_info", "qe_identity", "pck_crl"}
    assert Expired("tcb_info", int(end.timestamp())) in result.expired
    too_late = end + 3 * DAY + timedelta(seconds=1)
    assert refusal(evidence, too_late, 3 * DAY, proven=proven) is Reason.COLLATERAL_EXPIRED
    assert refusal(evidence, end + timedelta(seconds=1), timedelta()) is Reason.COLLATERAL_EXPIRED


@pytest.mark.parametrize(
    ("role", "item"),
    [
        (Role.PCK, "PCK certificate"),
        (Role.TCB_SIGNING, "tcb_info_issuer_chain"),
        (TD.ca, "pck_crl_issuer_chain"),
    ],
)
@pytest.mark.parametrize("proven", [False, True])
def test_certificates_count_too(role: Role, item: str, *, proven: bool) -> None:
    """The first end of all is the last valid second, also where documents go on."""
    over = AT + timedelta(hours=1)
    evidence = TD.with_certificate(role, not_after=over).mint()
    result = late(evidence, over + DAY, DAY, proven=proven)
    assert result.verdict.verified_at == int(over.timestamp())
    assert item in {expired.item for expired in result.expired}
    assert refusal(evidence, over + 2 * DAY, DAY, proven=proven) is Reason.CERT_EXPIRED


@pytest.mark.parametrize(
    "fault", ["quote-signature-flipped", "pck-revoked", "tcb-info-signature", "td-debug-0"]
)
def test_nothing_else_is_tolerated(fault: str) -> None:
    """What is forged, revoked or refused by policy stays so, whatever has expired besides."""
    evidence = FAULTS[fault].deviate(TD).mint()
    assert refusal(evidence, end_of(TD.mint()) + DAY, 365 * DAY) == FAULTS[fault].reason


def test_before_its_time_is_not_late() -> None:
    """Tolerance looks back only."""
    reason = refusal(TD.mint(), AT - 3650 * DAY, 36500 * DAY)
    assert reason.endswith("NOT_YET_VALID")


def test_the_policy_judges_now() -> None:
    """Grace and the age of collateral run on while the verdict stands still."""
    evidence = TD.with_qe_identity(
        levels=(IsvLevel(1, "OutOfDate", date="2026-07-24T00:00:00Z"),)
    ).mint()
    dated = int(datetime(2026, 7, 24, tzinfo=UTC).timestamp())
    root, raw = root_of(evidence), raw_of(evidence)
    verdict = verify(evidence.quote, raw, policy=None, at=AT, root=root)
    now = datetime.fromtimestamp(verdict.valid_until, UTC) + DAY
    enough = int(now.timestamp()) - dated
    for seconds, accepted in ((enough, True), (enough - 1, False)):
        graced = GracedStatuses(grace={TcbStatus.OUT_OF_DATE: seconds})
        if accepted:
            assert late(evidence, now, DAY, graced).verdict.tcb_status is TcbStatus.OUT_OF_DATE
        else:
            assert refusal(evidence, now, DAY, graced) is Reason.TCB_STATUS_NOT_ALLOWED
    fresh = TD.mint()
    thirty_days = strict(MaximumCollateralAge(30 * 86400))
    assert verify(fresh.quote, raw_of(fresh), policy=thirty_days, at=end_of(fresh), root=root)
    assert refusal(fresh, end_of(fresh) + DAY, DAY, thirty_days) is Reason.COLLATERAL_TOO_OLD


def test_documents_that_never_were_valid_together() -> None:
    """There is no last valid second, so nothing can be tolerated."""
    old = {"issue_date": AT - 90 * DAY, "next_update": AT - 60 * DAY}
    evidence = TD.with_tcb_info(**old).mint()
    with pytest.raises(QuotaryError):
        latest_collateral(raw_of(evidence), root_of(evidence))
    assert refusal(evidence, AT, 3650 * DAY) is Reason.COLLATERAL_EXPIRED


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit code 0 with a list of what is over, 7 beyond the days given, 2 with --explain."""
    evidence = TD.mint()
    for name, content in (
        ("quote", evidence.quote),
        ("root", evidence.root_der),
        ("collateral", json.dumps(evidence.collateral).encode()),
    ):
        (tmp_path / name).write_bytes(content)
    at = end_of(evidence) + 2 * DAY
    base = ["quote", "verify", str(tmp_path / "quote"), "--root", str(tmp_path / "root")]
    base += ["--collateral", str(tmp_path / "collateral"), "--at", at.isoformat()]
    assert main([*base, "--json", "--allow-expired", "2"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert set(shown["expired"]) == {"tcb_info", "qe_identity", "pck_crl"}
    assert shown["verified_at"] == shown["valid_until"]
    assert main([*base, "--allow-expired", "2"]) == 0
    assert "EXPIRED since" in capsys.readouterr().out
    assert main([*base, "--allow-expired", "1.9"]) == 7
    assert main(base) == 7
    assert main([*base, "--allow-expired", "2", "--explain"]) == 2
