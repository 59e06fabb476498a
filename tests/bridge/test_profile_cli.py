"""`quotary measurement profile, admit-profile, match`: one admission for many images."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from quotary import Quote, TeeType
from quotary.journal import measurement_id
from quotary_bridge.admission.profile_file import parse_profile, profile_text
from quotary_bridge.anvil import AnvilNode
from quotary_bridge.chain.contracts import MeasurementRegistry, MeasurementStatus
from quotary_bridge.chain.contracts.profiles import FIELDS, RESERVED
from quotary_bridge.chain.well_known import WELL_KNOWN_KEYS
from quotary_bridge.cli import measurement
from quotary_bridge.errors import ConfigurationError
from quotary_bridge.model import Bytes32
from quotary_enclave.simulator import Simulator, TdReport

from tests.bridge.deploy_parts import deployer, parameters
from tests.bridge.test_cli import Command, runner

APP = Bytes32(b"\x41" * 32)
SOURCE = (
    *("--source-uri", "https://example.org/worker", "--source-commit", "ab" * 20),
    *("--build-digest", "sha256:" + "cd" * 32),
)
TD = bytes(range(224)) * 2
ENCLAVE = bytes(4) + bytes(12) + bytes(64) + bytes(32) + b"\x22" * 32 + bytes(32) + bytes(128)


@pytest.fixture
def quotary(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return runner((measurement,), capsys, monkeypatch)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[AnvilNode, Path]]:
    """A deployment that an account governs."""
    folder = tmp_path_factory.mktemp("profiles")
    with AnvilNode() as node:
        deployer(node, folder).run(parameters(node))
        yield node, folder


def test_an_image_is_admitted_through_a_profile(
    quotary: Command, world: tuple[AnvilNode, Path], tmp_path: Path
) -> None:
    """From a quote to a profile, its wildcard by hand, admitted, matched, listed, revoked."""
    node, records = world
    simulator = Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"profiles")
    raw = simulator.platform().quote(TdReport())
    quote, file = tmp_path / "quote.bin", tmp_path / "profile.toml"
    quote.write_bytes(raw)
    printed = quotary("measurement", "profile", "--of", quote)
    assert printed.code == 0, printed
    exact = tomllib.loads(printed.out)
    file.write_text(printed.out.replace(f'rtmr0 = "{exact["rtmr0"]}"', 'rtmr0 = "*"'))
    shown = quotary("measurement", "profile", file)
    assert "rtmr0          *  ANYTHING" in shown.out
    assert shown.out.splitlines()[-1].split() == ["open", "rtmr0"]

    chain = ("--rpc-url", node.url, "--deployments", records)
    governor, guardian, anyone = (("--private-key", key) for key in WELL_KNOWN_KEYS[:3])
    subject = ("--app", f"0x{APP.hex()}", *chain)
    matching = ("measurement", "match", quote, "--profile", file, *subject, *anyone, "--json")
    early = quotary(*matching)
    assert (early.code, early.json["error"]["name"]) == (4, "ProfileNotAdmitted")
    admitting = ("measurement", "admit-profile", file, *subject, *SOURCE)
    assert quotary(*admitting, *anyone, "--json").json["error"]["name"] == "Unauthorized"
    admitted = quotary(*admitting, *governor, "--json")
    assert (admitted.code, admitted.json["open_fields"]) == (0, ["rtmr0"])
    matched = quotary(*matching)
    assert matched.code == 0, matched
    parsed = Quote.parse(raw)
    found = measurement_id(parsed.tee_type, parsed.measurement)
    assert matched.json["measurement_id"] == f"0x{found.hex()}"
    profile_id = admitted.json["profile_id"]
    listed = quotary("measurement", "list", *subject, "--json").json["measurements"]
    assert [(row["measurement_id"], row["status"]) for row in listed] == [
        (profile_id, "admitted"),
        (matched.json["measurement_id"], "admitted"),
    ]
    assert f"through profile {profile_id}" in quotary("measurement", "list", *subject).out

    assert quotary("measurement", "revoke", profile_id, *subject, *guardian).code == 0
    listed = quotary("measurement", "list", *subject, "--json").json["measurements"]
    assert {row["status"] for row in listed} == {"revoked"}
    registry = MeasurementRegistry(node.chain, _address(records))
    assert registry.status_of(APP, Bytes32(found)) is MeasurementStatus.REVOKED


def _address(records: Path) -> object:
    from quotary_bridge.chain.deployment import Deployment  # noqa: PLC0415

    return Deployment.load(records, 31337).address("MeasurementRegistry")


def test_a_profile_of_another_image_is_not_sent(quotary: Command, tmp_path: Path) -> None:
    """The field that differs is named before any node is asked."""
    simulator = Simulator(datetime(2026, 11, 1, tzinfo=UTC), seed=b"profiles")
    quote, file = tmp_path / "quote.bin", tmp_path / "profile.toml"
    quote.write_bytes(simulator.platform().quote(TdReport()))
    found = quotary("measurement", "profile", "--of", quote).out
    mrtd = tomllib.loads(found)["mrtd"]
    file.write_text(found.replace(f'mrtd = "{mrtd}"', f'mrtd = "{"11" * 48}"'))
    ran = quotary("measurement", "match", quote, "--profile", file, "--app", "council")
    assert ran.code == 6
    assert "mrtd differs" in ran.err


@pytest.mark.parametrize(("tee", "found"), [(TeeType.SGX, ENCLAVE), (TeeType.TDX, TD)])
def test_a_profile_begun_from_a_quote_pins_all_of_it(tee: TeeType, found: bytes) -> None:
    """Nothing is open that nobody opened; every byte of a measurement is some field's."""
    places = sorted([*FIELDS[tee].values(), *RESERVED[tee]])
    assert [at for at, _ in places] == [0, *(at + size for at, size in places[:-1])]
    assert sum(places[-1]) == len(found)
    profile = parse_profile(profile_text(tee, found).encode())
    assert (profile.mask, profile.value) == (b"\xff" * len(found), found)
    assert profile.open_fields == ()
    assert profile.mismatch(tee, found) is None


def test_an_enclave_may_have_a_least_svn() -> None:
    """Numbers as people write them, little endian as SGX has them."""
    text = profile_text(TeeType.SGX, ENCLAVE)
    lines = [line for line in text.splitlines() if not line.startswith(("isv", "mrenclave"))]
    lines += ['mrenclave = "*"', 'isvextprodid = "*"', 'isvfamilyid = "*"']
    lines += ["isvprodid = 258", "isvsvn = { minimum = 256 }"]
    profile = parse_profile("\n".join(lines).encode())
    assert profile.open_fields == ("isvextprodid", "mrenclave", "isvsvn", "isvfamilyid")
    enclave = bytearray(ENCLAVE)
    enclave[240:244] = b"\x02\x01\xff\x00"
    assert profile.mismatch(TeeType.SGX, bytes(enclave)) == "isvsvn"
    enclave[243] = 1
    assert profile.mismatch(TeeType.SGX, bytes(enclave)) is None
    assert profile.mismatch(TeeType.TDX, bytes(enclave)) == "tee_type"


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("", "rtmr0 is missing; write"),
        ('rtmr0 = "12"', "rtmr0 must be 48 bytes"),
        ("rtmr0 = 7", "rtmr0 must be 48 bytes"),
        ('rtmr0 = "*"\nrtmr9 = "*"', "rtmr9 is no field"),
        (f'rtmr0 = {{ value = "{"ff" * 48}", mask = "{"0f" * 48}" }}', "bits that its mask"),
        ("rtmr0 = { minimum = 3 }", "rtmr0 must be 48 bytes"),
        ("rtmr0 = [", "it is no TOML"),
    ],
)
def test_a_malformed_profile_is_refused_by_its_field(line: str, complaint: str) -> None:
    """A field that was forgotten is no wildcard."""
    text = profile_text(TeeType.TDX, TD).splitlines()
    kept = [each for each in text if not each.startswith("rtmr0")]
    with pytest.raises(ConfigurationError) as caught:
        parse_profile("\n".join([*kept, line]).encode())
    assert complaint in caught.value.message
