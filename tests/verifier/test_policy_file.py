"""Policy files: strict where silent, one line where wrong, and rules that mean what they say."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quotary import DEFAULT, QuotaryError, RawCollateral, Reason, TcbStatus, TrustRoot, verify
from quotary._keccak import keccak256
from quotary.cli import main
from quotary.policy import (
    AllOf,
    Evidence,
    GracedStatuses,
    MaximumCollateralAge,
    Policy,
    deadlines,
)
from quotary.policy.file import MAX_POLICY_BYTES, PolicyFileError, parse_policy
from quotary.quote import SgxReport, TdReport
from quotary_enclave.simulator import Simulator, samples

AT = datetime(2026, 11, 1, tzinfo=UTC)
SAMPLES = samples(Simulator(AT, seed=b"policy file"))
DAY = 86400


class Capture:
    """A policy that keeps what it is shown."""

    def __init__(self) -> None:
        """Nothing yet."""
        self.shown: list[Evidence] = []

    def check(self, evidence: Evidence) -> None:
        """Accept."""
        self.shown.append(evidence)


def evidence(name: str) -> Evidence:
    """What a policy is shown for one of the simulator's samples."""
    minted = SAMPLES[name].mint()
    capture = Capture()
    verify(
        minted.quote,
        RawCollateral.from_json(json.dumps(minted.collateral)),
        policy=capture,
        at=AT,
        root=TrustRoot.from_certificate(minted.root_der),
    )
    return capture.shown[0]


TD = evidence("td15-v5-platform")
SGX = evidence("sgx-v3-platform")


def reason_of(policy: Policy, shown: Evidence) -> Reason | None:
    """Why `policy` refuses, None when it accepts."""
    try:
        policy.check(shown)
    except QuotaryError as error:
        return error.reason
    return None


def toml(text: str) -> AllOf:
    """A policy file of this version."""
    return parse_policy("version = 1\n" + text)


def with_status(status: TcbStatus, date: int) -> Evidence:
    """The TD's evidence with another TCB status."""
    return TD._replace(verdict=replace(TD.verdict, tcb_status=status, tcb_date=date))


def test_an_empty_file_is_as_strict_as_the_default() -> None:
    """The version alone: the same refusals as the default policy."""
    policy = toml("")
    for shown in (TD, SGX):
        assert reason_of(policy, shown) is reason_of(DEFAULT, shown) is None
    for status in TcbStatus:
        shown = with_status(status, 0)
        assert reason_of(policy, shown) is reason_of(DEFAULT, shown)
    body = TD.quote.body
    assert isinstance(body, TdReport)
    for field, value in (("td_attributes", b"\1" + bytes(7)), ("xfam", bytes(8))):
        quote = replace(TD.quote, body=body._replace(**{field: value}))
        shown = TD._replace(quote=quote)
        assert reason_of(policy, shown) is reason_of(DEFAULT, shown) is not None


def test_json_and_toml_say_the_same() -> None:
    """Either form, text or bytes."""
    text = '{"version": 1, "tcb": {"grace_days": {"OutOfDate": 3}}}'
    assert (
        parse_policy(text) == parse_policy(text.encode()) == toml("[tcb.grace_days]\nOutOfDate=3")
    )


def td_field(name: str) -> str:
    """A register of the TD in hex."""
    value: bytes = getattr(TD.quote.body, name)
    return value.hex()


def sgx_field(name: str) -> str:
    """A measurement of the enclave in hex."""
    value: bytes = getattr(SGX.quote.body, name)
    return value.hex()


FMSPC = TD.verdict.fmspc.hex()
PPID = TD.platform.identity.ppid.hex()
INSTANCE = (TD.platform.identity.platform_instance_id or b"").hex()
OTHER = {length: "07" * length for length in (6, 16, 32, 48, 64)}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[tcb]\nstatuses = []", Reason.TCB_STATUS_NOT_ALLOWED),
        ("[tcb]\nminimum_evaluation = 4294967296", Reason.COLLATERAL_ROLLBACK),
        ("[tcb]\nminimum_evaluation = 1", None),
        ("[tcb]\nsame_evaluation = true\nadvisories_allowed = []", None),
        ('[tcb]\nadvisories_denied = ["INTEL-SA-00001"]', None),
        ("[collateral]\nmaximum_age_days = 3650", None),
        ("[collateral]\nmaximum_age_days = 0", Reason.COLLATERAL_TOO_OLD),
        (f'[platform]\nfmspc_allowed = "{FMSPC}"', None),
        (f'[platform]\nfmspc_allowed = ["{OTHER[6]}"]', Reason.FMSPC_NOT_ALLOWED),
        (f'[platform]\nfmspc_denied = ["{FMSPC}"]', Reason.FMSPC_NOT_ALLOWED),
        (f'[platform]\nppid_allowed = ["{PPID}"]', None),
        (f'[platform]\nppid_allowed = ["{OTHER[16]}"]', Reason.PLATFORM_NOT_ALLOWED),
        (f'[platform]\nppid_denied = ["{PPID}"]', Reason.PLATFORM_NOT_ALLOWED),
        (f'[platform]\ninstance_allowed = ["{INSTANCE}"]', None),
        (f'[platform]\ninstance_allowed = ["{OTHER[16]}"]', Reason.PLATFORM_NOT_ALLOWED),
        (f'[platform]\ninstance_denied = ["{INSTANCE}"]', Reason.PLATFORM_NOT_ALLOWED),
        ('[platform]\nsgx_types = ["standard"]', Reason.PLATFORM_CONFIGURATION),
        ('[platform]\nsgx_types = ["standard", "scalable", "scalable-with-integrity"]', None),
        (f'[td]\nmr_td = ["{td_field("mr_td")}", "{OTHER[48]}"]', None),
        (f'[td]\nmr_td = ["{OTHER[48]}"]', Reason.MEASUREMENT_MISMATCH),
        (f'[td]\nrtmr3 = "{OTHER[48]}"', Reason.MEASUREMENT_MISMATCH),
        (f'[td]\nmr_config_id = "{OTHER[48]}"', Reason.MEASUREMENT_MISMATCH),
        ("[td]\nxfam_allowed = 3", Reason.XFAM_INVALID),
        (f'[td]\nallow_service_td = true\nmr_service_td = "{"00" * 48}"', None),
        (
            f'[td]\nallow_service_td = true\nmr_service_td = "{OTHER[48]}"',
            Reason.MEASUREMENT_MISMATCH,
        ),
        ('[td]\nattributes_forbidden = ["PKS", "KL"]', None),
        ('[td]\nattributes_forbidden = ["SEPT_VE_DISABLE"]', Reason.TD_ATTR_FORBIDDEN),
        (f'[sgx]\nmr_enclave = "{OTHER[32]}"', Reason.TEE_TYPE_NOT_ALLOWED),
        ('[expect]\ntee_types = ["SGX"]', Reason.TEE_TYPE_NOT_ALLOWED),
        ('[expect]\ntee_types = ["SGX", "TDX"]', None),
        (f'[expect]\nreport_data = "{TD.verdict.report_data.hex()}"', None),
        (f'[expect]\nreport_data = "{OTHER[64]}"', Reason.REPORT_DATA_MISMATCH),
        (f'[expect]\nmeasurement_ids = ["{TD.verdict.measurement_id.hex()}"]', None),
        (f'[expect]\nmeasurement_ids = ["{OTHER[32]}"]', Reason.MEASUREMENT_MISMATCH),
    ],
)
def test_rules_about_tds_and_platforms(text: str, reason: Reason | None) -> None:
    """Each key, met and not met."""
    assert reason_of(toml(text), TD) is reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f'[sgx]\nmr_enclave = "{sgx_field("mr_enclave")}"', None),
        (f'[sgx]\nmr_enclave = "{OTHER[32]}"', Reason.MEASUREMENT_MISMATCH),
        (
            f'[sgx]\nmr_signer="{sgx_field("mr_signer")}"\nisv_prod_id=65535\nminimum_isv_svn=0',
            Reason.MEASUREMENT_MISMATCH,
        ),
        (
            f'[sgx]\nmr_enclave = "{sgx_field("mr_enclave")}"\nminimum_isv_svn = 65535',
            Reason.SVN_TOO_LOW,
        ),
        *(
            case
            for name, length in (("config_id", 64), ("isv_ext_prod_id", 16), ("isv_family_id", 16))
            for case in (
                (f'[sgx]\n{name} = "{sgx_field(name)}"', None),
                (f'[sgx]\n{name} = "{OTHER[length]}"', Reason.MEASUREMENT_MISMATCH),
            )
        ),
        ("[sgx]\nminimum_config_svn = 65535", Reason.SVN_TOO_LOW),
        ('[sgx]\nattributes_required = ["MODE64BIT"]', None),
        ('[sgx]\nattributes_required = ["AEX_NOTIFY"]', Reason.SGX_ATTR_FORBIDDEN),
        ('[sgx]\nattributes_forbidden = ["MODE64BIT"]', Reason.SGX_ATTR_FORBIDDEN),
        (f'[td]\nmr_td = "{OTHER[48]}"', Reason.TEE_TYPE_NOT_ALLOWED),
    ],
)
def test_rules_about_enclaves(text: str, reason: Reason | None) -> None:
    """Expectations of one kind of TEE refuse the other kind, unless it is named."""
    assert reason_of(toml(text), SGX) is reason


def test_attributes_can_be_allowed_one_by_one() -> None:
    """Debug and the special keys of SGX, debug and the others of TDX."""
    enclave, td = SGX.quote.body, TD.quote.body
    assert isinstance(enclave, SgxReport)
    assert isinstance(td, TdReport)
    for name, bit in (("debug", 1), ("provision_key", 4), ("einittoken_key", 5)):
        flags = (int.from_bytes(enclave.attributes[:8], "little") | 1 << bit).to_bytes(8, "little")
        body = SgxReport.parse(enclave.data[:48] + flags + enclave.data[56:], "report")
        shown = SGX._replace(quote=replace(SGX.quote, body=body))
        assert reason_of(toml(""), shown) is Reason.SGX_ATTR_FORBIDDEN
        assert reason_of(toml(f"[sgx]\nallow_{name} = true"), shown) is None
    for name, bit, reason in (
        ("debug", 0, Reason.TD_DEBUG),
        ("migratable", 29, Reason.TD_ATTR_FORBIDDEN),
        ("service_td", 17, Reason.TD_ATTR_FORBIDDEN),
    ):
        bits = int.from_bytes(td.td_attributes, "little") | 1 << bit
        changed = td._replace(td_attributes=bits.to_bytes(8, "little"))
        shown = TD._replace(quote=replace(TD.quote, body=changed))
        assert reason_of(toml(""), shown) is reason
        assert reason_of(toml(f"[td]\nallow_{name} = true"), shown) is None
    open_td = TD._replace(quote=replace(TD.quote, body=td._replace(td_attributes=bytes(8))))
    assert reason_of(toml(""), open_td) is Reason.SEPT_VE_NOT_DISABLED
    assert reason_of(toml("[td]\nallow_sept_ve = true"), open_td) is None


def test_service_tds_are_named_one_by_one() -> None:
    """Allowed knowingly, and then only the ones listed; TD reports 1.0 have none."""
    td = TD.quote.body
    assert isinstance(td, TdReport)
    named = toml(f'[td]\nallow_service_td = true\nmr_service_td = ["{"07" * 48}"]')
    for bound, reason in (
        (b"\7" * 48, None),
        (b"\x08" * 48, Reason.MEASUREMENT_MISMATCH),
        (None, Reason.MEASUREMENT_MISMATCH),
    ):
        body = td._replace(mr_service_td=bound)
        shown = TD._replace(quote=replace(TD.quote, body=body))
        assert reason_of(named, shown) is reason
    unbound = toml(f'[td]\nallow_service_td = true\nmr_service_td = ["{"00" * 48}"]')
    shown = TD._replace(quote=replace(TD.quote, body=td._replace(mr_service_td=None)))
    assert reason_of(unbound, shown) is None


def test_grace_runs_out_to_the_second() -> None:
    """From the TCB date, inclusive; another status has none."""
    policy = toml("[tcb.grace_days]\nOutOfDate = 30")
    at = TD.verdict.verified_at
    last = with_status(TcbStatus.OUT_OF_DATE, at - 30 * DAY)
    over = with_status(TcbStatus.OUT_OF_DATE, at - 30 * DAY - 1)
    other = with_status(TcbStatus.CONFIGURATION_NEEDED, at)
    assert reason_of(policy, last) is None
    assert reason_of(policy, over) is Reason.TCB_STATUS_NOT_ALLOWED
    assert reason_of(policy, other) is Reason.TCB_STATUS_NOT_ALLOWED
    assert list(deadlines(policy, last)) == [at]
    assert list(deadlines(policy, TD)) == []


def test_collateral_age_runs_out_to_the_second() -> None:
    """The oldest of TCB info, QE identity and PCK CRL counts, inclusive."""
    at = TD.verdict.verified_at
    collateral = TD.collateral
    age = at - min(
        collateral.tcb_info.issue_date,
        collateral.qe_identity.issue_date,
        collateral.pck_crl.this_update,
    )
    assert reason_of(MaximumCollateralAge(age), TD) is None
    assert reason_of(MaximumCollateralAge(age - 1), TD) is Reason.COLLATERAL_TOO_OLD
    assert list(deadlines(MaximumCollateralAge(age + 5), TD)) == [at + 5]


def test_platforms_are_known_by_ppid_in_files_and_by_its_hash_in_verdicts() -> None:
    """The file names the PPID; the verdict only tells its hash."""
    assert keccak256(TD.platform.identity.ppid) == TD.verdict.platform_id


WRONG = [
    ("", "version"),
    ("version = 2", "version"),
    ('version = "1"', "version"),
    ("version = 1\nnonsense", "file"),
    ("version = 1\ncolour = 3", "colour"),
    ("version = 1\ntcb = 3", "tcb"),
    ('version = 1\n[tcb]\nstatus = ["UpToDate"]', "tcb.status"),
    ('version = 1\n[tcb]\nstatuses = ["Revoked"]', "tcb.statuses[0]"),
    ('version = 1\n[tcb]\nstatuses = ["UpToDate", "uptodate"]', "tcb.statuses[1]"),
    ("version = 1\n[tcb]\nstatuses = 3", "tcb.statuses"),
    ("version = 1\n[tcb]\nminimum_evaluation = -1", "tcb.minimum_evaluation"),
    ("version = 1\n[tcb]\nminimum_evaluation = true", "tcb.minimum_evaluation"),
    ("version = 1\n[tcb.grace_days]\nRevoked = 3", "tcb.grace_days.Revoked"),
    ("version = 1\n[tcb.grace_days]\nUpToDate = 3", "tcb.grace_days.UpToDate"),
    ("version = 1\n[tcb.grace_days]\nOutOfDate = 1.5", "tcb.grace_days.OutOfDate"),
    ("version = 1\n[tcb.grace_days]\nOutOfDate = 99999", "tcb.grace_days.OutOfDate"),
    ("version = 1\n[collateral]\nmaximum_age = 3", "collateral.maximum_age"),
    ('version = 1\n[platform]\nfmspc_denied = ["00"]', "platform.fmspc_denied[0]"),
    ('version = 1\n[platform]\nfmspc_denied = ["00 11 22 33 44 55"]', "platform.fmspc_denied[0]"),
    ("version = 1\n[platform]\nppid_denied = [3]", "platform.ppid_denied[0]"),
    ('version = 1\n[platform]\nallow_smt = "no"', "platform.allow_smt"),
    ('version = 1\n[platform]\nsgx_types = ["big"]', "platform.sgx_types[0]"),
    (f'version = 1\n[sgx]\nmr_signer = "{"00" * 32}"', "sgx.mr_signer"),
    ("version = 1\n[sgx]\nallow_debugging = true", "sgx.allow_debugging"),
    ('version = 1\n[sgx]\nattributes_required = ["SMT"]', "sgx.attributes_required[0]"),
    (
        'version = 1\n[sgx]\nattributes_required = ["KSS"]\nattributes_forbidden = ["KSS"]',
        "sgx.attributes_forbidden",
    ),
    ("version = 1\n[td]\nmrtd = 3", "td.mrtd"),
    (f'version = 1\n[td]\nmr_service_td = "{"00" * 48}"', "td.mr_service_td"),
    ("version = 1\n[expect]\ntee_types = []", "expect.tee_types"),
    (f'version = 1\n[expect]\nreport_data = ["{"00" * 64}", "{"01" * 64}"]', "expect.report_data"),
    ("version = 1\n[expect]\nnonce = 3", "expect.nonce"),
    ('{"version": 1, "tcb": {}, "tcb": {}}', "tcb"),
    ('{"version": 1', "file"),
    ('{"version": 1, "tcb": null}', "tcb"),
    ("{" * 5000, "file"),
    ('{"a":' * 100_000, "file"),
    ("a = " + "[" * 100_000, "file"),
    ('version = 1 # "' + "\\" * 1001, "file"),
    (b"\xff\xfe", "file"),
    (b"#" * (MAX_POLICY_BYTES + 1), "file"),
]


@pytest.mark.parametrize(("text", "path"), WRONG)
def test_what_is_wrong_is_named_by_its_key_path(text: bytes | str, path: str) -> None:
    """Unknown keys, wrong types, wrong units, and rules that would accept by accident."""
    with pytest.raises(PolicyFileError) as caught:
        parse_policy(text)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


def test_the_command_line_says_it_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 6 for a missing and for a wrong policy file; the key path is in the line."""
    policy = tmp_path / "policy.toml"
    base = ["quote", "verify", "quote.bin", "--collateral", "c.json", "--policy", str(policy)]
    (tmp_path / "quote.bin").write_bytes(b"")
    for content, word in ((None, "policy.toml"), ("version = 1\n[tcb]\ngrace = 3", "tcb.grace")):
        if content is not None:
            policy.write_text(content, encoding="utf-8")
        assert main(["policy", "check", str(policy)]) == 6
        out, err = capsys.readouterr()
        assert out == ""
        assert err.count("\n") == 1
        assert word in err
        quote, collateral = tmp_path / "quote.bin", tmp_path / "quote.bin"
        arguments = [*base[:2], str(quote), "--collateral", str(collateral), *base[5:]]
        assert main(arguments) == 6
        assert word in capsys.readouterr().err


def test_rules_that_hold_time_are_values() -> None:
    """Equal files make equal policies, so a policy can be compared and kept."""
    assert toml("[tcb.grace_days]\nOutOfDate = 3") == toml("[tcb.grace_days]\nOutOfDate = 3")
    assert toml("[tcb.grace_days]\nOutOfDate = 3") != toml("[tcb.grace_days]\nOutOfDate = 4")
    assert GracedStatuses() == GracedStatuses()
