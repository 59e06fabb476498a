"""What a changed policy would drop, and when: to the second, and as `verify` would say."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from quotary import QuotaryError, RawCollateral, Reason, TrustRoot, verify
from quotary.cli import main
from quotary.policy.file import parse_policy
from quotary.verify.simulate import Forecast, simulate
from quotary_enclave.simulator import Evidence, Simulator, samples
from quotary_enclave.simulator.documents import IsvLevel
from quotary_enclave.simulator.faults import FAULTS

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"simulate"))
TD, SGX = SAMPLES["td15-v5-platform"], SAMPLES["sgx-v3-platform"]
OUTDATED = TD.with_qe_identity(levels=(IsvLevel(1, "OutOfDate", date="2026-10-22T00:00:00Z"),))
GRACE = "version = 1\n[tcb.grace_days]\nOutOfDate = 105\n"
STRICT = "version = 1\n"
DAY = timedelta(days=1)


def forecast(
    evidence: Evidence, policy: str, against: str = STRICT, until: datetime | None = None
) -> Forecast:
    """The forecast for one quote."""
    (result,) = simulate(
        {"one": evidence.quote},
        [RawCollateral.from_json(json.dumps(evidence.collateral))],
        policy=parse_policy(policy),
        against=parse_policy(against),
        at=AT,
        until=until,
        root=TrustRoot.from_certificate(evidence.root_der),
    )
    return result


def reason_at(evidence: Evidence, policy: str, at: datetime) -> Reason | None:
    """What `verify` says at `at`."""
    try:
        verify(
            evidence.quote,
            RawCollateral.from_json(json.dumps(evidence.collateral)),
            policy=parse_policy(policy),
            at=at,
            root=TrustRoot.from_certificate(evidence.root_der),
        )
    except QuotaryError as error:
        return error.reason
    return None


def test_dropped_gained_and_kept() -> None:
    """Before and after, at once."""
    outdated, current = OUTDATED.mint(), TD.mint()
    gained = forecast(outdated, GRACE)
    assert (gained.gained, gained.dropped) == (True, False)
    dropped = forecast(outdated, STRICT, GRACE)
    assert (dropped.gained, dropped.dropped) == (False, True)
    assert dropped.after is not None
    assert dropped.after.reason is Reason.TCB_STATUS_NOT_ALLOWED
    kept = forecast(current, GRACE)
    assert (kept.before, kept.after, kept.falls_at) == (None, None, None)


def test_the_end_of_grace_is_found_to_the_second() -> None:
    """Five days before it ends, the second after it is told, and `verify` agrees on both sides."""
    evidence = OUTDATED.mint()
    result = forecast(evidence, GRACE, GRACE, AT + 10 * DAY)
    assert result.falls_at is not None
    assert result.falls_for is not None
    assert result.falls_for.reason is Reason.TCB_STATUS_NOT_ALLOWED
    falls = datetime.fromtimestamp(result.falls_at, UTC)
    assert falls == datetime(2026, 11, 6, 0, 0, 1, tzinfo=UTC)
    assert reason_at(evidence, GRACE, falls - timedelta(seconds=1)) is None
    assert reason_at(evidence, GRACE, falls) is Reason.TCB_STATUS_NOT_ALLOWED
    assert forecast(evidence, GRACE, GRACE, AT + DAY).falls_at is None


@pytest.mark.parametrize("policy", [STRICT, "version = 1\n[collateral]\nmaximum_age_days = 3000\n"])
def test_the_end_of_validity_is_found(policy: str) -> None:
    """Collateral ends by itself, whatever the policy."""
    evidence = TD.mint()
    result = forecast(evidence, policy, policy, AT + 8000 * DAY)
    assert result.falls_at is not None
    falls = datetime.fromtimestamp(result.falls_at, UTC)
    assert result.falls_for is not None
    assert reason_at(evidence, policy, falls) is result.falls_for.reason
    assert reason_at(evidence, policy, falls - timedelta(seconds=1)) is None


def test_a_change_is_blamed_only_for_what_it_changes() -> None:
    """Collateral ends for both policies; a bound on its age makes quotes fall sooner."""
    evidence, until = TD.mint(), AT + 60 * DAY
    same = forecast(evidence, STRICT, STRICT, until)
    assert same.falls_at == same.fell_at is not None
    assert not same.shortened
    young = "version = 1\n[collateral]\nmaximum_age_days = 20\n"
    sooner = forecast(evidence, young, STRICT, until)
    assert sooner.falls_for is not None
    assert sooner.falls_for.reason is Reason.COLLATERAL_TOO_OLD
    assert sooner.fell_at == same.fell_at
    assert sooner.falls_at is not None
    assert sooner.shortened
    falls = datetime.fromtimestamp(sooner.falls_at, UTC)
    assert reason_at(evidence, young, falls - timedelta(seconds=1)) is None
    assert reason_at(evidence, young, falls) is Reason.COLLATERAL_TOO_OLD
    relieved = forecast(evidence, STRICT, young, until)
    assert (relieved.falls_at, relieved.fell_at) == (same.falls_at, sooner.falls_at)
    assert not relieved.shortened
    assert forecast(evidence, "version = 1\n[collateral]\nmaximum_age_days = 0\n").dropped


def test_each_quote_takes_the_collateral_that_fits() -> None:
    """SGX and TDX among each other's collateral; a forged quote is refused under both policies."""
    td, sgx = TD.mint(), SGX.mint()
    forged = FAULTS["quote-signature-flipped"].deviate(TD).mint()
    raws = [RawCollateral.from_json(json.dumps(each.collateral)) for each in (sgx, td)]
    results = simulate(
        {"td": td.quote, "sgx": sgx.quote, "forged": forged.quote, "junk": b"junk"},
        raws,
        policy=None,
        at=AT,
        root=TrustRoot.from_certificate(td.root_der),
    )
    reasons = {result.name: result.after and result.after.reason for result in results}
    assert reasons == {
        "td": None,
        "sgx": None,
        "forged": Reason.QUOTE_SIGNATURE_INVALID,
        "junk": Reason.QUOTE_TRUNCATED,
    }
    (alone,) = simulate({"td": td.quote}, [], policy=None, at=AT)
    assert alone.after is not None
    assert alone.after.reason is Reason.COLLATERAL_INCOMPLETE


def run(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, dict[str, Any]]:
    """Simulate the grace policy over the folder."""
    code = main(
        [
            *("policy", "simulate", str(folder / "grace.toml"), "--json", "--at", AT.isoformat()),
            *("--quotes", str(folder / "quotes"), "--collateral", str(folder / "collateral")),
            *("--root", str(folder / "root.der"), *options),
        ]
    )
    return code, json.loads(capsys.readouterr().out)


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Folders of quotes and collateral; who is dropped, gained and falling, and when."""
    (tmp_path / "quotes").mkdir()
    (tmp_path / "collateral").mkdir()
    evidence = OUTDATED.mint()
    (tmp_path / "quotes" / "outdated").write_bytes(evidence.quote)
    (tmp_path / "quotes" / "odd").write_bytes(b"0x123")
    (tmp_path / "collateral" / "one.json").write_text(json.dumps(evidence.collateral))
    (tmp_path / "root.der").write_bytes(evidence.root_der)
    (tmp_path / "grace.toml").write_text(GRACE)
    code, shown = run(tmp_path, capsys, "--until", (AT + 30 * DAY).isoformat())
    assert (code, shown["total"], shown["gained"], shown["falling"]) == (0, 2, 1, 1)
    assert shown["shortened"] == 0
    by_name = {Path(each["quote"]).name: each for each in shown["quotes"]}
    assert by_name["outdated"]["falls_at"] == "2026-11-06T00:00:01Z"
    assert by_name["odd"]["after"] == "QUOTE_ENCODING_INVALID"
    (tmp_path / "strict.toml").write_text(STRICT)
    arguments = ["policy", "simulate", str(tmp_path / "strict.toml"), "--at", AT.isoformat()]
    arguments += ["--against", str(tmp_path / "grace.toml"), "--root", str(tmp_path / "root.der")]
    arguments += ["--quotes", str(tmp_path / "quotes" / "outdated")]
    arguments += ["--collateral", str(tmp_path / "collateral")]
    assert main(arguments) == 0
    out = capsys.readouterr().out
    assert out.startswith("dropped")
    assert "1 dropped at once, 0 fall sooner, 0 fall as before, 0 gained, of 1" in out
    assert main(["policy", "check", str(tmp_path / "grace.toml")]) == 0
    assert "GracedStatuses" in capsys.readouterr().out
    assert main(["policy", "check", str(tmp_path / "grace.toml"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["ok"] is True
