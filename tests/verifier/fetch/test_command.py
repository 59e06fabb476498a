"""`quotary collateral`: what it prints, where, what it files, and its exit codes."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from quotary.cli import main
from quotary.fetch import CollateralCache, PlatformKey, UpdateChannel
from quotary.trust import TrustRoot
from quotary_enclave.simulator import Platform, Simulator, TdReport

from tests.verifier.fetch import service as faults
from tests.verifier.fetch.conftest import AT, END, Run, printed
from tests.verifier.fetch.service import Service

REPORT = TdReport(mr_td=bytes(48), report_data=bytes(64))


def test_fetch_tells_people_and_files(
    *,
    run: Run,
    pccs: Service,
    fmspc: tuple[str, str],
    cache_dir: Path,
    root: TrustRoot,
    key: PlatformKey,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Progress goes to stderr, the documents' dates to stdout, the collateral to the cache."""
    assert run("fetch", *fmspc, "--pccs", pccs.url) == 0
    out, err = capsys.readouterr()
    assert "TCB evaluation 17" in out
    assert "pck_crl" in out
    assert "TCB info: asking http://127.0.0.1" in err
    assert "TCB info: received" in err
    assert list(CollateralCache(cache_dir, root=root).entries()) == [(key, UpdateChannel())]


def test_fetched_collateral_verifies_the_quote(
    *, run: Run, pccs: Service, platform: Platform, tmp_path: Path
) -> None:
    """From a quote to a verdict in two commands."""
    quote, collateral = tmp_path / "quote.bin", tmp_path / "collateral.json"
    quote.write_bytes(platform.quote(REPORT))
    assert run("fetch", "--quote", quote, "--pccs", pccs.url, "--out", collateral) == 0
    verify = ["quote", "verify", str(quote), "--collateral", str(collateral), "--no-policy"]
    assert main([*verify, "--root", str(tmp_path / "root.der"), "--at", AT.isoformat()]) == 0


def test_fetch_as_json_is_one_object(
    *, run: Run, pccs: Service, fmspc: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Programs get everything in one object, and silence on stderr."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--json", "--no-cache") == 0
    out, err = capsys.readouterr()
    shown = json.loads(out)
    assert err == ""
    assert shown["ok"] is True
    assert shown["valid_until"] == int(END.timestamp())
    assert set(json.loads(shown["collateral"])) >= {"tcb_info", "pck_crl"}


def test_no_cache_files_nothing(
    *, run: Run, pccs: Service, fmspc: tuple[str, str], cache_dir: Path
) -> None:
    """What need not be kept is not kept."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--no-cache", "--quiet") == 0
    assert not cache_dir.exists()


def test_show_prints_what_was_filed(
    *,
    run: Run,
    pccs: Service,
    platform: Platform,
    fmspc: tuple[str, str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`show` needs no service; a quote with its certificate finds the same entry."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    pccs.asked.clear()
    quote = tmp_path / "quote.bin"
    quote.write_bytes(platform.quote(REPORT, certification_type=4))
    capsys.readouterr()
    assert run("show", "--quote", quote, "--raw") == 0
    raw = capsys.readouterr().out
    assert set(json.loads(raw)) >= {"tcb_info", "qe_identity", "root_ca_crl"}
    (tmp_path / "c.json").write_text(raw)
    assert run("show", "--file", tmp_path / "c.json", "--json") == 0
    assert printed(capsys)["pck_crl_number"] == 1
    assert pccs.asked == []


@pytest.mark.parametrize(
    ("at", "warn", "code"),
    [
        (AT, "0", 0),
        (END, "0", 0),
        (END + timedelta(seconds=1), "0", 7),
        (END - timedelta(days=3), "3", 0),
        (END - timedelta(days=3) + timedelta(seconds=1), "3", 7),
        (AT - timedelta(days=6), "0", 7),
    ],
)
def test_age_alerts_by_exit_code(
    *,
    run: Run,
    pccs: Service,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    at: datetime,
    warn: str,
    code: int,
) -> None:
    """7 as soon as a document is stale or will be within the days given, inclusive ends."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    capsys.readouterr()
    assert run("age", "--warn", warn, at=at) == code
    assert ("STALE" in capsys.readouterr().out) is (code == 7)
    assert run("age", *fmspc, "--warn", warn, "--json", at=at) == code
    shown = printed(capsys)
    assert shown["ok"] is (code == 0)
    documents = {item["item"]: item for item in shown["entries"][0]["documents"]}
    assert documents["tcb_info"]["seconds_left"] == int((END - at).total_seconds())
    assert documents["root_ca_crl"]["stale"] is (at < AT)


def test_a_folder_that_cannot_be_one_is_configuration(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the file system says, it is told in one line."""
    for name in ("age", "watch"):
        once = ["--once"] if name == "watch" else []
        assert run(name, *once, "--cache-dir", "x" * 5000) == 6
        assert "FILE_UNREADABLE" in capsys.readouterr().err


def test_age_of_nothing_alerts(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """An empty cache is not a fresh one."""
    assert run("age") == 7
    assert "fetch" in capsys.readouterr().err


def test_age_of_damage_alerts(
    *,
    run: Run,
    pccs: Service,
    fmspc: tuple[str, str],
    cache_dir: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A damaged entry is as good as none, however good the others are."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet", "--channel", "17") == 0
    next(cache_dir.rglob("standard.json")).write_text("{}")
    capsys.readouterr()
    assert run("age", "--json") == 7
    shown = printed(capsys)
    assert "CACHE_DAMAGED" in shown["failures"][0]
    assert [entry["stale"] for entry in shown["entries"]] == [False]


def test_age_of_a_file(
    *,
    run: Run,
    simulator: Simulator,
    platform: Platform,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Collateral that came another way has an age too; forged collateral has none."""
    collateral = simulator.collateral(platform)
    file = tmp_path / "c.json"
    file.write_text(json.dumps(collateral))
    assert run("age", "--file", file) == 0
    assert run("age", "--file", file, at=END + timedelta(days=1)) == 7
    assert "over for 1 d" in capsys.readouterr().out
    forged = collateral["tcb_info"].replace('"UpToDate"', '"Revoked"', 1)
    file.write_text(json.dumps(collateral | {"tcb_info": forged}))
    assert run("age", "--file", file) == 1


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (("--pccs", "http://pccs.example:8081"), 6, "TLS_REQUIRED"),
        (("--pccs", "not an address"), 2, "USAGE"),
        (("--pccs", "http://127.0.0.1:9", "--ca-file", "/nowhere.pem"), 6, "FILE_UNREADABLE"),
        (("--pccs", "http://127.0.0.1:9"), 3, "FETCH_FAILED"),
        (("--channel", "late"), 2, "USAGE"),
        (("--timeout", "0"), 2, "USAGE"),
        (("--timeout", "nan"), 2, "USAGE"),
        (("--out", "/nowhere/else/c.json"), 2, "FILE_UNWRITABLE"),
    ],
)
def test_failures_have_their_exit_code(
    *,
    run: Run,
    pccs: Service,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    code: int,
    reason: str,
) -> None:
    """Usage, configuration and network are told apart, also for programs."""
    service = () if "--pccs" in options else ("--pccs", pccs.url)
    assert run("fetch", *fmspc, *service, *options, "--json") == code
    shown = printed(capsys)
    assert (shown["ok"], shown["reason"]) == (False, reason)


@pytest.mark.parametrize("text", ["../../etc", "51544D00000", "51544D00000g", "51544D0000000", ""])
def test_fmspc_is_twelve_hex_digits(
    run: Run, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    """Nothing but an FMSPC becomes part of a path or a query."""
    assert run("show", "--fmspc", text, "--json") == 2
    assert printed(capsys)["reason"] == "USAGE"


def test_rollback_is_stale_collateral(
    *,
    run: Run,
    pccs: Service,
    platform: Platform,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A service that went back in time ends the command with 7."""
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--quiet") == 0
    spec = platform.collateral_spec(tdx=True)
    older = replace(spec, tcb_info=replace(spec.tcb_info, evaluation_number=16))
    pccs.publish(older.mint(platform.pki))
    capsys.readouterr()
    assert run("fetch", *fmspc, "--pccs", pccs.url, "--json") == 7
    assert printed(capsys)["reason"] == "COLLATERAL_ROLLBACK"


def test_api_key_is_never_printed(
    *,
    run: Run,
    pccs: Service,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The subscription key reaches the service and no output."""
    monkeypatch.setenv("QUOTARY_PCS_API_KEY", "canary")
    assert run("fetch", *fmspc, "--pccs", pccs.url) == 0
    pccs.fail("/tcb", faults.status(401))
    assert run("fetch", *fmspc, "--pccs", pccs.url) == 3
    assert {h.get("ocp-apim-subscription-key") for h in pccs.request_headers} == {"canary"}
    assert "canary" not in "".join(capsys.readouterr())


def test_base_install_is_told_which_extra(
    *,
    run: Run,
    fmspc: tuple[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without httpx, fetching says what to install; looking at the cache still works."""
    monkeypatch.setitem(sys.modules, "httpcore", None)
    assert run("fetch", *fmspc, "--json") == 6
    assert printed(capsys)["reason"] == "EXTRA_MISSING"
    assert run("age", "--json") == 7
    assert printed(capsys)["entries"] == []
